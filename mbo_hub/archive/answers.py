"""What a Hub may answer to a download: its headers become paths, and its body a file.

huggingface_hub names files of its cache after the ETag and the commit that a Hub announces, and
reads a body to its end. Here each answer is looked at before it does, and a body that is longer
than announced is cut there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Refused", "bounded", "problem_of_name"]

_ETAG = re.compile(r'(?:W/)?"?[A-Za-z0-9][A-Za-z0-9_.:+=-]{0,127}"?')
_COMMIT = re.compile(r"[0-9a-fA-F]{40,64}")
_SIZE = re.compile(r"[0-9]{1,18}")
_ETAGS, _COMMITS = ("ETag", "X-Linked-Etag"), ("X-Repo-Commit",)
_SIZES = ("Content-Length", "X-Linked-Size")

_limit: ContextVar[int | None] = ContextVar("_limit", default=None)  # of the download that goes on


class Refused(Exception):
    """What a Hub answered that is not to be used, as a sentence without its subject."""


@contextmanager
def bounded(client: Any, at_most: int) -> Iterator[None]:
    """Look at every answer to a client of httpx2 within the block, in this thread.

    Args:
        client: the one that huggingface_hub uses.
        at_most: bytes that a body may have.

    Raises:
        Refused: in the block, where an answer is not to be used.
    """
    for kind, hook in (("request", _ask), ("response", _look)):
        if hook not in client.event_hooks[kind]:
            client.event_hooks[kind].append(hook)
    before = _limit.set(at_most)
    try:
        yield
    finally:
        _limit.reset(before)


def problem_of_name(file: str) -> str | None:
    """What keeps a name that a Hub lists from being that of a file inside of a repository."""
    parts = file.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in file or not file.isprintable():
        return f"{file[:80]!r} is not the name of a file in a repository"
    return None


def _ask(request: Any) -> None:
    """Ask for bodies as they are: what is packed may become a thousand times as large."""
    if _limit.get() is not None:
        request.headers["Accept-Encoding"] = "identity"


def _look(response: Any) -> None:
    limit = _limit.get()
    if limit is None:
        return
    headers = response.headers
    if response.request.method == "HEAD":
        for names, form in ((_ETAGS, _ETAG), (_COMMITS, _COMMIT), (_SIZES, _SIZE)):
            for name in names:
                if name in headers and not form.fullmatch(headers[name]):
                    raise Refused(f"answers with the {name} {headers[name][:60]!r}, which is none")
        sizes = [int(headers[name]) for name in _SIZES if name in headers]
        if sizes and max(sizes) > limit and response.status_code < 400:
            raise Refused(
                f"announces {max(sizes):,} bytes, more than the {limit:,} that it may have"
            )
    elif response.is_success:
        if headers.get("Content-Encoding", "identity") != "identity":
            raise Refused("answers with a packed body, though it was asked for a plain one")
        response.stream = _cut(response.stream, limit)


def _cut(stream: Any, limit: int) -> Any:
    """A body that ends with an error where it is longer than it may be."""
    from httpx2 import SyncByteStream

    class Cut(SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            left = limit
            for part in stream:
                left -= len(part)
                if left < 0:
                    raise Refused(
                        f"sends more than the {limit:,} bytes that were announced or are allowed"
                    )
                yield part

        def close(self) -> None:
            stream.close()

    return Cut()
