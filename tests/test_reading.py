from __future__ import annotations

import csv
import io
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbo_hub import Box, InvalidFile, Task, read_designs
from mbo_hub.dataset.manifest import Manifest

TEXTS = ["ACGTACGT", "GCTAATTA"]
WANTED = [[0, 1, 2, 3, 0, 1, 2, 3], [2, 1, 3, 0, 0, 3, 3, 0]]


@pytest.fixture
def manifest(tfbind8: Task) -> Manifest:
    return tfbind8.manifest


@pytest.fixture
def box(manifest: Manifest) -> Manifest:
    space = Box(size=3, low=0.0, high=1.0, names=("Cu", "O", "H"))
    return msgspec.structs.replace(manifest, space=space, text=None)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.txt", "ACGTACGT\nGCTAATTA\n"),
        ("d.txt", "\n  ACGTACGT  \n\nGCTAATTA"),
        ("d.txt", "sequence\nACGTACGT\nGCTAATTA\n"),
        ("d", "ACGTACGT\r\nGCTAATTA\r\n"),
        ("d.txt", "0,1,2,3,0,1,2,3\n2,1,3,0,0,3,3,0\n"),
        ("d.csv", "sequence\nACGTACGT\nGCTAATTA\n"),
        ("d.csv", "\ufeffsequence,y\r\nACGTACGT,0.1\r\nGCTAATTA,\r\n"),
        ("d.CSV", "id, sequence \n1, ACGTACGT \n2, GCTAATTA\n"),
        ("d.csv", '"x"\n"[0, 1, 2, 3, 0, 1, 2, 3]"\n"2 1 3 0 0 3 3 0"\n'),
        ("d.csv", "x7,x0,x1,x2,x3,x4,x5,x6\n3,0,1,2,3,0,1,2\n0,2,1,3,0,0,3,3\n"),
    ],
)
def test_text_in_its_many_shapes(
    tmp_path: Path, manifest: Manifest, name: str, content: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content.encode())
    assert read_designs(path, manifest).tolist() == WANTED


@pytest.mark.parametrize("name", ["d.csv", "d.parquet"])
def test_a_formula_beside_the_amounts_is_to_agree_with_them(
    tmp_path: Path, box: Manifest, name: str
) -> None:
    """As Superconductor's parquet files have it; what is no plain formula says nothing."""
    with_text = msgspec.structs.replace(box, text="formula")

    def write(formula: str, *columns: str) -> Path:
        frame = pl.DataFrame({"formula": [formula], "Cu": [0.5], "O": [0.25], "H": [0.0]})
        lists = frame.select("formula", x=pl.concat_list("Cu", "O", "H"))
        if name.endswith("csv"):
            lists = lists.with_columns(x=pl.lit("[0.5, 0.25, 0]"))
        held = lists if "x" in columns else frame
        held = held.select("formula") if not columns else held
        getattr(held, f"write_{name[2:]}")(tmp_path / name)
        return tmp_path / name

    for columns in (("x",), ("Cu", "O", "H"), ()):
        path = write("Cu0.5O0.25", *columns)
        assert read_designs(path, with_text).tolist() == [[0.5, 0.25, 0]]
    path = write("Cu0.5O0.25-y", "x")
    assert read_designs(path, with_text).tolist() == [[0.5, 0.25, 0]]
    for columns in (("x",), ("Cu", "O", "H")):
        path = write("CuO", *columns)
        with pytest.raises(InvalidFile, match=r"and column 'formula' hold different designs"):
            read_designs(path, with_text)
        assert read_designs(path, with_text, column="formula").tolist() == [[1, 1, 0]]
    with pytest.raises(InvalidFile, match=r"numbers, not text|'CuO' is not a number"):
        read_designs(path, msgspec.structs.replace(box, space=Box(size=3)), column="formula")


def test_arrays_and_parquet(tmp_path: Path, manifest: Manifest) -> None:
    x = np.array(WANTED, np.int8)
    arrays = {"int.npy": x, "float.npy": x.astype(float), "text.npy": np.array(TEXTS)}
    for name, array in arrays.items():
        np.save(tmp_path / name, array)
    frames = {
        "text.parquet": pl.DataFrame({"sequence": TEXTS}),
        "x.parquet": pl.DataFrame({"x": pl.Series(x, dtype=pl.Array(pl.Int8, 8))}),
        "lists.parquet": pl.DataFrame({"x": x.tolist()}),
        "wide.parquet": pl.DataFrame({f"x{i}": x[:, i] for i in range(8)}),
    }
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / name)
    for name in [*arrays, *frames]:
        assert read_designs(tmp_path / name, manifest).tolist() == WANTED, name


def test_parquet_of_other_kinds(tmp_path: Path, manifest: Manifest) -> None:
    """As pyarrow, pandas and polars write it: the same designs, or a message."""
    path = tmp_path / "d.parquet"
    x = np.array(WANTED, np.int8)
    rows = pa.array(x.tolist())
    for table in (
        {"x": rows.cast(pa.list_(pa.int8()))},
        {"x": rows.cast(pa.large_list(pa.float32()))},
        {"x": rows.cast(pa.list_(pa.uint64(), 8))},
        {"sequence": pa.array(TEXTS).dictionary_encode()},
        {"sequence": pa.array(TEXTS, pa.large_string())},
        {
            f"x{i}": pa.array(x[:, i].tolist(), pa.int16() if i % 2 else pa.float64())
            for i in range(8)
        },
    ):
        for chunks in (1, 2):  # rows a row group
            pq.write_table(pa.table(table), path, row_group_size=chunks)
            assert read_designs(path, manifest).tolist() == WANTED, table
    wide = {f"x{i}": pa.array(x[:, i]) for i in range(8)}
    for table, message in (
        ({"x": [WANTED[0], WANTED[1][:7]]}, "row 1: the design has 7 values; this task's designs have 8"),
        ({"x": [WANTED[0], None]}, "row 1: column x is empty"),
        ({"x": [WANTED[0], [None] * 8]}, "row 1: the design has no value at position 0"),
        ({"x": [0, 1]}, "designs have shape (n, 8) here, got (2,)"),
        ({"sequence": pa.array(["ACGTACGT", "ACGT"])}, "row 1: the design ('ACGT') has 4 letters"),
        ({"sequence": pa.array([], pa.string())}, "it holds no designs (0 rows)"),
        ({"x": pa.array([], pa.list_(pa.int8(), 8))}, "it holds no designs (0 rows)"),
        ({**wide, "x3": pa.array([3, None])}, "row 1: the design has nan at position 3"),
        ({**wide, "x3": pa.array(["3", "0"])}, "column 'x3' does not hold numbers"),
        ({**wide, "x3": pa.array([[3], [0]])}, "column 'x3' does not hold numbers"),
    ):  # fmt: skip
        pq.write_table(pa.table(table), path)
        with pytest.raises(InvalidFile) as caught:
            read_designs(path, manifest)
        assert message in str(caught.value)
    pq.write_table(pa.table([pa.array(TEXTS)] * 2, ["sequence", "sequence"]), path)
    with pytest.raises(InvalidFile, match="2 columns are called 'sequence'"):
        read_designs(path, manifest)
    broken = pa.StringArray.from_buffers(
        1, pa.py_buffer(np.array([0, 1], np.int32)), pa.py_buffer(b"\xff")
    )
    pq.write_table(pa.table({"sequence": broken}), path)
    with pytest.raises(InvalidFile, match=r"not a readable parquet file: .*UTF8"):
        read_designs(path, manifest)


def test_an_empty_value_counts_as_invalid_where_that_is_wanted(
    tmp_path: Path, tfbind8: Task
) -> None:
    wide = {f"x{i}": [row[i] if i else None for row in WANTED] for i in range(8)}
    pq.write_table(pa.table(wide), tmp_path / "d.parquet")
    designs = read_designs(tmp_path / "d.parquet", tfbind8.manifest, strict=False)
    assert tfbind8.space.legal(designs).tolist() == [False, False]


def test_reading_parquet_needs_neither_polars_nor_pandas(tmp_path: Path) -> None:
    x = pl.Series(WANTED, dtype=pl.Array(pl.Int8, 8))
    pl.DataFrame({"x": x, "sequence": TEXTS}).write_parquet(tmp_path / "d.parquet")
    code = (
        "import sys, mbo_hub; m = mbo_hub.load('tfbind8').manifest\n"
        "for column in ('x', 'sequence'): mbo_hub.read_designs('d.parquet', m, column=column)\n"
        "sys.exit(not set(sys.argv[1:]).isdisjoint(sys.modules))"
    )
    old = (
        int(pa.__version__.partition(".")[0]) < 26
    )  # pyarrow 18 itself imports pandas where it can
    absent = ["polars"] if old else ["polars", "pandas"]
    subprocess.run([sys.executable, "-c", code, *absent], cwd=tmp_path, check=True)


def test_standard_input(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.TextIOWrapper(io.BytesIO(b"ACGTACGT\nGCTAATTA\n"))
    monkeypatch.setattr(sys, "stdin", raw)
    assert read_designs("-", manifest).tolist() == WANTED


def test_another_column(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "d.csv"
    path.write_text("sequence,mutant\nAAAAAAAA,ACGTACGT\nAAAAAAAA,GCTAATTA\n")
    assert read_designs(path, manifest, column="mutant").tolist() == WANTED
    with pytest.raises(InvalidFile, match=r"no column 'other'; it has 'sequence', 'mutant'"):
        read_designs(path, manifest, column="other")


def test_real_numbers(tmp_path: Path, box: Manifest) -> None:
    for name, content in {
        "d.csv": "O,Cu,H\n0.5,0.25,0\n1,0,0.125\n",
        "d.txt": "0.25 , 0.5 , 0\n0,1,0.125\n",
        "x.csv": 'x\n"0.25 0.5 0"\n"[0, 1, 0.125]"\n',
    }.items():
        (tmp_path / name).write_text(content)
        found = read_designs(tmp_path / name, box)
        assert found.dtype == np.float32
        assert found.tolist() == [[0.25, 0.5, 0], [0, 1, 0.125]], name
    (tmp_path / "d.csv").write_text("Cu,O,H\n0,0,0\n0,1.5,0\n")
    with pytest.raises(InvalidFile, match=r"d\.csv, line 3: the design has 1\.5 for O; it lies"):
        read_designs(tmp_path / "d.csv", box)
    (tmp_path / "words.txt").write_text("Cu0.5O0.5\n")
    assert read_designs(tmp_path / "words.txt", box).tolist() == [[0.5, 0.5, 0]]
    unnamed = msgspec.structs.replace(box, space=Box(size=3))
    with pytest.raises(InvalidFile, match=r"line 1: 'Cu0\.5O0\.5' is not a number"):
        read_designs(tmp_path / "words.txt", unnamed)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.txt", b"ACGTACGT\n\nACGNACGT\n", "d.txt, line 3: the design has letter 'N' at position 3; this task uses ACGT"),
        ("d.txt", b"ACGTACGT\nACGT\n", "d.txt, line 2: the design ('ACGT') has 4 letters; this task's designs have 8"),
        ("d.txt", b"acgtACGT\n", "case matters: write 'A'"),
        ("d.csv", b"sequence\nACGTACGT\nACGTACGTA\n", "d.csv, line 3: the design"),
        ("d.csv", b"sequence\n", "it holds no designs (0 rows)"),
        ("d.csv", b"seq\nACGTACGT\n", "no column 'sequence' or 'x', nor x0 … x7; it has 'seq'. Name the column with --column"),
        ("d.csv", b"sequence,y\nACGTACGT\n", "d.csv, line 2: 1 cells; the first line names 2"),
        ("d.txt", b"", "the file is empty"),
        ("d.txt", b" \n\n", "the file is empty"),
        ("d.txt", b"0,1,2,3,0,1,2,4\n", "line 1: the design has token 4"),
        ("d.txt", b"0,1,2,3,0,1,2,-1\n", "line 1: the design has token -1"),
        ("d.txt", b"0,1,2,3,0,1,2,nan\n", "line 1: the design has nan at position 7"),
        ("d.txt", b"0,1,2,3,0,1,2\n", "line 1: the design has 7 values; this task's designs have 8"),
        ("d.txt", b"0,1,2,3,0,1,2,3\n0,1\n", "line 2: the design has 2 values; this task's designs have 8"),
        ("d.txt", b"0,1,2,3,0,1,2,A\n", "line 1: 'A' is not a number"),
        ("d.txt", b"\xff\xff\x00", "not UTF-8 text (byte 0)"),
        ("d.npy", b"not numpy", "not a .npy file"),
        ("d.npy", b"PK\3\4 and so on", "a damaged zip archive"),
        ("d.npy", b"", "the file is empty"),
        ("d.parquet", b"PAR1 but no more PAR1", "not a readable parquet file"),
    ],
)  # fmt: skip
def test_bad_files_name_the_row_and_the_way_out(
    tmp_path: Path, manifest: Manifest, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidFile) as caught:
        read_designs(tmp_path / name, manifest)
    assert message in str(caught.value)


def test_bad_arrays(tmp_path: Path, manifest: Manifest) -> None:
    path = tmp_path / "d.npy"
    for array, message in [
        (np.array([[0.0] * 8, [np.nan] * 8]), "row 1: the design has nan at position 0"),
        (np.array([[0] * 8, [0] * 7 + [4]]), "row 1: the design has token 4 at position 7"),
        (np.zeros((2, 7)), "designs have shape"),
        (np.zeros((0, 8)), "it holds no designs"),
        (np.array(3), "a single number, not designs"),
        (np.array([object()]), "Python objects, which are never opened"),
    ]:
        np.save(path, array, allow_pickle=True)
        with pytest.raises(InvalidFile) as caught:
            read_designs(path, manifest)
        assert message in str(caught.value)
    pl.DataFrame({"sequence": ["ACGTACGT", None]}).write_parquet(tmp_path / "d.parquet")
    with pytest.raises(InvalidFile, match="row 1: column sequence is empty"):
        read_designs(tmp_path / "d.parquet", manifest)
    with pytest.raises(InvalidFile, match="cannot be read: No such file"):
        read_designs(tmp_path / "missing.csv", manifest)


def test_not_strict_keeps_bad_rows_for_counting(tmp_path: Path, tfbind8: Task) -> None:
    path = tmp_path / "d.txt"
    path.write_text("ACGTACGT\nACGN\nGCTAATTA\n")
    designs = read_designs(path, tfbind8.manifest, strict=False)
    assert tfbind8.space.legal(designs).tolist() == [True, False, True]
    assert tfbind8.evaluate(designs).invalid == pytest.approx(1 / 3)


@given(st.lists(st.text("ACGT", min_size=8, max_size=8), min_size=1), st.sampled_from("\n\r"),
       st.booleans())  # fmt: skip
def test_any_csv_of_legal_designs_is_read(
    tfbind8: Task, texts: list[str], newline: str, quoted: bool
) -> None:
    import tempfile

    sink = io.StringIO()
    writer = csv.writer(
        sink,
        quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL,
        lineterminator="\r\n" if newline == "\r" else "\n",
    )
    writer.writerows([["sequence"], *[[t] for t in texts]])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.csv"
        path.write_bytes(sink.getvalue().encode())
        found = read_designs(path, tfbind8.manifest)
    assert tfbind8.space.decode(found) == texts


@given(st.binary(max_size=200), st.sampled_from(["d.csv", "d.txt", "d.npy", "d.parquet"]))
def test_any_bytes_are_read_or_refused_with_a_message(
    tfbind8: Task, content: bytes, name: str
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            designs = read_designs(path, tfbind8.manifest)
        except InvalidFile as error:
            refusal = str(error)
        else:
            assert tfbind8.space.legal(designs).all()
            return
    assert name in refusal
