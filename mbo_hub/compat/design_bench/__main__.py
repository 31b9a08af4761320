"""Run a script or module that imports design_bench, unchanged."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from mbo_hub.compat.design_bench import accept_different_tasks, install, write_ranges
from mbo_hub.errors import MboHubError

USAGE = """\
python -m mbo_hub.compat.design_bench [--accept-different-tasks] script.py ARGUMENTS…
python -m mbo_hub.compat.design_bench [--accept-different-tasks] -m module ARGUMENTS…
python -m mbo_hub.compat.design_bench --ranges npy/dic2y.npy

Run a program whose `import design_bench` then gives mbo_hub's tasks. --accept-different-tasks lets
it make NAS, ChEMBL and Hopper, which are other tasks than Design-Bench's. --ranges writes the file
of minima and maxima that many programs scale scores by.

Example:  python -m mbo_hub.compat.design_bench main.py --task TFBind8-Exact-v0
"""


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
        install()
        sys.argv = rest[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
        return 0
    if rest and not rest[0].startswith("-"):
        if not Path(rest[0]).is_file():
            sys.stderr.write(f"{rest[0]}: there is no such script\n")
            return 1
        install()
        sys.argv = rest
        sys.path[0] = str(Path(rest[0]).resolve().parent)
        runpy.run_path(rest[0], run_name="__main__")
        return 0
    sys.stderr.write(USAGE)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
