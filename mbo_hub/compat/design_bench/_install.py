"""Put this package where `import design_bench` finds it, for code that is not to be touched."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import walk_packages

from mbo_hub.compat.design_bench._errors import DesignBenchError

__all__ = ["install"]

HERE = __name__.rpartition(".")[0]
NAME = "design_bench"


def install() -> None:
    """Let `import design_bench`, and every submodule of it, give this package in this process.

    Doing it again changes nothing.

    Raises:
        ValueError: another design_bench was imported before.
    """
    package = import_module(HERE)
    if sys.modules.get(NAME, package) is not package:
        raise DesignBenchError(
            "another design_bench was imported before; call install() before any import of it"
        )
    names = [HERE, *(found.name for found in walk_packages(package.__path__, f"{HERE}."))]
    for name in names:
        if not name.endswith("__main__"):
            sys.modules[NAME + name.removeprefix(HERE)] = import_module(name)
