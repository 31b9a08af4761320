"""Design-Bench's v2 interface on top of mbo_hub's tasks.

    import mbo_hub.compat.design_bench as design_bench
    task = design_bench.make("TFBind8-Exact-v0")

or, for code that is not to be touched, ``python -m mbo_hub.compat.design_bench script.py``.
"""

from __future__ import annotations

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench._import import import_design_bench
from mbo_hub.compat.design_bench._install import install
from mbo_hub.compat.design_bench._ranges import ranges, write_ranges
from mbo_hub.compat.design_bench.datasets._archive import NotComparable, accept_different_tasks
from mbo_hub.compat.design_bench.registration import make, register, registry, spec
from mbo_hub.compat.design_bench.task import Task

__all__ = [
    "DesignBenchError",
    "NotComparable",
    "Task",
    "accept_different_tasks",
    "import_design_bench",
    "install",
    "make",
    "ranges",
    "register",
    "registry",
    "spec",
    "write_ranges",
]
