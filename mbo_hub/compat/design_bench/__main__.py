"""Run a script or module that imports design_bench, unchanged."""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import is_zipfile

from mbo_hub.compat.design_bench import accept_different_tasks, install, write_ranges
from mbo_hub.errors import MboHubError

USAGE = """\
python -m mbo_hub.compat.design_bench [--accept-different-tasks] script.py ARGUMENTS…
python -m mbo_hub.compat.design_bench [--accept-different-tasks] -m module ARGUMENTS…
python -m mbo_hub.compat.design_bench --ranges npy/dic2y.npy

Run a program (a script, or a folder with a __main__.py) whose `import design_bench` then gives
mbo_hub's tasks, in the processes that it starts, too. --accept-different-tasks lets it make NAS,
ChEMBL and Hopper, which are other tasks than Design-Bench's. --ranges writes the file of minima and
maxima that many programs scale scores by.

Example:  python -m mbo_hub.compat.design_bench main.py --task TFBind8-Exact-v0
"""
MAIN = "__main__"
CHILDREN = Path(__file__).resolve().parents[1] / "children"


def main(arguments: list[str]) -> int:
    """Do what the command line says; the exit code is the program's own where one runs."""
    rest = list(arguments)
    if rest[:1] == ["--accept-different-tasks"]:
        accept_different_tasks()
        rest = rest[1:]
    if rest[:1] in (["-h"], ["--help"]):
        sys.stdout.write(USAGE)
        return 0
    if rest[:1] == ["--ranges"] and len(rest) == 2:
        try:
            sys.stdout.write(f"{write_ranges(rest[1])}\n")
        except MboHubError as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            return 1
        return 0
    if rest[:1] == ["-m"] and len(rest) > 1:
        _lead_to_us(Path.cwd())
        found = _module(rest[1])
        if found is None:
            sys.stderr.write(f"{rest[1]}: there is no such module that can be run\n")
            return 1
        _run_found(found, [found.origin or rest[1], *rest[2:]])
        return 0
    if rest and not rest[0].startswith("-"):
        program = Path(rest[0])
        if program.is_file() and not is_zipfile(program):
            _lead_to_us(program.resolve().parent)
            _run_script(program, rest)
            return 0
        _lead_to_us(program)
        found = PathFinder.find_spec(MAIN, [rest[0]])
        if found is None:
            what = "it holds no __main__.py" if program.exists() else "there is no such script"
            sys.stderr.write(f"{rest[0]}: {what}\n")
            return 1
        _run_found(found, rest)
        return 0
    sys.stderr.write(USAGE)
    return 2


def _lead_to_us(first: Path) -> None:
    """Make `import design_bench` give mbo_hub's here, and in every process that is started here.

    Args:
        first: where else the program looks for modules first.
    """
    install()
    if not sys.flags.safe_path:
        sys.path[0] = str(first)
    sys.path.insert(1, str(CHILDREN))  # which multiprocessing hands on
    inherited = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(CHILDREN), *([inherited] if inherited else [])])


def _module(name: str) -> ModuleSpec | None:
    """Find what `python -m name` runs."""
    try:
        found = find_spec(name)
        if found is not None and found.submodule_search_locations is not None:
            found = find_spec(f"{name}.{MAIN}")
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.{MAIN}.".startswith(f"{error.name}."):
            raise
        return None
    return found


def _run_script(program: Path, arguments: list[str]) -> None:
    module = ModuleType(MAIN)
    module.__file__ = str(program.absolute())
    _run(module, compile(program.read_bytes(), arguments[0], "exec"), arguments)


def _run_found(found: ModuleSpec, arguments: list[str]) -> None:
    module = module_from_spec(found)
    module.__name__ = MAIN
    loader: Any = found.loader
    _run(module, loader.get_code(found.name), arguments)


def _run(module: ModuleType, code: Any, arguments: list[str]) -> None:
    """Run a program as Python itself does, as the module __main__, and leave it there.

    So what is pickled, what runs at exit, and processes that are spawned find it.
    """
    sys.argv = arguments
    sys.modules[MAIN] = module
    exec(code, module.__dict__)  # noqa: S102


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
