"""The Hugging Face Hub: download a file at a revision, publish a folder under a tag.

Nothing else in the package talks to the Hub. Files land in the cache of huggingface_hub, so
HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean there. A version tag is taken
to be fixed: once a file is cached under `v1.0.0`, it is served from there without any request.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha1, sha256
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeVar

from mbo_hub.archive import answers, surroundings, versions
from mbo_hub.archive.versions import AS_IT_IS, ATTRIBUTES, MAIN, Change
from mbo_hub.dataset import files
from mbo_hub.errors import (
    DownloadFailed,
    HubUnavailable,
    IntegrityError,
    InvalidDataset,
    MboHubError,
    NotPermitted,
    PublishConflict,
    UnknownRevision,
    UnknownTask,
)

__all__ = [
    "CachedRepository",
    "Publication",
    "author_of",
    "cache_folder",
    "cached_repositories",
    "comment",
    "commit_of",
    "damaged",
    "download",
    "files_at",
    "forget",
    "is_fixed",
    "local_files",
    "plan",
    "publish",
    "remove_from_cache",
    "send",
    "user",
]

log = logging.getLogger(__name__)

Kind = Literal["dataset", "model"]
T = TypeVar("T")
SOON = 1.0  # seconds to wait for an answer when a cached copy is at hand
PATIENT = 10.0  # … and when there is none
ANY = 10**18  # bytes
PAGE = 2**26  # bytes of a page of a list of files
MANY = 100_000  # files of a repository
_COMMIT = re.compile(r"[0-9a-f]{40}")
PAUSES = (0.5, 1.0, 2.0)  # seconds before the next try after 429 and 5xx


def is_fixed(revision: str) -> bool:
    """Tell a revision that never changes (version tag, commit) from one that does (a branch)."""
    return bool(re.fullmatch(r"v\d+\.\d+\.\d+|[0-9a-f]{40}", revision))


def _endpoint() -> str:
    """The Hub's address as it may be shown: without a user and password in it."""
    from huggingface_hub import constants

    return re.sub(r"//[^/@]*@", "//", constants.ENDPOINT)


def _is_offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _cached(repo: str, kind: Kind, file: str, revision: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    with _readable_cache():
        found = try_to_load_from_cache(repo, file, revision=revision, repo_type=kind)
    return Path(found) if isinstance(found, str) else None


@contextmanager
def _readable_cache() -> Iterator[None]:
    """Look into the cache.

    Raises:
        DownloadFailed: there is no place for one, or it may not be read.
    """
    folder = cache_folder()
    if folder.startswith("~"):
        raise DownloadFailed("this user has no home folder, so there is no cache; set HF_HOME")
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        raise DownloadFailed(
            f"{place} cannot be read ({error.strerror or error}). The cache is {folder} (HF_HOME "
            "moves it)"
        ) from None


def download(
    repo: str, kind: Kind, file: str, revision: str, at_most: int | None = None, *, note: str = ""
) -> Path:
    """Get one file of a repository, from the cache where that is right, else from the Hub.

    Args:
        repo: ``owner/name``.
        kind: dataset or model.
        file: path inside the repository.
        revision: tag, branch or commit. A branch is asked for anew each time; when the Hub does not
            answer, its cached copy is used and a warning is logged.
        at_most: bytes that it may have; a larger one is not downloaded. None: as much as
            `files.read` reads.
        note: what else was tried, for the error: "…, ".

    Returns:
        Path of the cached file, whose content is what the Hub announced.

    Raises:
        UnknownTask: no such repository, or a private one.
        UnknownRevision: no such revision.
        InvalidDataset: no such file, or a larger one.
        NotPermitted: the token may not read it.
        HubUnavailable: not cached, and the Hub cannot be reached.
        DownloadFailed: the file did not arrive whole, or cannot be written, or what the Hub
            announces of it is not to be used.
        IntegrityError: the content is not what the Hub announced; it was removed from the cache.
    """
    from huggingface_hub import get_hf_file_metadata, get_session, hf_hub_download, hf_hub_url

    what = f"{repo} ({kind}, revision {revision}): {file}"
    odd = answers.problem_of_name(file)
    if odd is not None:
        raise InvalidDataset(f"{repo} ({kind}, revision {revision})", [odd])
    limit = files.limit_of(Path(file)) if at_most is None else at_most
    cached = _cached(repo, kind, file, revision)
    if cached is not None and (is_fixed(revision) or _is_offline()):
        return _intact(cached, repo)
    patience = PATIENT if cached is None else SOON

    def head() -> Any:
        url = hf_hub_url(repo, file, repo_type=kind, revision=revision)
        with answers.bounded(get_session(), ANY):  # it has no body
            return get_hf_file_metadata(url, token=None, timeout=patience)

    def get(size: int) -> str:
        with answers.bounded(get_session(), size):
            return hf_hub_download(
                repo, file, repo_type=kind, revision=revision, etag_timeout=PATIENT
            )

    tried = "" if cached is not None else f"not in the cache, {note}and "
    try:
        # Asked for by itself because hf_hub_download turns many an error into a cached copy.
        announced = _persist(head, what, tried)
        _refuse_a_moved_tag(repo, kind, revision, announced.commit_hash)
        if (announced.size or 0) > limit:
            problem = f"it has {announced.size:,} bytes, more than the {limit:,} that it may have"
            raise InvalidDataset(what, [f"{problem}; it was not downloaded"])
        size = limit if announced.size is None else announced.size
        path = Path(_persist(partial(get, size), what, tried))
    except HubUnavailable as error:
        if cached is None:
            raise
        log.warning("%s. Using the copy that is cached here", error)
        return _intact(cached, repo)
    return _intact(path, repo)


def _refuse_a_moved_tag(repo: str, kind: Kind, revision: str, commit: str | None) -> None:
    """Compare with the commit that the tag had when files of it were cached."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type=kind)
    ref = folder / "refs" / revision
    with _readable_cache():
        before = ref.read_text("utf-8", "replace") if ref.is_file() else commit
    if is_fixed(revision) and before != commit:
        raise IntegrityError(
            f"{repo}: tag {revision} was commit {str(before)[:12]}… when it was cached here, and "
            f"is {str(commit)[:12]}… now; a published version does not change. Tell its owner, "
            f"or remove {folder} to accept the new one"
        )


def _persist(call: Callable[[], T], what: str, tried: str = "") -> T:
    """Call, try again after 429 and 5xx, and translate what goes wrong.

    Args:
        call: one request to the Hub.
        what: is asked for, for errors.
        tried: what else was tried, to be followed by "the Hub cannot be reached".
    """
    for pause in (*PAUSES, None):
        try:
            return call()
        except Exception as error:
            translated = _translate(error, what, tried)
            if translated is None:
                raise
            if pause is None or not _is_passing(error):
                raise translated from None
            log.info("%s; trying again in %g s", translated, pause)
            time.sleep(pause)
    raise AssertionError("unreachable")


def _status(error: BaseException | None) -> int | None:
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _is_passing(error: BaseException) -> bool:
    cause = error.__cause__ or error
    return _status(error) in (429, 500, 502, 503, 504) or _status(cause) in (
        429,
        500,
        502,
        503,
        504,
    )


def _translate(error: Exception, what: str, tried: str) -> MboHubError | None:
    """Say in mbo_hub's words what huggingface_hub says; None for what is neither's to explain."""
    import httpx2
    from huggingface_hub import errors

    def unavailable(reason: str) -> HubUnavailable:
        return HubUnavailable(
            f"{what}: {tried}the Hub at {_endpoint()} {reason}. Ways out: connect, set HF_ENDPOINT "
            "to a mirror, or load a folder that was downloaded elsewhere"
        )

    if isinstance(error, answers.Refused):
        return DownloadFailed(f"{what}: the Hub at {_endpoint()} {error}; nothing of it was kept")
    if isinstance(error, errors.HFValidationError):
        return UnknownTask(f"{what}: not the name of a repository; write owner/name")
    if isinstance(error, UnicodeEncodeError):
        return NotPermitted(f"{what}: the token has characters that tokens never have")
    if isinstance(error, errors.RevisionNotFoundError):
        return UnknownRevision(f"{what}: there is no such revision on {_endpoint()}")
    if isinstance(error, errors.GatedRepoError) or _status(error) == 403:
        return NotPermitted(f"{what}: {_endpoint()} refuses this token (403); `hf auth whoami` "
                            "shows whose it is")  # fmt: skip
    if isinstance(error, errors.RepositoryNotFoundError) or _status(error) == 401:
        return UnknownTask(
            f"{what}: no such repository on {_endpoint()}, or a private one that this token may "
            "not read (`hf auth login`)"
        )
    if isinstance(error, errors.LocalEntryNotFoundError | errors.OfflineModeIsEnabled):
        if _is_offline():
            return unavailable("may not be asked (HF_HUB_OFFLINE is set)")
        return unavailable(f"gives no usable answer ({_reason(error.__cause__ or error)})")
    if isinstance(error, errors.EntryNotFoundError):
        return InvalidDataset(what, ["there is no such file in the repository"])
    if _status(error) in (409, 412):  # 412: main is not the commit any more that was compared
        return PublishConflict(f"{what}: somebody else is publishing there; run it again")
    if isinstance(error, errors.HfHubHTTPError):
        return unavailable(f"answers {_status(error)}")
    if isinstance(error, ImportError | ValueError | OSError | httpx2.InvalidURL | httpx2.HTTPError):
        fault = surroundings.fault()
        if fault is not None:
            return unavailable(f"cannot be asked: {fault}")
    if isinstance(error, httpx2.HTTPError):
        proxy = surroundings.proxy(_endpoint())
        through = f", through the proxy of {proxy}" if proxy else ""
        return unavailable(f"cannot be reached ({_reason(error)}{through})")
    if isinstance(error, ValueError):
        return unavailable(f"gives no usable answer ({_reason(error)})")
    if isinstance(error, OSError):
        return DownloadFailed(
            f"{what}: {error.strerror or str(error).splitlines()[0]}; nothing of it was kept. The "
            f"cache is {cache_folder()} (HF_HOME moves it)"
        )
    return None


def _reason(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    return re.sub(r"//[^/@\s]*@", "//", said)


def cache_folder() -> str:
    """Where huggingface_hub keeps what it downloads: $HF_HUB_CACHE, else hub in $HF_HOME."""
    from huggingface_hub import constants

    return constants.HF_HUB_CACHE


def _announced(path: Path) -> str | None:
    """The hash that a cached file's blob is named after; None where there is no such name."""
    name = path.resolve().name
    return name if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", name) else None


def _found(path: Path) -> str:
    """The hash of a cached file's content, of the kind that its blob is named after."""
    raw = path.read_bytes()
    return sha256(raw).hexdigest() if len(path.resolve().name) == 64 else git_sha1(raw)


def _intact(path: Path, repo: str) -> Path:
    """Check a cached file against its blob's name, which is the hash that the Hub announced."""
    announced = _announced(path)
    if announced is None:
        return path
    with _readable_cache():
        found = _found(path)
    if found != announced:
        forget(path)
        raise IntegrityError(
            f"{repo}: {path.name} is not what the Hub announced (expected {announced[:12]}…, got "
            f"{found[:12]}…); it was removed from the cache. Try again, and tell the repository's "
            "owner if it happens twice"
        )
    return path


def git_sha1(raw: bytes) -> str:
    """Hash content the way git names it."""
    return sha1(b"blob %d\0" % len(raw) + raw, usedforsecurity=False).hexdigest()


def forget(path: Path) -> None:
    """Remove a file from the cache, so that the next download gets it anew.

    What lies elsewhere stays, whatever leads there.
    """
    cache = Path(cache_folder()).resolve()
    for place in (path.parent.resolve() / path.name, path.resolve()):
        if place.is_relative_to(cache):
            place.unlink(missing_ok=True)


@dataclass(frozen=True)
class Publication:
    """What makes a repository hold a folder's files under a version tag.

    Attributes:
        folder: what is published.
        repo: ``owner/name``.
        kind: dataset or model.
        change: what is to be done.
        head: the commit of the main branch that the folder was compared with; None where there is
            no repository yet.
    """

    folder: Path
    repo: str
    kind: Kind
    change: Change
    head: str | None

    @property
    def url(self) -> str:
        """Of the repository at its tag."""
        prefix = "datasets/" if self.kind == "dataset" else ""
        return f"{_endpoint()}/{prefix}{self.repo}/tree/{self.change.tag}"

    @property
    def _what(self) -> str:
        return f"{self.repo} ({self.kind}, {self.change.tag})"


def plan(folder: Path, repo: str, kind: Kind, tag: str, pinned: Collection[str]) -> Publication:
    """Compare a folder with a repository; nothing is written.

    Args:
        folder: what to publish.
        repo: ``owner/name``.
        kind: dataset or model.
        tag: version tag.
        pinned: files that the tag covers; where it exists they must be these very files.

    Raises:
        PublishConflict: the tag exists with other content; names the files.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    api = HfApi()
    what = f"{repo} ({kind}, {tag})"
    local = {name: _hashes(path) for name, path in local_files(folder).items()}
    wanted = {name: hashes[0] for name, hashes in local.items()}
    try:
        refs = _persist(lambda: api.list_repo_refs(repo, repo_type=kind), what)
    except UnknownTask:
        change = Change(tag, tuple(sorted(wanted)), is_first=True)
        return Publication(folder, repo, kind, change, head=None)
    head = str(_persist(lambda: api.repo_info(repo, repo_type=kind, revision=MAIN), what).sha)

    def files_at(name: str) -> dict[str, str]:
        revision = head if name == MAIN else name
        entries = _persist(
            lambda: list(
                api.list_repo_tree(repo, repo_type=kind, revision=revision, recursive=True)
            ),
            what,
        )
        files = {
            entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id
            for entry in entries
            if isinstance(entry, RepoFile)
        }
        files.pop(ATTRIBUTES, None)  # the Hub's own
        # What git stores it calls by a sha1: translate that of the folder's files.
        return {
            name: wanted[name] if found in local.get(name, ()) else found
            for name, found in files.items()
        }

    change = versions.change(tag, wanted, pinned, {ref.name for ref in refs.tags}, files_at)
    if change.conflicts:
        raise PublishConflict(
            f"{what}: the tag is there already with other content: {', '.join(change.conflicts)}. "
            "A published version does not change: raise the version"
        )
    return Publication(folder, repo, kind, change, head)


def publish(planned: Publication, *, private: bool = False) -> None:
    """Carry out what was planned: at most one commit on the main branch, and one tag.

    An interrupted call is finished by planning and publishing again.

    Args:
        planned: by `plan`.
        private: make a new repository private.

    Raises:
        PublishConflict: somebody else changed the main branch since it was compared.
        NotPermitted: the token may not write there.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    api = HfApi()
    repo, kind, change, what = planned.repo, planned.kind, planned.change, planned._what
    head = planned.head
    if head is None:
        _persist(
            lambda: api.create_repo(repo, repo_type=kind, private=private, exist_ok=True), what
        )
        head = _persist(lambda: api.repo_info(repo, repo_type=kind, revision=MAIN), what).sha
    if change.files:
        local = local_files(planned.folder)
        operations = [
            CommitOperationAdd(name, str(local[name]))
            if name in local
            else CommitOperationDelete(name)
            for name in change.files
        ]
        attributes = _attributes(repo, kind, str(head), what)
        if not attributes.startswith(AS_IT_IS.encode()):
            added = CommitOperationAdd(ATTRIBUTES, AS_IT_IS.encode() + attributes)
            operations.append(added)
        message = f"{'Publish' if change.is_first else 'Improve documents of'} {change.tag}"
        head = _persist(
            lambda: api.create_commit(
                repo, operations, repo_type=kind, commit_message=message, parent_commit=head
            ),
            what,
        ).oid
    if change.is_first:  # the very commit that was compared or made, whatever main is by now
        _persist(lambda: api.create_tag(repo, tag=change.tag, repo_type=kind, revision=head), what)


def files_at(repo: str, kind: Kind, revision: str = MAIN) -> dict[str, str]:
    """List the files of a repository, each with what tells its content from any other.

    Args:
        repo: ``owner/name``.
        kind: dataset or model.
        revision: branch, tag, commit, or ``refs/pr/<number>`` of a pull request.

    Raises:
        UnknownTask, UnknownRevision: there is no such repository, or no such revision.
        InvalidDataset: it has more than 100,000 files.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, get_session
    from huggingface_hub.hf_api import RepoFile

    api, what = HfApi(), f"{repo} ({kind}, {revision})"

    def listed() -> list[Any]:
        tree = api.list_repo_tree(repo, repo_type=kind, revision=revision, recursive=True)
        with answers.bounded(get_session(), PAGE):
            return list(islice(tree, MANY + 1))

    if not _COMMIT.fullmatch(revision):  # whoever names a commit has asked for it
        commit_of(repo, kind, revision)  # once; a listing is asked for six times, in 24 s
    entries = _persist(listed, what)
    if len(entries) > MANY:
        raise InvalidDataset(what, [f"it lists more than {MANY:,} files; nothing was downloaded"])
    return {
        entry.path: entry.lfs.sha256 if entry.lfs else entry.blob_id
        for entry in entries
        if isinstance(entry, RepoFile)
    }


def commit_of(repo: str, kind: Kind, revision: str = MAIN) -> str:
    """Ask which commit a branch, tag or ``refs/pr/<number>`` is now.

    Raises:
        UnknownTask, UnknownRevision: there is no such repository, or no such revision.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, get_session

    what = f"{repo} ({kind}, {revision})"

    def asked() -> Any:
        with answers.bounded(get_session(), PAGE):
            return HfApi().repo_info(repo, repo_type=kind, revision=revision, timeout=PATIENT)

    found = str(_persist(asked, what).sha)
    if not _COMMIT.fullmatch(found):
        raise HubUnavailable(f"{what}: the Hub at {_endpoint()} names no commit")
    return found


def author_of(repo: str, kind: Kind, number: int) -> str:
    """Ask who opened a pull request.

    Raises:
        UnknownTask: there is no such repository, or no such pull request.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    asked = _persist(
        lambda: HfApi().get_discussion_details(repo, number, repo_type=kind),
        f"{repo} ({kind}), pull request {number}",
    )
    return str(asked.author)


def user() -> str:
    """Ask whose the token is.

    Raises:
        UnknownTask, NotPermitted: there is no token, or the Hub refuses it.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, get_token

    if get_token() is None:
        raise NotPermitted(f"{_endpoint()} has to know who asks; log in with  hf auth login")
    return str(_persist(lambda: HfApi().whoami(), "the token")["name"])


def send(
    repo: str, kind: Kind, files: Mapping[str, bytes], title: str, text: str, *, pull_request: bool
) -> str:
    """Put files into a repository that is there, with one commit.

    Args:
        repo: ``owner/name``.
        kind: dataset or model.
        files: contents by path in it.
        title: of the commit or pull request.
        text: what else it says.
        pull_request: open one, which anybody may whose token can read; else commit to main.

    Returns:
        Address of the pull request, or of the commit.

    Raises:
        UnknownTask: there is no such repository.
        NotPermitted: the token may not do so.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi

    def commit() -> Any:
        return HfApi().create_commit(
            repo,
            [CommitOperationAdd(path, content) for path, content in files.items()],
            repo_type=kind,
            commit_message=title,
            commit_description=text,
            create_pr=pull_request,
        )

    made = _persist(commit, f"{repo} ({kind})")
    return str(made.pr_url if pull_request else made.commit_url)


def comment(repo: str, kind: Kind, number: int, text: str) -> None:
    """Write below a pull request.

    Args:
        repo: ``owner/name``.
        kind: dataset or model.
        number: of the pull request.
        text: Markdown.

    Raises:
        UnknownTask: there is no such repository, or no such pull request.
        NotPermitted: the token may not do so.
        HubUnavailable: the Hub cannot be reached.
    """
    from huggingface_hub import HfApi

    _persist(
        lambda: HfApi().comment_discussion(repo, number, text, repo_type=kind),
        f"{repo} ({kind}), pull request {number}",
    )


def _attributes(repo: str, kind: Kind, commit: str, what: str) -> bytes:
    """The .gitattributes of a repository, by which the Hub tells large files; empty without."""
    from huggingface_hub import constants, get_session, hf_raise_for_status
    from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]

    prefix = "datasets/" if kind == "dataset" else ""
    url = f"{constants.ENDPOINT}/{prefix}{repo}/resolve/{commit}/{ATTRIBUTES}"

    def get() -> bytes:
        response = get_session().get(url, headers=build_hf_headers(), follow_redirects=True)
        hf_raise_for_status(response)
        content: bytes = response.content
        return content

    try:
        return _persist(get, what)
    except InvalidDataset:  # there is none
        return b""


def local_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their path in it, without hidden ones.

    Raises:
        InvalidDataset: one is a link, which could lead anywhere, or its name has characters that
            no terminal and no list of names can show.
    """
    links = [path for path in folder.rglob("*") if path.is_symlink()]
    if links:
        raise InvalidDataset(
            str(folder), [f"{links[0].relative_to(folder)} is a link; copy the file"]
        )
    names = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    shown = {
        name.as_posix(): path
        for name, path in names.items()
        if not any(part.startswith(".") for part in name.parts)
    }
    odd = [problem for name in shown if (problem := answers.problem_of_name(name)) is not None]
    if odd:
        raise InvalidDataset(str(folder), [f"{odd[0]}; give it another one"])
    return shown


def _hashes(path: Path) -> tuple[str, str]:
    """Both names that the Hub may know a file's content by: sha256 (large) and git's sha1."""
    raw = path.read_bytes()
    return sha256(raw).hexdigest(), git_sha1(raw)


@dataclass(frozen=True)
class CachedRepository:
    """A repository in huggingface_hub's cache.

    Attributes:
        repo: ``owner/name``.
        kind: dataset or model; huggingface_hub knows others, too.
        versions: tags, branches, or else commits.
        commits: all that are there.
        path: its folder.
        bytes: its size.
        files: where its files are, of all commits.
    """

    repo: str
    kind: str
    versions: tuple[str, ...]
    commits: tuple[str, ...]
    path: Path
    bytes: int
    files: tuple[Path, ...]


def cached_repositories() -> list[CachedRepository]:
    """Describe what huggingface_hub's cache holds, all repositories."""
    from huggingface_hub import CacheNotFound, scan_cache_dir

    if cache_folder().startswith("~"):  # no home folder, so no cache
        return []
    try:
        with _readable_cache():
            cache = scan_cache_dir()
    except CacheNotFound:
        return []
    return [
        CachedRepository(
            repo=repo.repo_id,
            kind=repo.repo_type,
            versions=tuple(
                sorted({n for r in repo.revisions for n in (r.refs or {r.commit_hash})})
            ),
            commits=tuple(revision.commit_hash for revision in repo.revisions),
            path=Path(repo.repo_path),
            bytes=repo.size_on_disk,
            files=tuple(Path(file.file_path) for r in repo.revisions for file in r.files),
        )
        for repo in cache.repos
    ]


def damaged(repository: CachedRepository) -> list[str]:
    """Name the files of a cached repository whose content is not what their blob is named after."""
    files = set(repository.files)
    return sorted(path.name for path in files if _announced(path) not in (None, _found(path)))


def remove_from_cache(commits: Sequence[str]) -> int:
    """Remove revisions from huggingface_hub's cache; return the bytes freed."""
    from huggingface_hub import scan_cache_dir

    strategy = scan_cache_dir().delete_revisions(*commits)
    strategy.execute()
    return strategy.expected_freed_size
