from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from mbo_hub import Sequence
from mbo_hub.ngrams import counts, nodes, vocabulary


@st.composite
def cases(draw: st.DrawFn) -> tuple[Sequence, np.ndarray, np.ndarray]:
    """A space with or without padding, designs of it, and n-grams that other designs have."""
    k = draw(st.integers(2, 6))
    space = Sequence(
        length=draw(st.integers(1, 9)),
        alphabet=tuple("abcdef"[:k]),
        padding="abcdef"[k - 1] if draw(st.booleans()) else None,
    )
    seed = draw(st.integers(0, 2**32 - 1))
    known = space.sample(draw(st.integers(1, 12)), rng=seed)
    grams = vocabulary(space, known, longest=draw(st.integers(1, 4)), rows=1)
    kept = draw(st.lists(st.booleans(), min_size=len(grams), max_size=len(grams)))
    some = grams[np.array(kept)] if any(kept) else grams  # a size may be missing altogether
    return space, space.sample(draw(st.integers(1, 8)), rng=seed + 1), some


def slowly(x: np.ndarray, grams: np.ndarray) -> np.ndarray:
    """Count as a person would."""
    found = np.zeros((len(x), len(grams)), np.float32)
    for row, design in enumerate(x.tolist()):
        seen = Counter(
            tuple(design[i:j]) for i in range(len(design)) for j in range(i + 1, len(design) + 1)
        )
        for column, gram in enumerate(grams.tolist()):
            found[row, column] = seen[tuple(token for token in gram if token >= 0)]
    return found


def as_model(grams: np.ndarray, d: int) -> onnx.ModelProto:
    made, constants = nodes("x", "features", grams)
    graph = helper.make_graph(
        made,
        "counts",
        [helper.make_tensor_value_info("x", TensorProto.INT64, ["n", d])],
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", len(grams)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


@settings(max_examples=60)
@given(cases())
def test_numpy_and_both_evaluators_count_alike(
    case: tuple[Sequence, np.ndarray, np.ndarray],
) -> None:
    space, x, grams = case
    wanted = slowly(x, grams)
    assert np.array_equal(counts(x, grams), wanted)
    model = as_model(grams, space.dim)
    feed = {"x": x.astype(np.int64)}
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert np.array_equal(session.run(None, feed)[0], wanted)
    assert np.array_equal(onnx.reference.ReferenceEvaluator(model).run(None, feed)[0], wanted)


@given(cases())
def test_no_ngram_holds_padding(case: tuple[Sequence, np.ndarray, np.ndarray]) -> None:
    space, x, grams = case
    if space.padding is not None:
        assert not (grams == space.alphabet.index(space.padding)).any()
        once = grams[:, 1:].max(axis=1, initial=-1) == -1
        if len(vocabulary(space, x, 1, rows=1)) == once.sum() == len(space.alphabet) - 1:
            lengths = (x != space.alphabet.index(space.padding)).sum(axis=1)
            assert np.array_equal(counts(x, grams[once]).sum(axis=1), lengths)


def test_overlaps_count() -> None:
    space = Sequence(length=5, alphabet=tuple("ab_"), padding="_")
    x = space.encode(["aaaa", "abab", "a"])
    grams = np.array([[0, -1], [0, 0], [0, 1]])
    assert counts(x, grams).tolist() == [[4, 3, 0], [2, 0, 2], [1, 0, 0]]


def test_rare_ngrams_are_left_out() -> None:
    space = Sequence(length=3, alphabet=tuple("abc"))
    x = space.encode(["aaa", "aab", "bca"])
    assert vocabulary(space, x, longest=2).tolist() == [[0, -1], [1, -1], [0, 0]]
    with pytest.raises(ValueError, match="no n-gram occurs in 4 designs or more"):
        vocabulary(space, x, longest=2, rows=4)


@pytest.mark.parametrize("longest", [0, 9])
def test_ngrams_have_one_to_eight_tokens(longest: int) -> None:
    space = Sequence(length=3, alphabet=tuple("abc"))
    with pytest.raises(ValueError, match=f"1 to 8 tokens, not {longest}"):
        vocabulary(space, space.sample(3, rng=0), longest)


def test_nodes_want_ngrams_by_size() -> None:
    with pytest.raises(ValueError, match="shorter n-grams come before longer ones"):
        nodes("x", "features", np.array([[0, 1], [0, -1]]))
