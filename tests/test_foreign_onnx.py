"""ONNX files of strangers: refused, run, stopped, and never anything but an MboHubError."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from conftest import ROOT, prompt
from foreign_graphs import (
    allocation,
    endless,
    gather,
    graph_of,
    reshape,
    small_model,
    too_many,
)
from fuzzing import TIMES
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mbo_hub import Box, MboHubError, OracleUnavailable
from mbo_hub.oracles import wire
from mbo_hub.oracles.onnx import OnnxOracle

FILES = sorted((ROOT / "oracles_onnx").rglob("*.onnx"))
SPACE = Box(size=3, low=0.0, high=1.0)
SEED = 11
NUMBERS = [0, 1, -1, 2, 3, 9, (1 << 31) - 1]

# ------------------------------------------------------------------- where a tensor may be external


def paths_to_tensors() -> Iterator[tuple[str, ...]]:
    """Each way from a model to a tensor, as names of fields; a graph inside a graph once."""

    def ways(message: object, so_far: tuple[str, ...], met: tuple[str, ...]) -> Iterator[tuple]:
        for field in message.fields:  # type: ignore[attr-defined]
            inner = field.message_type
            if inner is None or met.count(inner.name) > 1:
                continue
            if inner.name == "TensorProto":
                yield (*so_far, field.name)
            yield from ways(inner, (*so_far, field.name), (*met, inner.name))

    yield from ways(onnx.ModelProto.DESCRIPTOR, (), ())


PATHS = sorted(set(paths_to_tensors()))
HIDDEN = {
    "external_data": lambda t: t.external_data.add(key="location", value="/etc/passwd"),
    "data_location": lambda t: setattr(t, "data_location", TensorProto.EXTERNAL),
}


def varint(value: int, spare: int = 0) -> bytes:
    """A number as protobuf writes it, with bytes that add nothing."""
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F)
    digits += [0] * spare
    return bytes([*(d | 0x80 for d in digits[:-1]), digits[-1]])


def written(
    model: onnx.ModelProto, path: tuple[str, ...], tensor: bytes, spare: tuple[int, int]
) -> bytes:
    """A model that holds a tensor at the end of a path, with roundabout tags and lengths."""
    descriptors = [onnx.ModelProto.DESCRIPTOR]
    for name in path[:-1]:
        descriptors.append(descriptors[-1].fields_by_name[name].message_type)
    content = tensor
    for message, name in zip(reversed(descriptors), reversed(path), strict=True):
        number = message.fields_by_name[name].number
        tag_spare = min(spare[0], 5 - len(varint(number << 3 | 2)))
        length_spare = min(spare[1], 5 - len(varint(len(content))))
        content = varint(number << 3 | 2, tag_spare) + varint(len(content), length_spare) + content
    return model.SerializeToString() + content


def test_the_table_has_every_message_on_the_way_to_a_tensor() -> None:
    """Taken from onnx.proto by hand, so compared with it."""
    held: dict[str, dict[int, str]] = {}

    def visit(message: object) -> None:
        name = message.name  # type: ignore[attr-defined]
        if name not in held:
            inner = [f for f in message.fields if f.message_type is not None]  # type: ignore[attr-defined]
            held[name] = {field.number: field.message_type.name for field in inner}
            for field in inner:
                visit(field.message_type)

    visit(onnx.ModelProto.DESCRIPTOR)
    on_the_way = {"TensorProto"}
    while more := {m for m, f in held.items() if on_the_way & set(f.values())} - on_the_way:
        on_the_way |= more
    expected = {
        message: {number: inner for number, inner in held[message].items() if inner in on_the_way}
        for message in on_the_way
    }
    assert {name: dict(fields) for name, fields in wire.MESSAGES.items()} == expected
    fields = TensorProto.DESCRIPTOR.fields_by_name
    names = ("name", "external_data", "data_location")
    assert [fields[n].number for n in names] == [wire.NAME, wire.EXTERNAL_DATA, wire.DATA_LOCATION]
    assert len(PATHS) > 50


@pytest.mark.parametrize("how", HIDDEN)
@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_values_in_another_file_are_refused_wherever_they_stand(
    path: tuple[str, ...], how: str
) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
    HIDDEN[how](tensor)
    for spare in ((0, 0), (1, 0), (0, 1), (4, 4)):
        raw = written(small_model(), path, tensor.SerializeToString(), spare)
        assert onnx.ModelProto.FromString(raw)  # what protobuf takes
        with pytest.raises(OracleUnavailable, match=r"keeps its weights in other files .*'w'"):
            OnnxOracle(SPACE, raw, "m.onnx", exact=True)


@given(
    st.sampled_from(PATHS),
    st.sampled_from(sorted(HIDDEN)),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.binary(max_size=12),
)
def test_roundabout_numbers_hide_nothing(
    path: tuple[str, ...], how: str, spare: tuple[int, int], data: bytes
) -> None:
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[len(data)], raw_data=data)
    inside = written(small_model(), path, tensor.SerializeToString(), spare)
    wire.check(inside, "m.onnx")
    HIDDEN[how](tensor)
    with pytest.raises(OracleUnavailable, match="in other files"):
        wire.check(written(small_model(), path, tensor.SerializeToString(), spare), "m.onnx")


@pytest.mark.parametrize("value", [1, 2, 1 << 32, (1 << 32) + 1, (1 << 64) - 1])
@pytest.mark.parametrize("spare", [0, 1, 3])
def test_any_other_place_than_the_file_is_refused(value: int, spare: int) -> None:
    number = varint(value, min(spare, 10 - len(varint(value))))
    for tag in (b"\x70", b"\xf0\x00", b"\xf0\x80\x80\x80\x00"):
        raw = written(small_model(), ("graph", "initializer"), tag + number, (0, 0))
        with pytest.raises(OracleUnavailable, match="a tensor without a name"):
            wire.check(raw, "m.onnx")
    explicit = written(small_model(), ("graph", "initializer"), b"\x70\x80\x00", (0, 0))
    wire.check(explicit, "m.onnx")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "it is empty"),
        (b"\x08\x08\x12\x00ORTM", "not an ONNX file"),
        (b"\x00\x00\x00\x00ORTM\x00", "onnxruntime's own format"),
        (b"\x3a\x05\x0a", "longer than what holds it"),
        (b"\x3a" + b"\xff" * 11, "does not end"),
        (b"\xff\xff\xff\xff\xff\x00", "does not end"),
        (b"\x0b\x0c", "byte 0 starts no field"),
        (b"\x02\x00", "byte 0 starts no field"),
        (b"<!DOCTYPE html>", "not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "not an ONNX file"),
    ],
)
def test_what_is_no_onnx_is_said_to_be_none(raw: bytes, message: str) -> None:
    with pytest.raises(OracleUnavailable, match=f"m.onnx: .*{message}"):
        OnnxOracle(SPACE, raw, "m.onnx", exact=True)


def test_graphs_in_graphs_in_graphs_are_refused() -> None:
    def nested(levels: int) -> bytes:
        inner = b""
        for _ in range(levels):
            for number in (6, 5, 1):  # a graph in an attribute in a node
                inner = varint(number << 3 | 2) + varint(len(inner)) + inner
        return varint(7 << 3 | 2) + varint(len(inner)) + inner

    wire.check(nested(32), "m.onnx")
    for levels in (33, 3_000):
        with pytest.raises(OracleUnavailable, match="nest deeper than 100"):
            wire.check(nested(levels), "m.onnx")


def test_functions_are_called_by_the_names_of_these_fields() -> None:
    for message, names in (
        ("FunctionProto", ("name", "domain")),
        ("NodeProto", ("op_type", "domain")),
    ):
        fields = getattr(onnx, message).DESCRIPTOR.fields_by_name
        assert wire.CALLED[message] == tuple(fields[name].number for name in names)


def with_functions(
    calls: dict[str, list[str]], *, first: str = "f0", inside: bool = False
) -> bytes:
    """A model whose functions call others; `inside` of a branch of an If."""
    domain = "strangers"

    def nodes(called: list[str]) -> list[onnx.NodeProto]:
        ways = [f"v{i}" for i in range(len(called))]
        each = [
            helper.make_node(name, [before], [after], domain=domain)
            for name, before, after in zip(called, ["x", *ways], ways, strict=False)
        ]
        return [*each, helper.make_node("Identity", [ways[-1] if ways else "x"], ["y"])]

    def body(called: list[str]) -> list[onnx.NodeProto]:
        if not inside:
            return nodes(called)
        out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        branch = helper.make_graph(nodes(called), "branch", [], [out])
        yes = helper.make_node(
            "Constant", [], ["yes"], value=numpy_helper.from_array(np.array(True))
        )
        return [yes, helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)]

    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(domain, 1)]
    functions = [
        helper.make_function(domain, name, ["x"], ["y"], body(called), opsets)
        for name, called in calls.items()
    ]
    whole = onnx.ModelProto.FromString(small_model().SerializeToString())
    whole.graph.node[0].output[0] = "sum"
    whole.graph.node.append(helper.make_node(first, ["sum"], ["y"], domain=domain))
    whole.opset_import.append(opsets[1])
    whole.functions.extend(functions)
    return whole.SerializeToString()


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    ("calls", "words"),
    [
        ({"f0": ["f0"]}, "'f0' calls itself"),
        ({"f0": ["f1"], "f1": ["f2"], "f2": ["f1"]}, "'f1' calls itself"),
        ({f"f{i}": [f"f{i + 1}"] * 2 for i in range(26)} | {"f26": []}, "more than 100,000 nodes"),
        ({f"f{i}": [f"f{i + 1}"] * 400 for i in range(3)} | {"f3": []}, "more than 100,000 nodes"),
        ({f"f{i}": [f"f{i + 1}"] for i in range(150)} | {"f150": []}, "is called 100 functions deep"),
    ],
)  # fmt: skip
def test_functions_that_never_end_are_refused(
    calls: dict[str, list[str]], words: str, inside: bool
) -> None:
    """Before onnxruntime sees them: it would replace each call by what is called."""
    for order in (calls, dict(reversed(calls.items()))):
        with pytest.raises(OracleUnavailable, match=words):
            OnnxOracle(SPACE, with_functions(order, inside=inside), "m.onnx", exact=True)


@given(st.integers(0, 2**32))
@settings(max_examples=10)
def test_nodes_are_counted_as_if_each_call_was_replaced(seed: int) -> None:
    rng = np.random.default_rng(seed)
    many = int(rng.integers(0, 7))
    calls = {f"f{many}": []}
    for i in range(many):  # each is called by the one before, at least
        called = [i + 1, *rng.integers(i + 1, many + 1, rng.integers(0, 3))]
        calls[f"f{i}"] = [f"f{k}" for k in called]

    def size(name: str) -> int:
        return 1 + len(calls[name]) + sum(size(called) for called in calls[name])

    raw = with_functions(calls)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wire, "NODES", size("f0"))
        wire.check(raw, "m.onnx")
        patch.setattr(wire, "NODES", size("f0") - 1)
        with pytest.raises(OracleUnavailable, match="nodes"):
            wire.check(raw, "m.onnx")
    assert OnnxOracle(SPACE, raw, "m.onnx", exact=True)(np.ones((2, 3))).tolist() == [3.0, 3.0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_archives_own_files_pass(path: Path) -> None:
    wire.check(path.read_bytes(), path.name)


def test_one_file_gives_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever somebody works: with a file that the graph names beside it, or without."""
    model = small_model()
    weights = numpy_helper.from_array(np.array([1, 2, 3], np.float32), "w")
    model.graph.initializer.append(weights)
    model.graph.node[0].input[0] = "product"
    model.graph.node.insert(0, helper.make_node("Mul", ["x", "w"], ["product"]))
    inside = model.SerializeToString()
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    for place in (tmp_path, Path("/")):
        monkeypatch.chdir(place)
        with pytest.raises(OracleUnavailable, match="other files"):
            OnnxOracle(SPACE, (tmp_path / "m.onnx").read_bytes(), "m.onnx", exact=True)
        assert OnnxOracle(SPACE, inside, "m.onnx", exact=True)(np.eye(3)).tolist() == [1, 2, 3]


# ----------------------------------------------------------------------------- graphs that go wrong


@pytest.mark.parametrize("make", [gather, reshape, allocation, too_many])
def test_a_graph_that_fails_while_it_runs_names_the_file(make: Callable[[], bytes]) -> None:
    oracle = OnnxOracle(SPACE, make(), "m.onnx", exact=True)
    for n in (1, 2_000):
        with pytest.raises(OracleUnavailable, match=r"^m\.onnx: (onnxruntime fails while|gave )"):
            oracle(np.ones((n, 3)))
    if make is gather:  # usable afterwards
        assert oracle(np.zeros((2, 3))).tolist() == [3, 3]


@pytest.mark.parametrize("output", ["z", "Y", "variable", "spread", ""])
def test_an_output_of_another_name_is_refused(output: str) -> None:
    raw = graph_of([helper.make_node("ReduceSum", ["x", "one"], [output], keepdims=0)],
                   {"one": np.array([1])}, output)  # fmt: skip
    with pytest.raises(OracleUnavailable, match=r"^m\.onnx: ") as caught:
        OnnxOracle(SPACE, raw, "m.onnx", exact=True)
    if output:
        assert f"outputs are called ['{output}'], expected y" in str(caught.value)


def test_texts_that_are_not_utf8_are_shown() -> None:
    """Of names in a graph, which onnxruntime repeats in its errors, and of metadata."""
    raw = small_model().SerializeToString()
    for old, new in ((b"ReduceSum", b"Reduce\xff\x1bm"), (b"axis", b"ax\xffs"), (b"y", b"\xfc")):
        with pytest.raises(OracleUnavailable, match=r"^m\.onnx: ") as caught:
            OnnxOracle(SPACE, raw.replace(old, new, 1), "m.onnx", exact=True)
        assert str(caught.value).isprintable()
    model = small_model()
    model.metadata_props.add(key="who", value="latin")
    oracle = OnnxOracle(
        SPACE, model.SerializeToString().replace(b"latin", b"l\xe4t\xefn"), "m.onnx", exact=True
    )
    with pytest.raises(OracleUnavailable, match="cannot read its metadata"):
        oracle.metadata  # noqa: B018
    assert oracle(np.ones((1, 3))).tolist() == [3]


# ------------------------------------------------------------------------------------------- Ctrl-C


STOPPED = """
import sys, time
import numpy as np
from mbo_hub import Box
from mbo_hub.oracles.onnx import OnnxOracle

space = Box(size=3, low=0.0, high=1.0)
oracle = OnnxOracle(space, open(sys.argv[1], "rb").read(), "m.onnx", exact=True, threads=2)
for n in (1, 5_000):
    print("running", flush=True)
    try:
        oracle(np.ones((n, 3)))
    except KeyboardInterrupt:
        print("stopped", flush=True)
print(oracle(np.zeros((2, 3))).tolist(), flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_ctrl_c_stops_an_endless_graph(tmp_path: Path) -> None:
    """On one thread and on several, and the oracle works afterwards."""
    (tmp_path / "loop.onnx").write_bytes(endless())
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPED, str(tmp_path / "loop.onnx")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for _ in range(2):
            assert child.stdout.readline() == "running\n"
            time.sleep(0.3)  # till it is in the graph
            with prompt():
                child.send_signal(signal.SIGINT)
                assert child.stdout.readline() == "stopped\n"
        assert child.stdout.readline() == "[0.0, 0.0]\n"
        assert child.wait(10) == 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def test_threads_may_share_an_oracle_while_others_fail() -> None:
    """An oracle scores right on several threads, some of whose designs its graph fails for."""
    oracle = OnnxOracle(SPACE, gather(), "m.onnx", exact=True, threads=2)

    def score(number: int) -> list[float] | str:
        designs = np.zeros((700, 3))
        designs[650:] = number % 3 == 0
        try:
            return sorted(set(oracle(designs).tolist()))
        except OracleUnavailable as error:
            return str(error)[:40]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(score, range(60)))
    failed = "m.onnx: onnxruntime fails while it scores"[:40]
    assert found == [failed if number % 3 == 0 else [3.0] for number in range(60)]


# --------------------------------------------------------------------------------------------- fuzz


def mutations(raw: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file, or change, insert, remove or repeat some of its bytes."""
    data = bytearray(raw)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) or 1))
        size = int(rng.integers(1, 9))
        match rng.integers(6):
            case 0:
                data = data[:at]
            case 1:
                data[at : at + 1] = rng.bytes(1)
            case 2:
                data[at:at] = rng.bytes(size)
            case 3:
                del data[at : at + size]
            case 4:
                data[at:at] = data[at : at + 20 * size]
            case _:
                if data:
                    data[at % len(data)] ^= 1 << int(rng.integers(8))
    return bytes(data)


def scalars(message: object) -> Iterator[tuple[object, object, int | None]]:
    """Each number, text or run of bytes in a message: what holds it, its field, its place."""
    for field, value in message.ListFields():  # type: ignore[attr-defined]
        many = hasattr(value, "extend")
        for place, each in enumerate(value if many else [value]):
            if field.message_type is not None:
                yield from scalars(each)
            else:
                yield message, field, place if many else None


def edited(model: onnx.ModelProto, rng: np.random.Generator) -> bytes:
    """Change one or two values, so that all around them fits."""
    copy = onnx.ModelProto.FromString(model.SerializeToString())
    for _ in range(int(rng.integers(1, 3))):
        found = list(scalars(copy))
        message, field, place = found[int(rng.integers(len(found)))]
        holder = getattr(message, field.name)  # type: ignore[attr-defined]
        old = holder if place is None else holder[place]
        match old:
            case bytes():
                new: object = mutations(old, rng)
            case str():
                new = str(rng.choice(["", "x", "y", "Loop", "one", "\x1b[31m", "ü" * 400, old * 2]))
            case float():
                new = float(rng.choice([np.nan, np.inf, -1e38, 0]))
            case _:
                allowed = [e.number for e in field.enum_type.values] if field.enum_type else NUMBERS  # type: ignore[attr-defined]
                new = int(rng.choice(allowed))
        if place is None:
            setattr(message, field.name, new)  # type: ignore[attr-defined]
        else:
            holder[place] = new
    return copy.SerializeToString()


def fuzz(cases: int, seed: int = SEED) -> dict[str, list[str]]:
    """Open mutated graphs and score with them; give what was said of each that did not, by when."""
    rng = np.random.default_rng(seed)
    said: dict[str, list[str]] = {"opening": [], "scoring": [], "nothing": []}
    graphs = [small_model(), *map(onnx.load_from_string, (gather(), reshape(), too_many()))]
    for case in range(cases):
        graph = graphs[case // 2 % len(graphs)]
        raw = edited(graph, rng) if case % 2 else mutations(graph.SerializeToString(), rng)
        doing = "opening"
        try:
            oracle = OnnxOracle(SPACE, raw, "m.onnx", exact=True, threads=1)
            doing = "scoring"
            oracle(np.zeros((3, 3)))
            oracle.metadata  # noqa: B018
        except MboHubError as error:
            said[doing].append(str(error))
        else:
            said["nothing"].append("")
    return said


@pytest.mark.skipif(
    tuple(map(int, ort.__version__.split(".")[:2])) < (1, 26),
    reason="onnxruntime 1.21 to 1.24 end the process on some damaged files, 1.26 does not",
)
def test_nothing_but_errors_of_mbo_hub_comes_of_broken_files(
    capfd: pytest.CaptureFixture[str],
) -> None:
    cases = 10 * settings().max_examples * TIMES  # a thousand; a quarter in the quick run
    said = fuzz(cases)
    assert capfd.readouterr() == ("", "")
    assert all(said.values())
    assert sum(map(len, said.values())) == cases
    for text in said["opening"] + said["scoring"]:
        assert text.startswith("m.onnx: ")
        assert text.isprintable()
        assert len(text) < 500
