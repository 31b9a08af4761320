from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mbo_hub import Box, InvalidDesign, Sequence

DNA = Sequence(length=8, alphabet=tuple("ACGT"))
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
    with pytest.raises(InvalidDesign, match="has letter '_' at position 1"):
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
        ({"Cu": 1, "O": 0, "H": 1}, "unknown H"),
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
