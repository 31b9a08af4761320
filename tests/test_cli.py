"""The command as a user runs it: a real process, its output, its exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import cli

MBO = str(Path(sys.executable).with_name("mbo"))


def mbo(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MBO, *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, check=False
    )


@pytest.fixture
def designs(tmp_path: Path) -> Path:
    path = tmp_path / "designs.txt"
    path.write_text("GCTAATTA\nACGTACGT\n")
    return path


def test_list_and_info(tmp_path: Path) -> None:
    listed = mbo("list", cwd=tmp_path)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert re.search(
        r"^tfbind8 +v1\.0\.0 +TF Bind 8 +32,898 / 65,792 +8 +0\.4393", listed.stdout, re.M
    )
    (task,) = [
        t for t in json.loads(mbo("list", "--json", cwd=tmp_path).stdout) if t["name"] == "tfbind8"
    ]
    assert task["oracles"]["exact"] == {"kind": "table", "exact": True}
    info = mbo("info", "tfbind8", cwd=tmp_path).stdout
    for words in (
        "D(best)    0.43929616",
        "held-out Spearman",
        "Apache-2.0",
        "sequence of 8 tokens",
    ):
        assert words in info
    shown = mbo("info", "tfbind8", "--json", cwd=tmp_path).stdout
    assert shown.encode() == (ROOT / "dataset_cards" / "tfbind8" / "task.json").read_bytes()


def test_score_saves_a_receipt_that_verifies(tmp_path: Path, designs: Path) -> None:
    done = mbo("score", "tfbind8", "designs.txt", "--receipt", "r.json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("TF Bind 8 v1.0.0: 2 of 2 designs scored")
    good = mbo("verify", "r.json", "designs.txt", cwd=tmp_path)
    assert (good.returncode, good.stdout) == (0, "The receipt holds.\n")
    designs.write_text("GCTAATTA\nACGTACGA\n")
    bad = mbo("verify", "r.json", "designs.txt", cwd=tmp_path)
    assert bad.returncode == 1
    assert "score of 1 designs, first design 1" in bad.stdout
    receipt = tmp_path / "r.json"
    receipt.write_text(receipt.read_text().replace('"given": 2', '"given": 3'))
    edited = mbo("verify", "r.json", "designs.txt", cwd=tmp_path)
    assert edited.returncode == 1
    assert edited.stderr.startswith("InvalidFile: r.json: the receipt was edited")


def test_score_reads_standard_input_and_prints_json(tmp_path: Path) -> None:
    done = mbo("score", "tfbind8", "-", "--json", cwd=tmp_path, stdin="GCTAATTA\n")
    report = json.loads(done.stdout)
    task = mbo_hub.load("tfbind8")
    assert report["y"] == task.oracle(task.space.encode(["GCTAATTA"])).tolist()


def test_score_options(tmp_path: Path, designs: Path) -> None:
    designs.write_text("GCTAATTA\nNNNN\nACGTACGT\n")
    refused = mbo("score", "tfbind8", "designs.txt", "--receipt", "r.json", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == (
        "InvalidFile: designs.txt, line 2: the design has letter 'N' at position 0; this task uses "
        "ACGT\n"
    )
    assert not (tmp_path / "r.json").exists()
    counted = mbo("score", "tfbind8", "designs.txt", "--invalid", "count", cwd=tmp_path)
    assert "invalid 33.3%" in counted.stdout
    np.save(tmp_path / "d.npy", np.array([[9] + [0] * 7]))
    projected = mbo("score", "tfbind8", "d.npy", "--project", "--budget", "1", cwd=tmp_path)
    assert "projected onto the space 1" in projected.stdout
    other = mbo("score", "tfbind8", "-", "--oracle", "surrogate", cwd=tmp_path, stdin="ACGTACGT\n")
    assert "not exact: these are predictions" in other.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "tfbind-8", "x"], "UnknownTask: no task named 'tfbind-8'; did you mean 'tfbind8'?"),
        (["info", "./nowhere"], "UnknownTask: ./nowhere: the folder does not exist"),
        (["score", "tfbind8", "missing.txt"], "InvalidFile: missing.txt: cannot be read"),
        (["score", "tfbind8", "designs.txt", "--oracle", "x"], "OracleUnavailable: no oracle named"),
        (["score", "tfbind8", "designs.txt", "--receipt", "no/r.json"], "InvalidFile: no/r.json: cannot be written"),
        (["verify", "missing.json", "designs.txt"], "InvalidFile: missing.json: cannot be read"),
        (["export", ".", "nonsense"], "UnknownTask: no task named 'nonsense'"),
        (["export", "designs.txt/mbo"], "designs.txt"),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_exit_code_1(
    tmp_path: Path, designs: Path, arguments: list[str], message: str
) -> None:
    done = mbo(*arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["designs.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that even root cannot write")
def test_an_unwritable_folder(tmp_path: Path, designs: Path) -> None:
    done = mbo("export", "/proc/self/mbo", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("/proc/self/mbo")
    assert "Traceback" not in done.stderr
    saved = mbo("score", "tfbind8", "designs.txt", "--receipt", "/proc/self/r.json", cwd=tmp_path)
    assert (saved.returncode, saved.stdout) == (1, "")
    assert "/proc/self/r.json: cannot be written" in saved.stderr


def test_export_validate_and_conflict(tmp_path: Path) -> None:
    first = mbo("export", "./mbo", "tfbind8", cwd=tmp_path)
    assert first.stdout.splitlines() == ["mbo/tfbind8", "mbo/tfbind8-oracle"]
    assert mbo("validate", "mbo/tfbind8", cwd=tmp_path).stdout == "mbo/tfbind8: valid\n"
    assert mbo("score", "./mbo/tfbind8", "-", cwd=tmp_path, stdin="ACGTACGT\n").returncode == 0
    again = mbo("export", "./mbo", cwd=tmp_path)
    assert "(there already, the same)" in again.stdout
    (tmp_path / "mbo" / "tfbind8" / "task.json").write_text("{}")
    conflict = mbo("export", "./mbo", cwd=tmp_path)
    assert conflict.returncode == 1
    assert "differs in task.json; nothing was written" in conflict.stderr
    invalid = mbo("validate", "mbo/tfbind8", cwd=tmp_path)
    assert invalid.returncode == 1
    assert "task.json: 'format' is a required property" in invalid.stdout
    assert "problems" in invalid.stderr


def test_cache_lists_and_verifies(tmp_path: Path) -> None:
    done = mbo("cache", "--verify", cwd=tmp_path)
    assert re.search(r"^tfbind8 +embedded +v1\.0\.0 +\d\.\d MB +intact", done.stdout, re.M)
    (copy,) = [
        c for c in json.loads(mbo("cache", "--json", cwd=tmp_path).stdout) if c["name"] == "tfbind8"
    ]
    assert copy["state"] == "embedded"


def test_render_shows_a_design(tmp_path: Path) -> None:
    np.save(tmp_path / "d.npy", mbo_hub.load("dkitty").x[:2])
    shown = mbo("render", "dkitty", "d.npy", "--row", "1", "--out", "robot.png", cwd=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "robot.png\n"), shown.stderr
    assert (tmp_path / "robot.png").read_bytes().startswith(b"\x89PNG")
    for arguments, message in [
        (
            ["dkitty", "d.npy", "--row", "7", "--out", "x.png"],
            "there is no row 7; it holds 2 designs",
        ),
        (["dkitty", "d.npy", "--out", "x.bmp"], "a picture ends in .png, a movie in .mp4 or .gif"),
        (["tfbind8", "--out", "x.png"], "tfbind8 has no robot to show"),
        (["ant", "--out", "no/x.png"], "no/x.png: cannot be written"),
    ]:
        done = mbo("render", *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.npy", "robot.png"]


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    shell = f"'{MBO}' info tfbind8 --json | head -1"
    done = subprocess.run(shell, shell=True, capture_output=True, text=True, check=False)  # noqa: S602
    assert done.stdout == "{\n"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", sorted(set(cli.main.commands) - {"publish"}))  # test_hub.py
def test_every_help_ends_with_an_example_that_works(tmp_path: Path, name: str) -> None:
    command = cli.main.commands[name]
    shown = mbo(name, "--help", cwd=tmp_path)
    assert shown.returncode == 0
    example = str(command.epilog).removeprefix("Example:").strip()
    assert (
        example in " ".join(shown.stdout.split()) or example.replace("\\\\", "\\") in shown.stdout
    )
    prepare = {
        "verify": "printf 'ACGTACGT\\n' > designs.txt; mbo score tfbind8 designs.txt --receipt receipt.json; ",
        "validate": "mbo export ./mbo; ",
    }
    path = f"{Path(MBO).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", prepare.get(name, "") + example], cwd=tmp_path,
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout
