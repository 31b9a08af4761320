// Pictures: where a score lies in the data, and how a climb goes.

export function element(name, attributes = {}, ...inside) {
  const svg = ["svg", "rect", "line", "text", "path", "g", "circle"].includes(name);
  const made = svg
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  made.append(...inside);
  return made;
}

export function figure(value, digits = 3) {
  return value.toFixed(digits).replace("-", "−");
}

const FOOT = 150;

/** As wide as its place, so that letters have the size of other letters on a phone, too. */
function room(place) {
  return Math.min(560, Math.max(280, place.clientWidth || 560));
}

/** Draw the data's distribution of scores, D(best), and the score of a design. */
export function histogram(place, task, score) {
  const width = room(place);
  const { edges, visible, hidden } = task.histogram ?? { edges: [0], visible: [], hidden: [] };
  const { y_min, y_max, best_visible } = task.y;
  const { score: ceiling, known: possible } = task.ceiling;
  const scaled = (y) => (y - y_min) / (y_max - y_min);
  const known = Number.isFinite(score);
  const low = Math.min(0, known ? score : 0);
  const high = Math.max(1, ceiling, known ? score : 1);
  const at = (s) => 10 + ((s - low) / (high - low)) * (width - 20);
  const most = Math.max(1, ...visible.map((n, i) => n + hidden[i]));
  const svg = element("svg", { viewBox: `0 0 ${width} ${FOOT + 40}`, role: "img" });
  const best = scaled(best_visible);
  const what = task.histogram ? `Histogram of the scores of ${task.rows.all.toLocaleString("en")} designs` : "Scale of scores";
  svg.setAttribute(
    "aria-label",
    `${what}; D(best) is ${figure(best)}` +
      (known ? `, this design ${figure(score)}.` : "."),
  );
  edges.slice(0, -1).forEach((edge, i) => {
    const [x, end] = [at(scaled(edge)), at(scaled(edges[i + 1]))];
    let foot = FOOT;
    for (const [count, kind] of [[visible[i], "pg-visible"], [hidden[i], "pg-hidden"]]) {
      const tall = (count / most) * (FOOT - 34);
      if (tall > 0)
        svg.append(
          element("rect", { class: kind, x, y: foot - tall, width: Math.max(0.5, end - x - 0.7), height: tall }),
        );
      foot -= tall;
    }
  });
  svg.append(element("line", { class: "pg-axis", x1: 10, x2: width - 10, y1: FOOT, y2: FOOT }));
  for (const tick of [0, 0.5, 1])
    svg.append(element("text", { class: "pg-tick", x: at(tick), y: FOOT + 15, "text-anchor": "middle" }, String(tick)));
  svg.append(
    element("line", { class: "pg-best", x1: at(best), x2: at(best), y1: 26, y2: FOOT }),
    element("text", { class: "pg-tick", x: at(best), y: FOOT + 32, "text-anchor": best > 0.9 ? "end" : "middle" }, `D(best) ${figure(best)}`),
  );
  if (ceiling > 1.01) // else it is where the axis ends
    svg.append(element("line", { class: "pg-ceiling", x1: at(ceiling), x2: at(ceiling), y1: 26, y2: FOOT }));
  if (known) {
    const x = at(score);
    const end = x > width - 90 ? "end" : x < 90 ? "start" : "middle";
    svg.append(
      element("line", { class: "pg-mark", x1: x, x2: x, y1: 20, y2: FOOT }),
      element("text", { class: "pg-mark-text", x, y: 13, "text-anchor": end }, `yours ${figure(score)}`),
    );
  }
  const caption = task.histogram
    ? ["Scores of the data: ", key("pg-visible", "visible"), " and ", key("pg-hidden", "hidden"), ". "]
    : ["0 and 1 are the ends of the full data. "];
  caption.push(possible ? `No design scores above ${figure(ceiling)}.` : `No score above ${figure(ceiling)} is known.`);
  place.replaceChildren(svg, element("figcaption", {}, ...caption));
}

function key(kind, text) {
  const box = element("svg", { class: "pg-key", viewBox: "0 0 10 10", "aria-hidden": "true" });
  box.append(element("rect", { class: kind, width: 10, height: 10 }));
  return element("span", {}, box, text);
}

/** Draw the best score so far against the number of designs scored. */
export function curve(place, points, best) {
  place.replaceChildren();
  if (points.length < 2) return;
  const width = room(place);
  const tall = 150;
  const all = points.map(([, score]) => score);
  const [low, high] = [Math.min(best, ...all), Math.max(best, ...all)];
  const most = points.at(-1)[0];
  const x = (n) => 40 + (n / most) * (width - 60);
  const y = (s) => tall - 10 - ((s - low) / (high - low || 1)) * (tall - 40);
  const path = points.map(([n, s], i) => `${i ? `H${x(n)}V${y(s)}` : `M${x(n)} ${y(s)}`}`).join("");
  const svg = element("svg", { viewBox: `0 0 ${width} ${tall + 26}`, role: "img",
    "aria-label": `Best score so far: from ${figure(all[0])} to ${figure(all.at(-1))} in ${most} designs.` });
  svg.append(
    element("line", { class: "pg-best", x1: 40, x2: width - 20, y1: y(best), y2: y(best) }),
    element("text", { class: "pg-tick", x: 44, y: y(best) - 4 }, "D(best)"),
    element("path", { class: "pg-climb-line", d: path }),
    element("line", { class: "pg-axis", x1: 40, x2: width - 20, y1: tall - 6, y2: tall - 6 }),
    element("text", { class: "pg-tick", x: 40, y: tall + 12 }, "0"),
    element("text", { class: "pg-tick", x: width - 20, y: tall + 12, "text-anchor": "end" }, `${most.toLocaleString("en")} designs scored`),
    element("text", { class: "pg-mark-text", x: width - 20, y: y(all.at(-1)) - 6, "text-anchor": "end" }, figure(all.at(-1))),
  );
  place.append(svg);
}
