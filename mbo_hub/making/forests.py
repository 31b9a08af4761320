"""Make ONNX oracles: a measured table as a graph, and forests; then check that they agree.

Every graph goes from raw designs `x`, (n, d) int64 tokens or float32, to raw values `y`, (n,)
float32, with a dynamic batch. What a user should know stands in the file's metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub.arrays import Bool, Float32, Float64, Int, Int64, Num
from mbo_hub.dataset import figures
from mbo_hub.dataset.manifest import Band, Finding, HeldOut
from mbo_hub.dataset.schema import matrix
from mbo_hub.errors import OracleUnavailable
from mbo_hub.making import atom_pairs
from mbo_hub.offline import Affine
from mbo_hub.oracles.onnx import Forest, OnnxOracle, TableGraph
from mbo_hub.oracles.table import TableOracle
from mbo_hub.scoring import trust
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks.spec import TaskSpec

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
        made = Made(finish(table_graph(table), spec, {}), None, "")
        _check_parity(spec, made.model, x, table(x), 0.0)
        return made
    return _make_forest(spec, kind, frame, x, y)


def finish(graph: onnx.GraphProto, spec: TaskSpec, extra: Mapping[str, str]) -> bytes:
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


def surround(
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
    return surround(nodes, space, {"places": places, "values": table.values}, {"y": "value"})


def forest_features(
    space: Sequence | Box,
    x: Num[np.ndarray, "n d"],
    pairs: Int[np.ndarray, "g 3"] | None,
    period: int | None = None,
) -> Float32[np.ndarray, "n f"]:
    """What a forest sees: counts of pairs of atoms, one-hot tokens, or the values themselves.

    Args:
        space: of the task.
        x: legal designs.
        pairs: of atoms to count.
        period: beside one-hot tokens, count those at positions that are equal modulo this.
    """
    if isinstance(space, Sequence):
        if pairs is not None:
            return atom_pairs.counts(space, x, pairs)
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
    pairs: Int[np.ndarray, "g 3"] | None = None,
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
        pairs: pairs of atoms that are counted, as `atom_pairs.vocabulary` lists them; None for
            one-hot tokens.
        period: as in `forest_features`.
        spread: add an output `spread`, the standard deviation over the trees.
    """
    from onnx import TensorProto, helper, numpy_helper

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
        # A column is a leaf's own value. Runtimes add columns up in their own orders, which float32
        # would show in its last bits.
        nodes += [
            helper.make_node("Cast", ["columns"], ["trees"], to=TensorProto.DOUBLE),
            helper.make_node("ReduceMean", ["trees", "last_axis"], ["middle"], keepdims=1),
            helper.make_node("Sub", ["trees", "middle"], ["deviations"]),
            helper.make_node("Mul", ["deviations", "deviations"], ["squares"]),
            helper.make_node("ReduceMean", ["squares", "last_axis"], ["variance"], keepdims=0),
            helper.make_node("Sqrt", ["variance"], ["exact_deviation"]),
            helper.make_node("ReduceMean", ["trees", "last_axis"], ["mean"], keepdims=0),
            helper.make_node("Cast", ["mean"], ["value"], to=TensorProto.FLOAT),
            helper.make_node("Cast", ["exact_deviation"], ["deviation"], to=TensorProto.FLOAT),
        ]
    else:
        constants["flat_shape"] = np.array([-1], np.int64)
        nodes.append(helper.make_node("Reshape", ["columns", "flat_shape"], ["value"]))
    if isinstance(space, Sequence) and pairs is not None:
        features, more = atom_pairs.nodes("legal_x", "features", space, pairs)
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
    return surround([*features, *nodes], space, constants, outputs)


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
) -> tuple[Any, Int[np.ndarray, "g 3"] | None]:
    """Train a scikit-learn forest on all rows but the held-out ones.

    Returns:
        The forest, and the pairs of atoms that it counts where it does.
    """
    seen, pairs = x[~held], None
    if kind.atom_pairs:
        if not isinstance(spec.space, Sequence):
            raise TypeError("only sequences of SMILES tokens have atoms")
        pairs = atom_pairs.vocabulary(spec.space, seen)
    return _fit(kind, forest_features(spec.space, seen, pairs, kind.period), y[~held]), pairs


def _fit(kind: Forest, features: Float32[np.ndarray, "n f"], y: Float32[np.ndarray, " n"]) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    make_forest = {"random": RandomForestRegressor, "extra": ExtraTreesRegressor}[kind.method]
    forest = make_forest(
        kind.trees,
        max_leaf_nodes=kind.leaves,
        min_samples_leaf=kind.least,
        max_features=kind.max_features,
        random_state=kind.seed,
        n_jobs=-1,  # each tree has its own seed, so the number of jobs changes nothing
    )
    forest.fit(features, y)
    forest.n_jobs = 1
    return forest


def hold_out(kind: Forest, groups: Int[np.ndarray, " n"], part: int = 0) -> Bool[np.ndarray, " n"]:
    """Choose the rows of a random part of the groups; no two of `kind.parts` parts share one."""
    names = np.unique(groups)
    chosen = np.random.default_rng(kind.seed).permutation(names)
    size = max(1, round(kind.held_out * len(names)))
    # Rounding may leave a few groups over; the last of several parts takes them.
    end = len(names) if part + 1 == kind.parts > 1 else (part + 1) * size
    return np.isin(groups, chosen[part * size : end])


@dataclass(frozen=True)
class _Trial:
    """What a forest said that did not see some rows.

    Attributes:
        held: the rows that it did not see, (n,).
        predicted: its values of all rows, (n,).
    """

    held: Bool[np.ndarray, " n"]
    predicted: Float64[np.ndarray, " n"]


def _try(
    kind: Forest,
    groups: Int[np.ndarray, " n"],
    predict: Callable[[Bool[np.ndarray, " n"]], Float64[np.ndarray, " n"]],
) -> list[_Trial]:
    """Hold out part after part.

    Args:
        kind: says how large the parts are, and how many.
        groups: rows of a group are held out together.
        predict: trains a forest without the rows that it is told, and gives its values of all rows.
    """
    parts = [hold_out(kind, groups, part) for part in range(kind.parts)]
    return [_Trial(held, predict(held)) for held in parts]


def _pooled(
    x: Num[np.ndarray, "n d"], y: Float32[np.ndarray, " n"], trials: list[_Trial]
) -> tuple[Float32[np.ndarray, " m"], Float64[np.ndarray, " m"]]:
    """The held-out values of all trials, each design once, and what was predicted."""
    rows = [_distinct(x, trial.held) for trial in trials]
    predicted = [trial.predicted[r] for trial, r in zip(trials, rows, strict=True)]
    return y[np.concatenate(rows)], np.concatenate(predicted)


def _make_forest(
    spec: TaskSpec,
    kind: Forest,
    frame: pl.DataFrame,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
) -> Made:
    rows = np.arange(len(x))
    groups = rows if spec.groups is None else spec.groups.of(frame)
    if kind.parts > 1 and not kind.own:
        raise TypeError(f"{spec.name}: a forest that misses several parts cannot be published")
    forest: Any = None
    pairs: Int[np.ndarray, "g 3"] | None = None

    def predict(held: Bool[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        nonlocal forest, pairs
        forest, pairs = train_forest(spec, kind, x, y, held)
        features = forest_features(spec.space, x, pairs, kind.period)
        values: Float64[np.ndarray, " n"] = forest.predict(features)
        return values

    by_row = _spearman(*_pooled(x, y, _try(kind, rows, predict))) if spec.groups else None
    trials = _try(kind, groups, predict)
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    seen = len(x) - np.count_nonzero(trials[-1].held)
    trained_on = f"{seen:,} of all {len(x):,} rows; the held-out rows are not among them"
    if kind.own:
        rule_of_all = figures.rule_of(spec.visible, y)
        scale = Affine.fit(x[figures.visible_rows(rule_of_all, y)]).std
        errors = [_error(y[~t.held], t.predicted[~t.held]) for t in trials]
        known["mean_absolute_error_seen"] = round(float(np.mean(errors)), 6)
        known["by_distance"] = _bands(spec.space, x, y, trials, scale)
        extra["mbo.support"] = msgspec.json.encode(trust.measure(spec.space, x, scale)).decode()
    held_out = HeldOut(
        rows=len(_pooled(x, y, trials)[0]),
        rule=_rule(spec, kind, trials),
        spearman_random_rows=None if by_row is None else round(by_row, 4),
        **_metrics(*_pooled(x, y, trials)),
        **known,
    )
    findings = _compare(spec, kind, frame, x, y, groups)
    if kind.own:
        which = "a second forest" if kind.parts == 1 else f"{kind.parts} other forests"
        trained_on = (
            f"all {len(x):,} rows; the held-out figures are those of {which}, which did not see "
            "the rows that they were tried on"
        )
        predicted = predict(np.zeros(len(x), bool))
    else:
        predicted = trials[0].predicted
    graph = forest_graph(spec.space, forest, pairs, period=kind.period, spread=kind.own)
    allowed = 1e-5 * float(np.ptp(y))
    apart = _check_parity(spec, finish(graph, spec, {}), x, predicted, allowed)
    if kind.own:
        what = (
            f"Largest difference from scikit-learn's own values, all rows; {allowed:.1g} is allowed"
        )
        findings.append(Finding(what=what, value=apart))
    extra |= {
        "mbo.held_out": msgspec.json.encode(held_out).decode(),
        "mbo.trained_on": trained_on,
        "mbo.findings": msgspec.json.encode(findings).decode(),
    }
    return Made(finish(graph, spec, extra), held_out, trained_on)


def _rule(spec: TaskSpec, kind: Forest, trials: list[_Trial]) -> str:
    """Say which rows were held out."""
    part = f"{np.mean(trials[0].held):.0%} of the rows, drawn at random (seed {kind.seed})"
    if kind.parts > 1:
        part = (
            f"{kind.parts} times another {kind.held_out:.0%} of them, drawn at random "
            f"(seed {kind.seed}),"
        )
    return part if spec.groups is None else f"{part} {spec.groups.words}"


def _compare(
    spec: TaskSpec,
    kind: Forest,
    frame: pl.DataFrame,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    groups: Int[np.ndarray, " n"],
) -> list[Finding]:
    """Try forests on other features on the same held-out rows."""
    ways = {"": np.arange(len(x))} if spec.groups is None else {
        f", {spec.groups.words}": groups, ", held out at random": np.arange(len(x))
    }  # fmt: skip
    found = []
    for name, features_of in kind.references.items():
        features = features_of(frame)

        def predict(
            held: Bool[np.ndarray, " n"], features: Float32[np.ndarray, "n f"] = features
        ) -> Float64[np.ndarray, " n"]:
            values: Float64[np.ndarray, " n"] = _fit(kind, features[~held], y[~held]).predict(
                features
            )
            return values

        for way, names in ways.items():
            rho = _spearman(*_pooled(x, y, _try(kind, names, predict)))
            what = f"For comparison: Spearman correlation of the same kind of forest on {name}{way}"
            found.append(Finding(what=what, value=round(rho, 4)))
    return found


def _bands(
    space: Sequence | Box,
    x: Num[np.ndarray, "n d"],
    y: Float32[np.ndarray, " n"],
    trials: list[_Trial],
    scale: Float64[np.ndarray, " d"],
) -> tuple[Band, ...]:
    """Part held-out designs into bands by their distance to the nearest design trained on."""
    distances, percentiles = [], []
    for trial in trials:
        known = x[~trial.held]
        rows = _distinct(x, trial.held)
        apart = space.nearest(x[rows], np.unique(known, axis=0), scale)
        distances.append(apart)
        percentiles.append(trust.percentiles(trust.measure(space, known, scale), apart))
    far = np.concatenate(percentiles)
    value, predicted = _pooled(x, y, trials)
    order = np.argsort(np.concatenate(distances), kind="stable")
    bands = []
    for rows in np.array_split(order, BANDS):
        rho = _spearman(value[rows], predicted[rows])
        bands.append(
            Band(
                percentiles=(float(far[rows].min()), float(far[rows].max())),
                rows=len(rows),
                spearman=None if np.isnan(rho) else round(rho, 4),
                mean_absolute_error=_error(value[rows], predicted[rows]),
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
    model: bytes,
    x: Num[np.ndarray, "n d"],
    wanted: Num[np.ndarray, " n"],
    allowed: float,
) -> float:
    """Score every row with onnxruntime; return the largest difference, if it is allowed."""
    oracle = OnnxOracle(spec.space, model, "the new model", exact=False)
    apart = float(np.abs(oracle(x) - wanted).max())
    if not apart <= allowed:
        raise OracleUnavailable(f"the exported model differs by {apart:g}; allowed is {allowed:g}")
    return apart


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
