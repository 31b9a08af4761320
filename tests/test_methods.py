"""What every method must do, and what makes each the one it is."""

from __future__ import annotations

import ast
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT

from mbo_hub import InvalidDesign
from mbo_hub.errors import MethodFailed, UnknownMethod
from mbo_hub.methods import METHODS, Method, Proposal, find
from mbo_hub.offline import Affine, Normalization, Offline
from mbo_hub.spaces import Box, Sequence

torch = pytest.importorskip("torch", reason="the methods need torch")

from mbo_hub.methods import networks  # noqa: E402
from mbo_hub.methods.cbas import CbAS, balanced  # noqa: E402
from mbo_hub.methods.coms import ConservativeObjectiveModels, climb  # noqa: E402
from mbo_hub.methods.features import features  # noqa: E402
from mbo_hub.methods.gan import Conditional  # noqa: E402
from mbo_hub.methods.mins import ModelInversionNetworks  # noqa: E402

# So small that a run takes a moment; every field that a method has under one of these names.
SMALL: dict[str, Any] = {
    "adversaries": 8, "batch": 16, "condition": 8, "epochs": 2, "fit_steps": 5, "generations": 3,
    "hidden": (8,), "iterations": 2, "latent": 2, "most_steps": 20, "most_rounds": 40, "paths": 8,
    "points": 40, "q": 8, "raw_samples": 4, "refit_epochs": 1, "refocus_epochs": 1, "restarts": 1,
    "rounds": 1, "samples": 32, "search_steps": 3, "steps": 3, "vae_epochs": 2,
}  # fmt: skip
LEARNED = [name for name, method in METHODS.items() if method.needs]
CONTROLS = {"random", "best_logged"}


def small(name: str, **changes: Any) -> Method:
    method = METHODS[name]
    fields = {f.name: f.default for f in dataclasses.fields(method)}
    values = {key: value for key, value in SMALL.items() if key in fields}
    if name in {"cbas", "auto_cbas", "mins"}:
        values["hidden"] = 8
    if name.startswith("grad"):
        values["step_size"] = 1.0
    if name == "reinforce":
        values["samples"] = (32, 32)
    return method(**{**values, **changes})


def offline_of(space: Box | Sequence, x: Any, y: Any, name: str = "made") -> Offline:
    x, y = np.asarray(x, space.dtype), np.asarray(y, np.float32)
    return Offline(name, space, x, y, Normalization(Affine.fit(x), Affine.fit(y)))


def drawn(space: Box | Sequence, n: int = 60) -> Offline:
    x = space.sample(n, rng=1)
    return offline_of(space, x, np.asarray(x, np.float32) @ np.linspace(1, 2, space.dim))


SPACES: dict[str, Box | Sequence] = {
    "box": Box(size=3, low=-1.0, high=(1.0, 2.0, 3.0)),
    "unbounded": Box(size=4),
    "amounts": Box(size=5, low=0.0, nonzero=True),
    "one_number": Box(size=1, low=0.0, high=1.0),
    "letters": Sequence(length=6, alphabet=tuple("ACGT")),
    "padded": Sequence(length=5, alphabet=tuple("AB_C"), padding="_"),
    "one_letter": Sequence(length=1, alphabet=tuple("ABCDEFGHIJ")),
}


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", METHODS)
def test_every_method_proposes_legal_designs(name: str, space: str) -> None:
    offline = drawn(SPACES[space])
    if space == "one_letter" and name == "bo_qei":  # it looks between the data only
        with pytest.raises(MethodFailed, match="no design that is not in the data"):
            small(name, most_rounds=3)(offline, budget=7)
        return
    found = small(name)(offline, budget=7, seed=0)
    assert isinstance(found, Proposal)
    assert len(found) == 7 or found.notes
    assert offline.space.legal(found.designs).all()
    assert found.designs.dtype == offline.space.dtype
    if found.predicted is not None:
        assert found.predicted.shape == (len(found),)
        assert np.isfinite(found.predicted).all()


@pytest.mark.parametrize("space", ["amounts", "padded"])
@pytest.mark.parametrize("name", METHODS)
def test_a_seed_gives_the_same_designs_and_another_seed_others(name: str, space: str) -> None:
    """One space of each kind; `test_nothing_global_changes` and a fresh process take two more."""
    offline = drawn(SPACES[space])
    first, again, other = (small(name)(offline, budget=7, seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.designs, again.designs)
    np.testing.assert_array_equal(first.predicted, again.predicted)
    if name != "best_logged":
        assert not np.array_equal(first.designs, other.designs)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("budget", [1, 128])
def test_every_budget_is_met_or_explained(name: str, budget: int) -> None:
    offline = drawn(SPACES["letters"])
    proposal = small(name)(offline, budget=np.int64(budget), seed=np.int64(3))
    assert len(proposal) == budget or (len(proposal) < budget and proposal.notes)
    if name not in {"best_logged"}:
        assert len(proposal) == budget


@pytest.mark.parametrize("name", METHODS)
def test_few_rows_and_a_constant_objective_do_not_stop_it(name: str) -> None:
    x = SPACES["letters"].sample(20, rng=0)
    proposal = small(name)(offline_of(SPACES["letters"], x, np.full(20, 2.5)), budget=30, seed=0)
    assert len(proposal) == 30 or proposal.notes
    if proposal.predicted is not None:
        assert np.isfinite(proposal.predicted).all()


@pytest.mark.parametrize(
    "names",
    [
        pytest.param([name for name in METHODS if name != "bo_qei"], id="without_botorch"),
        pytest.param(
            ["bo_qei"], id="bo_qei", marks=pytest.mark.slow("botorch takes seconds; the others run")
        ),
    ],
)
def test_a_fresh_process_proposes_the_same(names: list[str]) -> None:
    code = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_methods import hashes
print(json.dumps(hashes(sys.argv[2:])))
"""
    run = [sys.executable, "-c", code, str(ROOT / "tests"), *names]
    done = subprocess.run(run, capture_output=True, check=True, text=True, cwd=ROOT)
    assert json.loads(done.stdout) == hashes(names)


def hashes(names: list[str]) -> dict[str, str]:
    """Of what each method proposes."""
    offline = drawn(SPACES["letters"])
    made = {name: small(name)(offline, budget=5, seed=9).designs for name in names}
    return {name: sha256(designs.tobytes()).hexdigest() for name, designs in made.items()}


@pytest.mark.parametrize("name", LEARNED)
def test_nothing_global_changes(name: str) -> None:
    torch.set_num_threads(2)
    before = np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002
    with torch.inference_mode():
        torch.set_default_dtype(torch.float64)
        try:
            changed = small(name)(drawn(SPACES["box"]), budget=3, seed=0)
            assert torch.get_default_dtype() == torch.float64
        finally:
            torch.set_default_dtype(torch.float32)
    assert torch.get_num_threads() == 2
    after = np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002
    assert before == after
    plain = small(name)(drawn(SPACES["box"]), budget=3, seed=0)
    np.testing.assert_array_equal(changed.designs, plain.designs)


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_that_diverges_is_a_failure(name: str) -> None:
    offline = drawn(SPACES["box"])
    with pytest.raises(MethodFailed, match=rf"^{name} on made, seed 4: .*diverged"):
        small(name, learning_rate=1e30, epochs=50)(offline, budget=3, seed=4)


@pytest.mark.parametrize("name", METHODS)
def test_progress_rises_to_one(name: str) -> None:
    told: list[float] = []
    small(name)(drawn(SPACES["box"]), budget=3, seed=0, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
    assert all(0 <= done <= 1 for done in told)


@pytest.mark.parametrize(("name", "value"), [("budget", 0), ("budget", True), ("seed", -1)])
def test_budget_and_seed_are_whole_numbers(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=rf"^{name} is a whole number of at least"):
        METHODS["random"]()(drawn(SPACES["box"]), **{name: value})


def test_no_visible_designs_is_a_failure() -> None:
    space = SPACES["box"]
    offline = Offline("none", space, space.sample(0, 0), np.empty(0, np.float32),
                      Normalization(Affine.of(0, 1), Affine.of(0, 1)))  # fmt: skip
    for name in METHODS:
        with pytest.raises(MethodFailed, match="no visible designs"):
            small(name)(offline)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda space: Proposal(space.sample(9, 0)), "9 designs, the budget is 4"),
        (lambda space: Proposal(space.sample(2, 0)), "2 designs and does not say why"),
        (lambda space: Proposal(space.sample(0, 0)), "no design"),
        (lambda space: Proposal(space.sample(4, 0) + 99), "illegal design: design 0"),
        (lambda space: Proposal(space.sample(4, 0) * np.nan), "illegal design: design 0"),
        (lambda space: Proposal(space.sample(4, 0), np.full(4, np.inf)), "no finite number"),
    ],
)
def test_garbage_is_not_returned(found: Callable[[Any], Proposal], message: str) -> None:
    class Bad(Method):
        name = "bad"
        title = "Bad"

        def propose(self, offline: Offline, *rest: Any) -> Proposal:
            return found(offline.space)

    assert Bad()._checked(Proposal(np.zeros((4, 3)), np.zeros(4)), drawn(SPACES["box"]), 4)
    with pytest.raises(MethodFailed, match=f"bad on made: .*{message}"):
        Bad()(drawn(SPACES["box"]), budget=4)


# ---- what the registry says of them


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_described(name: str) -> None:
    method = METHODS[name]
    source = Path(sys.modules[method.__module__].__file__ or "").read_text("utf-8")
    first = " ".join(source.splitlines()[:3])
    if name in CONTROLS:
        assert "control" in first
    else:
        assert method.paper is not None
        assert "http" in first
        assert str(method.paper.year) in first
        assert str(method.paper).endswith(method.paper.url)
    assert len(source.splitlines()) <= 260
    for sentence in method.deviations:
        assert sentence[0].isupper() or sentence[0] in "τγ"
        assert sentence.endswith(".")
    assert len(set(method.deviations)) == len(method.deviations)
    arguments = {f.name for f in dataclasses.fields(method)} - {"device"}
    documented = "\n".join(c.__doc__ or "" for c in method.__mro__)
    for argument in arguments:
        assert f"{argument}: " in documented, f"{argument} is not explained"


@pytest.mark.parametrize("name", METHODS)
def test_presets_name_fields_tasks_and_sources(name: str) -> None:
    from mbo_hub.tasks import TASKS

    method = METHODS[name]
    assert set(method.presets) == {"standard", "paper"}
    fields = {f.name for f in dataclasses.fields(method)}
    for preset, values in method.presets.items():
        assert set(values.values) <= fields
        assert set(values.sources) <= fields
        assert set(values.tasks) <= set(TASKS)
        for task in ("", *TASKS):
            made = method.preset(preset, task)
            for key, setting in made.settings(task).items():
                assert setting.value == getattr(made, key)
                assert setting.source
                json.dumps(setting.value)
    assert method.preset("standard") == method()
    with pytest.raises(ValueError, match="no preset 'nonsense'"):
        method.preset("nonsense")


def test_settings_tell_where_a_value_comes_from() -> None:
    settings = METHODS["grad"](steps=7).settings("tfbind8")
    assert settings["steps"].source == "caller"
    assert settings["step_size"].source == "paper"
    assert "cores" in settings["hidden"].source


def test_methods_are_found_by_name_and_by_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger_methods.py").write_text(
        "from mbo_hub.methods import GradientAscent\n"
        "def mine(offline, budget, seed):\n    return offline.space.sample(budget, seed)\n"
        "def bad(offline, budget, seed):\n    return offline.space.sample(budget, seed) + 99\n"
        "made = GradientAscent(steps=3)\nnumber = 3\n"
        "class Own(GradientAscent):\n    name = 'own'\n"
    )
    monkeypatch.chdir(tmp_path)
    offline = drawn(SPACES["box"])
    mine = find("stranger_methods:mine")
    assert mine.name == "mine"
    assert len(mine(offline, budget=5, seed=1)) == 5
    assert mine.settings("tfbind8") == {}
    with pytest.raises(MethodFailed, match="bad on made: it proposed an illegal design"):
        find("stranger_methods:bad")(offline)
    assert find("stranger_methods:made").settings()["steps"].value == 3
    assert find("stranger_methods:Own", "paper").settings()["hidden"].value == (2048, 2048)
    assert type(find("grad", "paper", "superconductor")) is METHODS["grad"]
    for name, message in [
        ("grda", "did you mean 'grad'"),
        ("cma-es", "did you mean 'cma_es'"),
        ("zzz", "mbo methods"),
        ("no_such_module:x", "cannot be imported"),
        ("stranger_methods:number", "no method or function 'number'"),
        ("stranger_methods:absent", "no method or function 'absent'"),
        (":x", "cannot be imported"),
    ]:
        with pytest.raises(UnknownMethod, match=message):
            find(name)
    assert str(tmp_path) not in sys.path


def test_importing_the_methods_loads_no_library() -> None:
    code = "import mbo_hub.methods, sys; sys.exit(bool({'torch', 'cma', 'botorch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_modules_that_import_torch_are_imported_late() -> None:
    """Only the networks name torch at their top; nothing but they import them there."""
    late = {"networks", "vae", "gan"}
    for path in (ROOT / "mbo_hub" / "methods").glob("*.py"):
        top = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, ast.ImportFrom)]
        named = {n.module.rpartition(".")[2] for n in top if n.module}
        assert path.stem in late or not named & late, path.stem


# ---- what makes each the one it is


@pytest.fixture
def alone() -> Iterator[None]:
    """What a method's call does for it: one thread, its own defaults."""
    with networks.alone():
        yield


def bowl(n: int = 400, hole: float = 0.5) -> Offline:
    """A hill in two dimensions whose top has not been seen."""
    space = Box(size=2, low=-2.0, high=2.0)
    x = space.sample(n, rng=0)
    x = x[(np.abs(x) > hole).any(axis=1)]
    return offline_of(space, x, -(x**2).sum(axis=1))


def height(designs: Any) -> Any:
    return -(np.asarray(designs, np.float64) ** 2).sum(axis=1)


@pytest.mark.parametrize("name", ["grad", "grad_min", "grad_mean"])
def test_gradient_ascent_climbs_a_quadratic(name: str) -> None:
    offline = bowl()
    method = small(name, hidden=(64, 64), epochs=60, steps=100, learning_rate=3e-3,
                   step_size=0.01)  # fmt: skip
    proposal = method(offline, budget=16, seed=0)
    assert height(proposal.designs).mean() > offline.y.max()


def test_the_minimum_is_not_the_mean() -> None:
    offline = bowl()
    least, mean = (small(name, epochs=20)(offline, budget=8, seed=0) for name in
                   ("grad_min", "grad_mean"))  # fmt: skip
    assert not np.array_equal(least.designs, mean.designs)
    assert least.predicted is not None
    assert mean.predicted is not None
    assert least.predicted.mean() < mean.predicted.mean()


def test_cma_es_reaches_an_optimum_between_the_data() -> None:
    offline = bowl()
    method = small("cma_es", hidden=(64,), epochs=80, batch=32, generations=40, learning_rate=1e-2)
    proposal = method(offline, budget=8, seed=0)
    assert np.median(height(proposal.designs)) > offline.y.max()


def test_cma_es_runs_are_those_that_they_would_be_alone() -> None:
    many, few = (small("cma_es")(bowl(), budget=budget, seed=0).designs for budget in (6, 2))
    np.testing.assert_allclose(many[:2], few, rtol=1e-4)  # the model's batch differs in last bits


def count_of_a(n: int = 300) -> Offline:
    """Sequences worth as much as they have A; the best of them have not been seen."""
    space = Sequence(length=8, alphabet=tuple("ACGT"))
    x = space.sample(n, rng=0)
    y = (x == 0).sum(axis=1)
    return offline_of(space, x[y <= 4], y[y <= 4])


def test_reinforce_raises_the_expected_reward_of_a_discrete_task() -> None:
    offline = count_of_a()
    changes = {"hidden": (32,), "epochs": 40, "samples": (64, 64), "policy_rate": 0.1}
    short, long = (
        small("reinforce", iterations=steps, **changes)(offline, budget=128, seed=0)
        for steps in (1, 60)
    )
    assert (long.designs == 0).sum(1).mean() > (short.designs == 0).sum(1).mean() + 1


def test_reinforce_never_draws_a_token_that_the_best_lack() -> None:
    offline = count_of_a()
    x = np.where(np.arange(8) == 3, 1, offline.x).astype(np.int8)  # always C there
    proposal = small("reinforce")(offline_of(offline.space, x, offline.y), budget=64, seed=0)
    assert (proposal.designs[:, 3] == 1).all()


@pytest.mark.parametrize("name", ["cbas", "auto_cbas"])
def test_cbas_moves_its_distribution_to_the_weighted_data(name: str) -> None:
    offline = count_of_a()
    small_but_able = {"hidden": 32, "epochs": 30, "vae_epochs": 20, "batch": 32, "samples": 200,
                      "latent": 4, "learning_rate": 1e-2, "refit_epochs": 5}  # fmt: skip
    start, end = (
        small(name, iterations=steps, **small_but_able)(offline, budget=200, seed=0)
        for steps in (1, 12)
    )
    assert (end.designs == 0).sum(1).mean() > (start.designs == 0).sum(1).mean() + 0.5
    assert (end.designs == 0).sum(1).mean() > offline.y.mean() + 1


def test_autofocusing_changes_the_model() -> None:
    plain, focused = (small(name, epochs=10, iterations=3)(count_of_a(), budget=32, seed=0)
                      for name in ("cbas", "auto_cbas"))  # fmt: skip
    assert not np.array_equal(plain.predicted, focused.predicted)


@pytest.mark.usefixtures("alone")
def test_importance_weights_stay_effective() -> None:
    wild = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * 500
    weights = balanced(wild, 0.1)
    assert weights.mean().item() == pytest.approx(1, abs=1e-4)
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert 99 <= effective.item() <= 110
    assert (weights.argsort() == wild.argsort())[-50:].all()
    mild = torch.linspace(0, 1, 100)
    torch.testing.assert_close(balanced(mild, 0.1), mild.softmax(0) * 100)


@pytest.mark.usefixtures("alone")
def test_cbas_weights_by_the_ratio_of_the_two_models() -> None:
    offline = count_of_a()
    method = small("cbas")
    assert isinstance(method, CbAS)
    from mbo_hub.methods.vae import Vae

    rng = networks.generator(0)
    vae = Vae(offline.space, 32, 8, 2, rng)
    x, z = vae.sample(10, rng)
    log_p = vae.log_density(x, z)
    logits = vae.decoder(z)[0].reshape(10, 8, 4).log_softmax(2)
    tokens = x.reshape(10, 8, 4).argmax(2)
    torch.testing.assert_close(log_p, logits.gather(2, tokens[:, :, None]).sum((1, 2)))
    box = Vae(Box(size=3), 3, 8, 2, rng)
    x, z = box.sample(10, rng)
    mean, log_std = networks.gaussian(box.decoder(z)[0])
    normal = torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum(1)
    torch.testing.assert_close(box.log_density(x, z), normal)


@pytest.mark.slow(
    "it trains a generator in 1,000 steps, 5 core-seconds; fewer do not settle. Weights, legal "
    "designs, seeds and divergence of mins are tested without it"
)
@pytest.mark.usefixtures("alone")
def test_mins_samples_follow_the_condition() -> None:
    """Of y = x, the designs made for a high y are high."""
    x = np.random.default_rng(0).uniform(-1, 1, (500, 1))
    offline = offline_of(Box(size=1), x, x[:, 0])
    method = small("mins", hidden=32, condition=16, most_steps=1000, epochs=500, batch=32,
                   critic_steps=2, learning_rate=1e-3, sharpness=100.0)  # fmt: skip
    assert isinstance(method, ModelInversionNetworks)
    rng = networks.generator(0)
    generator, critic = Conditional(2, 32, 16, 1, rng), Conditional(1, 32, 16, 1, rng)
    scaled = offline.normalization.y.apply(offline.y)
    known = networks.numbers(features(offline).encode(offline.x))
    method.train(generator, critic, known, scaled, None, rng, lambda done: None)
    z = torch.randn(200, 2, generator=rng)
    with torch.no_grad():
        means = [generator(z, torch.full((200, 1), y)).mean().item() for y in (-1.2, 0.0, 1.2)]
    np.testing.assert_allclose(means, [-1.2, 0.0, 1.2], atol=0.5)


def test_mins_weigh_rare_high_values_more() -> None:
    scaled = np.concatenate([np.zeros(900), np.linspace(1, 3, 100)]).astype(np.float32)
    weights = METHODS["mins"]().weights(scaled)  # type: ignore[attr-defined]
    assert weights.max() <= 5
    assert weights[-1] == weights.max()
    assert weights[0] < 1e-3 * weights[-1]


@pytest.mark.usefixtures("alone")
def test_coms_stay_low_off_the_data_and_near_it_on_the_data() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    y = x.sum(1)
    offline = offline_of(Box(size=2), x, y)
    known = networks.numbers(features(offline).encode(offline.x))
    target = networks.numbers(offline.normalization.y.apply(offline.y))
    step = 0.05 * 2**0.5
    models = {}
    for rate in (0.0, 0.01):  # without and with the rising weight of the overestimation
        method = ConservativeObjectiveModels(
            hidden=(64, 64), epochs=12, batch=64, learning_rate=2e-3, steps=30,
            alpha=1e-8 if not rate else 0.1, alpha_rate=rate,
        )  # fmt: skip
        rng = networks.generator(0)
        models[rate] = networks.Ensemble(1, 2, (64, 64), 1, rng, slope=0.0)
        method.train(models[rate], known, target, step, 0.5, rng, lambda done: None)
    plain, conservative = models[0.0], models[0.01]
    far = climb(plain, known[:50], step, 60)
    truth = networks.numbers(offline.normalization.y.apply(
        features(offline).decode(far.numpy()).designs.sum(1)))  # fmt: skip
    with torch.no_grad():
        assert (conservative(far).flatten() < truth - 0.5).float().mean() > 0.9
        assert abs(plain(far).flatten() - truth).mean() < 0.5
        error = (conservative(known).flatten() - target).abs().mean()
    assert error < 0.5


def test_qei_submits_what_is_not_in_the_data() -> None:
    offline = count_of_a()
    proposal = small("bo_qei", rounds=3)(offline, budget=16, seed=0)
    seen = {design.tobytes() for design in offline.x}
    new = [design.tobytes() for design in proposal.designs]
    assert not seen & set(new)
    assert len(set(new)) == len(new)
    assert "rounds ran" in proposal.notes[0]


def test_qei_says_when_a_space_has_no_more_designs() -> None:
    space = Sequence(length=2, alphabet=tuple("AB"))
    offline = offline_of(space, [[0, 0], [0, 1], [1, 0]] * 7, np.arange(21))
    proposal = small("bo_qei", most_rounds=6)(offline, budget=4, seed=0)
    assert proposal.designs.tolist() == [[1, 1]]
    full = offline_of(space, [[0, 0], [0, 1], [1, 0], [1, 1]] * 6, np.arange(24))
    with pytest.raises(MethodFailed, match="6 rounds found no design that is not in the data"):
        small("bo_qei", most_rounds=6)(full, budget=4, seed=0)


def test_qei_says_what_happened_to_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    import botorch

    def singular(*args: object, **kwargs: object) -> None:
        raise RuntimeError("Matrix not positive definite\nsecond line")

    monkeypatch.setattr(botorch, "fit_gpytorch_mll", singular)
    with pytest.raises(
        MethodFailed, match=r"Gaussian process failed: Matrix not positive definite$"
    ):
        small("bo_qei")(bowl(), budget=4, seed=0)


def test_controls_are_what_they_say() -> None:
    offline = bowl()
    best = METHODS["best_logged"]()(offline, budget=5)
    np.testing.assert_array_equal(best.predicted, np.sort(offline.y)[::-1][:5])
    np.testing.assert_allclose(height(best.designs), best.predicted, rtol=1e-6)
    few = METHODS["best_logged"]()(offline_of(offline.space, offline.x[:3], offline.y[:3]))
    assert len(few) == 3
    assert "only 3 designs are visible" in few.notes[0]
    drawn_twice = METHODS["random"]()(offline, budget=5, seed=3).designs
    np.testing.assert_array_equal(drawn_twice, offline.space.sample(5, 3))
    with pytest.raises(InvalidDesign):
        offline.space.validate(drawn_twice + 9)
