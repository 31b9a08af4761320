"""Join a published collection of results: ask to pull runs into it, and check who asks.

A pull request adds or changes files of ``data/`` and nothing else; card and tables are made anew by
whoever keeps the collection. What was published is never changed: a method whose designs change has
a new version, and a name belongs to the code that has it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import mbo_hub.results.schema as schema
from mbo_hub.archive import hub
from mbo_hub.errors import InvalidFile, PublishConflict, UnknownTask, quoted
from mbo_hub.methods import METHODS
from mbo_hub.results.collection import DATA, decode, encode, file_of, read_runs
from mbo_hub.results.record import OURS, Record, Run
from mbo_hub.results.verify import Checked, Verdict, verify_runs

__all__ = ["Asked", "Joined", "check_pull_request", "find_runs", "join", "published"]

MAIN = "main"
KIND: hub.Kind = "dataset"
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILE = re.compile(rf"{DATA}/[a-z0-9][a-z0-9_-]*/[\w.+-]+\.parquet")


@dataclass(frozen=True)
class Joined:
    """What was sent to a collection, or would be.

    Attributes:
        files: that change, below the collection.
        rows: how many runs are new in them.
        url: of the pull request or commit; None: nothing was sent.
    """

    files: tuple[str, ...]
    rows: int
    url: str | None


@dataclass(frozen=True)
class Asked:
    """What a pull request would change.

    Attributes:
        number: of the pull request.
        problems: what it may not do, a sentence each.
        verdict: on its new and changed runs.
    """

    number: int
    problems: tuple[str, ...]
    verdict: Verdict

    @property
    def ok(self) -> bool:
        """Whether it may be merged."""
        return not self.problems and self.verdict.ok and bool(self.verdict.checked)

    def __str__(self) -> str:
        return self.markdown()

    def markdown(self) -> str:
        """Write the comment that a maintainer leaves below the pull request."""
        rows = self.verdict.checked
        head = "may be merged" if self.ok else "may not be merged as it is"
        lines = [f"**{len(rows)} new or changed runs; this pull request {head}.**", ""]
        if not rows:
            lines += ["It changes no run.", ""]
        lines += [f"- {problem}" for problem in self.problems]
        lines += [f"- {one.record}: {problem}" for one in rows for problem in one.problems]
        lines += [f"- {one.record}: not checked: {one.unchecked}" for one in rows if one.unchecked]
        lines += [] if self.ok else [""]
        lines += [
            "| task | method | preset | seed | best | median | verdict |",
            "|---|---|---|---|---|---|---|",
            *map(_line, rows),
        ]
        return "\n".join(lines) + "\n"


def _require_repository(repo: str) -> None:
    """Refuse what cannot be a repository before the Hub is asked for it.

    Raises:
        UnknownTask: it is not ``owner/name``.
    """
    if not _REPOSITORY.fullmatch(repo):
        raise UnknownTask(f"{quoted(repo)} is no repository of results; name it owner/name")


def _line(one: Checked) -> str:
    record = one.record
    normalized = record.report.normalized if record.report else None
    best, median = (
        "–" if normalized is None or value is None else f"{value:.4f}"
        for value in (normalized and normalized.best, normalized and normalized.median)
    )
    name = f"{record.method} v{record.method_version}"
    cells = [record.task, name, record.preset, str(record.seed), best, median, one.verdict]
    return f"| {' | '.join(cells)} |"


def published(
    repo: str, revision: str = MAIN, wanted: Callable[[str], bool] = lambda file: True
) -> list[Run]:
    """Read the runs of a published collection.

    Args:
        repo: ``owner/name``.
        revision: branch, tag, commit, or ``refs/pr/<number>``.
        wanted: tells of a file of runs whether to read it.

    Raises:
        UnknownTask, UnknownRevision: there is no such repository, or no such revision.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
        InvalidFile: a file is none of results.
    """
    _require_repository(repo)
    there = hub.files_at(repo, KIND, revision)
    runs = []
    for file in filter(wanted, filter(_FILE.fullmatch, sorted(there))):
        raw = hub.download(repo, KIND, file, revision).read_bytes()
        for run in decode(raw, f"{repo}/{file}"):
            if file_of(run.record) != file:
                raise InvalidFile(f"{run.where}: {run.record} belongs in {file_of(run.record)}")
            runs.append(run)
    return runs


def join(
    runs: Sequence[Run],
    repo: str,
    *,
    pull_request: bool,
    dry_run: bool = False,
    title: str = "",
    tell: Callable[[Checked], object] = lambda checked: None,
) -> Joined:
    """Add runs to a published collection.

    Args:
        runs: of which those that are there already do not count.
        repo: ``owner/name`` of the collection.
        pull_request: ask its owner to take them; else put them there at once.
        dry_run: check and compare, and send nothing.
        title: of the pull request.
        tell: is called with each run that was scored again.

    Raises:
        PublishConflict: the collection has another run of the same method version, preset, seed,
            or the method's name is that of other code.
        InvalidFile: a run does not hold; says which and why.
        UnknownTask: there is no such collection.
        NotPermitted: the token may not do so.
        HubUnavailable: the Hub cannot be reached.
    """
    _require_repository(repo)
    by_file: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_file[file_of(run.record)].append(run)
    namesakes = published(repo, wanted=_namesake_of(by_file))
    for problem in _taken(runs, namesakes):
        raise PublishConflict(f"{repo}: {problem}")
    there: dict[str, list[Run]] = defaultdict(list)
    for run in namesakes:
        there[file_of(run.record)].append(run)
    joined, fresh = {}, 0
    for file, ours in sorted(by_file.items()):
        merged, more = _merged(there[file], ours, repo)
        if more:
            joined[file] = merged
            fresh += more
    verdict = verify_runs(runs, tell=tell)  # last of all, since it may take hours
    if not verdict.ok:
        raise InvalidFile(f"these runs cannot join {repo}:\n{verdict}")
    if not joined or dry_run:
        return Joined(tuple(joined), fresh, None)
    methods = ", ".join(sorted({run.record.method for run in runs}))
    url = hub.send(
        repo,
        KIND,
        {file: encode(merged) for file, merged in joined.items()},
        title or f"Add {fresh} runs of {methods}",
        "Designs and records by `mbo run`; check them with `mbo verify`.",
        pull_request=pull_request,
    )
    return Joined(tuple(joined), fresh, url)


def _key(record: Record) -> tuple[str, int]:
    return record.preset, record.seed


def _merged(there: list[Run], ours: list[Run], repo: str) -> tuple[list[Run], int]:
    """Put our runs among those that are there; tell how many are new."""
    merged = {_key(run.record): run for run in there}
    fresh = 0
    for run in ours:
        before = merged.get(_key(run.record))
        if before is not None and before.record.method_version == run.record.method_version:
            if before.record.designs_sha256 != run.record.designs_sha256:
                raise PublishConflict(
                    f"{repo} has other designs of {run.record}, version "
                    f"{run.record.method_version}; raise the version of a method that has changed"
                )
            continue
        merged[_key(run.record)] = run
        fresh += 1
    return [merged[key] for key in sorted(merged)], fresh


def _namesake_of(files: Iterable[str]) -> Callable[[str], bool]:
    """Tell files of the methods that these are of, on whatever task."""
    names = {Path(file).name for file in files}
    return lambda file: Path(file).name in names


def _taken(runs: Iterable[Run], there: Iterable[Run]) -> list[str]:
    """Say whose the names of methods are that are not their own.

    Args:
        runs: that want to join.
        there: those that were published under the same names, on all tasks.
    """
    owners = dict.fromkeys(METHODS, OURS)
    for run in there:
        owners.setdefault(run.record.method, run.record.code)
    problems = {}
    for record in (run.record for run in runs):
        owner = owners.setdefault(record.method, record.code)
        if record.code != owner:
            problems[record.method, record.code] = (
                f"the name {record.method!r} is that of a method of {owner}, and this is "
                f"{record.code}; give it a name of its own and run it again"
            )
    return list(problems.values())


def check_pull_request(
    repo: str, number: int, *, tell: Callable[[Checked], object] = lambda checked: None
) -> Asked:
    """Check what a pull request would change: files, records, designs, and the scores, again.

    Args:
        repo: ``owner/name`` of the collection.
        number: of the pull request.
        tell: is called with each run that was checked.

    Raises:
        UnknownTask, UnknownRevision: there is no such repository, or no such pull request.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
        OracleUnavailable: an oracle cannot run here.
        MissingExtra: the extra `publish` is not installed.
    """
    _require_repository(repo)
    revision = f"refs/pr/{number}"
    before, after = hub.files_at(repo, KIND, MAIN), hub.files_at(repo, KIND, revision)
    changed = [f for f in sorted(after) if before.get(f) != after[f]]
    problems = [f"it removes {file}" for file in sorted(before.keys() - after.keys())] + [
        f"it changes {file}; runs belong in {DATA}/<task>/<method>.parquet, and card, tables and "
        "pictures are made from them"
        for file in changed
        if not _FILE.fullmatch(file) and file != ".gitattributes"
    ]
    tasks = {file.split("/")[1] for file in changed if _FILE.fullmatch(file)}
    try:
        theirs = published(repo, revision, lambda file: file.split("/")[1] in tasks)
    except InvalidFile as error:
        return Asked(number, (*problems, str(error)), Verdict(()))
    for file in changed:
        if _FILE.fullmatch(file):
            raw = hub.download(repo, KIND, file, revision).read_bytes()
            problems += schema.problems(raw, file)
    there = published(repo, MAIN, _namesake_of(changed))
    ours = {run.record.place: run for run in there if file_of(run.record) in changed}
    fresh = set()
    for run in theirs:
        known = ours.pop(run.record.place, None)
        if file_of(run.record) not in changed or (known is not None and _same(known, run)):
            continue
        fresh.add(run.record.place)
        if known is not None and known.record.method_version == run.record.method_version:
            problems.append(f"it changes {run.record}, which was published")
    problems += [f"it removes {run.record}" for run in ours.values()]
    problems += _taken([run for run in theirs if run.record.place in fresh], there)
    verdict = verify_runs(theirs, only=lambda record: record.place in fresh, tell=tell)
    return Asked(number, tuple(problems), verdict)


def _same(known: Run, run: Run) -> bool:
    """Whether two runs have one record and the same designs; if only one of these, one is wrong."""
    if known.record.encode() != run.record.encode():
        return False
    a, b = known.designs, run.designs
    return a is b if a is None or b is None else bool(np.array_equal(a, b))


def find_runs(place: str, revision: str = MAIN) -> tuple[Run, ...]:
    """Read runs from wherever they are.

    Args:
        place: a folder of runs, the folder of a collection, or ``owner/name`` on the Hub.
        revision: of the latter.

    Raises:
        InvalidFile: there are none, or one cannot be read.
        UnknownTask, UnknownRevision: there is no such repository, or no such revision.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
    """
    if not _REPOSITORY.fullmatch(place) or Path(place).is_dir():
        return read_runs(place)
    runs = published(place, revision)
    if not runs:
        raise InvalidFile(f"{place} (revision {revision}): there are no runs in it")
    return tuple(runs)
