"""The simulators: the same bits each time, no illegal designs, and the robots they claim to be."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, get_ident
from typing import Any

import numpy as np
import pytest
from conftest import PROMPT_S

mujoco = pytest.importorskip("mujoco")

from mbo_hub.errors import IntegrityError, InvalidDesign, OracleUnavailable  # noqa: E402
from mbo_hub.oracles.mujoco import ant, dkitty, hopper, rollout  # noqa: E402
from mbo_hub.oracles.mujoco.oracle import ROBOTS, MujocoOracle  # noqa: E402
from mbo_hub.oracles.protocol import Oracle  # noqa: E402

ANTS = 8
HOPPERS = 8
GOLDEN_ANT = -390.825687723739  # mujoco 4.0.0, x86-64; the policy is weak and hardly chaotic


def tiny_network() -> rollout.Network:
    """An untrained policy that moves every motor, made without a random number generator."""
    inputs, hidden, outputs = 95, 8, 12
    return rollout.Network(
        mean=np.zeros(inputs),
        scale=np.ones(inputs),
        weights=(
            np.cos(np.arange(inputs * hidden)).reshape(inputs, hidden) / 8.0,
            np.sin(np.arange(hidden * outputs)).reshape(hidden, outputs),
        ),
        biases=(np.linspace(-0.5, 0.5, hidden), np.linspace(-0.3, 0.3, outputs)),
    )


def ant_designs(count: int = ANTS) -> Any:
    noise = 0.05 * np.random.default_rng(0).standard_normal((count, 60))
    noise[0] = 0.0
    return ant.denormalize(np.clip(ant.normalize(ant.DEFAULT) + noise, -1.0, 1.0))


def hopper_designs(count: int = HOPPERS) -> Any:
    designs = 0.3 * np.random.default_rng(1).standard_normal((count, 5126))
    return designs.astype(np.float32)


@pytest.fixture(scope="module", params=["ant", "hopper"])
def simulator(request: pytest.FixtureRequest) -> Any:
    """Designs and how to score them."""
    if request.param == "ant":
        network = tiny_network()
        return ant_designs(), lambda x, **options: ant.returns(x, network, **options)
    return hopper_designs(), hopper.returns


def test_return_depends_on_nothing_but_the_design(simulator: Any) -> None:
    designs, returns = simulator
    expected = returns(designs)
    assert expected.dtype == np.float64
    assert len(np.unique(expected)) == len(designs)
    assert np.array_equal(returns(designs), expected)
    assert np.array_equal(returns(designs, threads=2), expected)
    assert np.array_equal(returns(designs[::-1])[::-1], expected)
    for size in (1, 7):
        parts = [returns(designs[i : i + size]) for i in range(0, len(designs), size)]
        assert np.array_equal(np.concatenate(parts), expected), f"batches of {size}"


def test_chunks_do_not_show(simulator: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    designs, returns = simulator
    expected = returns(designs)
    monkeypatch.setattr(rollout, "CHUNK", 5)
    assert np.array_equal(returns(designs), expected)


def test_no_designs_no_returns(simulator: Any) -> None:
    designs, returns = simulator
    assert returns(designs[:0]).shape == (0,)


@pytest.mark.parametrize("illegal", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_is_refused(simulator: Any, illegal: float) -> None:
    designs, returns = simulator
    designs = designs.copy()
    designs[3, 17] = illegal
    with pytest.raises(ValueError, match="design 3 has"):
        returns(designs)


def test_wrong_shapes_are_refused(simulator: Any) -> None:
    designs, returns = simulator
    for wrong in (designs[0], designs[:, :-1], designs[None]):
        with pytest.raises(ValueError, match="shape"):
            returns(wrong)


@pytest.mark.parametrize("side", ["low", "high"])
def test_ants_beyond_the_bounds_are_refused_and_on_them_accepted(side: str) -> None:
    bound, outwards = (ant.LOW, -1.0) if side == "low" else (ant.HIGH, 1.0)
    assert ant.returns(bound[None], tiny_network()).shape == (1,)
    for column in (0, 7, 14, 59):
        design = bound.copy()
        design[column] += outwards * 1e-3
        with pytest.raises(ValueError, match=ant.NAMES[column]):
            ant.returns(design[None], tiny_network())


def test_designs_are_rounded_to_float32() -> None:
    design = ant_designs(2)[1:]
    nudged = design + 1e-12
    assert np.array_equal(ant.returns(nudged, tiny_network()), ant.returns(design, tiny_network()))


def test_default_ant_is_the_one_of_its_file() -> None:
    path = Path(ant.__file__).with_name("ant.xml")
    drawn, edited = mujoco.MjModel.from_xml_path(str(path)), ant.Ant()(ant.DEFAULT)
    for field in ("body_pos", "body_quat", "body_mass", "jnt_range", "geom_size", "geom_pos"):
        assert np.allclose(getattr(drawn, field), getattr(edited, field), atol=1e-7), field


def test_normalized_bounds_are_one() -> None:
    assert np.array_equal(ant.normalize(ant.LOW[None]), -np.ones((1, 60)))
    assert np.array_equal(ant.normalize(ant.HIGH[None]), np.ones((1, 60)))
    designs = ant_designs()
    assert np.array_equal(ant.denormalize(ant.normalize(designs)), designs)


@pytest.mark.parametrize("leg", range(4))
@pytest.mark.parametrize("part", ["hip", "thigh", "ankle"])
def test_ranges_of_joints(leg: int, part: str) -> None:
    design = ant.DEFAULT.copy()
    design[ant.NAMES.index(f"leg{leg}_{part}_center")] = 12.0
    design[ant.NAMES.index(f"leg{leg}_{part}_range")] = 40.0
    before, after = ant.Ant()(ant.DEFAULT), ant.Ant()(design)
    joint = after.joint(f"leg{leg}_{part}").id
    assert np.allclose(np.rad2deg(after.jnt_range[joint]), [-28.0, 52.0])
    others = np.arange(after.njnt) != joint
    assert np.array_equal(before.jnt_range[others], after.jnt_range[others])


@pytest.mark.parametrize("column", range(60), ids=ant.NAMES)
def test_every_number_changes_the_model(column: int) -> None:
    design = ant.DEFAULT.copy()
    design[column] += 1.0 if ant.HIGH[column] > 1.0 else 0.01
    if design[column] > ant.HIGH[column]:
        design[column] -= 2.0
    before, after = ant.Ant()(ant.DEFAULT), ant.Ant()(design)
    fields = ("body_pos", "body_quat", "jnt_range", "geom_size")
    changed = [f for f in fields if not np.array_equal(getattr(before, f), getattr(after, f))]
    assert changed


def test_a_model_does_not_remember_the_one_before() -> None:
    build, designs = ant.Ant(), ant_designs(3)
    build(designs[2])
    again, fresh = build(designs[1]), ant.Ant()(designs[1])
    for field in ("body_pos", "body_quat", "body_mass", "body_inertia", "jnt_range", "geom_size"):
        assert np.array_equal(getattr(again, field), getattr(fresh, field)), field


def test_an_ant_that_rests_earns_its_bonus() -> None:
    result = ant.returns(ant.DEFAULT[None], lambda seen: np.zeros((len(seen), 12)))
    assert result == pytest.approx(100.0, abs=5.0)


def test_golden_ant() -> None:
    result = ant.returns(ant.DEFAULT[None], tiny_network())
    assert result == pytest.approx(GOLDEN_ANT, abs=1e-4)


def test_motors_charge_what_they_apply() -> None:
    strong = ant.returns(ant.DEFAULT[None], lambda seen: np.full((len(seen), 12), 7.0))
    full = ant.returns(ant.DEFAULT[None], lambda seen: np.ones((len(seen), 12)))
    assert np.array_equal(strong, full)


def test_hopper_is_gymnasiums() -> None:
    gymnasium = pytest.importorskip("gymnasium")
    pytest.importorskip("imageio")  # gymnasium's MuJoCo robots import it
    robot = gymnasium.make("Hopper-v5", reset_noise_scale=0.0)
    designs = hopper_designs()
    arrays = hopper.unpack(designs.astype(np.float64))
    ours = hopper.returns(designs)
    for row in range(len(designs)):
        seen, _ = robot.reset()
        theirs, fell, late = 0.0, False, False
        while not (fell or late):
            for layer in range(3):
                seen = np.tanh(seen) if layer else seen
                seen = seen @ arrays[f"W{layer}"][row] + arrays[f"b{layer}"][row]
            seen, reward, fell, late, _ = robot.step(seen)
            theirs += float(reward)
        # Hopper-v5 keeps the bonus of the step in which the hopper falls; Hopper-v2 gave it.
        assert ours[row] == pytest.approx(theirs + fell, abs=1e-8)
    robot.close()


def test_hoppers_leave_the_batch_as_they_fall() -> None:
    designs = hopper_designs().astype(np.float64)
    episodes = rollout.Episodes(hopper.CONTROL, hopper.build(), designs)
    lengths = np.zeros(len(designs), dtype=int)
    while len(episodes.live):
        lengths[episodes.live] += 1
        live = episodes.live
        _, ended = episodes.step(hopper.act(episodes.state))
        assert np.array_equal(episodes.live, live[~ended])
        assert np.array_equal(episodes.state.design, designs[episodes.live])
    assert len(set(lengths)) > 3


def test_episodes_start_where_the_control_says() -> None:
    higher = np.arange(19) == 2
    control = replace(ant.CONTROL, start=lambda state: state.qpos + 0.5 * higher)
    build = ant.Ant()
    usual = rollout.Episodes(ant.CONTROL, build(ant.DEFAULT), ant_designs(2)).state
    lifted = rollout.Episodes(control, build(ant.DEFAULT), ant_designs(2)).state
    assert np.array_equal(lifted.qpos, usual.qpos + 0.5 * higher)
    assert not lifted.qvel.any()


def test_a_hopper_that_does_nothing_falls() -> None:
    result = hopper.returns(hopper.DEFAULT[None])
    assert 0.0 < result[0] < 200.0


def test_divergence_ends_an_episode_without_a_reward(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    episodes = rollout.Episodes(ant.CONTROL, ant.Ant()(ant.DEFAULT), ant_designs(2))
    episodes._qvel[1] = 1e12
    reward, ended = episodes.step(np.zeros((2, 12)))
    assert ended.tolist() == [False, True]
    assert reward[0] != 0.0
    assert reward[1] == 0.0
    assert episodes.live.tolist() == [0]
    assert episodes.diverged.tolist() == [False, True]
    assert not list(tmp_path.iterdir())  # MuJoCo's log file would be here


def test_networks_are_read_as_they_were_written(tmp_path: Path) -> None:
    network = tiny_network()
    network.save(tmp_path / "network.npz")
    seen = np.random.default_rng(0).standard_normal((5, 95))
    again = rollout.Network.load(tmp_path / "network.npz")
    assert np.array_equal(again(seen), network(seen))


def test_a_design_that_cannot_be_simulated_has_no_return_and_harms_no_other() -> None:
    designs = ant_designs(4)
    wild = replace(
        ant.CONTROL,
        start=lambda state: state.qpos + np.where(state.design[:, :1] == designs[1, 0], 1e12, 0.0),
    )
    build = ant.Ant()

    def fails(design: Any) -> Any:
        if design[0] == designs[2, 0]:
            raise ValueError("no such robot")
        return build(design)

    network = tiny_network()

    def policy(state: rollout.State) -> Any:
        return network(ant.observe(state))

    found = rollout.returns(wild, fails, designs, policy)[:, 0]
    expected = ant.returns(designs, network)
    assert np.isnan(found).tolist() == [False, True, True, False]
    assert np.array_equal(found[[0, 3]], expected[[0, 3]])


def test_episodes_of_a_design_start_apart_and_their_mean_is_returned() -> None:
    designs, network = ant_designs(3), tiny_network()
    offsets = np.zeros((2, 19))
    offsets[1, 7:] = 0.01
    both = ant.returns(designs, network, offsets=offsets, threads=2)
    first = ant.returns(designs, network)
    second = ant.returns(designs, network, offsets=offsets[1:])
    assert (first != second).all()
    assert np.array_equal(both, (first + second) / 2.0)


def test_progress_adds_up_to_the_designs(simulator: Any) -> None:
    designs, returns = simulator
    told: list[float] = []
    returns(designs, progress=told.append, threads=2)
    assert len(told) > 10
    assert sum(told) == pytest.approx(len(designs))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("which", ["first", "last"])
def test_an_interruption_stops_all_threads_at_once(threads: int, which: str) -> None:
    designs = np.tile(ant.DEFAULT, (64 * threads, 1))
    workers: list[int] = []  # in the order in which they came
    after = 0

    def interrupted(seen: Any) -> Any:
        nonlocal after
        me = get_ident()
        if me not in workers:
            workers.append(me)
            if threads == 2:
                both.wait(10)
        if stopped.is_set():
            after += 1
        elif me == workers[0 if which == "first" else -1]:
            stopped.set()
            raise KeyboardInterrupt
        return np.zeros((len(seen), 12))

    both, stopped = Barrier(2), Event()
    with pytest.raises(KeyboardInterrupt):
        ant.returns(designs, interrupted, threads=threads)
    assert after < 20  # of the 100 steps of an episode


def test_default_ant_walks_far_and_the_objective_repeats_itself() -> None:
    designs = ant_designs(7)
    once = ant.objective(designs)
    assert once[0] >= 250.0
    assert np.array_equal(ant.objective(designs, threads=2), once)
    assert np.array_equal(ant.objective(designs[:1]), once[:1])
    assert np.array_equal(ant.objective(designs[3:]), once[3:])


def test_starts_of_the_ant() -> None:
    assert ant.OFFSETS.shape == (len(ant.STARTS), 19)
    assert len(set(ant.STARTS)) == len(ant.STARTS)
    assert not ant.OFFSETS[:, :7].any()
    assert (np.abs(ant.OFFSETS[:, 7:]) == ant.TURN).all()


def test_a_changed_policy_is_refused(tmp_path: Path) -> None:
    tiny_network().save(tmp_path / "network.npz")
    with pytest.raises(IntegrityError, match=r"network.npz: sha256 expected beef"):
        rollout.Network.load(tmp_path / "network.npz", "beef")


def golden(count: int = 3) -> tuple[Any, Any]:
    designs = hopper_designs(count)
    return designs, hopper.returns(designs).astype(np.float32)


def oracle(designs: Any, values: Any, robot: Any = "hopper", **options: Any) -> MujocoOracle:
    settings: dict[str, Any] = {"tolerance": 1e-3, "made_with": "4.0.0"} | options
    return MujocoOracle(ROBOTS[robot], designs, values, **settings)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has checked no golden values yet."""
    monkeypatch.setattr("mbo_hub.oracles.golden._checked", {})


@pytest.mark.usefixtures("unchecked")
def test_oracle_keeps_the_promises_of_all_oracles() -> None:
    designs, values = golden()
    scored = oracle(designs, values)
    assert isinstance(scored, Oracle)
    assert scored.exact
    assert scored.fingerprint.kind == "mujoco"
    assert scored.fingerprint.runtime == f"mujoco {mujoco.__version__}"
    assert re.fullmatch("[0-9a-f]{64}", scored.fingerprint.sha256)
    more = hopper_designs(9)
    expected = hopper.returns(more).astype(np.float32)
    for threads in (1, 2, None):
        found = oracle(designs, values, threads=threads)(more)
        assert found.dtype == np.float32
        assert np.array_equal(found, expected)
    assert scored(more[:0]).shape == (0,)
    with pytest.raises(InvalidDesign, match="design 1 has nan"):
        scored([more[0], more[1] * np.nan])
    assert scored.agreement == "exact"


@pytest.mark.usefixtures("unchecked")
def test_golden_values_nearby_are_compatible() -> None:
    designs, values = golden()
    assert oracle(designs, values + np.float32(5e-4)).agreement == "compatible"


@pytest.mark.usefixtures("unchecked")
def test_golden_values_far_off_make_the_oracle_unavailable() -> None:
    designs, values = golden()
    values[1] += 0.5
    wrong = oracle(designs, values, made_with="9.9.9")
    for _ in range(2):  # the second time from memory
        with pytest.raises(OracleUnavailable, match=r"golden design 1.* made with mujoco 9\.9\.9"):
            wrong(designs)
    with pytest.raises(ValueError, match="needs golden values"):
        oracle(designs[:0], values[:0])


@pytest.mark.usefixtures("unchecked")
def test_golden_values_are_computed_once_in_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    designs, values = golden()
    rows: list[int] = []
    compute = MujocoOracle._compute

    def counted(self: MujocoOracle, given: Any, progress: Any) -> Any:
        rows.append(len(given))
        return compute(self, given, progress)

    monkeypatch.setattr(MujocoOracle, "_compute", counted)
    for _ in range(2):
        oracle(designs, values)(designs[:1])
    assert rows == [3, 1, 1]


def test_without_mujoco_the_oracle_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mujoco", "mujoco.batch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(OracleUnavailable, match="install it with  pip install 'mujoco"):
        oracle(hopper_designs(1), [0.0])(hopper_designs(1))


BROKEN = {
    "": "No module named 'mujoco.batch'",  # MuJoCo 3
    "raise ImportError('its core is missing. Repair it with:\\n pip')": "its core is missing",
    "raise OSError('libmujoco.so.3: not there')": "libmujoco.so.3: not there",
    "raise RuntimeError('version 3 of 4')": "version 3 of 4",
    "import sys; sys.no_such_name": "module 'sys' has no attribute 'no_such_name'",
}


def test_an_older_or_broken_mujoco_has_to_go_first(tmp_path: Path) -> None:
    """Where pip upgrades it, the older one takes files of the new one with it."""
    for number, content in enumerate(BROKEN):
        (tmp_path / str(number) / "mujoco").mkdir(parents=True)
        (tmp_path / str(number) / "mujoco" / "__init__.py").write_text(content)
    code = (
        "import sys; import mbo_hub; task = mbo_hub.load('hopper')\n"
        f"for number in range({len(BROKEN)}):\n"
        "    sys.modules.pop('mujoco', None); sys.path.insert(0, str(number))\n"
        "    try: task.oracle(task.x[:1])\n"
        "    except mbo_hub.OracleUnavailable as error: print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        f"the exact oracle of 'hopper' simulates a robot and needs MuJoCo 4 ({found}); install it "
        "with  pip uninstall -y mujoco mujoco-core mujoco-studio && pip install 'mujoco>=4,<5'"
        for found in BROKEN.values()
    ]


def test_designs_can_be_checked_without_mujoco() -> None:
    code = (
        "import sys; sys.modules['mujoco'] = None\n"
        "from mbo_hub.oracles.mujoco import ant, dkitty, hopper, oracle\n"
        "print([len(m.SPACE.validate(m.DEFAULT[None])) for m in (ant, dkitty, hopper)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[1, 1, 1]"


@pytest.mark.usefixtures("unchecked")
def test_oracle_tells_how_far_it_is_to_whom_it_may_concern() -> None:
    designs, values = golden()
    told: list[tuple[float, int]] = []
    oracle(designs, values, progress=lambda done, of: told.append((done, of)))(designs)
    assert told[-1] == (pytest.approx(3.0), 3)


def test_fingerprint_follows_files_and_constants() -> None:
    before = ant.ROBOT.sha256
    assert ant.ROBOT.sha256 == before
    assert len({robot.sha256 for robot in ROBOTS.values()}) == 3
    constants = dict(ant.ROBOT.constants)
    assert constants["CONTROL_COST"] == ant.CONTROL_COST
    for changed in (
        replace(ant.ROBOT, constants=constants | {"CONTROL_COST": 0.25}),
        replace(ant.ROBOT, constants=constants | {"OFFSETS": 2 * ant.OFFSETS}),
        replace(ant.ROBOT, files=("ant.xml",)),
    ):
        assert changed.sha256 != before


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_a_walk() -> None:
    code = (
        "import numpy as np\n"
        "from mbo_hub.oracles.mujoco import ant\n"
        "told = []\n"
        "def tell(designs):\n"
        "    if not told: print('walking', flush=True)\n"
        "    told.append(designs)\n"
        "ant.objective(np.tile(ant.DEFAULT, (1024, 1)), threads=2, progress=tell)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "walking\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=PROMPT_S)
    assert "KeyboardInterrupt" in said


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("unchecked")
def test_a_bar_is_drawn_on_terminals_only_and_not_for_quick_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("tqdm")
    designs, values = golden()
    for stream, patience, drawn in (
        (Terminal(), 0.0, True),
        (Terminal(), 60.0, False),
        (io.StringIO(), 0.0, False),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setattr("mbo_hub.oracles.progress.PATIENCE_S", patience)
        oracle(designs, values)(designs)
        assert ("hopper: simulating 3 designs" in stream.getvalue()) is drawn


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("robot", ["ant", "dkitty"])
def test_oracle_of_the_other_robots(robot: Any) -> None:
    module = {"ant": ant, "dkitty": dkitty}[robot]
    designs = module.SPACE.project(module.DEFAULT[None])
    values = module.objective(designs).astype(np.float32)
    scored = oracle(designs, values, robot)
    assert np.array_equal(scored(designs), values)
    assert scored.agreement == "exact"
