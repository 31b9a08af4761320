"""An oracle of a stranger in a process of its own, with limits on time and memory.

A graph may loop for ever or ask for any amount of memory. Who only wants to know whether it works
tries it here: what happens to the process is an error like any other.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import IO

import msgspec
import numpy as np

from mbo_hub.arrays import Num
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.protocol import Answer, Fingerprint, Limits, Oracle
from mbo_hub.oracles.threads import share_out
from mbo_hub.spaces import Box, Sequence

__all__ = ["ConfinedOracle"]


class ConfinedOracle(Oracle):
    """Has another process open an oracle and score with it.

    The process ends with this object, by its limits, or when this process is gone.

    Args:
        opener: opens the oracle; it is pickled.
        space: of the task.
        name: what to call the oracle's file in messages.
        exact: whether the oracle defines the objective.
        limits: of the process.

    Raises:
        OracleUnavailable: the oracle cannot be opened within the limits.
    """

    def __init__(
        self,
        opener: Callable[[], Oracle],
        space: Sequence | Box,
        name: str,
        *,
        exact: bool,
        limits: Limits,
    ) -> None:
        self.space = space
        self.name = name
        self.exact = exact
        self.limits = limits
        self._late = threading.Event()
        self._process = _start(limits)
        timer = threading.Timer(limits.seconds, _kill, (self._process, self._late))
        timer.daemon = True
        timer.start()
        self._end = weakref.finalize(self, _end, self._process, timer)
        self._fingerprint = msgspec.json.decode(self._ask(pickle.dumps(opener)), type=Fingerprint)

    @property
    def fingerprint(self) -> Fingerprint:
        """That of the oracle in the other process."""
        return self._fingerprint

    def answer(self, legal: Num[np.ndarray, "n d"]) -> Answer:
        """Have designs scored that `space.validate` has returned.

        Raises:
            OracleUnavailable: the oracle fails, or reaches a limit.
        """
        request = BytesIO()
        np.save(request, legal, allow_pickle=False)
        with np.load(BytesIO(self._ask(request.getvalue())), allow_pickle=False) as found:
            return Answer(**found)

    def _ask(self, request: bytes) -> bytes:
        """Send something to the process and wait for what it says.

        Raises:
            OracleUnavailable: it says that something went wrong, or is gone.
        """
        # A thread waits for it: where a library has taken over the handling of Ctrl-C, as polars
        # does, that would not interrupt the reading of a pipe here.
        (reply,) = share_out(self._exchange, [request], threads=1, stop=self._end)
        if reply[:1] == GOOD:
            return reply[1:]
        if reply:
            said = reply[1:].decode()
            tight = f"; {self._allowed}" if "alloc" in said.lower() else ""
            raise OracleUnavailable(f"{said}{tight}")
        code = self._process.wait()
        self._end()
        what = "took longer than allowed" if self._late.is_set() else f"died ({_cause(code)})"
        raise OracleUnavailable(f"{self.name}: the process that tries it {what}; {self._allowed}")

    def _exchange(self, request: bytes) -> bytes:
        """Send a request and receive the reply; nothing where the process is gone."""
        try:
            _send(self._process.stdin, request)  # type: ignore[arg-type]
            return _receive(self._process.stdout)  # type: ignore[arg-type]
        except (OSError, ValueError):  # its end of a pipe is closed, or this one, by `_end`
            return b""

    @property
    def _allowed(self) -> str:
        return (
            f"it may take {self.limits}; `mbo validate --seconds … --gigabytes …` lets it take more"
        )


GOOD, BAD = b"+", b"-"  # how replies begin


def _start(limits: Limits) -> subprocess.Popen[bytes]:
    code = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as c; c._serve()"
    settings = (limits.seconds, limits.gigabytes, os.getpid())
    return subprocess.Popen(  # noqa: S603 -- this interpreter, this module
        [sys.executable, "-c", code, *map(str, settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C comes to it by way of the exception here
    )


def _kill(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    process.kill()


def _end(process: subprocess.Popen[bytes], timer: threading.Timer) -> None:
    timer.cancel()
    process.kill()
    process.wait()
    with suppress(OSError):
        process.stdin.close()  # type: ignore[union-attr]
    process.stdout.close()  # type: ignore[union-attr]


def _cause(code: int) -> str:
    """Why a process ended, by its exit code."""
    if code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit code {code}"


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(len(content).to_bytes(8, "little") + content)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    """Read what `_send` wrote; nothing at the end of the stream."""
    size = int.from_bytes(stream.read(8), "little")
    content = stream.read(size)
    return content if len(content) == size else b""


def _confine(seconds: float, gigabytes: float) -> None:
    """Set the limits of this process, where the system has such."""
    if sys.platform == "win32":
        return
    import resource

    for which, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_AS, int(gigabytes * 1e9)),
    ):
        hard = resource.getrlimit(which)[1]
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        with suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(which, (least, hard))


def _leave_with(parent: int) -> None:
    """End this process when the one that started it is gone, even in the middle of a graph."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _serve() -> None:
    """Open the oracle that stdin tells of, then score what comes, until it ends."""
    _confine(*map(float, sys.argv[1:3]))
    threading.Thread(target=_leave_with, args=(int(sys.argv[3]),), daemon=True).start()
    stdin, stdout = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    oracle: Oracle | None = None
    while request := _receive(stdin):
        try:
            if oracle is None:
                oracle = pickle.loads(request)()  # noqa: S301 -- what ConfinedOracle sent
                reply = GOOD + msgspec.json.encode(oracle.fingerprint)
            else:
                answer = oracle.answer(np.load(BytesIO(request), allow_pickle=False))
                arrays = {k: v for k, v in answer._asdict().items() if v is not None}
                said = BytesIO()
                np.savez(said, **arrays)
                reply = GOOD + said.getvalue()
        except OracleUnavailable as error:
            reply = BAD + str(error).encode()
        except MemoryError:
            reply = BAD + b"it cannot allocate the memory that it needs"
        _send(stdout, reply)
