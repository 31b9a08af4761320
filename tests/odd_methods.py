# ruff: noqa: T201
"""Methods that behave in odd ways, as somebody's own may; tests copy this file beside `NEIGHBOURS`.

`ODD` says of each what becomes of its run: None: its designs are the first visible ones; else words
of the reason why it failed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

import mbo_hub
from mbo_hub.errors import MethodFailed
from mbo_hub.methods import Method, Preset, Proposal

# Files of the same folder: names of the standard library, and what a method imports late.
NEIGHBOURS = {
    "random.py": "raise RuntimeError('taken for the standard library')\n",
    "resource.py": "raise RuntimeError('taken for the standard library')\n",
    "queue.py": "raise RuntimeError('taken for the standard library')\n",
    "odd_sibling.py": "def square(number):\n    return number * number\n",
}


def lazy(offline: Any, budget: int, seed: int) -> Any:
    import odd_sibling

    return offline.x[: odd_sibling.square(1) * budget]


def pool(offline: Any, budget: int, seed: int) -> Any:
    import multiprocessing

    import odd_sibling

    with multiprocessing.get_context("spawn").Pool(1) as workers:
        assert workers.map(odd_sibling.square, [2]) == [4]
    return offline.x[:budget]


def shadowed(offline: Any, budget: int, seed: int) -> Any:
    import queue
    import random

    assert random.Random(0)  # noqa: S311
    assert queue.Queue()
    return offline.x[:budget]


def leaves_a_thread(offline: Any, budget: int, seed: int) -> Any:
    threading.Thread(target=time.sleep, args=(600,)).start()
    return offline.x[:budget]


def leaves_a_process(offline: Any, budget: int, seed: int) -> Any:
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path("left-behind").write_text(str(left.pid))
    return offline.x[:budget]


def prints(offline: Any, budget: int, seed: int) -> Any:
    print("to stdout ⏎")
    print("to stderr", file=sys.stderr)
    os.write(1, b"past Python \xff\n")
    return offline.x[:budget]


def prints_much(offline: Any, budget: int, seed: int) -> Any:
    print("the first line")
    for _ in range(1000):
        print("much " * 1000)
    print("the last line")
    return offline.x[:budget]


def closes_its_streams(offline: Any, budget: int, seed: int) -> Any:
    sys.stdin.close()
    sys.stdout.close()
    sys.stderr.close()
    return offline.x[:budget]


def goes_elsewhere(offline: Any, budget: int, seed: int) -> Any:
    os.chdir("/")
    return offline.x[:budget]


def reads_to_the_end(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[: budget + len(sys.stdin.read())]


def floats(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[:budget].astype(np.float64)


def lists(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[:budget].tolist()


def halves(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[:budget] + 0.5


def generates(offline: Any, budget: int, seed: int) -> Iterator[Any]:
    yield from offline.x[:budget]


def misshapen(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[:budget, :3]


def nothing(offline: Any, budget: int, seed: int) -> None:
    pass


def empty(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[:0]


def too_many(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[: budget + 1]


def too_few(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[: budget - 1]


def fails(offline: Any, budget: int, seed: int) -> Any:
    raise MethodFailed("the model diverged")


def noted(offline: Any, budget: int, seed: int) -> Any:
    error = ValueError("no such layer")
    error.add_note("layers are counted from 0")
    raise error


def multiline(offline: Any, budget: int, seed: int) -> Any:
    print("wandb: Synced 5 files", file=sys.stderr)
    raise RuntimeError("CUDA error: out of range\nFor debugging set A=1\n")


def unprintable(offline: Any, budget: int, seed: int) -> Any:
    class Odd(Exception):
        def __str__(self) -> str:
            raise ValueError

    raise Odd


def grouped(offline: Any, budget: int, seed: int) -> Any:
    raise ExceptionGroup("two at once", [ValueError("one"), KeyError("other")])


def mistakes_a_task(offline: Any, budget: int, seed: int) -> Any:
    return mbo_hub.load("tfbind88").x


def recurses(offline: Any, budget: int, seed: int) -> Any:
    return recurses(offline, budget, seed)


def is_strict(offline: Any, budget: int, seed: int) -> Any:
    warnings.simplefilter("error")
    warnings.warn("this is old", DeprecationWarning, stacklevel=1)


def asks(offline: Any, budget: int, seed: int) -> Any:
    return offline.x[: int(input("how many? "))]


def breaks(offline: Any, budget: int, seed: int) -> Any:
    breakpoint()
    return offline.x[:budget]


def exits(offline: Any, budget: int, seed: int) -> Any:
    sys.exit(0)


def exits_with_words(offline: Any, budget: int, seed: int) -> Any:
    sys.exit("usage: odd")


def ends_at_once(offline: Any, budget: int, seed: int) -> Any:
    os._exit(3)


def ends_well_at_once(offline: Any, budget: int, seed: int) -> Any:
    os._exit(0)


def aborts(offline: Any, budget: int, seed: int) -> Any:
    os.abort()


def is_killed(offline: Any, budget: int, seed: int) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def waits(offline: Any, budget: int, seed: int) -> Any:
    time.sleep(600)


HALF, THREE = np.float32(0.5), np.int64(3)


@dataclass(frozen=True)
class Fields(Method):
    """Fields that a record has to write as text or numbers; an array as its proposal."""

    name: ClassVar[str] = "fields"
    title: ClassVar[str] = "Fields of many kinds"
    presets: ClassVar[Any] = {"standard": Preset()}
    needs: ClassVar[tuple[str, ...]] = ("click", "PyYAML", "yaml")

    checkpoint: Path = Path("models") / "a.pt"
    rate: Any = HALF
    rounds: Any = THREE
    limit: float = float("inf")
    sizes: tuple[Any, ...] = (np.int8(1), 2)

    def propose(self, offline: Any, budget: int, seed: int, progress: Any) -> Any:
        return offline.x[:budget]


@dataclass(frozen=True)
class Numbers(Method):
    """A proposal of NumPy's numbers."""

    name: ClassVar[str] = "numbers"
    title: ClassVar[str] = "NumPy's numbers"

    def propose(self, offline: Any, budget: int, seed: int, progress: Any) -> Any:
        progress(np.float32(0.5))
        predicted = offline.y[:budget].tolist()
        return Proposal(offline.x[:budget], predicted, np.int64(2), ["a note"])  # type: ignore[arg-type]


ODD: dict[str, str | None] = {
    "lazy": None,
    "pool": None,
    "shadowed": None,
    "leaves_a_thread": None,
    "leaves_a_process": None,
    "prints": None,
    "prints_much": None,
    "closes_its_streams": None,
    "goes_elsewhere": None,
    "reads_to_the_end": None,
    "floats": None,
    "lists": None,
    "Fields": None,
    "Numbers": None,
    "halves": "it proposed an illegal design: design 0",
    "generates": "it proposed an illegal design: ",
    "misshapen": "it proposed an illegal design: ",
    "nothing": "it returned None instead of designs",
    "empty": "it proposed no design",
    "too_many": "it proposed 9 designs, the budget is 8",
    "too_few": "it proposed 7 designs and does not say why",
    "fails": "fails on tfbind8, seed 0: the model diverged",
    "noted": "noted on tfbind8, seed 0: ValueError: no such layer layers are counted from 0",
    "multiline": "seed 0: RuntimeError: CUDA error: out of range For debugging set A=1",
    "unprintable": "Odd: <exception str() failed>",
    "grouped": "ExceptionGroup: two at once (2 sub-exceptions)",
    "mistakes_a_task": "mbo_hub.errors.UnknownTask: no task named 'tfbind88'",
    "recurses": "RecursionError: maximum recursion depth exceeded",
    "is_strict": "DeprecationWarning: this is old",
    "asks": "EOFError: EOF when reading a line",
    "breaks": "bdb.BdbQuit",
    "exits": "it ended by SystemExit(0) instead of returning designs",
    "exits_with_words": "it ended by SystemExit('usage: odd') instead of returning designs",
    "ends_at_once": "its process ended by itself, with code 3 and without designs",
    "ends_well_at_once": "its process ended by itself, with code 0 and without designs",
    "aborts": "its process was ended by SIGABRT",
    "is_killed": "its process was ended by SIGKILL; there may have been too little memory",
    "waits": "it took longer than 8 s, the time limit of the command",
}
