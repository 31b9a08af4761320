"""Bare git repositories for clusters without a network, and olah, which serves them."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import stranger
from conftest import ROOT

import mbo_hub
from mbo_hub import ExportConflict, GitFailed, validate
from mbo_hub.archive.folders import Folder
from mbo_hub.archive.versions import Change
from mbo_hub.publishing.mirror import commit_folder, export_git

BIN = Path(sys.executable).parent


def git(place: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", f"--git-dir={place}", *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, place: Path, tag: str) -> Change:
    """Commit a stranger's dataset folder."""
    return commit_folder(folder, place, tag, Folder(folder).pinned())


@pytest.fixture
def versions(tmp_path: Path) -> dict[str, Path]:
    for version, bonus in (("1.0.0", 0.0), ("1.1.0", 5.0)):
        stranger.write(tmp_path / version, version, bonus)
    return {f"v{v}": tmp_path / v for v in ("1.0.0", "1.1.0")}


def test_each_version_is_a_commit_with_a_tag(versions: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "repo"
    assert all(commit(folder, place, tag).is_first for tag, folder in versions.items())
    assert git(place, "tag").split() == ["v1.0.0", "v1.1.0"]
    assert git(place, "log", "--format=%s", "main").split("\n") == [
        "Publish v1.1.0",
        "Publish v1.0.0",
    ]
    for tag, folder in versions.items():
        checkout = tmp_path / f"checkout-{tag}"
        subprocess.run(
            ["git", "-c", "advice.detachedHead=false", "clone", "-q", "-b", tag, place, checkout],
            check=True,
        )
        for path in folder.rglob("*"):
            if path.is_file():
                assert (checkout / path.relative_to(folder)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_a_clone_on_windows_is_the_same_to_the_byte(
    versions: dict[str, Path], tmp_path: Path, setting: str
) -> None:
    """Git for Windows is installed with core.autocrlf=true; receipts name the hash of task.json."""
    folder, place, clone = versions["v1.0.0"], tmp_path / "repo", tmp_path / "clone"
    commit(folder, place, "v1.0.0")
    subprocess.run(
        [
            "git",
            "-c",
            f"core.autocrlf={setting}",
            "-c",
            "core.eol=crlf",
            "clone",
            "-q",
            place,
            clone,
        ],
        check=True,
    )
    for path in folder.rglob("*"):
        if path.is_file():
            assert (clone / path.relative_to(folder)).read_bytes() == path.read_bytes()
    assert validate(clone) == []
    there = mbo_hub.load(folder)
    receipt = there.evaluate(there.x[:5])
    assert mbo_hub.load(clone).verify(receipt, there.x[:5]).ok
    assert (clone / ".gitattributes").read_text() == "* -text\n"


def test_a_repository_of_before_gets_its_attributes_and_keeps_its_tag(
    versions: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "repo"
    with monkeypatch.context() as patch:
        patch.setattr("mbo_hub.publishing.mirror.ATTRIBUTES", "old-name")
        commit(versions["v1.0.0"], place, "v1.0.0")
    tagged = git(place, "rev-parse", "v1.0.0")
    assert set(commit(versions["v1.0.0"], place, "v1.0.0").files) == {".gitattributes", "old-name"}
    assert git(place, "rev-parse", "v1.0.0") == tagged
    assert git(place, "show", "main:.gitattributes") == "* -text"


def test_exporting_again_changes_nothing_and_other_content_is_refused(
    versions: dict[str, Path], tmp_path: Path
) -> None:
    place, other = tmp_path / "repo", tmp_path / "other"
    commit(versions["v1.0.0"], place, "v1.0.0")
    first = git(place, "rev-parse", "v1.0.0")
    assert commit(versions["v1.0.0"], place, "v1.0.0") == Change("v1.0.0")
    with pytest.raises(
        ExportConflict, match=r"v1\.0\.0 is there already with other content \(data/"
    ):
        commit(versions["v1.1.0"], place, "v1.0.0")
    commit(versions["v1.0.0"], other, "v1.0.0")
    assert git(place, "rev-parse", "v1.0.0", "main") == f"{first}\n{first}"
    assert git(other, "rev-parse", "main") == first


def test_an_improved_card_becomes_a_commit_and_the_tag_stays(
    versions: dict[str, Path], tmp_path: Path
) -> None:
    place, old = tmp_path / "repo", versions["v1.0.0"]
    commit(old, place, "v1.0.0")
    first = git(place, "rev-parse", "v1.0.0")
    card = (old / "README.md").read_text()
    (old / "README.md").write_text(f"{card}Better.\n")
    (old / "y.png").write_bytes(b"picture")
    assert commit(old, place, "v1.0.0") == Change("v1.0.0", ("README.md", "y.png"))
    assert git(place, "rev-parse", "v1.0.0", "main^") == f"{first}\n{first}"
    assert git(place, "log", "-1", "--format=%s", "main") == "Improve documents of v1.0.0"
    assert git(place, "show", "main:README.md").endswith("Better.")
    assert "Better" not in git(place, "show", "v1.0.0:README.md")
    assert commit(old, place, "v1.0.0") == Change("v1.0.0")
    (old / "y.png").unlink()
    assert commit(old, place, "v1.0.0").files == ("y.png",)
    assert "y.png" not in git(place, "ls-tree", "--name-only", "main")
    # Main moves on to another version, and is left alone from then on.
    commit(versions["v1.1.0"], place, "v1.1.0")
    newest = git(place, "rev-parse", "main")
    (old / "README.md").write_text(f"{card}Best.\n")
    assert commit(old, place, "v1.0.0") == Change("v1.0.0", superseded=True)
    assert git(place, "rev-parse", "v1.0.0", "main") == f"{first}\n{newest}"


@pytest.mark.skipif(sys.platform == "win32", reason="hooks are programs of POSIX here")
def test_nothing_of_a_repository_is_run(versions: dict[str, Path], tmp_path: Path) -> None:
    """Others may write to a mirror: its hooks, and what its configuration names, are theirs."""
    place, ran = tmp_path / "repo", tmp_path / "ran"
    commit(versions["v1.0.0"], place, "v1.0.0")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 >>{ran}\n")
    program.chmod(0o755)
    (place / "hooks").mkdir(exist_ok=True)
    for hook in (
        "reference-transaction", "post-index-change", "pre-auto-gc", "post-update", "update",
        "pre-commit", "post-commit", "commit-msg", "prepare-commit-msg", "post-rewrite",
    ):  # fmt: skip
        (place / "hooks" / hook).symlink_to(program)
    theirs = subprocess.run(
        ["git", "update-ref", "refs/heads/theirs", "main"],
        env={**os.environ, "GIT_DIR": str(place)},
    )
    assert theirs.returncode == 0
    assert "reference-transaction" in ran.read_text()  # so the programs are run where they may
    ran.unlink()
    for name in (
        "core.fsmonitor", "filter.any.clean", "filter.any.process", "core.sshCommand", "gpg.program",
        "core.editor", "core.pager", "diff.external", "core.alternateRefsCommand",
    ):  # fmt: skip
        git(place, "config", name, str(program))
    ran.unlink(missing_ok=True)
    for name, value in (("core.hooksPath", str(place / "hooks")), ("commit.gpgSign", "true")):
        git(place, "config", name, value)
    ran.unlink(missing_ok=True)
    (place / "info").mkdir(exist_ok=True)
    (place / "info" / "attributes").write_text("* filter=any diff=any\n")
    assert commit(versions["v1.1.0"], place, "v1.1.0").is_first
    assert not ran.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="hooks are programs of POSIX here")
def test_nothing_is_fetched_for_a_repository(versions: dict[str, Path], tmp_path: Path) -> None:
    """An object that is missing could be fetched by way of a program of their configuration."""
    place, ran = tmp_path / "repo", tmp_path / "ran"
    commit(versions["v1.0.0"], place, "v1.0.0")
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho $0 >>{ran}\n")
    program.chmod(0o755)
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "theirs",
        "remote.theirs.promisor": "true",
        "remote.theirs.url": f"ext::{program}",
        "protocol.ext.allow": "always",
    }.items():
        git(place, "config", name, value)
    (place / "refs" / "heads" / "main").write_text("1" * 40 + "\n")
    subprocess.run(["git", f"--git-dir={place}", "ls-tree", "main"], capture_output=True)
    assert ran.exists()  # so the program is run where it may
    ran.unlink()
    with pytest.raises(GitFailed):
        commit(versions["v1.1.0"], place, "v1.1.0")
    assert not ran.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="names have no line ends there")
def test_a_name_of_any_bytes_in_a_repository_is_compared(
    versions: dict[str, Path], tmp_path: Path
) -> None:
    place = tmp_path / "repo"
    commit(versions["v1.0.0"], place, "v1.0.0")
    environment = {**os.environ, "GIT_DIR": str(place), "GIT_INDEX_FILE": str(tmp_path / "index")}
    blob = git(place, "rev-parse", "main:README.md").encode()
    for command, feed in (("read-tree main", b""),
                          ("update-index -z --index-info", b"100644 " + blob + b"\t\xff\x1b\0")):  # fmt: skip
        subprocess.run(["git", *command.split()], env=environment, input=feed, check=True)
    tree = subprocess.run(
        ["git", "write-tree"], env=environment, capture_output=True, text=True
    ).stdout.strip()
    made = git(place, "-c", "user.name=x", "-c", "user.email=x@x", "commit-tree", tree, "-m", "x")
    git(place, "update-ref", "refs/heads/main", made)
    assert commit(versions["v1.0.0"], place, "v1.0.0").files == ("\udcff\x1b",)


@pytest.mark.skipif(sys.platform == "win32", reason="names have no line ends there")
@pytest.mark.parametrize("name", ["a\nb", "a\rb", "docs\n/a", "a\x1bb"])
def test_a_name_with_a_line_end_brings_no_other_file(
    versions: dict[str, Path], tmp_path: Path, name: str
) -> None:
    """git is told names a line each: half of one could be that of a file elsewhere."""
    folder, secret = versions["v1.0.0"], tmp_path / "secret"
    secret.write_text("of somebody else")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("it")
    with pytest.raises(mbo_hub.InvalidDataset, match="not the name of a file"):
        commit(folder, tmp_path / "repo", "v1.0.0")
    (folder / name).unlink()
    above = tmp_path / "a\n"
    above.mkdir()
    with pytest.raises(mbo_hub.InvalidDataset, match="line end; move it"):
        commit(folder.rename(above / "it"), tmp_path / "repo", "v1.0.0")


def test_a_folder_that_is_no_repository_is_left_alone(
    versions: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ExportConflict, match="is not a bare git repository"):
        commit(versions["v1.0.0"], tmp_path / "mine", "v1.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitFailed, match="git is not installed"):
        commit(versions["v1.0.0"], tmp_path / "repo", "v1.0.0")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture
def olah(tmp_path: Path) -> Iterator[str]:
    """The recipe of the documents, followed to the letter, in a folder of its own."""
    recipe = (ROOT / "docs" / "offline-cluster.md").read_text("utf-8")
    config = recipe.split("```toml\n")[1].split("```")[0]
    port = free_port()
    here = tmp_path / "cluster"
    export_git(["tfbind8"], here / "mirror")
    commit(tmp_path / "1.0.0", here / "mirror" / "datasets" / "stranger" / "vowels", "v1.0.0")
    commit(tmp_path / "1.1.0", here / "mirror" / "datasets" / "stranger" / "vowels", "v1.1.0")
    text = config.replace("/srv/mbo", str(here)).replace("8090", str(port))
    assert text != config
    (here / "olah.toml").write_text(text)
    process = subprocess.Popen(
        [BIN / "olah-cli", "--config", here / "olah.toml", "--log-path", here / "logs"], cwd=here,
        env={**os.environ, "HOME": str(here)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{url}/api/datasets/mbo/tfbind8/refs", timeout=5).close()
                break
            except (OSError, urllib.error.URLError):
                assert process.poll() is None, "olah ended"
                time.sleep(0.1)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.slow("3 core-seconds, and a server that takes its time; here git reads what it serves")
def test_olah_serves_them_to_the_real_clients(
    versions: dict[str, Path], olah: str, tmp_path: Path
) -> None:
    """load_dataset by revision, the ONNX file, and mbo_hub, each from a process of its own."""
    sha256 = hashlib.sha256((ROOT / "oracles_onnx" / "tfbind8" / "model.onnx").read_bytes())
    code = f"""
import hashlib, pathlib
import numpy as np
from datasets import load_dataset
from huggingface_hub import hf_hub_download
import mbo_hub
from mbo_hub.archive import folders as archive

ds = load_dataset("mbo/tfbind8", revision="v1.0.0")
assert {{k: len(v) for k, v in ds.items()}} == {{"train": 32_898, "test": 32_894}}
task = mbo_hub.load("tfbind8")
assert np.array_equal(np.array(ds["train"]["y"], np.float32), task.y)
for version, best in (("v1.0.0", 12), ("v1.1.0", 17)):
    assert max(load_dataset("stranger/vowels", revision=version, split="test")["y"]) == best
    assert mbo_hub.load("stranger/vowels", version).manifest.statistics.y_max == best
path = hf_hub_download("mbo/tfbind8-oracle", "model.onnx", revision="v1.0.0")
assert hashlib.sha256(open(path, "rb").read()).hexdigest() == {sha256.hexdigest()!r}
archive._root = lambda kind: pathlib.Path("none")  # as if nothing were embedded
task = mbo_hub.load("mbo/tfbind8", "v1.0.0")
assert np.array_equal(task.oracles["onnx"](task.x), task.y)
"""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    environment = {
        **kept, "HF_ENDPOINT": olah, "HF_HOME": str(tmp_path / "home"), "NO_PROXY": "127.0.0.1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
