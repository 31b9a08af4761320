"""What a version tag covers, and what publishing a folder again changes.

A tag covers task.json and every file that it names: data, oracles, golden values. They never change
under it. Cards, pictures and other documents may be improved on the main branch without a new
version; the tag keeps those that it was made with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

__all__ = ["AS_IT_IS", "ATTRIBUTES", "MAIN", "Change", "change"]

MAIN = "main"
# Whoever clones gets the bytes whose hashes task.json and receipts name, on Windows, too.
ATTRIBUTES, AS_IT_IS = ".gitattributes", "* -text\n"


@dataclass(frozen=True)
class Change:
    """What makes a repository hold a folder's files under a version tag.

    Attributes:
        tag: the version tag, v1.0.0.
        files: to be uploaded to the main branch, or to be removed from it.
        is_first: the tag is to be made, on the main branch as it is then.
        superseded: the main branch holds another version, and is left alone.
        conflicts: files that the tag covers, and that are others under it: nothing may be done.
    """

    tag: str
    files: tuple[str, ...] = ()
    is_first: bool = False
    superseded: bool = False
    conflicts: tuple[str, ...] = ()


def change(
    tag: str,
    wanted: Mapping[str, str],
    pinned: Collection[str],
    tags: Collection[str],
    files_at: Callable[[str], Mapping[str, str]],
) -> Change:
    """Compare a folder with a repository.

    Args:
        tag: the version tag that the folder is to have.
        wanted: hash of each file of the folder, by its path.
        pinned: those that the tag covers.
        tags: that the repository has.
        files_at: gives the hashes of the repository's files, at a tag or at `MAIN`.
    """
    if tag not in tags:
        return Change(tag, _differing(wanted, files_at(MAIN)), is_first=True)
    conflicts = _differing(wanted, files_at(tag), pinned)
    if conflicts:
        return Change(tag, conflicts=conflicts)
    main = files_at(MAIN)
    # Versions may share their pinned files (an oracle's, where only the data changed).
    is_newest = max(tags, key=_version) == tag
    if not is_newest or _differing(wanted, main, pinned):
        return Change(tag, superseded=True)
    return Change(tag, _differing(wanted, main))


def _differing(
    wanted: Mapping[str, str], there: Mapping[str, str], among: Collection[str] | None = None
) -> tuple[str, ...]:
    files = wanted.keys() | there.keys() if among is None else among
    return tuple(sorted(file for file in files if wanted.get(file) != there.get(file)))


def _version(tag: str) -> tuple[int, ...]:
    """Order tags by version; what is no version tag comes first."""
    return tuple(map(int, tag[1:].split("."))) if re.fullmatch(r"v\d+\.\d+\.\d+", tag) else ()
