"""A web server on this machine for raw files, which can also misbehave."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class _Answer:
    """What a path gives; see `RawServer.serve`."""

    body: bytes
    status: int
    announced: int | str | None
    headers: dict[str, str]
    raw_answer: bytes | None
    silent_after: int | None


@dataclass
class RawServer:
    """Serves what it was given, and remembers what it was asked for.

    Use it as a context; the fixture `raw_server` does.
    """

    requests: list[str] = field(default_factory=list)
    _answers: dict[str, _Answer] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> RawServer:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def serve(
        self,
        path: str,
        body: bytes,
        *,
        status: int = 200,
        announced: int | str | None = -1,
        headers: dict[str, str] | None = None,
        raw_answer: bytes | None = None,
        silent_after: int | None = None,
    ) -> str:
        """Answer requests for a path.

        Args:
            path: of the address.
            body: what is sent.
            status: of the answer.
            announced: what the answer says of its length; -1 the truth, None nothing.
            headers: further ones.
            raw_answer: send this instead of any HTTP, and hang up.
            silent_after: send no more than so many bytes, and do not hang up.

        Returns:
            The address.
        """
        length = len(body) if announced == -1 else announced
        self._answers[path] = _Answer(body, status, length, headers or {}, raw_answer, silent_after)
        return f"http://127.0.0.1:{self._server.server_port}{path}"

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        self.requests.append(handler.path)
        answer = self._answers[handler.path]
        if answer.raw_answer is not None:
            handler.wfile.write(answer.raw_answer)
            return
        handler.send_response(answer.status)
        if answer.announced is not None:
            handler.send_header("Content-Length", str(answer.announced))
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(answer.body[: answer.silent_after])
        if answer.silent_after is not None:
            self._stop.wait(20)
