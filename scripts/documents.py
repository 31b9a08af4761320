#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Write what derives from declarations and data: task.json, cards, plots, pins, README table."""

from __future__ import annotations

import argparse
import sys

from mbo_hub.errors import MboHubError
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
    check = parser.parse_args().check
    try:
        found = (build.outdated if check else build.write_documents)(TASKS)
    except MboHubError as error:
        sys.exit(str(error))
    for path in found:
        name = path.relative_to(build.ROOT)
        print(f"{name} is out of date; run scripts/fix" if check else f"wrote {name}")
    sys.exit(check and bool(found))


if __name__ == "__main__":
    main()
