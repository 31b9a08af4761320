// The score of every single change, as a table of buttons that arrow keys walk.
import { element, figure } from "./pictures.js";

const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** Show `scores[position][token]`; `take(position, token)` is called where one is chosen. */
export function heat(place, space, design, scores, own, take) {
  const span = Math.max(1e-9, ...scores.map((row) => Math.max(...row.map((s) => Math.abs(s - own)))));
  const table = element("table", { class: "pg-heat" });
  const head = element("tr", {}, element("th", { scope: "col" }, element("span", { class: "pg-hide" }, "to")));
  for (let i = 0; i < space.length; i++) head.append(element("th", { scope: "col" }, String(i)));
  table.append(element("caption", { class: "pg-hide" }, "Score after each change of one position"), head);
  const buttons = space.alphabet.map((letter, token) => {
    const row = element("tr", {}, element("th", { scope: "row" }, letter));
    table.append(row);
    return Array.from({ length: space.length }, (_, i) => {
      const cell = one(letter, i, scores[i][token], own, span, design[i] === token);
      cell.firstChild.addEventListener("click", () => design[i] === token || take(i, token));
      row.append(cell);
      return cell.firstChild;
    });
  });
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.at : null;
  walk(table, buttons, focused ?? "0,0");
  place.replaceChildren(table);
  if (focused) table.querySelector("[tabindex='0']").focus();
}

function one(letter, i, score, own, span, same) {
  const change = (score - own) / span;
  const cell = element("td", { class: same ? "pg-same" : change > 0 ? "pg-up" : "pg-down" });
  cell.style.setProperty("--much", `${Math.round(Math.abs(change) * 100)}%`);
  const told = `${letter} at position ${i}: ${figure(same ? own : score)}${same ? ", as it is" : ""}`;
  cell.append(element("button", { type: "button", title: told, "aria-label": told }, same ? "·" : ""));
  return cell;
}

/** Let Tab reach one of the buttons, and arrow keys the others. */
function walk(table, buttons, first) {
  const go = (column, row) => {
    for (const button of table.querySelectorAll("[tabindex='0']")) button.tabIndex = -1;
    buttons[row][column].tabIndex = 0;
    return buttons[row][column];
  };
  buttons.forEach((row, j) => row.forEach((button, i) => {
    button.tabIndex = -1;
    button.dataset.at = `${i},${j}`;
    button.addEventListener("focus", () => go(i, j));
    button.addEventListener("keydown", (event) => {
      const step = STEPS[event.key];
      if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      go(Math.min(row.length - 1, Math.max(0, i + step[0])), Math.min(buttons.length - 1, Math.max(0, j + step[1]))).focus();
    });
  }));
  const [column, row] = first.split(",").map(Number);
  go(Math.min(column, buttons[0].length - 1), Math.min(row, buttons.length - 1));
}
