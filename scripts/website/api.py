"""The reference of the public names, from their docstrings."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import mbo_hub
from page import Page


class Group(NamedTuple):
    """A page of the reference.

    Attributes:
        file: its name, without `.md`.
        title: for people.
        about: what the names are for.
        names: dotted names, each from the module where a user imports it.
    """

    file: str
    title: str
    about: str
    names: tuple[str, ...]


def _public(module: str, *left_out: str) -> tuple[str, ...]:
    names = getattr(import_module(module), "__all__", None) or dir(import_module(module))
    public = (name for name in names if not name.startswith("_") and name not in left_out)
    return tuple(f"{module}.{name}" for name in public)


TOP = {
    "tasks": ("load", "tasks", "ListedTask", "Task", "Subset", "read_designs", "validate"),
    "offline": ("Offline", "Normalization", "Affine"),
    "spaces": ("Box", "Sequence"),
    "scoring": ("Oracle", "Fingerprint", "Report", "Summary", "Verification"),
}


def groups() -> list[Group]:
    """Sort all public names into pages."""
    placed = {name for names in TOP.values() for name in names}
    errors = tuple(name for name in mbo_hub.__dir__() if name.isidentifier()
                   and isinstance(getattr(mbo_hub, name), type)
                   and issubclass(getattr(mbo_hub, name), Exception))  # fmt: skip
    rest = {n for n in mbo_hub.__dir__() if not n.startswith("_")} - placed - {*errors}
    if rest:
        raise LookupError(f"scripts/website/api.py has no page for {', '.join(sorted(rest))}")

    def top(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"mbo_hub.{name}" for name in names)

    return [
        Group("tasks", "Tasks", "What a user loads, holds in hand and reads.", top(TOP["tasks"])),
        Group("offline", "What a method sees", "Data without an oracle.", top(TOP["offline"])),
        Group("spaces", "Spaces", "What a design is.", top(TOP["spaces"])),
        Group("scoring", "Oracles and reports", "From designs to a receipt.", top(TOP["scoring"])),
        Group("methods", "Methods", "Contestants, and the protocol that they follow. Each of them "
              "has [a page](../methods/index.md).", _public("mbo_hub.methods")),
        Group("results", "Results", "Runs, tables, and verification.", _public("mbo_hub.results")),
        Group("errors", "Errors", "All that bad input raises.", top(errors)),
    ]  # fmt: skip


def pages() -> list[Page]:
    """Make the pages of the reference."""
    made, rows = [], []
    for group in groups():
        names = ", ".join(f"[`{n.rsplit('.', 1)[1]}`]({group.file}.md#{n})" for n in group.names)
        rows.append(f"| [{group.title}]({group.file}.md) | {names} |")
        body = "\n\n".join(f"::: {name}" for name in group.names)
        text = f"# {group.title}\n\n{group.about}\n\n{body}\n"
        made.append(Page(f"api/{group.file}.md", text, group.title))
    listing = "\n".join(["| page | names |", "|---|---|", *rows])
    index = (
        f"# API reference\n\nEvery public name. All else may change without notice.\n\n{listing}\n"
    )
    return [Page("api/index.md", index, ""), *made]
