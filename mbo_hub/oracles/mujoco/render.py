"""Pictures of the robots, traced ray by ray: they need neither a display nor a graphics card.

MuJoCo itself says where the rays of the camera and of the light meet the robot, so a picture shows
the very shapes that are simulated. The floor is the plane z = 0; its checks have a side of 0.5 m
under ant and hopper and of 0.1 m under the D'Kitty. A picture of 640 × 480 takes 0.1 to 0.3 s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import BytesIO
from math import ceil, pi
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from mbo_hub import extras
from mbo_hub.arrays import Float32, Float64, Num
from mbo_hub.atomic import write_file
from mbo_hub.errors import InvalidDesign
from mbo_hub.oracles.mujoco import rollout
from mbo_hub.oracles.mujoco.oracle import need_mujoco
from mbo_hub.oracles.mujoco.robot import Robot
from mbo_hub.oracles.mujoco.rollout import State
from mbo_hub.oracles.progress import telling

__all__ = ["SUFFIXES", "movie", "still", "write"]

SIZE = (640, 480)  # width and height, pixels
SMALLEST = 16  # pixels
FPS = 25.0  # at most
SUFFIXES = (".png", ".mp4", ".gif")

# All colours are RGB from 0 to 1, and light adds up in them as they are.
TORSO = (0.42, 0.45, 0.52)
LIMBS = (  # in the order of the model's file; seaborn's "deep" and Tableau's, a little stronger
    (0.85, 0.36, 0.25),
    (0.20, 0.49, 0.76),
    (0.25, 0.62, 0.38),
    (0.93, 0.65, 0.18),
)
LIGHTER = 0.17  # what a part takes on of white, for each joint between it and the torso
INK = 0.55  # how bright the line is where one part ends before another
CHECKS = ((0.80, 0.82, 0.84), (0.90, 0.91, 0.92))
HAZE = (0.965, 0.97, 0.98)  # what the floor fades into
AMBIENT, LAMP, FLASH, SHINE = 0.44, 0.44, 0.24, 0.14  # from all around, lamp, camera; gloss
CLEAR = 1.2  # how far the floor is clear, in distances from camera to robot behind it
SHADOW = 0.42  # of the floor's brightness, taken away where no light falls

SAMPLES = 2  # rays along each side of a pixel
SLOPE = 0.30  # half the picture's height over its distance: a lens of 33°
FILL = 0.90  # part of the picture that the robot may fill
TURN, LIFT = 0.55, 0.40  # rad, how far the camera stands before the robot's side and above it
STEADY = 8  # frames before and after one, over whose mean the camera goes along
HIGH = 1.5  # m; a robot whose leg starts inside the floor is thrown up, by up to 30 m
LIGHT = (0.25, 0.40, 1.0)  # to the light: along the robot's way, towards the camera, upwards
FAR = 30.0  # m from the torso to the light
SHADOW_CELLS = 256  # along each side of the picture of the shadow


def _model(robot: Robot, design: Float64[np.ndarray, " d"]) -> Any:
    try:
        return robot.builder()(design)
    except ValueError as error:  # what MjSpec.compile raises
        detail = f"has no picture: MuJoCo cannot compile its model ({error})"
        raise InvalidDesign(detail, 0) from error


@dataclass(frozen=True)
class _Camera:
    """Looks at the world: a point p is seen at (right · q, down · q) / (ahead · q), q = p − eye."""

    eye: Float64[np.ndarray, " 3"]
    axes: Float64[np.ndarray, "3 3"]  # rows: right, down and ahead; of length 1

    def project(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 2"]:
        """Where points are seen: 0, 0 is the middle and ±SLOPE the lower and upper edge."""
        right, down, ahead = self.axes @ (points - self.eye).T
        return np.stack([right, down], axis=1) / ahead[:, None]

    def rays(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Directions, one unit ahead, in which places are seen; three numbers for each."""
        right, down, ahead = self.axes.astype(x.dtype)
        return np.asarray(ahead + x[..., None] * right + y[..., None] * down)


def _grid(width: int, height: int) -> tuple[Float64[np.ndarray, " w"], Float64[np.ndarray, " h"]]:
    """Where the middles of the pixels of a picture are, right of and below its own middle."""
    pixel = 2 * SLOPE / height
    x, y = ((np.arange(count) + 0.5 - count / 2) * pixel for count in (width, height))
    return x, y


def _axes(ahead: float) -> Float64[np.ndarray, "3 3"]:
    """Axes of a camera that sees a robot going to the right, and a little towards it."""
    around = ahead + pi / 2 + TURN  # the way it looks
    look = np.array([np.cos(around) * np.cos(LIFT), np.sin(around) * np.cos(LIFT), -np.sin(LIFT)])
    right = np.array([np.sin(around), -np.cos(around), 0.0])
    return np.array([right, np.cross(look, right), look])


def _aim(
    points: Float64[np.ndarray, "n 3"], axes: Float64[np.ndarray, "3 3"], aspect: float
) -> Float64[np.ndarray, " 3"]:
    """Where a camera stands that sees all points, as near and as centred as it can."""
    target = (points.min(axis=0) + points.max(axis=0)) / 2
    for _ in range(4):  # what is near looks larger: its middle is not that of the picture
        right, down, ahead = axes @ (points - target).T
        wide = np.maximum(np.abs(right) / aspect, np.abs(down)) / (SLOPE * FILL)
        back = np.max(wide - ahead)
        eye = target - back * axes[2]
        seen = _Camera(eye, axes).project(points)
        target = target + back * (seen.min(axis=0) + seen.max(axis=0)) / 2 @ axes[:2]
    return eye


class _Stage:
    """A robot of one design that takes poses and has its picture taken.

    Args:
        model: its MjModel. What is fixed to the world is not drawn, but for the floor.
        robot: which one it is.
        size: width and height of the pictures, pixels.
    """

    def __init__(self, model: Any, robot: Robot, size: tuple[int, int]) -> None:
        import mujoco

        if min(size) < SMALLEST:
            least = f"{SMALLEST} × {SMALLEST}"
            raise ValueError(f"a picture has at least {least} pixels, got {size[0]} × {size[1]}")
        self.model, self.robot, self.size, self.aspect = model, robot, size, size[0] / size[1]
        self.data = mujoco.MjData(model)
        self.axes = _axes(robot.ahead)
        self.colors = np.array(
            [self._color(body) for body in model.geom_bodyid.tolist()], np.float32
        )
        self._parts = np.flatnonzero(model.geom_bodyid > 0)
        signs = np.stack(np.meshgrid(*[[-1.0, 1.0]] * 3), axis=-1).reshape(8, 3)
        self._corners = (
            model.geom_aabb[self._parts, None, :3] + signs * model.geom_aabb[self._parts, None, 3:]
        )
        forth, side = self._ground(robot.ahead), self._ground(robot.ahead - pi / 2)
        light = LIGHT[0] * forth + LIGHT[1] * side + [0.0, 0.0, LIGHT[2]]
        self.light = light / np.linalg.norm(light)

    @staticmethod
    def _ground(angle: float) -> Float64[np.ndarray, " 3"]:
        return np.array([np.cos(angle), np.sin(angle), 0.0])

    def _color(self, body: int) -> Float64[np.ndarray, " 3"]:
        """Colour of a body: each limb has its own, lighter from joint to joint."""
        parents = self.model.body_parentid.tolist()
        chain = [body]  # from the body to the torso, which is body 1
        while chain[-1] > 1:
            chain.append(parents[chain[-1]])
        depth = len(chain) - 1
        limbs = [limb for limb, parent in enumerate(parents) if parent == 1]
        if depth <= 0:
            return np.array(TORSO)
        if len(limbs) == 1:
            return np.array(LIMBS[(depth - 1) % len(LIMBS)])
        color: Float64[np.ndarray, " 3"] = np.array(LIMBS[limbs.index(chain[-2]) % len(LIMBS)])
        return color + LIGHTER * (depth - 1) * (1.0 - color)

    def pose(self, qpos: Float64[np.ndarray, " nq"]) -> Float64[np.ndarray, "n 3"]:
        """Take a pose; return corners of a box around each part, those above the floor."""
        import mujoco

        self.data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self.data)
        turned = self.data.geom_xmat[self._parts].reshape(-1, 1, 3, 3) @ self._corners[..., None]
        corners = (self.data.geom_xpos[self._parts, None] + turned[..., 0]).reshape(-1, 3)
        corners[:, 2] = np.maximum(corners[:, 2], 0.0)
        return corners

    @property
    def torso(self) -> Float64[np.ndarray, " 3"]:
        """Where the torso is, m."""
        return np.array(self.data.xpos[1])

    def shadows(self, points: Float64[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 3"]:
        """Where points cast their shadows on the floor."""
        lamp = self._lamp
        reach = lamp[2] / np.maximum(lamp[2] - points[:, 2:], 1e-3)
        return lamp + reach * (points - lamp)

    @property
    def _lamp(self) -> Float64[np.ndarray, " 3"]:
        return self.torso + FAR * self.light

    def _trace(
        self, eye: Float64[np.ndarray, " 3"], rays: Float64[np.ndarray, "n 3"]
    ) -> tuple[Num[np.ndarray, " n"], Float64[np.ndarray, " n"], Float64[np.ndarray, "n 3"]]:
        """What of the robot each ray meets (−1: none), after how many of it, with normal."""
        import mujoco

        count = len(rays)
        geom, reach, normal = np.empty(count, np.int32), np.empty(count), np.empty(3 * count)
        mujoco.mj_multiRay(
            self.model, self.data, eye, rays.ravel(), None, False, -1, geom, reach, normal, count,
            np.inf,
        )  # fmt: skip
        return geom, reach, normal.reshape(count, 3)

    def picture(
        self, camera: _Camera, corners: Float64[np.ndarray, "n 3"]
    ) -> Num[np.ndarray, "h w 3"]:
        """Draw the pose that was taken, (height, width, 3) uint8."""
        floor = self._floor(camera, corners)
        color, cover = self._figure(camera, corners)
        image = floor * (1.0 - cover[..., None]) + color
        return np.rint(np.clip(image, 0.0, 1.0) * 255.0).astype(np.uint8)

    def _figure(
        self, camera: _Camera, corners: Float64[np.ndarray, "n 3"]
    ) -> tuple[Float32[np.ndarray, "h w 3"], Float32[np.ndarray, "h w"]]:
        """Colour of the robot, black where it is not, and how much of each pixel it covers."""
        size = SAMPLES * np.array(self.size)
        x, y = _grid(*size.tolist())
        near = np.zeros((len(y), len(x)), bool)  # where there may be something of the robot
        seen = (camera.project(corners) / (x[1] - x[0]) + size / 2).reshape(-1, 8, 2)
        low = np.clip(np.floor(seen.min(axis=1)), 0, size).astype(int)
        high = np.clip(np.ceil(seen.max(axis=1)), 0, size).astype(int)
        for (left, top), (right, bottom) in zip(low.tolist(), high.tolist(), strict=True):
            near[top:bottom, left:right] = True
        rows, columns = np.nonzero(near)
        rays = camera.rays(x[columns], y[rows])
        geom, reach, normals = self._trace(camera.eye, rays)
        # What is below the floor is hidden by it.
        hit = (geom >= 0) & (camera.eye[2] + reach * rays[:, 2] >= 0.0)
        rows, columns, geom = rows[hit], columns[hit], geom[hit]

        color = np.zeros((len(y), len(x), 3), np.float32)
        color[rows, columns] = self._lit(geom, normals[hit], rays[hit])
        body = np.full(near.shape, -1, np.int32)
        body[rows, columns] = self.model.geom_bodyid[geom]
        line = np.zeros(near.shape, bool)
        line[:, 1:] |= body[:, 1:] != body[:, :-1]
        line[1:] |= body[1:] != body[:-1]
        color[line] *= INK
        return _shrink(color), _shrink((body >= 0).astype(np.float32))

    def _lit(
        self,
        geom: Num[np.ndarray, " n"],
        normals: Float64[np.ndarray, "n 3"],
        rays: Float64[np.ndarray, "n 3"],
    ) -> Float32[np.ndarray, "n 3"]:
        """Colour of places of the robot, as the camera sees them."""
        sight = rays / np.linalg.norm(rays, axis=1, keepdims=True)
        middle = self.light - sight
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        lamp = np.maximum(normals @ self.light, 0.0)
        flash = np.maximum(-(normals * sight).sum(axis=1), 0.0)
        gloss = np.maximum((normals * middle).sum(axis=1), 0.0) ** 24
        bright = AMBIENT * (0.75 + 0.25 * normals[:, 2]) + LAMP * lamp + FLASH * flash
        lit = self.colors[geom] * bright[:, None] + SHINE * gloss[:, None]
        return np.asarray(lit, np.float32)

    def _floor(
        self, camera: _Camera, corners: Float64[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "h w 3"]:
        """Colour of the floor, with the shadow on it: the camera looks down everywhere."""
        x, y = _grid(*self.size)
        rays = camera.rays(x.astype(np.float32), y.astype(np.float32)[:, None])
        reach = np.float32(camera.eye[2]) / -rays[..., 2]
        spot = reach[..., None] * rays[..., :2] + camera.eye[:2].astype(np.float32)
        dark, light, haze = (np.array(color, np.float32) for color in (*CHECKS, HAZE))
        floor = dark + _checks(spot / np.float32(self.robot.check))[..., None] * (light - dark)
        floor *= 1.0 - np.float32(SHADOW) * self._shade(spot, corners)[..., None]
        away = np.float32(np.linalg.norm(camera.eye - self.torso))
        clear = np.exp(-np.square(np.maximum(reach / away - 1.0, 0.0) / np.float32(CLEAR)))
        return haze + clear[..., None] * (floor - haze)

    def _shade(
        self, spot: Float32[np.ndarray, "h w 2"], corners: Float64[np.ndarray, "n 3"]
    ) -> Float32[np.ndarray, "h w"]:
        """How much of each spot of the floor the robot keeps the light from."""
        cast = self.shadows(corners)[:, :2]
        low, high = cast.min(axis=0), cast.max(axis=0)
        margin = 0.06 * float((high - low).max())
        low, step = low - margin, (high - low + 2 * margin) / SHADOW_CELLS
        x, y = (low[i] + (np.arange(SHADOW_CELLS) + 0.5) * step[i] for i in range(2))
        floor = np.stack([*np.meshgrid(x, y), np.zeros((SHADOW_CELLS, SHADOW_CELLS))], axis=-1)
        geom, reach, _ = self._trace(self._lamp, (floor - self._lamp).reshape(-1, 3))
        shade = ((geom >= 0) & (reach < 1.0)).astype(np.float32).reshape(floor.shape[:2])
        for _ in range(2):
            for axis in range(2):
                shade = _blur(shade, axis, SHADOW_CELLS // 64)
        cell = (spot - low.astype(np.float32)) / step.astype(np.float32) - 0.5
        inside = ((cell >= 0) & (cell < SHADOW_CELLS - 1)).all(axis=-1)
        found = np.zeros(spot.shape[:-1], np.float32)
        near = cell[inside].astype(np.int32)
        (a, b), (i, j) = (cell[inside] - near).T, near.T
        upper = shade[j, i] * (1 - a) + shade[j, i + 1] * a
        lower = shade[j + 1, i] * (1 - a) + shade[j + 1, i + 1] * a
        found[inside] = upper * (1 - b) + lower * b
        return found


def _shrink(image: Float32[np.ndarray, "h w ..."]) -> Float32[np.ndarray, "_ _ ..."]:
    """Average over the samples of each pixel."""
    steps = [slice(i, None, SAMPLES) for i in range(SAMPLES)]
    return np.asarray(sum(image[i, j] for i in steps for j in steps) / np.float32(SAMPLES**2))


def _checks(spot: Float32[np.ndarray, "h w 2"]) -> Float32[np.ndarray, "h w"]:
    """Checks of side 1, 0 or 1, averaged over each pixel and so grey far away."""
    # The mean of a square wave over a width, per axis: Inigo Quilez, "Filtering procedural
    # textures" (2017), https://iquilezles.org/articles/checkerfiltering/.
    width = sum(np.abs(np.gradient(spot, axis=axis)) for axis in range(2)) + np.float32(1e-4)

    def wave(place: np.ndarray) -> np.ndarray:
        half = place / 2
        return np.abs(half - np.floor(half) - np.float32(0.5))

    mean = 2 * (wave(spot - width / 2) - wave(spot + width / 2)) / width
    return np.asarray(0.5 - 0.5 * mean[..., 0] * mean[..., 1])


def _blur(image: Float32[np.ndarray, "h w"], axis: int, radius: int) -> Float32[np.ndarray, "h w"]:
    """Average over 2 × radius + 1 cells along an axis; zero outside."""
    around = [(0, 0), (0, 0)]
    around[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(image, around), axis=axis)
    window = 2 * radius + 1
    ends, begins = (np.delete(total, np.s_[:window], axis), np.delete(total, np.s_[-window:], axis))
    return np.asarray((ends - begins) / window, np.float32)


def _start(robot: Robot, model: Any, design: Float64[np.ndarray, " d"]) -> Any:
    """Positions in which the robot's episodes start, but for their small offsets."""
    state = State(design[None], model.qpos0[None], np.zeros((1, model.nv)), np.zeros((1, model.nu)))
    return robot.control.start(state)[0]


def _stage(robot: Robot, design: Any, size: tuple[int, int]) -> tuple[_Stage, Any]:
    """Check a design, and set its robot up for pictures; give the design as it is simulated, too.

    Raises:
        InvalidDesign: the design is illegal, or MuJoCo cannot compile its model.
        OracleUnavailable: MuJoCo is missing.
    """
    need_mujoco("drawing a robot")
    legal = robot.legal(design)
    return _Stage(_model(robot, legal), robot, size), legal


def still(robot: Robot, design: Any, size: tuple[int, int] = SIZE) -> Num[np.ndarray, "h w 3"]:
    """Draw the robot of a design as it starts an episode.

    Args:
        robot: which one; all hoppers look the same.
        design: one design in raw units, (d,).
        size: width and height, pixels.

    Returns:
        The picture, (height, width, 3) uint8. The robot goes to the right.

    Raises:
        InvalidDesign: the design is illegal, or MuJoCo cannot compile its model.
        OracleUnavailable: MuJoCo is missing.
    """
    stage, legal = _stage(robot, design, size)
    corners = stage.pose(_start(robot, stage.model, legal))
    shown = np.concatenate([corners, stage.shadows(corners)])
    return stage.picture(_Camera(_aim(shown, stage.axes, stage.aspect), stage.axes), corners)


@dataclass(frozen=True)
class _Episode:
    """What became of a robot in an episode.

    Attributes:
        qpos: positions at its start and after each control step, (t, nq).
        value: its return; NaN where the simulation diverged.
    """

    qpos: Float64[np.ndarray, "t nq"]
    value: float


def _episode(robot: Robot, design: Float64[np.ndarray, " d"]) -> _Episode:
    """Simulate the first of the episodes that make the objective, and watch it."""
    poses: list[Float64[np.ndarray, " nq"]] = []

    def reward(before: State, after: State) -> np.ndarray:
        if not poses:
            poses.append(before.qpos[0])
        poses.append(after.qpos[0])
        return robot.control.reward(before, after)

    (value,) = rollout.returns(
        replace(robot.control, reward=reward),
        robot.builder(),
        design[None],
        robot.act,
        offsets=None if robot.offsets is None else robot.offsets[:1],
    )[0].tolist()
    if np.isnan(value):
        poses.pop()  # MuJoCo puts a robot back to its start when it loses it
    return _Episode(np.array(poses), value)


def _frames(stage: _Stage, qpos: Float64[np.ndarray, "t nq"]) -> Iterator[Num[np.ndarray, "h w 3"]]:
    """Draw poses one by one; the camera goes along with the torso, and up only from HIGH on."""
    corners, torsos = [], []
    for pose in qpos:
        corners.append(stage.pose(pose))
        torsos.append(stage.torso)
    reach = min(len(qpos) // 2, STEADY)
    padded = np.pad(torsos, ((reach, reach), (0, 0)), mode="edge")
    along = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0).mean(axis=-1)
    along[:, 2] = np.maximum(np.array(torsos)[:, 2] - HIGH, 0.0)
    shown = np.concatenate([c - place for c, place in zip(corners, along, strict=True)])
    eyes = along + _aim(shown, stage.axes, stage.aspect)
    for pose, eye in zip(qpos, eyes, strict=True):
        around = stage.pose(pose)
        yield stage.picture(_Camera(eye, stage.axes), around)


def movie(
    robot: Robot,
    design: Any,
    path: Path | str,
    *,
    fps: float = FPS,
    size: tuple[int, int] = SIZE,
) -> float:
    """Simulate an episode of a design and write it as a movie, which ends where the episode ends.

    The episode is the one that the objective is computed from, or the first of them, to the bit. A
    frame shows the state after a control step, and a second of the movie is one of the episode.

    Args:
        robot: which one.
        design: one design in raw units, (d,).
        path: the file to write, .mp4 or .gif; one that is there is replaced, whole or not at all.
        fps: how many frames a second has at most; 20 for the ant and 10 for the D'Kitty have one
            for each control step.
        size: width and height, pixels; both even for .mp4.

    Returns:
        The return of the episode; NaN where the simulation diverged.

    Raises:
        InvalidDesign: the design is illegal, or MuJoCo cannot compile its model.
        OracleUnavailable: MuJoCo is missing.
        MissingExtra: what writes the file is missing.
        ValueError: another suffix, or a size or rate that no movie has.
        OSError: the file cannot be written.
    """
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in _ENCODERS:
        raise ValueError(f"a movie is a .mp4 or .gif file, got {target.name!r}")
    if not fps > 0.0:
        raise ValueError(f"a movie has more than 0 frames a second, got {fps}")
    if suffix == ".mp4" and (size[0] % 2 or size[1] % 2):
        raise ValueError(f"width and height of a .mp4 file are even, got {size[0]} × {size[1]}")
    if not target.parent.is_dir():  # before all the work, as the next line
        raise FileNotFoundError(f"cannot write {target}: there is no folder {target.parent}")
    _require(suffix)
    stage, legal = _stage(robot, design, size)
    episode = _episode(robot, legal)
    every = max(1, ceil(1.0 / (robot.step_s * fps) - 1e-6))
    last = len(episode.qpos) - 1
    poses = episode.qpos[[*range(0, last, every), last]]
    with telling(f"{robot.name}: drawing {len(poses)} pictures", len(poses), None) as progress:
        frames = _counted(_frames(stage, poses), progress)
        content = _ENCODERS[suffix](frames, 1.0 / (robot.step_s * every), size)
    write_file(target, content)
    return episode.value


def _counted(
    frames: Iterator[Num[np.ndarray, "h w 3"]], progress: Callable[[float], object]
) -> Iterator[Num[np.ndarray, "h w 3"]]:
    for frame in frames:
        yield frame
        progress(1.0)


_LIBRARIES = {".png": "Pillow", ".gif": "Pillow", ".mp4": "imageio-ffmpeg"}


def _require(suffix: str) -> None:
    """See that what writes such a file is there."""
    extras.require("render", f"writing a {suffix} file", _LIBRARIES[suffix])


def _png(image: Num[np.ndarray, "h w 3"]) -> bytes:
    from PIL import Image

    file = BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()


def _gif(frames: Iterator[Num[np.ndarray, "h w 3"]], rate: float, size: tuple[int, int]) -> bytes:
    from PIL import Image

    drawn = list(frames)
    # One palette for all frames: nothing flickers. Half of it is made from the pixels of some of
    # them, half from their distinct colours: the floor is wide, and a leg is thin.
    some = np.stack(drawn[:: -(-len(drawn) // 8)]).reshape(1, -1, 3)
    codes = np.unique((some.astype(np.int32) >> 2) @ np.array([1 << 12, 1 << 6, 1], np.int32))
    distinct = np.stack([codes >> 12, codes >> 6 & 63, codes & 63], axis=1)[None] * 4 + 2
    palette = Image.new("P", (1, 1))
    levels: list[int] = []
    for pixels in (some, distinct.astype(np.uint8)):
        half: Any = Image.fromarray(pixels).quantize(128).getpalette()
        levels += half[: 3 * 128]
    palette.putpalette(levels)
    images = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in drawn
    ]
    file, pause = BytesIO(), round(1000.0 / rate)
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=pause, loop=0)
    return file.getvalue()


def _mp4(frames: Iterator[Num[np.ndarray, "h w 3"]], rate: float, size: tuple[int, int]) -> bytes:
    import imageio_ffmpeg

    with TemporaryDirectory() as folder:
        file = Path(folder) / "movie.mp4"
        writer = imageio_ffmpeg.write_frames(
            str(file), size, fps=rate, macro_block_size=2, quality=7
        )
        try:
            writer.send(None)
            for frame in frames:
                writer.send(np.ascontiguousarray(frame))
        finally:
            writer.close()
        return file.read_bytes()


_ENCODERS = {".mp4": _mp4, ".gif": _gif}


def write(
    robot: Robot,
    design: Any,
    out: Path | str,
    *,
    fps: float = FPS,
    size: tuple[int, int] = SIZE,
) -> None:
    """Write a picture of a design's robot, or a movie of its episode, as the suffix says.

    Args:
        robot: which one.
        design: one design in raw units, (d,).
        out: the file: .png is a `still`, .mp4 and .gif are a `movie`. One that is there is
            replaced, whole or not at all.
        fps: frames a second of a movie, at most.
        size: width and height, pixels.

    Raises:
        ValueError: another suffix.
        InvalidDesign, OracleUnavailable, MissingExtra, OSError: see `still` and `movie`.
    """
    target = Path(out)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise ValueError(
            f"{target.name!r} is not a picture: name a picture .png, a movie .mp4 or .gif"
        )
    if suffix == ".png":
        _require(suffix)
        write_file(target, _png(still(robot, design, size)))
    else:
        movie(robot, design, target, fps=fps, size=size)
