"""Cards of datasets and oracles, the plot beside them, and the README's table of tasks."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mbo_hub.archive.folders import ORG
from mbo_hub.arrays import Float32
from mbo_hub.dataset.layout import Column, split_of
from mbo_hub.dataset.manifest import Band, HeldOut, Manifest, OracleEntry
from mbo_hub.oracles import golden
from mbo_hub.oracles.kinds import kind_of
from mbo_hub.publishing import metadata
from mbo_hub.spaces import Sequence
from mbo_hub.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["dataset_card", "histogram", "oracle_card", "plotted_data", "trust_plots", "with_table"]

# Where links lead from a page that is read elsewhere, too: README.md is the first page on PyPI.
REPOSITORY = "https://github.com/mbo-hub/mbo-hub/blob/main"
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


def dataset_card(spec: TaskSpec, manifest: Manifest) -> str:
    """Write the README.md of a dataset repository: YAML metadata and text."""
    sizes = {file: entry.arrow_bytes or 0 for file, entry in manifest.files.items()}
    splits = {file: split_of(file) for file in manifest.files}
    meta = {
        "license": spec.source.license.lower(),
        "pretty_name": spec.title,
        "tags": [
            "mbo-hub",
            "offline-model-based-optimization",
            "black-box-optimization",
            *spec.tags,
        ],
        "task_categories": ["tabular-regression"],
        "size_categories": [_size_category(manifest.statistics.rows)],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
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
    return _render("dataset_card.md", spec, manifest, meta)


def _feature(column: Column) -> dict[str, Any]:
    """A column in the words of `datasets`."""
    if column.length is None:
        return {"name": column.name, "dtype": column.dtype}
    return {"name": column.name, "list": column.dtype, "length": column.length}


def oracle_card(spec: TaskSpec, manifest: Manifest, sizes: Mapping[str, int]) -> str:
    """Write the README.md of an oracle repository.

    Args:
        spec: of the task.
        manifest: of the task.
        sizes: bytes of each file of the repository.
    """
    meta: dict[str, Any] = {
        "license": "apache-2.0",
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
    return _render("oracle_card.md", spec, manifest, meta, sizes=sizes, golden=golden.COUNT)


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
    template: str, spec: TaskSpec, manifest: Manifest, meta: dict[str, Any], **extra: object
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
        example_x=_example(spec)[0].tolist() if isinstance(spec.space, Sequence) else None,
        example=spec.space.decode(_example(spec))[0],
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


def _example(spec: TaskSpec) -> Any:
    return spec.space.sample(1, rng=0)


def histogram(
    manifest: Manifest, y: Float32[np.ndarray, " n"], visible: Float32[np.ndarray, " m"]
) -> bytes:
    """Plot the distribution of y over the full data with the visible part marked, as PNG.

    The picture carries a hash of what it shows (`plotted_data`), since its bytes depend on the
    version of matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    edges = np.linspace(float(y.min()), float(y.max()), 61).tolist()
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.hist(y, edges, color="#c9d3df", label=f"hidden ({len(y) - len(visible):,})")
    axes.hist(visible, edges, color="#2f6690", label=f"visible ({len(visible):,})")
    best = manifest.statistics.best_visible
    axes.axvline(best, color="#c1121f", linewidth=1.2)
    axes.annotate(
        f"D(best) {best:.4g}", (best, 0.95), (4, 0), xycoords=("data", "axes fraction"),
        textcoords="offset points", color="#c1121f", va="top",
    )  # fmt: skip
    unit = f" ({manifest.objective.unit})" if manifest.objective.unit else ""
    axes.set_xlabel(f"y: {manifest.objective.name}{unit}")
    axes.set_ylabel("designs")
    axes.set_title(f"{manifest.title} v{manifest.version}")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    counts = [np.histogram(values, edges)[0].tolist() for values in (y, visible)]
    shown = msgspec.json.encode([counts, manifest.statistics, manifest.title, manifest.version])
    sink = io.BytesIO()
    figure.savefig(
        sink, format="png", dpi=120,
        metadata={"Software": None, "Description": sha256(shown).hexdigest()},
    )  # fmt: skip
    return sink.getvalue()


def trust_plots(manifest: Manifest) -> dict[str, bytes]:
    """Plot how well each learned oracle ranks designs at each distance from what it was trained on.

    Returns:
        PNG by the oracle's name, for those that say so; with a hash of what they show, as
        `histogram`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    plots = {}
    for name, entry in manifest.oracles.items():
        held = entry.held_out
        if held is None or not held.by_distance:
            continue
        figure = Figure(figsize=(6.4, 3.0), layout="constrained")
        FigureCanvasAgg(figure)
        left = figure.add_subplot()
        places = range(len(held.by_distance))
        rho = [np.nan if band.spearman is None else band.spearman for band in held.by_distance]
        left.bar(places, rho, width=0.7, color="#2f6690")
        left.axhline(held.spearman, color="#2f6690", linewidth=1, linestyle=":")
        left.set_ylabel("Spearman", color="#2f6690")
        low = min(0.0, *(r for r in rho if r == r))
        left.set_ylim(low, 1)
        left.set_xticks(places, [_band(band) for band in held.by_distance])
        left.set_xlabel("distance to the nearest design trained on (percentiles)")
        right = left.twinx()
        errors = [band.mean_absolute_error for band in held.by_distance]
        right.plot(places, errors, color="#c1121f", marker="o")
        right.set_ylim(0, max(errors) * 1.15)
        unit = f" ({manifest.objective.unit})" if manifest.objective.unit else ""
        right.set_ylabel(f"mean absolute error{unit}", color="#c1121f")
        left.set_title(f"{manifest.title} v{manifest.version}, oracle '{name}', held-out designs")
        left.spines["top"].set_visible(False)
        right.spines["top"].set_visible(False)
        shown = msgspec.json.encode([held, manifest.title, manifest.version, name])
        sink = io.BytesIO()
        figure.savefig(
            sink, format="png", dpi=120,
            metadata={"Software": None, "Description": sha256(shown).hexdigest()},
        )  # fmt: skip
        plots[name] = sink.getvalue()
    return plots


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
