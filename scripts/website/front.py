"""What the first page shows of data: a figure, and the tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

import mbo_hub
import tasks
import views
from page import Page

CARDS = Path(__file__).parents[2] / "dataset_cards"
BINS = 44
WIDTH, HEIGHT, BASE = 560, 330, 282  # of the figure, and where its bars stand
METHOD = "grad"
THUMBNAIL = (360, 270)
# Of tasks whose cards have no picture of a robot, a design is drawn or written; of others, nothing.
READS = {
    "tfbind8": "GCTAATTA",
    "tfbind10": "AACACGTGTT",
    "superconductor": "YBa<sub>2</sub>Cu<sub>3</sub>O<sub>7</sub>",
}


def fill(markdown: str) -> str:
    """Put the figure and the tasks where the first page has their marks."""
    for mark, make in MARKS.items():
        markdown = markdown.replace(f"<!-- {mark} -->", make())
    return markdown


def pages() -> list[Page]:
    """Make the small pictures that the first page shows."""
    return [
        Page(f"web/thumbnails/{one.name}.webp", _thumbnail(tasks.picture(one.name)))
        for one in tasks.facts()
        if tasks.picture(one.name).is_file()
    ]


def _thumbnail(path: Path) -> bytes:
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
        picture.thumbnail(THUMBNAIL)
        raw = BytesIO()
        picture.save(raw, "webp", quality=70)
    return raw.getvalue()


def _figure() -> str:
    """Draw what a method sees, what there is, and what it proposes, on TF Bind 8."""
    task = mbo_hub.load("tfbind8")
    run = next(r for r in views.runs() if (r.record.task, r.record.method, r.record.seed)
               == ("tfbind8", METHOD, 0))  # fmt: skip
    edges = np.linspace(0.0, 1.0, BINS + 1)
    visible, hidden = (np.histogram(y, edges)[0] for y in (task.y, task.hidden[1]))
    proposed = np.histogram(run.y, edges)[0]
    x = 20 + (WIDTH - 40) * edges[:-1]
    wide = (WIDTH - 40) / BINS - 1.5

    def bars(heights: np.ndarray, kind: str, most: float) -> str:
        tall = heights / most
        return "".join(
            f'<rect class="{kind}" x="{a:.1f}" y="{BASE - h:.1f}" '
            f'width="{wide:.1f}" height="{h:.1f}"/>'
            for a, h in zip(x, tall, strict=True)
            if h > 0
        )

    most = max(visible.max(), hidden.max()) / 150
    dots = "".join(
        f'<circle class="proposed" cx="{a + wide / 2:.1f}" cy="{110 - 7.2 * k:.1f}" r="2.9"/>'
        for a, count in zip(x, proposed, strict=True)
        for k in range(int(count))
    )
    best = 20 + (WIDTH - 40) * float(task.y.max())
    share = float((run.y > task.y.max()).mean())
    told = (
        f"Histogram of TF Bind 8: of 65,792 sequences the weaker half is visible. Of "
        f"{len(run.y)} designs of gradient ascent {share:.0%} are better than the best visible one."
    )
    return f"""<figure class="hero-figure">
<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(told)}">
{bars(visible, "visible", most)}{bars(hidden, "hidden", most)}{dots}
<line class="best" x1="{best:.1f}" x2="{best:.1f}" y1="26" y2="{BASE}"/>
{_text(best - 8, 36, "end", "best visible")}
{_text(WIDTH - 16, 36, "end", f"{len(run.y)} proposals, one dot each", "label-proposed")}
{_text(64, 150, "start", "visible", "label-visible")}
{_text(WIDTH - 16, BASE - 62, "end", "hidden", "label-hidden")}
<line class="axis" x1="18" x2="{WIDTH - 18}" y1="{BASE}" y2="{BASE}"/>
{_text(20, BASE + 20, "start", "weak")}
{_text(WIDTH / 2, BASE + 20, "middle", "how strongly a sequence binds")}
{_text(WIDTH - 20, BASE + 20, "end", "strong")}
</svg>
<figcaption>TF Bind 8: gradient ascent saw the blue half alone. {share:.0%} of its designs beat
the best that it saw.</figcaption>
</figure>"""


def _text(x: float, y: float, anchor: str, text: str, kind: str = "note") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _tasks() -> str:
    return '<div class="grid tasks">' + "".join(_tile(one) for one in tasks.facts()) + "</div>"


def _tile(task: tasks.Facts) -> str:
    if tasks.picture(task.name).is_file():
        art = (f'<img src="web/thumbnails/{task.name}.webp" alt="" loading="lazy" '
               f'width="{THUMBNAIL[0]}" height="{THUMBNAIL[1]}">')  # fmt: skip
    elif task.name in DRAWN:
        art = DRAWN[task.name]()
    else:
        art = f'<span class="reads">{READS.get(task.name, "")}</span>'
    return (
        f'<a class="tile task" href="tasks/{task.name}.html">'
        f'<span class="art" aria-hidden="true">{art}</span>'
        f"<strong>{escape(task.title)}</strong><span>{escape(task.summary)}</span>"
        f'<span class="small">{escape(task.size)} · {escape(task.oracle)}</span></a>'
    )


def _molecule() -> str:
    """Draw the best visible molecule of ChEMBL in the colour of text."""
    from rdkit import Chem
    from rdkit.Chem.Draw import rdMolDraw2D

    task = mbo_hub.load("chembl")
    smiles = task.space.decode(task.x[[int(task.y.argmax())]])[0]
    drawer = rdMolDraw2D.MolDraw2DSVG(*THUMBNAIL)
    options = drawer.drawOptions()
    options.useBWAtomPalette()
    options.clearBackground = False
    options.padding = 0.12
    drawer.DrawMolecule(Chem.MolFromSmiles(smiles))
    drawer.FinishDrawing()
    svg = drawer.GetDrawingText()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor")
    return svg.replace("\n", "")


def _network() -> str:
    """Draw the best visible network of NAS: a bar a layer, by kernel size and activation."""
    task = mbo_hub.load("nas")
    layers = task.x[int(task.y.argmax())].reshape(-1, 2)  # kernel size and activation, by turns
    wide, tall = THUMBNAIL
    step = (wide - 40) / len(layers)
    return (
        f'<svg viewBox="0 0 {wide} {tall}">'
        + "".join(
            f'<rect class="act{activation}" x="{20 + k * step:.1f}" y="{tall / 2 - h:.1f}" rx="2" '
            f'width="{step - 2:.1f}" height="{2 * h:.1f}"/>'
            for k, (kernel, activation) in enumerate(layers)
            for h in [14 + 11.0 * int(kernel)]
        )
        + "</svg>"
    )


DRAWN: Mapping[str, Callable[[], str]] = {"chembl": _molecule, "nas": _network}
MARKS: Mapping[str, Callable[[], str]] = {"figure": _figure, "tasks": _tasks}
