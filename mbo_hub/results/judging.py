"""The rules by which a request may change a collection; docs/how-results-join.md has them in words.

They are a function of what is published, what is asked, who asks, and who owns which name. Nothing
is scored here: a request that breaks a rule costs nobody an oracle.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mbo_hub.arrays import Num
from mbo_hub.methods import METHODS
from mbo_hub.results.collection import DATA, file_of
from mbo_hub.results.eligibility import ARCHIVE, Terms
from mbo_hub.results.record import OURS, Run

__all__ = ["OWNERS", "Judgement", "Request", "is_data", "judge", "owners_of", "skeleton"]

OWNERS = "owners.json"  # of a collection: whose each name of a method is, on the Hub
COPIED = 0.8  # share of designs in common, above which one run is a copy of another
FEW = 8  # designs in common that may be chance, as where all find the best one
TOLD = 0.1  # share of designs in common that is worth a sentence
NEAR = 1e-3  # standard deviations that two equal designs of real numbers may be apart, in each
RECORD_BYTES = 2**20
_FILE = re.compile(rf"{DATA}/[a-z0-9][a-z0-9_-]*/[A-Za-z0-9_.+-]+\.parquet")
_RESERVED = ("index",)  # a page of the site that is no method's
# Signs that are read as others: digits, and letters of other scripts, small and capital. Each
# becomes a letter that is no such sign itself.
_LOOKALIKES: Mapping[str, str] = {
    "a": "4аɑα⍺АΑ", "b": "68ЬьƄᏏВвΒβ", "c": "сϲᴄСϹ", "d": "ԁძժ", "e": "3еҽє℮ЕΕ", "f": "ƒғք",
    "g": "9qɡցԛգԌ", "h": "һհᏂНнΗ", "k": "кКκΚᴋ", "l": "1ij|!ıɩιіɩӏјϳǀ׀ІΙЈ", "m": "мМΜ",
    "n": "ոռпΝ", "o": "0оοօσ๐០ОΟ", "p": "рρРΡ", "r": "гᴦƦ", "s": "5$ѕꜱЅ", "t": "7тτТΤ",
    "u": "υսᴜ", "v": "νѵᴠ", "w": "ѡԝшաԜ", "x": "хХΧχ", "y": "уүγყУΥ", "z": "2ᴢΖ",
}  # fmt: skip
_LOOKS = str.maketrans({sign: one for one, signs in _LOOKALIKES.items() for sign in signs})
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@dataclass(frozen=True)
class Request:
    """What somebody asks to change in a collection.

    Attributes:
        author: who asks, by the name of the Hub.
        before: every file of the collection, with what tells its content from any other.
        after: the same as it would be.
        published: runs that are there, on the tasks and under the names that are asked for.
        asked: all runs in the files that would change, as they would be.
        owners: on the Hub, of names of methods.
    """

    author: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    published: Sequence[Run]
    asked: Sequence[Run]
    owners: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """Files that are new or other."""
        return tuple(f for f in sorted(self.after) if self.before.get(f) != self.after[f])


@dataclass(frozen=True)
class Judgement:
    """What the rules say of a request.

    Attributes:
        problems: what it may not do, a sentence each.
        fresh: the runs that are new or take the place of others, which are to be scored.
        new_names: of methods that nobody had.
        notes: what a keeper should know, a sentence each: designs in common.
    """

    problems: tuple[str, ...]
    fresh: tuple[Run, ...]
    new_names: tuple[str, ...]
    notes: tuple[str, ...]


def is_data(file: str) -> bool:
    """Whether a file of a collection is one of runs, by its path."""
    return bool(_FILE.fullmatch(file))


def skeleton(name: str) -> str:
    """What is left of a name when case, width, separators and look-alikes are gone."""
    word = unicodedata.normalize("NFKC", name.translate(_LOOKS)).translate(_LOOKS)
    word = word.casefold().translate(_LOOKS)  # case last: a capital may look like another letter
    word = re.sub(r"[\W_]", "", word)
    for pair, one in _PAIRS:
        word = word.replace(pair, one)
    return word


def owners_of(document: object) -> dict[str, tuple[str, ...]] | None:
    """Read whose the names are from `owners.json`; None: it is no such document.

    Args:
        document: ``{"name": "user"}`` or ``{"name": ["user", "another"]}``.
    """
    if not isinstance(document, dict):
        return None
    found = {}
    for name, users in document.items():
        listed = [users] if isinstance(users, str) else users
        if not isinstance(listed, list) or not all(isinstance(user, str) for user in listed):
            return None
        found[name] = tuple(listed)
    return found


def judge(request: Request, terms: Terms = ARCHIVE) -> Judgement:
    """Apply the rules.

    Args:
        request: what is asked.
        terms: of the comparison that the runs want to join.
    """
    fresh, lost = _differences(request)
    news = _new_names(request)
    copies, notes = _copies(fresh, request.published)
    problems = [
        *_of_files(request),
        *lost,
        *_of_names(request, news),
        *(problem for run in fresh for problem in _of_run(run, news, terms)),
        *_of_titles(fresh, request.published),
        *copies,
    ]
    return Judgement(tuple(dict.fromkeys(problems)), fresh, news, tuple(notes))


def _of_files(request: Request) -> list[str]:
    removed = sorted(request.before.keys() - request.after.keys())
    return [f"it removes {file}" for file in removed] + [
        f"it changes {file}; runs belong in {DATA}/<task>/<method>.parquet, and whoever keeps the "
        "collection writes everything else"
        for file in request.changed
        if not is_data(file)
    ]


def _differences(request: Request) -> tuple[tuple[Run, ...], list[str]]:
    """Find the runs that are new or other, and say what is lost of those that are there."""
    there = {run.record.place.as_posix(): run for run in request.published}
    left = {place: run for place, run in there.items() if file_of(run.record) in request.changed}
    fresh, problems = [], []
    for place, count in Counter(run.record.place.as_posix() for run in request.asked).items():
        if count > 1:
            problems.append(f"it has {place} {count} times")
    for run in request.asked:
        file = file_of(run.record)
        if file not in request.changed:
            problems.append(f"{run.where} holds {run.record}, which belongs in {file}")
        known = there.get(run.record.place.as_posix())
        left.pop(run.record.place.as_posix(), None)
        if known is not None and _same(known, run):
            continue
        fresh.append(run)
        if known is not None and known.record.method_version == run.record.method_version:
            problems.append(f"it changes {run.record}, which was published")
    return tuple(fresh), [*problems, *(f"it removes {run.record}" for run in left.values())]


def _same(known: Run, run: Run) -> bool:
    """Whether two runs have one record and the same designs; if only one of these, one is wrong."""
    if known.record.encode() != run.record.encode():
        return False
    pairs = [(known.designs, run.designs), (known.predicted, run.predicted)]
    return all(
        a is b if a is None or b is None else np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in pairs
    )


def _method(file: str) -> str:
    return file.rpartition("/")[2].removesuffix(".parquet")


def _known_names(request: Request) -> set[str]:
    published = {_method(file) for file in request.before if is_data(file)}
    return published | {*METHODS} | {*request.owners}


def _new_names(request: Request) -> tuple[str, ...]:
    asked = {_method(file) for file in request.changed if is_data(file)}
    return tuple(sorted(asked - _known_names(request)))


def _of_names(request: Request, news: Sequence[str]) -> list[str]:
    known = _known_names(request)
    problems = []
    asked = {_method(file) for file in request.changed if is_data(file)}
    for name in sorted(asked & known):
        owners = request.owners.get(name, ())
        if request.author.casefold() not in {owner.casefold() for owner in owners}:
            whose = " and ".join(owners) if owners else "whoever keeps the collection"
            problems.append(
                f"the name {name!r} is that of {whose}, and {request.author} asks; give the method "
                "a name of its own and run it again"
            )
    looks = {skeleton(name): name for name in sorted(known)}
    looks |= {skeleton(name): f"{name}.html" for name in _RESERVED}
    for name in news:
        other = looks.setdefault(skeleton(name), name)
        if other != name:
            problems.append(f"the name {name!r} reads like {other!r}; give it another one")
    return problems


def _of_run(run: Run, news: Sequence[str], terms: Terms) -> list[str]:
    """Say what a run has that those of the comparison do not."""
    record = run.record
    told = []
    if record.status != "scored":
        told.append(f"it is {record.status}, which nobody can score again; leave it out")
    elif run.designs is None:
        told.append("its designs are not there, so that nobody can score them again")
    if record.seed not in terms.seeds:
        told.append(f"its seed is none of {', '.join(map(str, terms.seeds))}")
    if record.budget != terms.budget:
        told.append(f"its budget is {record.budget}, not {terms.budget}")
    if record.preset not in terms.presets:
        told.append(f"its preset is none of {' and '.join(terms.presets)}")
    ours = record.code.casefold().split(":")[0].split(".")[0].strip() == OURS
    if record.method in news and ours:
        told.append(f"its code {record.code} is this package's, which has no such method")
    if len(record.encode()) > RECORD_BYTES:
        told.append(f"its record has more than {RECORD_BYTES:,} bytes")
    return [f"{record}: {problem}" for problem in told]


def _of_titles(fresh: Iterable[Run], published: Iterable[Run]) -> list[str]:
    """Find titles that make one method look like another."""
    owners = {skeleton(method.title): name for name, method in METHODS.items()}
    for record in (run.record for run in published):
        owners.setdefault(skeleton(record.title), record.method)
    return [
        f"{r}: its title {r.title!r} reads like that of {owners[skeleton(r.title)]}"
        for r in (run.record for run in fresh)
        if owners.setdefault(skeleton(r.title), r.method) != r.method
    ]


# ------------------------------------------------------------------------------- designs in common


def _copies(fresh: Sequence[Run], published: Sequence[Run]) -> tuple[list[str], list[str]]:
    """Compare designs of each run with those of every other method on its task.

    Returns:
        What is a copy, and what else they have in common.
    """
    problems, notes = [], []
    others: dict[str, list[Run]] = defaultdict(list)
    for run in [*published, *fresh]:
        if run.designs is not None and len(run.designs):
            others[run.record.problem].append(run)
    known = {run.record.problem for run in published if run.designs is not None}
    scales = {
        name: _scale([r for r in some if name not in known or r not in fresh])
        for name, some in others.items()
    }
    for run in fresh:
        if run.designs is None or not len(run.designs):
            continue
        name = run.record.problem
        rivals = [
            r for r in others[name] if skeleton(r.record.method) != skeleton(run.record.method)
        ]
        found = [(_in_common(run.designs, r.designs, scales[name]), r) for r in rivals]
        common, other = max(found, key=lambda one: one[0], default=((0.0, 0), run))
        share, count = common
        told = f"{run.record}: {count} of its designs ({share:.0%}) are those of {other.record}"
        if share > COPIED and count >= FEW:
            problems.append(told)
        elif share >= TOLD:
            notes.append(told)
    return problems, notes


def _scale(runs: Sequence[Run]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (d,) of the numbers of all finite designs of runs."""
    there = [run.designs.astype(np.float64) for run in runs if run.designs is not None]
    width = there[0].shape[1] if there else 1
    finite = [x for x in there if x.shape[1] == width and np.abs(x).max(initial=0) < 1e100]
    if not finite:
        return np.zeros(width), np.ones(width)
    mean = np.mean([x.mean(axis=0) for x in finite], axis=0)
    spread = np.sqrt(np.mean([((x - mean) ** 2).mean(axis=0) for x in finite], axis=0))
    return mean, np.where(spread > 0, spread, 1.0)


def _in_common(
    a: Num[np.ndarray, "n d"],
    b: Num[np.ndarray, "m e"] | None,
    scale: tuple[np.ndarray, np.ndarray],
) -> tuple[float, int]:
    """The share of different designs in common, of the smaller of two sets, and their number."""
    if b is None or a.shape[1] != b.shape[1]:
        return 0.0, 0
    a, b = np.unique(a, axis=0), np.unique(b, axis=0)
    if "f" not in a.dtype.kind + b.dtype.kind:
        count = len({*map(tuple, a.tolist())} & {*map(tuple, b.tolist())})
        return count / min(len(a), len(b)), count
    mean, spread = scale
    if len(mean) != a.shape[1]:
        return 0.0, 0
    with np.errstate(all="ignore"):
        x, y = ((d.astype(np.float64) - mean) / spread for d in (a, b))
        apart = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    near = apart <= NEAR**2 * a.shape[1]
    count = int(min(near.any(axis=1).sum(), near.any(axis=0).sum()))
    return count / min(len(a), len(b)), count
