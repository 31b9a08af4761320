// Ways to enter a design, one for each layout. Each gives `show(design)` and calls `changed`.
import { element } from "./pictures.js";
import { LONGEST, short, three } from "./space.js";

const LEGS = { fr: "front right leg", fl: "front left leg", bl: "back left leg", br: "back right leg",
  leg0: "leg 0", leg1: "leg 1", leg2: "leg 2", leg3: "leg 3" };
const ACTIVATIONS = ["ReLU", "ELU", "LeakyReLU", "SELU", "SiLU"];

/** A field of text, which all layouts have: what is pasted or typed is read as Python reads it. */
function field(label, space, typed, rows) {
  const name = "pg-text";
  const input = element(rows ? "textarea" : "input", {
    id: name, class: "pg-text", spellcheck: "false", autocomplete: "off", autocapitalize: "off",
    rows: rows || null, "aria-describedby": "pg-problem",
    maxlength: LONGEST + 1, // so much is refused, and laid out at once
  });
  input.addEventListener("input", () => typed(input.value));
  return { input, whole: element("div", { class: "pg-field" }, element("label", { for: name }, label), input),
    show: (design) => { if (document.activeElement !== input) input.value = space.write(design); } };
}

/** Letters as tiles: one is chosen, and a key, on the screen or typed, replaces it. */
function letters(place, task, space, { typed, changed }) {
  const text = field(`${space.length} letters of ${space.letters.join(" ")}`, space, typed);
  const tiles = element("div", { class: "pg-tiles", role: "group", "aria-label": "The letters; choose one" });
  const keys = element("div", { class: "pg-buttons", role: "group", "aria-label": "Replace the chosen letter by" });
  let design = null;
  let chosen = 0;
  const choose = (i) => { chosen = (i + space.length) % space.length; draw(); };
  const put = (token) => {
    const next = Int8Array.from(design);
    next[chosen] = token;
    chosen = (chosen + 1) % space.length;
    changed(next, "tiles");
  };
  const buttons = Array.from({ length: space.length }, (_, i) => {
    const tile = element("button", { type: "button" });
    tile.addEventListener("click", () => choose(i));
    tile.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      const token = space.alphabet.indexOf(event.key.toUpperCase());
      if (token >= 0) { chosen = i; put(token); }
      else if (event.key === "ArrowRight") choose(i + 1);
      else if (event.key === "ArrowLeft") choose(i - 1);
      else return;
      event.preventDefault();
      buttons[chosen].focus();
    });
    tiles.append(tile);
    return tile;
  });
  space.alphabet.forEach((letter, token) => {
    const key = element("button", { type: "button", class: `pg-letter${token}` }, letter);
    key.addEventListener("click", () => put(token));
    keys.append(key);
  });
  function draw() {
    buttons.forEach((tile, i) => {
      tile.className = `pg-letter${design[i]}`;
      tile.textContent = space.alphabet[design[i]];
      tile.tabIndex = i === chosen ? 0 : -1;
      tile.setAttribute("aria-pressed", String(i === chosen));
      tile.setAttribute("aria-label", `position ${i}: ${space.alphabet[design[i]]}`);
    });
  }
  place.append(tiles, keys, text.whole);
  return { show(next) { design = next; text.show(next); draw(); } };
}

/** Text, and the tokens that it is read as. */
function tokens(place, task, space, { typed }, label = "") {
  const text = field(`${label}${space.padding === null ? "" : "1 to "}${space.length} tokens`, space, typed);
  const chips = element("p", { class: "pg-chips", "aria-label": "Its tokens" });
  place.append(text.whole, chips);
  return {
    show(design) {
      text.show(design);
      const read = Array.from(design.slice(0, space.size(design)), (token) => space.alphabet[token]);
      chips.replaceChildren(...read.map((token) => element("span", {}, token)));
    },
  };
}

const smiles = (place, task, space, told) => tokens(place, task, space, told, "SMILES, ");

function network(place, task, space, { typed, changed }) {
  const text = field("64 digits from 0 to 4: kernel size and activation, by turns", space, typed);
  const bars = element("div", { class: "pg-network", role: "group", "aria-label": "The 32 layers" });
  const detail = element("div", { class: "pg-detail" });
  let design = null;
  let chosen = 0;
  const buttons = Array.from({ length: 32 }, (_, k) => {
    const button = element("button", { type: "button" });
    button.addEventListener("click", () => { chosen = k; draw(); });
    button.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: 31 }[key];
      if (!step) return;
      chosen = (k + step) % 32;
      draw();
      buttons[chosen].focus();
    });
    bars.append(button);
    return button;
  });
  function select(label, options, at) {
    const list = element("select", { id: `pg-layer-${at % 2}` });
    options.forEach((option, i) => list.append(element("option", { value: i, selected: i === design[at] }, option)));
    list.addEventListener("change", () => {
      const next = Int8Array.from(design);
      next[at] = Number(list.value);
      changed(next);
    });
    return element("span", { class: "pg-field" }, element("label", { for: list.id }, label), list);
  }
  function draw() {
    buttons.forEach((button, k) => {
      const [kernel, activation] = [design[2 * k], design[2 * k + 1]];
      button.className = `pg-act${activation}`;
      button.style.height = `${24 + 14 * kernel}px`;
      button.tabIndex = k === chosen ? 0 : -1;
      button.setAttribute("aria-pressed", String(k === chosen));
      button.setAttribute("aria-label", `block ${k >> 1}, layer ${k & 1}: kernel ${kernel + 2}, ${ACTIVATIONS[activation]}`);
      button.title = button.ariaLabel;
    });
    const focused = detail.contains(document.activeElement) ? document.activeElement.id : null;
    detail.replaceChildren(
      element("strong", {}, `Block ${chosen >> 1}, layer ${chosen & 1}`),
      select("kernel size", ["2", "3", "4", "5", "6"], 2 * chosen),
      select("activation", ACTIVATIONS, 2 * chosen + 1),
    );
    if (focused) document.getElementById(focused)?.focus();
  }
  const legend = element("p", { class: "pg-note" }, "Two layers a block. Height: kernel size. Colour: ",
    ...ACTIVATIONS.map((name, i) => element("span", { class: `pg-swatch pg-act${i}` }, name)));
  place.append(bars, legend, detail, text.whole);
  return { show(next) { design = next; text.show(next); draw(); } };
}

function sliders(place, task, space, { typed, changed }) {
  const text = field(`${space.size} numbers, with commas or blanks between them`, space, typed, 2);
  const groups = new Map();
  let design = null;
  const inputs = space.names.map((name, i) => {
    const [group, ...rest] = name.split("_");
    if (!groups.has(group)) groups.set(group, element("details", { class: "pg-group", open: groups.size === 0 }, element("summary", {}, LEGS[group] ?? group)));
    const [low, high] = [space.low[i], space.high[i]];
    const input = element("input", { type: "range", id: `pg-x${i}`, min: low, max: high, step: "any", disabled: low === high });
    const said = element("output", { for: input.id });
    input.addEventListener("input", () => {
      const next = Float32Array.from(design);
      next[i] = Math.min(high, Math.max(low, Math.fround(Number(input.value))));
      changed(next, input.id);
    });
    groups.get(group).append(element("div", { class: "pg-slider" },
      element("label", { for: input.id, title: `from ${short(low)} to ${short(high)}` }, rest.join(" ") || name),
      element("span", { class: "pg-bound", "aria-hidden": "true" }, three(low)), input,
      element("span", { class: "pg-bound", "aria-hidden": "true" }, three(high)), said));
    return { input, said };
  });
  place.append(element("div", { class: "pg-groups" }, ...groups.values()), text.whole);
  return {
    show(next) {
      design = next;
      text.show(next);
      inputs.forEach(({ input, said }, i) => {
        if (document.activeElement !== input) input.value = next[i];
        said.textContent = three(next[i]);
      });
    },
  };
}

function elements(place, task, space, { typed, changed }) {
  const text = field("Formula, such as YBa2Cu3O7", space, typed);
  const list = element("div", { class: "pg-elements" });
  const add = element("select", { id: "pg-add" }, element("option", { value: "" }, "…"),
    ...space.names.map((name, i) => element("option", { value: i }, name)));
  let design = null;
  add.addEventListener("change", () => {
    if (add.value === "") return;
    const next = Float32Array.from(design);
    next[Number(add.value)] ||= 1;
    add.value = "";
    changed(next);
  });
  place.append(text.whole, list, element("p", { class: "pg-field" }, element("label", { for: "pg-add" }, "add an element"), add));
  return {
    show(next) {
      design = next;
      text.show(next);
      const focused = list.contains(document.activeElement) ? document.activeElement.id : null;
      if (focused) return;
      list.replaceChildren(...[...next.keys()].filter((i) => next[i] > 0).map((i) => {
        const input = element("input", { type: "number", id: `pg-e${i}`, min: 0, step: 0.1, value: short(next[i]) });
        input.addEventListener("input", () => {
          const changedTo = Float32Array.from(design);
          changedTo[i] = Number(input.value);
          changed(changedTo, input.id);
        });
        return element("span", { class: "pg-field" }, element("label", { for: input.id }, space.names[i]), input);
      }));
    },
  };
}

function numbers(place, task, space, { typed }) {
  const text = field(`${space.size.toLocaleString("en")} numbers, with commas or blanks between them`, space, typed, 6);
  place.append(text.whole);
  return { show: text.show };
}

export const EDITORS = { letters, tokens, smiles, network, sliders, elements, numbers };
