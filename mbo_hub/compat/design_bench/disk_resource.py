"""Files of Design-Bench's storage, which is gone; the names can be imported."""

from __future__ import annotations

from typing import Any

from mbo_hub.compat.design_bench._errors import DesignBenchError

__all__ = ["DATA_DIR", "DiskResource"]

DATA_DIR = "design_bench_data"


class DiskResource:
    """Not here: mbo_hub keeps its data as datasets of the Hub; see `import_design_bench`."""

    def __init__(self, disk_target: str, *arguments: Any, **options: Any) -> None:
        raise DesignBenchError(
            f"{disk_target}: Design-Bench's storage is gone, and mbo_hub keeps its data elsewhere "
            "(`mbo cache`). Arrays that you still have become a dataset folder with "
            "mbo_hub.compat.design_bench.import_design_bench(folder, out)"
        )
