#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Draw the search space of nas: the network that a design describes, and what each choice does.

The lower half shows, for each position and choice, how far the mean accuracy of the uniformly drawn
architectures with that choice is from the mean of all of them. It writes space.png beside the card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from mbo_hub.making import build
from mbo_hub.oracles.digits import ACTIVATIONS, BLOCKS, KERNELS, RECIPE
from mbo_hub.tasks.nas import TASK

FIXED, CHOSEN, INK = "#e9edf2", "#bcd4e6", "#22313f"
NAMES = dict(zip(ACTIVATIONS, ("ReLU", "ELU", "LeakyReLU", "SELU", "SiLU"), strict=True))


def network(figure: Figure, place: object) -> None:
    """Draw the network, and one of its blocks in full."""
    axes = figure.add_subplot(place)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 40)
    axes.axis("off")

    def box(x: float, y: float, width: float, text: str, color: str) -> None:
        shape = FancyBboxPatch((x, y), width, 7, boxstyle="round,pad=0.4", fc=color, ec=INK, lw=0.8)
        axes.add_patch(shape)
        axes.text(x + width / 2, y + 3.5, text, ha="center", va="center", fontsize=7.5, color=INK)

    def arrow(start: tuple[float, float], end: tuple[float, float], bend: float = 0.0) -> None:
        style = f"arc3,rad={bend}"
        axes.add_patch(
            FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=8, lw=0.8, color=INK,
                            connectionstyle=style)
        )  # fmt: skip

    c, side = RECIPE.channels, RECIPE.side
    box(1, 29, 12, "digit\n8 × 8", FIXED)
    box(18, 29, 15, f"convolution 3 × 3\nto {c} × {side} × {side}", FIXED)
    for at, name in enumerate(["block 0", "block 1", "…", f"block {BLOCKS - 1}"]):
        box(38 + 9.5 * at, 29, 7.5, name, CHOSEN)
    box(77, 29, 9, "mean over\npositions", FIXED)
    box(90, 29, 9, "linear\n10 classes", FIXED)
    for left, right in ((13.4, 17.6), (33.4, 37.6), (45.9, 47.1), (55.4, 56.6), (64.9, 66.1),
                        (74.4, 76.6), (86.4, 89.6)):  # fmt: skip
        arrow((left, 32.5), (right, 32.5))
    axes.plot([38, 10], [28.4, 19], color=INK, lw=0.6, ls=":")
    axes.plot([45.5, 92], [28.4, 19], color=INK, lw=0.6, ls=":")
    parts = [("convolution", "token 4b"), ("activation", "token 4b + 1"),
             ("convolution", "token 4b + 2"), ("activation", "token 4b + 3")]  # fmt: skip
    for at, (part, token) in enumerate(parts):
        box(15 + 17 * at, 9, 13, f"{part}\n{token}", CHOSEN)
        arrow((11.5 + 17 * at, 12.5), (14.6 + 17 * at, 12.5))
    axes.text(10, 12.5, "h", ha="center", va="center", fontsize=9, color=INK)
    axes.text(85, 12.5, "+", ha="center", va="center", fontsize=11, color=INK)
    arrow((79.4, 12.5), (83.6, 12.5))
    arrow((86.4, 12.5), (91, 12.5))
    arrow((10, 15), (85, 15), -0.13)
    sizes = ", ".join(f"{size} × {size}" for size in KERNELS)
    names = ", ".join(NAMES.values())
    axes.text(50, 1, f"0 … 4 of a convolution: {sizes}       0 … 4 of an activation: {names}",
              ha="center", fontsize=7.5, color=INK)  # fmt: skip


def effects(figure: Figure, places: tuple[object, object]) -> None:
    """Draw what each choice does to the mean accuracy of uniformly drawn architectures."""
    frame = build.read_frame(TASK)
    frame = frame.filter(frame["generation"] == 0)
    x, y = frame["x"].to_numpy(), frame["y"].to_numpy().astype(np.float64)
    means = np.array([[y[x[:, at] == token].mean() for at in range(64)] for token in range(5)])
    means -= y.mean()
    most = np.abs(means).max()
    kinds = (("kernel size", [str(size) for size in KERNELS]), ("activation", [*NAMES.values()]))
    for place, (kind, labels), first in zip(places, kinds, (0, 1), strict=True):
        axes = figure.add_subplot(place)
        image = axes.imshow(means[:, first::2], cmap="RdBu", vmin=-most, vmax=most, aspect="auto")
        axes.set_yticks(range(5), labels, fontsize=7)
        axes.set_xticks(range(0, 32, 2), range(16), fontsize=7)
        axes.set_title(f"{kind}, by block (two in each)", fontsize=8)
        bar = figure.colorbar(image, ax=axes, pad=0.01)
        bar.set_label("accuracy, % points", fontsize=7)
        bar.ax.tick_params(labelsize=7)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = build.dataset_folder(TASK.name) / "space.png"
    parser.add_argument("--out", type=Path, default=default, help="(%(default)s)")
    arguments = parser.parse_args()
    figure = Figure(figsize=(8.0, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(3, 1, height_ratios=(2.0, 1, 1))
    network(figure, grid[0])
    effects(figure, (grid[1], grid[2]))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(arguments.out, dpi=120, metadata={"Software": None})
    print(f"wrote {build.shown(arguments.out)}")


if __name__ == "__main__":
    main()
