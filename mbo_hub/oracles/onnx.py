"""An oracle in one ONNX file: raw designs in, raw objective values out, in any language.

One thread inside an operator: with two, 60–88 % of a forest's rows change in their last bits.
Rows are shared out over threads instead, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import msgspec
import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.dataset.manifest import Finding, HeldOut, Support
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles import wire
from mbo_hub.oracles.kinds import Bench, Deposit, Kind, Made, OracleSpec
from mbo_hub.oracles.protocol import Answer, Fingerprint, Limits, Oracle
from mbo_hub.oracles.threads import cores, share_out
from mbo_hub.spaces import Box, Sequence

if TYPE_CHECKING:
    import polars as pl

__all__ = ["KIND", "Forest", "NetworkGraph", "OnnxOracle", "OnnxSpec", "TableGraph"]

CHUNK = 512  # rows of one task of the thread pool; ten times as many make large graphs slower
LONGEST = 300  # characters of onnxruntime's words, and of a graph's names, in a message


class OnnxOracle(Oracle):
    """Scores designs with onnxruntime on the CPU.

    The graph has one input `x`, (n, d) int64 tokens or float32 values, and an output `y`, (n,) or
    (n, 1) of a floating type. A second output called `spread` says how much to doubt each value.

    It can be copied and pickled at any time; a copy loads the file again when it is first used.
    Ctrl-C stops a graph that runs.

    Args:
        space: of the task.
        model: content of the .onnx file, already checked against its sha256.
        name: what to call the file in messages.
        exact: whether the file defines the objective.
        threads: rows are shared out over this many; None takes all cores that the process may
            use. Never changes a value.

    Raises:
        OracleUnavailable: the file is no ONNX or names other files, onnxruntime cannot load it, or
            its input or output is another.
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
        self.threads = threads
        self._model = model
        _ = self._session

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_session"}

    @cached_property
    def _session(self) -> Any:
        """The file as onnxruntime has loaded it."""
        import onnxruntime as ort

        wire.check(self._model, self.name)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, in one line
        options.add_session_config_entry("session.load_model_format", "ONNX")  # as was checked

        def load(model: bytes) -> Any:
            # Its fallback would try the same again, and print.
            return ort.InferenceSession(
                model, options, providers=["CPUExecutionProvider"], enable_fallback=0
            )

        def cancel() -> None:
            if hasattr(options, "set_load_cancellation_flag"):  # not in the oldest versions
                options.set_load_cancellation_flag(True)

        with self._blaming("cannot load it"):
            (session,) = share_out(load, [self._model], threads=1, stop=cancel)
            self._check(session)
        return session

    def _check(self, session: Any) -> None:
        """See that the graph takes designs and gives values.

        Raises:
            OracleUnavailable: it does not.
        """
        inputs, outputs = session.get_inputs(), session.get_outputs()
        wanted = "tensor(int64)" if isinstance(self.space, Sequence) else "tensor(float)"
        found = [(i.name, i.type, i.shape[1:]) for i in inputs]
        if found != [("x", wanted, [self.space.dim])]:
            raise OracleUnavailable(
                f"{self.name}: takes {_short(found)}, expected one input x, {wanted}, of shape "
                f"(n, {self.space.dim})"
            )
        if isinstance(inputs[0].shape[0], int):
            raise OracleUnavailable(
                f"{self.name}: its batch is fixed at {inputs[0].shape[0]}; export it with a "
                "dynamic first dimension"
            )
        names = [o.name for o in outputs]
        if names not in (["y"], ["y", "spread"]):
            raise OracleUnavailable(
                f"{self.name}: its outputs are called {_short(names)}, expected y, or y and "
                "spread; rename them, since everybody asks for y by its name"
            )
        kinds = [(o.name, o.type) for o in outputs]
        if not all(kind in ("tensor(float)", "tensor(double)") for _, kind in kinds):
            raise OracleUnavailable(f"{self.name}: gives {kinds}, expected floating outputs")

    @contextmanager
    def _blaming(self, what: str) -> Iterator[None]:
        """Turn what onnxruntime raises about the file into an error that names it."""
        try:
            yield
        except OracleUnavailable:
            raise
        except _errors() as error:
            raise OracleUnavailable(f"{self.name}: onnxruntime {what}: {_told(error)}") from None

    @property
    def metadata(self) -> dict[str, str]:
        """The file's metadata_props.

        Raises:
            OracleUnavailable: they are not UTF-8.
        """
        with self._blaming("cannot read its metadata"):
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

    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Score designs that `space.validate` has returned.

        A graph gives a plausible number for a token out of range: only that check refuses it.

        Raises:
            OracleUnavailable: the graph fails, or gives another number of values.
        """
        import onnxruntime as ort

        session, options = self._session, ort.RunOptions()
        x = legal.astype(np.int64) if isinstance(self.space, Sequence) else legal
        chunks = [x[i : i + CHUNK] for i in range(0, len(x), CHUNK)]

        def run(chunk: Num[np.ndarray, "m d"]) -> list[Float32[np.ndarray, " m"]]:
            found = session.run(None, {"x": chunk}, options)
            return [self._flat(values, len(chunk)) for values in found]

        def stop() -> None:
            options.terminate = True

        with self._blaming("fails while it scores"):
            parts = share_out(run, chunks, threads=self.threads or cores(), stop=stop)
        outputs = [np.concatenate(each) for each in zip(*parts, strict=True)]
        return Answer(*(outputs or [np.empty(0, np.float32)] * len(session.get_outputs())))

    def _flat(self, values: Num[np.ndarray, ...], n: int) -> Float32[np.ndarray, " n"]:
        if values.size != n:
            raise OracleUnavailable(f"{self.name}: gave {values.shape} values for {n} designs")
        with np.errstate(over="ignore"):  # beyond float32: infinite, which counts as invalid
            flat: Float32[np.ndarray, " n"] = values.reshape(-1).astype(np.float32, copy=False)
        return flat


@cache
def _errors() -> tuple[type[Exception], ...]:
    """What a call of onnxruntime raises: its own errors, and what pybind11 makes of C++ exceptions.

    The latter makes a ValueError of a text that is not UTF-8.
    """
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    own = [e for e in vars(state).values() if isinstance(e, type) and issubclass(e, Exception)]
    return (*own, RuntimeError, ValueError, MemoryError, IndexError, OverflowError, TypeError)


def _told(error: Exception) -> str:
    """What onnxruntime says, in one line that any terminal can show."""
    said = str(error)
    if isinstance(error, UnicodeDecodeError):
        said = error.object.decode("utf-8", "replace")
    lines = said.strip().splitlines() or [type(error).__name__]
    text = lines[0].rpartition("[ONNXRuntimeError] : ")[2]
    return _short("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True, kw_only=True)
class OnnxSpec(OracleSpec):
    """The declaration of an oracle in an ONNX file, whatever the workshop makes the file from."""

    kind: ClassVar[str] = "onnx"
    file: str

    def make(self, bench: Bench) -> Made:
        """Have the file made, and score the golden designs with it."""
        model = bench.model(self)
        oracle = OnnxOracle(bench.space, model, self.file, exact=self.exact)
        return Made(files={self.file: model}, golden=oracle(bench.golden))

    def facts(self, space: Sequence | Box, model: bytes) -> dict[str, Any]:
        """What the maker measured and wrote into the file's metadata."""
        said = OnnxOracle(space, model, self.file, exact=self.exact).metadata

        def read(name: str, form: Any, otherwise: Any) -> Any:
            return msgspec.json.decode(said[name], type=form) if name in said else otherwise

        return {
            "held_out": read("mbo.held_out", HeldOut, None),
            "support": read("mbo.support", Support, None),
            "findings": read("mbo.findings", tuple[Finding, ...], ()),
            "trained_on": said.get("mbo.trained_on", ""),
        }


@dataclass(frozen=True, kw_only=True)
class TableGraph(OnnxSpec):
    """The measured table as a graph that computes the index of a design and gathers its value."""

    file: str = "model.onnx"
    description: str = "The measured table of the whole domain as an ONNX graph."


@dataclass(frozen=True, kw_only=True)
class NetworkGraph(OnnxSpec):
    """A network that a script trained and wrote, and that defines the objective."""

    file: str = "model.onnx"


@dataclass(frozen=True, kw_only=True)
class Forest(OnnxSpec):
    """A forest on one-hot tokens, counts of pairs of atoms, or raw values.

    Attributes:
        file: where in the oracle folder.
        method: a random forest, or one of extremely randomized trees.
        trees: how many.
        leaves: at most this many leaves a tree; None grows trees to full depth.
        least: at least this many rows a leaf.
        atom_pairs: tokens are those of SMILES; count pairs of atoms instead of one-hot encoding.
        period: beside one-hot tokens, count those at positions that are equal modulo this.
        max_features: fraction of the features tried at each split.
        held_out: fraction of the groups of rows that it is not trained on.
        parts: how often that is done, with other rows each time. More than 1 is for few data and
            an own oracle: the held-out figures are then those of all these parts together.
        references: other features of a frame's rows, (n, f), that cannot go into ONNX. A forest of
            the same method on them is tried on the same held-out rows, for comparison.
        own: whether this is the task's oracle rather than a stand-in for it. Then it is trained on
            all rows, its held-out figures are those of a second forest that was not, and users
            are told what to distrust: the spread over trees, and how far designs are from the data.
        seed: of the held-out choice and of the forest.
    """

    exact: ClassVar[bool] = False
    file: str = "surrogate.onnx"
    method: Literal["random", "extra"] = "random"
    trees: int
    leaves: int | None
    least: int = 1
    atom_pairs: bool = False
    period: int | None = None
    max_features: float
    held_out: float = 0.1
    parts: int = 1
    references: Mapping[str, Callable[[pl.DataFrame], Float32[np.ndarray, "n f"]]] = field(
        default_factory=dict
    )
    own: bool = False
    seed: int = 0


def _open(deposit: Deposit) -> OnnxOracle:
    return OnnxOracle(deposit.manifest.space, *deposit.model(), exact=deposit.entry.exact)


def _confined(deposit: Deposit, limits: Limits) -> Oracle:
    from mbo_hub.oracles.confined import ConfinedOracle  # scoring needs nothing of it

    space, exact = deposit.manifest.space, deposit.entry.exact
    model, name = deposit.model()
    opener = partial(OnnxOracle, space, model, name, exact=exact, threads=1)
    return ConfinedOracle(opener, space, name, exact=exact, limits=limits)


KIND = Kind(open=_open, confined=_confined)
