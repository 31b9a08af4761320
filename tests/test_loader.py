from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

import mbo_hub
from mbo_hub import (
    HubUnavailable,
    IntegrityError,
    InvalidDataset,
    OracleUnavailable,
    UnknownRevision,
    UnknownTask,
    UnsupportedFormat,
)
from mbo_hub.archive import folders
from mbo_hub.tasks import TASKS


@pytest.mark.parametrize("name", ["tfbind8", "mbo/tfbind8"])
@pytest.mark.parametrize("revision", [None, "v1.0.0", "1.0.0"])
def test_a_task_by_name(name: str, revision: str | None) -> None:
    assert mbo_hub.load(name, revision).version == "1.0.0"


@pytest.mark.parametrize("name", [name for name, task in TASKS.items() if task.embedded])
def test_an_oracle_tells_its_file(name: str, loaded: Callable[[str], mbo_hub.Task]) -> None:
    task = loaded(name)
    for called, entry in task.manifest.oracles.items():
        path = task.oracles[called].path
        if entry.file is None:
            assert path is None
        else:
            assert path is not None
            assert path.is_absolute()
            assert sha256(path.read_bytes()).hexdigest() == entry.sha256


@pytest.mark.parametrize("name", ["./tfbind8", ".", "../{}/tfbind8", "{}"])
def test_a_task_does_not_depend_on_the_working_directory(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hidden designs and oracles are read later, and maybe somewhere else."""
    model = folder.parent / "tfbind8-oracle" / "model.onnx"
    with (folder.parent / "tfbind8-oracle" / "README.md").open("a") as card:
        card.write("Not the embedded one.")
    monkeypatch.chdir(folder if name == "." else folder.parent)
    said = name.format(folder if name == "{}" else folder.parent.name)
    task = mbo_hub.load(Path(said))
    monkeypatch.chdir("/")
    assert len(task.hidden[1]) == 32_894
    oracle = task.oracles["onnx"]
    path, copied = oracle.path, pickle.loads(pickle.dumps(oracle))  # noqa: S301
    assert path is not None
    assert path.resolve() == copied.path.resolve() == model


def test_a_folder_is_a_task(folder: Path) -> None:
    task = mbo_hub.load(folder)
    assert np.array_equal(task.oracle(task.x), task.y)
    assert task.oracles["onnx"](task.x[:3]).tolist() == task.y[:3].tolist()
    assert mbo_hub.load(str(folder), "v1.0.0").name == "tfbind8"
    with pytest.raises(UnknownRevision, match=r"holds version 1\.0\.0, not 2\.0\.0"):
        mbo_hub.load(folder, "v2.0.0")


def test_a_relative_folder_needs_its_dot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    shutil.move("tfbind8", "mine")
    assert mbo_hub.load("./mine").name == "tfbind8"
    with pytest.raises(UnknownTask, match=r"for the folder of that name write '\./mine'"):
        mbo_hub.load("mine")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfbind-8", "no task named 'tfbind-8'; did you mean 'tfbind8'?  (`mbo list` shows all)"),
        ("TFBind8", "did you mean 'tfbind8'?"),
        ("zzz", "no task named 'zzz'  (`mbo list` shows all)"),
        ("./nowhere", "./nowhere: the folder does not exist"),
        (".", "has no task.json"),
    ],
)
def test_unknown_tasks_say_the_way_out(name: str, message: str, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownTask) as caught:
        mbo_hub.load(name)
    assert message in str(caught.value)
    assert isinstance(caught.value, KeyError)


@pytest.mark.parametrize("reached", [True, False])
def test_a_folder_called_like_a_repository_is_mentioned(
    reached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the Hub has no such repository or cannot be asked, for a dataset folder or not."""

    def answer(repo: str, *arguments: object, **options: object) -> Path:
        kind = UnknownTask if reached else HubUnavailable
        raise kind(f"{repo}: no such repository")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(folders.hub, "download", answer)
    (tmp_path / "fuzz" / "toy").mkdir(parents=True)
    (tmp_path / "fuzz" / "file").touch()
    for call in (mbo_hub.load, lambda name: folders.find_card(name).declaration()):
        with pytest.raises(UnknownTask if reached else HubUnavailable) as caught:
            call("fuzz/toy")
        assert "for the folder of that name write './fuzz/toy'" in str(caught.value)
    for other in ("fuzz/file", "fuzz/none", "fuzz/" + "long" * 90, "long" * 90):
        with pytest.raises((UnknownTask, HubUnavailable)) as caught:
            mbo_hub.load(other)
        assert "folder of that name" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "revision", "message"),
    [
        ("tfbind8", "9.9.9", "mbo/tfbind8 (dataset, revision v9.9.9): task.json: not in the cache"),
        (
            "tfbind8",
            "9.9.9",
            "not in the cache, this mbo_hub embeds v1.0.0, and the Hub at http://127.0.0.1:9 cannot",
        ),
        (
            "someone/task",
            None,
            "someone/task (dataset, revision main): task.json: not in the cache",
        ),
        ("someone/task", None, "the Hub at http://127.0.0.1:9 cannot be reached (ConnectError"),
    ],
)
def test_what_is_not_here_says_what_was_tried(
    name: str, revision: str | None, message: str
) -> None:
    with pytest.raises(HubUnavailable) as caught:
        mbo_hub.load(name, revision)
    assert message in str(caught.value)


def damage(path: Path, how: str) -> None:
    raw = bytearray(path.read_bytes())
    if how == "flipped byte":
        raw[len(raw) // 2] ^= 1
    else:
        del raw[len(raw) // 2 :]
    path.write_bytes(raw)


@pytest.mark.parametrize("how", ["flipped byte", "truncated"])
def test_a_damaged_parquet_is_an_integrity_error(folder: Path, how: str) -> None:
    damage(folder / "data" / "train.parquet", how)
    with pytest.raises(IntegrityError, match=r"train\.parquet: sha256 expected .*…, got .*…"):
        mbo_hub.load(folder)


def test_advice_names_the_folder_as_it_is_written(folder: Path) -> None:
    mixed = folder.rename(folder.with_name("My Folder"))
    damage(mixed / "data" / "train.parquet", "truncated")
    with pytest.raises(IntegrityError, match=r"used\. `mbo validate .*/My Folder` lists all"):
        mbo_hub.load(mixed)


@pytest.mark.parametrize("how", ["flipped byte", "truncated"])
def test_a_damaged_onnx_file_is_an_integrity_error(folder: Path, how: str) -> None:
    damage(folder.parent / "tfbind8-oracle" / "surrogate.onnx", how)
    task = mbo_hub.load(folder)
    assert len(task.oracle(task.x[:3])) == 3  # the table does not need the file
    with pytest.raises(IntegrityError, match=r"surrogate\.onnx: sha256 expected"):
        task.oracles["surrogate"]


def test_hidden_rows_are_checked_too(folder: Path) -> None:
    damage(folder / "data" / "test.parquet", "flipped byte")
    task = mbo_hub.load(folder)
    for read in (lambda: task.hidden, lambda: task.oracle):
        with pytest.raises(IntegrityError, match=r"test\.parquet"):
            read()


def test_a_missing_onnx_file_is_named(folder: Path) -> None:
    (folder.parent / "tfbind8-oracle" / "model.onnx").unlink()
    with pytest.raises(InvalidDataset, match=r"model\.onnx cannot be read \(No such file"):
        mbo_hub.load(folder).oracles["onnx"]


def test_an_oracle_folder_that_is_not_here_is_the_embedded_one_or_named(folder: Path) -> None:
    shutil.rmtree(folder.parent / "tfbind8-oracle")
    assert mbo_hub.load(folder).oracles["onnx"].exact  # the archive's own, by its sha256
    edit(folder, lambda d: d["oracles"]["onnx"].update(repo="someone/else"))
    with pytest.raises(HubUnavailable, match=r"someone/else \(model, revision v1\.0\.0\)"):
        mbo_hub.load(folder).oracles["onnx"]
    edit(folder, lambda d: d["oracles"]["onnx"].update(repo="else"))
    with pytest.raises(InvalidDataset, match="put its folder beside the dataset's"):
        mbo_hub.load(folder).oracles["onnx"]


def edit(folder: Path, change: object) -> None:
    path = folder / "task.json"
    document = json.loads(path.read_text())
    change(document)  # type: ignore[operator]
    path.write_text(json.dumps(document))


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    edit(folder, lambda d: d.update(format=2, space="something new"))
    with pytest.raises(
        UnsupportedFormat, match=r"task.json has format 2, this mbo_hub reads up to 1"
    ):
        mbo_hub.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("space"), "missing required field `space`"),
        (lambda d: d["space"].update(kind="cube"), "cube"),
        (lambda d: d["space"].update(alphabet=["A", "A"]), "names a token twice"),
        (lambda d: d["statistics"].update(x_mean=[0]), "statistics.x_mean has 1 values, the designs have 8"),
        (lambda d: d["statistics"].update(y_max=d["statistics"]["y_min"]), "y_min is not below"),
        (lambda d: d["files"].pop("data/train.parquet"), "files has no data/train.parquet"),
        (lambda d: d["files"]["data/train.parquet"].update(rows=7), "has 32,898 rows, task.json says 7"),
        (lambda d: d["files"].update({"../../etc/passwd": d["files"]["data/train.parquet"]}), "matching regex"),
        (lambda d: d["oracles"]["onnx"].update(file="../model.onnx"), "matching regex"),
        (lambda d: d["oracles"]["onnx"].update(repo="mbo/.."), "matching regex"),
        (lambda d: d["oracles"]["exact"].update(kind="../x"), "matching regex"),
        (lambda d: d["space"].update(length=7), "7"),
    ],
)  # fmt: skip
def test_a_broken_task_json_says_where(folder: Path, change: object, message: str) -> None:
    edit(folder, change)
    with pytest.raises(InvalidDataset) as caught:
        mbo_hub.load(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize(
    ("oracle", "change", "message"),
    [
        (
            "exact",
            {"kind": "pickle"},
            "no oracle of kind 'pickle', only table, onnx, mujoco, training",
        ),
        ("onnx", {"file": None}, "an oracle of kind onnx needs `file` and `sha256`"),
        ("onnx", {"kind": "mujoco"}, "missing required field `robot`"),
        ("onnx", {"kind": "training", "settings": {"recipe_sha256": 7}}, "got `int`"),
        (
            "onnx",
            {
                "kind": "mujoco",
                "settings": {"robot": "arm", "simulator_sha256": "", "made_with": ""},
            },
            "has a robot 'arm'; this mbo_hub simulates only ant, dkitty, hopper",
        ),
    ],
)
def test_an_oracle_that_cannot_be_opened_says_why_and_the_others_open(
    folder: Path, oracle: str, change: dict, message: str
) -> None:
    edit(folder, lambda d: d["oracles"][oracle].update(change))
    task = mbo_hub.load(folder)
    with pytest.raises((InvalidDataset, OracleUnavailable)) as caught:
        task.oracles[oracle]
    assert message in str(caught.value)
    assert len(task.oracles["surrogate"](task.x[:3])) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"format": "one"}'])
def test_a_task_json_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "task.json").write_bytes(content)
    with pytest.raises(InvalidDataset, match=r"task\.json"):
        mbo_hub.load(folder)


def test_an_embedded_copy_that_was_changed_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one whose task.json was changed along with the data: the package pins its sha256."""
    from mbo_hub.archive import cache, folders

    shutil.copytree(ROOT / "dataset_cards", tmp_path / "dataset_cards")
    monkeypatch.setattr(folders, "_root", lambda kind: tmp_path / kind)
    edit(tmp_path / "dataset_cards" / "tfbind8", lambda d: d.update(title="Mine"))
    with pytest.raises(IntegrityError, match=r"task\.json: sha256 .* Reinstall"):
        mbo_hub.load("tfbind8")
    states = {copy.name: copy.state for copy in cache.copies(check=True)}
    assert states["tfbind8"].startswith("damaged: ")
    assert "task.json: sha256 expected" in states["tfbind8"]


def test_an_oracle_by_a_wrong_name_lists_the_right_ones(tfbind8: mbo_hub.Task) -> None:
    with pytest.raises(OracleUnavailable, match="this task has: exact, onnx, surrogate"):
        tfbind8.oracles["forest"]
    assert "forest" not in tfbind8.oracles
    assert len(tfbind8.oracles) == 3


@pytest.mark.parametrize("space", ["tfbind8", "./nowhere"])
def test_nothing_touches_the_network(space: str) -> None:
    """Loading, scoring and failing work with every socket refused."""
    code = (
        "import socket\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "import mbo_hub\n"
        "try:\n"
        f"    t = mbo_hub.load({space!r}); t.evaluate(t.x[:9]); t.oracles['surrogate'](t.x[:9])\n"
        "except mbo_hub.UnknownTask: pass\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ})


@pytest.mark.parametrize(
    "before",
    [
        "",
        "import mbo_hub.tasks",
        "import mbo_hub.tasks.ant",
        "from mbo_hub.tasks import TASKS",
        "from mbo_hub import tasks",
        "from mbo_hub import *",
        "import mbo_hub; mbo_hub.tasks()",
        "import mbo_hub; mbo_hub.tasks(); import mbo_hub.tasks.ant",
        "import mbo_hub; mbo_hub.tasks(); from mbo_hub.tasks import ant",
    ],
)
def test_tasks_is_a_list_and_a_package_in_any_order(before: str) -> None:
    code = (
        f"{before}; import mbo_hub; first = mbo_hub.tasks(); "
        "import mbo_hub.tasks.ant; from mbo_hub.tasks import TASKS; from mbo_hub import tasks; "
        "assert first == tasks() == mbo_hub.tasks(); "
        "assert [t.name for t in first] == list(TASKS); "
        "assert mbo_hub.tasks.ant.TASK is TASKS['ant']"
    )
    subprocess.run([sys.executable, "-c", code.removeprefix("; ")], check=True)


def test_listed_tasks_say_what_loading_them_shows(tfbind8: mbo_hub.Task) -> None:
    listed = {task.name: task for task in mbo_hub.tasks()}
    assert set(listed) == set(TASKS)
    task = listed["tfbind8"]
    assert isinstance(task, mbo_hub.ListedTask)
    assert (task.visible, task.dim) == tfbind8.x.shape
    assert (task.version, task.title) == (tfbind8.version, tfbind8.manifest.title)
    assert task.best_visible == tfbind8.manifest.statistics.best_visible
    assert list(task.oracles) == list(tfbind8.oracles)
    assert str(task) == "tfbind8"
    with pytest.raises(AttributeError):
        task.name = "other"  # type: ignore[misc]
