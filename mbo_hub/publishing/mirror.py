"""Bare git repositories with version tags: an archive for clusters without a network.

`git clone` reads them, and olah, a mirror server from PyPI, serves them to the clients of the Hub.
Author, date and order are fixed, so two exports of the same versions give the same commits.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from mbo_hub.archive import folders
from mbo_hub.archive.folders import ORG
from mbo_hub.archive.hub import local_files
from mbo_hub.errors import ExportConflict, GitFailed

__all__ = ["commit_folder", "export_git"]

AUTHOR, EMAIL = "mbo-hub", "mbo-hub@localhost"
DATE = "1577836800 +0000"  # 2020-01-01, so that commits depend on content alone


def export_git(names: Iterable[str], target: Path) -> list[tuple[Path, str, bool]]:
    """Write tasks that are here as git repositories, laid out the way olah looks for them.

    Each version becomes a commit on `main` with a tag; older versions stay. Export versions in
    ascending order, since `main` is the one exported last.

    Args:
        names: tasks of the archive.
        target: gets ``datasets/mbo/<task>`` and ``models/mbo/<task>-oracle``.

    Returns:
        Each repository, its tag, and whether the tag was made now.

    Raises:
        UnknownTask: before anything is written.
        ExportConflict: a tag holds other content already, or a folder is no git repository.
        GitFailed: git is missing, or fails.
    """
    wanted = []
    for task, dataset, oracles in folders.pairs(names):
        tag = f"v{folders.pins()[task]['version']}"
        wanted += [
            (dataset, target / "datasets" / ORG / task, tag),
            (oracles, target / "models" / ORG / f"{task}-oracle", tag),
        ]
    return [(place, tag, commit_folder(source, place, tag)) for source, place, tag in wanted]


def commit_folder(source: Path, place: Path, tag: str) -> bool:
    """Commit a folder's files to a bare repository as a version.

    Args:
        source: the folder.
        place: the repository; made if it is not there.
        tag: version tag, v1.0.0.

    Returns:
        Whether the tag was made; False: it was there already, with these files.

    Raises:
        ExportConflict: the tag holds other content, or the place is something else.
        GitFailed: git is missing, or fails.
    """
    files = local_files(source)
    if not (place / "HEAD").is_file():
        if place.exists() and any(place.iterdir()):
            raise ExportConflict(f"{place} is there already and is no bare git repository")
        place.mkdir(parents=True, exist_ok=True)
        _git(place, "init", "--quiet", "--bare", "--template=")
        _git(place, "symbolic-ref", "HEAD", "refs/heads/main")
    # Byte for byte: no filters, no attributes, no LFS.
    names = "".join(f"{path.resolve()}\n" for path in files.values())
    blobs = _git(place, "hash-object", "-w", "--no-filters", "--stdin-paths", feed=names).split()
    entries = "".join(f"100644 {blob}\t{name}\0" for blob, name in zip(blobs, files, strict=True))
    with tempfile.TemporaryDirectory() as scratch:
        index = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}  # noqa: PTH118 -- for git
        _git(place, "update-index", "-z", "--index-info", feed=entries, env=index)
        tree = _git(place, "write-tree", env=index)
    there = _resolve(place, f"refs/tags/{tag}^{{tree}}")
    if there is not None:
        if there != tree:
            changed = _git(place, "diff-tree", "-r", "--name-only", there, tree).split()
            raise ExportConflict(
                f"{place}: {tag} is there already with other content ({', '.join(changed[:5])}); "
                "a published version does not change"
            )
        return False
    parent = _resolve(place, "refs/heads/main^{commit}")
    above = ["-p", parent] if parent else []
    commit = _git(place, "commit-tree", tree, *above, feed=f"Publish {tag}\n")
    both = (
        f"start\ncreate refs/tags/{tag} {commit}\n"
        f"update refs/heads/main {commit} {parent or '0' * 40}\nprepare\ncommit\n"
    )
    _git(place, "update-ref", "--stdin", feed=both)
    return True


def _resolve(place: Path, name: str) -> str | None:
    return _git(place, "rev-parse", "--quiet", "--verify", name, may_fail=True) or None


def _git(
    place: Path,
    *arguments: str,
    feed: str = "",
    env: dict[str, str] | None = None,
    may_fail: bool = False,
) -> str:
    """Run git on a repository, untouched by the user's configuration and environment."""
    environment = {k: v for k, v in os.environ.items() if not re.match("GIT_", k)} | {
        "GIT_DIR": str(place.resolve()),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_DEFAULT_HASH": "sha1",
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
            ["git", *arguments],  # noqa: S607 -- the user's git
            input=feed.encode(),
            capture_output=True,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        raise GitFailed("git is not installed; `mbo export` without --git needs none") from None
    if done.returncode and not may_fail:
        raise GitFailed(f"git {arguments[0]} in {place}: {done.stderr.decode().strip()}")
    return done.stdout.decode().strip()
