from __future__ import annotations

import numpy as np
import pytest
from conftest import RAW

from mbo_hub import Task
from mbo_hub.tasks.tfbind8 import SPACE, strands

ORIGINAL = RAW / "design_bench" / "tf_bind_8-SIX6_REF_R1"


def everything(task: Task) -> tuple[np.ndarray, np.ndarray]:
    x, y = task.hidden
    return np.concatenate([task.x, x]), np.concatenate([task.y, y])


def test_the_reference_figures(tfbind8: Task) -> None:
    x, _y = everything(tfbind8)
    assert x.shape == (65_792, 8)
    assert tfbind8.x.shape == (32_898, 8)
    assert len(np.unique(x, axis=0)) == 65_536
    assert len(np.unique(tfbind8.x, axis=0)) == 32_768
    assert tfbind8.y.max() == np.float32(0.43929616)
    assert f"{tfbind8.manifest.statistics.best_visible:.8f}" == "0.43929616"


def test_the_two_best_sequences_are_one_double_strand(tfbind8: Task) -> None:
    x, y = everything(tfbind8)
    best = np.unique(x[y == y.max()], axis=0)
    assert y.max() == 1.0
    assert len(best) == 2
    assert np.array_equal(3 - best[0][::-1], best[1])


def test_both_strands_have_one_value(tfbind8: Task) -> None:
    every = np.array(np.meshgrid(*[range(4)] * 8, indexing="ij")).reshape(8, -1).T
    assert np.array_equal(tfbind8.oracle(every), tfbind8.oracle(3 - every[:, ::-1]))
    numbers, counts = np.unique(strands(every), return_counts=True)
    assert len(numbers) == 32_896
    assert np.count_nonzero(counts == 1) == 256  # palindromes


def test_table_graph_and_stored_values_agree_on_every_sequence(tfbind8: Task) -> None:
    every = np.array(np.meshgrid(*[range(4)] * 8, indexing="ij")).reshape(8, -1).T
    table = tfbind8.oracles["exact"](every)
    assert len(table) == SPACE.cardinality
    assert np.array_equal(table, tfbind8.oracles["onnx"](every))
    x, y = everything(tfbind8)
    assert np.array_equal(tfbind8.oracles["exact"](x), y)


def test_the_surrogate_ranks_but_is_no_oracle(tfbind8: Task) -> None:
    held_out = tfbind8.manifest.oracles["surrogate"].held_out
    assert held_out is not None
    assert 0.7 < held_out.spearman < 0.95
    assert held_out.spearman_top_decile < held_out.spearman
    assert not tfbind8.oracles["surrogate"].exact


@pytest.mark.skipif(not ORIGINAL.is_dir(), reason="needs the original Design-Bench arrays")
def test_equal_to_design_bench_element_for_element(tfbind8: Task) -> None:
    x = np.load(ORIGINAL / "tf_bind_8-x-0.npy")
    y = np.load(ORIGINAL / "tf_bind_8-y-0.npy").ravel()
    visible = y <= np.percentile(y, 50)
    assert np.array_equal(tfbind8.x, x[visible])
    assert np.array_equal(tfbind8.y, y[visible])
    hidden_x, hidden_y = tfbind8.hidden
    assert np.array_equal(hidden_x, x[~visible])
    assert np.array_equal(hidden_y, y[~visible])
