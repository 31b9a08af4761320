"""What the documents promise is run: README, pages, cards, docstrings; and their links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import json
import math
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import click
import numpy as np
import pytest
from conftest import ROOT
from hub_server import HubServer

import mbo_hub
from mbo_hub import cli
from mbo_hub.archive.export import export
from mbo_hub.archive.hub import local_files
from mbo_hub.tasks import TASKS

PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if "node_modules" not in path.parts
}
README, COMMANDS = PAGES["README.md"], PAGES["docs/command-line.md"]
MODULES = [
    m.name
    for m in pkgutil.walk_packages(mbo_hub.__path__, "mbo_hub.")
    if not m.name.startswith("mbo_hub.cli")
]  # its examples are commands: test_cli.py

# Pages that are read elsewhere, too, name the project's own files by these.
GITHUB = "https://github.com/mbo-hub/mbo-hub/"
# Pages whose Python goes on from what their first commands leave.
GO_ON = {"docs/compare-methods.md"}
LONG = pytest.mark.slow("14 core-seconds; the page of commands runs, compares and draws, too")
# The robot whose card is run with its simulator, the others' with their surrogates.
SIMULATED = "hopper"
FILES = (
    f"{GITHUB}blob/main/",
    f"{GITHUB}tree/main/",
    "https://raw.githubusercontent.com/mbo-hub/mbo-hub/main/",
)

# Runs the jobs that it reads, one a line, each in a fresh namespace; says what it printed and raised.
INTERPRETER = """
import contextlib, io, json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a library prints by itself is no answer
for line in sys.stdin:
    cwd, code = json.loads(line)
    os.chdir(cwd)
    out, error = io.StringIO(), ""
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(code, "example", "exec"), {"__name__": "__main__"})
        except BaseException:
            error = traceback.format_exc()
    print(json.dumps([out.getvalue(), error]), file=answers, flush=True)
"""

Run = Callable[[str, Path], str]


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def prose(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def mbo_lines(text: str) -> list[str]:
    """The `mbo` commands of a page, in its blocks and in its sentences."""
    said = [line for block in blocks(text, "bash") for line in block.splitlines()]
    said += [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose(text))]
    return [line for line in said if re.match(r"mbo [a-z]", line)]


def environment(home: Path) -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)}


@contextmanager
def interpreter(env: dict[str, str]) -> Iterator[Run]:
    """A Python process that runs one example after the other, since starting one takes a second."""
    with subprocess.Popen([sys.executable, "-c", INTERPRETER], env=env, text=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # fmt: skip
        asks, answers = process.stdin, process.stdout
        assert asks is not None
        assert answers is not None

        def run(code: str, cwd: Path) -> str:
            print(json.dumps([str(cwd), code]), file=asks, flush=True)
            answer = answers.readline()
            assert answer, f"the interpreter died with exit code {process.wait()}"
            out, error = json.loads(answer)
            assert not error, error
            return str(out)

        yield run
        with suppress(BrokenPipeError):
            asks.close()


@pytest.fixture(scope="module")
def run_offline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs examples where there is no network."""
    with interpreter(environment(tmp_path_factory.mktemp("home"))) as run:
        yield run


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture(scope="module")
def run_with_hub(hub: HubServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Runs examples as the reader of a card would, with nothing at hand but the Hub."""
    place = tmp_path_factory.mktemp("reader")
    env = hub.env(place / "home", token=None) | {"MBO_HUB_CACHE": str(place / "empty")}
    with interpreter(env) as run:
        yield run


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with ./mbo, as `mbo export` leaves it, and nothing of a checkout."""
    place = tmp_path_factory.mktemp("desk")
    export([name for name in TASKS if TASKS[name].embedded], place / "mbo")
    return place


@pytest.fixture(scope="module")
def printed(run_offline: Run, desk: Path) -> Callable[[str], str]:
    """What the Python of a page prints, run from top to bottom, once."""
    done: dict[str, str] = {}

    def run_page(page: str) -> str:
        if page in GO_ON:
            command = blocks(PAGES[page], "bash")[0]
            env = environment(desk / "home")
            subprocess.run(["bash", "-ec", command], cwd=desk, env=env, check=True)
        if page not in done:
            done[page] = run_offline("\n".join(blocks(PAGES[page], "python")), desk)
        return done[page]

    return run_page


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=LONG if page in GO_ON else ())
        for page in PAGES
        if "```python\n" in PAGES[page] and page != "docs/index.md"
    ],
)
def test_python_on_pages_runs_from_top_to_bottom(page: str, printed: Callable[[str], str]) -> None:
    out = printed(page)
    assert ("print(" in PAGES[page]) == bool(out)


def test_readme_shows_what_its_example_prints(printed: Callable[[str], str]) -> None:
    (shown,) = blocks(README, "text")
    found, wanted = printed("README.md").splitlines(), shown.splitlines()
    # Figures, hashes, and the versions of libraries.
    words, shown_words = (
        [re.sub(r"[+-]?\d+(\.\d+)+%?|[0-9a-f]{12}", "#", line) for line in lines]
        for lines in (found, wanted)
    )
    assert words == shown_words
    figures = [[float(n) for n in re.findall(r"(?<!\.)\b\d+\.\d+\b(?!\.)", "\n".join(lines[1:9]))]
               for lines in (found, wanted)]  # fmt: skip
    # Networks differ in last bits from processor to processor, and a few of the designs with them.
    np.testing.assert_allclose(*figures, atol=0.05, err_msg="run scripts/first_page.py")


def test_the_first_page_of_the_site_has_the_same_example() -> None:
    assert blocks(PAGES["docs/index.md"], "python") == blocks(README, "python")[:1]


def test_using_a_task_leaves_a_receipt(printed: Callable[[str], str], desk: Path) -> None:
    out = printed("docs/use-a-task.md")
    assert out.count("TF Bind 8 v1.0.0: 128 of 128 designs scored") == 3
    assert mbo_hub.Report.read(desk / "receipt.json").task == "tfbind8"


def test_commands_run_in_order_and_every_verb_is_named(tmp_path: Path) -> None:
    (code,) = [b for b in blocks(COMMANDS, "bash") if "mbo list" in b]
    with HubServer(tmp_path / "hub") as hub:  # `mbo publish` asks what is there already
        env = hub.env(tmp_path / "home") | {"PATH": environment(tmp_path)["PATH"]}
        done = subprocess.run(
            ["bash", "-ec", code],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "The receipt holds." in done.stdout
    named = {line.split()[1] for line in mbo_lines(COMMANDS)}
    assert named == set(cli.main.commands)


def test_readme_shows_commands_that_were_run() -> None:
    (short,), (long,) = (
        [b for b in blocks(page, "bash") if "mbo list" in b] for page in (README, COMMANDS)
    )
    shown, run = ({" ".join(shlex.split(c, comments=True)) for c in b.splitlines()}
                  for b in (short, long))  # fmt: skip
    assert shown <= run


@pytest.mark.parametrize("page", PAGES)
def test_commands_on_pages_are_understood(page: str) -> None:
    """Verbs and options exist; whether they do what the page says is for those that are run."""
    for line in mbo_lines(PAGES[page]):
        _, verb, *arguments = shlex.split(line, comments=True)
        assert verb in cli.main.commands, line
        with suppress(click.MissingParameter):  # in a sentence, `mbo build` is enough
            cli.main.commands[verb].make_context(verb, arguments)
    for script in re.findall(r"scripts/[\w.-]*\w", PAGES[page]):
        assert (ROOT / script).is_file(), script
        if Path(script).suffix in ("", ".py"):
            assert os.access(ROOT / script, os.X_OK), script


def test_a_page_builds_what_the_package_does_not_carry(
    tmp_path: Path, build_cache: Callable[[str], Path]
) -> None:
    """The download itself is tested in test_assembly.py, with a server on this machine."""
    (code,) = [b for b in blocks(PAGES["docs/use-a-task.md"], "bash") if "mbo build" in b]
    for name in [name for name in TASKS if not TASKS[name].embedded]:
        assert f"mbo build {name}" in code
        cache = build_cache(name)
        env = environment(tmp_path) | {"MBO_HUB_CACHE": str(cache)}
        line = next(line for line in code.splitlines() if line.startswith(f"mbo build {name}"))
        done = subprocess.run(["bash", "-ec", line], cwd=tmp_path, env=env, capture_output=True,
                              text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert Path(done.stdout.strip()).is_relative_to(cache)


def test_readme_is_a_first_page_with_the_two_commands_of_developers() -> None:
    assert len(README.splitlines()) <= 130
    assert blocks(README, "bash")[0].startswith("pip install 'mbo-hub[methods]' ")
    (work,) = [b for b in blocks(README, "bash") if "scripts/" in b]
    assert re.findall(r"^(scripts/\w+)", work, re.MULTILINE) == [
        "scripts/demo",
        "scripts/test",
        "scripts/site",
    ]


def links(text: str) -> list[str]:
    """Where a page's links and pictures lead."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", sorted({*PAGES} - {"docs/index.md"}))  # read on the site alone
def test_links_lead_to_files_that_exist(page: str) -> None:
    assert links(PAGES[page]) or page not in ("README.md", "docs/README.md")
    for link in links(PAGES[page]):
        place, _, anchor = link.partition("#")
        own = [place.removeprefix(files) for files in FILES if place.startswith(files)]
        if "://" in place and not own:
            assert place.startswith("https://"), link
            continue
        assert own or page != "README.md" or not place, f"{link} leads nowhere on PyPI"
        target = ROOT / own[0] if own else (ROOT / page).parent / place if place else ROOT / page
        assert target.exists(), f"{page}: {link} leads to no file"
        if anchor:
            assert anchor in anchors(target.read_text("utf-8")), f"{page}: {link}: no such heading"


def test_every_page_is_listed() -> None:
    listed = {f"docs/{link}" for link in links(PAGES["docs/README.md"]) if "://" not in link}
    pages = {page for page in PAGES if page.startswith("docs/")} - {"docs/README.md"}
    assert listed == pages
    tutorials = {page for page in pages if page.startswith("docs/tutorials/")}
    for page in pages - tutorials - {"docs/index.md"} | {"docs/tutorials/index.md"}:
        assert f"{FILES[0]}{page}" in links(README), f"the first page does not lead to {page}"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_code_on_cards_runs(
    name: str,
    tmp_path: Path,
    available: Callable[[str], Path],
    hub: HubServer,
    run_with_hub: Run,
) -> None:
    """As a reader of the card would run it, with nothing at hand but the Hub."""
    version = TASKS[name].version
    card = (ROOT / "dataset_cards" / name / "README.md").read_text("utf-8")
    for kind, repo, folder in (
        ("dataset", f"mbo/{name}", available(name)),
        ("model", f"mbo/{name}-oracle", ROOT / "oracles_onnx" / name),
    ):
        hub.put(kind, repo, {f: p.read_bytes() for f, p in local_files(folder).items()})
        hub.tag(kind, repo, f"v{version}")
    code = "\n".join(blocks(card, "python"))
    if any(oracle.kind == "mujoco" for oracle in TASKS[name].oracles.values()):
        assert "task.x[:128]" in code
        code = code.replace("task.x[:128]", "task.x[:8]")  # a design takes 0.1 s
        if name != SIMULATED:
            assert "evaluate(designs)" in code
            code = code.replace("evaluate(designs)", "evaluate(designs, oracle='surrogate')")
    out = run_with_hub(code, tmp_path)
    assert TASKS[name].title in out


@pytest.mark.parametrize("name", sorted(TASKS))
def test_the_code_on_oracle_cards_runs(name: str, run_offline: Run) -> None:
    card = (ROOT / "oracles_onnx" / name / "README.md").read_text("utf-8")
    code = "\n".join([*blocks(card, "python"), "print(y)"])
    out = run_offline(code, ROOT / "oracles_onnx" / name)
    (value,) = re.findall(r"^\[(.*)\]$", out, re.MULTILINE)
    assert math.isfinite(float(value)), "an example should be a legal design"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_hold(module: str) -> None:
    if ".mujoco" in module:
        pytest.importorskip("mujoco")
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    assert doctest.testmod(importlib.import_module(module), optionflags=flags).failed == 0


def test_contributing_fits_a_screen_and_names_the_rooms_in_order() -> None:
    from test_layout import ROOMS

    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert len(text.splitlines()) <= 60
    named = [n.strip("/") for row in re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
             for n in re.findall(r"`([a-z_]+/?)`", row)]  # fmt: skip
    rooms = [name for floor in ROOMS for name in floor]
    here = {path.stem for path in (ROOT / "mbo_hub").iterdir()} - {
        "_version",
        "__init__",
        "__main__",
    }
    assert named == [name for name in rooms if name in here]
    steps = {title: len(re.findall(r"^\d\. ", section, re.MULTILINE))
             for title, _, section in (s.partition("\n") for s in text.split("\n## ")[1:])}  # fmt: skip
    assert 0 < steps["Add a task"] <= 5
    assert 0 < steps["Add a method"] <= 4


def test_notice_names_every_task() -> None:
    notice = (ROOT / "NOTICE").read_text("utf-8")
    for spec in TASKS.values():
        assert spec.title in notice
        assert f"dataset_cards/{spec.name}" in notice
