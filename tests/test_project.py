"""What PyPI, GitHub and those who cite read about the project is consistent and names what exists."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT

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


def test_every_python_that_pypi_shows_is_tested_and_so_are_the_lowest_versions() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    assert jobs["check"]["strategy"]["matrix"]["python"] == VERSIONS
    assert [step["run"] for step in jobs["check"]["steps"] if "run" in step][-1] == ".ci/run"
    lowest = jobs["lowest"]["steps"]
    assert [step["run"] for step in lowest if "run" in step] == ["scripts/test-lowest"]
    assert VERSIONS[0] in [step.get("with", {}).get("python-version") for step in lowest]
    assert f"python{VERSIONS[0]} -m venv" in (ROOT / "scripts" / "test-lowest").read_text("utf-8")


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
