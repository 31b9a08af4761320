"""What works with the core dependencies alone, and what says which extra it needs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT

from mbo_hub import MboHubError, MissingExtra, OracleUnavailable, extras
from mbo_hub.tasks import TASKS

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OPTIONAL = {
    name.lower(): module for brings in extras.EXTRAS.values() for name, module in brings.items()
}
# yaml comes with the core's huggingface_hub; the others are what only maintainers import.
LACKING = {*OPTIONAL.values(), "cma", "jinja2", "matplotlib", "onnx", "scipy"} - {"yaml"}
SLOW = ("ant", "dkitty")  # tasks whose designs take seconds to simulate
VERBS = {
    "list": ["list"],
    "info": ["info", "ant"],
    "score": ["score", "tfbind8", "designs.txt", "--receipt", "receipt.json"],
    "score parquet": ["score", "tfbind8", "designs.parquet"],
    "verify": ["verify", "receipt.json", "designs.txt"],
    "export": ["export", "mbo", "tfbind8"],
    "export --git": ["export", "git", "tfbind8", "--git"],
    "cache": ["cache", "--verify"],
    "new": ["new", "mine", "--from", "table.csv", "--space", "dna"],
    "fetch": ["fetch", "tfbind8", "ant"],
    "validate": ["validate", "mbo/tfbind8"],
    "publish": ["publish", "tfbind8", "--org", "somebody", "--dry-run"],
    "build": ["build", "superconductor"],
    "render .png": ["render", "ant", "--out", "ant.png"],
    "render .mp4": ["render", "ant", "--out", "ant.mp4"],
    "score nas": ["score", "nas", "nas.npy"],
    "methods": ["methods"],
    "run": ["run", "random", "--task", "tfbind8"],
    "run grad": ["run", "grad", "--task", "tfbind8"],
    "run --seeds": ["run", "random", "--task", "tfbind8", "--seeds", "0", "--out", "runs"],
    "table": ["table", "runs"],
    "plot": ["plot", "runs", "--out", "figures"],
}
NEEDS = {
    "table": "MissingExtra: a table of runs needs scipy; install it with  pip install 'mbo-hub[results]'",
    "plot": "MissingExtra: drawing runs needs matplotlib and scipy; install them with  pip install 'mbo-hub[results]'",
    "run grad": "MissingExtra: the method 'grad' needs torch; install it with  pip install 'mbo-hub[methods]'",
    "validate": "MissingExtra: checking a dataset folder needs jsonschema, pandera and polars; install them with  pip install 'mbo-hub[publish]'",
    "publish": "MissingExtra: publishing a dataset needs jsonschema, pandera and polars; install them with  pip install 'mbo-hub[publish]'",
    "build": "MissingExtra: building a dataset needs jsonschema, pandera and polars; install them with  pip install 'mbo-hub[publish]'",
    "render .png": "MissingExtra: writing a .png file needs Pillow; install it with  pip install 'mbo-hub[render]'",
    "render .mp4": "MissingExtra: writing a .mp4 file needs imageio-ffmpeg; install it with  pip install 'mbo-hub[render]'",
    "score nas": "OracleUnavailable: the exact oracle of 'nas' trains networks and needs torch and scikit-learn; install them with  pip install 'mbo-hub[nas]'  or ask for the surrogate, a model of it that needs neither:  mbo score nas FILE --oracle surrogate",
}  # fmt: skip
CODE = """
import json, sys
lacking, verbs, tasks = json.loads(sys.argv[1])
sys.modules.update(dict.fromkeys(lacking))  # importing one fails, and none of them is found
import click.testing, numpy, pyarrow, pyarrow.parquet
import mbo_hub, mbo_hub.cli
with open("designs.txt", "w") as file: file.write("ACGTACGT\\nGCTAATTA\\n")
with open("table.csv", "w") as file: file.write("sequence,y\\nACGT,1\\nGCTA,2\\n")
pyarrow.parquet.write_table(pyarrow.table({"x": [[0, 1, 2, 3, 0, 1, 2, 3]]}), "designs.parquet")
numpy.save("nas.npy", mbo_hub.load("nas").x[:1])
runner, said = click.testing.CliRunner(), {}
for name, arguments in verbs.items():
    result = runner.invoke(mbo_hub.cli.main, arguments)
    said[name] = result.exit_code, result.stdout, result.stderr, repr(result.exception)
scored = {}
for name, oracle in tasks.items():
    task = mbo_hub.load(name)
    scored[name] = task.evaluate(task.x[:2], oracle=oracle).raw.best
print(json.dumps([said, scored]))
"""


def lacking_extras(folder: Path, verbs: dict[str, list[str]], tasks: dict[str, Any]) -> Any:
    """What verbs say, and what designs score, in a process that lacks all extras."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps([sorted(LACKING), verbs, tasks])],
        cwd=folder, env={**os.environ, "MBO_HUB_CACHE": str(folder / "cache")},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def core_only(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Every verb; every task by its exact oracle, but for torch's and two of the robots'."""
    embedded = [name for name, task in TASKS.items() if task.embedded]
    oracles = {name: "surrogate" if name in ("nas", *SLOW) else None for name in embedded}
    return lacking_extras(tmp_path_factory.mktemp("core"), VERBS, oracles)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_works_or_says_which_extra_it_needs(core_only: Any, verb: str) -> None:
    code, stdout, stderr, exception = core_only[0][verb]
    if verb in NEEDS:
        assert (code, stdout, stderr) == (1, "", f"{NEEDS[verb]}\n")
    else:
        assert code == 0, (stderr, exception)
        assert stdout


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.embedded])
def test_a_task_loads_and_scores_without_extras(core_only: Any, name: str) -> None:
    assert core_only[1][name] is not None


@pytest.mark.slow("it simulates robots, 6 core-seconds; hopper is scored by the same simulator")
def test_all_robots_are_simulated_without_extras(tmp_path: Path) -> None:
    _, scored = lacking_extras(tmp_path, {}, dict.fromkeys(SLOW))
    assert list(scored) == [*SLOW]
    assert None not in scored.values()


def test_every_verb_is_tried(tmp_path: Path) -> None:
    from mbo_hub.cli import main

    assert {arguments[0] for arguments in VERBS.values()} == set(main.commands)


def test_the_project_brings_what_the_code_asks_for() -> None:
    offered = PROJECT["optional-dependencies"]
    for extra, libraries in extras.EXTRAS.items():
        brought = {re.split(r"[\[<>=]", entry)[0].lower() for entry in offered[extra]}
        assert brought == {name.lower() for name in libraries}, extra
    core = {re.split(r"[\[<>=]", entry)[0] for entry in PROJECT["dependencies"]}
    assert core.isdisjoint(OPTIONAL)
    everything = re.fullmatch(r"mbo-hub\[(.*)\]", offered["all"][0])
    assert everything is not None
    assert set(everything[1].split(",")) == {*extras.EXTRAS, "build"}


@pytest.mark.parametrize(
    ("absent", "asked", "said"),
    [
        (["yaml"], [], "it needs PyYAML; install it with  pip install 'mbo-hub[publish]' or wait"),
        (
            ["polars", "pandera"],
            ["polars", "pandera"],
            "it needs polars and pandera; install them ",
        ),
        (["polars"], ["jsonschema"], ""),
        ([], [], ""),
    ],
)
def test_what_is_missing_is_named_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, absent: list[str], asked: list[str], said: str
) -> None:
    for module in absent:
        monkeypatch.setitem(sys.modules, module, None)
    if not said:
        assert extras.require("publish", "it", *asked) is None
        return
    with pytest.raises(MissingExtra) as caught:
        extras.require("publish", "it", *asked, otherwise=" or wait")
    assert said in str(caught.value)
    assert isinstance(caught.value, MboHubError)
    assert isinstance(caught.value, ImportError)
    with pytest.raises(OracleUnavailable):
        extras.require("publish", "it", *asked, error=OracleUnavailable)
