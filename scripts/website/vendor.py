"""What pages take from npm: the site carries it, so that a browser asks no other host."""

from __future__ import annotations

import json
from pathlib import Path

from page import Page

MODULES = Path(__file__).parents[2] / "docs" / "web" / "node_modules"
# Package → the files that are taken, from its root. They lie in `web/vendor/<package>/<name>`.
TAKEN = {
    "onnxruntime-web": (
        "dist/ort.wasm.min.mjs",
        "dist/ort-wasm-simd-threaded.mjs",
        "dist/ort-wasm-simd-threaded.wasm",
    ),
    "vega": ("build/vega.min.js",),
    "vega-lite": ("build/vega-lite.min.js",),
    "vega-embed": ("build/vega-embed.min.js",),
}
LICENCES = ("LICENSE", "LICENSE.md", "LICENSE.txt")


def pages() -> list[Page]:
    """Give the files, each package's licence, and a page that names them."""
    made, rows = [], []
    for package, files in TAKEN.items():
        folder = MODULES / package
        about = json.loads((folder / "package.json").read_text("utf-8"))
        for file in files:
            path = folder / file
            made.append(Page(f"web/vendor/{package}/{path.name}", path.read_bytes()))
        licence = next((folder / name for name in LICENCES if (folder / name).is_file()), None)
        if licence is not None:
            made.append(Page(f"web/vendor/{package}/LICENSE.txt", licence.read_bytes()))
        rows.append(f"{package} {about['version']}: {about['license']}")
    made.append(Page("web/vendor/README.txt", ("\n".join(rows) + "\n").encode()))
    return made
