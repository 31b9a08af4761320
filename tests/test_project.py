"""What PyPI, GitHub and those who cite read about the project is consistent and names what exists."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mbo_hub

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
VERSIONS = [
    version
    for entry in PROJECT["classifiers"]
    for version in re.findall(r"^Programming Language :: Python :: (3\.\d+)$", entry)
]


def read(path: Path) -> dict[Any, Any]:
    found = yaml.safe_load(path.read_text("utf-8"))
    assert isinstance(found, dict)
    return found


def own_files(text: str) -> list[str]:
    """The files of this repository that a text links to."""
    return re.findall(r"github\.com/mbo-hub/mbo-hub/(?:blob|tree)/main/([\w./-]*\w)", text)


def test_citation_is_of_this_version() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == mbo_hub.__version__
    assert citation["title"] == PROJECT["name"]
    assert citation["license"] == PROJECT["license"].split(" AND ")[0]  # of the code
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    assert set(citation["keywords"]) <= set(PROJECT["keywords"])
    assert citation["message"]
    assert [author["name"] for author in citation["authors"]] == ["The mbo-hub developers"]
    assert "the mbo-hub developers" in (ROOT / "NOTICE").read_text("utf-8")


def test_pypi_shows_where_to_go() -> None:
    assert list(PROJECT["urls"]) == [
        "Homepage", "Documentation", "Repository", "Issues", "Changelog",
    ]  # fmt: skip
    for url in PROJECT["urls"].values():
        assert url.startswith(PROJECT["urls"]["Repository"])
        for file in own_files(url):
            assert (ROOT / file).is_file(), url
    assert PROJECT["requires-python"] == f">={VERSIONS[0]}"


def test_installation_names_versions_and_extras() -> None:
    page = (ROOT / "docs" / "installation.md").read_text("utf-8")
    *first, last = VERSIONS
    assert f"Python {', '.join(first)} and {last}" in page
    for extra in PROJECT["optional-dependencies"]:
        assert f"`{extra}`" in page, f"docs/installation.md does not name the extra {extra}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_run_what_exists(path: Path) -> None:
    workflow = read(path)
    assert {"name", "permissions", "jobs"} <= set(workflow)
    assert True in workflow, "YAML reads the key `on` as true"
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            for script in re.findall(r"(?:\.ci|scripts)/[\w-]+", step.get("run", "")):
                assert os.access(ROOT / script, os.X_OK), script


def test_every_python_that_pypi_shows_is_tested_with_the_lock_and_with_the_newest_versions() -> (
    None
):
    for name, last in (("test.yml", ["python -m venv .venv", ".ci/run"]),
                       ("newest.yml", ["scripts/setup --newest", ".venv/bin/python -m pip list", ".ci/run"])):  # fmt: skip
        job = read(ROOT / ".github" / "workflows" / name)["jobs"]["check"]
        assert job["strategy"]["matrix"]["python"] == VERSIONS
        assert [step["run"] for step in job["steps"] if "run" in step][-len(last) :] == last


def test_the_lowest_versions_are_tested_on_the_lowest_python() -> None:
    steps = read(ROOT / ".github" / "workflows" / "test.yml")["jobs"]["lowest"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["scripts/test-lowest"]
    assert VERSIONS[0] in [step.get("with", {}).get("python-version") for step in steps]
    script = (ROOT / "scripts" / "test-lowest").read_text("utf-8")
    assert f"python{VERSIONS[0]} -m venv" in script
    assert "--resolution lowest-direct --editable '.[all]'" in script


def test_red_in_a_weekly_run_opens_an_issue() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "newest.yml")
    assert "schedule" in workflow[True]  # YAML reads the key `on` as true
    assert workflow["permissions"]["issues"] == "write"
    tell = workflow["jobs"]["tell"]
    assert (tell["needs"], tell["if"]) == ("check", "failure()")
    assert "gh issue create" in tell["steps"][0]["run"]


def requirements(extra: str) -> list[Requirement]:
    """What an extra brings, by those of this package that it names, too."""
    found = [Requirement(text) for text in PROJECT["optional-dependencies"][extra]]
    own = [inner for one in found if one.name == "mbo-hub" for inner in one.extras]
    others = [one for one in found if one.name != "mbo-hub"]
    return others + [one for inner in own for one in requirements(inner)]


def test_the_lock_has_all_that_is_needed_in_versions_that_are_allowed() -> None:
    text = (ROOT / "scripts" / "lock.txt").read_text("utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==([^ ;]+)", text, re.MULTILINE))
    assert "torch" not in locked  # its builds differ; scripts/setup names its version
    needed = [*map(Requirement, PROJECT["dependencies"]), *requirements("dev")]
    for one in needed:
        if one.name != "torch":
            version = locked.get(canonicalize_name(one.name))
            assert version in one.specifier, f"{one}: locked is {version}; run  scripts/lock"
    blocks = re.findall(r"^\w(?:.*\\\n)*.*$", text, re.MULTILINE)
    assert all("--hash=sha256:" in block for block in blocks)
    assert len(blocks) == len(locked) > 100


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """What scripts/setup looks at in a checkout, and a Python that makes no environments."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ("pyproject.toml", "scripts/setup", "scripts/lock.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def set_up(checkout: Path) -> subprocess.CompletedProcess[str]:
    env = {"PATH": f"{checkout / 'bin'}:/usr/bin:/bin", "HOME": str(checkout)}
    return subprocess.run(
        [checkout / "scripts" / "setup"], env=env, capture_output=True, text=True, check=False
    )


def test_setup_refuses_a_python_that_is_too_old_in_one_line(bare: Path) -> None:
    for name in ("python3", *(f"python{version}" for version in VERSIONS)):
        program(bare / "bin" / name, "exit 1")  # as one that is too old answers
    done = set_up(bare)
    *others, last = VERSIONS
    assert done.returncode == 1
    assert done.stderr == (
        f"mbo-hub needs Python {', '.join(others)} or {last}; none of them is on PATH\n"
    )


@pytest.mark.parametrize(("pip_says", "words"), [
    ("OSError: [Errno 28] No space left on device", "the disk is full; free 4 GB or so"),
    ("NewConnectionError: [Errno 111] refused\nERROR: No matching distribution", "pip reaches no package index; see to the network, or to what  pip config list  says"),
    ("WARNING: some\nERROR: THESE PACKAGES DO NOT MATCH THE HASHES\nmore", "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"),
])  # fmt: skip
def test_setup_says_in_one_line_why_it_failed_and_goes_on_next_time(
    bare: Path, pip_says: str, words: str
) -> None:
    python = bare / ".venv" / "bin" / "python"
    half = bare / ".venv" / "lib" / "python3.11" / "site-packages" / "half-1.0.dist-info"
    half.mkdir(parents=True)
    (half / "METADATA").write_text("")
    program(
        python,
        f"""case "$*" in *--version) exit 0 ;; esac
printf '%s\n' "{pip_says}"; exit 1""",
    )
    done = set_up(bare)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"mbo-hub could not be installed: {words}. Then start again: it goes on from here"
    )
    assert len(done.stderr.splitlines()) == 2  # the first says what is being done
    assert not half.exists(), "pip would take it for installed"
    program(python, "exit 0")
    assert set_up(bare).returncode == 0
    assert (bare / ".venv" / "installed").read_text()
    program(python, "exit 1")
    assert set_up(bare).returncode == 0, "what is installed is not installed again"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_issue_templates_are_forms_that_github_takes(path: Path) -> None:
    template = read(path)
    for file in own_files(path.read_text("utf-8")):
        assert (ROOT / file).is_file(), file
    if path.name == "config.yml":
        assert all(link.keys() == {"name", "url", "about"} for link in template["contact_links"])
        return
    assert template.keys() == {"name", "description", "labels", "body"}
    asked = [item for item in template["body"] if item["type"] != "markdown"]
    assert {item["type"] for item in asked} <= {"input", "textarea", "dropdown", "checkboxes"}
    for item in ("id", "label"):
        said = [a["id"] if item == "id" else a["attributes"]["label"] for a in asked]
        assert len(set(said)) == len(said), f"two fields have one {item}"
    assert any(a.get("validations", {}).get("required") for a in asked)


def test_a_bug_report_asks_for_what_is_needed() -> None:
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text("utf-8")
    for asked in ("mbo --version", "python --version", "you did", "you expected", "you got"):
        assert asked in text
