"""The published JSON Schema of `task.json`, derived from the structures of `manifest`.

msgspec derives types and limits. Titles and descriptions are written here, for readers in any
language: what a structure's docstring says of it in its first paragraphs, and of each field under
*Attributes* or *Args*. Examples stay in Python.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from mbo_hub.dataset import manifest

__all__ = ["json_schema"]

ID = f"urn:mbo-hub:task.json:{manifest.FORMAT}"
_SECTION = re.compile(r"^([A-Z][a-z]+):\n", re.MULTILINE)  # of a docstring in Google's style
_FIELD = re.compile(r"^ {4}(\w+): (.*(?:\n {5,}.*)*)", re.MULTILINE)


def json_schema() -> dict[str, Any]:
    """Derive the JSON Schema (2020-12) of `task.json`."""
    schema = msgspec.json.schema(manifest.Manifest)
    schema["$defs"]["Manifest"]["properties"]["format"] = {"const": manifest.FORMAT}
    for name, definition in schema["$defs"].items():
        for rule in definition["properties"].values():
            # msgspec's order of these depends on its version
            rule.get("anyOf", []).sort(key=lambda choice: choice == {"type": "null"})
        definition["description"], fields = _described(getattr(manifest, name))
        for field, description in fields.items():
            definition["properties"][field]["description"] = description
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "mbo-hub task.json",
        **schema,
    }


def _described(structure: type) -> tuple[str, dict[str, str]]:
    """What a docstring says of a structure, and of each of its fields; a paragraph is one line."""
    whole, *sections = _SECTION.split(inspect.cleandoc(structure.__doc__ or ""))
    fields = {
        field: " ".join(words.split())
        for title, body in zip(sections[::2], sections[1::2], strict=True)
        if title in ("Args", "Attributes")
        for field, words in _FIELD.findall(body)
    }
    paragraphs = [" ".join(paragraph.split()) for paragraph in whole.strip().split("\n\n")]
    return "\n\n".join(paragraphs), fields
