"""Where a dataset or oracle folder is: explicit folder, embedded copy, built copy, or the Hub.

Every file that is read goes through `Folder.read`, which checks its sha256 first and hands out the
very bytes that it checked. The folders look here as they do on the Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import msgspec

from mbo_hub.atomic import write_folder
from mbo_hub.errors import (
    ExportConflict,
    HubUnavailable,
    IntegrityError,
    InvalidDataset,
    NotPermitted,
    UnknownRevision,
    UnknownTask,
)

__all__ = [
    "ORG",
    "Folder",
    "Repository",
    "embedded",
    "embedded_oracle",
    "export",
    "find",
    "find_oracle",
    "pins",
]

REINSTALL = "reinstall with  pip install --force-reinstall mbo-hub"
ORG = "mbo"  # the Hub organisation of the archive's own tasks
PACKAGE = Path(__file__).parent.parent


class Folder:
    """A folder of the archive; reading from it checks what is read.

    Args:
        path: where it is.
        advice: what to do about a file that is missing or changed.
    """

    def __init__(self, path: Path, advice: str | None = None) -> None:
        self.path = path
        self.advice = advice or (
            f"`mbo validate {path}` lists all that is wrong; then get the folder again"
        )

    def __str__(self) -> str:
        return str(self.path)

    def read(
        self,
        file: str,
        expected: str | None,
        is_same: Callable[[bytes], bool] = lambda raw: False,
    ) -> bytes:
        """Read a file and check it.

        Args:
            file: path inside the folder, with forward slashes.
            expected: its sha256; None for the file that names the others.
            is_same: whether content with another hash says the same.

        Raises:
            InvalidDataset: there is no such file.
            IntegrityError: its content is another.
            HubUnavailable: the folder is a repository and the Hub cannot be reached.
        """
        raw = self._raw(file)
        found = sha256(raw).hexdigest()
        if expected not in (None, found) and not is_same(raw):
            self._set_aside(file)
            raise IntegrityError(
                f"{self}/{file}: sha256 expected {expected[:12]}…, got {found[:12]}… "
                f"({len(raw):,} bytes); it was not used. {self.advice[:1].upper()}{self.advice[1:]}"
            )
        return raw

    def _raw(self, file: str) -> bytes:
        try:
            return (self.path / file).read_bytes()
        except OSError as error:
            problem = f"{file} cannot be read ({error.strerror}); {self.advice}"
            raise InvalidDataset(str(self), [problem]) from None

    def _set_aside(self, file: str) -> None:
        """Make sure that a file with the wrong content is not found again; a user's own stays."""

    def beside(self, repo: str, revision: str | None) -> Folder | None:
        """Find the folder of an oracle's repository, where it lies beside this one."""
        beside = self.path.parent / repo.rpartition("/")[2]
        return Folder(beside) if beside.is_dir() else None


class Repository(Folder):
    """A repository on the Hub at a revision; each file is downloaded when it is first read.

    Args:
        repo: ``owner/name``.
        kind: dataset or model.
        revision: tag, branch or commit.
        note: what else was tried, for errors.
        instead: another way to get the data, for errors.
    """

    def __init__(
        self,
        repo: str,
        kind: Literal["dataset", "model"],
        revision: str,
        note: str = "",
        instead: str = "",
    ) -> None:
        super().__init__(Path(repo), "it was removed from the cache: try again, and tell the "
                         "repository's owner if it happens twice")  # fmt: skip
        self.repo = repo
        self.kind: Literal["dataset", "model"] = kind
        self.revision = revision
        self.note = note
        self.instead = instead

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}"

    def _download(self, file: str) -> Path:
        from mbo_hub.archive import hub

        try:
            return hub.download(self.repo, self.kind, file, self.revision, note=self.note)
        except (HubUnavailable, NotPermitted, UnknownRevision, UnknownTask) as error:
            if not self.instead:
                raise
            raise type(error)(f"{error}. Or, without the Hub: {self.instead}") from None

    def _raw(self, file: str) -> bytes:
        path = self._download(file)
        # A branch may move between two files: stay with the commit that the first one came from.
        self.revision = _commit_of(path) or self.revision
        return path.read_bytes()

    def _set_aside(self, file: str) -> None:
        from mbo_hub.archive import hub

        hub.forget(self._download(file))

    def beside(self, repo: str, revision: str | None) -> Folder:
        """Name the repository of an oracle; without an owner it has the owner of this one."""
        owner = self.repo.partition("/")[0]
        return Repository(repo if "/" in repo else f"{owner}/{repo}", "model", revision or "main")


def _commit_of(path: Path) -> str | None:
    """The commit that a file in huggingface_hub's cache belongs to."""
    parts = path.parts
    at = len(parts) - 1 - parts[::-1].index("snapshots") if "snapshots" in parts else -2
    return parts[at + 1] if at >= 0 else None


@cache
def _root(kind: Literal["dataset_cards", "oracles_onnx"]) -> Path:
    """The embedded folders: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


@cache
def pins() -> Mapping[str, Mapping[str, str]]:
    """Name, version and task.json's sha256 of each task that this release was made with."""
    pinned: dict[str, dict[str, str]] = msgspec.json.decode(
        Path(__file__).with_name("pins.json").read_bytes()
    )
    return pinned


def embedded(name: str) -> Folder:
    """The embedded dataset folder of one of the archive's own tasks."""
    return Folder(_root("dataset_cards") / name, REINSTALL)


def cache_root() -> Path:
    """Where `mbo build` keeps what it builds: $MBO_HUB_CACHE, else mbo-hub in the user's cache."""
    own = os.environ.get("MBO_HUB_CACHE")
    if own:
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mbo-hub"


def built(name: str) -> Folder:
    """The folder of one of the archive's own tasks that is built from its public source here."""
    version = pins()[name]["version"]
    return Folder(cache_root() / name / f"v{version}", f"build it again with  mbo build {name}")


def with_data(name: str) -> Folder | None:
    """The folder that has the data of one of the archive's own tasks here: embedded, or built."""
    places = (embedded(name), built(name))
    return next((p for p in places if (p.path / "data" / "train.parquet").is_file()), None)


def state_of_data(name: str) -> Literal["embedded", "built", "not built"]:
    """Tell in a word where the data of one of the archive's own tasks are."""
    here = with_data(name)
    if here is None:
        return "not built"
    return "embedded" if here.path == embedded(name).path else "built"


def embedded_oracle(name: str) -> Folder:
    """The embedded oracle folder of one of the archive's own tasks."""
    return Folder(_root("oracles_onnx") / name, REINSTALL)


def is_folder_name(name: str | os.PathLike[str]) -> bool:
    """Tell a folder ('./x', '../x', '/x', '~/x' or a Path) from a task's name ('x', 'mbo/x')."""
    return not isinstance(name, str) or bool(re.match(r"[.~/\\]|[A-Za-z]:[/\\]", name))


def version_of(revision: str | None) -> str | None:
    """The version that a revision asks for: '1.0.0' of 'v1.0.0' and '1.0.0'; None of a branch."""
    found = re.fullmatch(r"v?(\d+\.\d+\.\d+)", revision or "")
    return found.group(1) if found else None


def find(name: str | os.PathLike[str], revision: str | None = None) -> tuple[Folder, str | None]:
    """Find the dataset folder of a task: explicit folder, embedded or built copy, or repository.

    Args:
        name: a task ('tfbind8' or 'mbo/tfbind8'), a repository ('someone/their-task'), or a folder
            ('./my_dataset' or a Path).
        revision: version, branch or commit wanted; None takes the version that this release was
            made with, or another's main branch.

    Returns:
        The folder, and the sha256 that its task.json must have (None where nothing pins it).

    Raises:
        UnknownTask: no such folder, or no task of that name.
    """
    if not is_folder_name(name) and not re.fullmatch(r"([\w-][\w.-]*/)?[\w-][\w.-]*", str(name)):
        raise UnknownTask(f"{name!r} is no name of a task; write task, owner/task, or ./folder")
    if is_folder_name(name):
        if revision is not None and version_of(revision) is None:
            raise UnknownRevision(f"{name}: a folder holds one version and no {revision!r}")
        path = Path(name).expanduser()
        if not (path / "task.json").is_file():
            what = "has no task.json" if path.is_dir() else "does not exist"
            raise UnknownTask(f"{name}: the folder {what}, so it is no dataset folder")
        return Folder(path), None
    org, _, task = str(name).rpartition("/")
    version = version_of(revision)
    if org in ("", ORG) and task in pins():
        pin = pins()[task]
        if revision is None or version == pin["version"]:
            here = with_data(task)
            if here is not None:
                return here, pin["sha256"]
            instead = f"build the data from their public source, once, with  mbo build {task}"
            repo = Repository(f"{ORG}/{task}", "dataset", f"v{pin['version']}", instead=instead)
            return repo, pin["sha256"]
        note = f"this mbo_hub embeds v{pin['version']}, "
        return Repository(f"{ORG}/{task}", "dataset", _tag(revision), note), None
    if org == "":
        raise UnknownTask(unknown(task))
    return Repository(str(name), "dataset", _tag(revision or "main")), None


def find_card(name: str | os.PathLike[str]) -> tuple[Folder, str | None]:
    """Find the folder of a task's card and task.json, as `find`; the data need not be there.

    Raises:
        UnknownTask: no such folder, or no task of that name.
    """
    task = os.fspath(name).removeprefix(f"{ORG}/")
    if task in pins() and (embedded(task).path / "task.json").is_file():
        return embedded(task), pins()[task]["sha256"]
    return find(name)


def _tag(revision: str) -> str:
    version = version_of(revision)
    return revision if version is None else f"v{version}"


def unknown(task: str) -> str:
    """Say that there is no task of this name, and which one may be meant."""
    import difflib

    if Path(task).is_dir():
        return f"no task named {task!r}; for the folder of that name write './{task}'"
    near = difflib.get_close_matches(task.lower().replace("-", ""), pins(), n=1, cutoff=0.6)
    suggestion = f"; did you mean {near[0]!r}?" if near else ""
    return f"no task named {task!r}{suggestion}  (`mbo list` shows all)"


def find_oracle(dataset: Folder, repo: str | None, revision: str | None) -> Folder:
    """Find the folder that holds an oracle's file.

    Args:
        dataset: folder of the task.
        repo: the model repository that task.json names; None means the dataset folder itself.
        revision: of that repository.

    Returns:
        The dataset folder; the folder or repository beside it; the embedded copy of one of the
        archive's own oracles; or the repository on the Hub. It does not matter which one it is:
        files are checked against task.json when they are read.

    Raises:
        InvalidDataset: a folder does not say whose repository it means, and it is not beside it.
    """
    if repo is None:
        return dataset
    beside = dataset.beside(repo, revision)
    if beside is not None:
        return beside
    owner, _, name = repo.rpartition("/")
    own = embedded_oracle(name.removesuffix("-oracle"))
    if owner in ("", ORG) and own.path.is_dir():
        return own
    if owner:
        return Repository(repo, "model", revision or "main")
    raise InvalidDataset(
        str(dataset),
        [f"its oracle's repository {repo} is not here; put its folder beside the dataset's"],
    )


def pairs(names: Iterable[str]) -> list[tuple[str, Path, Path]]:
    """Name, dataset folder and oracle folder of the archive's own tasks, each once.

    Raises:
        UnknownTask: one of them is none of the archive's own, or its data are not here.
    """
    found = {}
    for name in names:
        folder, _ = find(name)
        task = str(name).rpartition("/")[2]
        if is_folder_name(name) or task not in pins():
            raise UnknownTask(
                f"{name!r} is not embedded here; only what `mbo list` shows is exported"
            )
        if isinstance(folder, Repository):
            raise UnknownTask(f"the data of {name!r} are not here; build them:  mbo build {task}")
        found[task] = (task, folder.path, embedded_oracle(task).path)
    return list(found.values())


def export(names: Iterable[str], target: Path) -> list[tuple[Path, bool]]:
    """Copy tasks that are here, laid out like the Hub: DIR/<task> and DIR/<task>-oracle.

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
    for task, dataset, oracles in pairs(names):
        wanted += [(dataset, target / task), (oracles, target / f"{task}-oracle")]
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
        write_folder(place, files_of(source))
        written.append((place, True))
    return written


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


def summaries() -> list[dict[str, Any]]:
    """The embedded task.json files as plain JSON: for listings that start fast."""
    return [
        msgspec.json.decode(embedded(name).read("task.json", pin["sha256"]))
        for name, pin in pins().items()
    ]


def copies(*, check: bool) -> list[dict[str, Any]]:
    """Describe the copies of datasets and oracles that load without a network.

    Args:
        check: hash every file of each.

    Returns:
        Name, kind, versions, path, bytes and state ('embedded', 'card and oracle', 'built' or
        'cached'; once checked 'intact' or 'damaged: …') of each.
    """
    from mbo_hub.archive import hub

    found = []
    for name, pin in pins().items():
        folder = embedded(name)
        places = (folder.path, embedded_oracle(name).path)
        found.append(
            {
                "name": name,
                "kind": "embedded",
                "versions": [f"v{pin['version']}"],
                "path": str(folder.path),
                "bytes": sum(len(raw) for place in places for raw in files_of(place).values()),
                "state": (
                    _state(folder, pin["sha256"])
                    if check
                    else "card and oracle"
                    if _is_card(folder)
                    else "embedded"
                ),
            }
        )
        own = built(name)
        if own.path.is_dir():
            found.append(
                {
                    "name": name,
                    "kind": "built",
                    "versions": [f"v{pin['version']}"],
                    "path": str(own.path),
                    "bytes": sum(len(raw) for raw in files_of(own.path).values()),
                    "state": _state(own, pin["sha256"]) if check else "built",
                }
            )
    for repo in hub.cached_repositories():
        files = {file for names in repo["revisions"].values() for file in names}
        if "task.json" not in files and not any(file.endswith(".onnx") for file in files):
            continue  # not of an archive
        state = "cached"
        if check:
            damaged = hub.damaged(repo)
            state = f"damaged: {', '.join(damaged)}" if damaged else "intact"
        found.append(
            {
                "name": repo["repo"],
                "kind": repo["kind"],
                "versions": sorted(repo["revisions"]),
                "path": repo["path"],
                "bytes": repo["bytes"],
                "state": state,
            }
        )
    return found


def remove(name: str) -> int:
    """Remove a repository from the cache.

    Args:
        name: as `copies` lists it: ``owner/name``, whose dataset and model both go, or a task that
            was built here.

    Returns:
        Bytes freed.

    Raises:
        UnknownTask: it is not cached.
    """
    import shutil

    from mbo_hub.archive import hub

    if name in pins() and built(name).path.is_dir():
        own = built(name).path
        freed = sum(len(raw) for raw in files_of(own).values())
        shutil.rmtree(own)
        return freed
    commits = [c for r in hub.cached_repositories() if r["repo"] == name for c in r["commits"]]
    if not commits:
        raise UnknownTask(
            f"{name!r} is not in the cache  (`mbo cache` lists what is; embedded copies stay)"
        )
    return hub.remove_from_cache(commits)


def _is_card(folder: Folder) -> bool:
    """Tell whether this is the embedded folder of a task whose data the package does not carry."""
    return folder.path.parent == _root("dataset_cards") and not (folder.path / "data").is_dir()


def _state(folder: Folder, pin: str) -> str:
    """Check a dataset folder and its oracles against the hashes that lead from the pin."""
    from mbo_hub.dataset.parquet import has_content

    try:
        declared = msgspec.json.decode(folder.read("task.json", pin))
        for file, entry in declared["files"].items():
            if not _is_card(folder):
                content = entry.get("content_sha256")
                folder.read(file, entry["sha256"], partial(has_content, wanted=content))
        for oracle in declared["oracles"].values():
            if "sha256" in oracle:
                place = find_oracle(folder, oracle["repo"], oracle["revision"])
                place.read(oracle["file"], oracle["sha256"])
    except (IntegrityError, InvalidDataset) as error:
        return f"damaged: {error}"
    return "intact"
