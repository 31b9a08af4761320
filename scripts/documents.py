#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Write what derives from declarations and data: task.json, cards, plots, pins, README table."""

from __future__ import annotations

import argparse
import sys

from mbo_hub.making import build
from mbo_hub.tasks import TASKS


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/documents.py --check"
    )
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if a document is out of date"
    )
    if parser.parse_args().check:
        stale = build.outdated(TASKS)
        for path in stale:
            print(f"{path.relative_to(build.ROOT)} is out of date; run scripts/fix")
        sys.exit(bool(stale))
    for path in build.write_documents(TASKS):
        print(f"wrote {path.relative_to(build.ROOT)}")


if __name__ == "__main__":
    main()
