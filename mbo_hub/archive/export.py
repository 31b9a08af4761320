"""`export`: copy tasks that are here into folders, laid out like the Hub."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mbo_hub.archive import folders
from mbo_hub.archive.folders import ORG, Folder, Repository
from mbo_hub.archive.hub import local_files
from mbo_hub.atomic import write_folder
from mbo_hub.dataset.layout import DECLARATION
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import ExportConflict, UnknownTask

__all__ = ["Exported", "Pair", "export", "files_of", "pairs"]


@dataclass(frozen=True)
class Pair:
    """A task's dataset folder, and the folders of its oracles.

    Attributes:
        task: its name.
        owner: of its repositories, where they are laid out with one.
        tag: of its version.
        dataset: holds task.json and the data.
        oracles: hold the files of its oracles, by the name of their repository; none where those
            lie in the dataset folder.
    """

    task: str
    owner: str
    tag: str
    dataset: Folder
    oracles: Mapping[str, Folder]


@dataclass(frozen=True)
class Exported:
    """A folder that `export` wrote, or found.

    Attributes:
        path: where it is.
        is_new: it was written now; else it was there already, just the same.
    """

    path: Path
    is_new: bool


def pairs(
    names: Iterable[str | os.PathLike[str]], target: Path, owner: str | None = None
) -> list[Pair]:
    """Find the folders of tasks that are here, each task once.

    Args:
        names: tasks of the archive, or dataset folders.
        target: where they are to be exported to.
        owner: of the dataset folders that are not of the archive; None: the archive's.

    Raises:
        UnknownTask: a task is neither of the archive nor a folder, or its data are not here.
        InvalidDataset, IntegrityError: a folder breaks its own declaration.
        ExportConflict: the target is a dataset folder, or lies in one that is exported; or a
            folder has the name of one of the archive's tasks, and nobody says whose it is.
    """
    found = {}
    if owner is not None:
        folders.require_owner(owner)
    if (target / DECLARATION).is_file():
        raise ExportConflict(
            f"{target} is a dataset folder itself; the folder to write comes first, then the "
            "tasks:  mbo export ./mbo ./my-task"
        )
    for name in names:
        pair = _pair(name, owner)
        if target.resolve().is_relative_to(pair.dataset.path.resolve()):
            raise ExportConflict(f"{target} lies in {pair.dataset}, which is to be exported")
        found[pair.owner, pair.task] = pair
    return list(found.values())


def _pair(name: str | os.PathLike[str], owner: str | None) -> Pair:
    dataset = folders.find(name)
    if not folders.is_folder_name(name) and str(name).rpartition("/")[2] not in folders.pins():
        raise UnknownTask(
            f"{name!r} is not embedded here; what `mbo list` shows is exported, and folders, "
            "written ./like/this"
        )
    if isinstance(dataset, Repository):
        task = dataset.repo.rpartition("/")[2]
        raise UnknownTask(f"the data of {name!r} are not here; build them:  mbo build {task}")
    declaration = dataset.declaration()
    declared = declaration.manifest
    own = folders.pins().get(declared.name)
    if own is not None and own.sha256 == declaration.sha256:
        owner = ORG
    elif own is not None and owner in (None, ORG):
        raise ExportConflict(
            f"{name} calls itself {declared.name!r}, as one of the archive's tasks does; give it "
            "another name in task.json"
        )
    oracles = folders.oracle_folders(dataset)
    if folders.is_folder_name(name):
        _check_bytes(dataset, declared, oracles)
    return Pair(declared.name, owner or ORG, f"v{declared.version}", dataset, oracles)


def _check_bytes(dataset: Folder, declared: Manifest, oracles: Mapping[str, Folder]) -> None:
    """See that a folder's files are those that its task.json names."""
    from mbo_hub.dataset import parquet

    for file, entry in declared.files.items():
        same = partial(parquet.has_content, wanted=entry.content_sha256, rows=entry.rows)
        dataset.read(file, entry.sha256, same, entry.largest)
    for oracle in declared.oracles.values():
        place = dataset if oracle.repo is None else oracles.get(oracle.repo)
        if place is not None:
            for file, expected in oracle.pinned.items():
                place.read(file, expected)


def export(names: Iterable[str | os.PathLike[str]], target: Path) -> list[Exported]:
    """Copy tasks that are here, laid out like the Hub: DIR/<task> and DIR/<task>-oracle.

    Args:
        names: tasks of the archive, or dataset folders, which are checked against their task.json.
        target: folder to write into; made if missing. `load_dataset("mbo/<task>")` finds it when it
            is called mbo and lies in the working directory.

    Returns:
        Each folder, in order.

    Raises:
        UnknownTask: before anything is written.
        InvalidDataset, IntegrityError: a folder breaks its own declaration; likewise.
        ExportConflict: a folder is there with other content, or `pairs` refuses; nothing was
            written.
        OSError: the place cannot be written.
    """
    wanted: list[tuple[Path, Path]] = []
    for pair in pairs(names, target):
        wanted.append((pair.dataset.path, target / pair.task))
        wanted += [(folder.path, target / repo) for repo, folder in pair.oracles.items()]
    for source, place in wanted:
        differing = sorted(_differing(source, place)) if place.exists() else []
        if differing:
            named = ", ".join(differing[:5]) + (", …" if len(differing) > 5 else "")
            raise ExportConflict(
                f"{place} is there already and differs in {named}; nothing was written. Move it "
                "away or choose another folder"
            )
    return [Exported(place, is_new=_copy(source, place)) for source, place in wanted]


def _copy(source: Path, place: Path) -> bool:
    """Copy a folder to where nothing is; tell whether that was needed."""
    if place.exists():
        return False
    write_folder(place, _published(source))
    return True


def _published(folder: Path) -> dict[str, bytes]:
    """Content of each file that is exported: all but hidden ones, as on the Hub."""
    return {name: path.read_bytes() for name, path in local_files(folder).items()}


def files_of(folder: Path) -> dict[str, bytes]:
    """Content of each file of a folder, by its path inside."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _differing(source: Path, place: Path) -> set[str]:
    if not place.is_dir():
        return {place.name}
    there, here = files_of(place), _published(source)
    return {file for file in here.keys() | there.keys() if here.get(file) != there.get(file)}
