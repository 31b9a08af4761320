// The playground: a design, its score, and what can be done with it. The address holds the design.
import { EDITORS } from "./editors.js";
import { curve, figure, heat, histogram } from "./pictures.js";
import { Scorer } from "./scorer.js";
import { Refused, spaceOf } from "./space.js";

const $ = (id) => document.getElementById(id);
const DATA = new URL("../../playground/", import.meta.url);
const ADDRESS = 1500; // letters of a design that an address may hold
const BATCH = 32; // designs of one step of a climb
const STEPS = 200; // … after which it stops by itself

let task, space, scorer, editor, oracle;
let design = null; // the one that is shown, legal
let past = []; // those before it
let score = NaN;
let shown = 0; // counts what was asked for, so that late answers are dropped
let climbing = false;
let known = null; // visible designs, once they are here

// ------------------------------------------------------------------------------------------- tasks

async function open(name, asked = {}) {
  climbing = false;
  scorer?.close();
  scorer = null;
  const turn = ++shown;
  const answer = await fetch(new URL(`data/${name}.json`, DATA));
  if (!answer.ok) return say(`There is no task ${name}.`);
  const found = await answer.json();
  if (turn !== shown) return;
  task = found;
  space = spaceOf(task);
  known = null;
  past = [];
  $("pg-task").value = name;
  $("pg-summary").replaceChildren(`${task.summary} `, link(`../tasks/${name}.html`, "About this task"));
  $("pg-oracle").replaceChildren(...task.oracles.map((one) => new Option(named(one), one.name)));
  const place = $("pg-editor");
  place.replaceChildren();
  editor = EDITORS[task.layout](place, task, space, { typed, changed });
  for (const id of ["pg-heat", "pg-curve", "pg-climbed", "pg-nearest", "pg-said"]) $(id).replaceChildren();
  $("pg-heat-section").hidden = !hasHeat();
  $("pg-climb-note").textContent = climbNote();
  const visible = Boolean(task.histogram); // else examples are not visible designs
  document.querySelector("#pg [data-do=best]").hidden = !visible;
  document.querySelector("#pg [data-do=example]").textContent = visible ? "A visible one" : "An example";
  design = start(asked.x);
  histogram($("pg-histogram"), task, NaN);
  editor.show(design);
  await choose(asked.oracle);
}

function named(one) {
  return one.exact ? `${one.name} (exact)` : `${one.name} (a model)`;
}

function link(href, text) {
  const made = document.createElement("a");
  Object.assign(made, { href, textContent: text });
  return made;
}

/** The design of the address, where it is one; else the first example. */
function start(text) {
  problem("");
  if (text)
    try {
      return space.read(text);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      say(`The address held no legal design: ${error.message}`);
    }
  return example(0);
}

function example(i) {
  const values = task.examples[i];
  return space.type === "int64" ? Int8Array.from(values) : Float32Array.from(values);
}

function hasHeat() {
  return space.type === "int64" && space.pad < 0;
}

async function choose(name) {
  scorer?.close();
  oracle = task.oracles.find((one) => one.name === name) ?? task.oracles[0];
  $("pg-oracle").value = oracle.name;
  $("pg-trust").textContent = trust();
  scores(null);
  loading(true, 0);
  scorer = new Scorer(space, (got) => loading(true, got / oracle.bytes));
  const mine = scorer;
  try {
    const took = await scorer.open(new URL(oracle.file, DATA).href);
    if (mine !== scorer) return;
    $("pg").dataset.open = Math.round(took.open);
    loading(false);
    await rate();
    await nearestData();
  } catch (error) {
    if (mine === scorer) failed(error);
  }
}

function trust() {
  if (oracle.exact) return "This oracle is exact: what it says is the objective itself.";
  const rank = oracle.spearman === null ? "" : ` Its rank correlation with designs that it did not see is ${figure(oracle.spearman, 2)}${oracle.spearman < 0.3 ? ": next to nothing" : ""}.`;
  const real = { mujoco: "The benchmark simulates the robot, which this page cannot.", training: "The benchmark trains the network, which this page cannot.", table: "The exact table is the other choice above." };
  return `This is a forest, a model of the data, and can be wrong, most of all far from them.${rank} ${real[task.defines] ?? "It is what the benchmark scores with: nobody can measure a new design here."}`;
}

function climbNote() {
  const model = task.oracles[0].exact ? "" : ` What is climbed here is a model: watch it promise what nobody has measured. That is the trap that the field is about.`;
  return `Try changes at random, and keep those that score higher. This asks the oracle thousands of times, which is what an offline method may not do: it has the visible data alone.${model}`;
}

// ----------------------------------------------------------------------------------------- designs

function typed(text) {
  try {
    changed(space.read(text), true);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    problem(error.message);
  }
}

function changed(next, fromField = false) {
  climbing = false;
  try {
    if (space.check) space.check(Array.from(next));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return problem(error.message);
  }
  problem("");
  if (design) past.push(design);
  design = next;
  editor.show(design);
  if (!fromField) say("");
  rate();
}

function problem(text) {
  $("pg-problem").textContent = text;
  const field = $("pg-text");
  field?.setAttribute("aria-invalid", String(Boolean(text)));
  if (text) {
    shown++;
    scores(null);
  }
}

// ------------------------------------------------------------------------------------------ scores

async function rate() {
  remember();
  const turn = ++shown;
  const mine = design;
  let found;
  try {
    found = await scorer.score([mine]);
  } catch (error) {
    return turn === shown && failed(error);
  }
  if (turn !== shown) return;
  scores(found.y[0], found.spread?.[0]);
  nearest();
  if (hasHeat()) await warm(turn, mine);
}

function scaled(y) {
  return (y - task.y.y_min) / (task.y.y_max - task.y.y_min);
}

function scores(y, spread) {
  const there = y !== null && Number.isFinite(y);
  score = there ? scaled(y) : NaN;
  const unit = task.objective.unit ? ` ${task.objective.unit}` : "";
  $("pg-score").textContent = there ? figure(score) : y === null ? "…" : "no score";
  $("pg-small").textContent = there ? figure(score) : "";
  $("pg-score").dataset.y = there ? y : "";
  $("pg-raw").textContent = there ? `${task.objective.name} ${figure(y)}${unit}${spread ? `, trees differ by ${figure(spread)}` : ""}` : "";
  $("pg-rank").textContent = there ? rank(y) : "";
  if (!there) $("pg-nearest").textContent = "";
  histogram($("pg-histogram"), task, score);
}

function rank(y) {
  const best = scaled(task.y.best_visible);
  const beats = score > best ? `better than D(best), ${figure(best)}, the best that methods see` : `not better than D(best), ${figure(best)}, the best that methods see`;
  if (!task.quantiles) return `It is ${beats}.`;
  const below = task.quantiles.filter((one) => one < y).length / task.quantiles.length;
  const share = below >= 1 ? "all" : `${figure(100 * below, 1)} %`;
  return `Above ${share} of the ${task.rows.all.toLocaleString("en")} designs of the full data; ${beats}.`;
}

async function nearestData() {
  if (!task.known || known) return nearest();
  const mine = task;
  const answer = await fetch(new URL(task.known.file, DATA));
  const raw = await answer.arrayBuffer();
  if (mine !== task) return;
  known = space.type === "int64" ? new Int8Array(raw) : new Float32Array(raw);
  nearest();
}

function nearest() {
  const place = $("pg-nearest");
  if (!Number.isFinite(score)) return;
  if (!task.known) return (place.textContent = `How near the nearest visible design is cannot be told here: ${task.why_not_known}.`);
  if (!known) return (place.textContent = "");
  let [best, row] = [Infinity, -1];
  for (let i = 0; i < task.known.rows; i++) {
    const apart = space.distance(design, known, i);
    if (apart < best) [best, row] = [apart, i];
  }
  const other = known.slice(row * space.dim, (row + 1) * space.dim);
  if (best === 0) return (place.textContent = "This design is one of the visible ones.");
  const differing = space.differs(design, other);
  place.replaceChildren(`The nearest visible design is ${figure(best, space.type === "int64" ? 0 : 2)} away (${space.metric}): `);
  if (space.type === "int64" && space.dim <= 64) {
    const code = document.createElement("code");
    other.forEach((token, i) => {
      if (token === space.pad) return;
      const letter = document.createElement(differing[i] ? "mark" : "span");
      letter.textContent = space.alphabet[token];
      code.append(letter);
    });
    place.append(code, ".");
  } else {
    const names = space.names.filter((_, i) => differing[i]);
    place.append(`it differs in ${names.length} of ${space.dim} values.`);
  }
}

async function warm(turn, mine) {
  const changes = [];
  for (let i = 0; i < space.length; i++)
    for (let token = 0; token < space.alphabet.length; token++) {
      const next = Int8Array.from(mine);
      next[i] = token;
      changes.push(next);
    }
  const { y } = await scorer.score(changes);
  if (turn !== shown) return;
  const k = space.alphabet.length;
  const rows = Array.from({ length: space.length }, (_, i) => Array.from(y.slice(i * k, (i + 1) * k), scaled));
  heat($("pg-heat"), space, mine, rows, score, (i, token) => {
    const next = Int8Array.from(design);
    next[i] = token;
    changed(next);
  });
}

function failed(error) {
  loading(false);
  scores(null);
  problem(`The oracle could not score: ${error.message}`);
}

function loading(on, share = 0) {
  $("pg-loading").hidden = !on;
  $("pg-progress").value = Math.min(1, share);
  $("pg-loading-text").textContent = share < 1 ? `loading the oracle, ${(oracle.bytes / 1e6).toFixed(1)} MB` : "opening the oracle";
}

// ------------------------------------------------------------------------------------------- climb

async function climb() {
  if (climbing) return (climbing = false);
  if (!Number.isFinite(score)) return;
  climbing = true;
  $("pg-climb").textContent = "Stop";
  past.push(design);
  const turn = ++shown;
  const points = [[1, score]];
  let [best, y] = [design, Number($("pg-score").dataset.y)];
  for (let step = 1; climbing && step <= STEPS; step++) {
    const tries = Array.from({ length: BATCH }, () => space.mutate(best, Math.random)).filter(legal);
    if (!tries.length) continue;
    const found = await scorer.score(tries).catch(() => null);
    if (!found || turn !== shown) break;
    const first = found.y.reduce((a, value, i) => (value > found.y[a] ? i : a), 0);
    if (found.y[first] > y) {
      [best, y] = [tries[first], found.y[first]];
      design = best;
      editor.show(design);
      scores(y);
    }
    points.push([1 + step * BATCH, scaled(y)]);
    curve($("pg-curve"), points, scaled(task.y.best_visible));
    await new Promise(requestAnimationFrame);
  }
  climbing = false;
  $("pg-climb").textContent = "Climb";
  $("pg-climbed").textContent = `From ${figure(points[0][1])} to ${figure(points.at(-1)[1])} with ${points.at(-1)[0].toLocaleString("en")} designs scored.`;
  if (turn === shown) await rate();
}

function legal(one) {
  try {
    if (space.check) space.check(Array.from(one));
    return true;
  } catch {
    return false;
  }
}

// ------------------------------------------------------------------------------------------ actions

function remember() {
  const asked = new URLSearchParams({ task: task.name });
  if (oracle && oracle !== task.oracles[0]) asked.set("oracle", oracle.name);
  const text = space.write(design);
  if (text.length <= ADDRESS) asked.set("x", text);
  history.replaceState(null, "", `?${asked}`);
}

function say(text) {
  $("pg-said").textContent = text;
}

const ACTIONS = {
  mutate: () => changed(space.mutate(design, Math.random)),
  random: () => changed(space.sample(Math.random)),
  example: () => changed(example(Math.floor(Math.random() * task.examples.length))),
  best: () => changed(example(0)),
  undo() {
    if (!past.length) return say("There is nothing to undo.");
    climbing = false;
    design = past.pop();
    problem("");
    editor.show(design);
    rate();
  },
  async link() {
    if (space.write(design).length > ADDRESS) return say("This design is too long for an address; download it.");
    remember();
    try {
      await navigator.clipboard.writeText(location.href);
      say("The address of this design was copied.");
    } catch {
      say("The address above is the link to this design.");
    }
  },
  download() {
    const table = space.type === "int64" ? `${space.write(design)}\n` : `${space.names.join(",")}\n${Array.from(design).join(",")}\n`;
    const type = space.type === "int64" ? "txt" : "csv";
    const made = link(URL.createObjectURL(new Blob([table], { type: "text/plain" })), "");
    made.download = `${task.name}.${type}`;
    made.click();
    URL.revokeObjectURL(made.href);
    say(`Score it with  mbo score ${task.name} ${made.download}`);
  },
};

for (const button of document.querySelectorAll("#pg [data-do]"))
  button.addEventListener("click", () => design && ACTIONS[button.dataset.do]());
$("pg-climb").addEventListener("click", climb);
$("pg-task").addEventListener("change", (event) => open(event.target.value));
$("pg-oracle").addEventListener("change", (event) => choose(event.target.value));
$("pg").hidden = false;
const asked = Object.fromEntries(new URLSearchParams(location.search));
const names = [...$("pg-task").options].map((option) => option.value);
open(names.includes(asked.task) ? asked.task : names[0], asked);
