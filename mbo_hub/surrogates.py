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

from mbo_hub import statistics, trust
from mbo_hub.errors import OracleUnavailable
from mbo_hub.manifest import Band, HeldOut, Support
from mbo_hub.offline import Affine
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
    "forest_features",
    "forest_graph",
    "hold_out",
    "make",
    "policy_model",
    "table_graph",
    "train_forest",
]

BANDS = 5  # of held-out designs, by distance
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
    nodes: list[onnx.NodeProto],
    space: Sequence | Box,
    constants: Mapping[str, Any],
    outputs: Mapping[str, str],
) -> onnx.GraphProto:
    """Make the graph around nodes that lead from `legal_x` to values, (n,).

    A token outside the alphabet would score like another design, and a forest has a value for any
    numbers, so an illegal design gets NaN.

    Args:
        nodes: compute what `outputs` names from `legal_x`, which equals `x` where that is legal.
        space: of the task.
        constants: that the nodes use, by name.
        outputs: name of each output of the graph, and of the value that becomes it.
    """
    from onnx import TensorProto, helper, numpy_helper

    checks, needed = _legality(space)
    chosen = [
        helper.make_node("Where", ["is_legal", value, "nan"], [output])
        for output, value in outputs.items()
    ]
    constants = {**needed, "nan": np.array(np.nan, np.float32), **constants}
    kind = TensorProto.INT64 if isinstance(space, Sequence) else TensorProto.FLOAT
    return helper.make_graph(
        [*checks, *nodes, *chosen],
        "oracle",
        [helper.make_tensor_value_info("x", kind, ["n", space.dim])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )


def _legality(space: Sequence | Box) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Nodes that lead from `x` to `is_legal`, (n,), and `legal_x`, and the constants they use."""
    from onnx import TensorProto, helper

    def every(what: str, so: str) -> list[onnx.NodeProto]:
        """Whether something holds for all columns of a row."""
        return [
            helper.make_node("Cast", [what], [f"{what}_each"], to=TensorProto.INT32),
            helper.make_node("ReduceMin", [f"{what}_each", "last_axis"], [f"{what}_all"],
                             keepdims=0),
            helper.make_node("Cast", [f"{what}_all"], [so], to=TensorProto.BOOL),
        ]  # fmt: skip

    constants: dict[str, Any] = {"last_axis": np.array([1], np.int64)}
    if isinstance(space, Sequence):
        constants |= {
            "first_token": np.array(0, np.int64),
            "last_token": np.array(len(space.alphabet) - 1, np.int64),
        }
        ordered = space.padding is not None
        nodes = [
            helper.make_node("Clip", ["x", "first_token", "last_token"], ["legal_x"]),
            helper.make_node("Equal", ["x", "legal_x"], ["token_is_legal"]),
            *every("token_is_legal", "tokens_are_legal" if ordered else "is_legal"),
        ]
        if space.padding is not None:  # the first token is none, and only padding follows padding
            constants |= {
                "padding": np.array(space.alphabet.index(space.padding), np.int64),
                "begin": np.array([0], np.int64),
                "second": np.array([1], np.int64),
                "last": np.array([space.dim - 1], np.int64),
                "end": np.array([space.dim], np.int64),
            }
            nodes += [
                helper.make_node("Equal", ["legal_x", "padding"], ["is_padding"]),
                helper.make_node("Cast", ["is_padding"], ["pads"], to=TensorProto.INT32),
                helper.make_node("Slice", ["pads", "begin", "last", "last_axis"], ["before"]),
                helper.make_node("Slice", ["pads", "second", "end", "last_axis"], ["after"]),
                helper.make_node("LessOrEqual", ["before", "after"], ["stays_padding"]),
                *every("stays_padding", "padding_ends"),
                helper.make_node("Slice", ["is_padding", "begin", "second", "last_axis"],
                                 ["starts_empty"]),
                helper.make_node("Not", ["starts_empty"], ["starts"]),
                *every("starts", "has_tokens"),
                helper.make_node("And", ["padding_ends", "has_tokens"], ["order_is_legal"]),
                helper.make_node("And", ["tokens_are_legal", "order_is_legal"], ["is_legal"]),
            ]  # fmt: skip
        return nodes, constants
    # The root of how far a value is inside its bounds is NaN outside them, and so is the sum.
    low, high = space.bounds
    constants["most"] = np.array(np.finfo(np.float32).max)
    nodes = [helper.make_node("Identity", ["x"], ["legal_x"])]
    sums: list[str] = []
    for name, bound, order in (("low", low, ["x", "low"]), ("high", high, ["high", "x"])):
        bounded = np.isfinite(bound)
        if not bounded.any() and (name == "low" or sums):
            continue
        inside = f"inside_{name}"
        if bounded.all():
            constants[name] = bound
            nodes.append(helper.make_node("Sub", order, [inside]))
        else:  # some values are free on this side
            constants |= {name: np.where(bounded, bound, 0), f"free_{name}": ~bounded}
            nodes += [
                helper.make_node("Sub", order, [f"past_{name}"]),
                helper.make_node("Abs", ["x"], [f"size_{name}"]),
                helper.make_node("Where", [f"free_{name}", f"size_{name}", f"past_{name}"],
                                 [inside]),
            ]  # fmt: skip
        nodes += [
            helper.make_node("Sqrt", [inside], [f"root_{name}"]),
            helper.make_node("ReduceSum", [f"root_{name}", "last_axis"], [f"sum_{name}"],
                             keepdims=0),
        ]  # fmt: skip
        sums.append(f"sum_{name}")
    if len(sums) > 1:
        nodes.append(helper.make_node("Add", sums, ["sum"]))
    nodes.append(helper.make_node("LessOrEqual", [(["sum"] if len(sums) > 1 else sums)[0], "most"],
                                  ["inside" if space.nonzero else "is_legal"]))  # fmt: skip
    if space.nonzero:
        constants["zero"] = np.array(0, np.float32)
        if low.any():
            nodes += [
                helper.make_node("Abs", ["x"], ["sizes"]),
                helper.make_node("ReduceSum", ["sizes", "last_axis"], ["size"], keepdims=0),
            ]
        nodes += [
            helper.make_node("Greater", ["size" if low.any() else "sum_low", "zero"], ["some"]),
            helper.make_node("And", ["inside", "some"], ["is_legal"]),
        ]
    return nodes, constants


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
    return _graph(nodes, space, {"places": places, "values": table.values}, {"y": "value"})


def forest_features(
    space: Sequence | Box,
    x: Num[np.ndarray, "n d"],
    grams: Int[np.ndarray, "g m"] | None,
    period: int | None = None,
) -> Float32[np.ndarray, "n f"]:
    """What a forest sees: counts of n-grams, one-hot tokens, or the values themselves.

    Args:
        space: of the task.
        x: legal designs.
        grams: n-grams to count.
        period: beside one-hot tokens, count those at positions that are equal modulo this.
    """
    if grams is not None:
        from mbo_hub import ngrams

        return ngrams.counts(space.validate(x), grams)
    if isinstance(space, Sequence):
        one_hot = space.one_hot(x)
        flat = one_hot.reshape(len(x), -1)
        if period is None:
            return flat
        counts = one_hot.reshape(len(x), space.length // period, -1).sum(1)
        return np.concatenate([flat, counts], axis=1)
    return space.validate(x)


def forest_graph(
    space: Sequence | Box,
    forest: Any,
    grams: Int[np.ndarray, "g m"] | None = None,
    *,
    period: int | None = None,
    spread: bool = False,
) -> onnx.GraphProto:
    """Write a scikit-learn forest of regression trees as one TreeEnsemble (ai.onnx.ml 5).

    scikit-learn compares float32 features with float64 thresholds. A threshold rounded *down* to
    float32 routes every float32 feature the same way; rounded to nearest it does not.

    Args:
        space: of the task; tokens are one-hot encoded, or counted, inside the graph.
        forest: a fitted forest with `estimators_`, one output.
        grams: n-grams of tokens that are counted, as `ngrams.vocabulary` writes them; None for
            one-hot tokens.
        period: as in `forest_features`.
        spread: add an output `spread`, the standard deviation over the trees.
    """
    from onnx import helper, numpy_helper

    trees = [estimator.tree_ for estimator in forest.estimators_]
    parts = _flatten(trees, apart=spread)
    nodes = [
        helper.make_node(
            "TreeEnsemble",
            ["features"],
            ["columns"],
            domain="ai.onnx.ml",
            n_targets=len(trees) if spread else 1,
            aggregate_function=1,  # SUM; without spread, leaves are divided by the number of trees
            post_transform=0,
            nodes_splits=numpy_helper.from_array(parts.pop("splits"), "splits"),
            nodes_modes=numpy_helper.from_array(parts.pop("modes"), "modes"),
            leaf_weights=numpy_helper.from_array(parts.pop("weights"), "weights"),
            **{name: values.tolist() for name, values in parts.items()},
        ),
    ]
    constants: dict[str, Any] = {}
    outputs = {"y": "value"}
    if spread:
        outputs["spread"] = "deviation"
        nodes += [
            helper.make_node("ReduceMean", ["columns", "last_axis"], ["value"], keepdims=0),
            helper.make_node("ReduceMean", ["columns", "last_axis"], ["middle"], keepdims=1),
            helper.make_node("Sub", ["columns", "middle"], ["deviations"]),
            helper.make_node("Mul", ["deviations", "deviations"], ["squares"]),
            helper.make_node("ReduceMean", ["squares", "last_axis"], ["variance"], keepdims=0),
            helper.make_node("Sqrt", ["variance"], ["deviation"]),
        ]
    else:
        constants["flat_shape"] = np.array([-1], np.int64)
        nodes.append(helper.make_node("Reshape", ["columns", "flat_shape"], ["value"]))
    if grams is not None:
        from mbo_hub import ngrams

        features, more = ngrams.nodes("legal_x", "features", grams)
        constants |= more
    elif isinstance(space, Sequence):
        k = len(space.alphabet)
        constants |= {
            "depth": np.array(k, np.int64),  # 0-d: the reference evaluator fails on shape (1,)
            "off_on": np.array([0, 1], np.float32),
            "feature_shape": np.array([-1, k * space.length], np.int64),
        }
        features = [
            helper.make_node("OneHot", ["legal_x", "depth", "off_on"], ["one_hot"], axis=-1),
            helper.make_node("Reshape", ["one_hot", "feature_shape"],
                             ["features" if period is None else "choices"]),
        ]  # fmt: skip
        if period is not None:
            constants["period_shape"] = np.array([-1, space.length // period, k * period], np.int64)
            features += [
                helper.make_node("Reshape", ["one_hot", "period_shape"], ["periods"]),
                helper.make_node("ReduceSum", ["periods", "last_axis"], ["counts"], keepdims=0),
                helper.make_node("Concat", ["choices", "counts"], ["features"], axis=1),
            ]
    else:
        features = [helper.make_node("Identity", ["legal_x"], ["features"])]
    return _graph([*features, *nodes], space, constants, outputs)


def _flatten(trees: list[Any], *, apart: bool) -> dict[str, Any]:
    """Number the nodes and leaves of all trees through, as TreeEnsemble wants them.

    Args:
        trees: scikit-learn's.
        apart: each tree is a target of its own, instead of all adding up to their mean.
    """
    collected: dict[str, list[Any]] = {
        name: []
        for name in ("nodes_featureids", "splits", "nodes_trueleafs", "nodes_falseleafs",
                     "nodes_truenodeids", "nodes_falsenodeids", "weights")
    }  # fmt: skip
    roots, targets, nodes, leaves = [], [], 0, 0
    for which, tree in enumerate(trees):
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
        collected["weights"].append(tree.value[is_leaf, 0, 0] / (1 if apart else len(trees)))
        targets.append(np.full(np.count_nonzero(is_leaf), which if apart else 0))
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
        "leaf_targetids": np.concatenate(targets).astype(np.int64),
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
) -> tuple[Any, Int[np.ndarray, "g m"] | None]:
    """Train a scikit-learn forest on all rows but the held-out ones.

    Returns:
        The forest, and the n-grams that it counts where it does.
    """
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    make_forest = {"random": RandomForestRegressor, "extra": ExtraTreesRegressor}[kind.kind]
    forest = make_forest(
        kind.trees,
        max_leaf_nodes=kind.leaves,
        min_samples_leaf=kind.least,
        max_features=kind.max_features,
        random_state=kind.seed,
        n_jobs=-1,  # each tree has its own seed, so the number of jobs changes nothing
    )
    seen = x[~held]
    grams = None
    if kind.ngrams is not None:
        if not isinstance(spec.space, Sequence):
            raise TypeError("only sequences have n-grams")
        from mbo_hub import ngrams

        grams = ngrams.vocabulary(spec.space, seen, kind.ngrams)
    forest.fit(forest_features(spec.space, seen, grams, kind.period), y[~held])
    forest.n_jobs = 1
    return forest, grams


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
    forest, grams = train_forest(spec, kind, x, y, held)
    predicted = forest.predict(forest_features(spec.space, x, grams, kind.period))
    distinct = _distinct(x, held)
    rule = f"{np.mean(held):.0%} of the rows, drawn at random (seed {kind.seed})"
    by_row = None
    if spec.groups is not None:
        rule += f" {spec.groups.words}"
        among = hold_out(kind, rows)
        other, others = train_forest(spec, kind, x, y, among)
        again = other.predict(forest_features(spec.space, x[among], others, kind.period))
        by_row = _metrics(y[among], again)["spearman"]
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    trained_on = (
        f"{np.count_nonzero(~held):,} of all {len(x):,} rows; the held-out rows are not among them"
    )
    if kind.own:
        rule_of_all = statistics.rule_of(spec.visible, y)
        scale = Affine.fit(x[statistics.visible_rows(rule_of_all, y)]).std
        known["mean_absolute_error_seen"] = _error(y[~held], predicted[~held])
        known["by_distance"] = _bands(
            trust.measure(spec.space, x[~held], scale),
            trust.nearest(spec.space, x[distinct], np.unique(x[~held], axis=0), scale),
            y[distinct],
            predicted[distinct],
        )
        extra["mbo.support"] = msgspec.json.encode(trust.measure(spec.space, x, scale)).decode()
    held_out = HeldOut(
        rows=len(distinct),
        rule=rule,
        spearman_random_rows=by_row,
        **_metrics(y[distinct], predicted[distinct]),
        **known,
    )
    if kind.own:
        trained_on = (
            f"all {len(x):,} rows; the held-out figures are those of a second forest, which did "
            "not see the held-out rows"
        )
        forest, grams = train_forest(spec, kind, x, y, np.zeros(len(x), bool))
        predicted = forest.predict(forest_features(spec.space, x, grams, kind.period))
    extra |= {
        "mbo.held_out": msgspec.json.encode(held_out).decode(),
        "mbo.trained_on": trained_on,
    }
    graph = forest_graph(spec.space, forest, grams, period=kind.period, spread=kind.own)
    made = Made(_finish(graph, spec, extra), held_out, trained_on)
    _check_parity(spec, made, x, predicted, tolerance=1e-5 * float(np.ptp(y)))
    return made


def _bands(
    support: Support,
    apart: Float64[np.ndarray, " n"],
    y: Float32[np.ndarray, " n"],
    predicted: Float64[np.ndarray, " n"],
) -> tuple[Band, ...]:
    """Part held-out designs into bands by their distance to the nearest design trained on."""
    percentiles = trust.percentiles(support, apart)
    order = np.argsort(apart, kind="stable")
    bands = []
    for rows in np.array_split(order, BANDS):
        rho = _spearman(y[rows], predicted[rows])
        bands.append(
            Band(
                percentiles=(float(percentiles[rows[0]]), float(percentiles[rows[-1]])),
                rows=len(rows),
                spearman=None if np.isnan(rho) else round(rho, 4),
                mean_absolute_error=_error(y[rows], predicted[rows]),
            )
        )
    return tuple(bands)


def _distinct(x: Num[np.ndarray, "n d"], held: Bool[np.ndarray, " n"]) -> Int64[np.ndarray, " m"]:
    """The held-out rows, each design once."""
    rows = np.flatnonzero(held)
    return rows[np.unique(x[rows], axis=0, return_index=True)[1]]


def _metrics(y: Float32[np.ndarray, " n"], predicted: Float64[np.ndarray, " n"]) -> dict[str, Any]:
    top = y >= np.quantile(y, 0.9)
    return {
        "spearman": round(_spearman(y, predicted), 4),
        "spearman_top_decile": round(_spearman(y[top], predicted[top]), 4),
        "mean_absolute_error": _error(y, predicted),
    }


def _spearman(y: Float32[np.ndarray, " n"], predicted: Float64[np.ndarray, " n"]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(y, predicted).statistic)


def _error(y: Float32[np.ndarray, " n"], predicted: Float64[np.ndarray, " n"]) -> float:
    return round(float(np.abs(y - predicted).mean()), 6)


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
