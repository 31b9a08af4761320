"""CONTRIBUTING.md is walked: a task and a method, added as it says, leave everything green.

They have no runs, as nobody's have who begins.

`contribution/` holds the files of somebody who contributes; they join a copy of the checkout. Its
programs run by the Python that runs the tests, and find the copy first on their path.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from conftest import ROOT

pytest.importorskip("jinja2", reason="the extra 'build' is not installed")

TASK, METHOD = "hairpin", "crossover"
GIVEN = ROOT / "tests" / "contribution"
NOTICE = """
Hairpin (dataset_cards/hairpin, oracles_onnx/hairpin)
    Strands and bonds: the mbo-hub developers, Apache License, Version 2.0.
"""
RUNTIME = "docs/web/node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded.wasm"
PAGES = f"""
import json, sys
sys.path.insert(0, "scripts/website")
import front, playground, tasks
of = {{page.path: page.content for page in playground.pages()}}
print(json.dumps({{
    "playground": json.loads(of["playground/data/{TASK}.json"]),
    "tasks": [page.path for page in tasks.pages()],
    "front": front.fill("<!-- tasks -->"),
}}))
"""
WALKS = pytest.mark.slow("40 core-seconds: a copy of the checkout, and its programs; CI walks")
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
                shutil.copy(ROOT / file, root / file)
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
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """With the task and the method, by the steps of CONTRIBUTING.md."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is not a checkout with git")
    copy = Checkout(tmp_path_factory.mktemp("checkout"))
    shutil.copytree(GIVEN, copy.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__py*"))
    tasks = copy.root / "mbo_hub" / "tasks" / "__init__.py"
    replace(tasks, "dkitty, hopper, nas", f"dkitty, {TASK}, hopper, nas")
    replace(tasks, "dkitty, hopper)", f"dkitty, hopper, {TASK})")
    notice = copy.root / "NOTICE"
    notice.write_text(notice.read_text("utf-8") + NOTICE, "utf-8")
    registry = copy.root / "mbo_hub" / "methods" / "registry.py"
    first = "from mbo_hub.methods.gradient_ascent"
    replace(registry, first, f"from mbo_hub.methods.{METHOD} import Crossover\n{first}")
    last = "    ConservativeObjectiveModels,\n"
    replace(registry, last, f"{last}    Crossover,\n")
    copy.run(f"scripts/generate_{TASK}.py")
    told = copy.run("scripts/build_dataset.py", TASK)
    assert told.endswith(f"go on with  scripts/train_oracles.py {TASK}\n")
    copy.run("scripts/train_oracles.py", TASK)
    yield copy
    shutil.rmtree(copy.root)  # 200 MB


@WALKS
def test_nothing_changes_but_what_was_added(checkout: Checkout) -> None:
    """The diff of a contributor: what they write, and what is generated of it."""
    written = {p.relative_to(GIVEN).as_posix() for p in GIVEN.rglob("*.py")}
    joined = {"NOTICE": 3, "mbo_hub/tasks/__init__.py": 4, "mbo_hub/methods/registry.py": 2}
    generated = {"README.md": 1, "mbo_hub/archive/pins.json": 4}
    changed = checkout.changed()
    for file, lines in (joined | generated).items():
        assert changed.pop(file) == lines, file
    own = {file for file in changed if f"/{TASK}/" in file}
    assert {file.split("/")[0] for file in own} == {"dataset_cards", "oracles_onnx"}
    assert {*changed} - own == written
    by_hand = {file: changed[file] for file in written} | joined
    assert (sum(by_hand.values()), len(by_hand)) == (150, 7)


@WALKS
def test_results_are_current(checkout: Checkout) -> None:
    """The card of results, docs/results.md, findings, standings and pictures, as they are without.

    Cards, pins and README were written by the last step.
    """
    assert checkout.run("scripts/results.py", "check") == ""


@WALKS
def test_the_site_has_a_page_for_them(checkout: Checkout) -> None:
    """The playground without standings, the front page without a picture."""
    # Its size is told on the page; `scripts/site` takes it from npm.
    runtime = checkout.root / RUNTIME
    runtime.parent.mkdir(parents=True)
    runtime.write_bytes(b"not loaded here")
    told = json.loads(checkout.python("-c", PAGES))
    assert told["playground"]["layout"] == "letters"
    assert told["playground"]["ceiling"] == {"score": 1.0, "known": False}
    assert [one["name"] for one in told["playground"]["oracles"]] == ["onnx"]
    assert told["playground"]["rows"] == {"all": 4096, "visible": 2320}
    assert f"tasks/{TASK}.md" in told["tasks"]
    assert f'href="tasks/{TASK}.html"' in told["front"]


@WALKS
def test_the_method_runs_on_the_task(checkout: Checkout, tmp_path: Path) -> None:
    mbo = ("-m", "mbo_hub")
    checkout.python(*mbo, "run", METHOD, "--task", TASK, "--seeds", "0-1", "--out", str(tmp_path))
    (row,) = json.loads(checkout.python(*mbo, "table", str(tmp_path), "--format", "json"))["rows"]
    assert row["entrant"]["method"] == METHOD
    assert METHOD in checkout.python(*mbo, "methods")
    assert TASK in checkout.python(*mbo, "list")


@WALKS
def test_what_every_task_and_method_must_keep_is_asked_of_them(checkout: Checkout) -> None:
    files = ("test_every_task.py", "test_methods.py", "test_cards.py", f"test_{TASK}.py")
    named = [f"tests/{file}" for file in files]
    told = checkout.tests(*named, "-k", f"{TASK} or {METHOD}")
    assert int(re.findall(r"(\d+) passed", told)[0]) > 40
    assert "failed" not in told


@pytest.mark.slow("minutes: a second site is built; test_the_site_has_a_page_for_them runs instead")
def test_the_site_is_built(checkout: Checkout) -> None:
    if browser.no_site():
        pytest.skip(browser.no_site())
    modules = ROOT / "docs" / "web" / "node_modules"
    browser.built()  # installs what pages run, and keeps the tables: they are those of the copy
    kept = Path("build", "leaderboard")
    shutil.copytree(ROOT / kept, checkout.root / kept)
    shutil.rmtree(checkout.root / "docs" / "web" / "node_modules", ignore_errors=True)
    (checkout.root / "docs" / "web" / "node_modules").symlink_to(modules)
    checkout.python("-m", "mkdocs", "build", "--strict", "--quiet")
    site = checkout.root / "build" / "site"
    for page in (f"tasks/{TASK}.html", f"methods/{METHOD}.html", "leaderboard/index.html"):
        assert (site / page).is_file(), page
    assert "It has no runs yet." in (site / "methods" / f"{METHOD}.html").read_text("utf-8")


@pytest.mark.slow(
    "a minute: tests that might count the registry; outside of the copy they run always"
)
def test_nothing_counts_the_registry_where_it_means_runs(checkout: Checkout) -> None:
    files = ("test_findings.py", "test_literature.py", "test_results_script.py", "test_costs.py",
             "test_plots.py", "test_layout.py", "test_kinds.py")  # fmt: skip
    told = checkout.tests(*(f"tests/{file}" for file in files), "-m", "not slow")
    assert "failed" not in told
