from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import onnx.reference
import pytest

from mbo_hub import Box, Sequence
from mbo_hub.making.strands import STEP, reverse_complement, strand_model
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.tasks import TASKS, tfbind10

SPEC = TASKS["tfbind10"]
WIDTH = 7


@pytest.fixture(scope="module")
def layers() -> tuple[list[np.ndarray], list[np.ndarray]]:
    random = np.random.default_rng(3)
    sizes = ((40, WIDTH), (WIDTH, WIDTH), (WIDTH, 1))
    weights = [random.normal(scale=0.3, size=size).astype(np.float32) for size in sizes]
    return weights, [random.normal(size=size[1]).astype(np.float32) for size in sizes]


def by_hand(weights: list[np.ndarray], biases: list[np.ndarray], x: np.ndarray) -> np.ndarray:
    """The mean over both strands, in float64."""
    of_strands = []
    for tokens in (x, 3 - x[:, ::-1]):
        hidden = np.eye(4)[tokens].reshape(len(x), 40)
        for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
            hidden = hidden @ weight.astype(np.float64) + bias
            if layer < 2:
                hidden = hidden / (1 + np.exp(-hidden))
        of_strands.append(hidden[:, 0])
    return np.mean(of_strands, axis=0)


def test_the_graph_computes_the_mean_over_both_strands(
    layers: tuple[list[np.ndarray], list[np.ndarray]],
) -> None:
    x = SPEC.space.sample(500, rng=0)
    model = strand_model(SPEC, *layers, 0.25, {"mbo.note": "a test"})
    oracle = OnnxOracle(SPEC.space, model, "test", exact=True)
    y = oracle(x)
    assert np.abs(y - (by_hand(*layers, x) + 0.25)).max() <= STEP / 2 + 1e-12
    assert np.array_equal(y / STEP, np.round(y / STEP))
    assert np.array_equal(y, oracle(reverse_complement(SPEC.space, x)))
    assert oracle.metadata["mbo.note"] == "a test"
    # Other runtimes and batches compute other last bits of float64, and the same float32.
    reference = onnx.reference.ReferenceEvaluator(onnx.load_from_string(model))
    assert np.array_equal(reference.run(None, {"x": x.astype(np.int64)})[0], y)
    assert np.array_equal(np.concatenate([oracle(row[None]) for row in x[:50]]), y[:50])


def test_the_reverse_complement_reads_the_other_strand() -> None:
    x = SPEC.space.encode(["AACCGTTTTG", "CCCCCGGGGG"])
    turned = reverse_complement(SPEC.space, x)
    assert SPEC.space.decode(turned) == ["CAAAACGGTT", "CCCCCGGGGG"]


@pytest.mark.parametrize(
    "space", [Box(size=3), Sequence(length=3, alphabet=tuple("ACGT_"), padding="_")]
)
def test_other_spaces_have_no_strands(
    space: Box | Sequence, layers: tuple[list[np.ndarray], list[np.ndarray]]
) -> None:
    spec = dataclasses.replace(SPEC, space=space)
    with pytest.raises(TypeError, match="have a reverse complement"):
        strand_model(spec, *layers, 0.0, {})


def test_the_published_network_is_the_declared_task() -> None:
    assert tfbind10.domain().shape == (4**10, 10)
    assert SPEC.space.decode(tfbind10.domain()[[0, 1, -1]]) == ["A" * 10, "A" * 9 + "C", "T" * 10]
