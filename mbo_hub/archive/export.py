"""`export`: copy tasks that are here into folders, laid out like the Hub."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mbo_hub.archive import folders
from mbo_hub.archive.folders import Folder, Repository
from mbo_hub.atomic import write_folder
from mbo_hub.errors import ExportConflict, UnknownTask

__all__ = ["Exported", "Pair", "export", "files_of", "pairs"]


@dataclass(frozen=True)
class Pair:
    """The two folders of one of the archive's own tasks.

    Attributes:
        task: its name.
        tag: of its version.
        dataset: holds task.json and the data.
        oracles: holds the files of its oracles.
    """

    task: str
    tag: str
    dataset: Folder
    oracles: Folder


@dataclass(frozen=True)
class Exported:
    """A folder that `export` wrote, or found.

    Attributes:
        path: where it is.
        is_new: it was written now; else it was there already, just the same.
    """

    path: Path
    is_new: bool


def pairs(names: Iterable[str]) -> list[Pair]:
    """Find the folders of the archive's own tasks, each task once.

    Raises:
        UnknownTask: one of them is none of the archive's own, or its data are not here.
    """
    found = {}
    for name in names:
        dataset = folders.find(name)
        task = str(name).rpartition("/")[2]
        if folders.is_folder_name(name) or task not in folders.pins():
            raise UnknownTask(
                f"{name!r} is not embedded here; only what `mbo list` shows is exported"
            )
        if isinstance(dataset, Repository):
            raise UnknownTask(f"the data of {name!r} are not here; build them:  mbo build {task}")
        tag = folders.pins()[task].tag
        found[task] = Pair(task, tag, dataset, folders.embedded_oracle(task))
    return list(found.values())


def export(names: Iterable[str], target: Path) -> list[Exported]:
    """Copy tasks that are here, laid out like the Hub: DIR/<task> and DIR/<task>-oracle.

    Args:
        names: tasks of the archive.
        target: folder to write into; made if missing. `load_dataset("mbo/<task>")` finds it when it
            is called mbo and lies in the working directory.

    Returns:
        Each folder, in order.

    Raises:
        UnknownTask: before anything is written.
        ExportConflict: a folder is there with other content; nothing was written.
        OSError: the place cannot be written.
    """
    wanted: list[tuple[Path, Path]] = []
    for pair in pairs(names):
        wanted += [
            (pair.dataset.path, target / pair.task),
            (pair.oracles.path, target / f"{pair.task}-oracle"),
        ]
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
    write_folder(place, files_of(source))
    return True


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
    there, here = files_of(place), files_of(source)
    return {file for file in here.keys() | there.keys() if here.get(file) != there.get(file)}
