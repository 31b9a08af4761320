from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mbo_hub import Box, InvalidDesign, Sequence
from mbo_hub.spaces import formulas

DNA = Sequence(length=8, alphabet=tuple("ACGT"))
MATERIAL = Box(size=86, low=0.0, names=formulas.ELEMENTS[:86], nonzero=True)
SMILES = Sequence(length=6, alphabet=("C", "Cl", "[nH]", "c", "_"), padding="_")

letters = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABC123()=#", min_size=1, max_size=3)


@st.composite
def sequences(draw: st.DrawFn) -> Sequence:
    """Spaces whose written form is unambiguous: tokens of one letter, with or without padding."""
    tokens = draw(st.lists(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=2,
                           max_size=30, unique=True))  # fmt: skip
    padding = draw(st.sampled_from([None, tokens[-1]]))
    return Sequence(length=draw(st.integers(1, 12)), alphabet=tuple(tokens), padding=padding)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    size = draw(st.integers(1, 5))
    bound = st.none() | st.floats(-1e6, 1e6, width=32)
    pairs = [draw(st.tuples(bound, bound)) for _ in range(size)]
    ordered = [
        (low, high) if low is None or high is None else (min(low, high), max(low, high))
        for low, high in pairs
    ]
    return Box(size=size, low=tuple(p[0] for p in ordered), high=tuple(p[1] for p in ordered))


spaces = st.one_of(sequences(), boxes())
seeds = st.integers(0, 2**32 - 1)


@given(spaces, seeds, st.integers(0, 20))
def test_samples_are_legal_and_repeatable(space: Sequence | Box, seed: int, n: int) -> None:
    designs = space.sample(n, rng=seed)
    assert designs.shape == (n, space.dim)
    assert designs.dtype == space.dtype
    assert space.legal(designs).all()
    assert np.array_equal(designs, space.sample(n, rng=seed))
    assert np.array_equal(space.validate(designs), designs)
    assert np.array_equal(space.project(designs), designs)


@given(spaces, seeds)
def test_a_space_survives_json(space: Sequence | Box, seed: int) -> None:
    again = msgspec.json.decode(msgspec.json.encode(space), type=Sequence | Box)
    assert again == space
    assert np.array_equal(again.sample(3, rng=seed), space.sample(3, rng=seed))


@given(spaces, seeds)
def test_decode_and_encode_are_inverse(space: Sequence | Box, seed: int) -> None:
    designs = space.sample(5, rng=seed)
    assert np.array_equal(space.encode(space.decode(designs)), designs)


@given(
    spaces,
    st.data(),
    st.sampled_from([np.float64, np.float32, np.int64, np.int8]),
)
def test_project_lands_in_the_space_and_validate_agrees_with_legal(
    space: Sequence | Box, data: st.DataObject, dtype: type
) -> None:
    elements = {"elements": st.floats(-1e9, 1e9, width=32)} if np.dtype(dtype).kind == "f" else {}
    array = data.draw(hnp.arrays(dtype, (3, space.dim), **elements))
    legal = space.legal(array)
    for row, is_legal in zip(array, legal, strict=True):
        if is_legal:
            space.validate(row[None])
        else:
            with pytest.raises(InvalidDesign, match="design 0 "):
                space.validate(row[None])
        try:
            projected = space.project(row[None])
        except InvalidDesign:  # only a design of nothing but padding has no nearest one
            assert isinstance(space, Sequence)
            assert space.padding is not None
            continue
        assert space.legal(projected).all()
        if is_legal:
            assert np.array_equal(projected, space.validate(row[None]))


@given(sequences(), seeds, st.floats(0.05, 0.95))
def test_one_hot_and_logits_go_back(space: Sequence, seed: int, confidence: float) -> None:
    designs = space.sample(4, rng=seed)
    one_hot = space.one_hot(designs)
    assert one_hot.shape == (4, space.length, len(space.alphabet))
    assert (one_hot.sum(axis=2) == 1).all()
    assert np.array_equal(space.from_one_hot(one_hot), designs)
    logits = space.logits(designs, confidence)
    assert np.allclose(np.exp(logits).sum(axis=2), 1, atol=1e-5)
    assert np.array_equal(space.from_logits(logits), designs)


@given(spaces, seeds)
def test_distance_is_a_distance(space: Sequence | Box, seed: int) -> None:
    a, b = space.sample(4, rng=seed), space.sample(3, rng=seed + 1)
    scale = np.ones(space.dim)
    d = space.distance(a, b, scale)
    assert d.shape == (4, 3)
    assert np.allclose(d, space.distance(b, a, scale).T)
    assert (np.diag(space.distance(a, a, scale)) == 0).all()
    i, j = 1, 2
    direct = (
        np.count_nonzero(a[i] != b[j])
        if isinstance(space, Sequence)
        else np.linalg.norm(a[i].astype(np.float64) - b[j].astype(np.float64))
    )
    assert d[i, j] == pytest.approx(direct, rel=1e-6, abs=1e-6)


def test_hamming_distance_counts_positions() -> None:
    a, b = DNA.encode(["ACGTACGT"]), DNA.encode(["ACGTACGT", "ACGTACGA", "TGCATGCA"])
    assert DNA.distance(a, b, np.ones(8)).tolist() == [[0, 1, 8]]


def row_by_row(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Hamming distances, the plain way."""
    out = np.empty((len(a), len(b)))
    for i, row in enumerate(a):
        out[i] = np.count_nonzero(b != row, axis=1)
    return out


@given(
    st.integers(1, 300), st.integers(2, 127), st.integers(0, 9), st.integers(1, 9), seeds,
    st.sampled_from([np.int8, np.int64, np.float32]),
)  # fmt: skip
def test_hamming_distances_are_those_of_the_plain_loop(
    length: int, letters: int, m: int, n: int, seed: int, dtype: type
) -> None:
    space = Sequence(length=length, alphabet=tuple(map(str, range(letters))))
    a, b = space.sample(m, rng=seed).astype(dtype), space.sample(n, rng=seed + 1)
    b[0] = (a[0] + 1) % letters if m else b[0]  # everywhere another: more than a byte can count
    scale, wanted = np.ones(length), row_by_row(a, b)
    assert np.array_equal(space.distance(a, b, scale), wanted)
    assert np.array_equal(space.nearest(a, b, scale), wanted.min(axis=1))
    assert space.nearest(a, b, scale).dtype == space.distance(a, b, scale).dtype == np.float64


@pytest.mark.parametrize("known", [0, 1, 100_000, 300_000])
def test_hamming_distances_to_many_designs(known: int) -> None:
    """Rows are taken a few at a time, and the last block may be short."""
    a, b = DNA.sample(5, rng=0), DNA.sample(known, rng=1)
    wanted = row_by_row(a, b)
    assert np.array_equal(DNA.distance(a, b, np.ones(8)), wanted)
    if known:
        assert np.array_equal(DNA.nearest(a, b, np.ones(8)), wanted.min(axis=1))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["ACGTACGT", "ACGNACGT"], "design 1 has letter 'N' at position 3; this task uses ACGT"),
        (["ACGTACG"], "design 0 ('ACGTACG') has 7 letters; this task's designs have 8"),
        (["ACGTACGTA"], "has 9 letters; this task's designs have 8"),
        ([""], "has 0 letters; this task's designs have 8"),
        (["acgtacgt"], "has letter 'a' at position 0; this task uses ACGT (case matters: write 'A')"),
        (["ACGTACG\u0422"], "has letter '\u0422' at position 7"),
        ([3], "design 0 is 3, not a string"),
        ("ACGTACGT", "not one string"),
    ],
)  # fmt: skip
def test_encode_says_what_is_wrong(texts: list[str], message: str) -> None:
    with pytest.raises(InvalidDesign) as caught:
        DNA.encode(texts)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("space", "designs", "message"),
    [
        (DNA, [[0] * 8, [0, 1, 2, 3, 4, 0, 0, 0]], "design 1 has token 4 at position 4; this task's tokens are 0 to 3"),
        (DNA, [[-1] + [0] * 7], "design 0 has token -1 at position 0"),
        (DNA, [[0.5] + [0] * 7], "has 0.5 at position 0; tokens are whole numbers"),
        (DNA, [[np.nan] * 8, [np.inf] * 8], "design 0 has nan at position 0; tokens are whole numbers from 0 to 3 (1 more invalid design)"),
        (DNA, [[0] * 7], "designs have shape (n, 8) here, got (1, 7)"),
        (DNA, [0] * 8, "write [design] for a single one of shape (1, 8)"),
        (DNA, [[0] * 8, [0] * 7], "design 1 has 7 values; this task's designs have 8"),
        (DNA, ["ACGTACGT"], "turn text into designs with space.encode"),
        (DNA, [[True] * 8], "designs are numbers, not bool"),
        (SMILES, [[0, 4, 0, 4, 4, 4]], "has token 0 at position 2, after padding"),
        (SMILES, [[4] * 6], "is nothing but padding"),
        (Box(size=2, low=0.0), [[1, -2]], "has -2 for x1; it is at least 0"),
        (Box(size=2, high=(1.0, None)), [[1.5, 0]], "has 1.5 for x0; it is at most 1"),
        (Box(size=1), [[np.nan]], "has nan for x0; values are finite float32 numbers"),
        (Box(size=1), [[1e39]], "has 1e+39 for x0; values are finite float32 numbers"),
    ],
)  # fmt: skip
def test_validate_says_what_is_wrong(space: Sequence | Box, designs: object, message: str) -> None:
    with pytest.raises(InvalidDesign) as caught:
        space.validate(designs)
    assert message in str(caught.value)


def test_encode_reads_the_longest_token_first() -> None:
    assert SMILES.encode(["CClC", "c[nH]"]).tolist() == [[0, 1, 0, 4, 4, 4], [3, 2, 4, 4, 4, 4]]
    assert SMILES.decode([[0, 1, 0, 4, 4, 4]]) == ["CClC"]
    with pytest.raises(InvalidDesign, match="has 7 tokens; this task's designs have 1 to 6"):
        SMILES.encode(["CCCCCCC"])
    with pytest.raises(InvalidDesign, match="has the padding '_' at position 1; leave it out"):
        SMILES.encode(["C_"])


def test_project_pads_from_the_first_padding_on() -> None:
    assert SMILES.project([[0, 4, 1, 1, 1, 1]]).tolist() == [[0, 4, 4, 4, 4, 4]]
    assert DNA.project([[-3, 0.4, 0.6, 9, 1, 2, 3, 3]]).tolist() == [[0, 0, 1, 3, 1, 2, 3, 3]]
    with pytest.raises(InvalidDesign):
        DNA.project([[np.nan] * 8])


def test_cardinality_counts_designs() -> None:
    assert DNA.cardinality == 65_536
    tiny = Sequence(length=3, alphabet=("a", "b", "_"), padding="_")
    every = np.array(np.meshgrid(*[range(3)] * 3)).reshape(3, -1).T
    assert tiny.cardinality == tiny.legal(every).sum() == 2 + 4 + 8


def test_from_one_hot_refuses_nan_and_wrong_shapes() -> None:
    with pytest.raises(InvalidDesign, match="NaN"):
        DNA.from_one_hot(np.full((1, 8, 4), np.nan))
    with pytest.raises(InvalidDesign, match=r"expected shape \(n, 8, 4\)"):
        DNA.from_logits(np.zeros((1, 8, 5)))
    with pytest.raises(ValueError, match="confidence"):
        DNA.logits([[0] * 8], confidence=1.0)


def test_box_names_its_values() -> None:
    box = Box(size=2, low=0.0, high=1.0, names=("Cu", "O"))
    assert box.decode([[0.5, 1]]) == [{"Cu": 0.5, "O": 1.0}]
    assert box.encode([{"O": 1, "Cu": 0.5}]).tolist() == [[0.5, 1.0]]
    for row, message in [
        ({"Cu": 1}, "has no value for O"),
        ({"Cu": 1, "O": 0, "H": 1}, "unknown 'H'"),
    ]:
        with pytest.raises(InvalidDesign, match=message):
            box.encode([row])


def test_a_float64_bound_is_legal_as_float32() -> None:
    box = Box(size=1, low=-0.1, high=0.1)
    assert box.legal([[0.1], [-0.1], [0.1000001]]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sequence(length=3, alphabet=("A", "A")),
        lambda: Sequence(length=3, alphabet=("A",)),
        lambda: Sequence(length=3, alphabet=("A", "B"), padding="C"),
        lambda: Box(size=2, low=1.0, high=0.0),
        lambda: Box(size=2, low=(0.0,)),
        lambda: Box(size=2, names=("a",)),
        lambda: Box(size=2, names=("a", "a")),
    ],
)
def test_impossible_spaces_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()  # type: ignore[operator]


# ------------------------------------------------------------------------ arrays of other libraries

PLAIN = DNA.sample(5, rng=3)


def lib(name: str) -> Any:
    """A library that a test needs; imported when it runs, not when tests are collected."""
    return pytest.importorskip(name)


def arrays_people_hold() -> dict[str, Callable[[np.ndarray], object]]:
    """Ways to hold the same whole numbers."""
    names = [f"x{i}" for i in range(8)]
    return {
        "list": lambda x: x.tolist(),
        "tuples": lambda x: tuple(map(tuple, x.tolist())),
        "list of arrays": list,
        "fortran": np.asfortranarray,
        "big-endian": lambda x: x.astype(">i4"),
        "uint64": lambda x: x.astype(np.uint64),
        "float16": lambda x: x.astype(np.float16),
        "longdouble": lambda x: x.astype(np.longdouble),
        "objects": lambda x: x.astype(object),
        "objects of numpy's numbers": lambda x: np.array([[*row] for row in x], dtype=object),
        "array of lists": lambda x: lib("pandas").Series(x.tolist()).to_numpy(),
        "masked, nothing masked": np.ma.masked_array,
        "list of masked rows, nothing masked": lambda x: [np.ma.masked_array(row) for row in x],
        "bfloat16": lambda x: x.astype(lib("ml_dtypes").bfloat16),
        "list of bfloat16": lambda x: list(x.astype(lib("ml_dtypes").bfloat16)),
        "float8": lambda x: x.astype(lib("ml_dtypes").float8_e4m3fn),
        "int4": lambda x: x.astype(lib("ml_dtypes").int4),
        "jax": lambda x: Offers(x.astype(lib("ml_dtypes").bfloat16)),
        "pandas": lambda x: lib("pandas").DataFrame(x),
        "pandas, nullable": lambda x: lib("pandas").DataFrame(x).astype("Int8"),
        "pandas, objects": lambda x: lib("pandas").DataFrame(x).astype(object),
        "pandas, arrow": lambda x: lib("pandas").DataFrame(x).convert_dtypes(dtype_backend="pyarrow"),
        "pandas, named": lambda x: lib("pandas").DataFrame(x, columns=names)[names[::-1]],
        "series of lists": lambda x: lib("pandas").Series(x.tolist(), index=range(9, 4, -1)),
        "series of arrays": lambda x: lib("pandas").Series(list(x)),
        "polars": lambda x: lib("polars").DataFrame(x, schema=names),
        "polars, named": lambda x: lib("polars").DataFrame(x, schema=names).select(names[::-1]),
        "polars lists": lambda x: lib("polars").Series(x.tolist()),
        "polars arrays": lambda x: lib("polars").Series(x, dtype=lib("polars").Array(lib("polars").Int8, 8)),
        "pyarrow lists": lambda x: lib("pyarrow").array(x.tolist()),
        "pyarrow fixed lists": lambda x: lib("pyarrow").array(x.tolist(), lib("pyarrow").list_(lib("pyarrow").int8(), 8)),
        "pyarrow chunks": lambda x: lib("pyarrow").chunked_array([lib("pyarrow").array(x[:2].tolist()), lib("pyarrow").array(x[2:].tolist())]),
        "pyarrow table": lambda x: lib("pyarrow").table(dict(zip(names, x.T, strict=True))),
        "pyarrow table, named": lambda x: lib("pyarrow").table(dict(zip(names, x.T, strict=True))).select(names[::-1]),
        "torch": lambda x: lib("torch").tensor(x),
        "torch, gradient": lambda x: lib("torch").tensor(x.astype("f4"), requires_grad=True),
        "torch, bfloat16": lambda x: lib("torch").tensor(x.astype("f4")).bfloat16(),
        "torch, half with gradient": lambda x: lib("torch").tensor(x.astype("f2"), requires_grad=True),
        "torch, negated view": lambda x: lib("torch").tensor(-x.astype("f4")).neg(),
        "list of tensors": lambda x: list(lib("torch").tensor(x)),
        "list of tensors with gradients": lambda x: list(lib("torch").tensor(x.astype("f4"), requires_grad=True)),
        "list of lists of tensors": lambda x: [list(row) for row in lib("torch").tensor(x.astype("f4"))],
        "column": lambda x: lib("datasets").Dataset.from_dict({"x": x.tolist()})["x"],
        "column of numpy": lambda x: lib("datasets").Dataset.from_dict({"x": x.tolist()}).with_format("numpy")["x"],
        "column of torch": lambda x: lib("datasets").Dataset.from_dict({"x": x.tolist()}).with_format("torch")["x"],
    }  # fmt: skip


class Offers:
    """An array of another library, as jax's: it offers numpy a copy."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.array

    def __len__(self) -> int:
        return len(self.array)


WAYS = arrays_people_hold()


@pytest.mark.parametrize("way", WAYS)
def test_what_people_hold_is_taken_exactly(way: str) -> None:
    held = WAYS[way](PLAIN)
    assert np.array_equal(DNA.validate(held), PLAIN)
    assert DNA.legal(held).all()
    assert np.array_equal(DNA.project(held), PLAIN)
    assert np.array_equal(Box(size=8).validate(held), PLAIN)
    assert Box(size=8).validate(held).dtype == np.float32


@pytest.mark.parametrize(
    "way", ["list", "objects", "torch, gradient", "bfloat16", "torch, bfloat16"]
)
def test_one_hot_and_logits_of_any_library(way: str) -> None:
    one_hot = WAYS[way](DNA.one_hot(PLAIN))
    assert np.array_equal(DNA.from_one_hot(one_hot), PLAIN)
    assert np.array_equal(DNA.from_logits(one_hot), PLAIN)
    shorter = DNA.logits(PLAIN)[:, :, 1:] - DNA.logits(PLAIN)[:, :, :1]
    assert np.array_equal(DNA.from_logits(WAYS[way](shorter)), PLAIN)


def refused() -> dict[str, tuple[object, str]]:
    import datasets
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    x = PLAIN
    masked = np.ma.masked_array(x, mask=[[False] * 8, [True] + [False] * 7] + [[False] * 8] * 3)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(8)])
    looped: list[object] = []
    looped.append(looped)
    return {
        "masked": (masked, "design 1 has a masked value; fill"),
        "masked rows": (list(masked), "design 1 has a masked value"),
        "complex": (x.astype(complex), "designs are numbers, not complex128"),
        "bool": (x > 1, "designs are numbers, not bool"),
        "text": (["ACGTACGT"], "turn text into designs with space.encode"),
        "one text": ("ACGTACGT", "turn text into designs with space.encode"),
        "text objects": (np.array(["ACGTACGT"], object), "with space.encode"),
        "text series": (pd.Series(["ACGTACGT"]), "with space.encode"),
        "text arrow": (pa.array(["ACGTACGT"]), "with space.encode"),
        "text polars": (pl.Series(["ACGTACGT"]), "with space.encode"),
        "text rows": ([list("ACGTACGT")], "with space.encode"),
        "bytes": (b"ACGTACGT", "not a bytes"),
        "bytes array": (np.array([b"ACGTACGT"]), "designs are numbers, not bytes"),
        "None": (None, "not None"),
        "dict": ({"x": x}, "not a dict"),
        "set": ({1, 2}, "not a set"),
        "generator": ((row for row in x), "not a generator; write list(…) around it"),
        "object": (object(), "not a object"),
        "function": (len, "not a builtin_function"),
        "dates": (x.astype("M8[s]"), "designs are numbers, not datetime64[s]"),
        "records": (np.zeros(3, "i4,i4"), "not records of f0, f1"),
        "looped": (looped, "designs"),
        "a row is None": ([*x.tolist(), None], "design 5 is no value"),
        "a value is None": ([[None, *x[0, 1:].tolist()]], "design 0 has no value at position 0"),
        "a value is NA": (frame.astype("Int8").replace(0, pd.NA), "has no value at position"),
        "an arrow null": (pa.array([[*x[0, 1:].tolist(), None]]), "design 0 has nan at position 7"),
        "a word": ([[*x[0, 1:].tolist(), object]], "design 0 has <class 'object'>, not a number, at position 7"),
        "huge": ([[10**400] * 8], "at most 1.8e308"),
        "ragged": ([x[0], x[1, 1:]], "design 1 has 7 values; this task's designs have 8"),
        "ragged arrow": (pa.array([[1], [1, 2]]), "design 0 has 1 values; this task's designs have 8"),
        "transposed": (x.T, "designs.T"),
        "single": (x[0], "write [design]"),
        "sparse": (lib("torch").tensor(x).to_sparse(), "does not become an array of numbers"),
        "without data": (lib("torch").zeros((2, 8), device="meta"), "does not become an array of numbers"),
        "a column too many": (frame.assign(y=1.0), "also 'y'"),
        "a column too few": (frame.drop(columns="x3"), "no column 'x3'"),
        "a column twice": (frame[["x1", *frame.columns]], "twice 'x1'"),
        "a table with x": (pd.DataFrame({"x": x.tolist(), "y": 1.0}), "write table['x']"),
        "a data set": (datasets.Dataset.from_dict({"x": x.tolist()}), "write table['x']"),
        "one-hot": (DNA.one_hot(x), "look like one-hot: write space.from_one_hot(designs)"),
        "bool one-hot": (DNA.one_hot(x) > 0, "space.from_one_hot(designs)"),
        "logits": (DNA.logits(x), "look like logits: write space.from_logits(designs)"),
        "logits without the first": (DNA.logits(x)[:, :, 1:], "space.from_logits(designs)"),
        "flat one-hot": (DNA.one_hot(x).reshape(5, -1), "space.from_one_hot(designs.reshape(-1, 8, 4))"),
        "flat logits": (DNA.logits(x)[:, :, 1:].reshape(5, -1), "space.from_logits(designs.reshape(-1, 8, 3))"),
    }  # fmt: skip


def test_what_is_no_array_of_designs_is_refused_with_a_hint() -> None:
    for what, (held, message) in refused().items():
        with pytest.raises(InvalidDesign) as caught:
            DNA.validate(held)
        assert message in str(caught.value), what
        assert len(str(caught.value)) < 250, what


leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9), st.complex_numbers(),
    st.binary(max_size=9), st.sampled_from([np.int8(1), np.ma.masked, np.datetime64("NaT"), object]),
)  # fmt: skip
anything = st.recursive(
    leaves | hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(max_dims=4, max_side=9)),
    lambda inner: (
        st.lists(inner, max_size=9) | st.tuples(inner) | st.dictionaries(st.text(), inner)
    ),
)


@given(anything, st.sampled_from([DNA, SMILES, Box(size=3), MATERIAL]))
@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan")
def test_anything_is_designs_or_refused(thing: object, space: Sequence | Box) -> None:
    for take in (space.legal, space.validate, space.project, space.encode, space.decode,
                 getattr(space, "from_one_hot", space.legal), getattr(space, "from_logits", space.legal)):  # fmt: skip
        try:
            taken = take(thing)
        except InvalidDesign as error:
            refusal = str(error)
        else:
            assert len(taken) in (0, np.shape(taken)[0])
            continue
        assert len(refusal) < 400


@pytest.mark.parametrize("space", [DNA, SMILES, Box(size=8, low=0.0, high=1.0), Box(size=8)])
def test_numpy_may_be_told_to_raise(space: Sequence | Box) -> None:
    values = np.array(
        [[1e-60] * space.dim, [1e300] * space.dim, [np.nan] * space.dim, [0.0] * space.dim]
    )
    wanted = space.legal(values)
    with np.errstate(all="raise"):
        assert np.array_equal(space.legal(values), wanted)
        for row, legal in zip(values, wanted, strict=True):
            if legal:
                assert space.validate(row[None]).dtype == space.dtype
            else:
                with pytest.raises(InvalidDesign):
                    space.validate(row[None])
        assert space.legal(space.project(values[:1])).all()
        assert space.legal(space.sample(9, rng=0)).all()


def test_encode_takes_any_column_of_texts() -> None:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    texts = DNA.decode(PLAIN)
    for held in (texts, tuple(texts), iter(texts), np.array(texts), np.array(texts, object),
                 pd.Series(texts), pl.Series(texts), pa.array(texts), (t for t in texts)):  # fmt: skip
        assert np.array_equal(DNA.encode(held), PLAIN)
    for held, message in (
        (None, "takes a list, not None"),
        (3, "takes a list, not a int"),
        (b"ACGT", "takes a list, not a bytes"),
        ({"a": 1}, "takes a list, not a dict"),
        (pd.DataFrame({"sequence": texts}), "one column of a table, such as table['sequence']"),
        ([None], "design 0 is None, not a string"),
        (["A" * 1000], "has 1000 letters"),
    ):
        with pytest.raises(InvalidDesign) as caught:
            DNA.encode(held)
        assert message in str(caught.value)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [("SK*GE", "leave it out"), ("SKge", "write 'G'"), ("SK?", "letter '?'")],
)
def test_advice_on_a_letter_can_be_followed(text: str, message: str) -> None:
    space = Sequence(length=6, alphabet=tuple("SKGE*"), padding="*")
    with pytest.raises(InvalidDesign) as caught:
        space.encode([text])
    assert message in str(caught.value)
    assert "write '*'" not in str(caught.value)


# ---------------------------------------------------------------------------------------- formulas

plain = st.lists(
    st.tuples(st.sampled_from(MATERIAL.names), st.integers(1, 999).map(lambda n: n / 100)),
    min_size=1, max_size=6, unique_by=lambda pair: pair[0],
)  # fmt: skip


@given(plain)
def test_a_formula_is_its_amounts(parts: list[tuple[str, float]]) -> None:
    written = "".join(f"{element}{amount:g}" for element, amount in parts)
    wanted = [{name: dict(parts).get(name, 0.0) for name in MATERIAL.names}]
    assert np.array_equal(MATERIAL.encode([written]), MATERIAL.encode(wanted))
    doubled = MATERIAL.encode([f"[({written})2]"])
    assert np.allclose(doubled, 2 * MATERIAL.encode(wanted), rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("YBa2Cu3O7", {"Y": 1, "Ba": 2, "Cu": 3, "O": 7}),
        (" La1.85Sr.15CuO4 ", {"La": 1.85, "Sr": 0.15, "Cu": 1, "O": 4}),
        ("Ba(Fe0.9Co0.1)2As2", {"Ba": 1, "Fe": 1.8, "Co": 0.2, "As": 2}),
        ("[(Bi0.5Pb0.5)2{Sr}2]0.5O", {"Bi": 0.5, "Pb": 0.5, "Sr": 1, "O": 1}),
        ("CO", {"C": 1, "O": 1}),
        ("Co", {"Co": 1}),
        ("CH3CH3", {"C": 2, "H": 6}),
    ],
)
def test_formulas(text: str, amounts: dict[str, float]) -> None:
    wanted = [{name: amounts.get(name, 0) for name in MATERIAL.names}]
    assert np.array_equal(MATERIAL.encode([text]), MATERIAL.encode(wanted))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "YBa2Cu3O7-x",
            "design 0 ('YBa2Cu3O7-x') has '-' at position 9; amounts are plain numbers",
        ),
        ("La2-xSrxCuO4", "has '-' at position 3; amounts are plain numbers, so write the value"),
        ("YBa2Cu3Oz", "names Oz, which is no element"),
        ("YBa₂", "has '₂' at position 3"),
        ("Xx2", "names Xx, which is no element"),
        ("U2", "names U; this task has H to Rn"),
        ("YBa2(Cu", "leaves a bracket open; ) is missing"),
        ("YBa2)Cu", "closes a bracket that is not open: )"),
        ("(Y]", "closes a bracket that is not open: ]"),
        ("2YBa", "has '2' at position 0"),
        ("(2Y)", "has '2' at position 1"),
        ("Y Ba", "has ' ' at position 1"),
        ("Y1e3", "has 'e' at position 2"),
        ("O7.", "has '.' at position 2"),
        ("", "is an empty formula"),
        ("H0", "has nothing but zeros"),
        ("H" + "9" * 400, "finite float32"),
        ("(" * 1000, "leaves a bracket open"),
        ("(" * 100_000, "has 100,000 letters, more than 1,000"),
        ("ybco", "has 'y' at position 0"),
    ],
)
def test_what_is_no_plain_formula_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidDesign) as caught:
        MATERIAL.encode([text])
    assert message in str(caught.value)
    assert len(str(caught.value)) < 250


@given(st.text("YBaCuO()[]0123456789.-x "))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        designs = MATERIAL.encode([text])
    except InvalidDesign:
        return
    assert MATERIAL.legal(designs).all()


def test_only_amounts_of_elements_are_written_as_formulas() -> None:
    with pytest.raises(InvalidDesign, match="is the text 'YBa2', not 2 numbers"):
        Box(size=2).encode(["YBa2"])
    import pandas as pd

    frame = pd.DataFrame({"O": [1.0], "H": [2.0]})
    assert Box(size=2, names=("H", "O")).encode(frame).tolist() == [[2, 1]]
