"""Check array shapes and types while tests run: must happen before mbo_hub is imported."""

from __future__ import annotations

import os

os.environ["HF_ENDPOINT"] = (
    "http://127.0.0.1:9"  # nothing listens there: no test leaves the machine
)

import jaxtyping

HOOK = jaxtyping.install_import_hook("mbo_hub", "beartype.beartype")

import shutil  # noqa: E402
from pathlib import Path  # noqa: E402

import hypothesis  # noqa: E402
import pytest  # noqa: E402

import mbo_hub  # noqa: E402

hypothesis.settings.register_profile("default", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("default")

ROOT = Path(__file__).parent.parent
RAW = ROOT.parent / "shared" / "raw"  # raw sources, where they lie beside the checkout


@pytest.fixture(scope="session")
def tfbind8() -> mbo_hub.Task:
    return mbo_hub.load("tfbind8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the TF Bind 8 folders to break: <tmp>/tfbind8 and <tmp>/tfbind8-oracle."""
    shutil.copytree(ROOT / "dataset_cards" / "tfbind8", tmp_path / "tfbind8")
    shutil.copytree(ROOT / "oracles_onnx" / "tfbind8", tmp_path / "tfbind8-oracle")
    return tmp_path / "tfbind8"
