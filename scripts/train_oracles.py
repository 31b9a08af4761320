#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Make the ONNX oracles of tasks, check them on every row, then write all documents."""

from __future__ import annotations

import argparse
import sys

from mbo_hub.errors import MboHubError
from mbo_hub.making import build
from mbo_hub.tasks import TASKS


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/train_oracles.py tfbind8"
    )
    parser.add_argument("tasks", nargs="+", choices=sorted(TASKS), metavar="TASK")
    try:
        for name in parser.parse_args().tasks:
            for path in build.write_oracles(TASKS[name]):
                print(f"wrote {build.shown(path)}")
        for path in build.write_documents(TASKS):
            print(f"wrote {build.shown(path)}")
    except MboHubError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
