"""Designs as numbers and back; networks side by side; what is held out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbo_hub.methods.features import Logits, OneHot, ZScores, features, legalize
from mbo_hub.offline import Affine, Normalization, Offline
from mbo_hub.spaces import Box, Sequence

SPACES = (
    Sequence(length=6, alphabet=tuple("ACGT")),
    Sequence(length=5, alphabet=tuple("AB_C"), padding="_"),
    Sequence(length=4, alphabet=tuple("_AB"), padding="_"),
    Box(size=3, low=-1.0, high=(1.0, 2.0, 3.0)),
    Box(size=4),
    Box(size=5, low=0.0, nonzero=True),
)


def offline_of(space: Box | Sequence, n: int = 50) -> Offline:
    x = space.sample(n, rng=3)
    y = np.random.default_rng(0).normal(size=n).astype(np.float32)
    return Offline("made", space, x, y, Normalization(Affine.fit(x), Affine.fit(y)))


WRITTEN = [
    pytest.param(space, kind, id=f"{number}-{kind}")
    for number, space in enumerate(SPACES)
    for kind in ("logits", "raw_logits", "one_hot")
]


@pytest.mark.parametrize(("space", "kind"), WRITTEN)
def test_designs_come_back_from_their_numbers(space: Box | Sequence, kind: str) -> None:
    offline = offline_of(space)
    written = features(offline, kind)  # type: ignore[arg-type]
    values = written.encode(offline.x)
    assert values.shape == (len(offline.x), written.width)
    assert values.dtype == np.float32
    found = written.decode(values)
    assert found.rows.tolist() == list(range(len(offline.x)))
    if isinstance(space, Box):
        np.testing.assert_allclose(found.designs, offline.x, atol=1e-5)
    else:
        np.testing.assert_array_equal(found.designs, offline.x)
        assert not found.moved.any()


@pytest.mark.parametrize(("space", "kind"), WRITTEN)
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([0.1, 1.0, 100.0, 1e30]))
def test_any_numbers_lead_to_legal_designs(
    space: Box | Sequence, kind: str, seed: int, size: float
) -> None:
    written = features(offline_of(space), kind)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=(7, written.width)) * size).astype(np.float32)
    values[rng.random(values.shape) < 0.01] = np.nan
    found = written.decode(values)
    assert space.legal(found.designs).all()
    assert found.designs.dtype == space.dtype
    assert len(found) == len(found.rows) == len(found.moved)
    unknown = np.isnan(values).any(axis=1)
    assert not unknown[found.rows].any()
    if isinstance(space, Sequence):
        assert found.rows.tolist() == np.flatnonzero(~unknown).tolist()


def test_logits_are_those_of_design_bench() -> None:
    """Token j ≥ 1 is +c in slot j − 1, token 0 is −c in every slot; c = ln(1 + 1.5 K)."""
    for k in (4, 5):
        space = Sequence(length=2, alphabet=tuple("ABCDE"[:k]))
        c = math.log(1 + 1.5 * k)
        found = Logits(space, None).encode(np.array([[0, 2]], np.int8)).reshape(2, k - 1)
        np.testing.assert_allclose(found[0], -c, rtol=1e-5)
        np.testing.assert_allclose(found[1], np.eye(k - 1)[1] * c, atol=1e-5)


def test_what_was_said_illegally_is_marked() -> None:
    padded = SPACES[1]
    tokens = np.array([[0, 2, 1, 2, 2], [2, 0, 0, 0, 0], [0, 1, 3, 2, 2]], np.int8)
    values = np.eye(4, dtype=np.float32)[tokens].reshape(3, -1)
    found = OneHot(padded).decode(values)  # type: ignore[arg-type]
    assert found.designs.tolist() == [[0, 2, 2, 2, 2], [0, 0, 0, 0, 0], [0, 1, 3, 2, 2]]
    assert found.moved.tolist() == [True, True, False]
    box = Box(size=2, low=0.0, high=1.0)
    scale = Affine.of(np.zeros(2), np.ones(2))
    found = ZScores(box, scale).decode(np.array([[0.5, 2.0], [0.5, 1.0]]))
    assert found.designs.tolist() == [[0.5, 1.0], [0.5, 1.0]]
    assert found.moved.tolist() == [True, False]


def test_rows_without_a_legal_design_are_left_out() -> None:
    amounts = SPACES[5]
    rows = np.array([[0, 0, 0, 0, 0], [-1, 2, 0, 0, 0], [np.nan, 1, 1, 1, 1], [-1] * 5], np.float64)
    found = legalize(amounts, rows)
    assert found.rows.tolist() == [1]
    assert found.designs.tolist() == [[0, 2, 0, 0, 0]]
    assert len(legalize(amounts, rows[:1])) == 0
    assert found[:0].designs.shape == (0, 5)


# ---- networks


torch = pytest.importorskip("torch", reason="the networks need torch")

from mbo_hub.errors import MethodFailed  # noqa: E402
from mbo_hub.methods import networks  # noqa: E402


def test_members_compute_as_they_would_alone() -> None:
    with networks.alone():
        model = networks.Ensemble(3, 4, (8, 8), 2, networks.generator(0))
        x = torch.randn(10, 4, generator=networks.generator(1))
        together = model(x)
        assert together.shape == (3, 10, 2)
        for member in range(3):
            alone = networks.Ensemble(1, 4, (8, 8), 2, networks.generator(0))
            for mine, theirs in zip(alone.parameters(), model.parameters(), strict=True):
                mine.data = theirs.data[member : member + 1].clone()
            torch.testing.assert_close(alone(x)[0], together[member])
        own = torch.stack([x, x + 1, x + 2])  # designs of their own
        torch.testing.assert_close(model(own)[0], together[0])
        assert not torch.allclose(model(own)[1], together[1])


def test_members_are_trained_on_what_they_drew() -> None:
    """A row that a member did not draw does not move it."""
    with networks.alone():
        rng = networks.generator(0)
        counts = networks.bootstrap(4, 100, rng)
        assert counts.shape == (4, 100)
        assert counts.sum(1).tolist() == [100] * 4
        assert len({tuple(row.tolist()) for row in counts}) == 4
        x = torch.randn(64, 3, generator=rng)
        weights = torch.ones(2, 64)
        weights[1] = 0
        model = networks.Ensemble(2, 3, (8,), 2, rng)
        before = [p.detach().clone() for p in model.parameters()]
        networks.fit(model, x, x.sum(1), epochs=2, batch=16, learning_rate=0.01, rng=rng,
                     weights=weights)  # fmt: skip
        for old, new in zip(before, model.parameters(), strict=True):
            assert torch.equal(old[1], new[1])
        assert not torch.equal(before[0][0], next(iter(model.parameters()))[0])


def test_training_learns_and_tells() -> None:
    with networks.alone():
        rng = networks.generator(0)
        x = torch.randn(200, 2, generator=rng)
        y = x[:, 0] - x[:, 1]
        model = networks.Ensemble(2, 2, (16,), 2, rng)
        told: list[float] = []
        networks.fit(model, x, y, epochs=60, batch=32, learning_rate=1e-2, rng=rng,
                     progress=told.append)  # fmt: skip
        assert (networks.mixture_mean(model, x) - y).abs().mean() < 0.2
        assert told == [(i + 1) / 60 for i in range(60)]
        with pytest.raises(MethodFailed, match="diverged in epoch 1"):
            networks.fit(model, x, y * float("nan"), epochs=3, batch=32, learning_rate=1e-2,
                         rng=rng)  # fmt: skip


def test_a_prediction_is_never_surer_or_less_sure_than_it_may_be() -> None:
    wild = torch.tensor([-1e6, -3.0, 0.0, 3.0, 1e6])
    _, log_std = networks.gaussian(torch.stack([wild, wild], 1))
    std = log_std.exp()
    assert ((std >= 0.1 - 1e-6) & (std <= 0.3 + 1e-6)).all()
    assert (std.flatten().diff() >= 0).all()


def test_the_loss_is_the_negative_log_likelihood() -> None:
    outputs = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(0))
    y = torch.linspace(-1, 1, 5)
    mean, log_std = networks.gaussian(outputs)
    normal = torch.distributions.Normal(mean.squeeze(-1), log_std.exp().squeeze(-1))
    torch.testing.assert_close(networks.gaussian_nll(outputs, y), -normal.log_prob(y))


@pytest.mark.parametrize(("n", "batch", "size"), [(1000, 100, 100), (80, 100, 10), (5, 100, 1)])
def test_an_epoch_sees_rows_once_in_at_least_eight_batches(n: int, batch: int, size: int) -> None:
    dealt = list(networks.batches(n, batch, torch.Generator().manual_seed(0)))
    assert all(len(rows) == size for rows in dealt)
    assert len(dealt) >= min(8, n)
    seen = torch.cat(dealt).tolist()
    assert len(set(seen)) == len(seen) > n - size


def test_starts_are_the_best_rows_again_with_noise_where_they_are_few() -> None:
    offline = offline_of(SPACES[4], 5)
    written = features(offline)
    with networks.alone():
        x = networks.best_rows(offline, written, 12, networks.generator(0))
    order = np.argsort(-offline.y)
    np.testing.assert_array_equal(x[:5].numpy(), written.encode(offline.x[order]))
    again = x[5:10].numpy() - x[:5].numpy()
    assert 0 < np.abs(again).max() < 0.6
    assert len(x) == 12


# ---- what is held out


@given(
    y=st.lists(st.integers(0, 6), min_size=4, max_size=40),
    fraction=st.floats(0.05, 0.95),
    by=st.sampled_from(["top", "random"]),
)
def test_no_design_stands_on_both_sides(y: list[int], fraction: float, by: str) -> None:
    space = Box(size=1)
    x = (np.arange(len(y), dtype=np.float32) // 2)[:, None]  # each design twice
    values = np.array(y, np.float32)
    whole = Offline("made", space, x, values, Normalization(Affine.fit(x), Affine.fit(values)))
    try:
        seen, held = whole.holdout(fraction, by=by, seed=1)  # type: ignore[arg-type]
    except ValueError:
        with pytest.raises(ValueError, match="leaves a part empty"):
            whole.holdout(fraction, by=by, seed=1)  # type: ignore[arg-type]
        return
    assert len(seen.y) + len(held.y) == len(y)
    assert not {float(v) for v in seen.x.ravel()} & {float(v) for v in held.x.ravel()}
    if by == "top":
        best = {float(v): max(values[x[:, 0] == v]) for v in np.unique(x)}
        assert max(best[float(v)] for v in seen.x.ravel()) < min(
            best[float(v)] for v in held.x.ravel()
        )
    np.testing.assert_allclose(seen.normalization.y.mean, seen.y.mean(), rtol=1e-6)
    assert held.normalization is seen.normalization
    assert not seen.x.flags.writeable
    assert not held.y.flags.writeable


def test_the_top_is_about_the_fraction_that_was_asked_for() -> None:
    whole = offline_of(Box(size=2), 1000)
    seen, held = whole.holdout(0.2)
    assert len(held.y) == 200
    assert held.y.min() > seen.y.max()
    other, _ = whole.holdout(0.2, by="random", seed=1)
    again, _ = whole.holdout(0.2, by="random", seed=1)
    third, _ = whole.holdout(0.2, by="random", seed=2)
    np.testing.assert_array_equal(other.x, again.x)
    assert not np.array_equal(other.x, third.x)
    assert len(other.y) == 800


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fraction": 0.0}, "between 0 and 1"),
        ({"fraction": 1.5}, "between 0 and 1"),
        ({"fraction": float("nan")}, "between 0 and 1"),
        ({"fraction": 0.2, "by": "y"}, "'top'(,| or) 'random'"),
    ],
)
def test_a_split_that_is_none_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(Exception, match=message):
        offline_of(Box(size=2)).holdout(**arguments)  # type: ignore[arg-type]


def test_a_constant_objective_has_no_top() -> None:
    x = Box(size=2).sample(10, 0)
    y = np.ones(10, np.float32)
    whole = Offline("flat", Box(size=2), x, y, Normalization(Affine.fit(x), Affine.fit(y)))
    with pytest.raises(ValueError, match=r"flat: holding out 0\.5 by 'top' leaves a part empty"):
        whole.holdout(0.5)
