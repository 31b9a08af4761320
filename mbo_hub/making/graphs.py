"""Write ONNX graphs: one builder, the checks around every oracle, and the two small graphs.

Every oracle's graph goes from raw designs `x`, (n, d) int64 tokens or float32, to raw values `y`,
(n,) float32, with a dynamic batch. What a user should know stands in the file's metadata. The same
input gives the same bytes: nodes and constants stand in the order in which they were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Row
from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub.oracles.table import TableOracle
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks.spec import TaskSpec

if TYPE_CHECKING:
    import onnx

    from mbo_hub.oracles.mujoco.rollout import Network

__all__ = ["Graph", "finish", "policy_model", "surround", "table_graph"]

OPSET = ("", 21)
FORESTS = ("ai.onnx.ml", 5)  # the first that has TreeEnsemble
Shape = Row[str | int]  # of an input or output; "n" is any number of rows


class Graph:
    """Nodes and constants in the order in which they are written.

    A value is known by its name, which `constant` and `apply` return.

    Args:
        prefix: begins the names that nobody chose.
    """

    def __init__(self, prefix: str = "") -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: Any, dtype: Any = None, *, name: str = "") -> str:
        """Add a constant.

        Args:
            value: of any shape.
            dtype: None keeps that of `value`.
            name: without one, `prefix` and a number.
        """
        from onnx import numpy_helper

        name = name or f"{self.prefix}.constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def apply(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node.

        Args:
            operator: of ONNX.
            inputs: names of the values that it takes.
            name: of the value that comes out; without one, `prefix`, the operator and a number.
            attributes: of the operator; `domain` names another set of operators.
        """
        from onnx import helper

        name = name or f"{self.prefix}.{operator}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def cast(self, value: str, dtype: Any, *, name: str = "") -> str:
        """Add a node that changes the type of a value."""
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.apply("Cast", value, name=name, to=kind)

    def extend(self, part: Graph) -> None:
        """Add all that another graph holds."""
        self.nodes += part.nodes
        self.constants += part.constants

    def close(
        self,
        name: str,
        dtype: Any,
        inputs: Mapping[str, Shape],
        outputs: Mapping[str, Shape],
        *,
        gives: Any = None,
    ) -> onnx.GraphProto:
        """Declare what goes in and comes out.

        Args:
            name: of the graph.
            dtype: of the inputs.
            inputs: their shapes, by name.
            outputs: their shapes, by name.
            gives: type of the outputs; None is that of the inputs.
        """
        from onnx import helper

        def declare(shapes: Mapping[str, Shape], dtype: Any) -> list[onnx.ValueInfoProto]:
            kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            return [helper.make_tensor_value_info(n, kind, shape) for n, shape in shapes.items()]

        ends = declare(outputs, dtype if gives is None else gives)
        return helper.make_graph(self.nodes, name, declare(inputs, dtype), ends, self.constants)


def finish(graph: onnx.GraphProto, spec: TaskSpec, extra: Mapping[str, str]) -> bytes:
    """Wrap an oracle's graph into a checked model with metadata.

    Args:
        graph: from `x` to `y`.
        spec: of the task.
        extra: more metadata, by key.

    Returns:
        Content of the .onnx file; identical input, identical bytes.
    """
    described = {
        "mbo.task": spec.name,
        "mbo.dataset_version": spec.version,
        "mbo.input": _describe_input(spec.space),
        "mbo.output": f"y: float32 (n,), {spec.objective.name}",
        "mbo.license": "Apache-2.0",
        **extra,
    }
    about = f"{spec.title}: {spec.objective.description}"
    return _write(graph, [OPSET, FORESTS], about, described)


def _write(
    graph: onnx.GraphProto, opsets: Row[tuple[str, int]], about: str, metadata: Mapping[str, str]
) -> bytes:
    """Check a model and write it, always in the same way."""
    import onnx
    from onnx import helper

    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*opset) for opset in opsets],
        ir_version=10,
        producer_name="mbo_hub",
        doc_string=about,
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def _describe_input(space: Sequence | Box) -> str:
    if isinstance(space, Sequence):
        tokens = ", ".join(f"{i} = {token}" for i, token in enumerate(space.alphabet))
        return f"x: int64 (n, {space.dim}), tokens {tokens}; other tokens give meaningless values"
    return f"x: float32 (n, {space.dim}), raw units"


def surround(part: Graph, space: Sequence | Box, outputs: Mapping[str, str]) -> onnx.GraphProto:
    """Make an oracle's graph around the part that leads from `legal_x` to values, (n,).

    A token outside the alphabet would score like another design, and a forest has a value for any
    numbers, so an illegal design gets NaN.

    Args:
        part: computes what `outputs` names from `legal_x`, which equals `x` where that is legal. It
            may use the constant `last_axis`.
        space: of the task.
        outputs: name of each output of the graph, and of the value that becomes it.
    """
    graph = _legality(space)
    graph.constant(np.nan, np.float32, name="nan")
    graph.extend(part)
    for output, value in outputs.items():
        graph.apply("Where", "is_legal", value, "nan", name=output)
    kind = np.int64 if isinstance(space, Sequence) else np.float32
    rows = {output: ["n"] for output in outputs}
    return graph.close("oracle", kind, {"x": ["n", space.dim]}, rows, gives=np.float32)


def _legality(space: Sequence | Box) -> Graph:
    """Lead from `x` to `is_legal`, (n,), and `legal_x`."""
    graph = Graph()
    graph.constant([1], np.int64, name="last_axis")
    if isinstance(space, Sequence):
        _check_tokens(graph, space)
    else:
        _check_values(graph, space)
    return graph


def _every(graph: Graph, what: str, name: str) -> str:
    """Whether something holds for all columns of a row."""
    each = graph.cast(what, np.int32, name=f"{what}_each")
    least = graph.apply("ReduceMin", each, "last_axis", name=f"{what}_all", keepdims=0)
    return graph.cast(least, np.bool_, name=name)


def _check_tokens(graph: Graph, space: Sequence) -> None:
    first = graph.constant(0, np.int64, name="first_token")
    last_token = graph.constant(len(space.alphabet) - 1, np.int64, name="last_token")
    graph.apply("Clip", "x", first, last_token, name="legal_x")
    same = graph.apply("Equal", "x", "legal_x", name="token_is_legal")
    if space.padding is None:
        _every(graph, same, "is_legal")
        return
    tokens = _every(graph, same, "tokens_are_legal")
    # The first token is no padding, and only padding follows padding.
    padding = graph.constant(space.alphabet.index(space.padding), np.int64, name="padding")
    begin = graph.constant([0], np.int64, name="begin")
    second = graph.constant([1], np.int64, name="second")
    last = graph.constant([space.dim - 1], np.int64, name="last")
    end = graph.constant([space.dim], np.int64, name="end")
    is_padding = graph.apply("Equal", "legal_x", padding, name="is_padding")
    pads = graph.cast(is_padding, np.int32, name="pads")
    before = graph.apply("Slice", pads, begin, last, "last_axis", name="before")
    after = graph.apply("Slice", pads, second, end, "last_axis", name="after")
    stays = graph.apply("LessOrEqual", before, after, name="stays_padding")
    ends = _every(graph, stays, "padding_ends")
    empty = graph.apply("Slice", is_padding, begin, second, "last_axis", name="starts_empty")
    starts = _every(graph, graph.apply("Not", empty, name="starts"), "has_tokens")
    order = graph.apply("And", ends, starts, name="order_is_legal")
    graph.apply("And", tokens, order, name="is_legal")


def _check_values(graph: Graph, space: Box) -> None:
    # The root of how far a value is inside its bounds is NaN outside them, and so is the sum.
    low, high = space.bounds
    most = graph.constant(np.array(np.finfo(np.float32).max), name="most")
    graph.apply("Identity", "x", name="legal_x")
    sums: list[str] = []
    for side, bound in (("low", low), ("high", high)):
        bounded = np.isfinite(bound)
        if not bounded.any() and (side == "low" or sums):
            continue
        graph.constant(np.where(bounded, bound, 0), name=side)
        past = f"inside_{side}" if bounded.all() else f"past_{side}"
        inside = graph.apply("Sub", *(("x", side) if side == "low" else (side, "x")), name=past)
        if not bounded.all():  # some values are free on this side
            free = graph.constant(~bounded, name=f"free_{side}")
            size = graph.apply("Abs", "x", name=f"size_{side}")
            inside = graph.apply("Where", free, size, past, name=f"inside_{side}")
        root = graph.apply("Sqrt", inside, name=f"root_{side}")
        sums.append(graph.apply("ReduceSum", root, "last_axis", name=f"sum_{side}", keepdims=0))
    total = graph.apply("Add", *sums, name="sum") if len(sums) > 1 else sums[0]
    inside = graph.apply("LessOrEqual", total, most, name="inside" if space.nonzero else "is_legal")
    if not space.nonzero:
        return
    zero = graph.constant(0, np.float32, name="zero")
    size = "sum_low"  # zero only where all values are, if that is how low they may be
    if low.any():
        sizes = graph.apply("Abs", "x", name="sizes")
        size = graph.apply("ReduceSum", sizes, "last_axis", name="size", keepdims=0)
    some = graph.apply("Greater", size, zero, name="some")
    graph.apply("And", inside, some, name="is_legal")


def table_graph(table: TableOracle) -> onnx.GraphProto:
    """Write a table as a graph: tokens · place values → index → Gather."""
    space, part = table.space, Graph()
    places = len(space.alphabet) ** np.arange(space.length - 1, -1, -1, dtype=np.int64)
    place_values = part.constant(places, name="places")
    values = part.constant(table.values, name="values")
    digits = part.apply("Mul", "legal_x", place_values, name="digits")
    index = part.apply("ReduceSum", digits, "last_axis", name="index", keepdims=0)
    part.apply("Gather", values, index, name="value", axis=0)
    return surround(part, space, {"y": "value"})


def policy_model(network: Network, task: str) -> bytes:
    """Export a robot's controller: observations (n, i) float64 → actions (n, a) float64.

    What an observation holds, and in which order, is said by `observe` of the robot's module.
    """
    graph = Graph()
    mean = graph.constant(network.mean, np.float64, name="mean")
    scale = graph.constant(network.scale, np.float64, name="scale")
    low = graph.constant(-network.limit, np.float64, name="low")
    high = graph.constant(network.limit, np.float64, name="high")
    centered = graph.apply("Sub", "observation", mean, name="centered")
    standard = graph.apply("Mul", centered, scale, name="standard")
    hidden = graph.apply("Clip", standard, low, high, name="hidden0")
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        w = graph.constant(weight, np.float64, name=f"W{layer}")
        b = graph.constant(bias, np.float64, name=f"b{layer}")
        product = graph.apply("MatMul", hidden, w, name=f"product{layer}")
        out = "action" if layer == last else f"sum{layer}"
        hidden = graph.apply("Add", product, b, name=out)
        if layer < last:
            hidden = graph.apply("Tanh", hidden, name=f"hidden{layer + 1}")
    closed = graph.close(
        "policy",
        np.float64,
        {"observation": ["n", len(network.mean)]},
        {"action": ["n", len(network.biases[-1])]},
    )
    return _write(closed, [OPSET], f"The controller of task {task}", {})
