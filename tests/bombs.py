"""Small files that ask for much: each is refused or read within 20 s and 2 GB, in a child.

    python tests/bombs.py            # all of them, with what each took, under a limit of memory

A bomb writes its file, gives what a user calls, and what has to come of it: words of an error of
mbo_hub, or none where the file is read.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fuzzing_files import MEMORY, limit_memory

import mbo_hub
from mbo_hub.dataset import files, manifest
from mbo_hub.oracles import wire
from mbo_hub.publishing.validation import schema_problems, unknown_fields
from mbo_hub.reading import read_designs
from mbo_hub.results.record import decode_designs

ROOT = Path(__file__).parents[1]
SECONDS = 20.0  # of a core, that a bomb may take
Bomb = Callable[[Path], object]
BOMBS: dict[str, tuple[Bomb, str | None]] = {}


def bomb(said: str | None) -> Callable[[Bomb], Bomb]:
    def add(function: Bomb) -> Bomb:
        BOMBS[function.__name__] = function, said
        return function

    return add


def their_task(place: Path) -> Path:
    import stranger

    stranger.write(place / "theirs")
    return place / "theirs"


def declared(name: str) -> manifest.Manifest:
    return manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name)


# ---------------------------------------------------------------------------------------------- JSON


@bomb("Object missing required field")
def a_long_name_over_many_values(place: Path) -> object:
    """The place of each value is as long as the name."""
    document = {"k": 1, "k" * 1_000_000: {str(i): i / 7 for i in range(200_000)}}
    return manifest.read(json.dumps(document).encode(), "it")


@bomb("control character U+0007 at `kkkkk")
def a_long_name_over_many_lists(place: Path) -> object:
    values: list[object] = [[[i], "x"] for i in range(100_000)]
    return files.json(json.dumps({"k" * 1_000_000: [*values, "\x07"]}).encode())


@bomb(None)
def many_small_objects(place: Path) -> object:
    return len(files.json(b"[" + b'{"a":0},' * 4_000_000 + b"0]"))


@bomb(None)
def many_unknown_fields(place: Path) -> object:
    """Of an object beside its misspelt ones, with a name that is longer than all of it."""
    document = json.loads((their_task(place) / "task.json").read_text())
    document["statistics"] |= {f"{'k' * 1000}{i}": 0 for i in range(20_000)}
    document["oracles"] |= {"n" * 100_000: {str(i): 0 for i in range(20_000)}}
    raw = json.dumps(document).encode()
    said = unknown_fields(raw) + schema_problems(raw)
    assert len(said) < 300
    return max(map(len, said)) < 1000 or sys.exit("a sentence is too long")


@bomb("x_mean")
def a_wrong_value_behind_many_names(place: Path) -> object:
    """The name that a message leaves out is looked for among all of them."""
    document = json.loads((their_task(place) / "task.json").read_text())
    entry = document["oracles"][next(iter(document["oracles"]))]
    document["oracles"] |= {f"o{i}": entry for i in range(3000)}
    document["statistics"]["x_mean"] = [0.5] * 300_000
    document["oracles"]["last"] = entry | {"exact": 7}
    with pytest.raises(mbo_hub.InvalidDataset, match=r"oracles\.last\.exact"):
        manifest.read(json.dumps(document).encode(), "it")
    document["oracles"]["last"] = entry
    return manifest.read(json.dumps(document).encode(), "it")


# ------------------------------------------------------------------------------------------- parquet


def rows_of(place: Path, millions: int, word: str = "aaa") -> Path:
    """A stranger's task whose data are the same row, again and again."""
    folder = their_task(place)
    many = 100_000
    texts = pa.DictionaryArray.from_arrays(pa.array(np.zeros(many, np.int32)), pa.array([word]))
    table = pa.table({
        "word": texts.dictionary_decode(),
        "x": pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(many * 3, np.int8)), 3),
        "y": pa.array(np.zeros(many, np.float32)),
    })  # fmt: skip
    path = folder / "data" / "train.parquet"
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(10 * millions):
            writer.write_table(table)
    document = json.loads((folder / "task.json").read_text())
    entry = document["files"]["data/train.parquet"]
    raw = path.read_bytes()
    entry.update(sha256=files.sha256(raw).hexdigest(), bytes=len(raw), rows=10 * millions * many)
    (folder / "task.json").write_text(json.dumps(document))
    return folder


@bomb(None)
def thirty_million_equal_rows(place: Path) -> object:
    """Their numbers may be read; their texts would be larger."""
    folder = rows_of(place, 30)
    said = mbo_hub.validate(folder)
    assert any("it was not read further" in problem for problem in said), said
    return mbo_hub.load(folder).y


@bomb("allowed; it was not read further")
def a_long_text_in_a_million_rows(place: Path) -> object:
    raise mbo_hub.InvalidDataset("it", mbo_hub.validate(rows_of(place, 1, "a" * 1000)))


@bomb(None)
def as_many_equal_rows_as_are_read(place: Path) -> object:
    """They just fit, and are looked at with polars."""
    folder = rows_of(place, 5)
    assert mbo_hub.validate(folder)
    return len(mbo_hub.load(folder).y)


@bomb("allowed; it was not read further")
def many_equal_texts_as_designs(place: Path) -> object:
    texts = pa.DictionaryArray.from_arrays(np.zeros(20_000_000, np.int32), ["ACGTACGT"])
    pq.write_table(pa.table({"sequence": texts}), place / "d.parquet", compression="zstd")
    return read_designs(place / "d.parquet", declared("tfbind8"))


@bomb("where 134,217,728 are allowed")
def equal_designs_of_a_run(place: Path) -> object:
    x = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(136_000_000, np.int8)), 8)
    pq.write_table(pa.table({"x": x}), place / "designs.parquet", compression="zstd")
    return decode_designs((place / "designs.parquet").read_bytes(), "it")


@bomb("no column 'x'")
def many_columns(place: Path) -> object:
    """Which of them stands twice is looked for; there are no rows."""
    schema = pa.schema([(f"c{i}", pa.int8()) for i in range(60_000)])
    pq.write_metadata(schema, place / "d.parquet")
    return read_designs(place / "d.parquet", declared("ant"))


# ----------------------------------------------------------------------------------- text and gzip


@bomb(None)
def a_million_illegal_lines(place: Path) -> object:
    (place / "d.txt.gz").write_bytes(gzip.compress(b"CC(=O)QQ\n" * 1_000_000, 1))
    found = read_designs(place / "d.txt.gz", declared("chembl"), strict=False)
    return len(found) == 1_000_000 or sys.exit("lines are missing")


@bomb("score them in several files")
def as_many_letters_as_lines(place: Path) -> object:
    (place / "d.txt.gz").write_bytes(gzip.compress(b"C\n" * 50_000_000, 1))
    return read_designs(place / "d.txt.gz", declared("chembl"), strict=False)


@bomb("more than 16,777,216 letters")
def long_formulas(place: Path) -> object:
    (place / "d.txt.gz").write_bytes(gzip.compress((b"H1He" * 240 + b"\n") * 100_000, 1))
    return read_designs(place / "d.txt.gz", declared("superconductor"), strict=False)


@bomb("line 1")
def gzip_of_many_empty_members(place: Path) -> object:
    (place / "d.gz").write_bytes(gzip.compress(b"") * 200_000 + gzip.compress(b"ACGN\n"))
    return read_designs(place / "d.gz", declared("tfbind8"))


# ---------------------------------------------------------------------------------------------- ONNX


@bomb("more than 100,000 nodes")
def functions_that_call_each_other(place: Path) -> object:
    from test_foreign_onnx import with_functions

    calls = {f"f{i}": [f"f{i + 1}"] * 2 for i in range(60)} | {"f60": []}
    return wire.check(with_functions(calls), "m.onnx")


@bomb(None)
def many_functions(place: Path) -> object:
    from test_foreign_onnx import with_functions

    calls: dict[str, list[str]] = {f"f{i}": [] for i in range(1, 20_000)}
    return wire.check(with_functions({"f0": list(calls)} | calls), "m.onnx")


def most_memory() -> int:
    """The most memory that this process had, in MiB; `getrusage` counts what started it, too."""
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    return int(found) >> 10


def wrong_with(name: str) -> str:
    """Try one; what was wrong."""
    function, said = BOMBS[name]
    began, found = time.process_time(), ""
    with tempfile.TemporaryDirectory() as place:
        try:
            function(Path(place))
        except mbo_hub.MboHubError as error:
            found = str(error)
    taken, peak = time.process_time() - began, most_memory()
    sys.stderr.write(f"{name}: {taken:.1f} s, {peak:,} MiB: {found[:150]}\n")
    if (said or "") not in found or bool(said) != bool(found):
        return f"{name}: it says {found[:300]!r}"
    return f"{name}: {taken:.1f} s, {peak:,} MiB" if taken > SECONDS or peak > MEMORY >> 20 else ""


def main() -> int:
    """Try each in a process of its own; tell what it took, and what was wrong."""
    limit_memory()
    failed = 0
    for name in sys.argv[1:] or BOMBS:
        if child := os.fork():
            failed |= os.waitpid(child, 0)[1]
            continue
        code = 1
        try:
            wrong = wrong_with(name)
            sys.stdout.write(wrong and f"{wrong}\n")
            code = int(bool(wrong))
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        os._exit(code)
    return int(bool(failed))


def in_a_child() -> str:
    """Run all of them in a process of its own; what went wrong."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, timeout=900)
    return "" if done.returncode == 0 else f"{done.returncode}\n{done.stdout}{done.stderr}"


if __name__ == "__main__":
    sys.exit(main())
