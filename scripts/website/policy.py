"""What a page may load and run: its own files, and the scripts that the theme writes into it.

Text of strangers is escaped where it is written. Should that ever fail, a browser still runs no
script and asks no host that is not named here.
"""

from __future__ import annotations

import base64
import re
from hashlib import sha256

__all__ = ["with_policy"]

_SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
_RULES = {
    "default-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",  # onnxruntime-web; Vega interprets its expressions
    "style-src": "'self' 'unsafe-inline'",  # cells say where their marks stand
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
}


# The one part of the theme's scripts that pages differ in: where the site begins.
_BASE = re.compile(r'^__md_scope=new URL\("[./\w-]*",location\)')


def with_policy(page: str, theme: str) -> str:
    """Put a Content-Security-Policy into the head of a page.

    Args:
        page: as HTML.
        theme: all templates of the theme. A script that stands in them may run, and no other.
    """
    hashes = sorted({_hash(code) for code in _inline(page) if _BASE.sub("", code) in theme})
    rules = _RULES | {"script-src": " ".join([_RULES["script-src"], *hashes])}
    policy = "; ".join(f"{name} {value}" for name, value in rules.items())
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    return re.sub(r"<head[^>]*>", lambda found: f"{found[0]}{meta}", page, count=1)


def _inline(page: str) -> list[str]:
    """Scripts that stand in a page, but for data."""
    found = [(m["attributes"], m["code"]) for m in _SCRIPT.finditer(page)]
    return [c for attributes, c in found if "src=" not in attributes and "json" not in attributes]


def _hash(code: str) -> str:
    return f"'sha256-{base64.b64encode(sha256(code.encode()).digest()).decode()}'"
