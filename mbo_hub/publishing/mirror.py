"""Bare git repositories with version tags: an archive for clusters without a network.

`git clone` reads them, and olah, a mirror server from PyPI, serves them to the clients of the Hub.
Author, date and order are fixed, so two exports of the same versions give the same commits.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from mbo_hub.archive import versions
from mbo_hub.archive.export import pairs
from mbo_hub.archive.hub import local_files
from mbo_hub.archive.versions import AS_IT_IS, ATTRIBUTES, MAIN, Change
from mbo_hub.atomic import scratch_folder
from mbo_hub.errors import ExportConflict, GitFailed, InvalidDataset

__all__ = ["Mirrored", "commit_folder", "export_git"]

AUTHOR, EMAIL = "mbo-hub", "mbo-hub@localhost"
DATE = "1577836800 +0000"  # 2020-01-01, so that commits depend on content alone


_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
}
_NO_PROGRAMS = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]


@dataclass(frozen=True)
class Mirrored:
    """A repository that `export_git` wrote, or found.

    Attributes:
        place: where it is.
        change: what was done to it.
    """

    place: Path
    change: Change


def export_git(
    names: Iterable[str | os.PathLike[str]], target: Path, owner: str | None = None
) -> list[Mirrored]:
    """Write tasks that are here as git repositories, laid out the way olah looks for them.

    Each version becomes a commit on `main` with a tag; older versions stay. Export versions in
    ascending order, since `main` is the one exported last. Cards and pictures that were improved
    since become a commit on `main`, as on the Hub, and the tag stays where it is.

    Args:
        names: tasks of the archive, or dataset folders.
        target: gets ``datasets/mbo/<task>`` and ``models/mbo/<task>-oracle``.
        owner: stands in the place of mbo for dataset folders that are not of the archive.

    Returns:
        Each repository, in order.

    Raises:
        UnknownTask: before anything is written.
        InvalidDataset, IntegrityError: a folder breaks its own declaration; likewise. Or the name
            of a file has a line end.
        ExportConflict: a tag holds other content already, or a folder is no git repository, or
            `mbo_hub.archive.export.pairs` refuses.
        GitFailed: git is missing, or fails.
    """
    written = []
    for pair in pairs(names, target, owner):
        dataset = pair.dataset
        places = [(dataset.path, Path("datasets", pair.owner, pair.task), dataset.pinned())]
        places += [
            (folder.path, Path("models", pair.owner, repo), dataset.pinned(repo))
            for repo, folder in pair.oracles.items()
        ]
        for source, path, pinned in places:
            change = commit_folder(source, target / path, pair.tag, pinned)
            written.append(Mirrored(target / path, change))
    return written


def commit_folder(source: Path, place: Path, tag: str, pinned: Collection[str]) -> Change:
    """Commit a folder's files to a bare repository as a version.

    Args:
        source: the folder.
        place: the repository; made if it is not there.
        tag: version tag, v1.0.0.
        pinned: files that the tag covers (`Folder.pinned`).

    Returns:
        What was done.

    Raises:
        InvalidDataset: the name of a file, or of a folder above it, has a line end.
        ExportConflict: the tag covers other content, or the place is something else.
        GitFailed: git is missing, or fails.
    """
    files = local_files(source)
    root = str(source.resolve())
    if re.search(r"[\n\r\0]", root):  # git is told paths a line each
        raise InvalidDataset(root, ["the path of the folder has a line end; move it"])
    if not (place / "HEAD").is_file():
        if place.exists() and any(place.iterdir()):
            raise ExportConflict(f"{place} is there already and is not a bare git repository")
        place.mkdir(parents=True, exist_ok=True)
        _git(place, "init", "--quiet", "--bare", "--template=")
        _git(place, "symbolic-ref", "HEAD", "refs/heads/main")
    # Byte for byte: no filters, no LFS.
    names = "".join(f"{path.resolve()}\n" for path in files.values())
    blobs = _git(place, "hash-object", "-w", "--no-filters", "--stdin-paths", feed=names).split()
    wanted = dict(zip(files, blobs, strict=True))
    wanted[ATTRIBUTES] = _git(place, "hash-object", "-w", "--stdin", feed=AS_IT_IS)
    tags = _git(place, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/tags").split()
    change = versions.change(tag, wanted, pinned, tags, lambda name: _files_at(place, name))
    if change.conflicts:
        raise ExportConflict(
            f"{place}: {tag} is there already with other content "
            f"({', '.join(change.conflicts[:5])}); a published version does not change"
        )
    if not change.is_first and not change.files:
        return change
    entries = "".join(f"100644 {blob}\t{name}\0" for name, blob in wanted.items())
    with scratch_folder("mbo-git-") as scratch:
        index = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}  # noqa: PTH118 -- for git
        _git(place, "update-index", "-z", "--index-info", feed=entries, env=index)
        tree = _git(place, "write-tree", env=index)
    parent = _resolve(place, f"refs/heads/{MAIN}^{{commit}}")
    above = ["-p", parent] if parent else []
    message = f"{'Publish' if change.is_first else 'Improve documents of'} {tag}\n"
    commit = _git(place, "commit-tree", tree, *above, feed=message)
    updates = [f"create refs/tags/{tag} {commit}"] if change.is_first else []
    updates.append(f"update refs/heads/{MAIN} {commit} {parent or '0' * 40}")
    _git(
        place, "update-ref", "--stdin", feed="\n".join(["start", *updates, "prepare", "commit", ""])
    )
    return change


def _files_at(place: Path, name: str) -> dict[str, str]:
    """The blob of each file at a tag or at main, by its path; none where main is not there yet."""
    ref = f"refs/heads/{MAIN}" if name == MAIN else f"refs/tags/{name}"
    if _resolve(place, f"{ref}^{{tree}}") is None:
        return {}
    listed = _git(place, "ls-tree", "-r", "-z", ref).split("\0")
    entries = [entry.split("\t", 1) for entry in listed if entry]
    return {path: described.split()[2] for described, path in entries}


def _resolve(place: Path, name: str) -> str | None:
    return _git(place, "rev-parse", "--quiet", "--verify", name, may_fail=True) or None


def _git(
    place: Path,
    *arguments: str,
    feed: str = "",
    env: dict[str, str] | None = None,
    may_fail: bool = False,
) -> str:
    """Run git on a repository, untouched by the user's configuration and environment.

    Others may write to the repository: none of the programs that its configuration names is run.
    """
    environment = {k: v for k, v in os.environ.items() if not re.match("GIT_", k)} | {
        "GIT_DIR": str(place.resolve()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_DEFAULT_HASH": "sha1",
        "GIT_ALLOW_PROTOCOL": "none",  # missing objects could be fetched, by way of a program
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_AUTHOR_NAME": AUTHOR,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_AUTHOR_DATE": DATE,
        "GIT_COMMITTER_NAME": AUTHOR,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "GIT_COMMITTER_DATE": DATE,
        "LC_ALL": "C",
        **(env or {}),
    }
    try:
        done = subprocess.run(  # noqa: S603 -- with our own words
            ["git", *_NO_PROGRAMS, *arguments],  # noqa: S607 -- the user's git
            input=os.fsencode(feed),
            capture_output=True,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise GitFailed("git is not installed; `mbo export` without --git needs none") from None
    if done.returncode and not may_fail:
        raise GitFailed(
            f"git {arguments[0]} in {place}: {done.stderr.decode(errors='replace').strip()}"
        )
    return os.fsdecode(done.stdout).strip()
