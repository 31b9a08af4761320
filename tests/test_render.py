"""Pictures of robots: whole, upright, the same each time, and of the episode that was scored."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

mujoco = pytest.importorskip("mujoco")
pillow = pytest.importorskip("PIL.Image", reason="pip install 'mbo-hub[render]'")

from mbo_hub.errors import InvalidDesign, MissingExtra, OracleUnavailable  # noqa: E402
from mbo_hub.oracles.mujoco import ant, dkitty, hopper, render  # noqa: E402
from mbo_hub.oracles.mujoco.oracle import ROBOTS  # noqa: E402
from mbo_hub.oracles.mujoco.robot import Robot  # noqa: E402

SMALL = (160, 120)


@pytest.fixture(params=ROBOTS)
def robot(request: pytest.FixtureRequest) -> Any:
    return ROBOTS[request.param]


def perturbed(robot: Robot) -> Any:
    noise = 0.1 * np.random.default_rng(0).standard_normal(robot.default.shape)
    if robot is hopper.ROBOT:
        return robot.default + noise
    module = {"ant": ant, "dkitty": dkitty}[robot.name]
    return module.denormalize(np.clip(module.normalize(robot.default) + noise, -1.0, 1.0))


def colored(image: Any) -> Any:
    """Where limbs are: floor, shadow and background are grey, and a torso nearly so."""
    return np.ptp(image.astype(int), axis=2) > 50


def edge(shape: tuple[int, ...], width: int) -> Any:
    frame = np.ones(shape, bool)
    frame[width:-width, width:-width] = False
    return frame


def test_still_shows_the_whole_robot_on_a_floor(robot: Robot) -> None:
    image = render.still(robot, robot.default)
    assert image.shape == (480, 640, 3)
    assert image.dtype == np.uint8
    limbs = colored(image)
    assert 0.005 < limbs.mean() < 0.4
    assert not limbs[edge(limbs.shape, 8)].any()
    assert np.ptp(image[-1].astype(int), axis=1).max() < 20  # below it is floor,
    assert 15 < np.ptp(image[-1, :, 0].astype(int)) < 120  # which has checks
    assert image[0].min() > 225  # and which fades away


def test_still_is_the_same_each_time(robot: Robot) -> None:
    first, second = (render.still(robot, robot.default, SMALL) for _ in range(2))
    assert first.shape == (120, 160, 3)
    assert np.array_equal(first, second)


def test_still_shows_the_design(robot: Robot) -> None:
    default, other = (render.still(robot, x, SMALL) for x in (robot.default, perturbed(robot)))
    changed = (default != other).any(axis=2).mean()
    if robot is hopper.ROBOT:  # whose design is its controller
        assert changed == 0.0
    else:
        assert changed > 0.02


@pytest.mark.parametrize("name", ["ant", "dkitty"])
def test_any_legal_robot_fits_in(name: str) -> None:
    for design in ROBOTS[name].space.sample(12, 0):
        limbs = colored(render.still(ROBOTS[name], design, SMALL))
        assert limbs.any()
        assert not limbs[edge(limbs.shape, 2)].any()


def test_up_is_up() -> None:
    image = render.still(hopper.ROBOT, hopper.DEFAULT).astype(int)
    red, green, blue = np.moveaxis(image, 2, 0)
    thigh = np.nonzero((red > green + 50) & (red > blue + 50))[0]
    leg = np.nonzero((blue > red + 50) & (blue > green + 20))[0]
    foot = np.nonzero((green > red + 50) & (green > blue + 20))[0]
    assert 100 < thigh.mean() < leg.mean() < foot.mean() < 450


def test_robots_go_to_the_right() -> None:
    """A camera that followed with the axes mixed up would show them from behind or below."""
    for robot, way in ((ant.ROBOT, [1.0, 0.0, 0.0]), (dkitty.ROBOT, [0.0, 1.0, 0.0])):
        stage = render._Stage(robot.builder()(robot.default), robot, SMALL)
        right, down, _ = stage.axes @ way
        assert right > 0.7
        assert 0.0 < down < 0.3


def test_an_episode_is_the_one_that_is_scored(robot: Robot) -> None:
    design = perturbed(robot)
    found = render._episode(robot, robot.legal(design))
    if robot is ant.ROBOT:  # whose objective is a mean over four
        expected = ant.returns([design], ant.policy(), offsets=ant.OFFSETS[:1])
    else:
        expected = robot.objective([design])
    assert found.value == expected[0]
    assert 1 < len(found.qpos) <= robot.control.horizon + 1
    assert np.isfinite(found.qpos).all()


def test_the_camera_goes_along_with_a_robot_that_flies() -> None:
    stage, _ = render._stage(ant.ROBOT, ant.DEFAULT, SMALL)
    qpos = np.repeat(stage.model.qpos0[None], 7, axis=0)
    qpos[:, 2] = np.linspace(1.25, 100.0, 7)
    for image in render._frames(stage, qpos):
        limbs = colored(image)
        assert limbs.mean() > 0.005
        assert not limbs[edge(limbs.shape, 2)].any()


def test_gif_runs_at_the_speed_of_the_episode(tmp_path: Path) -> None:
    value = render.movie(hopper.ROBOT, hopper.DEFAULT, tmp_path / "fall.gif", size=SMALL)
    assert value == hopper.returns([hopper.DEFAULT])[0]
    states = len(render._episode(hopper.ROBOT, hopper.DEFAULT).qpos)
    with pillow.open(tmp_path / "fall.gif") as gif:
        assert gif.format == "GIF"
        assert gif.size == SMALL
        assert gif.n_frames == 1 + -(-(states - 1) // 5) > 5
        assert gif.info["duration"] == 40
        first = np.asarray(gif.convert("RGB"))
        gif.seek(gif.n_frames - 1)
        last = np.asarray(gif.convert("RGB"))
    assert colored(first).any()
    assert colored(last).any()
    assert (first != last).any(axis=2).mean() > 0.02
    assert [file.name for file in tmp_path.iterdir()] == ["fall.gif"]


def test_a_movie_says_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setattr("mbo_hub.oracles.progress.PATIENCE_S", 0.0)
    render.movie(hopper.ROBOT, hopper.DEFAULT, tmp_path / "fall.gif", size=(32, 24))
    with pillow.open(tmp_path / "fall.gif") as gif:
        assert f"hopper: drawing {gif.n_frames} pictures: " in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_mp4_runs_at_the_speed_of_the_episode(tmp_path: Path) -> None:
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="pip install 'mbo-hub[render]'")
    render.write(dkitty.ROBOT, dkitty.DEFAULT, tmp_path / "walk.mp4", size=(96, 64), fps=5.0)
    frames, seconds = ffmpeg.count_frames_and_secs(str(tmp_path / "walk.mp4"))
    assert frames == 51
    assert seconds == pytest.approx(10.2, abs=0.25)
    assert [file.name for file in tmp_path.iterdir()] == ["walk.mp4"]


def test_a_picture_is_written(tmp_path: Path) -> None:
    render.write(ant.ROBOT, ant.DEFAULT, tmp_path / "ant.PNG", size=SMALL)
    with pillow.open(tmp_path / "ant.PNG") as picture:
        assert np.array_equal(np.asarray(picture), render.still(ant.ROBOT, ant.DEFAULT, SMALL))


@pytest.mark.parametrize("name", ["ant.jpg", "ant", "ant.mp4.txt"])
def test_other_suffixes_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"\.png, .* \.mp4 or \.gif"):
        render.write(ant.ROBOT, ant.DEFAULT, tmp_path / name)
    with pytest.raises(ValueError, match=r"\.mp4 or \.gif"):
        render.movie(ant.ROBOT, ant.DEFAULT, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"fps": 0.0}, "more than 0 frames"), ({"fps": np.nan}, "more than 0 frames"),
     ({"size": (0, 0)}, "at least 16 × 16"), ({"size": (161, 120)}, "even")],
)  # fmt: skip
def test_movies_that_cannot_be_are_refused(
    tmp_path: Path, options: dict[str, Any], problem: str
) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="pip install 'mbo-hub[render]'")
    with pytest.raises(ValueError, match=problem):
        render.movie(hopper.ROBOT, hopper.DEFAULT, tmp_path / "x.mp4", **options)


def test_a_missing_folder_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        render.movie(hopper.ROBOT, hopper.DEFAULT, tmp_path / "missing" / "x.gif")


@pytest.mark.parametrize("suffix", [".png", ".gif"])
def test_illegal_designs_are_refused(tmp_path: Path, suffix: str, robot: Robot) -> None:
    design = robot.default.copy()
    design[3] = np.nan
    with pytest.raises(InvalidDesign, match=r"design 0 has nan"):
        render.write(robot, design, tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_robots_that_mujoco_refuses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, design: object) -> None:
        raise ValueError("mass and inertia of moving bodies must be larger than mjMINVAL")

    monkeypatch.setattr(ant.Ant, "__call__", refuse)
    with pytest.raises(InvalidDesign, match=r"cannot compile its model \(mass and inertia"):
        render.still(ant.ROBOT, ant.DEFAULT)


@pytest.mark.parametrize("suffix", [".gif", ".mp4"])
def test_nothing_half_written_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    if suffix == ".mp4":
        pytest.importorskip("imageio_ffmpeg", reason="pip install 'mbo-hub[render]'")
    target = tmp_path / f"x{suffix}"
    target.write_bytes(b"old")
    draw, drawn = render._Stage.picture, []

    def stop(stage: Any, *arguments: Any) -> Any:
        drawn.append(1)
        if len(drawn) > 3:
            raise KeyboardInterrupt
        return draw(stage, *arguments)

    monkeypatch.setattr(render._Stage, "picture", stop)
    with pytest.raises(KeyboardInterrupt):
        render.movie(hopper.ROBOT, hopper.DEFAULT, target, size=SMALL)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [
        (target.name, b"old")
    ]


@pytest.mark.parametrize(
    ("suffix", "module", "error", "said"),
    [
        (".png", "PIL", MissingExtra, "Pillow; install it with  pip install 'mbo-hub[render]'"),
        (".gif", "PIL", MissingExtra, "Pillow; install it with  pip install 'mbo-hub[render]'"),
        (
            ".mp4",
            "imageio_ffmpeg",
            MissingExtra,
            "writing a .mp4 file needs imageio-ffmpeg; install",
        ),
        (".png", "mujoco.batch", OracleUnavailable, "drawing a robot needs MuJoCo 4 ("),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, module: str,
    error: type[Exception], said: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(error) as caught:
        render.write(hopper.ROBOT, hopper.DEFAULT, tmp_path / f"x{suffix}")
    assert said in str(caught.value)
    assert list(tmp_path.iterdir()) == []
