"""What loads without a network: the copies that are embedded, built or downloaded here.

`fetch` sees to it that all files of a task are among them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from mbo_hub.archive import folders, hub
from mbo_hub.archive.folders import Folder, Repository
from mbo_hub.archive.hub import CachedRepository
from mbo_hub.dataset.layout import DECLARATION, TRAIN
from mbo_hub.errors import IntegrityError, InvalidDataset, UnknownTask

__all__ = ["Copy", "DataState", "Fetched", "copies", "fetch", "remove", "state_of_data"]

DataState = Literal["embedded", "built", "not built"]


@dataclass(frozen=True)
class Copy:
    """A copy of a dataset or of oracles that loads without a network.

    Attributes:
        name: of the task, or ``owner/name`` of the repository.
        kind: embedded, built, dataset or model; the last two were downloaded.
        versions: tags, branches or commits.
        path: where it is.
        bytes: its size; of an embedded copy, with its oracles.
        state: 'embedded', 'card and oracle', 'built' or 'cached'; once checked 'intact', or
            'damaged: …' and what is wrong.
    """

    name: str
    kind: str
    versions: tuple[str, ...]
    path: Path
    bytes: int
    state: str

    @property
    def is_damaged(self) -> bool:
        """Whether checking found something wrong."""
        return self.state.startswith("damaged")


@dataclass(frozen=True)
class Fetched:
    """What a task needs from one folder or repository, all of it here and intact.

    Attributes:
        task: as it was asked for.
        source: the folder, or ``owner/name@commit`` of the repository.
        downloaded: it is a repository, whose files lie in huggingface_hub's cache now.
        files: their paths inside.
        bytes: their size.
    """

    task: str
    source: str
    downloaded: bool
    files: tuple[str, ...]
    bytes: int


def state_of_data(name: str) -> DataState:
    """Tell in a word where the data of one of the archive's own tasks are."""
    here = folders.with_data(name)
    if here is None:
        return "not built"
    return "embedded" if here == folders.embedded(name) else "built"


def copies(*, check: bool) -> list[Copy]:
    """Describe the copies of datasets and oracles that load without a network.

    Args:
        check: hash every file of each.

    Returns:
        The archive's own tasks first, then what was downloaded.
    """
    own = [copy for name in folders.pins() for copy in _own(name, check=check)]
    cached = hub.cached_repositories()
    return own + [_downloaded(repo, check=check) for repo in cached if _is_of_an_archive(repo)]


def _own(name: str, *, check: bool) -> Iterator[Copy]:
    """Describe the embedded copy of a task, and the one that was built."""
    versions = (folders.pins()[name].tag,)
    card, oracles, built = (
        folders.embedded(name),
        folders.embedded_oracle(name),
        folders.found_built(name),
    )
    has_data = (card.path / TRAIN).parent.is_dir()
    state = "embedded" if has_data else "card and oracle"
    yield Copy(
        name,
        "embedded",
        versions,
        card.path,
        _size(card.path) + _size(oracles.path),
        _state(card, has_data=has_data) if check else state,
    )
    if built is not None:
        state = _state(built) if check else "built"
        yield Copy(name, "built", versions, built.path, _size(built.path), state)


def _downloaded(repo: CachedRepository, *, check: bool) -> Copy:
    state = "cached"
    if check:
        damaged = hub.damaged(repo)
        state = f"damaged: {', '.join(damaged)}" if damaged else "intact"
    return Copy(repo.repo, repo.kind, repo.versions, repo.path, repo.bytes, state)


def _is_of_an_archive(repo: CachedRepository) -> bool:
    return any(file.name == DECLARATION or file.suffix == ".onnx" for file in repo.files)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _state(folder: Folder, *, has_data: bool = True) -> str:
    """Check a dataset folder and its oracles against the hashes that lead from the pin."""
    try:
        for _ in _contents(folder, has_data=has_data):
            pass
    except (IntegrityError, InvalidDataset) as error:
        return f"damaged: {error}"
    return "intact"


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
    own = folders.found_built(name) if name in folders.pins() else None
    if own is not None:
        freed = _size(own.path)
        shutil.rmtree(own.path)
        return freed
    found = [repo for repo in hub.cached_repositories() if repo.repo == name]
    if not found:
        raise UnknownTask(
            f"{name!r} is not in the cache  (`mbo cache` lists what is; embedded copies stay)"
        )
    return hub.remove_from_cache([commit for repo in found for commit in repo.commits])


def _contents(folder: Folder, *, has_data: bool = True) -> Iterator[tuple[Folder, str, bytes]]:
    """Read every file that loading and scoring a task needs, checked by the hashes from its pin."""
    from mbo_hub.dataset.parquet import has_content

    declaration = folder.declaration()
    declared = declaration.manifest
    yield folder, DECLARATION, declaration.raw
    for file, entry in declared.files.items() if has_data else ():
        same = partial(has_content, wanted=entry.content_sha256, rows=entry.rows)
        yield folder, file, folder.read(file, entry.sha256, same, entry.largest)
    for oracle in declared.oracles.values():
        place = folders.find_oracle(folder, oracle.repo, oracle.revision)
        for file, wanted in oracle.pinned.items():
            yield place, file, place.read(file, wanted)


def fetch(names: Iterable[str | os.PathLike[str]], revision: str | None = None) -> list[Fetched]:
    """Get every file that loading tasks and scoring on them needs, so that no network is needed.

    What is embedded, built or cached already is checked; the rest is downloaded. Where the cache of
    huggingface_hub is shared or copied, the tasks load on a node without a network.

    Args:
        names: tasks, as `mbo_hub.load` takes them.
        revision: of all of them, likewise.

    Returns:
        What each task has from where.

    Raises:
        MboHubError: as `mbo_hub.load`; what came before it stays.
    """
    return [one for name in names for one in _fetch(name, revision)]


def _fetch(name: str | os.PathLike[str], revision: str | None) -> Iterator[Fetched]:
    sizes: dict[Folder, dict[str, int]] = {}
    folder, _ = folders.find_declared(name, revision)
    for place, file, raw in _contents(folder):
        sizes.setdefault(place, {})[file] = len(raw)
    for place, files in sizes.items():
        yield Fetched(
            task=os.fspath(name),
            source=str(place),
            downloaded=isinstance(place, Repository),
            files=tuple(files),
            bytes=sum(files.values()),
        )
