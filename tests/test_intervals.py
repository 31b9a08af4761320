"""Statistics over seeds: hand-computed cases, and what holds for any scores."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap, mannwhitneyu, rankdata, t, trim_mean

from mbo_hub.results import intervals
from mbo_hub.results.intervals import Estimate
from mbo_hub.scoring.plot import best_of

EIGHT = np.array([0.9, 0.92, 0.95, 0.95, 0.96, 0.97, 0.99, 1.0])
scores = st.lists(st.integers(-50, 50).map(lambda i: i / 10), min_size=2, max_size=8).map(np.array)


def test_the_mean_and_its_interval() -> None:
    found = intervals.mean(EIGHT)
    assert found.value == pytest.approx(0.955)
    assert found.low is not None
    assert found.high is not None
    assert EIGHT.min() < found.low < found.value < found.high < EIGHT.max()
    # about as wide as Student's interval, and wider than the plain bootstrap's
    half = t.ppf(0.975, 7) * EIGHT.std(ddof=1) / np.sqrt(8)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.08)
    plain = bootstrap((EIGHT,), np.mean, method="percentile", rng=np.random.default_rng(0))
    assert found.low < plain.confidence_interval.low
    assert found.high > plain.confidence_interval.high


def drawn_by_scipy(samples: list[np.ndarray], statistic: Any, level: float) -> Any:
    """The interval that scipy's own bootstrap gives, from the same random numbers."""
    return bootstrap(
        samples, statistic, n_resamples=9999, batch=1000, method="percentile", axis=-1,
        vectorized=True, confidence_level=level, rng=np.random.default_rng(intervals.SEED),
    ).confidence_interval  # fmt: skip


def close(found: Estimate, expected: Any) -> None:
    assert [found.low, found.high] == pytest.approx([*expected], abs=1e-12)


def test_every_interval_is_the_one_of_scipys_bootstrap() -> None:
    """Each statistic is scipy's here, too; tasks have unlike numbers of seeds."""
    few, many = np.array([0.2, 0.9, 0.6]), EIGHT - 0.3
    level = intervals.widened_level(8)
    close(intervals.mean(EIGHT), drawn_by_scipy([EIGHT], np.mean, level))

    def middle(*samples: Any, axis: int) -> Any:
        return trim_mean(np.concatenate(samples, axis), 0.25, axis=axis)

    close(intervals.iqm([few, many], 0.9), drawn_by_scipy([few, many], middle, 0.9))

    def wins(*samples: Any, axis: int) -> Any:
        pairs = ((samples[0], samples[2]), (samples[1], samples[3]))
        shares = [
            mannwhitneyu(x, y, axis=axis, method="asymptotic").statistic
            / (x.shape[-1] * y.shape[-1])
            for x, y in pairs
        ]
        return np.mean(shares, 0)

    ours, theirs = [few, many], [np.array([0.6, 0.1]), EIGHT[::-1] - 0.32]
    close(intervals.improvement(ours, theirs), drawn_by_scipy([*ours, *theirs], wins, 0.95))

    def rank(*samples: Any, axis: int) -> Any:
        return np.mean([rankdata(-x.mean(axis), axis=0) for x in samples], 0)

    tasks = [np.array([EIGHT, EIGHT[::-1] ** 2, EIGHT - 0.01]), np.array([few, few[::-1], few - 1])]
    low, high = drawn_by_scipy(tasks, rank, intervals.widened_level(3))
    for found, *ends in zip(intervals.mean_ranks(tasks), low, high, strict=True):
        close(found, ends)


def test_it_is_the_same_every_time() -> None:
    assert intervals.mean(EIGHT) == intervals.mean(EIGHT.copy())


def test_the_widened_level_is_hesterbergs() -> None:
    assert intervals.widened_level(8) == pytest.approx(0.988525, abs=1e-6)
    assert intervals.widened_level(10**6) == pytest.approx(0.95, abs=1e-5)


def test_few_seeds() -> None:
    assert intervals.mean(np.array([0.5])) == Estimate(0.5)
    assert intervals.sd(np.array([0.5])) is None
    assert intervals.sd(np.array([1.0, 3.0])) == pytest.approx(np.sqrt(2))
    with pytest.raises(ValueError, match="two seeds"):
        intervals.separable(np.array([0.5]), np.array([0.6]))
    assert intervals.mean(np.full(8, 0.25)) == Estimate(0.25, 0.25, 0.25)


@pytest.mark.parametrize("bad", [np.array([]), np.array([0.1, np.nan]), np.array([np.inf, 0.0])])
def test_a_failed_seed_is_not_averaged_away(bad: np.ndarray) -> None:
    for function in (intervals.mean, intervals.sd):
        if bad.size or function is intervals.mean:
            with pytest.raises(ValueError, match="leave out failed seeds"):
                function(bad)
    with pytest.raises(ValueError, match="leave out failed seeds"):
        intervals.iqm([EIGHT, bad])
    with pytest.raises(ValueError, match="leave out failed seeds"):
        intervals.improvement([EIGHT], [bad])


@given(scores)
def test_the_interval_holds_the_mean_and_stays_among_the_scores(values: np.ndarray) -> None:
    found = intervals.mean(values)
    value, low, high = found.value, found.low, found.high
    assert low is not None
    assert high is not None
    assert values.min() - 1e-9 <= low <= value + 1e-9
    assert value - 1e-9 <= high <= values.max() + 1e-9


def test_what_can_be_told_apart() -> None:
    assert not intervals.separable(EIGHT, EIGHT)
    assert intervals.separable(EIGHT, EIGHT - 0.1)
    assert intervals.separable(EIGHT - 0.1, EIGHT)
    assert not intervals.separable(EIGHT, EIGHT[::-1])


def test_rescaled() -> None:
    np.testing.assert_allclose(
        intervals.rescaled(np.array([0.4, 0.7, 1.0, 1.3, 0.1]), 0.4, 1.0), [0, 0.5, 1, 1.5, -0.5]
    )
    with pytest.raises(ValueError, match=r"ceiling 1\.0 is not above D\(best\), 1\.0"):
        intervals.rescaled(EIGHT, 1.0, 1.0)


def test_the_interquartile_mean() -> None:
    """Of 0 … 7 it is that of 2, 3, 4, 5; what the outer quarters are does not matter."""
    assert intervals.iqm([np.arange(4.0), np.arange(4.0, 8.0)]).value == 3.5
    far = [np.array([-900.0, 1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0, 700.0])]
    assert intervals.iqm(far).value == 3.5
    constant = intervals.iqm([np.full(4, 0.5), np.full(4, 0.5)])
    assert constant == Estimate(0.5, 0.5, 0.5)


def test_seeds_are_drawn_within_their_task() -> None:
    """Tasks without any spread of their own leave nothing to draw, however far apart they are."""
    assert intervals.iqm([np.full(8, 0.0), np.full(8, 1.0)]) == Estimate(0.5, 0.5, 0.5)


def test_the_probability_of_improvement() -> None:
    ours, theirs = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0])
    # 6 pairs: two lose, two tie, two win
    assert intervals.improvement([ours], [theirs]).value == 0.5
    both = intervals.improvement([ours, np.array([5.0, 6.0])], [theirs, np.array([0.0, 1.0])])
    assert both.value == 0.75
    assert both.low is not None
    assert both.low < 0.75
    assert intervals.improvement([EIGHT + 1], [EIGHT]) == Estimate(1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="2 tasks beside 1"):
        intervals.improvement([ours, ours], [theirs])


@given(scores, scores)
def test_one_improves_on_the_other_as_often_as_the_other_does_not(
    one: np.ndarray, other: np.ndarray
) -> None:
    there = intervals.improvement([one], [other]).value
    assert there + intervals.improvement([other], [one]).value == pytest.approx(1)


def test_mean_ranks() -> None:
    first = np.array([[3.0, 3.0], [2.0, 2.0], [1.0, 1.0]])
    second = np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 2.0]])  # three equal means: rank 2 each
    found = intervals.mean_ranks([first, second])
    assert [estimate.value for estimate in found] == [1.5, 2.0, 2.5]
    assert found[0].low == 1.25  # where the third is drawn twice at its worst: rank 1.5 there
    assert found[2].high == 3.0
    single = intervals.mean_ranks([first[:, :1]])
    assert single == [Estimate(1.0), Estimate(2.0), Estimate(3.0)]


def test_the_performance_profile() -> None:
    tasks = [np.array([0.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])]
    shares = intervals.profile(tasks, np.array([-1.0, 0.0, 1.0, 3.5, 4.0]))
    np.testing.assert_allclose(shares, [1.0, 0.75, 0.375, 0.125, 0.0])


def test_what_eight_tasks_cannot_say() -> None:
    """The figures of Demšar's table 5, and those of the tables of Wilcoxon and χ²."""
    assert intervals.critical_difference(10, 8) == pytest.approx(4.79, abs=0.005)
    assert intervals.critical_difference(11, 8) == pytest.approx(5.34, abs=0.005)
    assert intervals.smallest_p(8) == pytest.approx(0.0078, abs=5e-5)
    low, high = intervals.sd_factors(8)
    assert (round(low, 2), round(high, 2)) == (0.66, 2.04)


def test_the_best_of_a_k_that_is_asked_for() -> None:
    sizes, means = best_of(EIGHT, np.array([3]))
    assert sizes.tolist() == [3]
    assert means[0] == pytest.approx(np.mean([max(c) for c in combinations(EIGHT, 3)]))
