"""A task made by somebody else: plain files written by hand, without mbo_hub.

Three-letter words over an alphabet of vowels; the objective, −5 … 12, is a made-up linear function,
which an ONNX graph computes: one Gather of weights and a sum.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

ALPHABET = "aeiou"
WEIGHTS = np.array([[0, 1, 2, 3, 4], [-5, 0, 1, 2, 3], [0, 0, 5, 1, 2]], np.float32)


def objective(x: np.ndarray) -> np.ndarray:
    return WEIGHTS[np.arange(3), x].sum(axis=1, dtype=np.float32)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_onnx(path: Path, bonus: float) -> None:
    nodes = [
        helper.make_node("Add", ["x", "rows"], ["flat"]),
        helper.make_node("Gather", ["weights", "flat"], ["parts"]),
        helper.make_node("ReduceSum", ["parts", "axis"], ["y"], keepdims=1),  # (n, 1) is fine too
    ]
    constants = {
        "rows": np.array([0, 5, 10], np.int64),
        "weights": (WEIGHTS + np.array([[bonus], [0], [0]], np.float32)).ravel(),
        "axis": np.array([1], np.int64),
    }
    graph = helper.make_graph(
        nodes,
        "theirs",
        [helper.make_tensor_value_info("x", TensorProto.INT64, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)


def write_parquet(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    """As pandas or any other writer would: no particular encoding, several row groups."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(x.astype(np.int8).ravel()), 3)
    words = ["".join(ALPHABET[t] for t in row) for row in x]
    table = pa.table(
        {"y": pa.array(y, pa.float32()), "word": words, "x": lists, "id": range(len(y))}
    )
    pq.write_table(table, path, row_group_size=40)


def write(folder: Path, version: str = "0.3.0", bonus: float = 0.0) -> None:
    """Write the dataset folder: task.json, README.md, two parquet files, an oracle.

    Another version adds a bonus to every word.
    """
    (folder / "data").mkdir(parents=True)
    x = np.array(list(itertools.product(range(5), repeat=3)))
    y = objective(x) + np.float32(bonus)
    cut = np.percentile(y, 60)
    visible = y <= cut
    write_onnx(folder / "oracle.onnx", bonus)
    files = {}
    for name, rows in (("train", visible), ("test", ~visible)):
        path = folder / "data" / f"{name}.parquet"
        write_parquet(path, x[rows], y[rows])
        files[f"data/{name}.parquet"] = {
            "sha256": sha256(path),
            "bytes": path.stat().st_size,
            "rows": int(rows.sum()),
        }
    declared = {
        "format": 1,
        "name": "vowels",
        "version": version,
        "title": "Vowels",
        "summary": "Find the best word of three vowels.",
        "space": {"kind": "sequence", "length": 3, "alphabet": list(ALPHABET)},
        "objective": {"name": "tunefulness", "unit": "dB", "description": "how well it sings"},
        "split": {"percentiles": [0, 60], "y_low": float(y.min()), "y_high": float(cut)},
        "statistics": {
            "rows": len(y),
            "visible": int(visible.sum()),
            "y_min": float(y.min()),
            "y_max": float(y.max()),
            "best_visible": float(y[visible].max()),
            "x_mean": x[visible].mean(axis=0).tolist(),
            "x_std": x[visible].std(axis=0).tolist(),
            "y_mean": float(y[visible].astype(float).mean()),
            "y_std": float(y[visible].astype(float).std()),
        },
        "oracles": {
            "theirs": {
                "kind": "onnx",
                "file": "oracle.onnx",
                "sha256": sha256(folder / "oracle.onnx"),
                "exact": True,
                "tolerance": 1e-6,
            }
        },
        "text": "word",
        "files": files,
    }
    (folder / "task.json").write_text(json.dumps(declared, indent=1))
    (folder / "README.md").write_text(
        "---\n"
        "license: mit\n"
        "configs:\n"
        "- config_name: default\n"
        "  data_files:\n"
        "  - split: train\n"
        "    path: data/train.parquet\n"
        "  - split: test\n"
        "    path: data/test.parquet\n"
        "---\n"
        "# Vowels\n"
    )
