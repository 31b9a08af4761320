"""Text that somebody else wrote: which may come in, and how each format writes it.

What a record, a receipt or a task.json says of itself is shown in many places: in terminals, on
pages, in LaTeX. It comes in as a `Line` or a `Sentence`: printable characters, without an end of
line. It goes out through the function of its format: `markdown`, `latex`, `yaml`, `csv`, `figure`
and `terminal` here, `html.escape` of the standard library for HTML. Whatever it says, it stays
text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec

__all__ = [
    "Line",
    "Sentence",
    "csv",
    "explained",
    "figure",
    "latex",
    "markdown",
    "one_line",
    "strange",
    "terminal",
    "yaml",
]

SHORT, LONG = 200, 2000  # characters of a `Line` and of a `Sentence`
# Control characters, separators of lines, marks that reorder or hide text. Zero-width ones, too.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
)
_PATTERN = rf"^[^{_HIDDEN}]*(?!\n)$"  # alike in Python and in JSON Schema
_UNPRINTABLE = re.compile(f"[{_HIDDEN}\ud800-\udfff]")

_Printable = Annotated[str, msgspec.Meta(pattern=_PATTERN)]
Line = Annotated[_Printable, msgspec.Meta(max_length=SHORT)]
Sentence = Annotated[_Printable, msgspec.Meta(max_length=LONG)]


def explained(message: str) -> str:
    """Write what msgspec says is wrong with a document without the pattern of printable text."""
    return message.replace(f"matching regex {_PATTERN!r}", "of printable characters in one line")


def strange(value: Any, place: str) -> str | None:
    """Say which text inside of a value is no `Sentence`, or None if all are.

    Args:
        value: of a JSON document.
        place: what to call it.
    """
    for where, text in _texts(value, place):
        if _UNPRINTABLE.search(text):
            return f"{where} has to be printable characters in one line"
        if len(text) > LONG:
            return f"{where} has {len(text):,} characters, more than {LONG:,}"
    return None


def _texts(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"a name in {place}", str(name)
            yield from _texts(inner, f"{place}.{name}")
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner, place)


def one_line(text: str, longest: int = LONG) -> str:
    """Make a `Sentence` of any text: its lines one after the other, the rest as escapes, and cut.

    Args:
        text: what a program said.
        longest: characters that are kept.
    """
    lines = " / ".join(filter(None, (line.strip(" \t\r") for line in text.split("\n"))))
    shown = _UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], lines)
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def terminal(text: str) -> str:
    """Escape what a terminal would obey, and what hides or reorders text; lines stay lines."""
    return re.sub(_UNPRINTABLE, lambda f: f[0] if f[0] in "\n\t" else _escaped(f), text)


# What Markdown reads where it stands, with what is shown instead. Entities, where a backslash would
# be shown by one of Python-Markdown, GitHub and the Hub.
_MARKDOWN: Mapping[str, str] = {
    **{c: f"\\{c}" for c in "\\|_*"},
    "<": "&lt;",
    **{c: f"&#{ord(c)};" for c in "`{}~$"},
}
_REFERENCE = re.compile(r"&(?=#?\w+;)")  # an entity of their own would become a character
# Brackets of links, addresses that become one, names that are called.
_LINK = re.compile(r"\](?=[(\[:])|(?<=\w):(?=//)|(?<=www)\.|@(?=\w)", re.IGNORECASE)


def markdown(text: str) -> str:
    """Write text inside of a line of Markdown, or a cell of its tables, not at a line's start."""
    written = _REFERENCE.sub("&amp;", _flat(text))
    written = "".join(_MARKDOWN.get(c, c) for c in written)
    return _LINK.sub(lambda found: f"&#{ord(found[0])};", written)


_LATEX: Mapping[str, str] = {
    **{c: f"\\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "−": "$-$",
    "±": r"$\pm$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "…": r"\ldots{}",
}


def latex(text: str) -> str:
    """Write text in LaTeX, in a comment, too."""
    written = "".join(_LATEX.get(c, c) for c in _flat(text))
    return f"{{[}}{written[1:]}" if written.startswith("[") else written  # of a row: \\[…]


def csv(text: str) -> str:
    """Write text for a cell that a spreadsheet must not compute: it begins with an apostrophe."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def figure(text: str) -> str:
    """Write text on a picture of matplotlib, which else reads mathematics between dollars."""
    return _flat(text).replace("$", r"\$")


_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_@/.*-]*")
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def yaml(text: str) -> str:
    """Write text as a scalar of YAML: bare where YAML reads it as text, else in quotes."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return json.dumps(text)


def _flat(text: str) -> str:
    """A line, whatever comes in."""
    return _UNPRINTABLE.sub(" ", text)
