"""The archive's own tasks at a glance, for `mbo list` and `mbo_hub.tasks()`; loads none."""

from __future__ import annotations

from dataclasses import dataclass

from mbo_hub.archive import folders
from mbo_hub.archive.cache import DataState, state_of_data

__all__ = ["ListedOracle", "ListedTask", "tasks"]


@dataclass(frozen=True)
class ListedOracle:
    """An oracle of a listed task.

    Attributes:
        kind: what computes: table, onnx, mujoco or training.
        exact: whether it defines the task's objective.
    """

    kind: str
    exact: bool


@dataclass(frozen=True)
class ListedTask:
    """One of the archive's own tasks at a glance; `str` gives its name.

    Attributes:
        name: what `mbo_hub.load` takes.
        version: of the dataset.
        title: for people.
        summary: one sentence.
        visible: how many designs a method may see.
        rows: how many the full data have.
        dim: numbers or tokens in a design.
        best_visible: D(best), the objective of the best visible design, raw units.
        data: where the data are: 'embedded', 'built', or 'not built'.
        oracles: by name; the first is the task's own.
    """

    name: str
    version: str
    title: str
    summary: str
    visible: int
    rows: int
    dim: int
    best_visible: float
    data: DataState
    oracles: dict[str, ListedOracle]

    def __str__(self) -> str:
        return self.name


def tasks() -> tuple[ListedTask, ...]:
    """List the archive's own tasks; reads their small task.json files, and loads no data.

    Example:
        >>> [str(task) for task in tasks()][:3]
        ['tfbind8', 'tfbind10', 'nas']
    """
    return tuple(
        ListedTask(
            name=said["name"],
            version=said["version"],
            title=said["title"],
            summary=said["summary"],
            visible=said["statistics"]["visible"],
            rows=said["statistics"]["rows"],
            dim=len(said["statistics"]["x_mean"]),
            best_visible=said["statistics"]["best_visible"],
            data=state_of_data(said["name"]),
            oracles={
                name: ListedOracle(oracle["kind"], oracle.get("exact", False))
                for name, oracle in said["oracles"].items()
            },
        )
        for said in folders.summaries()
    )
