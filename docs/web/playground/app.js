// The playground: a design, its score, and what can be done with it. The address holds the design.
import { climb } from "./climb.js";
import { EDITORS } from "./editors.js";
import { heat } from "./heat.js";
import { tell, Visible } from "./nearest.js";
import { curve, element, figure, histogram } from "./pictures.js";
import { Scorer } from "./scorer.js";
import { Refused, spaceOf } from "./space.js";

const $ = (id) => document.getElementById(id);
const DATA = new URL("../../playground/", import.meta.url);
const ADDRESS = 1500; // letters of a design that an address may hold
const UNDO = 200; // designs that are remembered
const GESTURE = 800; // ms within which changes by one field are undone together
const PAUSE = 300; // ms before the address follows: browsers refuse many changes in a row

let task, space, scorer, editor, oracle;
let design = null; // the one that is shown, legal; null while a task is on its way
let past = []; // those before it
let score = NaN;
let refused = false; // the field holds no legal design, so there is no score either
let visit = 0; // counts tasks and oracles that were asked for, so that late answers are dropped
let turn = 0; // the same of scores
let climbing = null; // the climb that goes on; it ends where this is another
let last = { by: null, at: 0 }; // what changed the design, and when
let known = null; // visible designs, once they are here

// ------------------------------------------------------------------------------------------- tasks

async function open(name, asked = {}) {
  leave();
  design = null;
  $("pg-task").value = name;
  const mine = visit;
  let found;
  try {
    found = await (await file(`data/${name}.json`)).json();
  } catch (error) {
    return mine === visit && failed(`This task could not be loaded: ${error.message}`);
  }
  if (mine !== visit) return;
  task = found;
  space = spaceOf(task);
  known = null;
  past = [];
  $("pg-summary").replaceChildren(`${task.summary} `, element("a", { href: `../tasks/${name}.html` }, "About this task"));
  $("pg-oracle").replaceChildren(...task.oracles.map((one) => new Option(named(one), one.name)));
  const place = $("pg-editor");
  place.replaceChildren();
  editor = EDITORS[task.layout](place, task, space, { typed, changed });
  for (const id of ["pg-heat", "pg-curve", "pg-climbed", "pg-nearest", "pg-said"]) $(id).replaceChildren();
  $("pg-nearest").classList.toggle("pg-list", Boolean(task.known) && space.type !== "int64");
  $("pg-heat-section").hidden = !hasHeat();
  if (hasHeat()) $("pg-heat").style.setProperty("--rows", space.alphabet.length);
  const visible = Boolean(task.histogram); // else examples are not visible designs
  document.querySelector("#pg [data-do=best]").hidden = !visible;
  document.querySelector("#pg [data-do=example]").textContent = visible ? "A visible one" : "An example";
  design = start(asked.x);
  histogram($("pg-histogram"), task, NaN);
  editor.show(design);
  $("pg").hidden = false;
  await choose(asked.oracle);
}

/** Stop what goes on for the task or the oracle that is left. */
function leave() {
  climbing = null;
  scorer?.close();
  scorer = null;
  visit++;
  turn++;
}

async function file(path) {
  const answer = await fetch(new URL(path, DATA));
  if (!answer.ok) throw new Error(`${path} is not there (${answer.status})`);
  return answer;
}

function named(one) {
  return one.exact ? `${one.name} (exact)` : `${one.name} (a model)`;
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
  leave();
  const mine = visit;
  oracle = task.oracles.find((one) => one.name === name) ?? task.oracles[0];
  $("pg-oracle").value = oracle.name;
  $("pg-trust").textContent = trust();
  $("pg-climb-note").textContent = climbNote();
  scores(null);
  loading(true, 0);
  scorer = new Scorer(space, (got) => mine === visit && loading(true, got / (oracle.bytes + task.runtime)));
  try {
    const took = await scorer.open(new URL(oracle.file, DATA).href);
    if (mine !== visit) return;
    $("pg").dataset.open = Math.round(took.open);
    loading(false);
    if (!refused) await rate();
  } catch (error) {
    return mine === visit && failed(`The oracle could not be loaded: ${error.message}`);
  }
  await visibleData();
}

function trust() {
  if (oracle.exact) return "This oracle is exact: what it says is the objective itself.";
  const rank = oracle.spearman === null ? "" : ` Its rank correlation with designs that it did not see is ${figure(oracle.spearman, 2)}${oracle.spearman < 0.3 ? ": next to nothing" : ""}.`;
  const real = { mujoco: "The benchmark simulates the robot, which this page cannot.", training: "The benchmark trains the network, which this page cannot.", table: "The exact table is the other choice above." };
  return `This is a forest, a model of the data, and can be wrong, most of all far from them.${rank} ${real[task.defines] ?? "It is what the benchmark scores with: nobody can measure a new design here."}`;
}

function climbNote() {
  const model = oracle.exact ? "" : ` What is climbed here is a model: watch it promise what nobody has measured. That is the trap that the field is about.`;
  return `Try changes at random, and keep those that score higher. This asks the oracle thousands of times, which is what an offline method may not do: it has the visible data alone.${model}`;
}

// ----------------------------------------------------------------------------------------- designs

function typed(text) {
  if (!design) return;
  let next;
  try {
    next = space.read(text);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return problem(error.message);
  }
  changed(next, "text");
}

/** Take another design; `by` names the field that it comes from. */
function changed(next, by = null) {
  if (!design) return; // another task is on its way
  climbing = null;
  try {
    if (space.check) space.check(Array.from(next));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return problem(error.message);
  }
  problem("");
  keep(by);
  design = next;
  editor.show(design);
  if (by === null) say("");
  rate();
}

/** Remember the design that is left, once for all that a field does in a row. */
function keep(by) {
  const now = performance.now();
  if (by === null || by !== last.by || now - last.at > GESTURE) past = [...past.slice(1 - UNDO), design];
  last = { by, at: now };
}

function problem(text) {
  refused = Boolean(text);
  $("pg-problem").textContent = text;
  $("pg-text")?.setAttribute("aria-invalid", String(refused));
  if (refused) {
    climbing = null;
    turn++;
    scores(null);
  }
}

// ------------------------------------------------------------------------------------------ scores

async function rate() {
  remember();
  const mine = ++turn;
  const asked = design;
  let found;
  try {
    found = await scorer.score([asked]);
    if (mine !== turn) return;
    scores(found.y[0], found.spread?.[0]);
    nearest();
    if (hasHeat()) await warm(mine, asked);
  } catch (error) {
    if (mine === turn) failed(`The oracle could not score: ${error.message}`);
  }
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
  if (!there) {
    $("pg-nearest").textContent = "";
    $("pg-heat").inert = true; // it is of another design
  }
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

/** Fetch the visible designs, after the first score. */
async function visibleData() {
  const mine = task;
  if (!task.known || known) return nearest();
  try {
    const raw = await (await file(task.known.file)).arrayBuffer();
    if (mine !== task) return;
    known = new Visible(space, task.known.rows, raw);
  } catch (error) {
    if (mine === task) $("pg-nearest").textContent = `The visible designs could not be loaded: ${error.message}`;
    return;
  }
  nearest();
}

function nearest() {
  if (!Number.isFinite(score)) return;
  const place = $("pg-nearest");
  if (!task.known) place.textContent = `How near the nearest visible design is cannot be told here: ${task.why_not_known}.`;
  else if (known) tell(place, space, design, known.nearest(design), scaled);
}

async function warm(mine, asked) {
  const changes = [];
  for (let i = 0; i < space.length; i++)
    for (let token = 0; token < space.alphabet.length; token++) {
      const next = Int8Array.from(asked);
      next[i] = token;
      changes.push(next);
    }
  const { y } = await scorer.score(changes);
  if (mine !== turn) return;
  const k = space.alphabet.length;
  const rows = Array.from({ length: space.length }, (_, i) => Array.from(y.slice(i * k, (i + 1) * k), scaled));
  heat($("pg-heat"), space, asked, rows, score, (i, token) => {
    const next = Int8Array.from(design);
    next[i] = token;
    changed(next);
  });
  $("pg-heat").inert = false;
}

function failed(text) {
  $("pg").hidden = false;
  loading(false);
  if (task) scores(null);
  $("pg-problem").textContent = text; // the field is not to blame
}

function loading(on, share = 0) {
  $("pg-loading").hidden = !on;
  if (!on) return;
  const here = share === Infinity;
  if (here) $("pg-progress").removeAttribute("value"); // nobody knows how long it takes
  else $("pg-progress").value = Math.min(1, share);
  const mb = (bytes) => (bytes / 1e6).toFixed(1);
  $("pg-loading-text").textContent = here ? "opening the oracle" : `loading the oracle, ${mb(oracle.bytes)} MB, and what runs it, ${mb(task.runtime)} MB`;
}

// ------------------------------------------------------------------------------------------- climb

async function climbOn() {
  if (climbing) return (climbing = null);
  if (!Number.isFinite(score)) return ($("pg-climbed").textContent = "There is no score to climb from.");
  const mine = (climbing = {});
  const place = visit;
  $("pg-climb").textContent = "Stop";
  $("pg-live").ariaBusy = "true"; // a screen reader is told the end, not every step
  $("pg-climbed").textContent = "";
  keep(null);
  turn++;
  $("pg-heat").inert = true;
  $("pg-nearest").textContent = "";
  const points = [[1, score]];
  const ask = async (designs) => (await scorer.score(designs)).y;
  try {
    for await (const step of climb(space, ask, design, Number($("pg-score").dataset.y))) {
      if (climbing !== mine) break;
      if (step.better) {
        design = step.design;
        editor.show(design);
        scores(step.y);
      }
      points.push([step.tried, scaled(step.y)]);
      curve($("pg-curve"), points, scaled(task.y.best_visible));
      await new Promise(requestAnimationFrame);
    }
  } catch (error) {
    if (place === visit) failed(`The oracle could not score: ${error.message}`);
  }
  if (!climbing || climbing === mine) {
    $("pg-climb").textContent = "Climb";
    $("pg-live").ariaBusy = "false";
  }
  if (climbing === mine) climbing = null;
  if (place !== visit || climbing) return; // the picture of another climb stands there
  $("pg-climbed").textContent = `From ${figure(points[0][1])} to ${figure(points.at(-1)[1])} with ${points.at(-1)[0].toLocaleString("en")} designs scored.`;
  if (Number.isFinite(score)) await rate();
}

// ------------------------------------------------------------------------------------------ actions

let writing;

/** Let the address follow, once there is a pause. */
function remember() {
  clearTimeout(writing);
  writing = setTimeout(() => design && history.replaceState(null, "", address()), PAUSE);
}

function address() {
  const asked = new URLSearchParams({ task: task.name });
  if (oracle !== task.oracles[0]) asked.set("oracle", oracle.name);
  const text = space.write(design);
  if (text.length <= ADDRESS) asked.set("x", text);
  return `?${asked}`;
}

async function copied(text, done, otherwise) {
  try {
    await navigator.clipboard.writeText(text);
    say(done);
  } catch {
    say(otherwise);
  }
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
    climbing = null;
    last = { by: null, at: 0 };
    design = past.pop();
    problem("");
    say("");
    editor.show(design);
    rate();
  },
  copy: () => copied(space.write(design), "The design was copied.", "This browser lets no page copy; take it from the field."),
  link() {
    if (space.write(design).length > ADDRESS) return say("This design is too long for an address; download it.");
    history.replaceState(null, "", address());
    return copied(location.href, "The address of this design was copied.", "The address above is the link to this design.");
  },
  download() {
    const table = space.type === "int64" ? `${space.write(design)}\n` : `${space.names.join(",")}\n${Array.from(design).join(",")}\n`;
    const type = space.type === "int64" ? "txt" : "csv";
    const href = URL.createObjectURL(new Blob([table], { type: "text/plain" }));
    const made = element("a", { href, download: `${task.name}.${type}` });
    made.click();
    URL.revokeObjectURL(href);
    say(`Score it with  mbo score ${task.name} ${made.download}`);
  },
};

for (const button of document.querySelectorAll("#pg [data-do]"))
  button.addEventListener("click", () => design && ACTIONS[button.dataset.do]());
$("pg-climb").addEventListener("click", climbOn);
$("pg-task").addEventListener("change", (event) => open(event.target.value));
$("pg-oracle").addEventListener("change", (event) => design && choose(event.target.value));
// On a phone a copy of the score is shown while the score itself is out of sight.
new IntersectionObserver(([{ isIntersecting }]) => ($("pg-small").hidden = isIntersecting)).observe($("pg-score"));
const asked = Object.fromEntries(new URLSearchParams(location.search));
const names = [...$("pg-task").options].map((option) => option.value);
open(names.includes(asked.task) ? asked.task : names[0], asked);
