"""Steps on the workers of a Dask cluster, which may come, go and be killed meanwhile."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn, TypeVar

import mbo_hub.results.child as child
from mbo_hub._version import __version__
from mbo_hub.errors import (
    DeviceUnavailable,
    MboHubError,
    MissingExtra,
    StepLost,
    UnknownMethod,
    UnknownTask,
    remade,
)
from mbo_hub.extras import require
from mbo_hub.oracles.threads import THREADS, cores
from mbo_hub.results.engine import Engine

__all__ = ["DaskEngine"]

LOST = (
    "the engine was lost, and with it the work in hand; what was done is kept, and the same "
    "command goes on with the rest"
)
AHEAD = 32  # steps that wait on the cluster: it grows by them, and no worker is idle in between
PATIENCE_S = 10.0  # for a scheduler to answer
LOOK_S = 2.0  # between two looks at who is there, and whether anybody waits for a step
log = logging.getLogger(__name__)
T = TypeVar("T")


class DaskEngine(Engine):
    """The workers of a Dask cluster, which need mbo-hub but no folder in common with this machine.

    A step that is lost with its worker is done again elsewhere.

    Args:
        address: of the scheduler; None starts a cluster on this machine.
        jobs: how many workers that has, one thread each; elsewhere, how many steps to hand out at
            a time: as many as there are threads, and some that wait, if it is not given.

    Raises:
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address, Dask's configuration cannot be used, or a
            worker has another mbo-hub.
    """

    look_again = LOOK_S

    def __init__(self, address: str | None = None, jobs: int | None = None) -> None:
        require("results", "the engine 'dask'", "distributed")
        with _said_of("Dask's configuration cannot be used"):
            import distributed
            from distributed.utils import silence_logging_cmgr

        dask: Any = distributed  # it has types for half of itself
        self._open, self._jobs = ExitStack(), jobs
        # What matters is said here.
        self._open.enter_context(silence_logging_cmgr(logging.CRITICAL))
        self._address = address or "the cluster on this machine"
        self._empty = False
        try:
            place: Any = address
            if address is None:
                with _said_of("a Dask cluster does not start on this machine"):
                    place = _cluster_here(dask, jobs or cores())
                self._open.callback(place.close)
            encrypted = str(address).startswith(("tls://", "wss://"))
            hint = "; its certificates are named in Dask's configuration" if encrypted else ""
            with _said_of(f"{address}: no Dask scheduler answers there", hint):
                self._client = dask.Client(place, timeout=PATIENCE_S)
            self._open.callback(self._client.close)
            if address is None:
                self._client.run(_leave_interrupts_to_others)
            self._pool = self._client.get_executor(pure=False)
            self._see_that_workers_are_alike()
        except BaseException:
            self._open.close()
            raise

    def _see_that_workers_are_alike(self) -> None:
        """Ask each worker for the mbo-hub that it has."""
        with self._not_lost():
            found = self._client.run(pickle.loads, _sealed(_nothing), on_error="return")
        for worker, outcome in found.items():
            if isinstance(outcome, Exception) and not isinstance(outcome, OSError):
                self._refuse(f"worker {worker}", outcome)  # OSError: it went away meanwhile

    def _refuse(self, worker: str, error: Exception) -> NoReturn:
        match error:
            case _OtherVersion():
                said = f"has mbo-hub {error}, here is {__version__}; install the same version"
            case ImportError():
                said = (
                    f"lacks {error.name}; install mbo-hub {__version__} and what the methods need "
                    "in the environment of the workers"
                )
            case _:
                said = f"cannot do steps: {error}"
        raise MboHubError(f"{self._address}: {worker} {said}") from None

    @contextmanager
    def _not_lost(self) -> Iterator[None]:
        """Say that the cluster is gone, where the connection to it is."""
        from distributed.client import ClosedClientError

        try:
            yield
        except (OSError, CancelledError, ClosedClientError) as error:
            raise MboHubError(LOST) from error

    def _see_who_is_there(self) -> int:
        """Count the threads of workers; says once when there are none: the work then waits."""
        with self._not_lost():
            threads = sum(self._client.nthreads().values())
        if not threads and not self._empty:
            log.warning("%s has no workers now; the work waits for them", self._address)
        self._empty = not threads
        return threads

    @property
    def slots(self) -> int:
        """How many threads the workers have now; one if they are still to come."""
        return max(1, self._see_who_is_there())

    @property
    def room(self) -> int:
        """As many steps as workers have threads, and some that wait."""
        return self._jobs or self.slots + AHEAD

    def submit(self, step: Callable[..., T], *arguments: Any, first: bool = False) -> Future[T]:
        """Send a step to a worker."""
        with self._not_lost():
            future: Future[T] = self._pool.submit(
                pickle.loads,
                _sealed(step, *arguments),
                key=f"{step.__name__}-{os.urandom(8).hex()}",
                priority=int(first),
            )
        return future

    def wait(self, futures: Collection[Future[T]]) -> set[Future[T]]:
        """Wait until a step came to its end, or it is time to look again; give those that did."""
        self._see_who_is_there()
        return super().wait(futures)

    def result(self, future: Future[T]) -> T:
        """What a step came to.

        Raises:
            MboHubError: the cluster was lost, or a worker has another mbo-hub; or whatever the
                step raised.
            StepLost: whichever worker had the step died.
        """
        from distributed.scheduler import KilledWorker

        try:
            return future.result()
        except CancelledError as error:
            raise MboHubError(LOST) from error
        except KilledWorker as error:
            raise StepLost(
                f"{error.allowed_failures + 1} workers died while they had it; there may have been "
                "too little memory"
            ) from None
        except (MissingExtra, UnknownMethod, UnknownTask, DeviceUnavailable) as error:
            said = f"{self._address}: on a worker: {error}"
            raise remade(type(error), (said,), {}) from None
        except (_OtherVersion, ImportError) as error:
            self._see_that_workers_are_alike()  # names the worker
            self._refuse("a worker", error)

    def close(self, *, at_once: bool) -> None:
        """Leave the cluster; one that was started here ends."""
        self._pool.shutdown(wait=not at_once)
        self._open.close()


@contextmanager
def _said_of(what: str, hint: str = "") -> Iterator[None]:
    """Say what does not work, whatever Dask, which has no errors of its own, raises for it."""
    try:
        yield
    except (
        OSError, ValueError, TypeError, LookupError, AttributeError, ImportError, RuntimeError,
        ArithmeticError, AssertionError,  # the last where its event loop has not started in 10 s
    ) as error:  # fmt: skip
        causes: list[BaseException] = [error]
        while (cause := causes[-1].__cause__) is not None:
            causes.append(cause)
        said = "; ".join(" ".join(f"{type(one).__name__}: {one}".split()) for one in causes)
        raise MboHubError(f"{what}: {said}{hint}") from None


def _cluster_here(dask: Any, workers: int) -> Any:
    return dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",  # None would be 8787 on all interfaces
        worker_dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
    )


class _OtherVersion(MboHubError):
    """A worker has another mbo-hub, of the version that this holds."""


class _Call:
    """Is called where it is unpickled."""

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _on_worker, self._arguments


def _sealed(step: Callable[..., Any], *arguments: Any) -> bytes:
    """Write a call so that a worker which lacks a module says so: it would die of it otherwise.

    The scheduler needs no mbo-hub then, either.
    """
    return pickle.dumps(_Call(__version__, step, *arguments))


def _on_worker(version: str, step: Callable[..., T], *arguments: Any) -> T:
    """Do a step where it was sent to, until nobody waits for it any more."""
    if version != __version__:
        raise _OtherVersion(__version__)
    os.environ.setdefault(THREADS, "1")  # a thread of the worker is what it was given
    with _while_wanted():
        return step(*arguments)


@contextmanager
def _while_wanted() -> Iterator[None]:
    """End the processes of a step whose command was stopped or killed: no worker can do that."""
    from distributed import get_worker

    try:
        worker: Any = get_worker()
        key = worker.get_current_task()
    except ValueError:  # it is asked, and has no task
        yield
        return
    thread, ended = threading.get_ident(), threading.Event()

    def watch() -> None:
        while not ended.wait(LOOK_S):
            task = worker.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                child.stop(thread)
                return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        ended.set()


def _nothing() -> None:
    """Be a step that tells whether steps can be done."""


def _leave_interrupts_to_others() -> None:
    """Ctrl-C comes to all processes at a terminal; the command ends its workers by itself."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
