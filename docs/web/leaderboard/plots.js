// The plots of `mbo plot`, drawn by Vega-Lite from the numbers of the table: a small view a task, and a
// legend of buttons. Vega is fetched when the first plot comes into sight; until then, and without it,
// there is the picture.
const VENDOR = new URL("../vendor/", import.meta.url);
const LIBRARIES = ["vega/vega.min.js", "vega-lite/vega-lite.min.js", "vega-embed/vega-embed.min.js"];
let libraries;

function fetched() {
  libraries ??= LIBRARIES.reduce((before, name) => before.then(() => new Promise((done, failed) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(name, VENDOR).href, onload: done, onerror: () => failed(new Error(name)) });
    document.head.append(script);
  })), Promise.resolve());
  return libraries;
}

export class Plots {
  constructor(figures) {
    this.figures = [...figures].map((element) => ({ element, near: false, picked: new Set(), views: [], turn: 0 }));
    this.shown = null;
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (!entry.isIntersecting) continue;
        seen.unobserve(entry.target);
        const figure = this.figures.find((one) => one.element === entry.target);
        figure.near = true;
        this.draw(figure);
      }
    }, { rootMargin: "200px" });
    for (const one of this.figures) seen.observe(one.element);
    const dark = new MutationObserver(() => this.show(this.shown));
    dark.observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
  }

  /** Draw what can be seen of a view: { data, tasks, rows, measure }. */
  show(shown) {
    this.shown = shown;
    for (const figure of this.figures) this.draw(figure);
  }

  async draw(figure) {
    if (!this.shown || !figure.near) return;
    const turn = ++figure.turn;
    const { element } = figure;
    const shown = this.shown;
    try {
      await fetched();
    } catch (error) {
      element.dataset.state = `failed: ${error.message}`;
      return; // the picture stays
    }
    if (turn !== figure.turn) return;
    const box = element.querySelector(".lb-chart");
    const panels = PLOTS[element.dataset.plot](shown);
    box.querySelector("img")?.remove();
    for (const view of figure.views) view.finalize();
    figure.views = [];
    box.replaceChildren();
    if (!panels.length) box.textContent = "There is nothing to draw for this choice.";
    const there = new Set(panels.flatMap((panel) => panel.data.values.map((row) => row.method)));
    figure.picked = new Set([...figure.picked].filter((method) => there.has(method)));
    if (panels.length) box.append(this.legend(figure, shown, shown.rows.filter((method) => there.has(method))));
    const grid = Object.assign(document.createElement("div"), { className: panels.length > 1 ? "lb-panels" : "lb-panel" });
    box.append(grid);
    for (const panel of panels) {
      const cell = document.createElement("div");
      const at = document.createElement("div");
      cell.setAttribute("role", "img");
      cell.setAttribute("aria-label", panel.description);
      at.setAttribute("aria-hidden", "true"); // its marks have no names of their own
      cell.append(at);
      grid.append(cell);
      const made = await vegaEmbed(at, finished(panel, shown), {
        actions: false, renderer: "svg", ast: true, // the policy of the site forbids eval
      });
      if (turn !== figure.turn) { made.view.finalize(); return; }
      figure.views.push(made.view);
    }
    await this.pick(figure);
    element.dataset.state = `drawn ${panels.length}`;
  }

  legend(figure, shown, methods) {
    const list = Object.assign(document.createElement("div"), { className: "lb-names" });
    list.setAttribute("role", "group");
    list.setAttribute("aria-label", "Bring methods out");
    for (const method of methods) {
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", String(figure.picked.has(method)));
      const [color, shape] = look(shown, method);
      button.innerHTML = `<svg viewBox="-8 -8 16 16" aria-hidden="true"><path d="${SHAPES[shape] ?? shape}" transform="scale(6)" fill="${color}"/></svg>`;
      button.append(method);
      button.addEventListener("click", () => {
        if (!figure.picked.delete(method)) figure.picked.add(method);
        button.setAttribute("aria-pressed", String(figure.picked.has(method)));
        this.pick(figure);
      });
      list.append(button);
    }
    return list;
  }

  pick(figure) {
    return Promise.all(figure.views.map((view) => view.signal("picked", [...figure.picked]).runAsync()));
  }
}

// ------------------------------------------------------------------------------------------- looks
const SHAPES = {
  circle: "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z", square: "M-.9,-.9H.9V.9H-.9Z", diamond: "M0,-1.1L1,0L0,1.1L-1,0Z",
  "triangle-up": "M0,-1L1,.8H-1Z", "triangle-down": "M0,1L1,-.8H-1Z", "triangle-left": "M-1,0L.8,-1V1Z",
  "triangle-right": "M1,0L-.8,-1V1Z", cross: "M-.35,-1H.35V-.35H1V.35H.35V1H-.35V.35H-1V-.35H-.35Z",
};
const isDark = () => document.body.dataset.mdColorScheme === "slate";

function look(shown, method) {
  const [color, shape, dashes] = shown.data.styles[method] ?? ["#777777", "circle", []];
  return [isDark() ? { "#000000": "#e8e8e8", "#777777": "#a8a8a8", "#0072B2": "#4aa3df" }[color] ?? color : color, shape, dashes];
}

/** Give a panel what all have in common: scales of methods, highlighting, colors of the page. */
function finished(panel, shown) {
  const methods = shown.rows;
  const css = getComputedStyle(document.body);
  const ink = css.getPropertyValue("--md-default-fg-color").trim() || "#333";
  const faint = isDark() ? "#3b4256" : "#e3e6ec";
  const looks = methods.map((method) => look(shown, method));
  const scale = (at) => ({ domain: methods, range: looks.map((one) => one[at]) });
  const common = {
    color: { field: "method", type: "nominal", legend: null, scale: scale(0) },
    shape: { field: "method", type: "nominal", legend: null, scale: scale(1) },
    strokeDash: { field: "method", type: "nominal", legend: null, scale: { domain: methods, range: looks.map((one) => (one[2].length ? one[2] : [1, 0])) } },
    opacity: { condition: { test: "!length(picked) || indexof(picked, datum.method) >= 0", value: 0.9 }, value: 0.12 },
  };
  const layer = panel.layer.map((one) => {
    const { plain, ...rest } = one;
    if (plain) return { ...rest, mark: { ...rest.mark, color: isDark() ? "#9aa3b8" : "#8a90a0" } };
    const type = rest.mark.type;
    const own = { color: common.color, opacity: common.opacity };
    if (type === "point") own.shape = common.shape;
    if (type === "line") own.strokeDash = common.strokeDash;
    return { ...rest, encoding: { ...own, ...rest.encoding } };
  });
  const axis = { labelColor: ink, titleColor: ink, gridColor: faint, domainColor: faint, tickColor: faint, labelFontSize: 11, titleFontSize: 11, titleFontWeight: "normal", labelLimit: 120, labelOverlap: "greedy" };
  const quantitative = { tickCount: 5 };
  return {
    $schema: "https://vega.github.io/schema/vega-lite/v6.json", width: "container", height: 200, autosize: { type: "fit-x", contains: "padding" },
    background: "transparent", params: [{ name: "picked", value: [] }], ...panel, layer,
    config: { axis, axisQuantitative: quantitative, view: { stroke: null }, title: { color: ink, anchor: "start", fontSize: 12 }, font: css.fontFamily, point: { size: 60, filled: true }, style: { cell: { stroke: null } } },
  };
}

// ------------------------------------------------------------------------------------------- plots
const x = (field, title, more = {}) => ({ x: { field, type: "quantitative", title, scale: { zero: false, nice: true }, ...more } });
const y = (field, title, more = {}) => ({ y: { field, type: "quantitative", title, scale: { zero: false, nice: true }, ...more } });
const told = (...fields) => ({ tooltip: fields.map(([field, title, format = ".3f"]) => (format ? { field, title, type: "quantitative", format } : { field, title, type: "nominal" })) });
const METHOD = ["method", "method", ""];
const across = (task) => ({ plain: true, mark: { type: "rule" }, encoding: { y: { datum: task.d_best } } });
const upright = (place) => ({ plain: true, mark: { type: "rule" }, encoding: { x: { datum: place } } });
const point = (encoding) => ({ mark: { type: "point", filled: true, size: 70 }, encoding });
const panel = (task, values, layer, more = {}) => ({ title: task.title, description: `${task.title}: ${values.length} values`, data: { values }, layer, ...more });
const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

function byTask({ tasks }, make) {
  return tasks.map(make).filter((made) => made && made.data.values.length);
}

function scatter(shown, values, layers, encoding) {
  return byTask(shown, (task) => panel(task, values(task), [...layers(task), point(encoding)]));
}

function strips(shown, title, values, lines, fields) {
  return byTask(shown, (task) => {
    const found = shown.rows.map((method) => [method, values(task, method).filter((one) => one.value !== null)]).filter(([, some]) => some.length);
    found.sort((a, b) => mean(b[1].map((one) => one.value)) - mean(a[1].map((one) => one.value)));
    const order = found.map(([method]) => method);
    const rows = found.flatMap(([method, some]) => some.map((one) => ({ method, ...one })));
    const largest = Math.max(...rows.map((row) => Math.abs(row.value)));
    const scale = title.startsWith("predicted") && largest > 5 ? { type: "symlog", constant: 1 } : { zero: false, nice: true };
    const place = { y: { field: "method", type: "nominal", sort: order, title: null, axis: { grid: true, labelFontSize: 11 } } };
    const axis = scale.type ? { format: ",~r", values: symlogTicks(rows.map((row) => row.value)) } : {};
    return panel(task, rows, [
      ...lines(task),
      { mark: { type: "point", filled: true, size: 34 }, encoding: { ...place, ...x("value", title, { scale, axis }), ...told(METHOD, ["seed", "seed", ""], ["value", title]) } },
      { mark: { type: "tick", thickness: 2.5, size: 13 }, transform: [{ aggregate: [{ op: "mean", field: "value", as: "mean" }], groupby: ["method"] }], encoding: { ...place, x: { field: "mean", type: "quantitative" }, ...told(METHOD, ["mean", "mean over seeds"]) } },
    ], { height: { step: 17 } });
  });
}

function symlogTicks(values) {
  const most = Math.max(...values.map(Math.abs));
  const powers = Array.from({ length: Math.ceil(Math.log10(most)) + 1 }, (_, i) => 10 ** i);
  const step = Math.ceil(powers.length / 4);
  const some = powers.filter((_, i) => i % step === 0);
  return [...some.map((v) => -v).filter((v) => v >= 1.5 * Math.min(...values, 0)), 0, ...some];
}

const PLOTS = {
  "best-of-k": (shown) => byTask(shown, (task) => {
    const values = Object.keys(shown.data.measures).filter((name) => name.startsWith("best-of-")).flatMap((name) =>
      shown.rows.filter((method) => shown.data.cells[name][task.name][method]).map((method) => {
        const [value, low, high] = shown.data.cells[name][task.name][method];
        return { method, k: Number(name.slice(8)), value, low: low ?? value, high: high ?? value };
      }));
    const ticks = [...new Set(values.map((row) => row.k))].filter((_, i, all) => i === 0 || (all.length - 1 - i) % 2 === 0);
    const place = { ...x("k", "k designs", { scale: { type: "log", base: 2, nice: false }, axis: { values: ticks, format: "d", grid: false, labelOverlap: false } }), ...y("value", "best of k, score") };
    const tips = told(METHOD, ["k", "k", "d"], ["value", "mean"], ["low", "low"], ["high", "high"]);
    return panel(task, values, [across(task), { mark: { type: "line" }, encoding: place }, { mark: { type: "point", filled: true, size: 40 }, encoding: { ...place, ...tips } }]);
  }),

  "best-and-median": (shown) => {
    const cells = (name, task, method) => shown.data.cells[name][task.name][method];
    return scatter(shown,
      (task) => shown.rows.filter((m) => cells("best", task, m) && cells("median", task, m)).map((method) =>
        ({ method, best: cells("best", task, method)[0], median: cells("median", task, method)[0] })),
      (task) => [across(task), upright(task.d_best), {
        plain: true, mark: { type: "rule", strokeDash: [2, 3] },
        transform: [{ aggregate: [{ op: "min", field: "median", as: "from" }, { op: "max", field: "median", as: "to" }] }],
        encoding: { x: { field: "from", type: "quantitative" }, y: { field: "from", type: "quantitative" }, x2: { field: "to" }, y2: { field: "to" } },
      }],
      { ...x("median", "50th percentile, score"), ...y("best", "100th percentile, score"), ...told(METHOD, ["best", "100th percentile"], ["median", "50th percentile"]) });
  },

  novelty: (shown) => byTask(shown, (task) => {
    const values = shown.rows.filter((method) => shown.data.designs[task.name][method]?.novelty != null).map((method) =>
      ({ method, novelty: shown.data.designs[task.name][method].novelty, best: shown.data.cells.best[task.name][method][0] }));
    const some = values.map((row) => row.novelty).filter((value) => value > 0);
    const near = 10 ** Math.floor(Math.log10(Math.min(...some)));
    const wide = some.length && Math.max(...some) > 20 * Math.min(...some);
    const ticks = [0, ...Array.from({ length: Math.ceil(Math.log10(Math.max(...some) / near)) + 1 }, (_, i) => near * 10 ** i)];
    const more = wide ? { scale: { type: "symlog", constant: near }, axis: { values: ticks.filter((_, i) => i % Math.ceil(ticks.length / 6) === 0), format: ",~r" } } : {};
    return panel(task, values, [across(task), point({ ...x("novelty", "novelty", more), ...y("best", "100th percentile, score"), ...told(METHOD, ["novelty", "novelty", ".3~g"], ["best", "100th percentile"]) })]);
  }),

  "exploit-gap": (shown) => strips(shown, "predicted − true, score",
    (task, method) => (shown.data.designs[task.name][method]?.gaps ?? []).map((value, i) => ({ value, seed: task.seeds[i] })),
    () => [upright(0)]),

  seeds: (shown) => strips(shown, "100th percentile, score",
    (task, method) => (shown.data.cells.best[task.name][method]?.[5] ?? []).map((value, i) => ({ value, seed: task.seeds[i] })),
    (task) => [upright(task.d_best)]),

  ceiling: (shown) => {
    const tasks = shown.tasks.filter((task) => task.room);
    const values = tasks.flatMap((task) => shown.rows.filter((method) => shown.data.cells.best[task.name][method]).map((method) => {
      const score = shown.data.cells.best[task.name][method][0];
      const place = (score - task.d_best) / (task.ceiling - task.d_best);
      return { method, task: `${task.title} (${task.ceiling_known ? "known" : "best known"})`, score, share: place, place: Math.max(place, -0.33) };
    }));
    if (!values.length) return [];
    const order = [...new Set(values.map((row) => row.task))];
    return [{
      description: "How far methods get from D(best) to the ceiling, by task", data: { values }, height: { step: 34 },
      layer: [upright(0), upright(1), point({
        y: { field: "task", type: "nominal", sort: order, title: null, axis: { labelLimit: 220, grid: true } },
        ...x("place", null, { scale: { domain: [-0.35, 1.02] }, axis: { values: [-0.33, 0, 0.25, 0.5, 0.75, 1], labelExpr: "datum.value < -0.3 ? 'far below' : datum.value == 0 ? 'D(best)' : datum.value == 0.5 ? 'halfway' : datum.value == 1 ? 'ceiling' : ''", labelFlush: true } }),
        ...told(METHOD, ["task", "task", ""], ["score", "score"], ["share", "rescaled", ".2f"]),
      })],
    }];
  },

  profiles: (shown) => {
    const { at, shares } = shown.data.profiles;
    const values = shown.rows.filter((method) => shares[method]).flatMap((method) => at.map((place, i) => ({ method, place, share: shares[method][i] })));
    if (!values.length) return [];
    const lines = { ...x("place", "rescaled score", { scale: { domain: [-0.5, 1], nice: false }, axis: { values: [-0.5, 0, 0.5, 1], labelExpr: "datum.value == 0 ? 'D(best)' : datum.value == 0.5 ? 'halfway' : datum.value == 1 ? 'ceiling' : ''", labelFlush: true } }), ...y("share", "share of runs above", { scale: { domain: [0, 1] } }) };
    return [{
      description: "Share of runs above each rescaled score", data: { values }, height: 300,
      layer: [upright(0), { mark: { type: "line", interpolate: "step-after", strokeWidth: 2 }, encoding: lines },
        { mark: { type: "point", filled: true, size: 200 }, encoding: { ...lines, opacity: { value: 0 }, ...told(METHOD, ["place", "above", ".2f"], ["share", "share of runs", ".2f"]) } }],
    }];
  },
};
