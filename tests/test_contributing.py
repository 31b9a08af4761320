"""CONTRIBUTING.md is walked: a task and a method without runs, added as it says, leave all green.

`contribution/` holds the files of somebody who contributes; they join a copy of the checkout. Its
programs run by the Python that runs the tests, and find the copy first on their path.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("jinja2", reason="the extra 'build' is not installed")

TASK, METHOD = "hairpin", "crossover"
LARGE = 1 << 20  # bytes, from which on the copy links to a file; programs replace files whole
NOTICE = """
Hairpin (dataset_cards/hairpin, oracles_onnx/hairpin)
    Strands and bonds: the mbo-hub developers, Apache License, Version 2.0.
"""
PROGRAMS = [p for p in (ROOT / "scripts").glob("*.py") if "__main__" in p.read_text("utf-8")]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.name)
def test_a_program_runs_as_it_is_written(path: Path) -> None:
    """By the Python of .venv, whatever Python is on the path."""
    first, *_ = path.read_text("utf-8").splitlines()
    assert first == """#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'"""
    assert os.access(path, os.X_OK)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert text.count(old) == 1, f"{path}: {old!r}"
    path.write_text(text.replace(old, new), "utf-8")


def put(source: str, target: str | Path) -> None:
    """Copy a file; link to a large one."""
    link = Path(source).stat().st_size > LARGE
    Path(target).symlink_to(source) if link else shutil.copy(source, target)


class Checkout:
    """A copy of this checkout, with a history of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        )  # fmt: skip
        for file in filter(None, listed.stdout.split("\0")):
            if (ROOT / file).is_file():
                (root / file).parent.mkdir(parents=True, exist_ok=True)
                put(str(ROOT / file), root / file)
        # An environment that is there: nothing is installed, and nothing is to install.
        (root / "scripts" / "setup").write_text("", "utf-8")
        python = root / ".venv" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', "utf-8")
        python.chmod(0o755)
        self.run("git", "init", "--quiet")
        self.commit()

    def run(self, *command: str) -> str:
        """Run a command at the top, and return what it prints; it must succeed."""
        names = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org",
                 "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.org"}  # fmt: skip
        env = {**os.environ, **names, "PYTHONPATH": str(self.root)}
        done = subprocess.run(
            command, cwd=self.root, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def python(self, *arguments: str) -> str:
        return self.run(sys.executable, *arguments)

    def commit(self) -> None:
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--no-verify", "--message", "As it is")

    def changed(self) -> dict[str, int]:
        """Files that differ from the last commit, with their lines added and removed."""
        self.run("git", "add", "--all")
        lines = self.run("git", "diff", "--cached", "--numstat").splitlines()
        return {
            file: sum(int(n) for n in counts if n != "-")
            for *counts, file in (line.split("\t") for line in lines)
        }

    def tests(self, *arguments: str) -> str:
        return self.python("-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """With the task and the method, by the steps of CONTRIBUTING.md."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout with git")
    copy = Checkout(tmp_path_factory.mktemp("checkout"))
    shutil.copytree(ROOT / "tests" / "contribution", copy.root, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("__pycache__"))  # fmt: skip
    # Add a task.
    tasks = copy.root / "mbo_hub" / "tasks" / "__init__.py"
    replace(tasks, "dkitty, hopper, nas", f"dkitty, {TASK}, hopper, nas")
    replace(tasks, "dkitty, hopper)", f"dkitty, hopper, {TASK})")
    notice = copy.root / "NOTICE"
    notice.write_text(notice.read_text("utf-8") + NOTICE, "utf-8")
    copy.run(f"scripts/generate_{TASK}.py")
    copy.run("scripts/build_dataset.py", TASK)
    copy.run("scripts/train_oracles.py", TASK)
    # Add a method.
    registry = copy.root / "mbo_hub" / "methods" / "registry.py"
    replace(registry, "from mbo_hub.methods.gradient",
            f"from mbo_hub.methods.{METHOD} import Crossover\nfrom mbo_hub.methods.gradient")  # fmt: skip
    replace(
        registry,
        "    ConservativeObjectiveModels,\n)",
        "    ConservativeObjectiveModels,\n    Crossover,\n)",
    )
    return copy
