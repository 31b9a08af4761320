"""A process of its own for a step: how it starts, what it may see, what it says, how it ends.

It is a session of its own: no terminal can stop it or be asked anything, its standard input has
ended, and what it leaves behind ends with it. It is told of the end of the process that asked for
it by a pipe, which becomes its standard input until it has started.
"""

from __future__ import annotations

import codecs
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

from mbo_hub.oracles.threads import THREADS

__all__ = ["Ended", "Watch", "end_now", "run", "say", "start_alone", "stop", "write_progress"]

ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
        THREADS,
    ),
    "1",
)  # fmt: skip
LOOK_S = 0.2  # between two looks at how far it is
GRACE_S = 2.0  # beyond a limit: it counts from the start, and tells first where it was
KEPT = 2**17  # characters of the beginning, and as many of the end, of what it says
PROGRESS = "progress"  # a file: the fraction done
# With -P the working directory is not on the path: nothing there is taken for a library. This very
# package is found where it is found here; multiprocessing has no main module to import again.
BOOT = """
import sys
sys.path.insert(0, sys.argv[1])
import mbo_hub
if sys.path.count(sys.argv[1]) > 1: del sys.path[0]
else: sys.path.append(sys.path.pop(0))
from mbo_hub.results.work import main
folder = sys.argv[2]
del sys.argv[1:]
main(folder)
"""
ROOT = Path(__file__).parents[2]
_children: dict[subprocess.Popen[bytes], int] = {}  # and the thread that waits for each
_children_lock = threading.Lock()


class Watch(NamedTuple):
    """Who looks on while a step is done.

    Attributes:
        show: is given what the process says, as it says it.
        progress: is told the fraction done.
    """

    show: Callable[[str], object]
    progress: Callable[[float], object]


class Ended(NamedTuple):
    """How a process ended.

    Attributes:
        code: its exit code; below 0, the signal that ended it; None: its time was over.
        said: its beginning and its end of what it wrote to stdout and stderr.
        seconds: how long it took.
    """

    code: int | None
    said: str
    seconds: float


class _Log:
    """Keeps the beginning and the end of what a process says.

    Args:
        show: is given all of it.
    """

    def __init__(self, show: Callable[[str], object]) -> None:
        self._show = show
        self._first, self._last, self._left_out = "", "", 0

    def listen(self, stream: IO[bytes]) -> None:
        """Take what comes until it ends."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        with stream:
            while chunk := stream.read1(2**16):  # type: ignore[attr-defined]
                self.take(decoder.decode(chunk))
        self.take(decoder.decode(b"", final=True))

    def take(self, text: str) -> None:
        """Keep what has room."""
        self._show(text)
        room = KEPT - len(self._first)
        self._first += text[:room]
        self._last += text[room:]
        if len(self._last) > 2 * KEPT:
            self._left_out += len(self._last) - KEPT
            self._last = self._last[-KEPT:]

    def __str__(self) -> str:
        if not self._left_out:
            return self._first + self._last
        return f"{self._first}\n… {self._left_out} characters are left out …\n{self._last}"


def run(folder: Path, limit: float | None = None, watch: Watch | None = None) -> Ended:
    """Let another process do the step that a folder asks for.

    Args:
        folder: what `mbo_hub.results.work.main` reads and writes.
        limit: seconds that it may take.
        watch: who looks on.

    Returns:
        How it ended; it and all that it started have.
    """
    start = time.monotonic()
    log = _Log((lambda text: None) if watch is None else watch.show)
    child = subprocess.Popen(  # noqa: S603 this very package
        [sys.executable, "-P", "-u", "-X", "faulthandler", "-c", BOOT, str(ROOT), str(folder)],
        env={"PYTHONIOENCODING": "utf-8:backslashreplace", **os.environ, **ONE_THREAD},
        stdin=subprocess.PIPE,  # it closes when this process is gone, however that came
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with _children_lock:
        _children[child] = threading.get_ident()
    listener = threading.Thread(target=log.listen, args=(child.stdout,), daemon=True)
    listener.start()
    try:
        code = _wait(child, limit, watch, folder)
    finally:
        _kill(child)
        child.wait()
        with _children_lock:
            _children.pop(child)
        listener.join(GRACE_S)  # what left the session may hold the pipe open
        if child.stdin is not None:
            child.stdin.close()
    return Ended(code, str(log), time.monotonic() - start)


def _wait(
    child: subprocess.Popen[bytes], limit: float | None, watch: Watch | None, folder: Path
) -> int | None:
    """Wait for the end of a process; None: it takes too long."""
    end = math.inf if limit is None else time.monotonic() + limit + GRACE_S
    while (left := end - time.monotonic()) > 0:
        patience = left if watch is None else min(left, LOOK_S)
        try:
            return child.wait(None if patience == math.inf else patience)
        except subprocess.TimeoutExpired:
            if watch is not None and (done := _read_progress(folder)) is not None:
                watch.progress(done)
    return None


def _kill(child: subprocess.Popen[bytes]) -> None:
    """End a process, and all that it started and that stayed in its session."""
    if sys.platform == "win32":
        child.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # macOS: those that ended just now
        os.killpg(child.pid, signal.SIGKILL)


def stop(thread: int | None = None) -> None:
    """End the processes of all steps that are going on here.

    Args:
        thread: only of those that this one waits for.
    """
    with _children_lock:
        for child, waits in _children.items():
            if thread in (None, waits) and child.poll() is None:
                _kill(child)


def _read_progress(folder: Path) -> float | None:
    with suppress(OSError, ValueError):
        return min(1.0, max(0.0, float((folder / PROGRESS).read_text("ascii"))))
    return None


def write_progress(folder: Path) -> Callable[[float], None]:
    """Give a function that tells the process which watches this one how far it is."""
    written = -math.inf

    def progress(done: float) -> None:
        nonlocal written
        if time.monotonic() - written > LOOK_S / 2:
            written = time.monotonic()
            (folder / PROGRESS).write_text(f"{done:.6f}", "ascii")

    return progress


def start_alone(folder: Path) -> None:
    """Make this process one that a step has for itself, which ends with the one that asked for it.

    Standard input ends: whatever asks a question learns that nobody answers.
    """
    lifeline = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, args=(lifeline, folder), daemon=True).start()


def _end_with_parent(lifeline: int, folder: Path) -> None:
    os.read(lifeline, 1)
    shutil.rmtree(folder, ignore_errors=True)  # nobody else is left to do it
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def say(text: str) -> None:
    """Write to standard error, also where a method closed Python's stream of it."""
    with (
        suppress(OSError),
        open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False) as stream,
    ):
        stream.write(text)


def end_now(code: int) -> NoReturn:
    """End this process, whatever threads are left behind in it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # a method may have closed it
            stream.flush()
    os._exit(code)
