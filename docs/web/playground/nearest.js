// The visible design that is nearest to one's own, and in what the two differ.
import { element, figure } from "./pictures.js";
import { three } from "./space.js";

const SHOWN = 5; // values of a long design that differ most

/** All visible designs and their objective, as the site keeps them: designs first. */
export class Visible {
  constructor(space, rows, raw) {
    const values = rows * space.dim;
    const end = values * (space.type === "int64" ? 1 : 4);
    const designs = raw.slice(0, end);
    this.space = space;
    this.rows = rows;
    this.x = space.type === "int64" ? new Int8Array(designs) : new Float32Array(designs);
    this.y = new Float32Array(raw.slice(end));
    if (this.x.length !== values || this.y.length !== rows) throw new Error("the visible designs are cut short");
  }

  nearest(design) {
    let [apart, row] = [Infinity, -1];
    for (let i = 0; i < this.rows; i++) {
      const one = this.space.distance(design, this.x, i);
      if (one < apart) [apart, row] = [one, i];
    }
    const { dim } = this.space;
    return { apart, y: this.y[row], design: this.x.slice(row * dim, (row + 1) * dim) };
  }
}

/** Tell of the nearest visible design; `scaled` turns its objective into a score. */
export function tell(place, space, design, { apart, y, design: other }, scaled) {
  const worth = `${figure(scaled(y))} in the data`;
  if (apart === 0) return place.replaceChildren(`This design is one of the visible ones; it scores ${worth}.`);
  const far = figure(apart, space.type === "int64" ? 0 : 2);
  place.replaceChildren(`The nearest visible design is ${far} away (${space.metric}) and scores ${worth}: `);
  if (space.type === "int64") place.append(marked(space, design, other), ".");
  else place.append(`it differs most in`, differences(space, design, other));
}

/** Write tokens; those that differ are marked. */
function marked(space, design, other) {
  const code = element("code");
  other.forEach((token, i) => {
    if (token === space.pad) return;
    code.append(element(token === design[i] ? "span" : "mark", {}, space.alphabet[token]));
  });
  return code;
}

function differences(space, design, other) {
  const sizes = Array.from(design, (value, i) => [Math.abs(value - other[i]) / space.std[i], i]);
  const most = sizes.filter(([size]) => size > 0).sort((a, b) => b[0] - a[0]).slice(0, SHOWN);
  const items = most.map(([size, i]) =>
    element("li", {}, `${space.names[i].replaceAll("_", " ")}: ${three(other[i])}, yours ${three(design[i])} `,
      element("span", {}, `(${figure(size, 2)} std)`)));
  return element("ul", { class: "pg-differences" }, ...items);
}
