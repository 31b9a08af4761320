// The leaderboard: every view is computed by Python and lies in <preset>.json; here it is chosen,
// sorted and drawn. The address names the view, so that each is a permanent link.
import { Plots } from "./plots.js";

const place = document.querySelector("#lb");
const form = place.querySelector(".lb-form");
const status = place.querySelector(".lb-status");
const scroll = place.querySelector(".lb-scroll");
const under = place.querySelector(".lb-beneath");
const FIRST = place.dataset.first;
const files = new Map(); // preset → its numbers
const DEFAULTS = { preset: FIRST, measure: "best", tasks: "all", controls: "on", verified: "off", sort: "", dir: "" };
let view = { ...DEFAULTS };
let data;
const plots = new Plots(document.querySelectorAll(".lb-plot"));

// ------------------------------------------------------------------------------------------- text
const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };
const escape = (text) => String(text).replace(/[&<>"']/g, (c) => ESCAPES[c]);

/** Write a number as Python does: what lies in the middle goes to the even digit. */
function fixed(value, digits) {
  const halves = Math.abs(value) * 2 ** (digits + 1);
  if (halves % 2 !== 1) return value.toFixed(digits);
  const scaled = Math.abs(value) * 10 ** digits;
  const even = Math.floor(scaled) + (Math.floor(scaled) % 2);
  return (value < 0 ? "-" : "") + (even / 10 ** digits).toFixed(digits);
}
const percent = (value) => `${fixed(100 * value, 0)}%`;
const distance = (value) => (value >= 100 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3))));

// ------------------------------------------------------------------------------------ the address
function read(address) {
  const asked = new URLSearchParams(address);
  const found = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS)) if (asked.has(name)) found[name] = asked.get(name);
  return found;
}

function written(state) {
  const asked = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) if (value !== DEFAULTS[name]) asked.set(name, value);
  const text = asked.toString().replaceAll("%2C", ",");
  return location.pathname + (text ? `?${text}` : "");
}

async function choose(changes, keepHash = false) {
  const next = { ...view, ...changes };
  if (written(next) !== written(view)) history.pushState(null, "", written(next) + (keepHash ? location.hash : ""));
  await show(next);
}

// ------------------------------------------------------------------------------------- what to show
/** The tasks of a view: of a group, or those that are named. */
function chosen() {
  const group = data.groups.find((one) => one.name === view.tasks);
  const wanted = group ? group.tasks : view.tasks.split(",");
  const found = data.tasks.filter((task) => wanted.includes(task.name));
  return found.length ? found : data.tasks;
}

/** The group that has exactly these tasks: only over it there are aggregates. */
function groupOf(tasks) {
  const names = tasks.map((task) => task.name).join();
  return data.groups.find((one) => one.tasks.join() === names && tasks.length > 1);
}

function rowsOf(tasks, group) {
  const cells = data.cells[view.measure];
  const has = (method) => tasks.some((task) => cells[task.name][method]);
  let rows;
  if (group) {
    rows = group.rows[view.measure];
  } else {
    const first = (method) => cells[tasks[0].name][method]?.[0] ?? -Infinity;
    rows = Object.keys(data.entrants).filter(has).map((method) => ({ method, rank: null, iqm: null, over: {} }));
    rows.sort((a, b) => first(b.method) - first(a.method) || 0);
  }
  if (view.controls === "off") rows = rows.filter((row) => !data.controls.includes(row.method));
  if (view.verified === "on") {
    rows = rows.filter((row) => tasks.every((task) => data.stands[task.name][row.method] === "again"));
  }
  return rows;
}

const cell = (task, method) => data.cells[view.measure][task.name][method];
const design = (task, method) => data.designs[task.name][method];

/** The columns of a view: how each is called, sorted and written. */
function columns(tasks, group) {
  const help = data.help;
  const made = [{ key: "method", text: "Method", help: help.method, value: (row) => row.method, write: methodCell }];
  if (tasks.length === 1) return [...made, ...ofTask(tasks[0])];
  if (group) {
    const count = group.rows[view.measure].filter((row) => row.rank).length;
    made.push(
      aggregate("rank", "Mean rank", help.rank, (row) => row.rank, [1, Math.max(count, 2)]),
      aggregate("iqm", "IQM", help.iqm, (row) => row.iqm, group.iqm[view.measure], 0),
      ...data.opponents.map((name) =>
        aggregate(`over-${name}`, `P(> ${name})`, help.over, (row) => row.over[name], [0, 1], 0.5)),
    );
  }
  for (const task of tasks) {
    made.push({
      key: task.name, text: task.title, help: help.task, value: (row) => cell(task, row.method)?.[0],
      write: (row) => score(task, row.method), d_best: task.d_best.toFixed(3), ceiling: ceiling(task),
    });
  }
  return made;
}

const aggregate = (key, text, help, three, scale, mark) => ({
  key, text, help, up: key === "rank", value: (row) => three(row)?.[0],
  write: (row) => estimate(three(row), 2, scale, mark),
});

const ceiling = (task) => (task.ceiling_known ? "" : "≥ ") + task.ceiling.toFixed(3);

function ofTask(task) {
  const plain = (key, text, help, value, write, up = false) => ({
    key, text, help, up, value: (row) => value(row.method),
    write: (row) => {
      const found = value(row.method);
      return found === null || found === undefined ? "<td>–</td>" : `<td data-v="${found}">${write(found)}</td>`;
    },
  });
  const of = (name) => (method) => design(task, method)?.[name];
  const sources = Object.fromEntries(["paper", "rerun"].map((which) =>
    [which, (data.literature[view.measure] ?? []).filter((one) => one.task === task.name && one[which])]));
  const made = [
    {
      key: task.name, text: data.measures[view.measure], help: data.help.task, value: (row) => cell(task, row.method)?.[0],
      write: (row) => score(task, row.method), d_best: task.d_best.toFixed(3), ceiling: ceiling(task), wide: true,
    },
    plain("sd", "sd", "Standard deviation over seeds, n − 1 in the denominator.", (m) => cell(task, m)?.[3], (v) => fixed(v, 3), true),
    plain("seeds", "Seeds", "How many runs the mean is over.", (m) => cell(task, m)?.[5].length, String),
    plain("above", "Above D(best)", "Share of submitted designs that beat the best visible one.", of("above"), percent),
    plain("visible", "Visible", "Share of submitted designs that equal a visible one.", of("visible"), percent, true),
    plain("novelty", "Novelty", "Mean distance from a design to the nearest visible one.", of("novelty"), distance),
    plain("gap", "Exploit gap", "Mean of predicted − true score: what a method promises and does not keep.", of("gap"), (v) => fixed(v, 2), true),
    plain("seconds", "CPU s", "Seconds of one core for a run of the method, median over seeds.", of("seconds"), (v) => Math.round(v).toLocaleString("en"), true),
  ];
  for (const [which, found] of Object.entries(sources)) {
    if (!found.length) continue;
    const value = (method) => found.find((one) => one.method === method);
    made.push({
      key: which, text: which === "paper" ? "Published" : "Published again",
      help: `${found[0][which][2]}; ≠: further from ours than both standard deviations together.`,
      value: (row) => value(row.method)?.[which][0],
      write: (row) => {
        const one = value(row.method);
        if (!one) return "<td>–</td>";
        const [mean, spread] = one[which];
        const mark = one.differs.includes(which) ? " ≠" : "";
        return `<td data-v="${mean}">${fixed(mean, 3)}${spread === null ? "" : ` ± ${fixed(spread, 3)}`}${mark}</td>`;
      },
      d_best: value("D(best)") ? fixed(value("D(best)")[which][0], 3) : "",
    });
  }
  const words = { again: "✓ scored again", here: "designs here", elsewhere: "sha256 only" };
  made.push(plain("stands", "Checked", "Whether the designs were scored again when this page was built.",
    (m) => data.stands[task.name][m], (v) => `<span title="${escape(data.standing[v])}">${words[v]}</span>`, true));
  return made;
}

// ---------------------------------------------------------------------------- cells, as leaderboard.py
function methodCell(row) {
  const control = data.controls.includes(row.method) ? '<span class="lb-control">control</span>' : "";
  return `<th scope="row"><a href="../methods/${row.method}.html" title="${escape(data.entrants[row.method] ?? row.method)}">${row.method}</a>${control}</th>`;
}

function score(task, method) {
  const found = cell(task, method);
  if (!found) {
    const why = data.apart.find((one) => one.task === task.name && one.method === method)?.reasons ?? "";
    return `<td class="lb-apart" title="${escape(why)}">apart</td>`;
  }
  const again = data.stands[task.name][method] === "again";
  return estimate(found, 3, data.scale[view.measure][task.name], task.d_best, found[4] === 1, again);
}

function estimate(three, digits, scale, mark, best = false, again = false) {
  if (!three) return "<td>–</td>";
  const [value, low, high] = three;
  let told = fixed(value, digits);
  if (best) told = `<strong>${told}</strong> *`;
  if (again) told += `<span class="lb-again"> ✓</span>`;
  if (low !== null) told += `<span class="lb-int">[${fixed(low, digits)}, ${fixed(high, digits)}]</span>`;
  return `<td data-v="${value}">${told}${drawn(three, scale, mark)}</td>`;
}

function drawn([value, low, high], [from, to], mark) {
  const at = (x) => Math.round(10 * Math.min(100, Math.max(0, (100 * ((x ?? value) - from)) / (to - from || 1)))) / 10;
  const tick = mark === undefined ? "" : `<i style="left:${at(mark)}%"></i>`;
  return `<span class="lb-ci" aria-hidden="true">${tick}<b style="left:${at(low)}%;width:${at(high) - at(low)}%"></b><u style="left:${at(value)}%"></u></span>`;
}

// ------------------------------------------------------------------------------------------ drawing
function sorting(made, tasks, group) {
  const found = made.find((one) => one.key === view.sort);
  if (found) return [found, view.dir || (found.up || found.key === "method" ? "asc" : "desc")];
  return group ? [made.find((one) => one.key === "rank"), "asc"] : [made.find((one) => one.key === tasks[0].name), "desc"];
}

function sorted(rows, column, dir) {
  const sign = dir === "asc" ? 1 : -1;
  const missing = (value) => value === undefined || value === null;
  return [...rows].sort((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y);
    return sign * (typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y);
  });
}

function draw() {
  const tasks = chosen();
  const group = groupOf(tasks);
  const made = columns(tasks, group);
  const [by, dir] = sorting(made, tasks, group);
  let rows = rowsOf(tasks, group);
  if (view.sort) rows = sorted(rows, by, dir);
  const focused = document.activeElement?.closest?.("th")?.dataset.key;
  const budgets = [...new Set(tasks.map((task) => task.budget))].sort((a, b) => a - b).join(" or ");
  const label = data.measures[view.measure];
  const where = tasks.length === 1 ? tasks[0].title : `${tasks.length} tasks`;
  const head = made.map((one) => {
    const sort = one === by ? ` aria-sort="${dir === "asc" ? "ascending" : "descending"}"` : "";
    return `<th scope="col" data-key="${one.key}"${sort} title="${escape(one.help)}"><button type="button">${escape(one.text)}</button></th>`;
  });
  const body = rows.map((row) => `<tr data-method="${row.method}">${made.map((one) => one.write(row)).join("")}</tr>`);
  const foot = ["d_best", "ceiling"].map((name) =>
    `<tr><th scope="row">${name === "d_best" ? "D(best)" : name}</th>${made.slice(1).map((one) => `<td>${one[name] ?? ""}</td>`).join("")}</tr>`);
  scroll.innerHTML =
    `<table class="lb-table${tasks.length === 1 ? " lb-one" : ""}"><caption>${label[0].toUpperCase()}${label.slice(1)} of ${budgets} designs on ${escape(where)}</caption>` +
    `<thead><tr>${head.join("")}</tr></thead><tbody>${body.join("")}</tbody><tfoot>${foot.join("")}</tfoot></table>`;
  for (const button of scroll.querySelectorAll("thead button")) button.addEventListener("click", () => sortBy(button.closest("th")));
  if (focused) scroll.querySelector(`th[data-key="${focused}"] button`)?.focus();
  under.innerHTML = beneath(tasks, group);
  say(rows, tasks, group);
  plots.show({ data, tasks, rows: rows.map((row) => row.method), measure: view.measure });
}

function sortBy(th) {
  const now = th.getAttribute("aria-sort");
  const first = ["method", "rank", "sd", "visible", "gap", "seconds", "stands"].includes(th.dataset.key) ? "asc" : "desc";
  const dir = now === "ascending" ? "desc" : now === "descending" ? "asc" : first;
  choose({ sort: th.dataset.key, dir });
}

function say(rows, tasks, group) {
  status.textContent = "";
  if (!rows.length && view.verified === "on") {
    const again = data.tasks.filter((task) => Object.values(data.stands[task.name]).includes("again")).map((task) => task.name);
    status.append("No method has all of these tasks scored again: that takes too long for robots and networks while a site is built. ");
    if (again.length) status.append(button(`Show ${again.join(", ")}`, () => choose({ tasks: again.join() })));
  } else if (tasks.length > 1 && !group) {
    status.append(`No aggregates over just these tasks; mbo table mbo/results ${tasks.map((task) => `--task ${task.name}`).join(" ")} makes them.`);
  }
}

function button(text, press) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  made.addEventListener("click", press);
  return made;
}

function beneath(tasks, group) {
  const names = tasks.map((task) => task.name);
  const told = new Map();
  for (const one of data.apart.filter((entry) => names.includes(entry.task))) {
    const key = JSON.stringify([one.method, one.reasons]);
    const seeds = one.scored ? ` (${one.scored} of ${one.of} seeds)` : "";
    told.set(key, [...(told.get(key) ?? []), one.task + seeds]);
  }
  const apart = [...told].map(([key, where]) => {
    const [who, why] = JSON.parse(key);
    return `${who} on ${where.join(", ")}: ${why}`;
  });
  const kept = group ? [group] : tasks;
  const cautions = [...new Set(kept.flatMap((one) => one.cautions[view.measure]))].map((i) => data.sentences[i]);
  return [["Not ranked", apart], ["Keep in mind", cautions]]
    .filter(([, sentences]) => sentences.length)
    .map(([title, sentences]) => `<h2>${title}</h2><ul>${sentences.map((s) => `<li>${escape(s)}</li>`).join("")}</ul>`)
    .join("");
}

// ------------------------------------------------------------------------------------- the controls
const option = (value, text, now) => `<option value="${escape(value)}"${value === now ? " selected" : ""}>${escape(text)}</option>`;

function controls() {
  const tasks = chosen();
  const names = tasks.map((task) => task.name);
  const group = groupOf(tasks);
  const now = group ? group.name : names.length === 1 ? names[0] : "some";
  const k = view.measure.startsWith("best-of-") ? view.measure.slice(8) : "";
  const kinds = Object.keys(data.measures).filter((name) => name.startsWith("best-of-")).map((name) => name.slice(8));
  const focused = document.activeElement?.name;
  const value = document.activeElement?.value;
  const open = form.querySelector("details")?.open;
  form.innerHTML = `
<label>Tasks <select name="tasks">${data.groups.map((one) => option(one.name, one.title, now)).join("")}
<optgroup label="One task">${data.tasks.map((task) => option(task.name, task.title, now)).join("")}</optgroup>
${now === "some" ? option("some", `${names.length} chosen tasks`, now) : ""}</select></label>
<label>Measure <select name="metric">${option("best", "100th percentile", k ? "best-of" : view.measure)}${option("median", "50th percentile", view.measure)}${option("best-of", "best of k", k ? "best-of" : "")}</select></label>
${k ? `<label>k <select name="k">${kinds.map((one) => option(one, one, k)).join("")}</select></label>` : ""}
<label>Preset <select name="preset">${data.presets.map((one) => option(one, one, view.preset)).join("")}</select></label>
<label class="lb-check"><input type="checkbox" name="controls"${view.controls === "on" ? " checked" : ""}> controls</label>
<label class="lb-check"><input type="checkbox" name="verified"${view.verified === "on" ? " checked" : ""}> only scored again</label>
<details${open ? " open" : ""}><summary>Choose some tasks</summary><fieldset><legend>Tasks of the table</legend>${data.tasks
    .map((task) => `<label class="lb-check"><input type="checkbox" name="task" value="${task.name}"${names.includes(task.name) ? " checked" : ""}> ${escape(task.title)}</label>`)
    .join("")}</fieldset></details>`;
  form.hidden = false;
  if (focused) {
    const again = form.querySelectorAll(`[name="${focused}"]`);
    ([...again].find((one) => one.value === value) ?? again[0])?.focus();
  }
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", ({ target }) => {
  const { name, value, checked } = target;
  if (name === "tasks") choose({ tasks: value, sort: "", dir: "" });
  if (name === "metric") choose({ measure: value === "best-of" ? "best-of-8" : value });
  if (name === "k") choose({ measure: `best-of-${value}` });
  if (name === "preset") choose({ preset: value });
  if (name === "controls") choose({ controls: checked ? "on" : "off" });
  if (name === "verified") choose({ verified: checked ? "on" : "off" });
  if (name === "task") {
    const names = [...form.querySelectorAll('[name="task"]:checked')].map((one) => one.value);
    if (!names.length) { controls(); return; }
    const group = data.groups.find((one) => one.tasks.join() === names.join());
    choose({ tasks: group ? group.name : names.join(), sort: "", dir: "" });
  }
});

async function load(preset) {
  if (!files.has(preset)) {
    const answer = await fetch(new URL(`${preset}.json`, location.href));
    if (!answer.ok) throw new Error(`${preset}.json: ${answer.status}`);
    files.set(preset, await answer.json());
  }
  return files.get(preset);
}

let asked = 0; // the newest view that was asked for; one that comes late is not shown
async function show(next) {
  const mine = ++asked;
  const known = await load(/^[\w.-]+$/.test(next.preset) ? next.preset : FIRST).catch(() => null);
  const found = known ?? (await load(FIRST));
  if (mine !== asked) return;
  view = { ...next, preset: found.preset };
  data = found;
  if (!data.measures[view.measure]) view.measure = "best";
  controls();
  draw();
  place.dataset.shown = written(view);
}

addEventListener("popstate", () => show(read(location.search)));
show(read(location.search)).catch((error) => {
  form.remove(); // its place, too
  status.textContent = `The other views could not be loaded (${error.message}); this is the default one.`;
});
