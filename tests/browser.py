"""The site in a real browser: built once, served from a sub-path, every request and message kept."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from filelock import FileLock

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
SITE = ROOT / "build" / "site"
PATIENCE = 120  # seconds; for what never comes, not for what is slow
UNDER = "/mbo-hub/"  # as GitHub Pages serves it
AXE = ROOT / "docs" / "web" / "node_modules" / "axe-core" / "axe.min.js"
SOURCES = ("docs", "mkdocs.yml", "scripts/website", "scripts/site", "mbo_hub", "dataset_cards",
           "oracles_onnx", "README.md", "CHANGELOG.md")  # fmt: skip


NAMES = ("chromium", "chromium-browser", "google-chrome")


def no_site() -> str:
    """Why the site cannot be built here; empty where it can."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    return f"the site is built with {' and '.join(missing)}, not installed" if missing else ""


def no_browser() -> str:
    """Why pages cannot be opened here; empty where they can."""
    if chromium() is None:
        return "chromium is not installed (Debian: apt-get install chromium)"
    return ""


def chromium() -> str | None:
    """Find the browser."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@functools.cache
def built() -> Path:
    """Build the site, where it is older than what it is made of."""
    SITE.parent.mkdir(exist_ok=True)
    last = SITE / "README.md"  # is written last
    with FileLock(SITE.parent / "site.lock"):
        if not last.is_file() or last.stat().st_mtime_ns < _newest():
            done = subprocess.run([ROOT / "scripts" / "site"], capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
    return SITE


def _newest() -> int:
    """When a source of the site was changed last."""
    places = [ROOT / source for source in SOURCES]
    paths = [path for place in places for path in (place.rglob("*") if place.is_dir() else [place])]
    return max(
        path.stat().st_mtime_ns
        for path in paths
        if path.is_file() and {"node_modules", "__pycache__"}.isdisjoint(path.parts)
    )


@functools.cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 5)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    extensions_map: ClassVar[dict[str, str]] = {**http.server.SimpleHTTPRequestHandler.extensions_map,
                      ".mjs": "text/javascript", ".wasm": "application/wasm"}  # fmt: skip

    def translate_path(self, path: str) -> str:
        if not path.startswith(UNDER):
            return "/nowhere"
        return super().translate_path(path[len(UNDER) - 1 :])

    def send_head(self) -> io.BytesIO | None:  # type: ignore[override]
        """Compress text and let browsers keep it for a while, as hosts of static pages do."""
        path = Path(self.translate_path(self.path.partition("?")[0]))
        kind = self.guess_type(str(path))
        if not path.is_file():
            return super().send_head()  # type: ignore[return-value]
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "max-age=600")
        if kind.startswith("text/") or path.suffix in {".js", ".json", ".svg", ".xml"}:
            body = _compressed(path)
            self.send_header("Content-Encoding", "gzip")
        else:
            body = path.read_bytes()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        return io.BytesIO(body)

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder under a sub-path of a port of this machine; give its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}{UNDER}"
        server.shutdown()


# Keeps what moved after it was painted, and how much of the window that touched (web-vitals).
WATCH_SHIFTS = """
window.shifts = [];
new PerformanceObserver((list) => {
  const named = ({ node }) => node?.id || node?.className || node?.nodeName;
  for (const one of list.getEntries()) window.shifts.push([one.value, one.sources.map(named).join()]);
}).observe({ type: "layout-shift", buffered: true });
"""


def jumped(page: Page) -> list[str]:
    """What did not stay where a page with `WATCH_SHIFTS` showed it; 0.1 is called good."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 100)))")
    shifts = page.evaluate("window.shifts")
    return [f"it jumps: {shifts}"] if sum(value for value, _ in shifts) >= 0.02 else []


def too_wide(page: Page, width: int) -> list[str]:
    """Whether a page scrolls sideways in a window of a width."""
    found = page.evaluate("document.documentElement.scrollWidth")
    return [f"it is {found} wide in a window of {width}"] if found > width else []


def inaccessible(page: Page) -> list[str]:
    """What axe finds on a page that is serious or critical."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))  # a script in the page is none of the site's
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@contextmanager
def opened(chromium: Browser, address: str) -> Iterator[Any]:
    """An empty page of a browser of its own, with the site's address as the base of what it opens.

    Its `heard` is what it does beside showing itself.
    """
    context = chromium.new_context(base_url=address, viewport={"width": 1280, "height": 900})
    context.set_default_timeout(1000 * PATIENCE)  # ms
    page: Any = context.new_page()
    page.heard = Heard(page, address)
    page.wait_for_function = functools.partial(_wait, page)
    yield page
    context.close()


def _wait(page: Page, told: str, *, arg: object = None, polling: int = 50) -> None:
    """Wait until an expression, or a function of `arg`, holds.

    Playwright's own asks from inside of the page, where the policy of the site forbids `eval`.
    """
    last = time.monotonic() + PATIENCE
    while not page.evaluate(told, arg):
        assert time.monotonic() < last, f"it never holds: {told}"
        page.wait_for_timeout(polling)


class Heard:
    """What a page did beside showing itself.

    Attributes:
        errors: messages of the console that are errors, and exceptions that nobody caught.
        outside: addresses that it asked for which are not the site's.
        failed: addresses of the site that gave no content.
    """

    def __init__(self, page: Page, address: str) -> None:
        self.errors: list[str] = []
        self.outside: list[str] = []
        self.failed: list[str] = []

        def requested(request: object) -> None:
            url = request.url  # type: ignore[attr-defined]
            if not url.startswith((address, "data:", "blob:")):
                self.outside.append(url)

        def answered(response: object) -> None:
            if response.status >= 400:  # type: ignore[attr-defined]
                self.failed.append(response.url)  # type: ignore[attr-defined]

        page.on("request", requested)
        page.on("response", answered)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self._finished: list[Any] = []
        page.on("requestfinished", lambda request: self._finished.append(request))

    def sizes(self) -> dict[str, int]:
        """Bytes of all answers, as they were sent."""
        return {r.url: r.sizes()["responseBodySize"] for r in self._finished}

    def wrong(self) -> list[str]:
        """Errors, requests to other hosts and addresses that gave nothing, since this was asked last."""
        found = [
            *self.errors,
            *(f"it asks another host: {url}" for url in self.outside),
            *(f"it asks for what is not there: {url}" for url in self.failed),
        ]
        for heard in (self.errors, self.outside, self.failed):
            heard.clear()
        return found
