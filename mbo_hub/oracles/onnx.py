"""An oracle in one ONNX file: raw designs in, raw objective values out, in any language.

One thread inside an operator: with two, 60–88 % of a forest's rows change in their last bits.
Rows are shared out over threads instead, which changes nothing.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.protocol import Fingerprint
from mbo_hub.spaces import Box, Sequence

__all__ = ["OnnxOracle"]

CHUNK = 512  # rows of one task of the thread pool; ten times as many make large graphs slower


class OnnxOracle:
    """Scores designs with onnxruntime on the CPU.

    The graph has one input `x`, (n, d) int64 tokens or float32 values, and one output, (n,) or
    (n, 1) of a floating type. A second output called `spread` says how much to doubt each value.

    Args:
        space: of the task.
        model: content of the .onnx file, already checked against its sha256.
        name: what to call the file in messages.
        exact: whether the file defines the objective.
        threads: rows are shared out over this many; None takes all cores. Never changes a value.

    Raises:
        OracleUnavailable: onnxruntime cannot load the file, or its input or output is another.
    """

    def __init__(
        self,
        space: Sequence | Box,
        model: bytes,
        name: str,
        *,
        exact: bool,
        threads: int | None = None,
    ) -> None:
        self.space = space
        self.name = name
        self.exact = exact
        self.threads = threads or os.cpu_count() or 1
        self._model = model
        self._session = self._open()

    def _open(self) -> Any:
        import onnxruntime as ort
        from onnxruntime.capi import onnxruntime_pybind11_state as state

        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, in one line
        # A tensor may name a file to take its values from; onnxruntime would look for it in the
        # working directory. The key of such an entry is this text, written the way protobuf does.
        if b"\n\x08location" in self._model:
            raise OracleUnavailable(
                f"{self.name}: keeps its weights in other files; export it with them inside"
            )
        try:
            session = ort.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])
        except (state.Fail, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented,
                state.InvalidArgument, state.RuntimeException) as error:  # fmt: skip
            first = str(error).strip().splitlines()[0].rpartition("[ONNXRuntimeError] : ")[2]
            raise OracleUnavailable(f"{self.name}: onnxruntime cannot load it: {first}") from None
        inputs, outputs = session.get_inputs(), session.get_outputs()
        wanted = "tensor(int64)" if isinstance(self.space, Sequence) else "tensor(float)"
        found = [(i.name, i.type, i.shape[1:]) for i in inputs]
        if found != [("x", wanted, [self.space.dim])]:
            raise OracleUnavailable(
                f"{self.name}: takes {found}, expected one input x, {wanted}, of shape "
                f"(n, {self.space.dim})"
            )
        if isinstance(inputs[0].shape[0], int):
            raise OracleUnavailable(
                f"{self.name}: its batch is fixed at {inputs[0].shape[0]}; export it with a "
                "dynamic first dimension"
            )
        kinds = [(o.name, o.type) for o in outputs]
        floating = all(kind in ("tensor(float)", "tensor(double)") for _, kind in kinds)
        if not floating or [name for name, _ in kinds[1:]] not in ([], ["spread"]):
            raise OracleUnavailable(f"{self.name}: gives {kinds}, expected one floating output")
        return session

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata_props."""
        return dict(self._session.get_modelmeta().custom_metadata_map)

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The sha256 of the file and the version of onnxruntime."""
        import onnxruntime as ort

        return Fingerprint(
            kind="onnx",
            sha256=sha256(self._model).hexdigest(),
            runtime=f"onnxruntime {ort.__version__}",
        )

    def __call__(self, designs: Any) -> Float32[np.ndarray, " n"]:
        """Score designs, (n, d) → (n,) float32; InvalidDesign names the first illegal one."""
        return self._score(designs, 0)

    def spread(self, designs: Any) -> Float32[np.ndarray, " n"] | None:
        """Tell how far apart the parts of the oracle are about designs, if it says so.

        Args:
            designs: (n, d) legal designs.

        Returns:
            Standard deviation of a forest's trees, (n,) float32, in raw units; None where the file
            has no output called `spread`.

        Raises:
            InvalidDesign: names the first illegal design.
        """
        return self._score(designs, 1) if len(self._session.get_outputs()) > 1 else None

    def _score(self, designs: Any, output: int) -> Float32[np.ndarray, " n"]:
        legal = self.space.validate(designs)
        # Out-of-range tokens would give a plausible number: the line above is what refuses them.
        x = legal.astype(np.int64) if isinstance(self.space, Sequence) else legal
        chunks = [x[i : i + CHUNK] for i in range(0, len(x), CHUNK)]
        if len(chunks) <= 1 or self.threads == 1:
            scored = [self._run(chunk, output) for chunk in chunks]
        else:
            with ThreadPoolExecutor(min(self.threads, len(chunks))) as pool:
                scored = list(pool.map(self._run, chunks, [output] * len(chunks)))
        return np.concatenate(scored) if scored else np.empty(0, np.float32)

    def _run(self, x: Num[np.ndarray, "n d"], output: int) -> Float32[np.ndarray, " n"]:
        y = self._session.run(None, {"x": x})[output]
        if y.size != len(x):
            raise OracleUnavailable(f"{self.name}: gave {y.shape} values for {len(x)} designs")
        with np.errstate(over="ignore"):  # beyond float32: infinite, which counts as invalid
            flat: Float32[np.ndarray, " n"] = y.reshape(-1).astype(np.float32, copy=False)
        return flat
