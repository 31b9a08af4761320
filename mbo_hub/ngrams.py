"""Count the n-grams of token sequences: what a forest sees of designs whose tokens shift about.

An n-gram is a row of tokens that stand next to each other. It counts wherever it stands, overlaps
included, so that a part of a molecule or protein is the same feature at any position. `counts` and
the nodes of `nodes` compute the same whole numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mbo_hub.spaces import Sequence
from mbo_hub.typing import Float32, Int, Int64, Num

if TYPE_CHECKING:
    import onnx

__all__ = ["counts", "nodes", "vocabulary"]

_NONE = -1  # fills the rows of shorter n-grams
_BASE = 128  # more than any token of a `Sequence`
_LONGEST = 8  # _BASE ** 9 is beyond int64


def vocabulary(
    space: Sequence, x: Num[np.ndarray, "n d"], longest: int, rows: int = 2
) -> Int64[np.ndarray, "g m"]:
    """List the n-grams that occur in designs; none of them contains padding.

    Args:
        space: of the designs.
        x: legal designs, (n, d).
        longest: tokens of the longest n-grams, 1 to 8.
        rows: an n-gram is listed when at least this many designs have it.

    Returns:
        One n-gram a row, shorter before longer, then in the order of their tokens; rows end with
        -1 where an n-gram is shorter than the longest one.

    Raises:
        ValueError: `longest` is not between 1 and 8, or no n-gram occurs often enough.

    Example:
        >>> space = Sequence(length=4, alphabet=tuple("abc_"), padding="_")
        >>> vocabulary(space, space.encode(["abab", "cab"]), longest=2).tolist()
        [[0, -1], [1, -1], [0, 1]]
    """
    if not 1 <= longest <= _LONGEST:
        raise ValueError(f"n-grams have 1 to {_LONGEST} tokens, not {longest}")
    tokens = space.validate(x).astype(np.int64)
    padding = -1 if space.padding is None else space.alphabet.index(space.padding)
    found = []
    for size in range(1, min(longest, space.length) + 1):
        windows = np.lib.stride_tricks.sliding_window_view(tokens, size, axis=1)
        design, at = np.nonzero((windows != padding).all(axis=2))
        pairs = np.unique(np.column_stack([design, windows[design, at]]), axis=0)
        grams, designs = np.unique(pairs[:, 1:], axis=0, return_counts=True)
        often = grams[designs >= rows]
        filled = np.full((len(often), longest), _NONE, np.int64)
        filled[:, :size] = often
        found.append(filled)
    listed = np.concatenate(found)
    if not len(listed):
        raise ValueError(f"no n-gram occurs in {rows} designs or more")
    return listed


def counts(x: Num[np.ndarray, "n d"], grams: Int[np.ndarray, "g m"]) -> Float32[np.ndarray, "n g"]:
    """Count how often each n-gram occurs in each design.

    Args:
        x: legal designs, (n, d).
        grams: n-grams as `vocabulary` lists them.
    """
    tokens = np.asarray(x).astype(np.int64)
    sizes = (grams != _NONE).sum(axis=1)
    counted = np.zeros((len(tokens), len(grams)), np.float32)
    for size in np.unique(sizes[sizes <= tokens.shape[1]]):
        places = _BASE ** np.arange(size, dtype=np.int64)
        columns = np.flatnonzero(sizes == size)
        wanted = grams[columns, :size].astype(np.int64) @ places
        order = np.argsort(wanted)
        windows = np.lib.stride_tricks.sliding_window_view(tokens, size, axis=1) @ places
        slot = np.searchsorted(wanted[order], windows)
        slot[slot == len(order)] = 0
        design, at = np.nonzero(wanted[order][slot] == windows)
        np.add.at(counted, (design, columns[order][slot[design, at]]), 1)
    return counted


def nodes(
    source: str, target: str, grams: Int[np.ndarray, "g m"]
) -> tuple[list[onnx.NodeProto], dict[str, Any]]:
    """Write `counts` as ONNX nodes.

    Args:
        source: name of the tokens, (n, d) int64.
        target: name to give the counts, (n, g) float32.
        grams: n-grams as `vocabulary` lists them, shorter before longer.

    Returns:
        The nodes, and the constants they use, by name; there are none.
    """
    from onnx import helper

    sizes = (grams != _NONE).sum(axis=1)
    if (np.diff(sizes) < 0).any():
        raise ValueError("shorter n-grams come before longer ones")
    longest = int(sizes.max())
    # The pool holds all n-grams end to end; `ngram_counts` says where those of each size begin.
    begin = [int(sizes[sizes < size].sum()) for size in range(1, longest + 1)]
    vectorizer = helper.make_node(
        "TfIdfVectorizer",
        [source],
        [target],
        mode="TF",
        min_gram_length=int(sizes.min()),
        max_gram_length=longest,
        max_skip_count=0,
        ngram_counts=begin,
        ngram_indexes=list(range(len(grams))),
        pool_int64s=[int(token) for gram in grams for token in gram if token != _NONE],
    )
    return [vectorizer], {}
