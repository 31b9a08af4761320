"""What slow runtimes answered about a model, kept by the hash of model and inputs.

WebAssembly takes seconds to load a forest, and the reference evaluator of onnx seconds to run one.
An answer is taken from `answers.json` where it is about this very model, these inputs and this version
of the runtime; else the runtime is asked. `MBO_RUNTIMES=ask` asks all of them anew, and
`MBO_RUNTIMES=write` keeps what they say:

    MBO_RUNTIMES=write scripts/test tests/test_runtimes.py
"""

from __future__ import annotations

import base64
import json
import os
from hashlib import sha256
from pathlib import Path

import numpy as np

Tensors = dict[str, np.ndarray]
MODE = os.environ.get("MBO_RUNTIMES", "")
FILE = Path(__file__).with_name("answers.json")


def encode(tensors: Tensors) -> dict[str, dict]:
    """Tensors as JSON, which has neither NaN nor int64: their bytes, little-endian, in base 64."""
    return {
        name: {
            "type": values.dtype.name,
            "dims": list(values.shape),
            "data": base64.b64encode(values.astype(values.dtype.newbyteorder("<"))).decode(),
        }
        for name, values in tensors.items()
    }


def decode(written: dict[str, dict]) -> Tensors:
    return {
        name: np.frombuffer(
            base64.b64decode(tensor["data"], validate=True),
            np.dtype(tensor["type"]).newbyteorder("<"),
        ).reshape(tensor["dims"])
        for name, tensor in written.items()
    }


def key(runtime: str, model: bytes, inputs: Tensors) -> str:
    """What an answer is about: the runtime with its version, the model, and the inputs."""
    asked = json.dumps([runtime, encode(inputs)], sort_keys=True).encode()
    return sha256(asked + model).hexdigest()


def kept(runtime: str, model: bytes, inputs: Tensors) -> Tensors | None:
    """The answer that is kept; None where the runtime is to be asked."""
    if MODE:
        return None
    found = json.loads(FILE.read_text("utf-8")).get(key(runtime, model, inputs))
    return None if found is None else decode(found)


def keep(answers: dict[str, Tensors]) -> None:
    """Add answers by their keys."""
    written = json.loads(FILE.read_text("utf-8")) if FILE.is_file() else {}
    written |= {name: encode(tensors) for name, tensors in answers.items()}
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(written.items()))
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")
