"""D'Kitty: the robot of ROBEL, with the legs of its design; the same bits each time."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")

from mbo_hub.oracles.mujoco import dkitty, rollout  # noqa: E402

DESIGNS = 8
GOLDEN = 221.9564015  # default design; mujoco 4.0.0, x86-64
DEAD = [2, 16, 30, 44]


def designs_near_default(count: int = DESIGNS, noise: float = 0.05) -> Any:
    drawn = noise * np.random.default_rng(0).standard_normal((count, 56))
    drawn[0] = 0.0
    return dkitty.denormalize(np.clip(dkitty.normalize(dkitty.DEFAULT) + drawn, -1.0, 1.0))


def index(leg: str, name: str) -> int:
    return dkitty.NAMES.index(f"{leg}_{name}")


def test_return_depends_on_nothing_but_the_design() -> None:
    designs = designs_near_default()
    expected = dkitty.returns(designs)
    assert expected.dtype == np.float64
    assert len(np.unique(expected)) == len(designs)
    assert np.array_equal(dkitty.returns(designs, threads=2), expected)
    assert np.array_equal(dkitty.returns(designs[:1]), expected[:1])
    sevens = [dkitty.returns(designs[i : i + 7]) for i in (0, 7)]
    assert np.array_equal(np.concatenate(sevens), expected)


def test_default_walks() -> None:
    found = dkitty.returns(dkitty.DEFAULT[None])[0]
    assert found >= 200.0
    assert found == pytest.approx(GOLDEN, abs=1e-3)


def test_no_designs_no_returns() -> None:
    assert dkitty.returns(np.empty((0, 56))).shape == (0,)


@pytest.mark.parametrize("illegal", [np.nan, np.inf, -np.inf, 4.0])
def test_illegal_values_are_refused(illegal: float) -> None:
    designs = designs_near_default(3)
    designs[2, 17] = illegal
    with pytest.raises(ValueError, match=r"design 2 has .* for fl_a"):
        dkitty.returns(designs)


def test_wrong_shapes_are_refused() -> None:
    for wrong in (dkitty.DEFAULT, np.zeros((2, 55)), np.zeros((1, 1, 56))):
        with pytest.raises(ValueError, match="shape"):
            dkitty.returns(wrong)


@pytest.mark.parametrize("bound", [dkitty.LOW, dkitty.HIGH], ids=["low", "high"])
def test_bounds_are_legal(bound: Any) -> None:
    assert np.isfinite(dkitty.returns(bound[None])).all()


def test_four_numbers_are_constant() -> None:
    assert np.flatnonzero(dkitty.LOW == dkitty.HIGH).tolist() == DEAD
    assert all(dkitty.NAMES[at].endswith("_z") for at in DEAD)
    design = dkitty.DEFAULT.copy()
    design[DEAD[1]] = 0.01
    with pytest.raises(ValueError, match="fl_z"):
        dkitty.returns(design[None])
    sampled = dkitty.SPACE.sample(5, rng=0)
    assert not sampled[:, DEAD].any()


def test_normalized_bounds_are_one() -> None:
    high = np.ones(56)
    high[DEAD] = -1.0
    assert np.array_equal(dkitty.normalize(dkitty.LOW), -np.ones(56))
    assert np.array_equal(dkitty.normalize(dkitty.HIGH), high)
    designs = designs_near_default()
    assert np.array_equal(dkitty.denormalize(dkitty.normalize(designs)), designs)


def test_default_is_the_one_of_its_file() -> None:
    path = Path(dkitty.__file__).with_name("dkitty.xml")
    drawn, edited = mujoco.MjModel.from_xml_path(str(path)), dkitty.DKitty()(dkitty.DEFAULT)
    for field in ("body_pos", "body_quat", "body_mass", "jnt_range", "actuator_ctrlrange"):
        assert np.allclose(getattr(drawn, field), getattr(edited, field), atol=2e-7), field


@pytest.mark.parametrize("column", [c for c in range(56) if c not in DEAD])
def test_every_other_number_changes_the_model(column: int) -> None:
    design = dkitty.DEFAULT.copy()
    step = 0.02 * (dkitty.HIGH[column] - dkitty.LOW[column])
    design[column] += step if design[column] + step <= dkitty.HIGH[column] else -step
    before, after = dkitty.DKitty()(dkitty.DEFAULT), dkitty.DKitty()(design)
    fields = ("body_pos", "body_quat", "jnt_range")
    assert any(not np.array_equal(getattr(before, f), getattr(after, f)) for f in fields)


@pytest.mark.parametrize("leg", dkitty.LEGS)
@pytest.mark.parametrize("part", ["hip", "thigh", "ankle"])
def test_ranges_of_joints_and_motors(leg: str, part: str) -> None:
    design = dkitty.DEFAULT.copy()
    design[index(leg, f"{part}_center")] = 0.3
    design[index(leg, f"{part}_range")] = 0.5
    model = dkitty.DKitty()(design)
    joint = model.joint(f"{leg}_{part}").id
    motor = model.actuator(f"{leg}_{part}").id
    assert np.allclose(model.jnt_range[joint], [-0.2, 0.8])
    assert np.allclose(model.actuator_ctrlrange[motor], [-0.2, 0.8])
    assert model.actuator_trnid[motor, 0] == joint
    center, width = dkitty.joints(design[None])
    assert (center[0, motor], width[0, motor]) == pytest.approx((0.3, 0.5))


@pytest.mark.parametrize("leg", dkitty.LEGS)
def test_thigh_range_matters(leg: str) -> None:
    # In Design-Bench the range of the thigh joint came from hip_range.
    design = dkitty.DEFAULT.copy()
    design[index(leg, "thigh_range")] = 0.6
    model = dkitty.DKitty()(design)
    joint = model.joint(f"{leg}_thigh").id
    assert np.allclose(model.jnt_range[joint], [np.pi / 4 - 0.6, np.pi / 4 + 0.6])
    before, after = dkitty.returns(np.stack([dkitty.DEFAULT, design]))
    assert before != after


def test_a_fall_ends_the_episode_and_costs() -> None:
    fallen = dkitty.DEFAULT.copy()
    fallen[[index(leg, "a") for leg in ("fr", "br")]] = 1.5  # legs on one side point sideways
    designs = np.stack([dkitty.DEFAULT, fallen])
    build, network = dkitty.DKitty(), dkitty.policy()
    episodes = rollout.Episodes(dkitty.CONTROL, [build(row) for row in designs], designs)
    lengths, total = np.zeros(2, dtype=int), np.zeros(2)
    for _ in range(dkitty.HORIZON):
        live = episodes.live
        lengths[live] += 1
        total[live] += episodes.step(network(dkitty.observe(episodes.state)))[0]
    assert lengths[0] == dkitty.HORIZON
    assert lengths[1] < dkitty.HORIZON
    assert total[1] < -400.0
    assert np.array_equal(dkitty.returns(designs), total)


def test_joints_start_as_near_to_zero_as_they_get() -> None:
    model = dkitty.DKitty()(dkitty.DEFAULT)
    state = rollout.Episodes(dkitty.CONTROL, model, dkitty.DEFAULT[None]).state
    assert not state.qpos[0, :6].any()
    assert np.allclose(state.qpos[0, 6:], 0.0, atol=1e-6)  # 0 is in all default ranges
    design = dkitty.DEFAULT.copy()
    design[index("bl", "ankle_center")] = -2.0
    state = rollout.Episodes(dkitty.CONTROL, model, design[None]).state
    assert state.qpos[0, 6 + 8] == pytest.approx(-1.0)


def test_policy_has_robels_shape() -> None:
    network = dkitty.policy()
    assert [weight.shape for weight in network.weights] == [(52, 64), (64, 64), (64, 12)]
    assert network.limit == np.inf
    assert all(np.array_equal(w, w.astype(np.float32)) for w in network.weights)


# The original, unpacked from the wheel robel==0.1.2 (PyPI).


def robel() -> Path:
    where = os.environ.get("MBO_ROBEL")
    if not where:
        pytest.skip("MBO_ROBEL does not name the folder of the unpacked wheel robel==0.1.2")
    return Path(where)


def test_policy_is_robels() -> None:
    folder = robel() / "robel/scripts/data/mjrl"
    pickled = (folder / "DKittyWalkRandomDynamics-v0-policy.pkl").read_bytes()  # never unpickled
    network = dkitty.policy()
    for array in (*(weight.T for weight in network.weights), *network.biases):
        assert np.ascontiguousarray(array, "<f4").tobytes() in pickled


def robel_model() -> Any:
    """ROBEL's walking D'Kitty without its looks and its height field, as MuJoCo compiles it."""
    where = robel()
    root = with_includes(where / "robel/dkitty/assets/dkitty_walk-v0.xml")
    parents = {child: parent for parent in root.iter() for child in parent}
    shown = ("texture", "material", "light", "camera", "visual", "site", "sensor", "hfield", "size")
    for element in list(root.iter()):
        element.attrib.pop("material", None)
        looks = element.tag == "geom" and element.get("class", "").startswith("viz_")
        if element.tag in shown or looks or element.get("hfield"):
            parents[element].remove(element)
        elif element.tag == "compiler":
            element.attrib.pop("meshdir", None)
            element.attrib.pop("texturedir", None)
    used = {geom.get("mesh") for geom in root.iter("geom")}
    assets = {}
    for mesh in list(root.iter("mesh")):
        if mesh.get("name") not in used:
            parents[mesh].remove(mesh)
            continue
        name = Path(mesh.get("file", "")).name
        assets[name] = (where / "robel/robel-scenes/dkitty/meshes" / name).read_bytes()
        mesh.set("file", name)
    return mujoco.MjModel.from_xml_string(ET.tostring(root, encoding="unicode"), assets)


def with_includes(path: Path) -> Any:
    text = path.read_text()
    root = ET.fromstring(text[text.index("<mujoco") :])  # noqa: S314
    for parent in list(root.iter()):
        for place, child in reversed(list(enumerate(parent))):
            if child.tag == "include":
                parent[place : place + 1] = list(with_includes(path.parent / child.get("file", "")))
    return root


def test_default_is_robels() -> None:
    theirs = robel_model()
    ours = dkitty.DKitty()(dkitty.DEFAULT)
    assert theirs.body_mass.sum() == pytest.approx(ours.body_mass.sum(), rel=1e-12)
    # Their frame (a point-like mass) and their torso are one body here.
    assert ours.body_mass[1:].tolist() == pytest.approx(
        [theirs.body_mass[1:3].sum(), *theirs.body_mass[3:]]
    )
    torso = theirs.body_inertia[1] + theirs.body_inertia[2]
    assert np.allclose(ours.body_inertia[1], torso, rtol=1e-4)
    assert np.allclose(ours.body_inertia[2:], theirs.body_inertia[3:], rtol=1e-6)
    assert np.allclose(ours.body_ipos[2:], theirs.body_ipos[3:], atol=1e-7)
    assert np.allclose(ours.body_pos[2:], theirs.body_pos[3:], atol=1e-7)
    for field in ("jnt_type", "jnt_axis", "jnt_pos", "dof_armature", "dof_damping"):
        assert np.array_equal(getattr(ours, field), getattr(theirs, field)), field
    for field in ("actuator_gainprm", "actuator_biasprm", "actuator_trnid", "actuator_forcerange"):
        assert np.array_equal(getattr(ours, field), getattr(theirs, field)), field
    assert ours.ngeom == theirs.ngeom
    assert ours.opt.timestep == theirs.opt.timestep
    assert ours.opt.integrator == theirs.opt.integrator
    solid = theirs.geom_contype > 0
    assert np.count_nonzero(ours.geom_contype) == np.count_nonzero(solid) - 1  # but the frame's


def test_default_returns_what_robels_model_does() -> None:
    theirs, ours = robel_model(), dkitty.DKitty()(dkitty.DEFAULT)
    theirs.jnt_range[:] = ours.jnt_range
    theirs.actuator_ctrlrange[:] = ours.actuator_ctrlrange
    theirs.jnt_limited[:] = ours.jnt_limited
    network, design = dkitty.policy(), dkitty.DEFAULT[None]
    found = rollout.returns(
        dkitty.CONTROL, theirs, design, lambda state: network(dkitty.observe(state))
    )
    assert found[0, 0] == pytest.approx(GOLDEN, abs=1.0)
