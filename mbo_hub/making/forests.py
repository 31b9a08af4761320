"""Make a task's ONNX oracles: grow forests, try them on rows that they did not see, export them.

What is exported is checked against what it was exported from, on every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from mbo_hub.arrays import Bool, Float32, Float64, Int, Int64, Num
from mbo_hub.dataset import figures
from mbo_hub.dataset.manifest import Band, Finding, HeldOut
from mbo_hub.dataset.schema import matrix
from mbo_hub.errors import OracleUnavailable
from mbo_hub.making import atom_pairs
from mbo_hub.making.graphs import Graph, finish, surround, table_graph
from mbo_hub.offline import Affine
from mbo_hub.oracles.onnx import Forest, OnnxOracle, TableGraph
from mbo_hub.oracles.table import TableOracle
from mbo_hub.scoring import trust
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks.spec import TaskSpec

if TYPE_CHECKING:
    import onnx
    import polars as pl

__all__ = ["Grown", "forest_features", "forest_graph", "hold_out", "make", "train_forest"]

BANDS = 5  # of held-out designs, by distance


class Grown(NamedTuple):
    """A fitted forest, and the pairs of atoms that it counts where it does."""

    forest: Any  # scikit-learn's
    pairs: Int[np.ndarray, "g 3"] | None


def make(spec: TaskSpec, kind: TableGraph | Forest, frame: pl.DataFrame) -> bytes:
    """Make one of a task's ONNX oracles from its full data and check it.

    Args:
        spec: of the task.
        kind: what to make.
        frame: all rows, visible and hidden.

    Returns:
        Content of the .onnx file. Its metadata say how a forest does on rows that it did not see.

    Raises:
        OracleUnavailable: what onnxruntime computes is not what was exported.
    """
    x, y = matrix(frame["x"], spec.space), frame["y"].to_numpy()
    if isinstance(kind, Forest):
        return _make_forest(spec, kind, frame, x, y)
    table = TableOracle(spec.space, x, y)
    model = finish(table_graph(table), spec, {})
    _check_parity(spec, model, x, table(x), 0.0)
    return model


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
    from onnx import numpy_helper

    trees = [estimator.tree_ for estimator in forest.estimators_]
    arrays = _flatten(trees, apart=spread)
    part = Graph()
    flat = "" if spread else part.constant([-1], np.int64, name="flat_shape")
    columns = part.apply(
        "TreeEnsemble",
        _write_features(part, space, pairs, period),
        name="columns",
        domain="ai.onnx.ml",
        n_targets=len(trees) if spread else 1,
        aggregate_function=1,  # SUM; without spread, leaves are divided by the number of trees
        post_transform=0,
        nodes_splits=numpy_helper.from_array(arrays.pop("splits"), "splits"),
        nodes_modes=numpy_helper.from_array(arrays.pop("modes"), "modes"),
        leaf_weights=numpy_helper.from_array(arrays.pop("weights"), "weights"),
        **{name: values.tolist() for name, values in arrays.items()},
    )
    if not spread:
        part.apply("Reshape", columns, flat, name="value")
        return surround(part, space, {"y": "value"})
    # A column is a leaf's own value. Runtimes add columns up in their own orders, which float32
    # would show in its last bits.
    each = part.cast(columns, np.float64, name="trees")
    middle = part.apply("ReduceMean", each, "last_axis", name="middle", keepdims=1)
    deviations = part.apply("Sub", each, middle, name="deviations")
    squares = part.apply("Mul", deviations, deviations, name="squares")
    variance = part.apply("ReduceMean", squares, "last_axis", name="variance", keepdims=0)
    deviation = part.apply("Sqrt", variance, name="exact_deviation")
    mean = part.apply("ReduceMean", each, "last_axis", name="mean", keepdims=0)
    part.cast(mean, np.float32, name="value")
    part.cast(deviation, np.float32, name="deviation")
    return surround(part, space, {"y": "value", "spread": "deviation"})


def _write_features(
    part: Graph, space: Sequence | Box, pairs: Int[np.ndarray, "g 3"] | None, period: int | None
) -> str:
    """Write `forest_features` into a graph, from `legal_x` to `features`."""
    if not isinstance(space, Sequence):
        return part.apply("Identity", "legal_x", name="features")
    if pairs is not None:
        part.extend(atom_pairs.nodes("legal_x", "features", space, pairs))
        return "features"
    k = len(space.alphabet)
    depth = part.constant(k, np.int64, name="depth")  # 0-d: the reference evaluator fails on (1,)
    off_on = part.constant([0, 1], np.float32, name="off_on")
    shape = part.constant([-1, k * space.length], np.int64, name="feature_shape")
    one_hot = part.apply("OneHot", "legal_x", depth, off_on, name="one_hot", axis=-1)
    if period is None:
        return part.apply("Reshape", one_hot, shape, name="features")
    by_period = [-1, space.length // period, k * period]
    period_shape = part.constant(by_period, np.int64, name="period_shape")
    choices = part.apply("Reshape", one_hot, shape, name="choices")
    periods = part.apply("Reshape", one_hot, period_shape, name="periods")
    counts = part.apply("ReduceSum", periods, "last_axis", name="counts", keepdims=0)
    return part.apply("Concat", choices, counts, name="features", axis=1)


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
) -> Grown:
    """Train a scikit-learn forest on all rows but the held-out ones."""
    seen = x[~held]
    pairs = _pairs(spec, kind, seen)
    features = forest_features(spec.space, seen, pairs, kind.period)
    return Grown(_fit(kind, features, y[~held]), pairs)


def _pairs(
    spec: TaskSpec, kind: Forest, seen: Num[np.ndarray, "n d"]
) -> Int64[np.ndarray, "g 3"] | None:
    """The pairs of atoms that a forest trained on these designs counts; None where it does not."""
    if not kind.atom_pairs:
        return None
    if not isinstance(spec.space, Sequence):
        raise TypeError("only sequences of SMILES tokens have atoms")
    return atom_pairs.vocabulary(spec.space, seen)


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


@dataclass(frozen=True, eq=False)
class _Trial:
    """A forest, and what it said of rows that it did not see.

    Attributes:
        grown: the forest of this trial, trained on all other rows.
        held: the rows that it did not see, (n,).
        predicted: its values of all rows, (n,).
    """

    grown: Grown
    held: Bool[np.ndarray, " n"]
    predicted: Float64[np.ndarray, " n"]


Grow = Callable[[Bool[np.ndarray, " n"]], _Trial]  # without the rows that it is told


def _try(kind: Forest, groups: Int[np.ndarray, " n"], grow: Grow) -> list[_Trial]:
    """Hold out part after part.

    Args:
        kind: says how large the parts are, and how many.
        groups: rows of a group are held out together.
        grow: tries a new forest on the rows that it is told.
    """
    return [grow(hold_out(kind, groups, part)) for part in range(kind.parts)]


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
) -> bytes:
    rows = np.arange(len(x))
    groups = rows if spec.groups is None else spec.groups.of(frame)
    if kind.parts > 1 and not kind.own:
        raise TypeError(f"{spec.name}: a forest that misses several parts cannot be published")

    def grow(held: Bool[np.ndarray, " n"]) -> _Trial:
        grown = train_forest(spec, kind, x, y, held)
        features = forest_features(spec.space, x, grown.pairs, kind.period)
        return _Trial(grown, held, grown.forest.predict(features))

    by_row = _spearman(*_pooled(x, y, _try(kind, rows, grow))) if spec.groups else None
    trials = _try(kind, groups, grow)
    published = grow(np.zeros(len(x), bool)) if kind.own else trials[0]
    known: dict[str, Any] = {}
    extra: dict[str, str] = {}
    seen = len(x) - np.count_nonzero(published.held)
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
    graph = forest_graph(spec.space, *published.grown, period=kind.period, spread=kind.own)
    allowed = 1e-5 * float(np.ptp(y))
    apart = _check_parity(spec, finish(graph, spec, {}), x, published.predicted, allowed)
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
    return finish(graph, spec, extra)


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

        def grow(
            held: Bool[np.ndarray, " n"], features: Float32[np.ndarray, "n f"] = features
        ) -> _Trial:
            forest = _fit(kind, features[~held], y[~held])
            return _Trial(Grown(forest, None), held, forest.predict(features))

        for way, names in ways.items():
            rho = _spearman(*_pooled(x, y, _try(kind, names, grow)))
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
