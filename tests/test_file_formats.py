"""Files of designs: what is written is read back, and damage is refused, never guessed at."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT
from fuzzing import TIMES, mutations
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_spaces import boxes

from mbo_hub import Box, InvalidDesign, InvalidFile, Sequence, Task, reading
from mbo_hub.dataset import manifest
from mbo_hub.dataset.footer import declared_values
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.reading import arrays, read_designs, recognition
from mbo_hub.spaces import formulas

MATERIAL = Box(size=86, low=0.0, names=formulas.ELEMENTS[:86], nonzero=True)
# Letters that stand for nothing else in any of the formats.
letters = st.characters(
    codec="utf-8", exclude_categories=["C", "Z"], exclude_characters='"[{(,;\ufeff'
)


@st.composite
def words(draw: st.DrawFn) -> Sequence:
    tokens = draw(st.lists(letters, min_size=2, max_size=30, unique=True))
    padding = draw(st.sampled_from([None, tokens[-1]]))
    return Sequence(length=draw(st.integers(1, 12)), alphabet=tuple(tokens), padding=padding)


def table(header: list[str], rows: list[list[object]], delimiter: str = ",") -> bytes:
    sink = io.StringIO()
    csv.writer(sink, delimiter=delimiter).writerows([header, *rows])
    return sink.getvalue().encode()


def saved(save: Callable[..., object], *args: object, **named: object) -> bytes:
    sink = io.BytesIO()
    save(sink, *args, **named)
    return sink.getvalue()


def stored(columns: dict[str, pa.Array], **options: object) -> bytes:
    return saved(lambda sink: pq.write_table(pa.table(columns), sink, **options))


def written(space: Sequence | Box, x: np.ndarray) -> dict[str, bytes]:
    """Designs in every format, by the name of a file."""
    numbers = [[f"{value:.9g}" for value in row] for row in x.tolist()]
    columns = list(space.columns)
    files = {
        "values.csv": table(columns, numbers),
        "values.tsv": table(columns, numbers, "\t"),
        "values": table(["y", *columns[::-1]], [["0.5", *row[::-1]] for row in numbers]),
        "values with tabs": table(columns, numbers, "\t"),
        "numbered.csv": table(["", *map(str, range(space.dim))],
                              [[i, *row] for i, row in enumerate(numbers)]),
        "lists.csv": table(["x"], [[f"[{', '.join(row)}]"] for row in numbers]),
        "blanks.csv": table(["x"], [[" ".join(row)] for row in numbers]),
        "designs.npy": saved(np.save, x),
        "fortran.npy": saved(np.save, np.asfortranarray(x)),
        "swapped.npy": saved(np.save, x.astype(x.dtype.newbyteorder())),
        "wide.npy": saved(np.save, x.astype(np.float64)),
        "designs.npz": saved(np.savez, x),
        "packed": saved(np.savez_compressed, designs=x),
        "named.npz": saved(np.savez, y=x[:, 0], x=x),
        "lists.parquet": stored({"x": pa.array(x.tolist())}),
        "fixed": stored({"x": pa.FixedSizeListArray.from_arrays(pa.array(x.ravel()), space.dim)}),
        "values.parquet": stored({c: pa.array(x[:, i]) for i, c in enumerate(columns)}),
    }  # fmt: skip
    first = numbers[0] if numbers else []
    if first != list(map(str, range(space.dim))) and (space.dim > 1 or isinstance(space, Box)):
        for name, between in (("commas.txt", ","), ("blanks", " "), ("tabs.txt", "\t ")):
            files[name] = "".join(f"{between.join(row)}\n" for row in numbers).encode()
        files["savetxt"] = saved(np.savetxt, x)
    if isinstance(space, Sequence):
        texts = space.decode(x)
        lines = "".join(f"{text}\r\n" for text in texts).encode()
        if texts and texts[0].casefold() not in ("x", "y", "0", "id"):
            files["texts.txt"] = lines
            files["marked"] = b"\xef\xbb\xbf" + lines
            files["named.smi"] = "".join(f"{t}\tname {i}\n" for i, t in enumerate(texts)).encode()
        files |= {
            "texts.csv": table(["sequence", "y"], [[text, 0.5] for text in texts]),
            "both.csv": table(["x", "sequence"], [[str(row), t] for row, t in zip(x.tolist(), texts, strict=True)]),
            "texts.npy": saved(np.save, np.array(texts)),
            "texts.parquet": stored({"sequence": pa.array(texts)}, row_group_size=2),
            "plain": stored({"sequence": pa.array(texts)}, use_dictionary=False),
            "coded": stored({"sequence": pa.array(texts).dictionary_encode()}),
        }  # fmt: skip
        if not any(">" in token for token in space.alphabet):
            records = (f">{i} x\n{text[:3]}\n{text[3:]}\n" for i, text in enumerate(texts))
            files["texts.fasta"] = "".join(records).encode()
    return files


def manifest_of(space: Sequence | Box, like: Task) -> Manifest:
    text = "sequence" if isinstance(space, Sequence) else None
    return msgspec.structs.replace(like.manifest, space=space, text=text)


def read(raw: bytes, name: str, manifest: Manifest, **options: object) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(raw)
        return read_designs(path, manifest, **options)


@given(words() | boxes(), st.integers(0, 2**32 - 1), st.integers(1, 4), st.data())
def test_what_is_written_is_read_back(
    tfbind8: Task, space: Sequence | Box, seed: int, n: int, data: st.DataObject
) -> None:
    x = space.sample(n, rng=seed)
    files = written(space, x)
    assume(files)
    for name in data.draw(st.lists(st.sampled_from(sorted(files)), min_size=6, unique=True)):
        strict, packed = data.draw(st.booleans()), data.draw(st.booleans())
        raw = gzip.compress(files[name]) if packed else files[name]
        found = read(
            raw, f"{name}.gz" if packed else name, manifest_of(space, tfbind8), strict=strict
        )
        assert np.array_equal(space.image(found), x), name


@pytest.mark.parametrize(
    "space", [Sequence(length=8, alphabet=tuple("ACGT")), Box(size=3), MATERIAL]
)
def test_every_format_is_read(tfbind8: Task, space: Sequence | Box) -> None:
    x = space.sample(4, rng=5)
    for name, raw in written(space, x).items():
        assert np.array_equal(read(raw, name, manifest_of(space, tfbind8)), x), name
        zipped = gzip.compress(raw[:20]) + gzip.compress(raw[20:])  # two members, one file
        assert np.array_equal(read(zipped, f"{name}.gz", manifest_of(space, tfbind8)), x), name


DNA = written(
    Sequence(length=8, alphabet=tuple("ACGT")), np.arange(32).reshape(4, 8).astype(np.int8) % 4
)
REALS = written(Box(size=3), Box(size=3).sample(4, rng=0))
SEEDS = {f"dna {name}": (name, raw) for name, raw in DNA.items()} | {
    f"reals {name}": (name, raw) for name, raw in REALS.items()
}


@pytest.mark.parametrize("seed", [*SEEDS, "dna zipped.csv.gz"])
def test_damaged_files_are_read_or_refused(tfbind8: Task, seed: str) -> None:
    if seed == "dna zipped.csv.gz":
        name, raw = "texts.csv.gz", gzip.compress(DNA["texts.csv"], mtime=0)
    else:
        name, raw = SEEDS[seed]
    space = Sequence(length=8, alphabet=tuple("ACGT")) if seed[0] == "d" else Box(size=3)
    manifest = manifest_of(space, tfbind8)
    rng = np.random.default_rng(list(seed.encode()))
    outcomes: list[str] = []
    cases = settings().max_examples * 3 // 5 * TIMES  # 60; a quarter in the quick run
    for case, damaged in enumerate(itertools.islice(mutations(raw, rng), cases)):
        try:
            found = read(damaged, name, manifest, strict=case % 2 == 0)
        except InvalidFile as error:
            outcomes.append(str(error))
        else:
            assert found.shape[1:] == (space.dim,)
            assert case % 2 or space.legal(found).all()
    assert outcomes
    assert max(map(len, outcomes)) < 500


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.npy", b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", "a Git LFS pointer, not the file; get that with  git lfs pull"),
        ("d.csv", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
        ("d.parquet", b"\n <!DOCTYPE html><html>", "a web page, not the file itself"),
        ("d.txt", b"\xef\xbb\xbf<HTML lang=en>", "a web page"),
        ("d.txt", "ACGTACGT\n".encode("utf-16"), "text in UTF-16"),
        ("d.csv", "ACGTACGT\n".encode("utf-16-be"), "not text"),
        ("d.txt", b"\xfe\xff" + "ACGTACGT\n".encode("utf-16-be"), "text in UTF-16"),
        ("d.txt", "ACGTACGT\n".encode("utf-32"), "text in UTF-32"),
        ("d.txt", b"ACGTACGT\n\xe9\n", "not UTF-8 text (byte 9)"),
        ("d.txt", b"ACGTACGT\nAC\x1b[2J\n", "line 2: not text: it has '\\x1b'"),
        ("d.json", b'{"sequence": ["ACGTACGT"]}', "this is JSON"),
        ("d.json", b"[[0, 1, 2, 3, 0, 1, 2, 3]]", "this is JSON"),
        ("d.jsonl", b'{"sequence": "ACGTACGT"}\n{"sequence": "ACGTACGT"}\n', "this is JSON"),
        ("d.pkl", b"\x80\x04\x95", "a Python pickle, which is never opened"),
        ("d.h5", b"\x89HDF\r\n\x1a\n", "this is HDF5"),
        ("d.xls", b"\xd0\xcf\x11\xe0", "an old Office document"),
        ("d.bz2", b"BZh91AY&SY", "compressed with bzip2"),
        ("d.xz", b"\xfd7zXZ\0", "compressed with xz"),
        ("d.feather", b"ARROW1\0\0", "Arrow (Feather)"),
        ("d.npz", b"ACGTACGT\n", "not a .npz file, as its first bytes say"),
        ("d.parquet", b"ACGTACGT\n", "not a .parquet file, as its first bytes say"),
        ("d.gz", gzip.compress(b"ACGTACGT\n", mtime=0)[:-9], "the gzip file is cut off"),
        ("d.gz", b"\x1f\x8b nonsense", "a damaged gzip file"),
        ("d.gz", gzip.compress(gzip.compress(b"ACGTACGT\n", mtime=0), mtime=0), "compressed with gzip twice"),
        ("d.gz", gzip.compress(b" \n", mtime=0), "the file is empty"),
        ("d.csv", b"sequence;y\nACGTACGT;0,93\n", "semicolons between cells"),
        ("d.txt", b"0;1;2;3;0;1;2;3\n", "semicolons between cells"),
        ("d.csv", b"sequence,sequence\nGCTAATTA,ACGTACGT\n", "2 columns are called 'sequence'"),
        ("d.csv", b"x0,x1,x2,x3,x4,x5,x6,x7,x0\n0,1,2,3,0,1,2,3,3\n", "2 columns are called 'x0'"),
        ("d.csv", b'sequence,x\nGCTAATTA,"0,1,2,3,0,1,2,3"\n', "line 2: column 'sequence' and column 'x' hold different designs"),
        ("d.csv", b"sequence,x0,x1,x2,x3,x4,x5,x6,x7\nGCTAATTA,0,1,2,3,0,1,2,3\n", "columns x0 … x7 hold different designs"),
        ("d.csv", b"x0,x1,x2,x3,x4,x5,x6\n0,1,2,3,0,1,2\n", "no column 'x7'; a design has 8 values, x0 … x7"),
        ("d.csv", b"x0,x2\n0,1\n", "no column 'x1', and 5 more"),
        ("d.csv", b"x0,x1,x2,x3,x4,x5,x6,x7,x8\n0,1,2,3,0,1,2,3,3\n", "column 'x8' is no value of this task"),
        ("d.csv", b'x\n"[0, 1, 2, 3, 0, 1, 2, 3"\n', "look at its brackets"),
        ("d.csv", b'x\n"[0, 1, 2, 3], 0, 1, 2, 3]"\n', "look at its brackets"),
        ("d.csv", b'x\n"[0 1 2 ... 1 2 3]"\n', "the numbers are cut off"),
        ("d.csv", b'x\n"[]"\n', "a cell is empty"),
        ("d.csv", b"x0,x1,x2,x3,x4,x5,x6,x7\n0,1,,3,0,1,2,3\n", "line 2: a cell is empty"),
        ("d.csv", b'sequence\n"ACGTACGT"A\n', "line 2: not CSV"),
        ("d.csv", b'sequence\n"ACGTACGT\nACGTACGT\n', "not CSV"),
        ("d.csv", b"0,1,2,3,0,1,2,3\n0,1,2,3,0,1,2,3\n", "begin with x0,x1,… or call the file .txt"),
        ("d.csv", b"ACGTACGT\nACGTACGT\n", "no column 'sequence' or 'x'"),
        ("d.txt", b"0,1_0,2,3,0,1,2,3\n", "'1_0' is not a number; write it with 0 to 9"),
        ("d.txt", "0,1,２,3,0,1,2,3\n".encode(), "'２' is not a number; write it with 0 to 9"),
        ("d.txt", b"0,1,2,3,4,5,6,7\n1,2,3,0,1,2,3,0\n", "may be numbers of columns, as pandas writes them"),
        ("d.txt", b"seq\nACGTACGT\n", "'seq' names columns, none of them known to hold designs; call it 'sequence'"),
        ("d.txt", b"Sequence,Y\nACGTACGT,1\n", "names columns, none of them known"),
        ("d.txt", b"ACGTACGT\tname\n", "2 fields, where one design a line is expected"),
        ("d.txt", b"ACGTACGT\nACGTACGT,1\n", "line 2: 2 fields"),
        ("d.txt", b" ".join([b"0.25"] * 30_000), "has 30000 values; this task's designs have 8"),
        ("d.txt", b"A" * 100_000, "has 100000 letters"),
        ("d.txt", b"0,1,2,3,0,1,2," + b"B" * 100_000, "is not a number"),
        ("d.txt", b",".join([b"1,0,0,0"] * 8), "look like one-hot: write space.from_one_hot"),
        ("d.fasta", b">a\nACGTACGT\n>b\n>c\nACGTACGT\n", "record 'b' has no sequence"),
        ("d.fasta", b">a\nACGTACGT\n>b\nACGNACGT\n", "record 'b': the design has letter 'N'"),
        ("d.smi", b"SMILES\nACGTACGT x\nACGU\n", "line 3: the design has letter 'U'"),
        ("d.npz", saved(np.savez, a=np.zeros(2), b=np.zeros(2)), "2 arrays ('a', 'b'), none of them called 'x'"),
        ("d.npz", b"PK\5\6" + b"\0" * 18, "this is a zip archive; unpack it"),
    ],
)  # fmt: skip
def test_what_leaves_doubt_is_refused_by_name(
    tfbind8: Task, name: str, content: bytes, message: str
) -> None:
    with pytest.raises(InvalidFile) as caught:
        read(content, name, tfbind8.manifest)
    said = str(caught.value).rpartition(f"/{name}")[2]
    assert message in str(caught.value)
    assert len(said) < 260


@pytest.mark.parametrize("first", ["0,1,2", "0 1 2", "0\t1\t2", '"0","1","2"', ",0,1,2"])
def test_numbers_of_columns_are_no_design(tfbind8: Task, first: str) -> None:
    """A box without bounds takes any numbers for a design, the header of pandas too."""
    manifest = manifest_of(Box(size=3), tfbind8)
    with pytest.raises(InvalidFile, match="line 1"):
        read(f"{first}\n0.5,0.5,0.5\n".encode(), "d.txt", manifest)
    if "," in first:
        rows = f"{first}\n{',' if first[0] == ',' else ''}0.5,0.5,0.25\n".encode()
        assert read(rows, "d.csv", manifest).tolist() == [[0.5, 0.5, 0.25]]
    assert read(b"x0,x1,x2\n0,1,2\n", "d.txt", manifest).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("name", ["texts.npy", "texts.fasta", "named.smi"])
def test_a_column_is_not_ignored(tfbind8: Task, name: str) -> None:
    with pytest.raises(InvalidFile, match="has no columns; leave out --column"):
        read(DNA[name], name, tfbind8.manifest, column="x")
    with pytest.raises(InvalidFile, match="none of them called 'z'"):
        read(DNA["named.npz"], "d", tfbind8.manifest, column="z")


def test_a_header_is_no_design_even_if_it_can_be_spelt(tfbind8: Task) -> None:
    peptides = Sequence(length=9, alphabet=(*"ACDEFGHIKLMNPQRSTVWY", "-"), padding="-")
    for header in ("SEQ", "NAME", "ID"):
        with pytest.raises(InvalidFile, match="names columns, none of them known"):
            read(f"{header}\nACDE\n".encode(), "d.txt", manifest_of(peptides, tfbind8))


def test_formulas_in_files(tfbind8: Task) -> None:
    manifest = msgspec.structs.replace(manifest_of(MATERIAL, tfbind8), text="formula")
    texts = ["YBa2Cu3O7", "Ba(Fe0.9Co0.1)2As2", "InN", "[(Na)2]O"]
    wanted = MATERIAL.encode(texts)
    for name, raw in {
        "d.txt": "\n".join(texts).encode(),
        "headed": "\n".join(["formula", *texts]).encode(),
        "d.csv": table(["formula", "y"], [[text, 1] for text in texts]),
        "d.npy": saved(np.save, np.array(texts)),
        "d.parquet": stored({"formula": pa.array(texts)}),
    }.items():
        assert np.array_equal(read(raw, name, manifest), wanted), name
    with pytest.raises(
        InvalidFile, match=r"line 2: the design \('La2-xSrxCuO4'\) has '-' at position 3"
    ):
        read(b"YBa2Cu3O7\nLa2-xSrxCuO4\n", "d.txt", manifest)
    found = read(b"YBa2Cu3O7\nLa2-xSrxCuO4\n", "d.txt", manifest, strict=False)
    assert MATERIAL.legal(found).tolist() == [True, False]
    header = ",".join(MATERIAL.names)
    with pytest.raises(InvalidFile, match="no column 'Rn'; a design has 86 values, H … Rn"):
        read(header.removesuffix(",Rn").encode(), "d.csv", manifest)
    with pytest.raises(InvalidFile, match="column 'U' is no value of this task"):
        read(f"{header},U\n".encode(), "d.csv", manifest)


def header(declared: object, version: bytes = b"\1\0", body: bytes = b"\0" * 64) -> bytes:
    text = declared if isinstance(declared, bytes) else repr(declared).encode()
    length = len(text).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + length + text + body


GOOD = {"descr": "<i8", "fortran_order": False, "shape": (1, 8)}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (header(GOOD | {"descr": "<U0", "shape": (10**9,)}, body=b""), "no values have the type '<U0'"),
        (header(GOOD | {"descr": "|S0"}), "it holds bytes"),
        (header(GOOD | {"descr": "|O"}), "Python objects, which are never opened"),
        (header(GOOD | {"descr": "|b1"}), "true and false"),
        (header(GOOD | {"descr": "<c16"}), "complex numbers"),
        (header(GOOD | {"descr": "<V2"}), "bfloat16"),
        (header(GOOD | {"descr": "<i3"}), "no values have the type '<i3'"),
        (header(GOOD | {"descr": "<U" + "9" * 30}), "no values have the type"),
        (header(GOOD | {"descr": [("a", "<i8")]}), "an array of records"),
        (header(GOOD | {"descr": None}), "an array of records"),
        (header(GOOD | {"shape": (2, 8)}), "are '128' bytes, but it holds 64"),
        (header(GOOD | {"shape": (10**30, 8)}), "but it holds 64"),
        (header(GOOD | {"shape": (0, 8)}, body=b""), "it holds no designs"),
        (header(GOOD | {"shape": (10**30, 0)}, body=b""), "it holds no designs"),
        (header(GOOD | {"shape": (-1, 8)}), "its shape is"),
        (header(GOOD | {"shape": (True, 8)}), "its shape is"),
        (header(GOOD | {"shape": 8}), "its shape is"),
        (header(GOOD | {"shape": (1,) * 50 + (8,)}), "not one of 51 dimensions"),
        (header(GOOD | {"more": 1}), "its header is no declaration"),
        (header(b"{'descr': '''<i8, 'fortran_order': False"), "its header is no declaration"),
        (header(b"(" * 5000), "its header is no declaration"),
        (header(b"-" * 9000 + b"1"), "its header is no declaration"),
        (header(b"{{}: 1}"), "its header is no declaration"),
        (header(b"\0"), "its header is no declaration"),
        (header(b""), "its header is no declaration"),
        (header(b"9" * 9000), "its header is no declaration"),
        (header(b" " * 20_000, b"\3\0"), "its header says to be 20000 bytes long"),
        (header(GOOD, b"\7\0"), "format (7, 0)"),
        (b"\x93NUMPY\1\0", "not a .npy file that numpy writes today"),
        (b"\x93NUMPY", "not a .npy file that numpy writes today"),
        (header(GOOD | {"descr": "<U1", "shape": (16,)}, body=b"\xff" * 64), "what is no letter"),
        (header(GOOD | {"descr": ">U1", "shape": (16,)}, body=b"A\0\0\0" * 16), "what is no letter"),
    ],
)  # fmt: skip
def test_headers_of_arrays_are_not_believed(tfbind8: Task, raw: bytes, message: str) -> None:
    with pytest.raises(InvalidFile) as caught:
        read(raw, "d.npy", tfbind8.manifest)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


def test_small_files_do_not_become_huge_ones(
    tfbind8: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (reading, arrays, recognition):
        monkeypatch.setattr(module, "LIMIT", 2**20)
    rows = 2**22
    zeros = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(rows, np.int8)), 8)
    bombs = {
        "d.gz": gzip.compress(b"ACGTACGT\n" * (rows // 8)),
        "d.npz": saved(np.savez_compressed, np.zeros((rows // 8, 8), np.int8)),
        "d.parquet": stored({"x": zeros}),
        "texts.parquet": stored({"sequence": pa.array(["ACGTACGT"] * (rows // 8))}),
        "one row.parquet": stored({"x": pa.array([np.zeros(rows, np.int8)])}),
        "large.npy": saved(np.save, np.zeros((rows // 8, 8), np.int8)),
        "d.txt": b"ACGTACGT\n" * (rows // 8),
    }
    for name, raw in bombs.items():
        tracemalloc.start()
        with pytest.raises(InvalidFile, match=r"more than 1 MiB|where 1,048,576 are allowed"):
            read(raw, name, tfbind8.manifest)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 20 * 2**20, name
        if name in ("d.gz", "d.npz") or name.endswith("parquet"):
            assert len(raw) < 2**17, name


@pytest.mark.parametrize("name", ["d.txt", "d.csv", "d.smi", "d.fasta", "d.parquet"])
def test_no_more_designs_are_read_than_fit(
    tfbind8: Task, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A letter a line is a small file; each would take the room of a whole design."""
    monkeypatch.setattr(recognition, "LIMIT", 800)
    monkeypatch.setattr(reading, "LIMIT", 10_000)
    for rows in (100, 101):
        texts = ["A"] * rows
        raw = {
            "d.csv": "sequence\n" + "\n".join(texts),
            "d.fasta": "".join(f">{row}\nA\n" for row in range(rows)),
        }.get(name, "\n".join(texts)).encode()  # fmt: skip
        if name == "d.parquet":
            raw = stored({"sequence": pa.array(texts)})
        said = "has 1 letter" if rows == 100 else "score them in several files"
        with pytest.raises(InvalidFile, match=said):
            read(raw, name, tfbind8.manifest)
    assert np.isnan(read(b"A\nACGTACGT\n", "d.txt", tfbind8.manifest, strict=False)[0]).all()


@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(0, 3))
def test_gzip_of_many_members_is_unpacked(parts: list[bytes], zeros: int) -> None:
    raw = b"".join(gzip.compress(part) + b"\0" * zeros for part in parts)
    whole = b"".join(parts)
    if not whole.startswith(b"\x1f\x8b"):
        assert recognition.unzip(raw, "it") == whole
    if parts:
        with pytest.raises(InvalidFile, match=r"cut off|damaged"):
            recognition.unzip(raw.rstrip(b"\0")[:-9], "it")


@pytest.mark.parametrize("name", ["tfbind8", "chembl", "superconductor"])
def test_what_is_illegal_is_the_same_one_by_one(name: str) -> None:
    """As texts are read to be counted as invalid, and as the first illegal one is told."""
    space = manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name).space
    rng = np.random.default_rng(3)
    letters = [*"ACGTacgtnNX#()=[]@+-.,0123456789 é_", "Cl", "Br", "Ba", "Cu"]
    texts = ["".join(rng.choice(letters, rng.integers(0, 12))) for _ in range(300)]
    texts += ["ACGTACGT", "CC(=O)Cl", "YBa2Cu3O7", "Cu" + "9" * 400, "O" * 5000]
    together = space.encode_legal(texts)
    for text, row in zip(texts, together, strict=True):
        try:
            alone = space.encode([text])[0]
        except InvalidDesign:
            assert not space.legal(row[None])[0], text
        else:
            assert alone.tolist() == row.astype(alone.dtype).tolist(), text
    assert 0 < space.legal(together).sum() < len(texts)


def test_one_long_text_counts_in_each_row(tfbind8: Task) -> None:
    """A dictionary makes of a megabyte of text, a hundred thousand times, a small file."""
    raw = stored(
        {"sequence": pa.DictionaryArray.from_arrays(np.zeros(100_000, int), ["A" * 2**20])}
    )
    with pytest.raises(InvalidFile, match=r"would become 104,85\d,\d{3},\d{3} in memory"):
        read(raw, "d.parquet", tfbind8.manifest)


@given(st.data())
@settings(max_examples=25)
def test_a_footer_tells_how_many_values_there_are(data: st.DataObject) -> None:
    """As pyarrow says it, of files that are whole."""
    rows = data.draw(st.integers(0, 50))
    columns = {
        "x": pa.array([[1] * data.draw(st.integers(0, 3)) for _ in range(rows)], pa.list_(pa.int8())),
        "y": pa.array([None if i % 3 else 0.5 for i in range(rows)], pa.float32()),
        "text": pa.array([str(i) for i in range(rows)], pa.string()),
        "deep": pa.array([{"a": [True], "b": {"c": i}} for i in range(rows)],
                         pa.struct({"a": pa.list_(pa.bool_()), "b": pa.struct({"c": pa.int64()})})),
    }  # fmt: skip
    raw = stored(columns, row_group_size=data.draw(st.integers(1, 60)), store_schema=True)
    metadata = pq.ParquetFile(io.BytesIO(raw)).metadata
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    wanted = dict.fromkeys(columns, 0) if groups else {}
    for leaf in (group.column(i) for group in groups for i in range(group.num_columns)):
        wanted[leaf.path_in_schema.split(".")[0]] += leaf.num_values
    assert declared_values(raw) == wanted


def test_a_damaged_footer_says_so() -> None:
    raw = DNA["lists.parquet"]
    size = int.from_bytes(raw[-8:-4], "little")
    rng = np.random.default_rng(0)
    refused = 0
    for footer in itertools.islice(mutations(raw[-size - 8 : -8], rng), 200):
        try:
            values = declared_values(
                raw[: -size - 8] + footer + len(footer).to_bytes(4, "little") + b"PAR1"
            )
        except ValueError:
            refused += 1
        else:
            assert all(count >= 0 for count in values.values())
    assert refused > 40
    for broken in (b"", b"PAR1", raw[:-1], raw[:-8] + b"\xff\xff\xff\xffPAR1"):
        with pytest.raises(ValueError, match=r"damaged|footer"):
            declared_values(broken)
