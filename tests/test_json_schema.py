"""The published JSON Schema of task.json is the same whatever versions of libraries derive it."""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec
import pytest
from conftest import ROOT

from mbo_hub.dataset import manifest
from mbo_hub.dataset.json_schema import json_schema

PUBLISHED = json.loads((ROOT / "mbo_hub" / "dataset" / "task.schema.json").read_text("utf-8"))


@pytest.mark.parametrize("clean", [inspect.cleandoc, lambda text: text, lambda text: ""])
def test_descriptions_do_not_depend_on_how_msgspec_copies_docstrings(
    clean: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived = msgspec.json.schema(manifest.Manifest)
    for name, definition in derived["$defs"].items():
        definition["description"] = clean(getattr(manifest, name).__doc__)
    monkeypatch.setattr(msgspec.json, "schema", lambda _: derived)
    assert json.loads(msgspec.json.encode(json_schema())) == PUBLISHED


def test_every_field_is_described_without_what_only_python_needs() -> None:
    for name, definition in PUBLISHED["$defs"].items():
        described = {
            field: rule.get("description") for field, rule in definition["properties"].items()
        }
        assert {field for field, words in described.items() if not words} <= {"kind"}, name
        for words in [definition["description"], *filter(None, described.values())]:
            assert ">>>" not in words
            assert not {"Args:", "Attributes:", "Example:", "Raises:"} & set(words.split())
            assert "  " not in words
