"""Forests as arrays that a graph walks: they load at once where `TreeEnsemble` takes seconds.

WebAssembly takes 23 µs a node to construct a `TreeEnsemble`, seconds for the larger ones. The same
trees as constants have no constructor. Each step of the walk is a few `Gather`s for all trees at
once, until nothing moves any more:

    at = roots
    repeat:  at = child[at] + not (x[feature[at]] <= value[at])

Children stand side by side, so that one number leads to both. A leaf leads to itself: its feature
is a column that is −∞, and its value is what it gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mbo_hub.arrays import Float32, Int
from mbo_hub.errors import InvalidFile
from mbo_hub.making.graphs import Graph

if TYPE_CHECKING:
    import onnx

__all__ = ["walked"]

SUM = 1  # aggregate_function
LESS_OR_EQUAL = 0  # of nodes_modes


class Trees(NamedTuple):
    """Trees as arrays over all their nodes and leaves.

    Attributes:
        feature: that a node asks for; −1 at a leaf: the last column, which is −∞.
        value: below or at which a node goes to its first child; what a leaf gives.
        child: the first of two that stand side by side; a leaf itself.
        roots: of each tree.
        depth: steps to the deepest leaf.
    """

    feature: Int[np.ndarray, " n"]
    value: Float32[np.ndarray, " n"]
    child: Int[np.ndarray, " n"]
    roots: Int[np.ndarray, " trees"]
    depth: int


def walked(raw: bytes) -> bytes:
    """Rewrite a model so that its forest is walked.

    Args:
        raw: an ONNX file; without a `TreeEnsemble` it comes back as it is.

    Returns:
        A model with the same inputs, outputs and leaves; sums are of float64, so that a value may
        differ by 1e-6 of what was added up.

    Raises:
        InvalidFile: a forest of another kind than this archive makes.
    """
    import onnx
    from onnx import helper

    model = onnx.load_from_string(raw)
    if not any(node.op_type == "TreeEnsemble" for node in model.graph.node):
        return raw
    nodes: list[onnx.NodeProto] = []
    constants = list(model.graph.initializer)
    for node in model.graph.node:
        if node.op_type != "TreeEnsemble":
            nodes.append(node)
            continue
        part = Graph(f"walked{len(nodes)}")
        _walk(part, node)
        nodes += part.nodes
        constants += part.constants
    graph = helper.make_graph(
        nodes, model.graph.name, model.graph.input, model.graph.output, constants
    )
    opsets = [opset for opset in model.opset_import if opset.domain == ""]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=model.ir_version)
    made.metadata_props.extend(model.metadata_props)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def _walk(graph: Graph, ensemble: onnx.NodeProto) -> None:
    """Write the walk in place of a node."""
    forest = _attributes(ensemble)
    if forest["aggregate_function"] != SUM or np.any(forest["nodes_modes"] != LESS_OR_EQUAL):
        raise InvalidFile("its forest is no sum of trees that ask 'less or equal'")
    if forest.get("post_transform", 0) or np.any(forest.get("nodes_missing_value_tracks_true", 0)):
        raise InvalidFile("its forest transforms sums, or sends missing values to the first child")
    trees = _arrays(forest)
    (x,), (y,) = ensemble.input, ensemble.output
    constants = {
        name: graph.constant(getattr(trees, name)) for name in ("feature", "value", "child")
    }
    rows = graph.apply("Shape", x, start=0, end=1)
    one = graph.constant([1], np.int64)
    tall = graph.apply("Concat", rows, one, axis=0)
    nothing = graph.apply("Expand", graph.constant([[-np.inf]], np.float32), tall)
    x = graph.apply("Concat", x, nothing, axis=1)
    count = graph.constant([len(trees.roots)], np.int64)
    shape = graph.apply("Concat", rows, count, axis=0)
    at = graph.apply("Expand", graph.constant(trees.roots[None]), shape)
    step = _step(f"{graph.prefix}.step", constants, x)
    most = graph.constant(trees.depth, np.int64)
    at = graph.apply("Loop", most, "", at, body=step)
    given = graph.apply("Gather", constants["value"], at)
    if forest["n_targets"] == 1:
        total = graph.apply("ReduceSum", graph.cast(given, np.float64), one, keepdims=1)
        graph.cast(total, np.float32, name=y)
    else:
        order = np.argsort(_targets(forest, len(trees.roots)))
        graph.apply("Gather", given, graph.constant(order, np.int64), axis=1, name=y)


def _step(prefix: str, constants: dict[str, str], x: str) -> onnx.GraphProto:
    """Write one step of all trees; it is repeated until nothing moves any more."""
    from onnx import TensorProto, helper

    body = Graph(prefix)
    at = f"{prefix}.at"
    asked = body.cast(body.apply("Gather", constants["feature"], at), np.int32)
    found = body.apply("GatherElements", x, asked, axis=1)
    # Not `Greater`: a value that is none goes where `TreeEnsemble` sends it.
    below = body.apply("LessOrEqual", found, body.apply("Gather", constants["value"], at))
    above = body.apply("Not", below)
    child = body.apply("Gather", constants["child"], at)
    there = body.apply("Add", child, body.cast(above, np.int32), name=f"{prefix}.there")
    moved = body.cast(body.apply("Sub", there, at), np.bool_)
    moves = body.apply("ReduceMax", body.cast(moved, np.int32), keepdims=0)
    body.cast(moves, np.bool_, name=f"{prefix}.moves")
    places = [None, None]
    return helper.make_graph(
        body.nodes,
        "step",
        [
            helper.make_tensor_value_info(f"{prefix}.count", TensorProto.INT64, []),
            helper.make_tensor_value_info(f"{prefix}.go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info(at, TensorProto.INT32, places),
        ],
        [
            helper.make_tensor_value_info(f"{prefix}.moves", TensorProto.BOOL, []),
            helper.make_tensor_value_info(f"{prefix}.there", TensorProto.INT32, places),
        ],
        body.constants,
    )


def _attributes(ensemble: onnx.NodeProto) -> dict[str, Any]:
    from onnx import helper, numpy_helper

    found = {a.name: helper.get_attribute_value(a) for a in ensemble.attribute}
    return {
        name: numpy_helper.to_array(value) if hasattr(value, "dims") else np.asarray(value)
        for name, value in found.items()
    }


def _targets(forest: dict[str, Any], trees: int) -> np.ndarray:
    """Of each tree the target to which all its leaves belong."""
    leaves = np.array([forest["leaf_targetids"][leaf] for leaf in forest["first_leaves"]])
    if forest["n_targets"] != trees or len({*leaves.tolist()}) != trees:
        raise InvalidFile("its forest has several targets, and not one for each tree")
    return leaves


def _arrays(forest: dict[str, Any]) -> Trees:
    """Number nodes anew, level by level of each tree, so that two children stand side by side."""
    feature: list[int] = []
    value: list[float] = []
    child: list[int] = []
    roots: list[int] = []
    first_leaves: list[int | None] = []
    nodes = tuple(
        forest[name].tolist()
        for name in ("nodes_featureids", "nodes_splits", "nodes_truenodeids", "nodes_trueleafs",
                     "nodes_falsenodeids", "nodes_falseleafs")
    )  # fmt: skip
    asks, splits, yes, yes_leaf, no, no_leaf = nodes
    weights = forest["leaf_weights"].tolist()
    depth = 0
    for root in forest["tree_roots"].tolist():
        roots.append(len(feature))
        level: list[tuple[int, bool]] = [(root, False)]
        place = len(feature)
        first_leaf: int | None = None
        steps = -1
        while level:
            steps += 1
            below: list[tuple[int, bool]] = []
            free = place + len(level)  # where the next level begins
            for node, leaf in level:
                if leaf:
                    feature.append(-1)
                    value.append(weights[node])
                    child.append(place)
                    first_leaf = node if first_leaf is None else first_leaf
                else:
                    feature.append(asks[node])
                    value.append(splits[node])
                    child.append(free + len(below))
                    below += [(yes[node], bool(yes_leaf[node])), (no[node], bool(no_leaf[node]))]
                place += 1
            level = below
        depth = max(depth, steps)
        first_leaves.append(first_leaf)
    forest["first_leaves"] = first_leaves
    return Trees(
        feature=np.array(feature, np.int16),
        value=np.array(value, np.float32),
        child=np.array(child, np.int32),
        roots=np.array(roots, np.int32),
        depth=depth,
    )
