#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Build the data of tasks: fetch the raw file, validate, write parquet, then all documents.

Documents of a new task are written once it has oracles, by scripts/train_oracles.py.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mbo_hub.errors import MboHubError
from mbo_hub.making import build
from mbo_hub.tasks import TASKS


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/build_dataset.py tfbind8"
    )
    parser.add_argument("tasks", nargs="+", choices=sorted(TASKS), metavar="TASK")
    parser.add_argument(
        "--raw-dir",
        type=Path,
        default=build.ROOT / "build",
        help="where raw files are kept; a copy there is not downloaded again (default: build/)",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the data would change"
    )
    arguments = parser.parse_args()
    try:
        for name in arguments.tasks:
            build_one(name, arguments.raw_dir, check=arguments.check)
        without = [name for name, spec in TASKS.items() if not build.has_oracles(spec)]
        if without:
            print(f"go on with  scripts/train_oracles.py {' '.join(without)}")
        elif not arguments.check:
            for path in build.write_documents(TASKS):
                print(f"wrote {build.shown(path)}")
    except MboHubError as error:
        sys.exit(str(error))


def build_one(name: str, raw_dir: Path, *, check: bool) -> None:
    """Build one task, or check that a build would change nothing."""
    spec = TASKS[name]
    raw = build.fetch(spec, raw_dir)
    if not check:
        for path in build.write_data(spec, raw):
            print(f"wrote {build.shown(path)}")
        return
    changed = build.outdated_data(spec, raw)
    if changed:
        named = ", ".join(build.shown(path) for path in changed)
        sys.exit(f"{name}: the raw file gives another {named}")
    print(f"{name}: the data are what the raw file gives, byte for byte")


if __name__ == "__main__":
    main()
