"""Join a published collection of results: ask to pull runs into it, and check who asks.

docs/how-results-join.md says what is promised; `judging` has the rules, and this module what they
are applied to: one commit of the Hub, read within limits, and scores that are computed again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import mbo_hub.results.schema as schema
from mbo_hub.archive import hub
from mbo_hub.dataset import files, parquet
from mbo_hub.dataset.lines import markdown
from mbo_hub.errors import (
    InvalidDataset,
    InvalidFile,
    PublishConflict,
    UnknownTask,
    quoted,
)
from mbo_hub.methods import METHODS
from mbo_hub.results.collection import (
    DATA,
    KNOWN,
    decode,
    encode,
    file_of,
    read_runs,
    runs_of,
    table_of,
)
from mbo_hub.results.eligibility import ARCHIVE, Terms
from mbo_hub.results.judging import OWNERS, Request, is_data, judge, owners_of
from mbo_hub.results.record import LARGEST, OURS, Record, Run
from mbo_hub.results.verify import Checked, Verdict, verify_runs

__all__ = ["Asked", "Joined", "check_pull_request", "find_runs", "join", "published", "terms_of"]

MAIN = "main"
KIND: hub.Kind = "dataset"
MOST_FILES = 256  # of a request
LARGER = 8  # times that another writer's file may be
_REPOSITORY = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


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
        commit: of the pull request that was checked; no other one was.
        problems: what it may not do, a sentence each.
        verdict: on its new and changed runs; empty where a rule is broken, as nothing is scored.
        notes: what whoever keeps the collection should know, a sentence each.
    """

    number: int
    commit: str
    problems: tuple[str, ...]
    verdict: Verdict
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether it may be merged: every new run was scored again here, and holds."""
        rows = self.verdict.checked
        return bool(rows) and not self.problems and all(one.verdict == "holds" for one in rows)

    def __str__(self) -> str:
        return self.markdown()

    def markdown(self) -> str:
        """Write the comment that a maintainer leaves below the pull request."""
        rows = self.verdict.checked
        head = "may be merged" if self.ok else "may not be merged as it is"
        told = [
            *self.problems,
            *(f"{one.record}: {problem}" for one in rows for problem in one.problems),
            *(f"{one.record}: not checked: {one.unchecked}" for one in rows if one.unchecked),
            *self.notes,
        ]
        lines = [
            f"**{len(rows)} new or changed runs were scored again; this pull request {head}.**",
            "",
            f"Checked was commit {self.commit}, and no other one.",
            "",
            *(f"- {markdown(sentence)}" for sentence in told),
            *([""] if told else []),
        ]
        if rows:
            lines += [
                "| task | method | preset | seed | best | median | verdict |",
                "|---|---|---|---|---|---|---|",
                *map(_line, rows),
            ]
        return "\n".join(lines).rstrip("\n") + "\n"


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
    return f"| {' | '.join(map(markdown, cells))} |"


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
    commit = hub.commit_of(repo, KIND, revision)  # which somebody may move meanwhile
    there = hub.files_at(repo, KIND, commit)
    runs = []
    for file in filter(wanted, filter(is_data, sorted(there))):
        raw = hub.download(repo, KIND, file, commit).read_bytes()
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
    if pull_request and joined:
        _see_that_it_may_be_asked(repo, joined, namesakes)
    verdict = verify_runs(runs, to_the_bit=True, tell=tell)  # last of all: it may take hours
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


def _see_that_it_may_be_asked(
    repo: str, joined: Mapping[str, Sequence[Run]], there: Sequence[Run]
) -> None:
    """Apply the rules of `judging` before somebody asks.

    Raises:
        PublishConflict: a rule is broken; says which.
    """
    base = hub.commit_of(repo, KIND)
    before = hub.files_at(repo, KIND, base)
    request = Request(
        author=hub.user(),
        before=before,
        after=before | dict.fromkeys(joined, "as it would be"),
        published=there,
        asked=[run for merged in joined.values() for run in merged],
        owners=_owners(repo, before, base),
    )
    problems = judge(request).problems
    if problems:
        raise PublishConflict(f"{repo}: {'; '.join(problems)}")


def _owners(repo: str, before: Mapping[str, str], commit: str) -> dict[str, tuple[str, ...]]:
    """Read whose each name is.

    Raises:
        InvalidFile: `owners.json` is not what it should be; whoever keeps it has to mend it.
    """
    if OWNERS not in before:
        return {}
    raw = hub.download(repo, KIND, OWNERS, commit, 2**20).read_bytes()
    try:
        found = owners_of(files.json(raw))
    except InvalidFile as error:
        raise InvalidFile(f"{repo}/{OWNERS}: {error}") from None
    if found is None:
        raise InvalidFile(f'{repo}/{OWNERS}: write  {{"method": "user of the Hub", …}}')
    return found


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
    repo: str,
    number: int,
    *,
    terms: Terms = ARCHIVE,
    tell: Callable[[Checked], object] = lambda checked: None,
) -> Asked:
    """Check what a pull request would change: files, records, designs, and the scores, again.

    All of it is read at one commit, which the answer names. Where a rule is broken, nothing is
    scored.

    Args:
        repo: ``owner/name`` of the collection.
        number: of the pull request.
        terms: of the comparison.
        tell: is called with each run that was checked.

    Raises:
        UnknownTask, UnknownRevision: there is no such repository, or no such pull request.
        NotPermitted: the token may not read there.
        HubUnavailable: the Hub cannot be reached.
        InvalidFile: the collection's own `owners.json` cannot be read.
        OracleUnavailable: an oracle cannot run here.
        MissingExtra: the extra `publish` is not installed.
    """
    _require_repository(repo)
    revision = f"refs/pr/{number}"
    base, commit = hub.commit_of(repo, KIND), hub.commit_of(repo, KIND, revision)
    before, after = hub.files_at(repo, KIND, base), hub.files_at(repo, KIND, commit)
    request = Request(
        author=hub.author_of(repo, KIND, number),
        before=before,
        after=after,
        published=(),
        asked=(),
        owners=_owners(repo, before, base),
    )
    changed = [file for file in request.changed if is_data(file)]
    try:
        asked, wrong = _read_request(repo, changed, commit)
    except (InvalidFile, InvalidDataset) as error:
        return Asked(number, commit, (*judge(request, terms).problems, str(error)), Verdict(()))
    tasks = {file.split("/")[1] for file in changed}
    is_namesake = _namesake_of(changed)
    there = published(repo, base, lambda file: file.split("/")[1] in tasks or is_namesake(file))
    judged = judge(replace(request, published=tuple(there), asked=tuple(asked)), terms)
    problems = (*judged.problems, *wrong)
    notes = [*judged.notes]
    verdict = Verdict(())
    if not problems:
        fresh = {run.record.place for run in judged.fresh}
        others = [run for run in there if run.record.place not in fresh]
        verdict = verify_runs(
            [*others, *judged.fresh],
            only=lambda record: record.place in fresh,
            to_the_bit=True,
            tell=tell,
        )
        if hub.commit_of(repo, KIND, revision) != commit:
            problems = ("it changed while it was checked; check it again",)
        notes += [
            f'{name} is a new name: add "{name}": "{request.author}" to {OWNERS}, so that nobody '
            "else can change its runs"
            for name in judged.new_names
        ]
    return Asked(number, commit, problems, verdict, tuple(notes))


def _read_request(repo: str, changed: Sequence[str], commit: str) -> tuple[list[Run], list[str]]:
    """Read the runs of a request, all its files together within `LARGEST` bytes of memory.

    Returns:
        The runs, and what is wrong with columns, a sentence each.

    Raises:
        InvalidFile, InvalidDataset: a file is none of results, or it is too much.
    """
    if len(changed) > MOST_FILES:
        raise InvalidFile(f"it changes {len(changed):,} files; ask for {MOST_FILES} at a time")
    runs: list[Run] = []
    wrong: list[str] = []
    left = LARGEST
    for file in changed:
        raw = hub.download(repo, KIND, file, commit, left).read_bytes()
        table = table_of(raw, f"{repo}/{file}", left)
        left -= table.nbytes
        if left < 0:
            raise InvalidFile(f"{repo}/{file}: with the files before it, it becomes more than "
                              f"{LARGEST // 2**20} MiB in memory; ask in parts")  # fmt: skip
        found = runs_of(table, f"{repo}/{file}")
        wrong += _unasked(raw, found, f"{repo}/{file}")
        for run in found:
            if file_of(run.record) != file:
                raise InvalidFile(f"{run.where}: {run.record} belongs in {file_of(run.record)}")
        runs += found
        wrong += schema.of_table(table, file)
    return runs, wrong


def _unasked(raw: bytes, runs: Sequence[Run], where: str) -> list[str]:
    """Say what a file holds beside its runs: other readers decode all columns."""
    further = sorted({*parquet.names(raw, where)} - {*KNOWN})
    if further:
        return [f"{where}: has a further column {quoted(further[0])}; remove it"]
    needed = len(encode(runs))
    if len(raw) > LARGER * needed + 2**16:
        return [f"{where}: has {len(raw):,} bytes, its runs take {needed:,}; write it with "
                "`mbo publish`"]  # fmt: skip
    return []


def terms_of(place: str) -> Terms | None:
    """What runs have to share to be compared: fixed where strangers join, else as they are.

    Args:
        place: as for `find_runs`.
    """
    is_on_hub = _REPOSITORY.fullmatch(place) and not Path(place).is_dir()
    return ARCHIVE if is_on_hub or (Path(place) / DATA).is_dir() else None


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
