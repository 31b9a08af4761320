"""Build the data of tasks: fetch the raw file, validate, write parquet, then all documents."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from mbo_hub import build
from mbo_hub.errors import MboHubError
from mbo_hub.tasks import TASKS


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: python scripts/build_dataset.py tfbind8"
    )
    parser.add_argument("tasks", nargs="+", choices=sorted(TASKS), metavar="TASK")
    parser.add_argument(
        "--raw-dir",
        type=Path,
        default=build.ROOT / "build" / "raw",
        help="where raw files are kept; a copy there is not downloaded again (default: build/raw)",
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if the data would change"
    )
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        for name in arguments.tasks:
            spec = TASKS[name]
            raw = build.fetch(spec.raw, arguments.raw_dir)
            if arguments.check:
                changed = build.outdated_data(spec, raw)
                if changed:
                    sys.exit(f"{name}: a build from the raw file gives another {', '.join(changed)}")
                print(f"{name}: the data are what the raw file gives, byte for byte")
            else:
                report(name, build.write_data(spec, raw))
        if not arguments.check:
            report("documents", build.write_documents(TASKS))
    except MboHubError as error:
        sys.exit(str(error))


def report(what: str, changed: list[Path]) -> None:
    """Say which files were written."""
    named = ", ".join(str(path.relative_to(build.ROOT)) for path in changed)
    print(f"{what}: {'wrote ' + named if changed else 'nothing changed'}")


if __name__ == "__main__":
    main()
