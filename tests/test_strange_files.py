"""What stands where a file of a dataset folder should be: named, bounded, never waited for."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bombs
import fuzzing_files
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import stranger
from conftest import ROOT
from fuzzing import TIMES
from hypothesis import given, settings
from hypothesis import strategies as st

import mbo_hub
from mbo_hub import IntegrityError, InvalidDataset, InvalidFile, MboHubError, validate
from mbo_hub.archive.folders import Folder
from mbo_hub.dataset import files, footer, manifest, parquet, schema

TRAIN = "data/train.parquet"


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    folder = tmp_path / "their-task"
    stranger.write(folder)
    return folder


def edit(folder: Path, change: Callable[[dict], object]) -> None:
    document = json.loads((folder / "task.json").read_text())
    change(document)
    (folder / "task.json").write_text(json.dumps(document))


def declare(folder: Path, file: str = TRAIN, **more: Any) -> None:
    """Let task.json say the hash and size that a file has."""
    raw = (folder / file).read_bytes()
    said = {"sha256": hashlib.sha256(raw).hexdigest(), "bytes": len(raw), **more}
    edit(folder, lambda d: d["files"][file].update(said))


def use(folder: Path, file: str) -> str:
    """Do what reads a file of a folder, and give the error's words."""

    def read() -> None:
        if file == "README.md":
            raise InvalidDataset(str(folder), validate(folder))
        task = mbo_hub.load(folder)
        if file == "receipt.json":
            task.verify(folder / file, np.zeros((1, 3)))
        assert len(task.hidden[1]), file
        task.oracles["theirs"](task.x[:1])

    with pytest.raises(MboHubError) as caught:
        read()
    return str(caught.value)


# ------------------------------------------------------------------------------ not regular files

PLACES = ["task.json", "README.md", TRAIN, "data/test.parquet", "oracle.onnx", "receipt.json"]
off_the_diagonal = pytest.mark.slow(
    "all else in all places: 6 core-seconds; the diagonal has every place, and all else once"
)


def in_each_place(*others: str) -> pytest.MarkDecorator:
    """Each place with each of what else may stand there; the quick run takes the diagonal."""
    return pytest.mark.parametrize(
        ("file", "other"),
        [
            pytest.param(file, other, marks=() if row % len(others) == column else off_the_diagonal)
            for row, file in enumerate(PLACES)
            for column, other in enumerate(others)
        ],
    )


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.fspath(path))


KINDS: dict[str, Callable[[Path], object]] = {
    "a named pipe": pipe,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a socket": listen,
}


@pytest.mark.skipif(sys.platform == "win32", reason="has neither pipes nor devices in folders")
@in_each_place(*KINDS)
def test_what_is_no_file_is_named_and_not_waited_for(
    theirs: Path, file: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(theirs)  # the path of a socket is short
    Path(file).unlink(missing_ok=True)
    KINDS[other](Path(file))
    wanted = f"is {other}, not a regular file"
    assert wanted in use(theirs, file)
    if file != "receipt.json":
        assert any(wanted in problem for problem in validate(theirs))


CONTENTS = {
    "git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "is a web page": b"\n <!DOCTYPE html>\n<html><body>Not found</body></html>",
    "compressed with gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "is a zip archive": b"PK\x03\x04\0\0",
    "UTF-16": "é".encode("utf-16"),
    "is empty": b"",
}


@in_each_place(*CONTENTS)
def test_another_file_in_its_place_is_named(theirs: Path, file: str, other: str) -> None:
    (theirs / file).write_bytes(CONTENTS[other])
    if not (file == "README.md" and other == "is empty"):
        assert other in use(theirs, file)
    if file != "receipt.json":
        found = validate(theirs)
        assert any(other in problem or "metadata" in problem for problem in found), found
        assert not any("mbo validate" in problem for problem in found), "it is what runs"


@pytest.mark.parametrize("file", ["task.json", "README.md", "receipt.json"])
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "mac-roman"])
def test_text_that_is_not_utf8_is_named_by_its_line(theirs: Path, file: str, encoding: str) -> None:
    place = theirs / file
    before = place.read_text() if place.exists() else '{\n"format": 1}'
    first, rest = before.split("\n", 1)
    place.write_bytes(f"{first}\n é {rest}".encode(encoding))
    assert f"is not UTF-8: line 2 has the byte 0x{'é'.encode(encoding).hex()}" in use(theirs, file)


def test_a_file_larger_than_declared_is_not_read(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (theirs / TRAIN).stat().st_size
    with (theirs / TRAIN).open("r+b") as stream:
        stream.truncate(3 << 40)  # of zeros, which take no space
    wanted = f"has {3 << 40:,} bytes, more than the {size:,} that it may have"
    assert wanted in use(theirs, TRAIN)
    assert any(f"{TRAIN} has {3 << 40:,} bytes" in problem for problem in validate(theirs))


def test_what_grows_while_it_is_read_has_its_limit(tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="more than the 10 that it may have"):
        files.read(Path("/proc/self/maps") if sys.platform == "linux" else tmp_path, 10)
    (tmp_path / "x").write_bytes(b"12345")
    assert files.read(tmp_path / "x", 5) == b"12345"
    with pytest.raises(InvalidFile, match="has 5 bytes, more than the 4 that"):
        files.read(tmp_path / "x", 4)


def test_other_line_ends_are_named_where_a_hash_depends_on_them(folder: Path) -> None:
    golden = folder.parent / "tfbind8-oracle" / "golden.json"
    raw = golden.read_bytes()
    golden.write_bytes(raw.replace(b"\n", b"\r\n"))
    with pytest.raises(IntegrityError, match="It has other line ends, as git with core"):
        Folder(golden.parent).read(golden.name, hashlib.sha256(raw).hexdigest())
    golden.write_bytes(raw)
    declared = folder / "task.json"
    declared.write_bytes(declared.read_bytes().replace(b"\n", b"\r\n"))
    assert mbo_hub.load(folder).name == "tfbind8"  # nothing depends on them
    assert validate(folder) == []


# ------------------------------------------------------------------------------------------- JSON

PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
)  # fmt: skip


@given(TREES, st.booleans(), st.sampled_from([None, 1]))
def test_json_is_read_as_it_was_written(tree: Any, ascii_only: bool, indent: int | None) -> None:
    written = json.dumps(tree, ensure_ascii=ascii_only, indent=indent)
    assert files.json(written.encode()) == tree
    assert files.json(written.replace("\n", "\r\n").encode()) == tree


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every object and every value of a document."""
    yield path
    if isinstance(document, dict | list):
        keys = list(document) if isinstance(document, dict) else range(len(document))
        for key in keys:
            yield from paths(document[key], (*path, key))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        document = document[key]
    return document


def dotted(path: tuple[Any, ...]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return steps.removeprefix(".")


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A task.json that uses most of the format."""
    folder = tmp_path_factory.mktemp("declared") / "theirs"
    stranger.write(folder)
    document = json.loads((folder / "task.json").read_text())
    own = json.loads((ROOT / "dataset_cards" / "chembl" / "task.json").read_text())
    document["source"] = own["source"]
    document["oracles"] |= {f"of-{name}": entry for name, entry in own["oracles"].items()}
    manifest.read(json.dumps(document).encode(), "it")
    return document


def test_a_name_twice_is_refused_wherever_it_stands(declared: dict[str, Any]) -> None:
    for path in paths(declared):
        holder = at(declared, path)
        if not isinstance(holder, dict):
            continue
        for key in holder:
            changed = copy.deepcopy(declared)
            at(changed, path)["\u2620"] = at(changed, path)[key]
            raw = json.dumps(changed, ensure_ascii=False).replace('"\u2620"', json.dumps(key))
            where = f" at `{dotted(path)}`" if path else ""
            with pytest.raises(InvalidDataset) as caught:
                manifest.read(raw.encode(), "it")
            assert f"task.json has {key!r} twice{where}; keep one" in str(caught.value)


def test_a_control_character_is_refused_wherever_it_stands(declared: dict[str, Any]) -> None:
    for path in paths(declared):
        if not isinstance(at(declared, path), str):
            continue
        changed = copy.deepcopy(declared)
        at(changed, path[:-1])[path[-1]] += "\x1b[2J"
        with pytest.raises(InvalidDataset) as caught:
            manifest.read(json.dumps(changed).encode(), "it")
        place = dotted(path)[:80]
        assert f"has the control character U+001B at `{place}`" in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"[" * 51 + b"]" * 51, "nested too deeply: more than 50 levels"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"NaN", "NaN is not a number there"),
        (b"[-Infinity]", "-Infinity is not a number"),
        (b'{"a": [1e999]}', "beyond the range of floating point at `a[0]`"),
        (b"9" * 5000, "is not JSON: Exceeds the limit"),
        (b'{"a": 1,}', "(line 1, column"),
        (b'\n{"a": "\x07"}', "Invalid control character at (line 2"),
        (b'{"a": "\\ud800"}', "U+D800 at `a`"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b" \n", "is empty"),
    ],
)
def test_json_that_parsers_differ_in_is_refused(raw: bytes, words: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        files.json(raw)
    assert words in str(caught.value)
    assert files.json(b"[" * 50 + b"]" * 50)


# -------------------------------------------------------------------------------------- task.json


def test_a_misspelt_field_is_named_with_the_right_one(
    theirs: Path, declared: dict[str, Any]
) -> None:
    """Every field of the format, misspelt by one letter more."""
    named = 0
    for path in paths(declared):
        holder = at(declared, path)
        free = path and path[-1] in ("oracles", "files", "extra", "companions", "settings")
        if not isinstance(holder, dict) or free or "settings" in path:
            continue
        for key in holder:
            changed = copy.deepcopy(declared)
            at(changed, path)[f"{key}{key[-1]}"] = at(changed, path)[key]
            from mbo_hub.publishing.validation import unknown_fields

            (problem,) = unknown_fields(json.dumps(changed).encode())
            wrong = dotted((*path, f"{key}{key[-1]}"))
            assert problem == (
                f"task.json: `{wrong}` is not a field of the format; did you mean `{key}`?"
            )
            named += 1
    assert named > 60
    edit(theirs, lambda d: (d.update(splitt=d.pop("split")), d["space"].update(paddng=None)))
    assert [p for p in validate(theirs) if "did you mean" in p] == [
        "task.json: `space.paddng` is not a field of the format; did you mean `padding`?",
        "task.json: `splitt` is not a field of the format; did you mean `split`?",
    ]
    assert mbo_hub.load(theirs).name == "vowels"  # a newer format may have more fields


def test_a_wrong_value_is_named_by_its_whole_place(declared: dict[str, Any]) -> None:
    """By `load` and by `validate`: no `[...]`, and no "not valid under any of the given schemas"."""
    from mbo_hub.publishing.validation import schema_problems

    tried = 0
    for path in paths(declared):
        if not path or "settings" in path or path[-1] in range(2, 200):
            continue
        changed = copy.deepcopy(declared)
        at(changed, path[:-1])[path[-1]] = {"wrong": True}
        raw = json.dumps(changed).encode()
        with pytest.raises(InvalidDataset) as caught:
            manifest.read(raw, "it")
        (problem,) = caught.value.problems
        assert "[...]" not in problem, (path, problem)
        said = schema_problems(raw)
        if path != ("space",):
            assert all("any of the given schemas" not in p for p in said), (path, said)
        assert all(len(p) < 400 for p in said)
        tried += 1
    assert tried > 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format=0), "format"),
        (lambda d: d.update(format=-1), "format"),
        (lambda d: d.update(format=True), "format"),
        (lambda d: d["split"].update(y_low=9.0, y_high=-9.0), "split.y_low is 9, above split.y_high, -9"),
        (lambda d: d["split"].update(percentiles=[60, 0]), "split.percentiles: the lower one comes first"),
        (lambda d: d["files"][TRAIN].update(rows=0), "has 0 rows, so a method has nothing to learn"),
        *(
            (lambda d, y=y: d["statistics"].update(y_min=y[0], y_max=y[1]), words)
            for y, words in (
                ([0, 0], "y_min is not below y_max"),
                ([1, 0], "y_min is not below y_max"),
                ([0, 5e-324], "y is float32, which has no such width"),
                ([0, 1e-39], "y is float32, which has no such width"),
                ([-1e308, 1e308], "y is float32, which has no such width"),
            )
        ),
        (lambda d: d["statistics"]["x_std"].__setitem__(0, 5e-324), "a standard deviation is 4.94066e-324"),
        (lambda d: d["statistics"].update(y_std=1e300), "a standard deviation is 1e+300"),
        (lambda d: d["statistics"].update(y_std=-1.0), "a standard deviation is -1"),
        (lambda d: d.update(text="x"), "two columns are called 'x'"),
        (lambda d: d.update(extra={"y": "again"}), "two columns are called 'y'"),
        (lambda d: d["statistics"].update(x_mean=[0.0]), "statistics.x_mean has 1 values, the designs have 3"),
    ],
)  # fmt: skip
def test_a_declaration_that_contradicts_itself(
    theirs: Path, change: Callable[[dict], object], words: str
) -> None:
    edit(theirs, change)
    with pytest.raises(InvalidDataset) as caught:
        mbo_hub.load(theirs)
    assert words in str(caught.value)
    assert any(words in problem for problem in validate(theirs))


def test_a_figure_of_many_values_is_named_by_its_place(theirs: Path) -> None:
    right = json.loads((theirs / "task.json").read_text())["statistics"]["x_mean"]
    edit(theirs, lambda d: d["statistics"]["x_mean"].__setitem__(1, 7.0))
    (problem,) = validate(theirs)
    assert problem.startswith(f"task.json: statistics.x_mean[1] is 7.0, the data give {right[1]!r}")
    edit(theirs, lambda d: d["statistics"]["x_mean"].__setitem__(2, 7.0))
    (problem,) = validate(theirs)
    assert problem.endswith("and 1 more of its 3 values are wrong")


# ---------------------------------------------------------------------------------------- parquet


@settings(max_examples=30)
@given(
    rows=st.integers(0, 300),
    group=st.integers(1, 200),
    page=st.sampled_from([1, 64, 1 << 20]),
    version=st.sampled_from(["1.0", "2.0"]),
    compression=st.sampled_from(["none", "zstd", "snappy", "gzip"]),
    dictionary=st.booleans(),
    missing=st.booleans(),
)
def test_contents_are_counted_as_pyarrow_counts_them(
    rows: int,
    group: int,
    page: int,
    version: Any,
    compression: Any,
    dictionary: bool,
    missing: bool,
) -> None:
    numbers = [None if missing and i % 3 == 0 else i % 7 for i in range(rows)]
    table = pa.table({
        "t": pa.array([f"text {i % 5}" for i in range(rows)], pa.string()),
        "x": pa.array([[i % 4, 1] for i in range(rows)], pa.list_(pa.int8(), 2)),
        "y": pa.array(numbers, pa.float32()),
    })  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=group, data_page_size=page, use_dictionary=dictionary,
                   data_page_version=version, compression=compression)  # fmt: skip
    raw = sink.getvalue().to_pybytes()
    meta = pq.read_metadata(pa.BufferReader(raw))
    columns = [meta.row_group(g).column(c) for g in range(meta.num_row_groups) for c in range(3)]
    found = footer.contents(raw)
    assert found.rows == meta.num_rows == rows
    for name in ("t", "x", "y") if rows else ():
        own = [c for c in columns if c.path_in_schema.split(".")[0] == name]
        assert found.columns[name].values == sum(c.num_values for c in own)
        assert 0 < found.columns[name].bytes <= sum(c.total_uncompressed_size for c in own)


def write(folder: Path, table: pa.Table, **options: Any) -> None:
    pq.write_table(table, folder / TRAIN, **options)
    declare(folder)


def big(rows: int, word: str = "aaa") -> pa.Table:
    words = pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([word]))
    lists = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows * 3, np.int8)), 3)
    return pa.table({"word": words.dictionary_decode(), "x": lists, "y": pa.array(np.zeros(rows, np.float32))})  # fmt: skip


@pytest.fixture
def nothing_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding a column is an error."""

    class Closed(pq.ParquetFile):
        def read(self, *args: Any, **options: Any) -> pa.Table:
            raise AssertionError("it was decoded")

    monkeypatch.setattr(pq, "ParquetFile", Closed)


@pytest.mark.usefixtures("nothing_decodes")
def test_rows_are_compared_before_anything_is_decoded(theirs: Path) -> None:
    write(theirs, big(1_000_000))
    assert (theirs / TRAIN).stat().st_size < 30_000
    assert "has 1,000,000 rows, task.json says 84" in use(theirs, TRAIN)
    edit(theirs, lambda d: d["files"].pop("data/test.parquet"))
    said = f"{TRAIN}: 1,000,000 rows, task.json says 84; they were not looked at"
    assert said in validate(theirs)


@pytest.mark.parametrize("longer", [False, True])
def test_a_small_file_that_becomes_huge_is_refused(
    theirs: Path, monkeypatch: pytest.MonkeyPatch, longer: bool
) -> None:
    """Honest about its rows; the limit is made small, so that the test is."""
    monkeypatch.setattr(parquet, "PLENTY", 2**20)
    table = big(2_000, "a" * 40_000) if longer else big(1_000_000)
    write(theirs, table)
    edit(theirs, lambda d: d["files"][TRAIN].update(rows=table.num_rows))
    if not longer:
        assert "allowed; it was not read further" in use(theirs, TRAIN)
    assert any("allowed; it was not read further" in problem for problem in validate(theirs))


def repeating(kind: str, rows: int) -> pa.Array:
    """A column of equal values, which takes next to nothing in a file, and much in memory."""
    word = "a" * 1000
    if kind == "text":
        return pa.array([word] * rows)
    if kind == "bytes":
        return pa.array([word.encode()] * rows)
    if kind == "texts":
        return pa.array([[word] * 2] * rows)
    if kind == "structure":
        return pa.array([{"a": word}] * rows)
    if kind == "map":
        return pa.array([[(word, 1)]] * rows, pa.map_(pa.string(), pa.int8()))
    if kind == "numbers":
        return pa.array([[0.0] * 200] * rows)
    return pa.array([word] * rows).dictionary_encode()


REPEATING = ("text", "bytes", "texts", "structure", "map", "numbers", "categories")


@pytest.mark.parametrize("kind", REPEATING)
def test_a_budget_counts_what_columns_of_any_type_become(kind: str) -> None:
    column = repeating(kind, 2000)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": column, "b": [1] * 2000}), sink, compression="zstd")
    raw = sink.getvalue().to_pybytes()
    plain = column.dictionary_decode().nbytes if kind == "categories" else column.nbytes
    assert plain > 1_500_000 > 50 * len(raw)
    with pytest.raises(InvalidDataset, match="allowed; it was not read further"):
        parquet.read_bounded(raw, {"a": ()}, 1_500_000, "it")
    with pytest.raises(InvalidDataset, match="allowed; it was not read further"):
        parquet.cells(raw, ["a"], "it", 1_500_000)
    assert (
        parquet.read_bounded(raw, {"a": ()}, 6_000_000, "it")["a"].to_pylist() == column.to_pylist()
    )
    found = parquet.read_bounded(raw, {"b": pa.int64()}, 20_000, "it")  # `a` is not looked at
    assert found.column_names == ["b"]
    assert 16_000 <= found.nbytes <= 20_000


@given(st.lists(st.none() | st.text(max_size=5), max_size=40), st.integers(1, 30))
def test_texts_are_counted_as_they_stand(texts: list[str | None], group: int) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": pa.array(texts, pa.string())}), sink, row_group_size=group)
    shared = pq.ParquetFile(pa.BufferReader(sink.getvalue()), read_dictionary=["a"]).read()["a"]
    counted = sum(parquet._length(chunk) for chunk in shared.chunks)
    assert counted == sum(len(text.encode()) for text in texts if text is not None)


def test_columns_have_the_types_that_are_asked_for() -> None:
    sink = pa.BufferOutputStream()
    lists = pa.array([[[1, 2]], None], pa.list_(pa.list_(pa.field("odd", pa.int8()))))
    pq.write_table(pa.table({"designs": lists, "y": [0.5, 1.5]}), sink)
    raw = sink.getvalue().to_pybytes()
    wanted = (pa.list_(pa.list_(pa.float32())), pa.list_(pa.list_(pa.int8())))
    assert parquet.read_bounded(raw, {"designs": wanted}, 10_000, "it").num_rows == 2
    with pytest.raises(InvalidDataset) as caught:
        parquet.read_bounded(raw, {"designs": wanted[0], "y": pa.string(), "z": ()}, 10_000, "it")
    assert [p.split(",")[0] for p in caught.value.problems] == [
        "no column z",
        "column designs is list<element: list<element: int8>>",
        "column y is double",
    ]


def test_another_file_is_not_decoded_to_compare_its_values(theirs: Path) -> None:
    wanted = parquet.content_sha256((theirs / TRAIN).read_bytes())
    edit(theirs, lambda d: d["files"][TRAIN].update(content_sha256=wanted))
    pq.write_table(big(1_000_000), theirs / TRAIN)
    assert "sha256 expected" in use(theirs, TRAIN)
    assert not parquet.has_content((theirs / TRAIN).read_bytes(), wanted, 84)
    assert any("1,000,000 rows, task.json says 84" in problem for problem in validate(theirs))


def varint(number: int, size: int) -> bytes:
    """A number as Thrift writes it, in more bytes than it needs."""
    zigzag = number << 1
    groups = [(zigzag >> 7 * i) & 127 for i in range(size)]
    return bytes([g | 128 for g in groups[:-1]] + [groups[-1]])


def test_a_footer_that_promises_less_than_the_pages_hold_is_refused(theirs: Path) -> None:
    rows = 1_000_000
    write(theirs, big(rows), row_group_size=rows, write_statistics=False)
    raw = (theirs / TRAIN).read_bytes()
    start = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    tail = raw[start:]
    for true, false in ((rows, 84), (3 * rows, 3 * 84)):
        size = next(n for n in range(1, 10) if true << 1 < 1 << 7 * n)
        assert varint(true, size) in tail
        tail = tail.replace(varint(true, size), varint(false, size))
    (theirs / TRAIN).write_bytes(raw[:start] + tail)
    declare(theirs)
    assert pq.read_metadata(theirs / TRAIN).num_rows == 84
    assert "values, but 1000000 in its pages" in use(theirs, TRAIN)
    assert any("in its pages" in problem for problem in validate(theirs))


def test_any_writers_file_of_the_same_values_is_within_the_limit(folder: Path) -> None:
    """The limit of `StoredFile.largest` must refuse no honest writer."""
    raw = (folder / TRAIN).read_bytes()
    table = pq.read_table(pa.BufferReader(raw))
    for options in ({"compression": "none", "use_dictionary": False}, {"row_group_size": 500}, {"data_page_size": 1000}):  # fmt: skip
        pq.write_table(table, folder / TRAIN, **options)
        assert len((folder / TRAIN).read_bytes()) != len(raw)
        assert mbo_hub.load(folder).y.shape == (32898,)


@pytest.mark.parametrize("column", ["x", "y", "word"])
def test_a_column_twice_is_named(theirs: Path, column: str) -> None:
    table = pq.read_table(theirs / TRAIN)
    write(theirs, table.append_column(column, table[column]))
    assert f"2 columns are called {column!r}" in use(theirs, TRAIN)
    assert any(f"2 columns are called {column!r}" in problem for problem in validate(theirs))


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.int8()), pa.list_(pa.int64(), 3), pa.list_(pa.float32(), 3)]
)
def test_designs_of_another_type_are_named(theirs: Path, kind: pa.DataType) -> None:
    table = pq.read_table(theirs / TRAIN)
    write(theirs, table.set_column(2, "x", pa.array(table["x"].to_pylist(), kind)))
    with pytest.raises(InvalidDataset, match=r"column x is .*, not fixed_size_list.*\[3\]"):
        mbo_hub.load(theirs)
    assert any("column x" in problem for problem in validate(theirs))


def test_a_panic_of_polars_is_an_invalid_dataset(
    theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no Exception. Strangers' files no longer reach polars' reader; its checks see them."""
    import pandera.polars
    import polars as pl

    assert not issubclass(pl.exceptions.PanicException, Exception)

    def panic(*_: Any, **__: Any) -> None:
        raise pl.exceptions.PanicException("called `Option::unwrap()` on a `None` value")

    monkeypatch.setattr(pandera.polars.DataFrameSchema, "validate", panic)
    assert f"{TRAIN}: polars cannot read it: called `Option::unwrap()` on a `None` value" in (
        validate(theirs)
    )
    monkeypatch.setattr(pl, "from_arrow", panic)
    with pytest.raises(InvalidDataset, match="polars cannot read it"):
        schema.frame(pa.table({"y": [1.0]}), "it")


@pytest.mark.parametrize(
    "kind",
    [
        pa.float16(),
        pa.null(),
        pa.binary(),
        pa.list_(pa.int8(), 0),
        pa.map_(pa.string(), pa.int8()),
        pa.struct([]),
        pa.dictionary(pa.int8(), pa.string()),
        pa.month_day_nano_interval(),
        pa.list_(pa.struct([])),
    ],
    ids=str,
)
def test_polars_never_sees_an_odd_type(kind: pa.DataType, monkeypatch: pytest.MonkeyPatch) -> None:
    import polars as pl

    monkeypatch.setattr(pl, "from_arrow", lambda _: pytest.fail("polars saw it"))
    table = pa.schema([("y", pa.float32()), ("odd", kind)]).empty_table()
    with pytest.raises(InvalidDataset, match="column odd has the odd type"):
        schema.frame(table, "it")


# ------------------------------------------------------------------------------------------- fuzz


@pytest.mark.slow("30 core-seconds: files at full size; the tests above have each kind in small")
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and counted as on Linux")
def test_small_files_take_neither_minutes_nor_the_machine() -> None:
    """In a process of its own, whose memory is limited: see bombs.py."""
    assert bombs.in_a_child() == ""


def test_nothing_but_our_errors_comes_of_damaged_files() -> None:
    """In a process of its own, which no crash of a library hides, and whose memory is limited.

    300 cases; as other properties, a quarter of them in the quick run.
    """
    assert fuzzing_files.in_a_child(3 * settings().max_examples * TIMES, seed=11) == ""
