"""The playground: a page, and for each task what it needs to know, its oracles and its data."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

import mbo_hub
import tasks
import vendor
from mbo_hub.making.walked import walked
from page import Page

ROOT = Path(__file__).parents[2]
STANDINGS = ROOT / "mbo_hub" / "making" / "standings.json"
RUNTIME = vendor.MODULES / "onnxruntime-web" / "dist" / "ort-wasm-simd-threaded.wasm"
BINS = 60
EXAMPLES = 24  # visible designs that a person may start from
LARGE = 16_000_000  # bytes of visible designs that nobody should have to download
# Why the nearest visible design is not told.
NOT_OURS = "its data are not part of this site: they are downloaded from their source"
NO_RUNS = {"ceiling": 1.0, "ceiling_known": False}  # the best of the full data is the best known
TOO_LARGE = "its visible designs are {mb:.0f} MB"
LAYOUTS = {  # where `_layout` would choose another: editors.js has all of them
    "nas": "network",
    "chembl": "smiles",
    "superconductor": "elements",
    "ant": "sliders",
    "dkitty": "sliders",
}


def pages() -> list[Page]:
    """Make the page and the files that it asks for."""
    made = [Page("playground/index.md", _page(), "")]
    for one in tasks.facts():
        about, files = _task(one.name)
        made += files
        made.append(Page(f"playground/data/{one.name}.json", _json(about)))
    return made


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _task(name: str) -> tuple[dict[str, Any], list[Page]]:
    """Say of a task what its page shows; give its oracles and data as files."""
    told = json.loads((ROOT / "dataset_cards" / name / "task.json").read_text("utf-8"))
    files = []
    oracles = []
    for key, entry in told["oracles"].items():
        if entry["kind"] != "onnx":
            continue
        raw = walked((ROOT / "oracles_onnx" / name / entry["file"]).read_bytes())
        path = f"playground/oracles/{name}-{key}.onnx"
        files.append(Page(path, raw))
        oracles.append(
            {
                "name": key,
                "file": f"oracles/{name}-{key}.onnx",
                "bytes": len(raw),
                "exact": entry.get("exact", False),
                "spearman": entry.get("held_out", {}).get("spearman"),
                "about": entry["description"],
            }
        )
    statistics = told["statistics"]
    standing = json.loads(STANDINGS.read_text("utf-8")).get(name, NO_RUNS)
    about = {
        "name": name,
        "title": told["title"],
        "summary": told["summary"],
        "layout": LAYOUTS.get(name) or _layout(told),
        "space": told["space"],
        "objective": told["objective"],
        "oracles": oracles,
        "runtime": RUNTIME.stat().st_size,
        "defines": next(iter(told["oracles"].values()))["kind"],
        "ceiling": {"score": standing["ceiling"], "known": standing["ceiling_known"]},
        "y": {key: statistics[key] for key in ("y_min", "y_max", "best_visible")},
        "rows": {"all": statistics["rows"], "visible": statistics["visible"]},
    }
    if "x_std" in statistics:
        std = np.array(statistics["x_std"])
        about["scale"] = {"mean": statistics["x_mean"], "std": np.where(std > 0, std, 1).tolist()}
    found, more = _data(name) if _may_show(name) else (_golden(name), [])
    return about | found, files + more


def _layout(told: dict[str, Any]) -> str:
    """How a design of any task can be entered."""
    space = told["space"]
    if "alphabet" not in space:
        return "numbers"
    return "tokens" if "padding" in space or max(map(len, space["alphabet"])) > 1 else "letters"


def _may_show(name: str) -> bool:
    return (ROOT / "dataset_cards" / name / "data").is_dir()


def _golden(name: str) -> dict[str, Any]:
    """Start from the designs with which the oracle is checked, where the data are not here."""
    golden = json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))
    return {"examples": golden["x"], "known": None, "why_not_known": NOT_OURS, "histogram": None}


def _data(name: str) -> tuple[dict[str, Any], list[Page]]:
    """Tell how the objective is distributed; give examples, and all visible designs if small."""
    task = mbo_hub.load(name)
    hidden = task.hidden[1]
    every = np.concatenate([task.y, hidden])
    edges = np.linspace(every.min(), every.max(), BINS + 1)
    rng = np.random.default_rng(0)
    some = min(EXAMPLES, len(task.y))
    chosen = np.concatenate([[task.y.argmax()], rng.choice(len(task.y), some, replace=False)])
    found: dict[str, Any] = {
        "examples": [row.tolist() for row in task.x[chosen]],
        "histogram": {
            "edges": edges.tolist(),
            "visible": np.histogram(task.y, edges)[0].tolist(),
            "hidden": np.histogram(hidden, edges)[0].tolist(),
        },
        "quantiles": np.quantile(every, np.linspace(0, 1, 1001)).tolist(),
    }
    raw = task.x.tobytes() + task.y.astype(np.float32).tobytes()
    if len(raw) > LARGE:
        found["examples"] = [task.x[chosen[0]].tolist(), task.x[chosen[1]].tolist()]
        return found | {"known": None, "why_not_known": TOO_LARGE.format(mb=len(raw) / 1e6)}, []
    path = f"playground/data/{name}.bin"
    found["known"] = {"file": f"data/{name}.bin", "rows": len(task.x)}
    return found, [Page(path, raw)]


def _page() -> str:
    choices = "".join(f'<option value="{t.name}">{escape(t.title)}</option>' for t in tasks.facts())
    listed = "".join(
        f'<li><a href="../tasks/{t.name}.html">{escape(t.title)}</a>: {escape(t.summary)}</li>'
        for t in tasks.facts()
    )
    page = (ROOT / "docs" / "web" / "playground" / "page.html").read_text("utf-8")
    return page.replace("<!-- choices -->", choices).replace("<!-- tasks -->", listed)
