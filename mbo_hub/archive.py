"""Where a dataset or oracle folder is: an explicit folder, or the copy embedded in the package.

Every file that is read goes through `Folder.read`, which checks its sha256 first and hands out the
very bytes that it checked. The folders look here as they do on the Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from mbo_hub.atomic import new_folder
from mbo_hub.errors import (
    ExportConflict,
    IntegrityError,
    InvalidDataset,
    UnknownRevision,
    UnknownTask,
)

__all__ = ["ORG", "Folder", "embedded", "export", "find", "find_oracle", "pins"]

ORG = "mbo"  # the Hub organisation of the archive's own tasks
PACKAGE = Path(__file__).parent


@dataclass(frozen=True)
class Folder:
    """A folder of the archive, with the way out when a file of it is not what it should be.

    Attributes:
        path: where it is.
        origin: how it was found.
    """

    path: Path
    origin: Literal["folder", "embedded"]

    @property
    def advice(self) -> str:
        """What to do about a file that is missing or changed."""
        if self.origin == "embedded":
            return "reinstall with  pip install --force-reinstall mbo-hub"
        return f"`mbo validate {self.path}` lists all that is wrong; then get the folder again"

    def read(self, file: str, expected: str | None) -> bytes:
        """Read a file and check it.

        Args:
            file: path inside the folder, with forward slashes.
            expected: its sha256; None for the file that names the others.

        Raises:
            InvalidDataset: there is no such file.
            IntegrityError: its content is another.
        """
        try:
            raw = (self.path / file).read_bytes()
        except OSError as error:
            problem = f"{file} cannot be read ({error.strerror}); {self.advice}"
            raise InvalidDataset(str(self.path), [problem]) from None
        if expected is not None:
            found = sha256(raw).hexdigest()
            if found != expected:
                raise IntegrityError(
                    f"{self.path / file}: sha256 expected {expected[:12]}…, got {found[:12]}… "
                    f"({len(raw):,} bytes); it was not used. {self.advice.capitalize()}"
                )
        return raw


@cache
def _root(kind: Literal["dataset_cards", "oracles_onnx"]) -> Path:
    """The embedded folders: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


@cache
def pins() -> Mapping[str, Mapping[str, str]]:
    """Name, version and task.json's sha256 of each task that this release was made with."""
    pinned: dict[str, dict[str, str]] = msgspec.json.decode((PACKAGE / "pins.json").read_bytes())
    return pinned


def embedded(name: str) -> Folder:
    """The embedded dataset folder of one of the archive's own tasks."""
    return Folder(_root("dataset_cards") / name, "embedded")


def is_folder_name(name: str | os.PathLike[str]) -> bool:
    """Tell a folder ('./x', '../x', '/x', '~/x' or a Path) from a task's name ('x', 'mbo/x')."""
    return not isinstance(name, str) or bool(re.match(r"[.~/\\]|[A-Za-z]:[/\\]", name))


def find(name: str | os.PathLike[str], revision: str | None = None) -> tuple[Folder, str | None]:
    """Find the dataset folder of a task.

    Args:
        name: a task ('tfbind8' or 'mbo/tfbind8'), or a folder ('./my_dataset' or a Path).
        revision: version wanted, 'v1.0.0' or '1.0.0'; None takes the one that is here.

    Returns:
        The folder, and the sha256 that its task.json must have (None where nothing pins it).

    Raises:
        UnknownTask: no such folder or task.
        UnknownRevision: the task is here at another version.
    """
    if is_folder_name(name):
        path = Path(name).expanduser()
        if not (path / "task.json").is_file():
            what = "has no task.json" if path.is_dir() else "does not exist"
            raise UnknownTask(f"{name}: the folder {what}, so it is no dataset folder")
        return Folder(path, "folder"), None
    org, _, task = str(name).rpartition("/")
    if org not in ("", ORG) or task not in pins():
        raise UnknownTask(_unknown(str(name), org, task))
    pin = pins()[task]
    if revision is not None and revision.removeprefix("v") != pin["version"]:
        raise UnknownRevision(
            f"'{name}' at revision {revision!r} is not here; this mbo_hub embeds "
            f"v{pin['version']}. For another version install the mbo_hub that embeds it, or "
            f"download it ({_download(f'{ORG}/{task}', revision)}) and load the folder"
        )
    return embedded(task), pin["sha256"]


def _download(repo: str, revision: str | None = None) -> str:
    at = f" --revision {revision}" if revision else ""
    return f"`hf download {repo} --repo-type dataset{at} --local-dir DIR`"


def _unknown(name: str, org: str, task: str) -> str:
    if Path(name).is_dir():
        return f"no task named {name!r}; for the folder of that name write './{name}'"
    if org not in ("", ORG):
        return (
            f"{name!r} is not embedded in mbo_hub, which does not download by itself yet; "
            f"download it ({_download(name)}) and load the folder"
        )
    import difflib

    near = difflib.get_close_matches(task.lower().replace("-", ""), pins(), n=1, cutoff=0.5)
    suggestion = f"; did you mean {near[0]!r}?" if near else ";"
    return f"no task named {name!r}{suggestion}  (`mbo list` shows all)"


def find_oracle(dataset: Folder, repo: str | None) -> Folder:
    """Find the folder that holds an oracle's file.

    Args:
        dataset: folder of the task.
        repo: the model repository that task.json names; None means the dataset folder itself.

    Returns:
        The dataset folder, a folder beside it named like the repository (as `export` lays them
        out), or the embedded copy of one of the archive's own oracles. Its files are checked
        against task.json when they are read, so it does not matter which one it is.

    Raises:
        InvalidDataset: it is in none of these places.
    """
    if repo is None:
        return dataset
    org, _, name = repo.rpartition("/")
    beside = dataset.path.parent / name
    if dataset.origin == "folder" and beside.is_dir():
        return Folder(beside, "folder")
    own = _root("oracles_onnx") / name.removesuffix("-oracle")
    if org == ORG and own.is_dir():
        return Folder(own, "embedded")
    raise InvalidDataset(
        str(dataset.path),
        [f"its oracle's repository {repo} is not here; download it "
         f"(`hf download {repo} --local-dir {beside}`) so that it lies beside the dataset"],
    )  # fmt: skip


def export(names: Iterable[str], target: Path) -> list[tuple[Path, bool]]:
    """Copy embedded tasks, laid out like the Hub: DIR/<task> and DIR/<task>-oracle.

    Args:
        names: tasks of the archive.
        target: folder to write into; made if missing. `load_dataset("mbo/<task>")` finds it when it
            is called mbo and lies in the working directory.

    Returns:
        Each folder, and whether it was written now; False: it was there already, just the same.

    Raises:
        UnknownTask: before anything is written.
        ExportConflict: a folder is there with other content; nothing was written.
        OSError: the place cannot be written.
    """
    wanted: list[tuple[Path, Path]] = []
    for name in names:
        folder, _ = find(name)
        task = folder.path.name
        wanted += [
            (folder.path, target / task),
            (_root("oracles_onnx") / task, target / f"{task}-oracle"),
        ]
    written = []
    for source, place in wanted:
        differing = sorted(_differing(source, place)) if place.exists() else []
        if differing:
            named = ", ".join(differing[:5]) + (", …" if len(differing) > 5 else "")
            raise ExportConflict(
                f"{place} is there already and differs in {named}; nothing was written. Move it "
                "away or choose another folder"
            )
    for source, place in wanted:
        if place.exists():
            written.append((place, False))
            continue
        with new_folder(place) as fresh:
            for file, raw in _files(source).items():
                (fresh / file).parent.mkdir(parents=True, exist_ok=True)
                (fresh / file).write_bytes(raw)
        written.append((place, True))
    return written


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _differing(source: Path, place: Path) -> set[str]:
    if not place.is_dir():
        return {place.name}
    there, here = _files(place), _files(source)
    return {file for file in here.keys() | there.keys() if here.get(file) != there.get(file)}


def summaries() -> list[dict[str, Any]]:
    """The embedded task.json files as plain JSON: for listings that start fast."""
    return [
        msgspec.json.decode(embedded(name).read("task.json", pin["sha256"]))
        for name, pin in pins().items()
    ]


def copies(*, check: bool) -> list[dict[str, Any]]:
    """Describe the copies of datasets that load without a network.

    Args:
        check: hash every file of each.

    Returns:
        Name, version, path, bytes and state ('embedded', 'intact' once checked, 'damaged: …').
    """
    found = []
    for name, pin in pins().items():
        folder = embedded(name)
        places = (folder.path, _root("oracles_onnx") / name)
        found.append(
            {
                "name": name,
                "version": pin["version"],
                "path": str(folder.path),
                "bytes": sum(len(raw) for place in places for raw in _files(place).values()),
                "state": _state(folder, pin["sha256"]) if check else "embedded",
            }
        )
    return found


def _state(folder: Folder, pin: str) -> str:
    """Check a dataset folder and its oracles against the hashes that lead from the pin."""
    try:
        declared = msgspec.json.decode(folder.read("task.json", pin))
        for file, entry in declared["files"].items():
            folder.read(file, entry["sha256"])
        for oracle in declared["oracles"].values():
            if "sha256" in oracle:
                find_oracle(folder, oracle["repo"]).read(oracle["file"], oracle["sha256"])
    except (IntegrityError, InvalidDataset) as error:
        return f"damaged: {error}"
    return "intact"
