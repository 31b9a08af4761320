from __future__ import annotations

import mbo_hub


def test_the_optimum_is_three_pairs_of_g_and_c() -> None:
    task = mbo_hub.load("hairpin")
    assert task.oracle(task.space.encode(["GGGCCC", "GCGCGC", "AAAAAA"])).tolist() == [9, 9, 0]
    assert task.manifest.statistics.rows == 4**6
