"""The registry: one module for each of the archive's own tasks.

`mbo_hub.tasks()` lists them. Python binds this package to that name as soon as anything imports it,
so calling the package does the same as calling the function.
"""

from __future__ import annotations

import sys
from types import ModuleType

from mbo_hub.archive import catalog
from mbo_hub.tasks import ant, chembl, dkitty, hopper, nas, superconductor, tfbind8, tfbind10
from mbo_hub.tasks.spec import TaskSpec

__all__ = ["TASKS"]

TASKS: dict[str, TaskSpec] = {
    module.TASK.name: module.TASK
    for module in (tfbind8, tfbind10, nas, chembl, superconductor, ant, dkitty, hopper)
}


class _Tasks(ModuleType):
    """A package that can be called."""

    __call__ = staticmethod(catalog.tasks)


sys.modules[__name__].__class__ = _Tasks
