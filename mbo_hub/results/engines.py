"""Where the steps of runs are worked on: processes of this machine, or a Dask cluster."""

from __future__ import annotations

from mbo_hub.results.local_engine import Engine, LocalEngine

__all__ = ["Engine", "LocalEngine", "engine"]


def engine(name: str, jobs: int | None = None) -> Engine:
    """Start an engine.

    Args:
        name: 'local', 'dask' for a cluster on this machine, or 'dask:ADDRESS' of a scheduler, such
            as dask:tcp://127.0.0.1:8786.
        jobs: how many processes here; how many steps a cluster elsewhere gets at a time.

    Raises:
        ValueError: there is no such engine.
        MissingExtra: dask.distributed is not installed.
        MboHubError: there is no scheduler at the address.
    """
    kind, colon, address = name.partition(":")
    if name == "local":
        return LocalEngine(jobs)
    if kind == "dask" and (address or not colon):
        from mbo_hub.results.dask_engine import DaskEngine

        return DaskEngine(address or None, jobs)
    raise ValueError(f"no engine {name!r}; there are local, dask, and dask:tcp://HOST:8786")
