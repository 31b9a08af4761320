"""Build what is published: raw file → frame → validated parquet → task.json, cards and plots.

For maintainers. Three steps, each repeatable on its own: `write_data` (parquet, needs the raw
file), `write_oracles` (ONNX and golden values, needs the parquet), `documents` (all the rest, which
derives from the declaration and the files of the first two).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub.archive import folders
from mbo_hub.arrays import Float32, Num
from mbo_hub.atomic import write_file
from mbo_hub.dataset import figures, parquet
from mbo_hub.dataset.json_schema import json_schema
from mbo_hub.dataset.layout import CARD, DECLARATION, TEST, TRAIN
from mbo_hub.dataset.manifest import (
    FORMAT,
    Manifest,
    OracleEntry,
    SplitRule,
    Statistics,
    StoredFile,
    read,
)
from mbo_hub.errors import InvalidFile
from mbo_hub.making import cards, forests, graphs, sources
from mbo_hub.making.assembly import assemble, split
from mbo_hub.making.croissant import croissant
from mbo_hub.oracles import golden
from mbo_hub.oracles.golden import Golden
from mbo_hub.oracles.onnx import Forest, NetworkGraph, OnnxOracle, OnnxSpec, TableGraph
from mbo_hub.publishing import pictures
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks.spec import OracleValues, TaskSpec

if TYPE_CHECKING:
    import polars as pl

    from mbo_hub.oracles.mujoco.rollout import Network

__all__ = [
    "documents",
    "fetch",
    "outdated",
    "outdated_data",
    "write_data",
    "write_documents",
    "write_oracles",
]

ROOT = Path(__file__).parents[2]  # of a checkout: building from an installed wheel is not meant


def dataset_folder(name: str, root: Path = ROOT) -> Path:
    """Where a task's dataset is built."""
    return root / "dataset_cards" / name


def oracle_folder(name: str, root: Path = ROOT) -> Path:
    """Where a task's ONNX oracles are built."""
    return root / "oracles_onnx" / name


def shown(path: Path) -> str:
    """A path as messages write it: inside the checkout from its root."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


def fetch(spec: TaskSpec, raw_dir: Path, root: Path = ROOT) -> bytes:
    """Get a task's raw file: downloaded, generated, or, of a task that is a model, the model.

    Raises:
        IntegrityError: it is not the declared one.
        InvalidFile: it is not there, and a script of the project makes it.
        DownloadFailed: it is not there, and cannot be downloaded.
    """
    if not isinstance(spec.raw, OracleValues):
        return sources.fetch(spec.raw, raw_dir)
    path = oracle_folder(spec.name, root) / spec.raw.file
    if not path.is_file():
        raise InvalidFile(f"{path}: is not there; run  {spec.raw.script}")
    return path.read_bytes()


def data_folder(spec: TaskSpec, root: Path = ROOT) -> Path:
    """Where a task's parquet files lie: beside its card, or, where they may not, in the cache."""
    if spec.embedded:
        return dataset_folder(spec.name, root)
    return folders.cache_root() / spec.name / f"v{spec.version}"


def write_data(spec: TaskSpec, raw: bytes, root: Path = ROOT) -> list[Path]:
    """Build, validate and write the parquet files of a task.

    A task that publishes its oracle's values trains that oracle first, where it is not there yet.

    Args:
        spec: of the task.
        raw: content of its raw file.
        root: the data go to ``dataset_cards/<task>/data`` below it, or to the user's cache.

    Returns:
        The files that are not byte for byte what they were before.

    Raises:
        InvalidDataset: the frame breaks its schema; all violations, and nothing was written.
    """
    import polars as pl

    if spec.y_oracle is not None:
        kind = _labeller(spec)
        path = oracle_folder(spec.name, root) / kind.file
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Visible rows first, as they are read later: a forest depends on their order.
            rows = pl.concat(split(spec, spec.build(raw)))
            write_file(path, forests.make(spec, kind, rows))
    return _write_changed(_data(spec, raw, root))


def _labeller(spec: TaskSpec) -> Forest:
    """The declaration of the oracle whose values stand beside y."""
    kind = spec.oracles[str(spec.y_oracle)]
    if not isinstance(kind, Forest):
        raise TypeError(f"{spec.name}: only a forest can label data that it is trained on")
    return kind


def outdated_data(spec: TaskSpec, raw: bytes, root: Path = ROOT) -> list[Path]:
    """Name the parquet files that are not what a build from the raw file gives now."""
    return [path for path, new in _data(spec, raw, root).items() if not _is_current(path, new)]


def _data(spec: TaskSpec, raw: bytes, root: Path) -> dict[Path, bytes]:
    oracle = None
    if spec.y_oracle is not None:
        kind = _labeller(spec)
        model = (oracle_folder(spec.name, root) / kind.file).read_bytes()
        oracle = OnnxOracle(spec.space, model, kind.file, exact=kind.exact)
    folder = data_folder(spec, root)
    return {folder / file: content for file, content in assemble(spec, raw, oracle).items()}


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
    path = data_folder(spec, root) / file
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

    folder = data_folder(spec, root)
    return pl.concat([pl.read_parquet(folder / f) for f in (TRAIN, TEST) if (folder / f).is_file()])


@dataclass(frozen=True, eq=False)
class Workbench:
    """What a task's oracles are made on (`mbo_hub.oracles.kinds.Bench`).

    Attributes:
        spec: of the task.
        frame: all rows of its data, visible ones first.
        folder: of its oracles.
        golden: designs whose values will be published, (m, d).
    """

    spec: TaskSpec
    frame: pl.DataFrame
    folder: Path
    golden: Num[np.ndarray, "m d"]

    @property
    def space(self) -> Sequence | Box:
        """Of the task."""
        return self.spec.space

    def model(self, spec: OnnxSpec) -> bytes:
        """Make the ONNX file that a declaration asks for; a trained network's is there already."""
        if isinstance(spec, NetworkGraph):
            return (self.folder / spec.file).read_bytes()
        if isinstance(spec, TableGraph | Forest):
            return forests.make(self.spec, spec, self.frame)
        raise TypeError(f"{type(spec).__name__}: nothing here makes such a file")

    def controller(self, network: Network) -> bytes:
        """Write a robot's controller as an ONNX file."""
        return graphs.policy_model(network, self.spec.name)


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
    folder = oracle_folder(spec.name, root)
    designs = _golden_designs(spec, read_rows(spec, TRAIN, root)[0])
    bench = Workbench(spec, read_frame(spec, root), folder, designs)
    files: dict[Path, bytes] = {}
    values: dict[str, list[float]] = {}
    for kind in spec.oracles.values():
        made = kind.make(bench)
        files |= {folder / file: content for file, content in made.files.items()}
        if made.golden is not None:
            values[kind.key] = _short(made.golden)
    x = [_short(row) for row in designs]
    document = Golden(task=spec.name, version=spec.version, x=x, y=values)
    files[folder / golden.FILE] = document.to_json()
    return _write_changed(files)


def _golden_designs(spec: TaskSpec, visible: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "m d"]:
    """Choose the designs whose values are published: half visible, half drawn from the space."""
    half = golden.COUNT // 2
    spread = np.linspace(0, len(visible) - 1, half).round().astype(int)
    drawn = spec.space.sample(4 * half, rng=0)
    for kind in spec.oracles.values():
        drawn = drawn[kind.scorable(drawn)]
    return np.concatenate([visible[spread], drawn[:half]])


def _short(values: Num[np.ndarray, " n"]) -> list[float]:
    """Numbers with the fewest digits that read back as the same float32."""
    return [float(str(value)) for value in values]


def measure(spec: TaskSpec, root: Path = ROOT) -> Manifest:
    """Derive a task's manifest from its declaration, its parquet files and its oracles.

    Where the package may not carry the data and they are not built here either, what was measured
    when they were is taken from the task.json that is there.
    """
    if has_data(spec, root):
        figures, split, files = _measured(spec, root)
    else:
        folder = dataset_folder(spec.name, root)
        said = read((folder / DECLARATION).read_bytes(), str(folder))
        figures, split, files = said.statistics, said.split, said.files
    return Manifest(
        format=FORMAT,
        name=spec.name,
        version=spec.version,
        title=spec.title,
        summary=spec.summary,
        space=spec.space,
        objective=spec.objective,
        split=split,
        statistics=figures,
        source=spec.source,
        oracles=_entries(spec, root),
        text=spec.text,
        notation=spec.notation,
        y_oracle=spec.y_oracle,
        extra=dict(spec.extra),
        files=files,
    )


def has_data(spec: TaskSpec, root: Path = ROOT) -> bool:
    """Tell whether a task's data are here; those of an embedded task must be."""
    return spec.embedded or (data_folder(spec, root) / TRAIN).is_file()


def has_oracles(spec: TaskSpec, root: Path = ROOT) -> bool:
    """Tell whether a task's oracles are here: their golden values are written with them."""
    return (oracle_folder(spec.name, root) / golden.FILE).is_file()


def _measured(
    spec: TaskSpec, root: Path
) -> tuple[Statistics, SplitRule | None, dict[str, StoredFile]]:
    """Measure a task's parquet files."""
    x, y, visible = _all_rows(spec, root)
    files = {}
    for file, rows in ((TRAIN, visible), (TEST, len(y) - visible)):
        if rows:
            files[file] = figures.stored((data_folder(spec, root) / file).read_bytes(), rows)
    rule = figures.rule_of(spec.visible, y, spec.sampled)
    measured = figures.measure(x[:visible], y[:visible], y[visible:])
    return _settled(measured, dataset_folder(spec.name, root)), rule, files


def _settled(measured: Statistics, folder: Path) -> Statistics:
    """Keep each figure of the task.json that is there, where what is measured differs by rounding.

    The last bits of sums depend on NumPy's version and the processor; what was published stays.
    """
    if not (folder / DECLARATION).is_file():
        return measured
    said = read((folder / DECLARATION).read_bytes(), str(folder)).statistics
    kept = {
        name: before
        for name, before in msgspec.structs.asdict(said).items()
        if np.shape(before) == np.shape(now := getattr(measured, name))
        and np.allclose(now, before, rtol=1e-12, atol=1e-12 * np.abs(before).max())
    }
    return msgspec.structs.replace(measured, **kept)


def _entries(spec: TaskSpec, root: Path) -> dict[str, OracleEntry]:
    """Write the entries of a task's oracles from their declarations and files.

    Raises:
        InvalidFile: they were not made yet.
    """
    if not has_oracles(spec, root):
        raise InvalidFile(
            f"{spec.name} has no oracles yet; run  scripts/train_oracles.py {spec.name}"
        )
    folder = oracle_folder(spec.name, root)
    repo, revision = f"{spec.name}-oracle", f"v{spec.version}"

    def read(file: str) -> bytes:
        return (folder / file).read_bytes()

    return {
        name: kind.entry(spec.space, repo, revision, read) for name, kind in spec.oracles.items()
    }


def _example(spec: TaskSpec, root: Path) -> Num[np.ndarray, "1 d"]:
    """The first visible design; it is the first golden one, too, which is always here."""
    if has_data(spec, root):
        return read_rows(spec, TRAIN, root)[0][:1]
    raw = (oracle_folder(spec.name, root) / golden.FILE).read_bytes()
    return spec.space.validate(msgspec.json.decode(raw, type=Golden).x[:1])


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
        files[folder / DECLARATION] = declared
        example = _example(spec, root)
        files[folder / CARD] = cards.dataset_card(spec, manifest, example).encode()
        files[folder / "croissant.json"] = croissant(spec, manifest).encode()
        if has_data(spec, root):
            _, y, visible = _all_rows(spec, root)
            files[folder / "y.png"] = pictures.histogram(manifest, y, y[:visible])
        for name, png in cards.trust_plots(manifest).items():
            files[oracle_folder(spec.name, root) / f"{name}.png"] = png
        shelf = oracle_folder(spec.name, root)
        sizes = {
            file: (shelf / file).stat().st_size for file in manifest.pinned(f"{spec.name}-oracle")
        }
        files[shelf / CARD] = cards.oracle_card(spec, manifest, sizes, example).encode()
        pins[spec.name] = {"version": spec.version, "sha256": sha256(declared).hexdigest()}
    package = root / "mbo_hub"
    files[package / "archive" / "pins.json"] = (
        msgspec.json.format(msgspec.json.encode(pins), indent=2) + b"\n"
    )
    published = msgspec.json.encode(json_schema())
    files[package / "dataset" / "task.schema.json"] = (
        msgspec.json.format(published, indent=2) + b"\n"
    )
    readme = root / "README.md"
    if readme.is_file():
        files[readme] = cards.with_table(readme.read_text("utf-8"), manifests).encode()
    return files


def outdated(specs: Mapping[str, TaskSpec], root: Path = ROOT) -> list[Path]:
    """Name the generated documents that are not what they would be if written now."""
    return [path for path, raw in documents(specs, root).items() if not _is_current(path, raw)]


def write_documents(specs: Mapping[str, TaskSpec], root: Path = ROOT) -> list[Path]:
    """Write the generated documents that changed, and name them."""
    return _write_changed(documents(specs, root))
