"""Cards of datasets and oracles, the plot beside them, and the README's table of tasks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub.archive.folders import ORG
from mbo_hub.arrays import Num
from mbo_hub.dataset.layout import Column, split_of
from mbo_hub.dataset.manifest import Band, HeldOut, Manifest, OracleEntry
from mbo_hub.oracles import golden
from mbo_hub.oracles.kinds import kind_of
from mbo_hub.publishing import metadata
from mbo_hub.publishing.pictures import DRAWING
from mbo_hub.scoring import canvas
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = [
    "citations",
    "dataset_card",
    "oracle_card",
    "plotted_data",
    "terms",
    "trust_plots",
    "with_table",
]

# Where links lead from a page that is read elsewhere, too: README.md is the first page on PyPI.
REPOSITORY = "https://github.com/mbo-hub/mbo-hub/blob/main"
CITATION = Path(__file__).parents[2] / "CITATION.cff"  # of a checkout, as in `build`
STANDINGS = Path(__file__).parent / "standings.json"  # scripts/results.py writes it
LONG = 12  # lines of a table that are shown without a click
TABLE = re.compile(r"(<!-- tasks: generated -->\n).*?(<!-- /tasks -->)", re.DOTALL)


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 -- Markdown from our own declarations, not HTML from users
    )
    environment.filters["thousands"] = lambda n: f"{n:,}"
    environment.filters["figure"] = lambda v: f"{v:,.0f}" if float(v).is_integer() else f"{v:.4g}"
    environment.filters["overlap"] = _overlap
    environment.filters["scored"] = _scored
    environment.filters["exact"] = lambda value: f"{np.float32(value)!s}"
    return environment


def _size_category(rows: int) -> str:
    """The Hub's word for a number of rows."""
    limits = (
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
    )
    return next((word for limit, word in limits if rows < limit), "1M<n<10M")


def terms(spec: TaskSpec) -> dict[str, str]:
    """The terms of a task's data in the Hub's words, which are those of its oracles, too.

    An oracle is made of the data: a table holds all of them, a forest remembers most, and a network
    could not be without them.
    """
    if spec.source.license != "other":
        return {"license": spec.source.license.lower()}
    page = f"https://huggingface.co/datasets/{ORG}/{spec.name}#terms-and-source"
    return {"license": "other", "license_name": spec.license_name, "license_link": page}


def citations(spec: TaskSpec) -> list[str]:
    """What to cite, as BibTeX: the source of the data, what the task follows, and mbo-hub."""
    said = metadata.read(f"---\n{CITATION.read_text('utf-8')}\n---\n")  # YAML, as a card's head
    (author,) = (each["name"] for each in said["authors"])
    about = " ".join(said["abstract"].split()).split(":")[0]
    own = (
        "@software{mbohub,\n"
        f"  title  = {{{said['title']}: {about}}},\n"
        f"  author = {{{{{author}}}}},\n"
        f"  year   = {{{spec.published[:4]}}},\n"
        f"  url    = {{{said['repository-code']}}}\n}}"
    )
    return [entry for entry in (spec.source.citation, *spec.cite, own) if entry]


def dataset_card(spec: TaskSpec, manifest: Manifest, example: Num[np.ndarray, "1 d"]) -> str:
    """Write the README.md of a dataset repository: YAML metadata and text.

    Args:
        spec: of the task.
        manifest: of the task.
        example: a visible design, to be shown.
    """
    sizes = {file: entry.arrow_bytes or 0 for file, entry in manifest.files.items()}
    splits = {file: split_of(file) for file in manifest.files}
    meta = {
        **terms(spec),
        "pretty_name": spec.title,
        "tags": [
            "mbo-hub",
            "offline-model-based-optimization",
            "black-box-optimization",
            *spec.tags,
        ],
        "task_categories": ["tabular-regression"],
        "size_categories": [_size_category(manifest.statistics.rows)],
        "annotations_creators": list(
            dict.fromkeys([spec.raw.annotators, *(["machine-generated"] if spec.y_oracle else [])])
        ),
        "source_datasets": [
            f"extended|other-{spec.republished}" if spec.republished else "original"
        ],
        "configs": [
            {
                "config_name": "default",
                "default": True,
                "data_files": [{"split": s, "path": file} for file, s in splits.items()],
            }
        ],
        "dataset_info": {
            "features": [_feature(column) for column in manifest.columns],
            "splits": [
                {"name": s, "num_bytes": sizes[file], "num_examples": manifest.files[file].rows}
                for file, s in splits.items()
            ],
            "download_size": sum(entry.bytes for entry in manifest.files.values()),
            "dataset_size": sum(sizes.values()),
        },
    }
    return _render(
        "dataset_card.md",
        spec,
        manifest,
        meta,
        example,
        dimensions=_folded(_dimensions(spec)),
        citations=citations(spec),
        standing=_standing(spec.name),
        history=list(spec.history.items())[::-1],
        repository=REPOSITORY,
    )


def _standing(name: str) -> dict[str, Any] | None:
    """What methods get on a task, as `mbo_hub.results.standings` has it; None before any ran."""
    standing = msgspec.json.decode(STANDINGS.read_bytes()).get(name)
    if standing is None or not standing["lines"]:
        return None
    best = standing["lines"][-1]
    if not best["control"]:
        standing["first"] = best
        standing["short"] = standing["ceiling"] - best["best"][0]
    return standing


def _scored(figures: list[float]) -> str:
    """Write a mean and its interval."""
    mean, *ends = (f"{figure:.3f}" for figure in figures)
    return f"{mean} [{', '.join(ends)}]" if ends else mean


def _dimensions(spec: TaskSpec) -> tuple[str, list[str]]:
    """A table of what a design consists of: its title, and its lines, the head's two first."""
    if isinstance(spec.space, Sequence):
        return _tokens(spec, spec.space)
    return _values(spec, spec.space)


def _tokens(spec: TaskSpec, space: Sequence) -> tuple[str, list[str]]:
    """What each token means; each position of a sequence has the same ones."""
    letters = (f"`{t}`" + (" (padding)" if t == space.padding else "") for t in space.alphabet)
    means = spec.tokens or {"written": tuple(letters)}
    rows = [
        f"| {token} | {' | '.join(words)} |"
        for token, words in enumerate(zip(*means.values(), strict=True))
    ]
    head = [f"| token | {' | '.join(means)} |", "|---" * (1 + len(means)) + "|"]
    title = f"The {space.dim} positions, 0 to {space.dim - 1}, each hold one of {len(rows)} tokens"
    return title, head + rows


def _values(spec: TaskSpec, space: Box) -> tuple[str, list[str]]:
    """The values of a design with their bounds and units; those of a part share a line."""
    low, high = (side.tolist() for side in space.bounds)
    ends = (
        np.cumsum([0, *(part.size for part in spec.parts)]) if spec.parts else range(space.dim + 1)
    )
    if ends[-1] != space.dim:
        raise ValueError(f"{spec.name}: its parts have {ends[-1]} values, its designs {space.dim}")
    rows = []
    for at, (begin, end) in enumerate(pairwise(ends)):
        first, last = space.columns[begin], space.columns[end - 1]
        name = spec.parts[at].name if spec.parts else f"`{first}`"
        places = f"{begin}" if end == begin + 1 else f"{begin} … {end - 1}"
        unit = next((u for pattern, u in spec.units.items() if fnmatchcase(last, pattern)), "–")
        bounds = (_bound(min(low[begin:end])), _bound(max(high[begin:end])))
        rows.append(f"| {places} | {name} | {' | '.join(bounds)} | {unit} |")
    head = ["| in `x` | name | at least | at most | unit |", "|---|---|---|---|---|"]
    return f"The {space.dim:,} values, their bounds and units", head + rows


def _bound(value: float) -> str:
    """A bound with the fewest digits that read back as the same float32."""
    return f"{np.float32(value)!s}" if np.isfinite(value) else "unbounded"


def _folded(table: tuple[str, list[str]]) -> str:
    """A table under its title; a long one opens with a click."""
    title, lines = table
    text = "\n".join(lines)
    if len(lines) - 2 <= LONG:
        return f"{title}:\n\n{text}"
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def _feature(column: Column) -> dict[str, Any]:
    """A column in the words of `datasets`."""
    if column.length is None:
        return {"name": column.name, "dtype": column.dtype}
    return {"name": column.name, "list": column.dtype, "length": column.length}


def oracle_card(
    spec: TaskSpec, manifest: Manifest, sizes: Mapping[str, int], example: Num[np.ndarray, "1 d"]
) -> str:
    """Write the README.md of an oracle repository.

    Args:
        spec: of the task.
        manifest: of the task.
        example: a visible design, to be shown.
        sizes: bytes of each file of the repository.
    """
    meta: dict[str, Any] = {
        **terms(spec),
        "library_name": "onnx",
        "pipeline_tag": "tabular-regression",
        "tags": ["mbo-hub", "offline-model-based-optimization", "onnx", *spec.tags],
        "datasets": [f"{ORG}/{spec.name}"],
    }
    results = [
        _result(spec, name, entry.held_out)
        for name, entry in manifest.oracles.items()
        if entry.held_out is not None
    ]
    if results:
        meta["model-index"] = [{"name": f"{spec.name}-oracle", "results": results}]
    return _render(
        "oracle_card.md", spec, manifest, meta, example, sizes=sizes, golden=golden.COUNT
    )


def _result(spec: TaskSpec, name: str, held_out: HeldOut) -> dict[str, Any]:
    """One oracle's held-out figures in the words of the Hub's model index."""
    metrics = {
        "spearman": ("Spearman, held-out designs", held_out.spearman),
        "spearman_top_decile": ("Spearman, best tenth of them", held_out.spearman_top_decile),
        "mean_absolute_error": ("Mean absolute error", held_out.mean_absolute_error),
    }
    return {
        "task": {"type": "tabular-regression", "name": f"Oracle '{name}'"},
        "dataset": {
            "name": spec.title,
            "type": f"{ORG}/{spec.name}",
            "revision": f"v{spec.version}",
        },
        "metrics": [
            {"type": kind, "name": title, "value": value}
            for kind, (title, value) in metrics.items()
        ],
    }


def _render(
    template: str,
    spec: TaskSpec,
    manifest: Manifest,
    meta: dict[str, Any],
    example: Num[np.ndarray, "1 d"],
    **extra: object,
) -> str:
    kinds = spec.oracles.values()
    return _environment().get_template(template).render(
        yaml=metadata.dump(meta),
        spec=spec,
        task=manifest,
        statistics=manifest.statistics,
        is_sequence=isinstance(spec.space, Sequence),
        repo=f"{ORG}/{spec.name}",
        onnx={n: e for n, e in manifest.oracles.items() if e.kind == "onnx"},
        columns=manifest.columns,
        example_x=example[0].tolist() if isinstance(spec.space, Sequence) else None,
        example=spec.space.decode(example)[0],
        own_terms=spec.source.license != "Apache-2.0",
        at_once=_answers_at_once(manifest),
        origin=spec.raw.words(spec.name, f"{ORG}/{spec.name}"),
        on_use=[words for kind in kinds if (words := kind.words_on_use(spec.name))],
        on_files=[words for kind in kinds if (words := kind.words_on_files())],
        label=spec.y_oracle,
        **extra,
    )  # fmt: skip


def _answers_at_once(manifest: Manifest) -> str | None:
    """Name the oracle for an example, where the task's own takes seconds for a design."""
    quick = [name for name, entry in manifest.oracles.items() if kind_of(entry).affordable >= 10]
    own = next(iter(manifest.oracles))
    return None if own in quick else quick[0]


def trust_plots(manifest: Manifest) -> dict[str, bytes]:
    """Plot how well each learned oracle ranks designs at each distance from what it was trained on.

    Returns:
        PNG by the oracle's name, for those that say so; with a hash of what they show, as
        `histogram`.

    Raises:
        DrawingFailed: matplotlib cannot draw here.
    """
    with canvas.defaults():
        return {
            name: _trust_plot(manifest, name, entry.held_out)
            for name, entry in manifest.oracles.items()
            if entry.held_out is not None and entry.held_out.by_distance
        }


def _trust_plot(manifest: Manifest, name: str, held: HeldOut) -> bytes:
    figure = canvas.figure(6.4, 3.0)
    left = figure.add_subplot()
    places = range(len(held.by_distance))
    rho = [np.nan if band.spearman is None else band.spearman for band in held.by_distance]
    left.bar(places, rho, width=0.7, color="#2f6690")
    left.axhline(held.spearman, color="#2f6690", linewidth=1, linestyle=":")
    left.set_ylabel("Spearman", color="#2f6690")
    low = min(0.0, *(r for r in rho if r == r))
    left.set_ylim(low, 1)
    left.set_xticks(places, [_band(band) for band in held.by_distance])
    about = "distance to the nearest design trained on (percentiles)"
    left.set_xlabel(f"{about}\n{_OVERLAP}" if _overlap(held.by_distance) else about)
    right = left.twinx()
    errors = [band.mean_absolute_error for band in held.by_distance]
    right.plot(places, errors, color="#c1121f", marker="o")
    right.set_ylim(0, max(errors) * 1.15)
    unit = f" ({manifest.objective.unit})" if manifest.objective.unit else ""
    right.set_ylabel(f"mean absolute error{unit}", color="#c1121f")
    left.set_title(f"{manifest.title} v{manifest.version}, oracle '{name}', held-out designs")
    left.spines["top"].set_visible(False)
    right.spines["top"].set_visible(False)
    shown = msgspec.json.encode([DRAWING, held, manifest.title, manifest.version, name])
    return canvas.png(figure, sha256(shown).hexdigest())


_OVERLAP = "bands overlap: each of several forests counts percentiles of its own designs"


def _overlap(bands: tuple[Band, ...]) -> bool:
    """Tell whether a band begins before the one before it ends."""
    return any(later.percentiles[0] < band.percentiles[1] for band, later in pairwise(bands))


def _band(band: Band) -> str:
    low, high = (f"{percentile:.0f}" for percentile in band.percentiles)
    return low if low == high else f"{low}–{high}"


def plotted_data(png: bytes) -> str | None:
    """Read the hash of what a plot of `histogram` shows; None for any other picture."""
    found = re.search(rb"tEXtDescription\x00([0-9a-f]{64})", png)
    return found.group(1).decode() if found else None


def oracle_summary(entry: OracleEntry) -> str:
    """Say in a few words what an oracle is: kind, and exact or how well it does."""
    if entry.exact:
        return f"{entry.kind}, exact"
    if entry.held_out is None:
        return entry.kind
    return f"{entry.kind}, held-out Spearman {entry.held_out.spearman:.3f}"


def with_table(readme: str, manifests: list[Manifest]) -> str:
    """Return the README with its table of tasks made anew between the two marks."""
    lines = [
        "| task | visible / all designs × dim | objective | D(best), score | oracles |",
        "|---|---|---|---|---|",
    ]
    for task in manifests:
        s = task.statistics
        kinds = "; ".join(f"`{name}`: {oracle_summary(e)}" for name, e in task.oracles.items())
        unit = f" ({task.objective.unit})" if task.objective.unit else ""
        lines.append(
            f"| [`{task.name}`]({REPOSITORY}/dataset_cards/{task.name}/README.md) {task.title} | "
            f"{s.visible:,} / {s.rows:,} × {task.space.dim} | {task.objective.name}{unit} | "
            f"{s.score(s.best_visible):.3f} | {kinds} |"
        )
    table = "\n".join(lines) + "\n"
    return TABLE.sub(lambda match: match.group(1) + table + match.group(2), readme)
