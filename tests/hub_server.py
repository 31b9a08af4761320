"""Serve a Hugging Face Hub from a folder, so that tests can use the real clients without a network.

    with HubServer(tmp_path / "hub") as hub:
        hub.put("dataset", "mbo/demo", {"README.md": b"# Demo"})
        hub.tag("dataset", "mbo/demo", "v1.0.0")
        hub.fault("drop", match=r"GET .*README.md", after=3)
        subprocess.run(["hf", "download", "--repo-type=dataset", "mbo/demo"],
                       env=hub.env(tmp_path / "home"), check=True)
        assert hub.faults[0].fired == 1

`python tests/hub_server.py ROOT [--port N]` runs the same server as a process that can be killed.

Everything it knows is in plain files, replaced atomically, so that another server on the same root
goes on where a killed one stopped:

    blobs/<sha256>                  contents of files
    xorbs/<hash>                    what hf_xet uploaded, kept because later uploads refer to it
    repos/<type>/<namespace>/<name>.json   branches, tags and commits; a commit lists all its files
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import json
import os
import re
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import pytest

Json = dict[str, Any]

# ---------------------------------------------------------------------------------- who may do what

WRITE_TOKEN = "hf_test_write"  # noqa: S105 # both are good for this server only
READ_TOKEN = "hf_test_read"  # noqa: S105


@dataclass(frozen=True)
class User:
    """A user of the Hub, who reads and, if allowed to write, changes what is in its namespaces."""

    name: str
    orgs: tuple[str, ...] = ()
    write: bool = True

    @property
    def namespaces(self) -> tuple[str, ...]:
        return (self.name, *self.orgs)


TOKENS: Mapping[str, User] = {
    WRITE_TOKEN: User("tester", ("mbo", "stranger")),
    READ_TOKEN: User("tester", ("mbo", "stranger"), write=False),
}


class Refusal(Exception):
    """An answer with an error status; `code` is what clients turn into their own exception."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


# ----------------------------------------------------------------------------------- what is stored


class Commit(NamedTuple):
    """One entry of a branch's history."""

    sha: str
    title: str
    description: str


# What the Hub puts into every new repository; it decides which uploads are LFS.
LFS_SUFFIXES = """
    7z arrow avro bin bz2 ckpt ftz gz h5 joblib lz4 mds mlmodel model msgpack npy npz onnx ot
    parquet pb pickle pkl pt pth rar safetensors tar tflite tgz wasm xz zip zst
"""
LFS_LINE = "{} filter=lfs diff=lfs merge=lfs -text\n"
GITATTRIBUTES = "".join(LFS_LINE.format(f"*.{suffix}") for suffix in LFS_SUFFIXES.split())
LFS_MIN_BYTES = 10 << 20


def git_oid(data: bytes) -> str:
    """Return the id that git gives to a blob."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def is_lfs(attributes: str, path: str) -> bool:
    """Tell whether a .gitattributes sends this path to LFS."""
    patterns = [line.split()[0] for line in attributes.splitlines() if "filter=lfs" in line]
    return any(fnmatch(path, p) or fnmatch(PurePosixPath(path).name, p) for p in patterns)


def card_tags(readme: str) -> list[str]:
    """Return the tags that the Hub derives from a card's front matter (flat keys, lists)."""
    _, _, rest = readme.partition("---\n")
    front, end, _ = rest.partition("\n---")
    if not readme.startswith("---\n") or not end:
        return []
    tags, key = [], ""
    for line in front.splitlines():
        if match := re.match(r"(\w+):\s*(.*)", line):
            key, values = match[1], match[2].strip("[]").split(",")
        elif match := re.match(r"\s*- (.*)", line):
            values = [match[1]]
        else:
            continue
        values = [value.strip().strip("'\"") for value in values]
        if key in ("tags", "license", "task_categories", "size_categories", "language"):
            tags += [v if key == "tags" else f"{key}:{v}" for v in values if v]
    return tags


class Store:
    """The repositories under a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lock = threading.RLock()  # held while a repository is read, changed and written
        for name in ("blobs", "xorbs", "repos", "tmp"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def write(self, path: Path, data: bytes) -> None:
        """Replace a file in one step, whatever happens in between."""
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self.root / "tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)

    def blob(self, sha256: str) -> Path:
        return self.root / "blobs" / sha256

    def add_blob(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        if not self.blob(sha256).exists():
            self.write(self.blob(sha256), data)
        return sha256

    def xorb(self, name: str) -> Path:
        return self.root / "xorbs" / name

    def path(self, repo_type: str, repo: str) -> Path:
        if repo_type not in ("dataset", "model"):
            raise Refusal(400, f"repo type {repo_type!r} is not served here")
        if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", repo):
            raise Refusal(400, f"invalid repository name {repo!r}")
        return self.root / "repos" / repo_type / f"{repo}.json"

    def load(self, repo_type: str, repo: str) -> Json | None:
        path = self.path(repo_type, repo)
        return json.loads(path.read_bytes()) if path.exists() else None

    def save(self, data: Json) -> None:
        self.write(self.path(data["type"], data["id"]), json.dumps(data).encode())

    def all(self, repo_type: str) -> Iterator[Json]:
        for path in sorted((self.root / "repos" / repo_type).glob("*/*.json")):
            yield json.loads(path.read_bytes())

    def create(self, repo_type: str, repo: str, private: bool, author: str) -> Json:
        data: Json = {
            "id": repo, "type": repo_type, "private": private, "created": now(),
            "branches": {"main": None}, "tags": {}, "commits": {},
        }  # fmt: skip
        attributes = {".gitattributes": self.entry(GITATTRIBUTES.encode(), lfs=False)}
        self.commit(data, "main", attributes, "initial commit", "", author)
        return data

    def entry(self, data: bytes, lfs: bool) -> Json:
        """Store a file's content and return what a commit says about it."""
        sha256 = self.add_blob(data)
        return self.lfs_entry(sha256) if lfs else {
            "oid": git_oid(data), "sha256": sha256, "size": len(data), "lfs": False,
        }  # fmt: skip

    def lfs_entry(self, sha256: str) -> Json:
        size = self.blob(sha256).stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
        return {"oid": git_oid(pointer.encode()), "sha256": sha256, "size": size, "lfs": True}

    def read(self, files: Json, path: str) -> bytes:
        return self.blob(files[path]["sha256"]).read_bytes() if path in files else b""

    def mode(self, files: Json, path: str, size: int, sample: bytes) -> str:
        """Choose how a file is stored, as the Hub does: by name, by size, or by being binary."""
        attributes = self.read(files, ".gitattributes").decode()
        big = size >= LFS_MIN_BYTES or b"\0" in sample
        return "lfs" if big or is_lfs(attributes, path) else "regular"

    def commit(
        self, repo: Json, branch: str, files: Json, title: str, description: str, author: str
    ) -> str:
        """Add a commit to a branch, unless nothing changed, and return the newest one."""
        parent = repo["branches"][branch]
        attributes = self.read(files, ".gitattributes").decode()
        stray = [p for p, f in files.items() if f["lfs"] and not is_lfs(attributes, p)]
        if stray:  # the Hub, too, keeps .gitattributes complete
            attributes += "".join(LFS_LINE.format(p.replace(" ", "?")) for p in sorted(stray))
            files = files | {".gitattributes": self.entry(attributes.encode(), lfs=False)}
        if parent and repo["commits"][parent]["files"] == files:
            return parent
        commit = {
            "parent": parent, "title": title, "description": description, "author": author,
            "date": now(), "files": files,
        }  # fmt: skip
        text = json.dumps([repo["id"], commit, time.time_ns()]).encode()
        sha = hashlib.sha1(text, usedforsecurity=False).hexdigest()
        repo["commits"][sha] = commit
        repo["branches"][branch] = sha
        self.save(repo)
        return sha


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sha_of(repo: Json, revision: str) -> str:
    """Return the commit that a branch, a tag or a commit's id stands for."""
    for kind, prefix in (("branches", "refs/heads/"), ("tags", "refs/tags/")):
        for name in (revision, revision.removeprefix(prefix)):
            if sha := repo[kind].get(name):
                return sha
    number = re.fullmatch(r"refs/pr/(\d+)", revision)
    if number and int(number[1]) <= len(repo.get("pull_requests", [])):
        return str(repo["pull_requests"][int(number[1]) - 1]["sha"])
    if revision in repo["commits"]:
        return revision
    raise Refusal(404, f"Invalid rev id: {revision}", "RevisionNotFound")


def history(repo: Json, sha: str | None) -> Iterator[tuple[str, Json]]:
    """Walk from a commit to the first one."""
    while sha:
        yield sha, repo["commits"][sha]
        sha = repo["commits"][sha]["parent"]


def last_change(repo: Json, sha: str, path: str) -> Json:
    """Return the commit that last touched a file or anything in a folder."""

    def state(commit: Json | None) -> list[Any]:
        files = commit["files"] if commit else {}
        return sorted((p, f["oid"]) for p, f in files.items() if f"{p}/".startswith(f"{path}/"))

    commits = list(history(repo, sha))
    older = [commit for _, commit in commits[1:]] + [None]
    for (oid, commit), before in zip(commits, older, strict=True):
        if state(commit) != state(before):
            return {"id": oid, "title": commit["title"], "date": commit["date"]}
    raise KeyError(path)


# ----------------------------------------------------------------------------------- uploads by xet
# hf_xet cuts files into chunks, packs the chunks into "xorbs" and says in a "shard" which chunks
# make which file. Only uploads are served: clients fetch a file that has no X-Xet-Hash over plain
# HTTP. Formats: https://huggingface.co/docs/xet, and the LZ4 project's frame and block formats.

BOOKEND = b"\xff" * 32


def xet_name(digest: bytes) -> str:
    """Spell a xet hash: four little-endian words in hexadecimal."""
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", digest))


def unpack_lz4(frame: bytes) -> bytes:
    """Decompress one LZ4 frame."""
    flags, out, at = frame[4], bytearray(), 7 + 8 * bool(frame[4] & 8) + 4 * bool(frame[4] & 1)

    def length(nibble: int, at: int) -> tuple[int, int]:
        total, more = nibble, nibble == 15
        while more:
            total, more, at = total + frame[at], frame[at] == 255, at + 1
        return total, at

    while size := int.from_bytes(frame[at : at + 4], "little"):
        at += 4
        end = at + (size & 0x7FFFFFFF)
        if size >> 31:  # a block that did not compress
            out += frame[at:end]
            at = end
        while at < end:
            token = frame[at]
            literals, at = length(token >> 4, at + 1)
            out += frame[at : at + literals]
            at += literals
            if at < end:  # the last sequence has no match
                offset = int.from_bytes(frame[at : at + 2], "little")
                copies, at = length(token & 15, at + 2)
                pattern = bytes(out[len(out) - offset :][: copies + 4])
                out += (pattern * ((copies + 4) // len(pattern) + 1))[: copies + 4]
        at += 4 * bool(flags & 16)
    return bytes(out)


def unpack_xorb(xorb: bytes) -> list[bytes]:
    """Return the chunks in a xorb."""
    chunks: list[bytes] = []
    at = 0
    while at < len(xorb) and xorb[at] == 0:  # a footer may follow; it starts with letters
        packed = int.from_bytes(xorb[at + 1 : at + 4], "little")
        scheme, size = xorb[at + 4], int.from_bytes(xorb[at + 5 : at + 8], "little")
        data = xorb[at + 8 : at + 8 + packed]
        if scheme:
            data = unpack_lz4(data)
        if len(data) != size:
            raise Refusal(400, f"chunk {len(chunks)} has {len(data)} bytes, not {size}")
        if scheme == 2:  # every fourth byte stands together
            ungrouped, start = bytearray(size), 0
            for k in range(4):
                stop = start + len(range(k, size, 4))
                ungrouped[k::4] = data[start:stop]
                start = stop
            data = bytes(ungrouped)
        chunks.append(data)
        at += 8 + packed
    return chunks


def shard_files(shard: bytes) -> Iterator[list[tuple[str, int, int]]]:
    """Yield, for each file of a shard, the (xorb, first chunk, end chunk) pieces that make it."""
    at = 48
    while shard[at : at + 32] != BOOKEND:
        flags, entries = struct.unpack_from("<II", shard, at + 32)
        pieces = []
        for n in range(entries):
            at_entry = at + 48 * (n + 1)
            start, end = struct.unpack_from("<II", shard, at_entry + 40)
            pieces.append((xet_name(shard[at_entry : at_entry + 32]), start, end))
        yield pieces
        at += 48 * (1 + entries * (1 + (flags >> 31)) + (flags >> 30 & 1))


# ------------------------------------------------------------------------------------------- faults

BEFORE = ("status", "hang")  # strike before the request is handled
AFTER = ("drop", "truncate", "alter", "slow")  # strike the answer's body


@dataclass
class Fault:
    """A failure for the next `times` requests that match; `fired` counts those that had it."""

    kind: str
    match: re.Pattern[str]
    times: int | None
    after: int
    status: int
    code: str
    retry_after: int | None
    seconds: float
    fired: int = 0


class Request(NamedTuple):
    """One answered request; the path is decoded and without its query."""

    method: str
    path: str
    status: int


# ------------------------------------------------------------------------------------------- server


@dataclass
class Answer:
    """What goes back to the client."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def reply(content: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON."""
    headers = {"Content-Type": "application/json; charset=utf-8", **headers}
    return Answer(status, json.dumps(content).encode(), headers)


class _Server(HTTPServer):
    """A thread per connection; all of them end when the server is closed."""

    request_queue_size = 128

    def __init__(self, hub: HubServer, port: int) -> None:
        self.hub = hub
        self.stopping = threading.Event()
        self.live: dict[threading.Thread, Any] = {}
        self.live_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self._serve,
            args=(request, client_address),
            daemon=True,
            name=f"connection of {self.hub.url}",
        )
        with self.live_lock:
            self.live[thread] = request
        thread.start()

    def _serve(self, request: Any, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except ConnectionError:
            pass  # the client went away, or the server is closing
        except BaseException as error:
            self.hub.errors.append(error)
        finally:
            with self.live_lock:
                del self.live[threading.current_thread()]
            self.shutdown_request(request)

    def close(self) -> None:
        self.stopping.set()
        self.shutdown()
        with self.live_lock:
            live = list(self.live.items())
            for _, connection in live:  # idle threads wait for a next request: wake them
                with contextlib.suppress(OSError):  # the client closed it first
                    connection.shutdown(socket.SHUT_RDWR)
        for thread, _ in live:
            thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    routes: ClassVar[list[tuple[str, re.Pattern[str], str]]] = []

    # ---- the way of a request

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the base's name
        pass

    def handle_method(self) -> None:
        self.hub = self.server.hub
        self.store = self.hub.store
        url = urlsplit(self.path)
        self.query = parse_qs(url.query)
        self.body = b"".join(self._read_body())
        line = f"{self.command} {unquote(url.path)}"
        fault = self.hub.take_fault(BEFORE, line)
        if fault and fault.kind == "hang" and self.server.stopping.wait(fault.seconds):
            self.close_connection = True
            return
        try:
            if fault and fault.kind == "status":
                raise Refusal(fault.status, "injected fault", fault.code)
            answer = self._route(url.path)
        except Refusal as refusal:
            headers = {"X-Error-Message": refusal.message.replace("\n", " ")}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            if fault and fault.retry_after is not None:
                headers["Retry-After"] = str(fault.retry_after)
            answer = reply({"error": refusal.message}, refusal.status, **headers)
        self.hub.requests.append(Request(self.command, unquote(url.path), answer.status))
        self._send(answer, line)

    do_GET = handle_method  # noqa: N815 # the base's names
    do_HEAD = handle_method  # noqa: N815
    do_POST = handle_method  # noqa: N815
    do_PUT = handle_method  # noqa: N815
    do_DELETE = handle_method  # noqa: N815

    def _read_body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        elif size := int(self.headers.get("Content-Length", 0)):
            body = self.rfile.read(size)
            if len(body) < size:
                raise ConnectionResetError("the client left in the middle of its request")
            yield body

    def _route(self, path: str) -> Answer:
        self.user = self._who()
        for methods, pattern, name in self.routes:
            if self.command in methods.split() and (match := pattern.fullmatch(path)):
                groups = {k: unquote(v) if v else "" for k, v in match.groupdict().items()}
                if "repo_type" in groups:
                    groups["repo_type"] = groups["repo_type"].removesuffix("s") or "model"
                return getattr(self, name)(**groups)
        missing_repo = re.match("/api/(models|datasets)/", path)  # a name without a namespace
        raise Refusal(404, f"not served: {path}", "RepoNotFound" if missing_repo else "")

    def _send(self, answer: Answer, line: str) -> None:
        body = b"" if self.command == "HEAD" else answer.body
        fault = self.hub.take_fault(AFTER, line) if body else None
        kind = fault.kind if fault else ""
        if fault and kind == "truncate":
            body = body[: fault.after]
        if fault and kind == "alter":
            at = min(fault.after, len(body) - 1)
            body = body[:at] + bytes([body[at] ^ 0xFF]) + body[at + 1 :]
        self.send_response(answer.status)
        for key, value in ({"Content-Length": str(len(body))} | answer.headers).items():
            self.send_header(key, value)
        self.end_headers()
        if fault and kind == "drop":
            self.wfile.write(body[: fault.after])
            self.close_connection = True
        elif fault and kind == "slow":
            step = len(body) // 20 + 1
            for at in range(0, len(body), step):
                if self.server.stopping.wait(fault.seconds / 20):
                    self.close_connection = True
                    return
                self.wfile.write(body[at : at + step])
        else:
            self.wfile.write(body)

    # ---- rights

    def _who(self) -> User | None:
        header = self.headers.get("Authorization")
        if header is None:
            return None
        user = self.hub.tokens.get(header.removeprefix("Bearer "))
        if user is None:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return user

    def _require_write(self, namespace: str) -> User:
        if self.user is None:
            raise Refusal(401, "Invalid username or password.", "RepoNotFound")
        if not self.user.write or namespace not in self.user.namespaces:
            raise Refusal(403, f"this token may not write to the namespace {namespace!r}")
        return self.user

    def _writing(self) -> bool:
        """Tell whether a request changes the repository itself; anybody may ask to pull."""
        return "create_pr" not in self.query or self.user is None

    def _repo(self, repo_type: str, repo: str, write: bool = False) -> Json:
        data = self.store.load(repo_type, repo)
        mine = self.user is not None and repo.split("/")[0] in self.user.namespaces
        if data is None or (data["private"] and not mine):
            status, message = (404, "Repository not found") if self.user else (
                401, "Invalid username or password."
            )  # fmt: skip
            raise Refusal(status, message, "RepoNotFound")
        if write:
            self._require_write(repo.split("/")[0])
        return data

    def _url(self, repo_type: str, repo: str) -> str:
        return f"{self.hub.url}/{'datasets/' if repo_type == 'dataset' else ''}{repo}"

    # ---- account, repositories

    def whoami(self) -> Answer:
        if self.user is None:
            raise Refusal(401, "Invalid username or password.")
        role = "write" if self.user.write else "read"
        return reply({
            "type": "user", "name": self.user.name, "fullname": self.user.name,
            "orgs": [{"type": "org", "name": name} for name in self.user.orgs],
            "auth": {"type": "access_token", "accessToken": {"displayName": role, "role": role}},
        })  # fmt: skip

    def validate_yaml(self) -> Answer:
        return reply({"errors": [], "warnings": []})

    def _named(self) -> tuple[str, str, Json]:
        body = json.loads(self.body)
        namespace = body.get("organization") or (self.user.name if self.user else "")
        self._require_write(namespace)
        return body.get("type") or "model", f"{namespace}/{body['name']}", body

    def create(self) -> Answer:
        repo_type, repo, body = self._named()
        url = self._url(repo_type, repo)
        with self.store.lock:
            if self.store.load(repo_type, repo):
                return reply({"error": "You already created this repo", "url": url}, 409)
            private = body.get("visibility") == "private" or bool(body.get("private"))
            self.store.create(repo_type, repo, private, self.user.name if self.user else "")
        return reply({"url": url, "name": repo, "id": repo})

    def delete(self) -> Answer:
        repo_type, repo, _ = self._named()
        with self.store.lock:
            self._repo(repo_type, repo, write=True)
            self.store.path(repo_type, repo).unlink()
        return reply({})

    def settings(self, repo_type: str, repo: str) -> Answer:
        with self.store.lock:
            data = self._repo(repo_type, repo, write=True)
            body = json.loads(self.body)
            if "visibility" in body or "private" in body:
                data["private"] = body.get("visibility") == "private" or bool(body.get("private"))
            self.store.save(data)
        return reply({"private": data["private"]})

    def listing(self, repo_type: str) -> Answer:
        def flat(name: str) -> list[str]:
            return self.query.get(name, []) + self.query.get(f"{name}[]", [])

        found = []
        for data in self.store.all(repo_type):
            namespace = data["id"].split("/")[0]
            info = self._describe(data, data["branches"]["main"])
            visible = not data["private"] or (self.user and namespace in self.user.namespaces)
            if (
                visible
                and namespace in (flat("author") or [namespace])
                and all(word.lower() in data["id"].lower() for word in flat("search"))
                and set(flat("filter")) <= set(info["tags"])
            ):
                found.append(info if self.query.get("full") else info | {"siblings": None})
        return reply(found[: int(self.query.get("limit", ["1000"])[0])])

    def info(self, repo_type: str, repo: str, revision: str = "") -> Answer:
        data = self._repo(repo_type, repo)
        info = self._describe(data, sha_of(data, revision or "main"))
        if expand := self.query.get("expand", []) + self.query.get("expand[]", []):
            info = {k: v for k, v in info.items() if k in ("_id", "id", *expand)}
        return reply(info)

    def _describe(self, data: Json, sha: str) -> Json:
        files = data["commits"][sha]["files"]
        siblings = []
        for path, file in sorted(files.items()):
            sibling: Json = {"rfilename": path}
            if "blobs" in self.query:
                sibling |= {"size": file["size"], "blobId": file["oid"], **self._lfs(file)}
            siblings.append(sibling)
        return {
            "_id": hashlib.sha256(data["id"].encode()).hexdigest()[:24], "id": data["id"],
            "author": data["id"].split("/")[0], "sha": sha, "private": data["private"],
            "gated": False, "disabled": False, "downloads": 0, "likes": 0,
            "tags": card_tags(self.store.read(files, "README.md").decode(errors="replace")),
            "createdAt": data["created"], "lastModified": data["commits"][sha]["date"],
            "siblings": siblings, "usedStorage": sum(f["size"] for f in files.values()),
        }  # fmt: skip

    # ---- branches, tags, commits

    def refs(self, repo_type: str, repo: str) -> Answer:
        data = self._repo(repo_type, repo)

        def entries(kind: str, prefix: str) -> list[Json]:
            return [
                {"name": name, "ref": f"{prefix}/{name}", "targetCommit": sha}
                for name, sha in data[kind].items()
            ]

        found: Json = {
            "branches": entries("branches", "refs/heads"),
            "tags": entries("tags", "refs/tags"),
            "converts": [],
        }
        return reply(found | {"pullRequests": []} if "include_prs" in self.query else found)

    def tag(self, repo_type: str, repo: str, revision: str) -> Answer:
        with self.store.lock:
            data = self._repo(repo_type, repo, write=True)
            self._add_ref(data, "tags", json.loads(self.body)["tag"], revision)
        return reply({})

    def branch(self, repo_type: str, repo: str, name: str) -> Answer:
        with self.store.lock:
            data = self._repo(repo_type, repo, write=True)
            start = json.loads(self.body or b"{}").get("startingPoint", "main")
            self._add_ref(data, "branches", name, start)
        return reply({})

    def _add_ref(self, data: Json, kind: str, name: str, revision: str) -> None:
        if name in data[kind]:
            raise Refusal(409, f"Reference already exists: {name}")
        data[kind][name] = sha_of(data, revision)
        self.store.save(data)

    def delete_ref(self, repo_type: str, repo: str, kind: str, name: str) -> Answer:
        with self.store.lock:
            data = self._repo(repo_type, repo, write=True)
            refs = data["tags" if kind == "tag" else "branches"]
            if refs is data["branches"] and name == "main":
                raise Refusal(403, "Cannot delete the default branch")
            if name not in refs:
                raise Refusal(404, f"Reference does not exist: {name}", "RevisionNotFound")
            del refs[name]
            self.store.save(data)
        return reply({})

    def commits(self, repo_type: str, repo: str, revision: str) -> Answer:
        data = self._repo(repo_type, repo)
        return reply([
            {
                "id": sha, "title": commit["title"], "message": commit["description"],
                "date": commit["date"], "authors": [{"user": commit["author"]}],
            }
            for sha, commit in history(data, sha_of(data, revision))
        ])  # fmt: skip

    # ---- files

    @staticmethod
    def _lfs(file: Json) -> Json:
        sha256, size = file["sha256"], file["size"]
        lfs = {"oid": sha256, "sha256": sha256, "size": size, "pointerSize": 130}
        return {"lfs": lfs} if file["lfs"] else {}

    def _entry(self, data: Json, sha: str, path: str, expand: bool) -> Json:
        file = data["commits"][sha]["files"].get(path)
        if file:
            entry = {"type": "file", "oid": file["oid"], "size": file["size"], **self._lfs(file)}
        else:
            oid = git_oid(f"{sha} {path}".encode())
            entry = {"type": "directory", "oid": oid, "size": 0}
        if expand:
            entry["lastCommit"] = last_change(data, sha, path)
        return {"path": path, **entry}

    def tree(self, repo_type: str, repo: str, revision: str, folder: str) -> Answer:
        data = self._repo(repo_type, repo)
        sha = sha_of(data, revision)
        recursive, expand = self._flag("recursive"), self._flag("expand")
        prefix = f"{folder.strip('/')}/" if folder else ""
        found = set()
        for path in data["commits"][sha]["files"]:
            if path.startswith(prefix):
                parts = path.removeprefix(prefix).split("/")
                depths = range(1, len(parts) + 1) if recursive else [1]
                found |= {prefix + "/".join(parts[:depth]) for depth in depths}
        if folder and not found:
            raise Refusal(404, f'"{folder}" does not exist on "{revision}"', "EntryNotFound")
        return reply([self._entry(data, sha, path, expand) for path in sorted(found)])

    def paths_info(self, repo_type: str, repo: str, revision: str) -> Answer:
        data = self._repo(repo_type, repo)
        sha = sha_of(data, revision)
        if "json" in self.headers.get("Content-Type", ""):
            body = json.loads(self.body)
            paths, expand = body["paths"], bool(body.get("expand"))
        else:
            form = parse_qs(self.body.decode())
            paths, expand = form["paths"], form.get("expand", [""])[0].lower() in ("true", "1")
        files = data["commits"][sha]["files"]
        known = [p for p in paths if any(f"{f}/".startswith(f"{p.rstrip('/')}/") for f in files)]
        return reply([self._entry(data, sha, path.rstrip("/"), expand) for path in known])

    def _flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0].lower() in ("true", "1")

    def resolve(self, repo_type: str, repo: str, revision: str, path: str) -> Answer:
        data = self._repo(repo_type, repo)
        sha = sha_of(data, revision)
        headers = {"X-Repo-Commit": sha}
        file = data["commits"][sha]["files"].get(path)
        if file is None:
            codes = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            return reply({"error": "Entry not found"}, 404, **headers, **codes)
        size, etag = file["size"], f'"{file["sha256"] if file["lfs"] else file["oid"]}"'
        headers |= {
            "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "ETag": etag,
            "Content-Disposition": f'inline; filename="{PurePosixPath(path).name}";',
        }  # fmt: skip
        if file["lfs"]:
            headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(size)}
        if self.command == "HEAD":
            return Answer(200, b"", headers | {"Content-Length": str(size)})
        start, stop, status = 0, size, 200
        if match := re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", "")):
            first, last = match.groups()
            start = int(first) if first else max(size - int(last), 0)
            stop = min(int(last) + 1, size) if first and last else size
            if start >= stop:
                return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            status = 206
        with self.store.blob(file["sha256"]).open("rb") as content:
            content.seek(start)
            return Answer(status, content.read(stop - start), headers)

    # ---- uploads

    def preupload(self, repo_type: str, repo: str, revision: str) -> Answer:
        data = self._repo(repo_type, repo, write=self._writing())
        stored = data["commits"][sha_of(data, revision)]["files"]
        found = []
        for file in json.loads(self.body)["files"]:
            old = stored.get(file["path"])
            sample = base64.b64decode(file.get("sample", ""))
            found.append({
                "path": file["path"], "shouldIgnore": False,
                "uploadMode": self.store.mode(stored, file["path"], file["size"], sample),
                # clients leave a file out of their commit if it still has this id
                "oid": old and (old["sha256"] if old["lfs"] else old["oid"]),
            })  # fmt: skip
        return reply({"files": found})

    def lfs_batch(self, repo_type: str, repo: str) -> Answer:
        self._repo(repo_type, repo, write=True)
        objects = []
        for item in json.loads(self.body)["objects"]:
            if not self.store.blob(item["oid"]).exists():
                upload = {"href": f"{self.hub.url}/lfs/{item['oid']}"}
                verify = {"href": f"{self.hub.url}/lfs/verify"}
                item |= {"actions": {"upload": upload, "verify": verify}}
            objects.append(item)
        return reply({"transfer": "basic", "objects": objects})

    def lfs_put(self, oid: str) -> Answer:
        sha256 = hashlib.sha256(self.body).hexdigest()
        if sha256 != oid:
            raise Refusal(400, f"sha256 expected {oid}, got {sha256}")
        self.store.add_blob(self.body)
        return reply({})

    def lfs_verify(self) -> Answer:
        wanted = json.loads(self.body)
        blob = self.store.blob(wanted["oid"])
        if not blob.exists() or blob.stat().st_size != wanted["size"]:
            raise Refusal(404, f"LFS object {wanted['oid']} of {wanted['size']} bytes is not here")
        return reply({})

    def xet_token(self, repo_type: str, repo: str, revision: str) -> Answer:
        data = self._repo(repo_type, repo, write=self._writing())
        if self._writing():  # the client asks for None when it is about a pull request
            sha_of(data, revision)
        token = self.headers["Authorization"].removeprefix("Bearer ")
        return reply({"casUrl": f"{self.hub.url}/cas", "accessToken": token,
                      "exp": int(time.time()) + 3600})  # fmt: skip

    def xorb_post(self, name: str) -> Answer:
        new = not self.store.xorb(name).exists()
        self.store.write(self.store.xorb(name), self.body)
        return reply({"was_inserted": new})

    def shard_post(self) -> Answer:
        xorbs: dict[str, list[bytes]] = {}
        for pieces in shard_files(self.body):
            content = []
            for name, start, end in pieces:
                if name not in xorbs:
                    if not self.store.xorb(name).exists():
                        raise Refusal(400, f"xorb {name} was never uploaded")
                    xorbs[name] = unpack_xorb(self.store.xorb(name).read_bytes())
                content += xorbs[name][start:end]
            self.store.add_blob(b"".join(content))
        return reply({"result": 1})

    def commit(self, repo_type: str, repo: str, branch: str) -> Answer:
        lines = [json.loads(line) for line in self.body.splitlines() if line.strip()]
        header = next(line["value"] for line in lines if line["key"] == "header")
        with self.store.lock:
            data = self._repo(repo_type, repo, write=self._writing())
            parent = sha_of(data, branch)
            if branch not in data["branches"]:
                raise Refusal(400, f"{branch} is not a branch")
            if header.get("parentCommit", parent) != parent:
                raise Refusal(412, "A commit has happened since. Please refresh and try again.")
            files = dict(data["commits"][parent]["files"])
            for line in lines:
                self._apply(files, line["key"], line["value"])
            author = self.user.name if self.user else ""
            title, description = header["summary"], header.get("description", "")
            asked: Json = {}
            if "create_pr" in self.query:
                number = self._add_pull_request(data, branch, files, title, description, author)
                sha = data["pull_requests"][number - 1]["sha"]
                asked = {"pullRequestUrl": f"{self._url(repo_type, repo)}/discussions/{number}"}
            else:
                sha = self.store.commit(data, branch, files, title, description, author)
        url = f"{self._url(repo_type, repo)}/commit/{sha}"
        return reply(
            {"success": True, "commitOid": sha, "commitUrl": url, "hookOutput": "", **asked}
        )

    def _add_pull_request(
        self, data: Json, branch: str, files: Json, title: str, description: str, author: str
    ) -> int:
        before = data["branches"][branch]
        sha = self.store.commit(data, branch, files, title, description, author)
        data["branches"][branch] = before
        asked = data.setdefault("pull_requests", [])
        asked.append({
            "sha": sha, "title": title, "author": author, "date": now(), "status": "open",
            "comments": [[author, description]],
        })  # fmt: skip
        self.store.save(data)
        return len(asked)

    def _asked(self, data: Json, number: str) -> Json:
        asked = data.get("pull_requests", [])
        if not 1 <= int(number) <= len(asked):
            raise Refusal(404, f"there is no discussion {number}")
        found: Json = asked[int(number) - 1]
        return found

    def discussion(self, repo_type: str, repo: str, number: str) -> Answer:
        data = self._repo(repo_type, repo)
        asked = self._asked(data, number)
        events = [
            self._comment(i, *said, asked["date"]) for i, said in enumerate(asked["comments"])
        ]
        return reply({
            "title": asked["title"], "num": int(number), "status": asked["status"],
            "author": {"name": asked["author"]}, "isPullRequest": True, "events": events,
            "createdAt": asked["date"], "changes": {"base": "refs/heads/main"},
            "filesWithConflicts": [], "repo": {"name": repo, "type": repo_type},
        })  # fmt: skip

    @staticmethod
    def _comment(number: int, author: str, text: str, date: str) -> Json:
        return {
            "id": str(number), "type": "comment", "createdAt": date, "author": {"name": author},
            "data": {"edited": False, "hidden": False, "latest": {"raw": text}},
        }  # fmt: skip

    def comment(self, repo_type: str, repo: str, number: str) -> Answer:
        if self.user is None:
            raise Refusal(401, "Invalid username or password.")
        with self.store.lock:
            data = self._repo(repo_type, repo)
            said = [self.user.name, json.loads(self.body)["comment"]]
            comments = self._asked(data, number)["comments"]
            comments.append(said)
            self.store.save(data)
        return reply({"newMessage": self._comment(len(comments), *said, now())})

    def merge(self, repo_type: str, repo: str, number: str) -> Answer:
        with self.store.lock:
            data = self._repo(repo_type, repo, write=True)
            asked = self._asked(data, number)
            if data["commits"][asked["sha"]]["parent"] != data["branches"]["main"]:
                raise Refusal(409, "main has changed since")  # the real Hub merges what it can
            data["branches"]["main"] = asked["sha"]
            asked["status"] = "merged"
            self.store.save(data)
        event = {"id": "m", "type": "status-change", "createdAt": now(),
                 "author": {"name": asked["author"]}, "data": {"status": "merged"}}  # fmt: skip
        return reply({"newStatus": event})

    def _apply(self, files: Json, key: str, value: Json) -> None:
        if key == "header":
            return
        path = value["path"].rstrip("/")
        if path != str(PurePosixPath(path)) or path.startswith("/") or ".." in path.split("/"):
            raise Refusal(400, f"invalid path {path!r}")
        if key == "file":
            files[path] = self.store.entry(base64.b64decode(value["content"]), lfs=False)
        elif key == "lfsFile":
            if not self.store.blob(value["oid"]).exists():
                raise Refusal(400, f"LFS object {value['oid']} of {path} was never uploaded")
            files[path] = self.store.lfs_entry(value["oid"])
        elif key in ("deletedFile", "deletedFolder"):
            gone = [f for f in files if f == path or f.startswith(f"{path}/")]
            if not gone:
                raise Refusal(404, f"{path} does not exist", "EntryNotFound")
            for name in gone:
                del files[name]
        else:
            raise Refusal(400, f"unknown operation {key!r}")


_API = r"/api/(?P<repo_type>models|datasets)"
_REPO = rf"{_API}/(?P<repo>[^/]+/[^/]+)"
_PAGE = r"/(?:(?P<repo_type>datasets)/)?(?P<repo>[^/]+/[^/]+)"
_REV = r"(?P<revision>[^/]+)"
_Handler.routes = [
    (methods, re.compile(pattern), name)
    for methods, pattern, name in [
        ("GET", "/api/whoami-v2", "whoami"),
        ("POST", "/api/validate-yaml", "validate_yaml"),
        ("POST", "/api/repos/create", "create"),
        ("DELETE", "/api/repos/delete", "delete"),
        ("GET", _API, "listing"),
        ("GET", _REPO, "info"),
        ("GET", rf"{_REPO}/revision/{_REV}", "info"),
        ("PUT", rf"{_REPO}/settings", "settings"),
        ("GET", rf"{_REPO}/refs", "refs"),
        ("POST", rf"{_REPO}/tag/{_REV}", "tag"),
        ("POST", rf"{_REPO}/branch/(?P<name>[^/]+)", "branch"),
        ("DELETE", rf"{_REPO}/(?P<kind>tag|branch)/(?P<name>[^/]+)", "delete_ref"),
        ("GET", rf"{_REPO}/commits/{_REV}", "commits"),
        ("GET", rf"{_REPO}/tree/{_REV}(?:/(?P<folder>.*))?", "tree"),
        ("POST", rf"{_REPO}/paths-info/{_REV}", "paths_info"),
        ("POST", rf"{_REPO}/preupload/{_REV}", "preupload"),
        ("POST", rf"{_REPO}/commit/(?P<branch>[^/]+)", "commit"),
        ("GET", rf"{_REPO}/discussions/(?P<number>\d+)", "discussion"),
        ("POST", rf"{_REPO}/discussions/(?P<number>\d+)/comment", "comment"),
        ("POST", rf"{_REPO}/discussions/(?P<number>\d+)/merge", "merge"),
        ("GET", rf"{_REPO}/xet-write-token/{_REV}", "xet_token"),
        ("POST", r"/cas/v1/xorbs/default/(?P<name>[0-9a-f]{64})", "xorb_post"),
        ("POST", r"/cas/(?:v1/)?shards", "shard_post"),
        ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", "lfs_batch"),
        ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", "lfs_put"),
        ("POST", "/lfs/verify", "lfs_verify"),
        ("GET HEAD", rf"{_PAGE}/resolve/{_REV}/(?P<path>.+)", "resolve"),
    ]
]


class HubServer:
    """A Hub on a free port of 127.0.0.1 that lives as long as the `with` block.

    Args:
        root: Folder that holds, or will hold, the repositories.
        port: Port to listen on; 0 takes a free one.
        tokens: The tokens that are known and whose they are.

    Attributes:
        url: The endpoint, without a trailing slash.
        requests: Every answered request, oldest first.
        faults: Every fault that was asked for, with the number of times it struck.
        errors: Exceptions of the server itself; the first one is raised at the end of the block.
    """

    def __init__(self, root: Path, *, port: int = 0, tokens: Mapping[str, User] = TOKENS) -> None:
        self.store = Store(Path(root))
        self.tokens = dict(tokens)
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.errors: list[BaseException] = []
        self._fault_lock = threading.Lock()
        self._port = port

    def __enter__(self) -> HubServer:
        self._server = _Server(self, self._port)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True, name=self.url
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        self._thread.join()
        if self.errors and error is None:
            raise self.errors[0]

    def env(self, home: Path, token: str | None = WRITE_TOKEN) -> dict[str, str]:
        """Return the environment for a client process: this one's, with this Hub and no other.

        Args:
            home: The client's HF_HOME, where its caches go.
            token: What it logs in with; None for an anonymous client.
        """
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("HF_", "HUGGING")) and not key.lower().endswith("_proxy")
        }
        settings = {  # xet stays on: uploads that go its way are served
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",  # the hf command asks the package index
            "NO_PROXY": "127.0.0.1",
        }
        return kept | settings | ({} if token is None else {"HF_TOKEN": token})

    def adopt(self, patch: pytest.MonkeyPatch, home: Path, token: str | None = WRITE_TOKEN) -> None:
        """Make this very process a client, as `env` makes others, for as long as the patch lasts.

        huggingface_hub has read the environment when it was imported: what it read is replaced.
        """
        from huggingface_hub import close_session, constants
        from huggingface_hub.utils import _cache_manager

        environment = self.env(home, token)
        for name in set(os.environ) - set(environment):
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        cache = str(home / "hub")
        patch.setattr(constants, "ENDPOINT", self.url)
        address = f"{self.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address)
        patch.setattr(constants, "HF_HUB_CACHE", cache)
        patch.setattr(_cache_manager, "HF_HUB_CACHE", cache)
        patch.setattr(constants, "HF_XET_CACHE", str(home / "xet"))
        close_session()  # that of another test may go by way of a proxy

    # ---- looking and changing without a client

    def create(self, repo_type: str, repo: str, *, private: bool = False) -> None:
        """Create a repository, which then holds .gitattributes as on the Hub."""
        with self.store.lock:
            if self.store.load(repo_type, repo):
                raise ValueError(f"{repo_type} {repo} exists")
            self.store.create(repo_type, repo, private, "tester")

    def put(
        self, repo_type: str, repo: str, files: Mapping[str, bytes | None], message: str = ""
    ) -> str:
        """Commit files to main (None deletes one) of a repository, which is created if needed."""
        with self.store.lock:
            data = self.store.load(repo_type, repo)
            data = data or self.store.create(repo_type, repo, False, "tester")
            stored = dict(data["commits"][data["branches"]["main"]]["files"])
            for path, content in files.items():
                if content is None:
                    del stored[path]
                else:
                    mode = self.store.mode(stored, path, len(content), content[:512])
                    stored[path] = self.store.entry(content, lfs=mode == "lfs")
            return self.store.commit(data, "main", stored, message or "put", "", "tester")

    def tag(
        self, repo_type: str, repo: str, tag: str, sha: str | None = None, force: bool = False
    ) -> None:
        """Tag a commit, main's newest by default; `force` moves a tag, which no client can."""
        with self.store.lock:
            data = self._load(repo_type, repo)
            if tag in data["tags"] and not force:
                raise ValueError(f"{repo_type} {repo} has a tag {tag}; force=True moves it")
            data["tags"][tag] = sha_of(data, sha or "main")
            self.store.save(data)

    def files(self, repo_type: str, repo: str, revision: str = "main") -> dict[str, bytes]:
        """Return all files of a revision, .gitattributes among them."""
        data = self._load(repo_type, repo)
        files = data["commits"][sha_of(data, revision)]["files"]
        return {path: self.store.read(files, path) for path in files}

    def commits(self, repo_type: str, repo: str, revision: str = "main") -> list[Commit]:
        """Return the history of a revision, newest commit first, the Hub's initial commit last."""
        data = self._load(repo_type, repo)
        return [
            Commit(sha, commit["title"], commit["description"])
            for sha, commit in history(data, sha_of(data, revision))
        ]

    def tags(self, repo_type: str, repo: str) -> dict[str, str]:
        """Return the commit of each tag."""
        return self._load(repo_type, repo)["tags"]

    def _load(self, repo_type: str, repo: str) -> Json:
        data = self.store.load(repo_type, repo)
        if data is None:
            raise KeyError(f"no {repo_type} {repo}")
        return data

    # ---- failures

    def fault(
        self,
        kind: str,
        match: str = "",
        times: int | None = 1,
        *,
        after: int = 0,
        status: int = 500,
        code: str = "",
        retry_after: int | None = None,
        seconds: float = 1.0,
    ) -> Fault:
        """Let requests fail.

        Args:
            kind: "status" answers `status` with X-Error-Code `code` and Retry-After `retry_after`,
                and "hang" waits `seconds` first; the others spoil the body of the usual answer:
                "drop" closes the connection `after` bytes into it, "truncate" leaves out all but
                `after` bytes, headers agreeing, "alter" flips the byte at `after`, "slow" takes
                `seconds` to send it. What the request changed on the server stays changed then.
            match: Regular expression searched in "METHOD /decoded/path".
            times: How many requests are struck; None for all.
            after: See `kind`.
            status: See `kind`.
            code: See `kind`; "GatedRepo" with status 403 is what a gated repository answers.
            retry_after: See `kind`.
            seconds: See `kind`.
        """
        if kind not in BEFORE + AFTER:
            raise ValueError(f"no fault {kind!r}; there are {', '.join(BEFORE + AFTER)}")
        fault = Fault(kind, re.compile(match), times, after, status, code, retry_after, seconds)
        with self._fault_lock:
            self.faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        """Forget all faults; requests that hang go on hanging."""
        with self._fault_lock:
            self.faults.clear()

    def take_fault(self, kinds: tuple[str, ...], line: str) -> Fault | None:
        """Return the first fault that strikes this request, and count it."""
        with self._fault_lock:
            for fault in self.faults:
                left = fault.times is None or fault.fired < fault.times
                if left and fault.kind in kinds and fault.match.search(line):
                    fault.fired += 1
                    return fault
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve a Hub from a folder until interrupted.")
    parser.add_argument("root", type=Path)
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args()
    stop = threading.Event()
    on_signal: Callable[[int, Any], None] = lambda *_: stop.set()  # noqa: E731
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    with HubServer(options.root, port=options.port) as hub:
        sys.stdout.write(f"{hub.url}\n")
        sys.stdout.flush()
        stop.wait()


if __name__ == "__main__":
    main()
