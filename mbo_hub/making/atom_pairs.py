"""Count pairs of atoms by their distance in a molecule: what a forest sees of SMILES tokens.

A SMILES string is one walk through a molecule, and one molecule has many. Its graph is read from
the tokens here by whole-array steps that ONNX has too: which atom a token follows, which ring
labels belong together, how many bonds lie between two atoms. An atom is told by its element (in
small letters where aromatic), its number of neighbours and whether it has a double or triple bond;
pairs are counted per range of distance, as in the atom pairs of Carhart, Smith and Venkataraghavan,
J. Chem. Inf. Comput. Sci. 25, 1985. However a molecule is written, its counts are the same.
Charges, isotopes, hydrogens and stereochemistry do not count.

Every row of tokens has counts, also one that is no molecule: a branch or ring that is never closed
is left open, and an atom may have any number of bonds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from mbo_hub.arrays import Bool, Float32, Int, Int64, Num
from mbo_hub.making.graphs import Graph
from mbo_hub.spaces import Sequence

__all__ = ["counts", "nodes", "vocabulary"]

_DOUBLINGS = 3  # ranges of distance: no bond, 1, 2, 3 to 4, 5 to 8 bonds, and all beyond
_MOST_NEIGHBOURS = 4  # more count as so many
_STATES = 2 * (_MOST_NEIGHBOURS + 1)  # of an element: neighbours, and with or without double bonds
_ATOM = re.compile(r"\[\d*(?P<bare>[A-Z][a-z]?|[a-z]{1,2})[^\]]*\]|(?P<plain>[A-Z][a-z]?|[bcnops])")
_CHUNK = 128  # rows at a time, so that memory stays bounded


@dataclass(frozen=True)
class _Tokens:
    """What each token of an alphabet means, (k,) each."""

    element: Int64[np.ndarray, " k"]  # 1, 2, … for atoms, 0 for all else
    label: Int64[np.ndarray, " k"]  # of a ring bond; 0 for all else
    depth: Float32[np.ndarray, " k"]  # +1 opens a branch, −1 closes one
    multiple: Float32[np.ndarray, " k"]  # 1 for a double or triple bond


def _read(space: Sequence) -> _Tokens:
    names = []
    for token in space.alphabet:
        atom = _ATOM.fullmatch(token)
        names.append((atom["bare"] or atom["plain"]) if atom and token != space.padding else "")
        if not names[-1] and token != space.padding and not re.fullmatch(r"[-=#/\\()1-9]", token):
            raise ValueError(f"token {token!r} is none whose part in a molecule is known here")
    elements = sorted(set(names) - {""})
    return _Tokens(
        element=np.array([elements.index(n) + 1 if n else 0 for n in names], np.int64),
        label=np.array([int(t) if t in "123456789" else 0 for t in space.alphabet], np.int64),
        depth=np.array([{"(": 1, ")": -1}.get(t, 0) for t in space.alphabet], np.float32),
        multiple=np.array([t in ("=", "#") for t in space.alphabet], np.float32),
    )


def _molecules(
    read: _Tokens, x: Num[np.ndarray, "n d"]
) -> tuple[Int64[np.ndarray, "n d"], list[Float32[np.ndarray, "n d d"]]]:
    """Read molecules.

    Returns:
        The kind of the atom at each place, 0 to 9 where there is none; and for each range of
        distance, 1 where two places are that far apart.
    """
    d = x.shape[1]
    place = np.arange(d)
    later = place[:, None] < place  # [i, j]: j stands behind i

    def latest(truth: Bool[np.ndarray, "n d d"]) -> Float32[np.ndarray, "n d d"]:
        """Keep only the last row that holds in each column."""
        last = np.where(truth, place[:, None], -1).max(axis=1, keepdims=True)
        return (place[:, None] == last).astype(np.float32)

    # An atom is followed until its branch closes; a token belongs to the last one still followed.
    atom = read.element[x] > 0
    depth = read.depth[x].cumsum(axis=1)
    left = ((depth[:, None, :] < depth[:, :, None]) & later).cumsum(axis=2) > 0
    belongs = latest(~left & later & atom[:, :, None])  # [atom, token]
    # The second, fourth, … use of a ring label closes what the one before it opened.
    label = read.label[x]
    same = (label[:, :, None] == label[:, None, :]) & later & (label > 0)[:, :, None]
    ring = latest(same) * (same.sum(axis=1, keepdims=True) % 2)  # [opens, closes]
    itself = np.eye(d, dtype=np.float32)
    bonds = belongs @ (itself * atom[:, :, None] + ring @ belongs.transpose(0, 2, 1))
    bonds = (bonds + bonds.transpose(0, 2, 1) > 0).astype(np.float32)
    # A bond's symbol stands before the token that it leads to.
    multiple = np.zeros((len(x), d, 1), np.float32)
    multiple[:, 1:, 0] = read.multiple[x[:, :-1]]
    multiple = multiple + ring @ multiple + ring.transpose(0, 2, 1) @ multiple
    multiple = (multiple + belongs @ multiple)[:, :, 0] > 0
    neighbours = np.minimum(bonds.sum(axis=2), _MOST_NEIGHBOURS).astype(np.int64)
    kind = read.element[x] * _STATES + 2 * neighbours + multiple
    # Two places are within 2 m bonds of each other where both are within m bonds of a third.
    within = [np.broadcast_to(itself, bonds.shape), np.maximum(bonds, itself)]
    for _ in range(_DOUBLINGS):
        within.append((within[-1] @ within[-1] > 0).astype(np.float32))
    within.append(np.ones_like(bonds))
    ranges = [within[0], *(far - near for near, far in pairwise(within))]
    return kind, ranges


def _tables(
    read: _Tokens, x: Num[np.ndarray, "n d"], kinds: Int64[np.ndarray, " k"]
) -> Float32[np.ndarray, "n r k k"]:
    """Count, for each range, how often an atom of one kind has one of another kind in it."""
    kind, ranges = _molecules(read, x)
    is_kind = (kind[:, :, None] == kinds).astype(np.float32)
    return np.stack([is_kind.transpose(0, 2, 1) @ (near @ is_kind) for near in ranges], axis=1)


def vocabulary(
    space: Sequence, x: Num[np.ndarray, "n d"], rows: int = 10
) -> Int64[np.ndarray, "g 3"]:
    """List the pairs of atoms that occur in designs.

    Args:
        space: of the designs; its tokens are those of SMILES.
        x: legal designs, (n, d).
        rows: a pair is listed when at least this many designs have it.

    Returns:
        One pair a row: the range of their distance (0 for an atom by itself, then 1, 2, 3 to 4,
        5 to 8, and more bonds), and the kinds of both atoms, the smaller first.

    Raises:
        ValueError: a token of the space is not known, or no pair occurs often enough.
    """
    read, tokens = _read(space), space.validate(x)
    kinds = np.arange(_STATES, _STATES * (read.element.max() + 1))
    designs = np.zeros((_DOUBLINGS + 3, len(kinds), len(kinds)), np.int64)
    for begin in range(0, len(tokens), _CHUNK):
        designs += (_tables(read, tokens[begin : begin + _CHUNK], kinds) > 0).sum(axis=0)
    listed = np.argwhere(np.triu(designs) >= max(rows, 1))
    if not len(listed):
        raise ValueError(f"no pair of atoms occurs in {rows} designs or more")
    listed[:, 1:] += _STATES
    return listed.astype(np.int64)


def counts(
    space: Sequence, x: Num[np.ndarray, "n d"], pairs: Int[np.ndarray, "g 3"]
) -> Float32[np.ndarray, "n g"]:
    """Count the pairs of atoms in each design.

    Args:
        space: of the designs.
        x: legal designs, (n, d).
        pairs: as `vocabulary` lists them.

    Returns:
        How often each pair occurs, (n, g); a pair of atoms of one kind is seen from both its ends
        and so counts twice.
    """
    read, tokens = _read(space), space.validate(x)
    kinds, columns = _columns(pairs)
    found = np.empty((len(tokens), len(pairs)), np.float32)
    for begin in range(0, len(tokens), _CHUNK):
        tables = _tables(read, tokens[begin : begin + _CHUNK], kinds)
        found[begin : begin + _CHUNK] = tables.reshape(len(tables), -1)[:, columns]
    return found


def _columns(
    pairs: Int[np.ndarray, "g 3"],
) -> tuple[Int64[np.ndarray, " k"], Int64[np.ndarray, " g"]]:
    """The kinds of atoms in pairs, and where the pairs stand among the tables of these kinds."""
    kinds = np.unique(pairs[:, 1:]).astype(np.int64)
    first, second = np.searchsorted(kinds, pairs[:, 1:]).T
    columns: Int64[np.ndarray, " g"] = (pairs[:, 0] * len(kinds) + first) * len(kinds) + second
    return kinds, columns


def nodes(source: str, target: str, space: Sequence, pairs: Int[np.ndarray, "g 3"]) -> Graph:
    """Write `counts` as ONNX nodes: the same steps, and the same numbers.

    Args:
        source: name of the tokens, (n, d) int64.
        target: name to give the counts, (n, g) float32; names in between begin with it.
        space: of the designs.
        pairs: as `vocabulary` lists them.

    Returns:
        The part of a graph that leads from one to the other.
    """
    read, d = _read(space), space.dim
    kinds, columns = _columns(pairs)
    graph = Graph(target)
    apply = graph.apply

    def constant(value: Any, dtype: Any = np.float32) -> str:
        return graph.constant(value, dtype)

    def as_float(truth: str) -> str:
        return graph.cast(truth, np.float32)

    def is_positive(value: str) -> str:
        return as_float(apply("Greater", value, zero))

    def turn(matrix: str) -> str:
        return apply("Transpose", matrix, perm=[0, 2, 1])

    def look_up(table: Num[np.ndarray, " k"], shape: str) -> str:
        """What each token means, as (n, d, 1) or (n, 1, d)."""
        return apply("Unsqueeze", apply("Gather", constant(table), source), shape)

    def latest(truth: str) -> str:
        last = apply("ReduceMax", apply("Where", truth, place, none), over_rows, keepdims=1)
        return as_float(apply("Equal", place, last))

    zero, one, two, none = (constant(value) for value in (0, 1, 2, -1))
    over_rows, over_columns = constant([1], np.int64), constant([2], np.int64)
    row, column = over_columns, over_rows  # where the new axis stands
    order = np.arange(d)
    place = constant(order[:, None])
    later = constant(order[:, None] < order, bool)
    sum_up = constant(order[:, None] <= order)  # cumulative sums, as a product
    itself = constant(np.eye(d))

    atom = look_up((read.element > 0).astype(np.int64), row)
    depth = apply("MatMul", look_up(read.depth, column), sum_up)
    lower = apply("And", apply("Less", depth, turn(depth)), later)
    left = apply("MatMul", as_float(lower), sum_up)
    followed = apply("And", apply("Less", left, atom), later)  # not left, and an atom
    belongs = latest(followed)
    label = look_up(read.label, column)
    # No ring label is 0, which becomes −1 on one side so that it equals nothing.
    opener = look_up(np.where(read.label > 0, read.label, -1), row)
    same = apply("And", apply("Equal", opener, label), later)
    uses = apply("ReduceSum", as_float(same), over_rows, keepdims=1)
    ring = apply("Mul", latest(same), apply("Mod", uses, two, fmod=1))
    steps = apply("MatMul", ring, turn(belongs))
    steps = apply("Add", apply("Mul", itself, atom), steps)
    bonds = apply("MatMul", belongs, steps)
    bonds = is_positive(apply("Add", bonds, turn(bonds)))
    symbol = look_up(read.multiple, row)
    symbol = apply("MatMul", constant(np.eye(d, k=-1)), symbol)  # moves one place on
    ends = apply("Add", apply("MatMul", ring, symbol), apply("MatMul", turn(ring), symbol))
    symbol = apply("Add", symbol, ends)
    multiple = is_positive(apply("Add", symbol, apply("MatMul", belongs, symbol)))
    neighbours = apply("ReduceSum", bonds, over_columns, keepdims=1)
    neighbours = apply("Min", neighbours, constant(_MOST_NEIGHBOURS))
    state = apply("Add", apply("Mul", neighbours, two), multiple)
    kind = apply("Add", look_up(read.element * _STATES, row), state)
    is_kind = as_float(apply("Equal", kind, constant(kinds)))

    within = apply("Max", bonds, itself)
    ranges = [apply("Sub", within, itself)]
    for _ in range(_DOUBLINGS):
        farther = is_positive(apply("MatMul", within, within))
        ranges.append(apply("Sub", farther, within))
        within = farther
    ranges.append(apply("Sub", one, within))
    is_kind_turned = turn(is_kind)
    tables = [apply("MatMul", is_kind_turned, is_kind)]
    tables += [apply("MatMul", is_kind_turned, apply("MatMul", near, is_kind)) for near in ranges]
    flat = constant([-1, len(kinds) ** 2], np.int64)
    joined = apply("Concat", *(apply("Reshape", t, flat) for t in tables), axis=1)
    apply("Gather", joined, constant(columns, np.int64), name=target, axis=1)
    return graph
