"""Check array shapes and types while tests run: must happen before mbo_hub is imported."""

from __future__ import annotations

import os
import signal
import tempfile

os.environ["HF_ENDPOINT"] = (
    "http://127.0.0.1:9"  # nothing listens there: no test leaves the machine
)
# As on a new user's machine, nothing is built: `build_cache` has what is, for tests that need it.
EMPTY_CACHE = os.environ["MBO_HUB_CACHE"] = tempfile.mkdtemp(prefix="mbo-hub-tests-")

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would every process
# of theirs.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import jaxtyping

HOOK = jaxtyping.install_import_hook("mbo_hub", "beartype.beartype")

import importlib.util  # noqa: E402
import shutil  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from functools import cache  # noqa: E402
from pathlib import Path  # noqa: E402
from types import ModuleType  # noqa: E402
from typing import Any  # noqa: E402

import browser  # noqa: E402
import core_seconds  # noqa: E402
import filelock  # noqa: E402
import golden_checks  # noqa: E402
import hypothesis  # noqa: E402
import pytest  # noqa: E402
from raw_server import RawServer  # noqa: E402

import mbo_hub  # noqa: E402
from mbo_hub.dataset import footer  # noqa: E402
from mbo_hub.making import build  # noqa: E402
from mbo_hub.making.assembly import build_in_cache  # noqa: E402
from mbo_hub.oracles import golden  # noqa: E402
from mbo_hub.tasks import TASKS  # noqa: E402

# Called for each byte of a file: checking types there took half the time of reading all results.
for method in ("structure", "_byte", "_varint", "_integer", "_bytes", "_value"):
    getattr(footer._Compact, method).__no_type_check__ = True

hypothesis.settings.register_profile("default", deadline=None)  # a busy machine is no failure
hypothesis.settings.register_profile("quick", deadline=None, max_examples=25)
hypothesis.settings.load_profile("default")

ROOT = Path(__file__).parent.parent
collect_ignore = ["contribution"]  # test_contributing.py adds it to a copy of the checkout
RAW = ROOT.parent / "shared" / "raw"  # raw sources, where they lie beside the checkout


PROMPT_S = 15  # on a slow machine that has much else to do


@contextmanager
def prompt() -> Iterator[None]:
    """Fails where what is done waits for what does not come: here that takes longer, or for ever.

    It measures no speed: whatever comes without waiting has time enough.
    """
    start = time.monotonic()
    yield
    assert time.monotonic() - start < PROMPT_S


def script_module(name: str, patch: pytest.MonkeyPatch) -> ModuleType:
    """A program of scripts/ as a module, as long as the patch lasts; it may import its neighbours."""
    path = ROOT / "scripts" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)  # dataclasses look there
    patch.syspath_prepend(str(path.parent))
    spec.loader.exec_module(module)
    return module


def pytest_addoption(parser: pytest.Parser) -> None:
    name = core_seconds.KNOWN.name
    parser.addoption(
        "--write-core-seconds", action="store_true", help=f"write {name} from this run"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(core_seconds)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # What takes longest begins: the site, which is built first, and the copy of the checkout. While
    # one worker waits for them, the others go on.
    items.sort(key=lambda item: {"site", "checkout"}.isdisjoint(getattr(item, "fixturenames", ())))
    for item in items:
        for mark in item.iter_markers("slow"):
            assert mark.args, f"{item.nodeid} does not say why it is slow: mark.slow('why')"


def pytest_unconfigure() -> None:
    shutil.rmtree(EMPTY_CACHE, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one of several workers of pytest-xdist finds what another has made."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session", autouse=True)
def _golden_values_are_checked_once(shared_place: Path) -> None:
    golden._checked = golden_checks.Checks(shared_place / "golden")


@pytest.fixture(scope="session")
def build_cache(shared_place: Path) -> Callable[[str], Path]:
    """Builds a task that the package does not carry, once; gives the cache that has it."""
    place = shared_place / "built"

    def build_once(name: str) -> Path:
        if not (RAW / name).is_dir():
            pytest.skip(f"{name}'s raw file is not at ../shared/raw")
        lock = filelock.FileLock(shared_place / "built.lock")
        with lock, pytest.MonkeyPatch.context() as patch:
            patch.setenv("MBO_HUB_CACHE", str(place))
            build_in_cache(TASKS, name, RAW / name)
        return place

    return build_once


@pytest.fixture
def available(
    build_cache: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Makes a task of the archive loadable in this test; gives the folder of its data."""

    def make(name: str) -> Path:
        if not TASKS[name].embedded:
            monkeypatch.setenv("MBO_HUB_CACHE", str(build_cache(name)))
        return build.data_folder(TASKS[name])

    return make


@pytest.fixture(scope="session")
def loaded() -> Callable[[str], mbo_hub.Task]:
    """Loads a task once a session: it is a value, and its arrays are read-only."""
    return cache(mbo_hub.load)


@pytest.fixture
def superconductor(available: Callable[[str], Path]) -> mbo_hub.Task:
    """Loaded from what `mbo build` made; processes that the test starts find it, too."""
    available("superconductor")
    return mbo_hub.load("superconductor")


@pytest.fixture
def raw_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[RawServer]:
    """Serves raw files on this machine."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with RawServer() as server:
        yield server


@pytest.fixture(scope="session")
def tfbind8() -> mbo_hub.Task:
    return mbo_hub.load("tfbind8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the TF Bind 8 folders to break: <tmp>/tfbind8 and <tmp>/tfbind8-oracle."""
    shutil.copytree(ROOT / "dataset_cards" / "tfbind8", tmp_path / "tfbind8")
    shutil.copytree(ROOT / "oracles_onnx" / "tfbind8", tmp_path / "tfbind8-oracle")
    return tmp_path / "tfbind8"


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of the site, built from the sources as they are now."""
    if browser.no_site():
        pytest.skip(browser.no_site())
    with browser.served(browser.built()) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser of the system, as playwright drives it."""
    if browser.no_browser():
        pytest.skip(browser.no_browser())
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=browser.chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )


@pytest.fixture
def tab(chromium: Any, site: str) -> Iterator[Any]:
    """An empty page of the browser; `tab.heard` is what it does beside showing itself."""
    with browser.opened(chromium, site) as page:
        yield page
