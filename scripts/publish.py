#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Publish tasks of the archive as `mbo publish` does: check all, upload, tag."""

from __future__ import annotations

import argparse
import sys

from mbo_hub.archive.folders import ORG, pins
from mbo_hub.cli import main as mbo


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="example: scripts/publish.py --all --dry-run"
    )
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--all", action="store_true", help="every task of the archive")
    parser.add_argument("--org", default=ORG, help=f"owner of the repositories (default: {ORG})")
    parser.add_argument("--private", action="store_true", help="make new repositories private")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    arguments = parser.parse_args()
    tasks = list(pins()) if arguments.all else arguments.tasks
    if not tasks:
        parser.error("name the tasks, or --all")
    flags = {"--private": arguments.private, "--dry-run": arguments.dry_run}
    chosen = [flag for flag, wanted in flags.items() if wanted]
    sys.argv = ["mbo", "publish", *tasks, "--org", arguments.org, *chosen]
    mbo()


if __name__ == "__main__":
    main()
