"""Make ONNX oracles: a measured table as a graph, and forests; then check that they agree.

Every graph goes from raw designs `x`, (n, d) int64 tokens or float32, to raw values `y`, (n,)
float32, with a dynamic batch. What a user should know stands in the file's metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub.errors import OracleUnavailable
from mbo_hub.manifest import HeldOut
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.oracles.table import TableOracle
from mbo_hub.schema import matrix
from mbo_hub.spaces import Box, Sequence
from mbo_hub.spec import Forest, TableGraph, TaskSpec
from mbo_hub.typing import Bool, Float32, Float64, Int, Int64, Num

if TYPE_CHECKING:
    import onnx
    import polars as pl

    from mbo_hub.oracles.mujoco.rollout import Network

__all__ = [
    "GOLDEN",
    "Made",
    "forest_graph",
    "hold_out",
    "make",
    "policy_model",
    "table_graph",
    "train_forest",
]

GOLDEN = 50  # designs whose values are published beside the graphs


@dataclass(frozen=True)
class Made:
    """An ONNX oracle file.

    Attributes:
        model: content of the file.
        held_out: how it does on rows that it was not trained on; None for a table.
        trained_on: which rows it saw.
    """

    model: bytes
    held_out: HeldOut | None
    trained_on: str


def make(
    spec: TaskSpec,
    kind: TableGraph | Forest,
    frame: pl.DataFrame,
) -> Made:
    """Make one of a task's ONNX oracles from its full data and check it.

    Args:
        spec: of the task.
        kind: what to make.
        frame: all rows, visible and hidden.

    Raises:
        OracleUnavailable: what onnxruntime computes is not what was exported.
    """
    x, y = matrix(frame["x"], spec.space), frame["y"].to_numpy()
    if isinstance(kind, TableGraph):
        table = TableOracle(spec.space, x, y)
        made = Made(_finish(table_graph(table), spec, {}), None, "")
        _check_parity(spec, made, x, table(x), tolerance=0.0)
        return made
    return _make_forest(spec, kind, frame, x, y)


def _finish(graph: onnx.GraphProto, spec: TaskSpec, extra: Mapping[str, str]) -> bytes:
    """Wrap a graph into a checked model with metadata; identical input, identical bytes."""
    import onnx
    from onnx import helper

    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 5)],
        ir_version=10,
        producer_name="mbo_hub",
        doc_string=f"{spec.title}: {spec.objective.description}",
    )
    described = {
        "mbo.task": spec.name,
        "mbo.dataset_version": spec.version,
        "mbo.input": _describe_input(spec.space),
        "mbo.output": f"y: float32 (n,), {spec.objective.name}",
        "mbo.license": "Apache-2.0",
        **extra,
    }
    helper.set_model_props(model, described)
    onnx.checker.check_model(model, full_check=True)
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw


def _describe_input(space: Sequence | Box) -> str:
    if isinstance(space, Sequence):
        tokens = ", ".join(f"{i} = {token}" for i, token in enumerate(space.alphabet))
        return f"x: int64 (n, {space.dim}), tokens {tokens}; other tokens give meaningless values"
    return f"x: float32 (n, {space.dim}), raw units"


def _graph(
    nodes: list[onnx.NodeProto], space: Sequence | Box, constants: Mapping[str, Any]
) -> onnx.GraphProto:
    """Make the graph around nodes that lead from `legal_x` to `value`, (n,).

    A token outside the alphabet would score like another design, so such a design gets NaN.
    """
    from onnx import TensorProto, helper, numpy_helper

    if isinstance(space, Sequence):
        constants = {
            "first_token": np.array(0, np.int64),
            "last_token": np.array(len(space.alphabet) - 1, np.int64),
            "last_axis": np.array([1], np.int64),
            "nan": np.array(np.nan, np.float32),
            **constants,
        }
        nodes = [
            helper.make_node("Clip", ["x", "first_token", "last_token"], ["legal_x"]),
            helper.make_node("Equal", ["x", "legal_x"], ["token_is_legal"]),
            helper.make_node("Cast", ["token_is_legal"], ["tokens_ok"], to=TensorProto.INT32),
            helper.make_node("ReduceMin", ["tokens_ok", "last_axis"], ["all_ok"], keepdims=0),
            helper.make_node("Cast", ["all_ok"], ["is_legal"], to=TensorProto.BOOL),
            *nodes,
            helper.make_node("Where", ["is_legal", "value", "nan"], ["y"]),
        ]
    else:
        nodes = [
            helper.make_node("Identity", ["x"], ["legal_x"]),
            *nodes,
            helper.make_node("Identity", ["value"], ["y"]),
        ]
    kind = TensorProto.INT64 if isinstance(space, Sequence) else TensorProto.FLOAT
    return helper.make_graph(
        nodes,
        "oracle",
        [helper.make_tensor_value_info("x", kind, ["n", space.dim])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )


def table_graph(table: TableOracle) -> onnx.GraphProto:
    """Write a table as a graph: tokens · place values → index → Gather."""
    from onnx import helper

    space = table.space
    places = len(space.alphabet) ** np.arange(space.length - 1, -1, -1, dtype=np.int64)
    nodes = [
        helper.make_node("Mul", ["legal_x", "places"], ["digits"]),
        helper.make_node("ReduceSum", ["digits", "last_axis"], ["index"], keepdims=0),
        helper.make_node("Gather", ["values", "index"], ["value"], axis=0),
    ]
    return _graph(nodes, space, {"places": places, "values": table.values})


def _features(space: Sequence | Box, x: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, "n f"]:
    """What a forest sees: one-hot tokens, or the values themselves."""
    if isinstance(space, Sequence):
        return space.one_hot(x).reshape(len(x), -1)
    return space.validate(x)


def forest_graph(space: Sequence | Box, forest: Any) -> onnx.GraphProto:
    """Write a scikit-learn forest of regression trees as one TreeEnsemble (ai.onnx.ml 5).

    scikit-learn compares float32 features with float64 thresholds. A threshold rounded *down* to
    float32 routes every float32 feature the same way; rounded to nearest it does not.

    Args:
        space: of the task; tokens are one-hot encoded inside the graph.
        forest: a fitted forest with `estimators_`, one output.
    """
    from onnx import helper, numpy_helper

    trees = [estimator.tree_ for estimator in forest.estimators_]
    parts = _flatten(trees)
    nodes = [
        helper.make_node(
            "TreeEnsemble",
            ["features"],
            ["columns"],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function=1,  # SUM; the leaves are divided by the number of trees
            post_transform=0,
            nodes_splits=numpy_helper.from_array(parts.pop("splits"), "splits"),
            nodes_modes=numpy_helper.from_array(parts.pop("modes"), "modes"),
            leaf_weights=numpy_helper.from_array(parts.pop("weights"), "weights"),
            **{name: values.tolist() for name, values in parts.items()},
        ),
        helper.make_node("Reshape", ["columns", "flat_shape"], ["value"]),
    ]
    constants: dict[str, Any] = {"flat_shape": np.array([-1], np.int64)}
    if isinstance(space, Sequence):
        k = len(space.alphabet)
        constants |= {
            "depth": np.array(k, np.int64),  # 0-d: the reference evaluator fails on shape (1,)
            "off_on": np.array([0, 1], np.float32),
            "feature_shape": np.array([-1, k * space.length], np.int64),
        }
        features = [
            helper.make_node("OneHot", ["legal_x", "depth", "off_on"], ["one_hot"], axis=-1),
            helper.make_node("Reshape", ["one_hot", "feature_shape"], ["features"]),
        ]
    else:
        features = [helper.make_node("Identity", ["legal_x"], ["features"])]
    return _graph([*features, *nodes], space, constants)


def _flatten(trees: list[Any]) -> dict[str, Any]:
    """Number the nodes and leaves of all trees through, as TreeEnsemble wants them."""
    collected: dict[str, list[Any]] = {
        name: []
        for name in ("nodes_featureids", "splits", "nodes_trueleafs", "nodes_falseleafs",
                     "nodes_truenodeids", "nodes_falsenodeids", "weights")
    }  # fmt: skip
    roots, nodes, leaves = [], 0, 0
    for tree in trees:
        left, right = tree.children_left, tree.children_right
        is_leaf = left < 0
        inner = np.flatnonzero(~is_leaf)
        if not len(inner):
            raise OracleUnavailable(
                "a tree of the forest is a single leaf; there is nothing to learn"
            )
        number = np.empty(len(left), np.int64)  # of a node among nodes, of a leaf among leaves
        number[inner] = nodes + np.arange(len(inner))
        number[is_leaf] = leaves + np.arange(np.count_nonzero(is_leaf))
        collected["nodes_featureids"].append(tree.feature[inner])
        collected["splits"].append(_round_down(tree.threshold[inner]))
        collected["nodes_trueleafs"].append(is_leaf[left[inner]])
        collected["nodes_falseleafs"].append(is_leaf[right[inner]])
        collected["nodes_truenodeids"].append(number[left[inner]])
        collected["nodes_falsenodeids"].append(number[right[inner]])
        collected["weights"].append(tree.value[is_leaf, 0, 0] / len(trees))
        roots.append(nodes)
        nodes += len(inner)
        leaves += int(np.count_nonzero(is_leaf))
    joined = {name: np.concatenate(parts) for name, parts in collected.items()}
    whole = {
        name: joined.pop(name).astype(np.int64)
        for name in list(joined)
        if name.startswith("nodes_")
    }
    return whole | {
        "tree_roots": np.array(roots, np.int64),
        "splits": joined["splits"],
        "modes": np.zeros(nodes, np.uint8),  # BRANCH_LEQ
        "weights": joined["weights"].astype(np.float32),
        "leaf_targetids": np.zeros(leaves, np.int64),
    }


def _round_down(thresholds: Float64[np.ndarray, " n"]) -> Float32[np.ndarray, " n"]:
    """The largest float32 at or below each threshold."""
    nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.where(nearest > thresholds, below, nearest)


def train_forest(
    spec: TaskSpec,
    kind: Forest,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    held: Bool[np.ndarray, " n"],
) -> Any:
    """Train a scikit-learn forest on all rows but the held-out ones."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(
        kind.trees,
        max_leaf_nodes=kind.leaves,
        max_features=kind.max_features,
        random_state=kind.seed,
        n_jobs=-1,  # each tree has its own seed, so the number of jobs changes nothing
    )
    forest.fit(_features(spec.space, x[~held]), y[~held])
    forest.n_jobs = 1
    return forest


def hold_out(kind: Forest, groups: Int[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Choose the rows of a random part of the groups."""
    names = np.unique(groups)
    chosen = np.random.default_rng(kind.seed).permutation(names)
    return np.isin(groups, chosen[: max(1, round(kind.held_out * len(names)))])


def _make_forest(
    spec: TaskSpec,
    kind: Forest,
    frame: pl.DataFrame,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
) -> Made:
    rows = np.arange(len(x))
    held = hold_out(kind, rows if spec.groups is None else spec.groups.of(frame))
    forest = train_forest(spec, kind, x, y, held)
    predicted = forest.predict(_features(spec.space, x))
    distinct = _distinct(x, held)
    rule = f"{np.mean(held):.0%} of the rows, drawn at random (seed {kind.seed})"
    by_row = None
    if spec.groups is not None:
        rule += f" {spec.groups.words}"
        among = hold_out(kind, rows)
        other = train_forest(spec, kind, x, y, among)
        again = other.predict(_features(spec.space, x[among]))
        by_row = _metrics(y[among], again)["spearman"]
    held_out = HeldOut(
        rows=len(distinct),
        rule=rule,
        spearman_random_rows=by_row,
        **_metrics(y[distinct], predicted[distinct]),
    )
    trained_on = (
        f"{np.count_nonzero(~held):,} of all {len(x):,} rows; the held-out rows are not among them"
    )
    extra = {
        "mbo.held_out": msgspec.json.encode(held_out).decode(),
        "mbo.trained_on": trained_on,
    }
    made = Made(_finish(forest_graph(spec.space, forest), spec, extra), held_out, trained_on)
    _check_parity(spec, made, x, predicted, tolerance=1e-5 * float(np.ptp(y)))
    return made


def _distinct(x: Num[np.ndarray, "n d"], held: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """The held-out rows, each design once."""
    rows = np.flatnonzero(held)
    return rows[np.unique(x[rows], axis=0, return_index=True)[1]]


def _metrics(
    y: Float32[np.ndarray, " n"], predicted: Float64[np.ndarray, " n"]
) -> dict[str, float]:
    from scipy.stats import spearmanr

    top = y >= np.quantile(y, 0.9)
    return {
        "spearman": round(float(spearmanr(y, predicted).statistic), 4),
        "spearman_top_decile": round(float(spearmanr(y[top], predicted[top]).statistic), 4),
        "mean_absolute_error": round(float(np.abs(y - predicted).mean()), 6),
    }


def _check_parity(
    spec: TaskSpec,
    made: Made,
    x: Num[np.ndarray, "n d"],
    wanted: Num[np.ndarray, " n"],
    tolerance: float,
) -> None:
    """Score every row with onnxruntime and compare."""
    oracle = OnnxOracle(spec.space, made.model, "the new model", exact=False)
    apart = float(np.abs(oracle(x) - wanted).max())
    if not apart <= tolerance:
        raise OracleUnavailable(
            f"the exported model differs by {apart:g}; allowed is {tolerance:g}"
        )


def policy_model(network: Network, task: str) -> bytes:
    """Export a robot's controller: observations (n, i) float64 → actions (n, a) float64.

    What an observation holds, and in which order, is said by `observe` of the robot's module.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, Any] = {
        "mean": network.mean,
        "scale": network.scale,
        "low": np.array(-network.limit),
        "high": np.array(network.limit),
    }
    nodes = [
        helper.make_node("Sub", ["observation", "mean"], ["centered"]),
        helper.make_node("Mul", ["centered", "scale"], ["standard"]),
        helper.make_node("Clip", ["standard", "low", "high"], ["hidden0"]),
    ]
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        constants |= {f"W{layer}": weight, f"b{layer}": bias}
        out = "action" if layer == last else f"sum{layer}"
        nodes += [
            helper.make_node("MatMul", [f"hidden{layer}", f"W{layer}"], [f"product{layer}"]),
            helper.make_node("Add", [f"product{layer}", f"b{layer}"], [out]),
        ]
        if layer < last:
            nodes.append(helper.make_node("Tanh", [out], [f"hidden{layer + 1}"]))
    kind = TensorProto.DOUBLE
    inputs = helper.make_tensor_value_info("observation", kind, ["n", len(network.mean)])
    outputs = helper.make_tensor_value_info("action", kind, ["n", len(network.biases[-1])])
    arrays = [numpy_helper.from_array(np.asarray(v, np.float64), k) for k, v in constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "policy", [inputs], [outputs], arrays),
        opset_imports=[helper.make_opsetid("", 21)],
        ir_version=10,
        producer_name="mbo_hub",
        doc_string=f"The controller of task {task}",
    )
    onnx.checker.check_model(model, full_check=True)
    raw: bytes = model.SerializeToString(deterministic=True)
    return raw
