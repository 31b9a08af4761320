"""Where things are kept when there is no home folder, and when a cache may not be read."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import constants

import mbo_hub
from mbo_hub import DownloadFailed, UnknownTask, cli
from mbo_hub.archive import cache, folders, hub
from mbo_hub.making.assembly import build_in_cache
from mbo_hub.tasks import TASKS


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bare user id, as containers run with: no HOME, no entry in the list of users."""

    def nobody(who: Any) -> None:
        raise KeyError(who)

    for name in ("HOME", "MBO_HUB_CACHE", "XDG_CACHE_HOME", "HF_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.setattr(pwd, "getpwnam", nobody)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", "~/.cache/huggingface/hub")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError):
        Path.home()


@pytest.mark.usefixtures("homeless")
def test_without_a_home_what_is_embedded_loads(tmp_path: Path) -> None:
    assert mbo_hub.load("tfbind8").name == "tfbind8"
    assert folders.summaries()
    assert {copy.kind for copy in cache.copies(check=False)} == {"embedded"}
    assert cache.state_of_data("superconductor") == "not built"
    for name in ("superconductor", "someone/task"):
        with pytest.raises(
            DownloadFailed, match="no home folder, so there is no cache; set HF_HOME"
        ):
            mbo_hub.load(name)
    with pytest.raises(DownloadFailed, match="set MBO_HUB_CACHE to a folder"):
        build_in_cache(TASKS, "superconductor", tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing is written into a folder called ~"


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize("name", ["~/mine", "~nouser/mine", "~nouser"])
def test_the_home_of_nobody_is_no_folder(name: str) -> None:
    for use in (mbo_hub.load, mbo_hub.validate, folders.find_card):
        with pytest.raises(UnknownTask, match=r"~\w* has no home folder here; write the whole"):
            use(name)


@pytest.mark.usefixtures("homeless")
@pytest.mark.parametrize(
    "arguments",
    [["list"], ["info", "tfbind8"], ["info", "superconductor"], ["info", "~nouser/x"], ["cache"],
     ["cache", "--remove", "superconductor"], ["validate", "~nouser/x"], ["build", "superconductor"],
     ["score", "superconductor", "none.txt"], ["export", "out", "superconductor"]],
    ids=" ".join,
)  # fmt: skip
def test_no_command_ends_in_a_traceback(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments, prog_name="mbo")
    assert caught.value.code in (0, 1, None)


def refuse(*_: Any, **__: Any) -> None:
    raise PermissionError(13, "Permission denied", "/locked/hub")


@pytest.mark.parametrize(
    ("looks", "use"),
    [
        ("try_to_load_from_cache", lambda: mbo_hub.load("someone/task")),
        ("scan_cache_dir", lambda: cache.copies(check=False)),
        ("scan_cache_dir", lambda: cache.remove("someone/task")),
    ],
)
def test_a_cache_that_may_not_be_read_is_named(
    looks: str, use: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub, looks, refuse)
    with pytest.raises(DownloadFailed, match=r"/locked/hub cannot be read \(Permission denied\)"):
        use()


def test_a_cached_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = tmp_path / ("0" * 64)
    blob.mkdir()  # as unreadable for root as for anybody
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: os.fspath(blob))
    with pytest.raises(DownloadFailed, match="cannot be read"):
        hub.download("someone/task", "dataset", "task.json", "v1.0.0")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(folder: Path) -> None:
    folder.chmod(0)
    try:
        with pytest.raises(mbo_hub.InvalidDataset, match="Permission denied"):
            mbo_hub.load(folder)
    finally:
        folder.chmod(0o755)
