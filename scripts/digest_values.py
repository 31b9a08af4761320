#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Print a hash of every number that a change of code must not change; run it before and after.

One line a fact: the content of each data file, golden pairs, what each ONNX file and each oracle
gives for a fixed set of designs, and every figure of a report on them. Two commits agree where
`diff` of their outputs is empty. It uses the public API only, so that it runs on any commit.
"""

from __future__ import annotations

import argparse
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pyarrow.parquet as pq

import mbo_hub

# What says which files and programs were used, not what came out.
ABOUT = ("dataset_sha256", "libraries", "format", "fingerprint")
FEW = {"training": 2, "mujoco": 24}  # designs where one takes 0.1 s or 3 s


def show(task: str, what: str, *arrays: Any) -> None:
    """Print the hash of some arrays, by dtype, shape and bytes."""
    digest = sha256()
    for array in map(np.ascontiguousarray, arrays):
        digest.update(f"{array.dtype.str} {array.shape}".encode() + array.tobytes())
    print(f"{task:15} {what:40} {digest.hexdigest()[:24]}", flush=True)


def show_text(task: str, what: str, value: object) -> None:
    """Print the hash of plain values, as JSON."""
    text = json.dumps(value, sort_keys=True).encode()
    print(f"{task:15} {what:40} {sha256(text).hexdigest()[:24]}", flush=True)


def show_columns(task: str, file: Path) -> None:
    """Print a hash of each column of a parquet file."""
    table = pq.read_table(file).combine_chunks()
    for name in table.column_names:
        column = table[name].chunk(0)
        values = column.values if hasattr(column, "values") and name == "x" else column
        show(task, f"{file.name} {name}", np.array(values.to_pylist()))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/digest_values.py . > before.txt"
    )
    parser.add_argument("root", type=Path, help="the checkout, for its data and model files")
    root = parser.parse_args().root
    for folder in sorted((root / "dataset_cards").iterdir()):
        name = folder.name
        if not (folder / "task.json").is_file():
            continue
        for file in sorted((folder / "data").glob("*.parquet")):
            show_columns(name, file)
        golden = json.loads((root / "oracles_onnx" / name / "golden.json").read_text())
        show(name, "golden x", np.array(golden["x"]))
        for key, values in sorted(golden["y"].items()):
            show(name, f"golden y {key}", np.array(values))
        try:
            task = mbo_hub.load(name)
        except mbo_hub.MboHubError as error:
            print(f"{name}: not loaded: {error}", file=sys.stderr)
            continue
        x, y = task.hidden
        show(name, "loaded", task.x, task.y, x, y)
        for part in (task.normalization.x, task.normalization.y):
            show(name, "normalization", part.mean, part.std)
        rows = np.linspace(0, len(task.x) - 1, 40).round().astype(int)
        designs = np.concatenate([task.x[rows], task.space.sample(88, rng=0)])
        is_token = designs.dtype == np.int8
        for model in sorted((root / "oracles_onnx" / name).glob("*.onnx")):
            if model.name != "policy.onnx":
                session = ort.InferenceSession(model)
                feed = designs.astype(np.int64) if is_token else designs
                for output, found in enumerate(session.run(None, {"x": feed})):
                    show(name, f"{model.name} output {output}", found)
        for oracle in task.oracles:
            kind = task.manifest.oracles[oracle].kind
            some = designs[-FEW.get(kind, len(designs)) :]
            show(name, f"oracle {oracle}", task.oracles[oracle](some))
            broken = some.astype(np.float64)
            broken[-1] = np.nan
            for project in (False, True):
                report = task.evaluate(broken, oracle=oracle, project=project).to_dict()
                for field, value in report.items():
                    if field not in ABOUT and value not in (None, ""):  # a default is not written
                        show_text(name, f"report {oracle} project={project} {field}", value)


if __name__ == "__main__":
    main()
