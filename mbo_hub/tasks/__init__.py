"""The registry: one module for each of the archive's own tasks."""

from __future__ import annotations

from mbo_hub.tasks import ant, chembl, dkitty, hopper, nas, superconductor, tfbind8, tfbind10
from mbo_hub.tasks.spec import TaskSpec

__all__ = ["TASKS"]

TASKS: dict[str, TaskSpec] = {
    module.TASK.name: module.TASK
    for module in (tfbind8, tfbind10, nas, chembl, superconductor, ant, dkitty, hopper)
}
