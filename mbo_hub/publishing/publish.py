"""`publish`: put tasks on the Hub, each as a dataset repository and its oracles' repository."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from mbo_hub import extras
from mbo_hub.archive import folders, hub
from mbo_hub.archive.folders import Folder, Repository
from mbo_hub.archive.hub import Publication
from mbo_hub.dataset import files
from mbo_hub.dataset.layout import CARD
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.errors import InvalidDataset, InvalidFile
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.kinds import XY, Deposit, open_oracle
from mbo_hub.oracles.progress import each
from mbo_hub.publishing import metadata
from mbo_hub.publishing.validation import validate

__all__ = ["publish"]


@dataclass(frozen=True)
class _Prepared:
    """A task that passed every check: its folders, by the name of their repositories."""

    declared: Manifest
    dataset: Folder
    oracles: dict[str, Folder]


def publish(
    names: Iterable[str | os.PathLike[str]],
    org: str,
    *,
    private: bool = False,
    dry_run: bool = False,
) -> list[Publication]:
    """Publish tasks under an organisation or user name.

    All of them are checked, and compared with what is there, before the first byte is sent. The
    oracles go first, so that a dataset never names a repository that is not there. Each repository
    gets one commit and the tag ``v<version>``; an interrupted call can be run again. Where the tag
    is there already, task.json and the files that it names must be the same; what else has changed
    (cards, pictures) becomes one commit on the main branch, if that still holds this version, and
    the tag stays where it is. The token is the one that huggingface_hub finds (`hf auth login`,
    HF_TOKEN).

    Args:
        names: tasks of the archive, or dataset folders.
        org: owner of the repositories.
        private: make new repositories private.
        dry_run: check everything and say what would be done.

    Returns:
        What was done to each repository, or would be done, in order.

    Raises:
        UnknownTask: there is no such task, or `org` cannot be the name of an owner.
        InvalidDataset: a task is not fit to be published; everything that is wrong with it.
        OracleUnavailable: a library that an oracle computes with is not installed here.
        PublishConflict: a version is there already with other content; nothing was sent. Or
            somebody else is publishing there at the same time.
        NotPermitted: the token may not write there.
        HubUnavailable: the Hub cannot be reached.
        MissingExtra: the extra `publish` is not installed.
    """
    extras.require("publish", "publishing a dataset")
    folders.require_owner(org)
    with each(names, lambda name: f"checking {name}") as going:
        prepared = [_prepare(name) for name in going]
    with each(prepared, lambda task: f"asking the Hub about {task.declared.name}") as asking:
        planned = [step for task in asking for step in _plan(task, org)]
    if not dry_run:
        with each(planned, lambda step: f"publishing {step.repo}") as sending:
            for step in sending:
                hub.publish(step, private=private)
    return planned


def _plan(task: _Prepared, org: str) -> list[Publication]:
    """Compare a task's folders with their repositories."""
    tag = f"v{task.declared.version}"
    oracles = [
        hub.plan(folder.path, f"{org}/{repo}", "model", tag, task.dataset.pinned(repo))
        for repo, folder in task.oracles.items()
    ]
    repo, pinned = f"{org}/{task.declared.name}", task.dataset.pinned()
    return [*oracles, hub.plan(task.dataset.path, repo, "dataset", tag, pinned)]


def _see_that_oracles_run(folder: Folder, declared: Manifest) -> None:
    """See that what computes is installed: its absence is no fault of the dataset.

    Raises:
        OracleUnavailable: says how to install it.
    """

    def no_rows() -> XY:
        raise TypeError("an oracle that computes needs no rows")

    for entry in declared.oracles.values():
        if entry.kind in ("mujoco", "training"):
            oracle = open_oracle(Deposit(folder, declared, entry, no_rows))
            if isinstance(oracle, CheckedOracle):
                oracle.require()


def _prepare(name: str | os.PathLike[str]) -> _Prepared:
    """Find a task's folders and check them."""
    folder = folders.find(name)
    if isinstance(folder, Repository):
        task = folder.repo.removeprefix(f"{folders.ORG}/")
        way = f"build them:  mbo build {task}" if task in folders.pins() else "download it first"
        raise InvalidDataset(str(name), [f"its data are not here; {way}"])
    declared = folder.manifest()
    _see_that_oracles_run(folder, declared)
    problems = validate(folder.path)
    oracles = folders.oracle_folders(folder)
    for oracle, entry in declared.oracles.items():
        if entry.repo in oracles and entry.revision != f"v{declared.version}":
            problems.append(
                f"task.json: oracle {oracle} has revision {entry.revision}, but its repository "
                f"will be tagged v{declared.version}"
            )
    for repo, place in oracles.items():
        try:
            card = files.text(place.read(CARD, None))
        except InvalidDataset as error:
            problems += error.problems
        except InvalidFile as error:
            problems.append(f"{repo}: {CARD} {error}")
        else:
            problems += [f"{repo}: {p}" for p in metadata.problems(card, "model", [])]
    if problems:
        raise InvalidDataset(str(folder), problems)
    return _Prepared(declared, folder, oracles)
