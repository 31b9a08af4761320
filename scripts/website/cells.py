"""Cells and tables as HTML; docs/web/leaderboard/leaderboard.js writes cells alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


def method_cell(found: Mapping[str, Any], method: str, to: str = "../methods/") -> str:
    """Name a method, with a link to its page."""
    control = '<span class="lb-control">control</span>' if method in found["controls"] else ""
    title = escape(found["entrants"].get(method, method))
    return f'<th scope="row"><a href="{to}{method}.html" title="{title}">{method}</a>{control}</th>'


def score(
    cell: Sequence[Any] | None, scale: Sequence[float], d_best: float, again: bool = False
) -> str:
    """Write a mean with its interval, drawn and in numbers."""
    if cell is None:
        return '<td class="lb-apart">apart</td>'
    mean, low, high, _, best, _ = cell
    return estimate([mean, low, high], 3, scale, d_best, best=bool(best), again=again)


def estimate(
    three: Sequence[float | None] | None,
    digits: int,
    scale: Sequence[float],
    mark: float | None = None,
    *,
    best: bool = False,
    again: bool = False,
) -> str:
    """Write a value with its interval, drawn and in numbers.

    Args:
        three: value, and the ends of its interval or None.
        digits: after the point.
        scale: between which values it is drawn.
        mark: where a tick is drawn.
        best: whether it cannot be told from the best.
        again: whether its designs were scored again.
    """
    if three is None or three[0] is None:
        return "<td>–</td>"
    value, low, high = three
    text = f"{value:.{digits}f}"
    told = f"<strong>{text}</strong> *" if best else text
    told += "<span class='lb-again'> ✓</span>" if again else ""
    between = (
        f'<span class="lb-int">[{low:.{digits}f}, {high:.{digits}f}]</span>'
        if low is not None and high is not None
        else ""
    )
    return f'<td data-v="{value!r}">{told}{between}{drawn(three, scale, mark)}</td>'


def drawn(three: Sequence[float | None], scale: Sequence[float], mark: float | None = None) -> str:
    """Draw an interval on a scale, as percentages that the style sheet places."""
    low, high = scale

    def at(value: float | None) -> float:
        place = 100 * ((three[0] if value is None else value) - low) / (high - low or 1)
        return round(min(100.0, max(0.0, place)), 1)

    tick = "" if mark is None else f"<i style='left:{at(mark):g}%'></i>"
    begin, end = at(three[1]), at(three[2])
    return (
        f"<span class='lb-ci' aria-hidden='true'>{tick}"
        f"<b style='left:{begin:g}%;width:{round(end - begin, 1):g}%'></b>"
        f"<u style='left:{at(three[0]):g}%'></u></span>"
    )


def figure(value: float | None, form: str) -> str:
    """Write a number, and for scripts all of it."""
    return "<td>–</td>" if value is None else f'<td data-v="{value!r}">{form.format(value)}</td>'


def boxed(title: str, header: Sequence[str], rows: str, after: str = "") -> str:
    """Write a table that scrolls inside of its own box."""
    head = "".join(f'<th scope="col">{text}</th>' for text in header)
    left = " lb-left" if "Setting" in header else ""
    return (
        f'<div class="lb"><div class="lb-scroll" tabindex="0" role="region" aria-label="{title}">'
        f'<table class="lb-table{left}"><caption>{title}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div></div>{after}"
    )
