from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import onnx.reference
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

import mbo_hub
from mbo_hub import Sequence, Task
from mbo_hub.making.atom_pairs import counts, nodes, vocabulary
from mbo_hub.tasks import chembl

SPACE = chembl.SPACE
TOKENS = [token for token in SPACE.alphabet if token != SPACE.padding]


@pytest.fixture(scope="module")
def task() -> Task:
    return mbo_hub.load("chembl")


@pytest.fixture(scope="module")
def pairs(task: Task) -> np.ndarray:
    return vocabulary(SPACE, task.x)


def as_model(pairs: np.ndarray) -> onnx.ModelProto:
    part = nodes("x", "features", SPACE, pairs)
    ends = {"x": ["n", SPACE.dim]}, {"features": ["n", len(pairs)]}
    graph = part.close("counts", np.int64, *ends, gives=np.float32)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


@pytest.fixture(scope="module")
def session(pairs: np.ndarray) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(as_model(pairs).SerializeToString())


def ranges_of(distance: float) -> int:
    """Which range a number of bonds is in; what is not connected is far away."""
    for which, end in enumerate((0, 1, 2, 4, 8)):
        if distance <= end:
            return which
    return 5


def by_rdkit(smiles: str) -> Counter[tuple[int, tuple[str, int, bool], tuple[str, int, bool]]]:
    """Count pairs of atoms in the molecule that RDKit reads."""
    chem = pytest.importorskip("rdkit.Chem", reason="RDKit is not installed")
    molecule = chem.MolFromSmiles(smiles)
    kinds = []
    for atom in molecule.GetAtoms():
        multiple = any(b.GetBondTypeAsDouble() in (2, 3) for b in atom.GetBonds())
        symbol = atom.GetSymbol()
        element = symbol.lower() if atom.GetIsAromatic() else symbol
        kinds.append((element, min(atom.GetDegree(), 4), multiple))
    distances = chem.GetDistanceMatrix(molecule)
    found: Counter[tuple[int, tuple[str, int, bool], tuple[str, int, bool]]] = Counter()
    for i, first in enumerate(kinds):
        for j, second in enumerate(kinds):
            found[ranges_of(distances[i, j]), first, second] += 1
    return found


def names(pairs: np.ndarray) -> list[tuple[int, tuple[str, int, bool], tuple[str, int, bool]]]:
    """What the numbers of `vocabulary` mean: an element, its neighbours, a double or triple bond."""
    elements = sorted({"Br", "C", "Cl", "F", "I", "N", "O", "S", "Si", "c", "n", "o", "s"})

    def kind(number: int) -> tuple[str, int, bool]:
        return elements[number // 10 - 1], number % 10 // 2, bool(number % 2)

    return [(int(r), kind(int(a)), kind(int(b))) for r, a, b in pairs]


def test_every_molecule_of_the_data_has_the_pairs_that_rdkit_finds(
    task: Task, pairs: np.ndarray
) -> None:
    x = np.concatenate([task.x, task.hidden[0]])
    found, columns = counts(SPACE, x, pairs), names(pairs)
    for row, smiles in enumerate(SPACE.decode(x)):
        wanted = by_rdkit(smiles)
        assert found[row].tolist() == [wanted[column] for column in columns], smiles


def test_a_molecule_has_the_same_pairs_however_it_is_written(task: Task, pairs: np.ndarray) -> None:
    chem = pytest.importorskip("rdkit.Chem", reason="RDKit is not installed")
    written, again = [], []
    for number, smiles in enumerate(SPACE.decode(task.x)):
        molecule = chem.MolFromSmiles(smiles)
        other = chem.MolToRandomSmilesVect(molecule, 1, randomSeed=number)[0]
        try:
            again.append(SPACE.encode([other])[0])
        except mbo_hub.InvalidDesign:  # too long, or a token that the task does not have
            continue
        written.append(SPACE.encode([smiles])[0])
    assert len(written) > 300
    x, y = np.array(written), np.array(again)
    assert (x != y).any(axis=1).mean() > 0.9
    assert np.array_equal(counts(SPACE, x, pairs), counts(SPACE, y, pairs))


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=46), min_size=1, max_size=4))
def test_numpy_and_both_evaluators_count_alike_also_what_is_no_molecule(
    pairs: np.ndarray, session: onnxruntime.InferenceSession, designs: list[list[str]]
) -> None:
    index = {token: i for i, token in enumerate(SPACE.alphabet)}
    pad = index[SPACE.padding or ""]
    x = np.array([[index[t] for t in d] + [pad] * (46 - len(d)) for d in designs], np.int8)
    wanted = counts(SPACE, x, pairs)
    assert np.isfinite(wanted).all()
    feed = {"x": x.astype(np.int64)}
    assert np.array_equal(session.run(None, feed)[0], wanted)


def test_the_reference_evaluator_counts_alike(task: Task, pairs: np.ndarray) -> None:
    x = np.concatenate([task.x[:40], SPACE.sample(40, rng=0)])
    (found,) = onnx.reference.ReferenceEvaluator(as_model(pairs)).run(
        None, {"x": x.astype(np.int64)}
    )
    assert np.array_equal(found, counts(SPACE, x, pairs))


def test_small_molecules_by_hand() -> None:
    """Ethanol: C (1 neighbour), C (2), O (1); carbon dioxide; cyclopropane, closed by a label."""
    x = SPACE.encode(["CCO", "O=C=O", "C1CC1"])
    pairs = vocabulary(SPACE, x, rows=1)
    found = [
        {name: n for name, n in zip(names(pairs), row, strict=True) if n}
        for row in counts(SPACE, x, pairs).astype(int).tolist()
    ]
    end, middle, alcohol = ("C", 1, False), ("C", 2, False), ("O", 1, False)
    assert found[0] == {
        (0, end, end): 1, (0, middle, middle): 1, (0, alcohol, alcohol): 1,
        (1, end, middle): 1, (1, middle, alcohol): 1, (2, end, alcohol): 1,
    }  # fmt: skip
    oxygen, carbon = ("O", 1, True), ("C", 2, True)
    assert found[1] == {
        (0, carbon, carbon): 1, (0, oxygen, oxygen): 2, (1, carbon, oxygen): 2, (2, oxygen, oxygen): 2,
    }  # fmt: skip
    assert found[2] == {(0, middle, middle): 3, (1, middle, middle): 6}


def test_rare_pairs_are_left_out() -> None:
    x = SPACE.encode(["CCO", "CCN", "CC"])
    common = names(vocabulary(SPACE, x, rows=3))
    assert common == [(0, ("C", 1, False), ("C", 1, False))]
    with pytest.raises(ValueError, match="no pair of atoms occurs in 4 designs or more"):
        vocabulary(SPACE, x, rows=4)


def test_an_alphabet_that_is_not_that_of_smiles_is_refused() -> None:
    space = Sequence(length=3, alphabet=("C", "?", "_"), padding="_")
    with pytest.raises(ValueError, match=r"token '\?' is none whose part in a molecule is known"):
        vocabulary(space, space.encode(["CC"]))
