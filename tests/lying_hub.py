"""A Hub that holds one file, and lies about it in the headers of its answers, or in the body."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from hub_server import HubServer, git_oid

COMMIT = "a" * 40
BODY = b"# What it holds\n" * 40
Lie = Callable[[str, int], dict[str, str]]  # headers by method and by how many came before


class LyingHub:
    """Answers every download with `BODY`, with other headers where `lie` gives some.

    Use it as a context.

    Args:
        lie: headers to add or replace; "Chunks" is the number of times the body is sent, in chunks.
    """

    env, adopt = HubServer.env, HubServer.adopt

    def __init__(self, lie: Lie) -> None:
        outer, self.asked = self, {"HEAD": 0, "GET": 0}
        self.sent = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                outer._answer(self, lie)

            def do_GET(self) -> None:
                outer._answer(self, lie)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> LyingHub:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler, lie: Lie) -> None:
        method = handler.command
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{git_oid(BODY)}"',
            "Content-Length": str(len(BODY)),
        } | lie(method, self.asked[method])
        self.asked[method] += 1
        chunks = int(headers.pop("Chunks", "0"))
        if chunks and method == "GET":
            headers.pop("Content-Length")
            headers["Transfer-Encoding"] = "chunked"
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if method == "HEAD":
            return
        try:
            for _ in range(chunks):
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(BODY), BODY))
                self.sent += len(BODY)
            handler.wfile.write(b"0\r\n\r\n" if chunks else BODY)
        except OSError:  # who asked has hung up
            handler.close_connection = True


def files_outside(home: Path, of: Path) -> set[Path]:
    """Files of a folder that do not lie in a user's home."""
    return {path for path in of.rglob("*") if path.is_file() and not path.is_relative_to(home)}
