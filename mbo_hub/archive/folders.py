"""Where a dataset or oracle folder is: explicit folder, embedded copy, built copy, or the Hub.

Every file that is read goes through `Folder.read`, which checks its sha256 first and hands out the
very bytes that it checked. The folders look here as they do on the Hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mbo_hub.archive import hub
from mbo_hub.archive.hub import Kind
from mbo_hub.dataset import files
from mbo_hub.dataset.layout import DECLARATION, TRAIN
from mbo_hub.errors import (
    DownloadFailed,
    HubUnavailable,
    IntegrityError,
    InvalidDataset,
    InvalidFile,
    NotPermitted,
    UnknownRevision,
    UnknownTask,
)

if TYPE_CHECKING:
    from mbo_hub.dataset.manifest import Manifest

__all__ = [
    "ORG",
    "Declaration",
    "Folder",
    "Pin",
    "Repository",
    "embedded",
    "embedded_oracle",
    "find",
    "find_card",
    "find_declared",
    "find_oracle",
    "oracle_folders",
    "pins",
    "require_owner",
]

REINSTALL = "reinstall with  pip install --force-reinstall mbo-hub"
ORG = "mbo"  # the Hub organisation of the archive's own tasks
PACKAGE = Path(__file__).parent.parent


@dataclass(frozen=True)
class Declaration:
    """A task.json as it was read.

    Attributes:
        raw: its bytes.
        manifest: what they say.
    """

    raw: bytes
    manifest: Manifest

    @property
    def sha256(self) -> str:
        """The hash by which receipts name the dataset."""
        return sha256(self.raw).hexdigest()


@dataclass(frozen=True)
class Folder:
    """A folder of the archive; reading from it checks what is read.

    It stays the same folder when the working directory changes.

    Attributes:
        path: where it is, as somebody wrote it.
        pin: the sha256 that its task.json must have; None where nothing pins it.
        advice: what to do about a file that is missing or changed.
    """

    path: Path
    pin: str | None = field(default=None, kw_only=True)
    advice: str = field(default="", kw_only=True)
    _place: Path = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_place", self.path.absolute())

    def __str__(self) -> str:
        return str(self.path)

    @property
    def _way_out(self) -> str:
        return self.advice or (
            f"`mbo validate {self.path}` lists all that is wrong; then get the folder again"
        )

    def declaration(self) -> Declaration:
        """Read task.json, checked against the pin.

        Raises:
            InvalidDataset: there is none, or it breaks its format.
            UnsupportedFormat: it was written for a newer mbo_hub.
            IntegrityError: it is not the one that the pin names.
            HubUnavailable: the folder is a repository and the Hub cannot be reached.
        """
        from mbo_hub.dataset import manifest

        raw = self.read(DECLARATION, self.pin)
        return Declaration(raw, manifest.read(raw, str(self)))

    def manifest(self) -> Manifest:
        """What task.json says, read like `declaration` and with the same errors."""
        return self.declaration().manifest

    def pinned(self, repo: str | None = None) -> frozenset[str]:
        """Name the files that the tag of this version covers; what else is there may be improved.

        Args:
            repo: the repository of an oracle, as task.json names it; None for the dataset's own,
                whose task.json is among them.
        """
        named = frozenset(self.manifest().pinned(repo))
        return named | {DECLARATION} if repo is None else named

    def read(
        self,
        file: str,
        expected: str | None,
        is_same: Callable[[bytes], bool] = lambda raw: False,
        at_most: int | None = None,
    ) -> bytes:
        """Read a file and check it.

        Args:
            file: path inside the folder, with forward slashes.
            expected: its sha256; None for the file that names the others.
            is_same: whether content with another hash says the same.
            at_most: bytes that it may have; None: as `mbo_hub.dataset.files.read`.

        Raises:
            InvalidDataset: there is no such file, or it is larger, or not a regular file.
            IntegrityError: its content is another.
            HubUnavailable: the folder is a repository and the Hub cannot be reached.
        """
        raw = self._raw(file, at_most)
        found = sha256(raw).hexdigest()
        if expected not in (None, found) and not is_same(raw):
            self._set_aside(file)
            what = files.what_happened(raw, expected)
            advice = self._way_out
            raise IntegrityError(
                f"{self}/{file}: sha256 expected {expected[:12]}…, got {found[:12]}… "
                f"({len(raw):,} bytes); it was not used. "
                + (f"It {what}" if what else f"{advice[:1].upper()}{advice[1:]}")
            )
        return raw

    def _raw(self, file: str, at_most: int | None) -> bytes:
        try:
            return files.read(self._place / file, at_most)
        except InvalidFile as error:
            raise InvalidDataset(str(self), [f"{file} {error}; {self._way_out}"]) from None

    def locate(self, file: str) -> Path:
        """Tell where a file is, without reading it; a repository's is downloaded if need be."""
        return self._place / file

    def _set_aside(self, file: str) -> None:
        """Make sure that a file with the wrong content is not found again; a user's own stays."""

    def beside(self, repo: str, revision: str | None) -> Folder | None:
        """Find the folder of an oracle's repository, where it lies beside this one."""
        beside = self._place.parent / repo.rpartition("/")[2]
        return Folder(beside, advice=self.advice) if beside.is_dir() else None


@dataclass(frozen=True)
class Repository(Folder):
    """A repository on the Hub at a revision; each file is downloaded when it is first read.

    A branch may move between two files, so all come from the commit that the first one came from.

    Attributes:
        repo: ``owner/name``.
        kind: dataset or model.
        revision: tag, branch or commit.
        note: what else was tried, for errors.
        instead: another way to get the data, for errors.
    """

    path: Path = field(init=False)
    advice: str = field(
        default="it was removed from the cache: try again, and tell the repository's owner if it "
        "happens twice",
        kw_only=True,
    )
    repo: str
    kind: Kind
    revision: str
    note: str = field(default="", kw_only=True)
    instead: str = field(default="", kw_only=True)
    _commit: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.repo))

    def __str__(self) -> str:
        return f"{self.repo}@{self._at}"

    @property
    def _at(self) -> str:
        """The commit that the first file came from; before that, the revision."""
        return self._commit[0] if self._commit else self.revision

    def _download(self, file: str, at_most: int | None = None) -> Path:
        try:
            return hub.download(self.repo, self.kind, file, self._at, at_most, note=self.note)
        except (HubUnavailable, NotPermitted, UnknownRevision, UnknownTask) as error:
            if not self.instead:
                raise
            raise type(error)(f"{error}. Or, without the Hub: {self.instead}") from None

    def _raw(self, file: str, at_most: int | None) -> bytes:
        path = self._download(file, at_most)
        if not self._commit:
            self._commit.extend(_commit_of(path))
        try:
            return files.read(path, at_most)
        except InvalidFile as error:
            raise InvalidDataset(str(self), [f"{file} {error}"]) from None

    def locate(self, file: str) -> Path:
        """Tell where a file is in huggingface_hub's cache; it is downloaded if need be."""
        return self._download(file)

    def _set_aside(self, file: str) -> None:
        hub.forget(self._download(file))

    def beside(self, repo: str, revision: str | None) -> Folder:
        """Name the repository of an oracle; without an owner it has the owner of this one."""
        owner = self.repo.partition("/")[0]
        return Repository(repo if "/" in repo else f"{owner}/{repo}", "model", revision or "main")


def _commit_of(path: Path) -> tuple[str, ...]:
    """The commit that a file in huggingface_hub's cache belongs to, where its path names one."""
    parts = path.parts
    if "snapshots" not in parts:
        return ()
    at = len(parts) - 1 - parts[::-1].index("snapshots")
    return parts[at + 1 : at + 2]


class Pin(msgspec.Struct, frozen=True):
    """What this release was made with: the version of a task, and its task.json's sha256."""

    version: str
    sha256: str

    @property
    def tag(self) -> str:
        """The version's git tag."""
        return f"v{self.version}"


@cache
def pins() -> Mapping[str, Pin]:
    """The version of each of the archive's own tasks that this release was made with, by name."""
    raw = Path(__file__).with_name("pins.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, Pin])


@cache
def _root(kind: Literal["dataset_cards", "oracles_onnx"]) -> Path:
    """The embedded folders: inside an installed package, beside it in a checkout."""
    installed = PACKAGE / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


def embedded(name: str) -> Folder:
    """The embedded dataset folder of one of the archive's own tasks."""
    pin = pins().get(name)
    return Folder(
        _root("dataset_cards") / name, pin=None if pin is None else pin.sha256, advice=REINSTALL
    )


def embedded_oracle(name: str) -> Folder:
    """The embedded oracle folder of one of the archive's own tasks."""
    return Folder(_root("oracles_onnx") / name, advice=REINSTALL)


def expanded(name: str | os.PathLike[str]) -> Path:
    """The path that a person wrote; ~ and ~user are their home folders.

    Raises:
        UnknownTask: there is no such user, or nobody knows a home folder for this one.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError:
        user = os.fspath(name).partition("/")[0]
        raise UnknownTask(
            f"{os.fspath(name)}: {user} has no home folder here; write the whole path"
        ) from None


def cache_root() -> Path:
    """Where `mbo build` keeps what it builds: $MBO_HUB_CACHE, else mbo-hub in the user's cache.

    Raises:
        DownloadFailed: nobody knows a home folder for this user.
    """
    from platformdirs import user_cache_path

    own = os.environ.get("MBO_HUB_CACHE")
    if own:
        return expanded(own)
    try:
        # Older platformdirs leave ~ as it is where there is no home.
        return user_cache_path("mbo-hub", appauthor=False).expanduser()
    except RuntimeError:
        raise DownloadFailed(
            "this user has no home folder, so there is no cache; set MBO_HUB_CACHE to a folder"
        ) from None


def built(name: str) -> Folder:
    """The folder of one of the archive's own tasks that is built from its public source here.

    Raises:
        DownloadFailed: there is no place for it.
    """
    pin = pins()[name]
    return Folder(
        cache_root() / name / pin.tag,
        pin=pin.sha256,
        advice=f"build it again with  mbo build {name}",
    )


def found_built(name: str) -> Folder | None:
    """The folder of one of the archive's own tasks that was built here, if it was."""
    try:
        folder = built(name)
    except DownloadFailed:
        return None
    return folder if files.is_there(folder.path) else None


def with_data(name: str) -> Folder | None:
    """The folder that has the data of one of the archive's own tasks here: embedded, or built."""
    places = (embedded(name), found_built(name))
    return next((p for p in places if p and files.is_there(p.path / TRAIN)), None)


def is_folder_name(name: str | os.PathLike[str]) -> bool:
    """Tell a folder ('./x', '../x', '/x', '~/x' or a Path) from a task's name ('x', 'mbo/x')."""
    return not isinstance(name, str) or bool(re.match(r"[.~/\\]|[A-Za-z]:[/\\]", name))


def everywhere(name: str) -> str:
    """The name of a task as processes in other folders find it: an absolute path for a folder."""
    return str(Path(name).expanduser().resolve()) if is_folder_name(name) else name


def version_of(revision: str | None) -> str | None:
    """The version that a revision asks for: '1.0.0' of 'v1.0.0' and '1.0.0'; None of a branch."""
    found = re.fullmatch(r"v?(\d+\.\d+\.\d+)", revision or "")
    return found.group(1) if found else None


def find(name: str | os.PathLike[str], revision: str | None = None) -> Folder:
    """Find the dataset folder of a task: explicit folder, embedded or built copy, or repository.

    Args:
        name: a task ('tfbind8' or 'mbo/tfbind8'), a repository ('someone/their-task'), or a folder
            ('./my_dataset' or a Path).
        revision: version, branch or commit wanted; None takes the version that this release was
            made with, or another's main branch.

    Returns:
        The folder, whose pin is that of this release where the version is.

    Raises:
        UnknownTask: no such folder, or no task of that name.
        UnknownRevision: a branch or commit of a folder.
    """
    meant = _meant(name)
    if meant is not None:
        raise UnknownTask(f"{os.fspath(name)!r} is not the name of a task; {meant}")
    if not is_folder_name(name) and not re.fullmatch(r"([\w-][\w.-]*/)?[\w-][\w.-]*", str(name)):
        raise UnknownTask(f"{name!r} is not the name of a task; write task, owner/task or ./folder")
    if revision == "":
        raise UnknownRevision(f"{name}: the revision is empty; write v1.0.0, a branch, or None")
    if is_folder_name(name):
        if revision is not None and version_of(revision) is None:
            raise UnknownRevision(f"{name}: a folder holds one version, so it has no {revision!r}")
        path = expanded(name)
        if not files.is_there(path / DECLARATION):
            what = "has no task.json" if path.is_dir() else "does not exist"
            raise UnknownTask(f"{name}: the folder {what}, so it is not a dataset folder")
        return Folder(path)
    org, _, task = str(name).rpartition("/")
    version = version_of(revision)
    if org in ("", ORG) and task in pins():
        pin = pins()[task]
        if revision is None or version == pin.version:
            return with_data(task) or Repository(
                f"{ORG}/{task}",
                "dataset",
                pin.tag,
                pin=pin.sha256,
                instead=f"build the data from their public source, once, with  mbo build {task}",
            )
        note = f"this mbo_hub embeds {pin.tag}, "
        return Repository(f"{ORG}/{task}", "dataset", _tag(revision), note=note)
    if org == "":
        raise UnknownTask(unknown(task))
    here = f"for the folder of that name write './{name}'" if _is_there(str(name)) else ""
    return Repository(str(name), "dataset", _tag(revision or "main"), instead=here)


def find_declared(
    name: str | os.PathLike[str], revision: str | None = None
) -> tuple[Folder, Declaration]:
    """Find a dataset folder, as `find`, and read its task.json.

    Raises:
        UnknownRevision: the folder holds another version than the one asked for.
        MboHubError: as `find` and `Folder.declaration`.
    """
    folder = find(name, revision)
    declaration = folder.declaration()
    wanted, held = version_of(revision), declaration.manifest.version
    if wanted not in (None, held):
        raise UnknownRevision(f"{folder} holds version {held}, not {wanted}")
    return folder, declaration


def find_card(name: str | os.PathLike[str]) -> Folder:
    """Find the folder of a task's card and task.json, as `find`; the data need not be there.

    Raises:
        UnknownTask: no such folder, or no task of that name.
    """
    task = os.fspath(name).removeprefix(f"{ORG}/")
    if task in pins() and (embedded(task).path / DECLARATION).is_file():
        return embedded(task)
    return find(name)


def _tag(revision: str) -> str:
    version = version_of(revision)
    return revision if version is None else f"v{version}"


# Design-Bench's names of its datasets, which stand before -Exact-v0 and the like, and ours.
DESIGN_BENCH: Mapping[str, str | None] = {
    "TFBind8": "tfbind8",
    "TFBind10": "tfbind10",
    "CIFARNAS": "nas",
    "ChEMBL_[^-]*": "chembl",
    "ChEMBL(?=-)": "chembl",
    "Superconductor(?=-)": "superconductor",
    "AntMorphology": "ant",
    "DKittyMorphology": "dkitty",
    "HopperController": "hopper",
    "UTR": None,
    "GFP": None,
}


def require_owner(org: str) -> None:
    """See that a name can be that of an organisation or a user.

    Raises:
        UnknownTask: it cannot.
    """
    if not re.fullmatch(r"[\w-][\w.-]*", org, re.ASCII):
        raise UnknownTask(
            f"{org!r} cannot own repositories: names of organisations and users have letters, "
            "digits, - and _"
        )


def _meant(name: str | os.PathLike[str]) -> str | None:
    """Say what to write for what is clearly a task, written as it is elsewhere; else None."""
    address = re.match(
        r"(?:hf|https?)://(?:[^/]*/)?datasets/([\w.-]+/[\w.-]+)"
        r"(?:@([^/?#]+)|/(?:tree|blob|resolve)/([^/?#]+))?",
        str(name),
    )
    versioned = isinstance(name, str) and re.fullmatch(r"([\w-][\w./-]*)@([^@/]+)", name)
    if address is not None:
        repo, revision = address[1], address[2] or address[3]
    elif versioned:
        repo, revision = versioned.groups()
    elif Path(name).name == DECLARATION and not Path(name).is_dir():
        folder = Path(name).parent.as_posix()
        return f"name its folder: {folder if is_folder_name(folder) else f'./{folder}'}"
    else:
        return None
    at = "" if revision in (None, "main") else f", and the version apart: revision={revision!r}"
    return f"write {repo!r}{at}"


def _is_there(name: str) -> bool:
    """Tell whether a folder is called so."""
    return os.path.isdir(name)  # noqa: PTH112 -- Path.is_dir raises where a name is too long


def unknown(task: str) -> str:
    """Say that there is no task of this name, and which one may be meant."""
    import difflib

    if _is_there(task):
        return f"no task named {task!r}; for the folder of that name write './{task}'"
    for theirs, ours in DESIGN_BENCH.items() if task.lower() not in pins() else ():
        if re.match(rf"{theirs}(?![a-z0-9])", task, re.IGNORECASE):
            here = f"here that task is {ours!r}" if ours else "the archive has no such task"
            return f"{task!r} is a name of Design-Bench; {here}  (`mbo list` shows all)"
    near = difflib.get_close_matches(task.lower().replace("-", ""), pins(), n=1, cutoff=0.7)
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


def oracle_folders(dataset: Folder) -> dict[str, Folder]:
    """Find the folders of the oracles' repositories that belong to a dataset.

    Returns:
        Each by the name of its repository; none for oracles in the dataset folder itself, and none
        for those of another owner.

    Raises:
        InvalidDataset: as `find_oracle`.
    """
    return {
        entry.repo: find_oracle(dataset, entry.repo, entry.revision)
        for entry in dataset.manifest().oracles.values()
        if entry.repo is not None and "/" not in entry.repo
    }


def summaries() -> list[dict[str, Any]]:
    """The embedded task.json files as plain JSON: for listings that start fast."""
    cards = [embedded(name) for name in pins()]
    return [msgspec.json.decode(card.read(DECLARATION, card.pin)) for card in cards]
