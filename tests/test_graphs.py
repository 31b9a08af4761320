"""The published files are what the code writes: taken apart and written again."""

from __future__ import annotations

from functools import cache

import numpy as np
import onnx
import pytest
from conftest import ROOT
from onnx import numpy_helper
from sklearn.ensemble import RandomForestRegressor

from mbo_hub import Task
from mbo_hub.making.forests import forest_graph
from mbo_hub.making.graphs import Graph, finish, policy_model, table_graph
from mbo_hub.making.strands import strand_model
from mbo_hub.oracles.mujoco import ant, dkitty
from mbo_hub.oracles.onnx import Forest
from mbo_hub.oracles.table import TableOracle
from mbo_hub.tasks import TASKS

SPEC = TASKS["tfbind8"]
# Exported before graphs checked bounds; training them anew to add that would change their values.
UNCHECKED = {"ant", "dkitty", "hopper"}
# Exported when values in between had other names, and constants another order.
RENAMED = {"tfbind8"}
FORESTS = {
    name: kind
    for name, spec in TASKS.items()
    for kind in spec.oracles.values()
    if isinstance(kind, Forest) and name not in UNCHECKED
}


@cache
def published(name: str, file: str) -> bytes:
    return (ROOT / "oracles_onnx" / name / file).read_bytes()


def constants(graph: onnx.GraphProto) -> dict[str, np.ndarray]:
    return {each.name: numpy_helper.to_array(each) for each in graph.initializer}


def renamed(raw: bytes) -> bytes:
    """A model whose values are numbered in order, and whose constants stand in that of their names.

    Other releases gave the values in between other names, and wrote constants in another order.
    """
    model = onnx.load_from_string(raw)
    graph = model.graph
    outputs = {each.name for each in graph.output}
    made = [name for node in graph.node for name in node.output]
    numbers = {name: f"value{i}" for i, name in enumerate(made) if name not in outputs}
    for node in graph.node:
        node.input[:] = [numbers.get(name, name) for name in node.input]
        node.output[:] = [numbers.get(name, name) for name in node.output]
    named = sorted(graph.initializer, key=lambda each: each.name)
    copies = [onnx.TensorProto.FromString(each.SerializeToString()) for each in named]
    del graph.initializer[:]
    graph.initializer.extend(copies)
    return model.SerializeToString(deterministic=True)


def test_the_published_table_is_what_is_written(tfbind8: Task) -> None:
    """Byte for byte but for names of values in between and the order of constants."""
    table = tfbind8.oracles["exact"]
    assert isinstance(table, TableOracle)
    written = finish(table_graph(table), SPEC, {})
    assert renamed(written) == renamed(published("tfbind8", "model.onnx"))


@pytest.mark.parametrize("robot", [ant, dkitty], ids=["ant", "dkitty"])
def test_the_published_controllers_are_what_is_written(robot: object) -> None:
    name = robot.__name__.rpartition(".")[2]  # type: ignore[attr-defined]
    network = robot.policy()  # type: ignore[attr-defined]
    assert policy_model(network, name) == published(name, "policy.onnx")


def test_the_published_network_is_what_is_written() -> None:
    old = onnx.load_from_string(published("tfbind10", "model.onnx"))
    said = {each.key: each.value for each in old.metadata_props}
    # What `finish` says by itself it says again.
    extra = {key: said[key] for key in ("mbo.trained_on", "mbo.findings", "mbo.settings")}
    values = constants(old.graph)
    weights, biases = ([values[f"{letter}{i}"] for i in range(3)] for letter in "Wb")
    written = strand_model(TASKS["tfbind10"], weights, biases, float(values["offset"]), extra)
    assert written == published("tfbind10", "model.onnx")


@pytest.mark.parametrize("name", FORESTS)
def test_the_graph_around_a_published_forest_is_what_is_written(name: str) -> None:
    """All but the trees: a small forest of other trees stands in for them."""
    kind = FORESTS[name]
    old = onnx.load_from_string(published(name, kind.file)).graph
    values = constants(old)
    pairs = None
    if kind.atom_pairs:
        kinds = values["features.constant18"].astype(np.int64)
        columns = values["features.constant20"]
        ranges, first, second = np.unravel_index(columns, (6, len(kinds), len(kinds)))
        pairs = np.stack([ranges, kinds[first], kinds[second]], axis=1)
    x = np.arange(20, dtype=np.float32)[:, None]
    trees = RandomForestRegressor(2, random_state=0).fit(x, x[:, 0])
    new = forest_graph(TASKS[name].space, trees, pairs, period=kind.period, spread=kind.own)

    if name in RENAMED:
        new, old = (as_renamed(graph) for graph in (new, old))
    assert without_trees(new) == without_trees(old)
    assert list(new.input) == list(old.input)
    assert list(new.output) == list(old.output)
    written = constants(new)
    assert written.keys() == values.keys()
    for constant, value in values.items():
        assert written[constant].dtype == value.dtype
        assert np.array_equal(written[constant], value, equal_nan=value.dtype.kind == "f")
    assert [each.name for each in new.initializer] == [each.name for each in old.initializer]


def as_renamed(graph: onnx.GraphProto) -> onnx.GraphProto:
    return onnx.load_from_string(renamed(onnx.helper.make_model(graph).SerializeToString())).graph


def without_trees(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes; of the trees, only the names of their attributes."""
    nodes = []
    for node in graph.node:
        copy = onnx.NodeProto.FromString(node.SerializeToString())
        if node.op_type == "TreeEnsemble":
            del copy.attribute[:]
            copy.attribute.extend(onnx.AttributeProto(name=each.name) for each in node.attribute)
        nodes.append(copy)
    return nodes


def test_writing_twice_gives_the_same_bytes(tfbind8: Task) -> None:
    table = tfbind8.oracles["exact"]
    assert isinstance(table, TableOracle)
    one, two = (finish(table_graph(table), SPEC, {"b": "1", "a": "2"}) for _ in range(2))
    assert one == two


def test_values_have_the_names_that_are_chosen_or_numbered_ones() -> None:
    graph = Graph("part")
    one = graph.constant(1, np.float32)
    two = graph.constant(np.array([2], np.float32), name="two")
    total = graph.apply("Add", one, two)
    assert (one, two, total) == ("part.constant0", "two", "part.Add0")
    assert graph.cast(total, np.float64, name="exact") == "exact"
    whole = Graph()
    whole.extend(graph)
    closed = whole.close("sum", np.float32, {}, {"exact": [1]}, gives=np.float64)
    assert [node.op_type for node in closed.node] == ["Add", "Cast"]
    assert constants(closed)["two"].dtype == np.float32
    model = onnx.helper.make_model(closed, opset_imports=[onnx.helper.make_opsetid("", 21)])
    onnx.checker.check_model(model, full_check=True)
