"""Publishing to and loading from a Hub, with the real clients.

A user is a process of its own where that is the subject, and for one of each kind of fault; else
this process is the user, which saves the start of another.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stranger
from click.testing import CliRunner
from conftest import RAW, ROOT, prompt
from hub_server import READ_TOKEN, WRITE_TOKEN, HubServer
from huggingface_hub import constants
from lying_hub import BODY, Lie, LyingHub, files_outside

import mbo_hub
from mbo_hub import cli
from mbo_hub.archive import hub as archive_hub
from mbo_hub.errors import MboHubError
from mbo_hub.publishing.publish import publish
from mbo_hub.tasks import TASKS

BIN = Path(sys.executable).parent
DATASET = ROOT / "dataset_cards" / "tfbind8"
ORACLE = ROOT / "oracles_onnx" / "tfbind8"
# A process whose package embeds no data: what a pip install of a task kept on the Hub looks like.
BARE = "import pathlib; from mbo_hub.archive import folders; folders._root = lambda kind: pathlib.Path('none'); "


def run(
    *command: str, env: dict[str, str], cwd: Path, check: bool = True
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=False)
    assert WRITE_TOKEN not in done.stdout + done.stderr
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


class Client:
    """A user: a working directory, a cache, and the environment that points at a Hub."""

    def __init__(self, hub: HubServer, folder: Path, token: str | None = WRITE_TOKEN) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.home = folder / "home"
        self.env = hub.env(self.home, token)

    def mbo(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return run(str(BIN / "mbo"), *arguments, env=self.env, cwd=self.folder, check=check)

    def python(
        self, code: str, *, check: bool = True, **env: str
    ) -> subprocess.CompletedProcess[str]:
        everything = {**self.env, **env}
        return run(sys.executable, "-c", code, env=everything, cwd=self.folder, check=check)

    def error(self, code: str, **env: str) -> str:
        """Run code that must fail; return the last line: the error."""
        done = self.python(code, check=False, **env)
        assert done.returncode == 1, done.stdout
        return done.stderr.strip().splitlines()[-1]


class Here(Client):
    """This process as a user, for as long as the patch lasts; a server that stumbles is asked again
    at once."""

    def __init__(self, hub: HubServer, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(hub, folder)
        hub.adopt(patch, self.home)
        patch.setattr(archive_hub, "PAUSES", (0.0, 0.0, 0.0))
        patch.chdir(self.folder)

    def mbo(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        ran = CliRunner().invoke(cli.main, arguments)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.output
        assert WRITE_TOKEN not in ran.output
        assert not check or ran.exit_code == 0, ran.output
        return subprocess.CompletedProcess(arguments, ran.exit_code, ran.stdout, ran.stderr)

    def load(self, name: str = "stranger/vowels", revision: str | None = "v1.0.0") -> mbo_hub.Task:
        """Load a task with everything that comes with it."""
        task = mbo_hub.load(name, revision)
        assert task.oracle(task.x).tolist() == task.y.tolist()
        assert len(task.hidden[0])
        return task

    def refused(self, name: str = "stranger/vowels", revision: str | None = "v1.0.0") -> str:
        """Load a task in vain; say why as a traceback ends."""
        with pytest.raises(MboHubError) as raised:
            self.load(name, revision)
        return f"mbo_hub.errors.{raised.type.__name__}: {raised.value}"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server


@pytest.fixture
def client(hub: HubServer, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "client")


@pytest.fixture
def here(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    return Here(hub, tmp_path / "client", monkeypatch)


@pytest.fixture
def reader(published: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """This process as a user of the Hub on which everything is."""
    return Here(published, tmp_path / "client", monkeypatch)


@pytest.fixture(scope="module")
def published(
    tmp_path_factory: pytest.TempPathFactory, build_cache: Callable[[str], Path]
) -> Iterator[HubServer]:
    """A Hub with every task of the archive whose data are here or can be built, and two versions of
    a stranger's; not to be changed."""
    folder = tmp_path_factory.mktemp("published")
    here = [name for name in TASKS if TASKS[name].embedded or (RAW / name).is_dir()]
    with HubServer(folder / "hub") as server:
        client = Client(server, folder / "publisher")
        stranger.write(folder / "1.0.0", "1.0.0")
        stranger.write(folder / "1.1.0", "1.1.0", 5.0)
        with pytest.MonkeyPatch.context() as patch:
            server.adopt(patch, client.home)
            for name in here:
                if not TASKS[name].embedded:
                    patch.setenv("MBO_HUB_CACHE", str(build_cache(name)))  # one cache for all
            # test_every_task.py validates each task; here that would take most of the time.
            patch.setattr("mbo_hub.publishing.publish.validate", lambda path: [])
            publish(here, "mbo")
            publish([folder / "1.0.0"], "stranger")
        script = str(ROOT / "scripts" / "publish.py")
        run(sys.executable, script, "../1.1.0", "--org", "stranger",
            env=client.env, cwd=client.folder)  # fmt: skip
        yield server


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


# ------------------------------------------------------------------------------------- publishing


def test_publishing_makes_two_repositories_with_one_commit_and_a_tag_each(
    hub: HubServer, client: Client, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And publishing again changes nothing."""
    done = client.mbo("publish", "tfbind8", "--org", "mbo")
    assert f"{hub.url}/datasets/mbo/tfbind8/tree/v1.0.0" in done.stdout
    assert f"{hub.url}/mbo/tfbind8-oracle/tree/v1.0.0" in done.stdout
    for kind, repo, folder in (
        ("dataset", "mbo/tfbind8", DATASET),
        ("model", "mbo/tfbind8-oracle", ORACLE),
    ):
        assert [c.title for c in hub.commits(kind, repo)][:1] == ["Publish v1.0.0"]
        assert len(hub.commits(kind, repo)) == 2  # the Hub's own first one, and ours
        there = hub.files(kind, repo, "v1.0.0")
        there.pop(".gitattributes")
        assert there == files_of(folder)

    monkeypatch.setattr("mbo_hub.publishing.publish.validate", lambda path: [])  # it just was
    before = len(hub.requests)
    again = here.mbo("publish", "tfbind8", "--org", "mbo")
    assert again.stdout.count("no file changed, v1.0.0 is there already") == 2
    writes = [r for r in hub.requests[before:] if "commit/" in r.path or "/tag/" in r.path]
    assert writes == []
    assert len(hub.commits("dataset", "mbo/tfbind8")) == 2
    dry = here.mbo("publish", "tfbind8", "--org", "mbo", "--dry-run")
    assert "no file changed" in dry.stdout


def test_other_content_under_a_tag_is_refused_by_file(
    hub: HubServer, here: Here, tmp_path: Path
) -> None:
    stranger.write(here.folder / "one", "1.0.0")
    stranger.write(here.folder / "two", "1.0.0", bonus=1.0)
    here.mbo("publish", "./one", "--org", "stranger")
    refused = here.mbo("publish", "./two", "--org", "stranger", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith(
        "PublishConflict: stranger/vowels (dataset, v1.0.0): the tag is there already with other "
        "content: data/test.parquet, data/train.parquet, oracle.onnx, task.json."
    )
    assert (
        hub.files("dataset", "stranger/vowels")["task.json"]
        == (here.folder / "one" / "task.json").read_bytes()
    )


def test_a_new_version_removes_files_that_are_gone(hub: HubServer, here: Here) -> None:
    stranger.write(here.folder / "one", "1.0.0")
    (here.folder / "one" / "notes.txt").write_text("old")
    (here.folder / "one" / ".DS_Store").write_text("hidden")
    here.mbo("publish", "./one", "--org", "stranger")
    stranger.write(here.folder / "two", "1.1.0", bonus=1.0)
    here.mbo("publish", "./two", "--org", "stranger")
    assert "notes.txt" in hub.files("dataset", "stranger/vowels", "v1.0.0")
    assert "notes.txt" not in hub.files("dataset", "stranger/vowels", "v1.1.0")
    assert ".DS_Store" not in hub.files("dataset", "stranger/vowels", "v1.0.0")
    assert set(hub.tags("dataset", "stranger/vowels")) == {"v1.0.0", "v1.1.0"}


def test_a_dry_run_writes_nothing(hub: HubServer, here: Here) -> None:
    stranger.write(here.folder / "mine", "1.0.0")
    done = here.mbo("publish", "./mine", "--org", "stranger", "--dry-run")
    assert "files would be changed, would be tagged v1.0.0" in done.stdout
    assert "  task.json" in done.stdout
    assert {r.method for r in hub.requests} == {"GET"}
    assert hub.store.load("dataset", "stranger/vowels") is None


def test_the_script_takes_its_flags(hub: HubServer, client: Client) -> None:
    script = str(ROOT / "scripts" / "publish.py")
    stranger.write(client.folder / "mine", "1.0.0")
    done = run(sys.executable, script, "./mine", "--dry-run", "--org", "x", env=client.env,
               cwd=client.folder)  # fmt: skip
    assert "would be tagged v1.0.0" in done.stdout


def test_secrets_in_the_endpoint_are_not_shown(client: Client) -> None:
    env = {**client.env, "HF_ENDPOINT": "http://user:s3cret@127.0.0.1:9"}
    done = run(str(BIN / "mbo"), "info", "someone/x", env=env, cwd=client.folder, check=False)
    assert done.returncode == 1
    assert "s3cret" not in done.stderr
    assert "the Hub at http://127.0.0.1:9 cannot be reached" in done.stderr


@pytest.mark.parametrize(("arguments", "words"), [
    (["info", "a/b/c"], "is not the name"),
    (["info", "mbo/"], "is not the name"),
    (["info", "Mbo/x y"], "is not the name"),
    (["publish", "tfbind8", "--org", "a/b"], "'a/b' cannot own repositories"),
])  # fmt: skip
def test_impossible_names_are_refused_in_one_line(
    here: Here, arguments: list[str], words: str
) -> None:
    done = here.mbo(*arguments, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert words in done.stderr


def test_what_is_wrong_is_said_before_anything_is_sent(hub: HubServer, here: Here) -> None:
    stranger.write(here.folder / "good", "1.0.0")
    stranger.write(here.folder / "bad", "1.0.0")
    card = here.folder / "bad" / "README.md"
    card.write_text(card.read_text().replace("license: mit", "license: no-such-licence"))
    (here.folder / "bad" / "data" / "test.parquet").write_bytes(b"nonsense")
    done = here.mbo("publish", "./good", "./bad", "--org", "stranger", check=False)
    assert done.returncode == 1
    assert "license: the Hub knows no 'no-such-licence'; for one that" in done.stderr
    assert "data/test.parquet: its sha256 is not the one in task.json" in done.stderr
    assert "data/test.parquet: not a readable parquet file" in done.stderr
    assert hub.requests == []


def test_private_repositories_need_a_token(hub: HubServer, here: Here, tmp_path: Path) -> None:
    stranger.write(here.folder / "mine", "1.0.0")
    here.mbo("publish", "./mine", "--org", "stranger", "--private")
    anonymous = Client(hub, tmp_path / "anonymous", token=None)
    assert anonymous.error("import mbo_hub; mbo_hub.load('stranger/vowels')").startswith(
        "mbo_hub.errors.UnknownTask: stranger/vowels (dataset, revision main): task.json: no such "
        "repository"
    )
    here.load(revision=None)


def test_a_reading_token_may_not_publish(
    hub: HubServer, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.adopt(monkeypatch, here.home, READ_TOKEN)
    stranger.write(here.folder / "mine", "1.0.0")
    done = here.mbo("publish", "./mine", "--org", "stranger", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("NotPermitted: stranger/vowels (dataset, v1.0.0): ")
    assert READ_TOKEN not in done.stderr


def test_publishing_that_was_killed_is_finished_by_the_next_call(
    hub: HubServer, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.fault("hang", match=r"POST .*/tag/", seconds=60)  # the commit is there, the tag is not
    process = subprocess.Popen(
        [str(BIN / "mbo"), "publish", "tfbind8", "--org", "mbo"], env=here.env, cwd=here.folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    wait_for(lambda: hub.faults[0].fired)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert hub.tags("model", "mbo/tfbind8-oracle") == {}
    hub.clear_faults()
    monkeypatch.setattr("mbo_hub.publishing.publish.validate", lambda path: [])  # it just was
    here.mbo("publish", "tfbind8", "--org", "mbo")
    assert len(hub.commits("model", "mbo/tfbind8-oracle")) == 2
    assert set(hub.tags("model", "mbo/tfbind8-oracle")) == {"v1.0.0"}
    assert set(hub.tags("dataset", "mbo/tfbind8")) == {"v1.0.0"}


def wait_for(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.mark.parametrize("status", [500, 429])
def test_publishing_survives_a_server_that_stumbles(
    hub: HubServer, here: Here, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    hub.fault(
        "status", match=r"POST .*/(create|commit/main|tag/)", times=2, status=status, retry_after=0
    )
    monkeypatch.setattr("mbo_hub.publishing.publish.validate", lambda path: [])
    here.mbo("publish", "tfbind8", "--org", "mbo")
    assert len(hub.commits("dataset", "mbo/tfbind8")) == 2
    assert set(hub.tags("dataset", "mbo/tfbind8")) == {"v1.0.0"}


# --------------------------------------------------------------------------- the clients of others


def test_datasets_by_default_by_revision_and_streaming(
    published: HubServer, tmp_path: Path
) -> None:
    Client(published, tmp_path / "c").python("""
import numpy as np
from datasets import load_dataset
import mbo_hub
ds = load_dataset("mbo/tfbind8")
assert {k: len(v) for k, v in ds.items()} == {"train": 32_898, "test": 32_894}
assert (ds["train"].features["x"].feature.dtype, ds["train"].features["x"].length) == ("int8", 8)
tagged = load_dataset("mbo/tfbind8", revision="v1.0.0", split="train")
task = mbo_hub.load("mbo/tfbind8", revision="v1.0.0")
assert np.array_equal(np.array(tagged["y"], np.float32), task.y)
first = next(iter(load_dataset("mbo/tfbind8", split="test", streaming=True)))
assert first["sequence"] == task.space.decode(task.hidden[0][:1])[0]
for version, best in (("v1.0.0", 12.0), ("v1.1.0", 17.0)):
    y = load_dataset("stranger/vowels", revision=version, split="test")["y"]
    assert max(y) == best, (version, max(y))
""")


def test_pandas_onnxruntime_and_the_hf_command(published: HubServer, tmp_path: Path) -> None:
    """Nobody here needs mbo_hub, but for comparing."""
    client = Client(published, tmp_path / "c")
    client.python("""
import numpy as np, pandas, onnxruntime
from huggingface_hub import hf_hub_download
frame = pandas.read_parquet("hf://datasets/mbo/tfbind8/data/train.parquet")
assert frame.shape == (32_898, 3)
path = hf_hub_download("mbo/tfbind8-oracle", "model.onnx", revision="v1.0.0")
x = np.stack(frame["x"][:500]).astype(np.int64)
(y,) = onnxruntime.InferenceSession(path).run(None, {"x": x})
assert np.array_equal(y, frame["y"][:500].to_numpy())
import mbo_hub
assert np.array_equal(mbo_hub.load("tfbind8").oracle(x), y)
""")
    run(str(BIN / "hf"), "download", "mbo/tfbind8", "--repo-type", "dataset", "--revision", "v1.0.0",
        "--local-dir", "mine", env=client.env, cwd=client.folder)  # fmt: skip
    client.mbo("validate", "mine")
    assert "GCTAATTA" not in client.mbo("info", "./mine").stdout


# ------------------------------------------------------------------------------- loading with mbo_hub


def test_a_strangers_task_loads_by_name_in_each_version(
    published: HubServer, tmp_path: Path
) -> None:
    client = Client(published, tmp_path / "c")
    code = """
import mbo_hub
for revision, version, best in (("v1.0.0", "1.0.0", 12), ("1.1.0", "1.1.0", 17), (None, "1.1.0", 17)):
    task = mbo_hub.load("stranger/vowels", revision)
    assert task.version == version, (revision, task.version)
    assert task.manifest.statistics.y_max == best
    assert task.oracle(task.x).tolist() == task.y.tolist()
    assert task.evaluate(task.hidden[0]).raw.best == best
"""
    client.python(code)
    before = len(published.requests)
    client.python(code, HF_HUB_OFFLINE="1")
    assert published.requests[before:] == []


def test_offline_never_serves_another_version(
    published: HubServer, reader: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader.load(revision="v1.1.0")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    said = reader.refused()
    assert said == (
        "mbo_hub.errors.HubUnavailable: stranger/vowels (dataset, revision v1.0.0): task.json: not "
        f"in the cache, and the Hub at {published.url} may not be asked (HF_HUB_OFFLINE is set). "
        "Ways out: connect, set HF_ENDPOINT to a mirror, or load a folder that was downloaded "
        "elsewhere"
    )


def test_a_cached_version_is_served_without_a_request(published: HubServer, reader: Here) -> None:
    reader.load()
    before = len(published.requests)
    reader.load()
    assert published.requests[before:] == []


def test_the_archives_own_tasks_come_from_the_hub_where_they_are_not_embedded(
    published: HubServer, tmp_path: Path
) -> None:
    client = Client(published, tmp_path / "c")
    client.python(
        BARE
        + """
import mbo_hub
for name in ("tfbind8", "mbo/tfbind8"):
    task = mbo_hub.load(name, revision="v1.0.0")
    assert len(task.x) == 32_898
    for oracle in task.oracles:
        task.evaluate(task.x[:9], oracle=oracle)
"""
    )
    listed = client.mbo("cache", "--verify").stdout
    for line in ("tfbind8 .*embedded .*intact", "mbo/tfbind8 .*dataset .*intact",
                 "mbo/tfbind8-oracle .*model .*intact"):  # fmt: skip
        assert re.search(f"^{line}", listed, re.M), listed


def test_a_task_that_is_built_from_its_source_comes_from_the_hub_as_well(
    published: HubServer, reader: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (RAW / "superconductor").is_dir():
        pytest.skip("superconductor's raw file is not at ../shared/raw")
    code = """
import mbo_hub
for labels in ("measured", "oracle"):
    task = mbo_hub.load("superconductor", labels=labels)
    assert task.x.shape == (17014, 86)
    report = task.evaluate(task.x[:9])
    assert report.outside == 0
"""
    reader.python(code)
    before = len(published.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    mbo_hub.load("superconductor", labels="oracle")
    assert published.requests[before:] == []
    assert re.search(
        "^mbo/superconductor .*dataset .*intact", reader.mbo("cache", "--verify").stdout, re.M
    )


def test_without_a_network_what_is_here_loads_with_one_question_that_waits_a_second(
    hub: HubServer,
    here: Here,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An embedded copy, a cached tag and a cached branch; with the server gone, and mute."""
    stock(hub, here)
    wanted = [
        ["tfbind8"],
        ["mbo/tfbind8", "v1.0.0"],
        ["stranger/vowels", "v1.0.0"],
        ["stranger/vowels"],
    ]
    for arguments in wanted:
        mbo_hub.load(*arguments)
    hang = hub.fault("hang", times=None, seconds=30)
    assert archive_hub.SOON <= 1
    mute, gone = hub.url, "http://127.0.0.1:9"
    for where in (mute, gone):
        # The cache does not depend on the endpoint; nothing listens on the second one.
        monkeypatch.setattr(hub, "url", where)
        hub.adopt(monkeypatch, here.home)
        for arguments in wanted:
            asked = hang.fired
            caplog.clear()
            with prompt():
                mbo_hub.load(*arguments)
            assert hang.fired - asked == (arguments == ["stranger/vowels"] and where == mute)
            warned = "Using the copy that is cached here" in caplog.text
            assert warned == (arguments == ["stranger/vowels"]), caplog.text
    said = here.python("import mbo_hub; mbo_hub.load('stranger/vowels')", HF_ENDPOINT=gone)
    assert "Using the copy that is cached here" in said.stderr, "a user is told"
    hub.clear_faults()


def test_what_does_not_exist_is_named(reader: Here) -> None:
    for name, revision, start in [
        ("stranger/nothing", None, "UnknownTask: stranger/nothing (dataset, revision main)"),
        (
            "stranger/vowels",
            "v9.0.0",
            "UnknownRevision: stranger/vowels (dataset, revision v9.0.0)",
        ),
        ("mbo/tfbind8", "v9.0.0", "UnknownRevision: mbo/tfbind8 (dataset, revision v9.0.0)"),
    ]:
        said = reader.refused(name, revision)
        assert said.startswith(f"mbo_hub.errors.{start}"), said


def test_a_repository_without_a_task_json(hub: HubServer, here: Here) -> None:
    hub.put("dataset", "stranger/other", {"README.md": b"# Other"})
    done = here.mbo("info", "stranger/other", check=False)
    assert done.returncode == 1
    assert "there is no such file in the repository" in done.stderr


def test_a_refused_repository(hub: HubServer, here: Here) -> None:
    hub.put("dataset", "stranger/gated", {"task.json": b"{}"})
    hub.fault("status", match="gated/resolve", times=None, status=403, code="GatedRepo")
    assert here.refused("stranger/gated", None).startswith(
        "mbo_hub.errors.NotPermitted: stranger/gated (dataset, revision main): task.json: "
    )


# ------------------------------------------------------------------------------------------- faults

LOAD = "import mbo_hub; t = mbo_hub.load('stranger/vowels', 'v1.0.0'); assert t.oracle(t.x).tolist() == t.y.tolist(); t.hidden"


def stock(hub: HubServer, client: Client) -> None:
    """Put a stranger's task on the Hub without a client: publishing is tested above."""
    stranger.write(client.folder / "mine", "1.0.0")
    hub.put("dataset", "stranger/vowels", files_of(client.folder / "mine"))
    hub.tag("dataset", "stranger/vowels", "v1.0.0")


@pytest.fixture
def stocked(hub: HubServer, client: Client) -> HubServer:
    stock(hub, client)
    return hub


def intact(client: Client) -> bool:
    """Whether every file in the cache is what the Hub announced: `mbo cache --verify` has a test."""
    blobs = [path for path in client.home.glob("hub/*/snapshots/*/**/*") if path.is_file()]
    return all(archive_hub._announced(path) == archive_hub._found(path) for path in blobs)


def is_here(client: Client) -> bool:
    """Whether the task was downloaded whole."""
    return len(list(client.home.glob("hub/*/snapshots/*/**/*.*"))) == 4 and intact(client)


def test_each_kind_of_fault_with_a_client_of_its_own(stocked: HubServer, client: Client) -> None:
    """The real command of a user, faults of all kinds one after another."""
    for kind, file in (("alter", "task.json"), ("truncate", "data/train.parquet")):
        spoiled = stocked.fault(kind, f"GET .*resolve/.*/{file}", None, after=50)
        said = client.error(LOAD)
        assert spoiled.fired
        assert said.startswith(SPOILED), said
        stocked.clear_faults()
    dropped = stocked.fault("drop", match=r"GET .*resolve/.*/oracle\.onnx", after=100)
    stumbles = [
        stocked.fault("status", f"{method} .*resolve/", status=503, retry_after=0)
        for method in ("HEAD", "GET")
    ]
    client.python(LOAD)
    assert [fault.fired for fault in (dropped, *stumbles)] == [1, 1, 1]
    assert is_here(client)


@pytest.mark.parametrize("file", ["task.json", "data/train.parquet", "oracle.onnx"])
def test_a_connection_that_drops_in_the_middle_is_taken_up_again(
    stocked: HubServer, here: Here, file: str
) -> None:
    stocked.fault("drop", match=f"GET .*resolve/.*/{file}", after=100)
    here.load()
    assert stocked.faults[0].fired == 1
    assert is_here(here)


@pytest.mark.parametrize("status", [500, 503, 429])
@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_server_that_stumbles_is_asked_again(
    stocked: HubServer, here: Here, status: int, method: str
) -> None:
    stocked.fault("status", match=f"{method} .*resolve/", times=2, status=status, retry_after=0)
    here.load()
    assert stocked.faults[0].fired == 2
    assert is_here(here)


def test_a_server_that_is_down_for_good_says_so(stocked: HubServer, here: Here) -> None:
    stocked.fault("status", match="resolve/", times=None, status=503)
    said = here.refused()
    assert said.startswith("mbo_hub.errors.HubUnavailable: ")
    assert "answers 503. Ways out" in said


SPOILED = ("mbo_hub.errors.IntegrityError", "mbo_hub.errors.DownloadFailed")


@pytest.mark.parametrize("kind", ["alter", "truncate"])
@pytest.mark.parametrize("file", ["task.json", "data/train.parquet", "oracle.onnx"])
def test_a_file_spoiled_on_the_way_is_refused_and_not_kept(
    stocked: HubServer, here: Here, kind: str, file: str
) -> None:
    stocked.fault(kind, match=f"GET .*resolve/.*/{file}", times=None, after=50)
    said = here.refused()
    assert said.startswith(SPOILED), said
    assert intact(here)
    stocked.clear_faults()
    here.load()
    assert is_here(here)


def test_a_file_exchanged_on_the_server_is_an_integrity_error(hub: HubServer, here: Here) -> None:
    """The repository agrees with itself, but not with the sha256 in task.json."""
    stranger.write(here.folder / "mine", "1.0.0")
    files = files_of(here.folder / "mine")
    files["data/train.parquet"] = files["data/test.parquet"]
    hub.put("dataset", "stranger/vowels", files)
    hub.tag("dataset", "stranger/vowels", "v1.0.0")
    said = here.refused()
    assert said.startswith("mbo_hub.errors.IntegrityError: stranger/vowels@")
    assert "data/train.parquet: sha256 expected" in said


def test_a_moved_tag_is_never_taken_for_the_old_one(
    hub: HubServer, here: Here, client: Client
) -> None:
    hub.put("dataset", "mbo/tfbind8", files_of(DATASET))
    hub.tag("dataset", "mbo/tfbind8", "v1.0.0")
    stock(hub, client)
    old = client.home / "other"
    here.load()
    client.python("from huggingface_hub import hf_hub_download as get; "
                  "get('stranger/vowels', 'README.md', repo_type='dataset', revision='v1.0.0')",
                  HF_HOME=str(old))  # fmt: skip
    for repo in ("mbo/tfbind8", "stranger/vowels"):
        changed = hub.files("dataset", repo)["task.json"].replace(b'"title"', b'"title" ')
        sha = hub.put("dataset", repo, {"task.json": changed})
        hub.tag("dataset", repo, "v1.0.0", sha, force=True)
    # A task of the archive: this release pins its sha256.
    said = client.error(BARE + "import mbo_hub; mbo_hub.load('tfbind8')")
    assert said.startswith("mbo_hub.errors.IntegrityError: mbo/tfbind8@")
    assert "task.json: sha256 expected" in said
    # Another's, when anything of the old tag is cached.
    said = client.error(
        "import mbo_hub; mbo_hub.load('stranger/vowels', 'v1.0.0')", HF_HOME=str(old)
    )
    assert said.startswith("mbo_hub.errors.IntegrityError: stranger/vowels: tag v1.0.0 was commit")
    # And one that is loaded already goes on with the commit that it began with.
    here.load()


def test_a_cache_that_cannot_be_written(stocked: HubServer, client: Client) -> None:
    said = client.error(LOAD, HF_HOME="/proc/self/nowhere")
    assert said.startswith("mbo_hub.errors.DownloadFailed: stranger/vowels"), said
    assert "nothing of it was kept" in said


def test_a_full_disk(stocked: HubServer, client: Client, here: Here) -> None:
    """A limit on the size of files stands in for it: the write fails in the middle."""
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); " \
            "resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)); "  # fmt: skip
    said = client.error(limit + LOAD)
    assert said.startswith("mbo_hub.errors.DownloadFailed"), said
    assert "File too large" in said
    assert intact(client)
    here.load()


def test_two_processes_download_the_same_task_at_once(stocked: HubServer, client: Client) -> None:
    stocked.fault("slow", match="GET .*resolve/", times=None, seconds=0.3)
    both = [
        subprocess.Popen([sys.executable, "-c", LOAD], env=client.env, cwd=client.folder,
                         stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]  # fmt: skip
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert is_here(client)


def test_a_download_that_was_killed_is_finished_by_the_next(
    stocked: HubServer, client: Client, here: Here
) -> None:
    stocked.fault("slow", match="GET .*train.parquet", seconds=60)
    process = subprocess.Popen([sys.executable, "-c", LOAD], env=client.env, cwd=client.folder)
    wait_for(lambda: stocked.faults[0].fired)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stocked.clear_faults()
    here.load()
    assert is_here(here)


def test_the_cache_is_listed_verified_and_emptied(
    stocked: HubServer, client: Client, here: Here
) -> None:
    here.load()
    (copy,) = [
        c for c in json.loads(here.mbo("cache", "--json").stdout) if c["name"] == "stranger/vowels"
    ]
    assert copy["versions"] == ["v1.0.0"]
    assert copy["bytes"] > 1000
    blob = next(p for p in Path(copy["path"]).rglob("snapshots/*/oracle.onnx"))
    with blob.open("r+b") as file:
        file.seek(10)
        file.write(b"XX")
    damaged = client.mbo("cache", "--verify", check=False)
    assert damaged.returncode == 1
    assert "damaged: oracle.onnx" in damaged.stdout
    assert "IntegrityError" in here.refused()
    here.load()  # the damaged file was removed, and downloaded anew
    assert "removed stranger/vowels" in here.mbo("cache", "--remove", "stranger/vowels").stdout
    assert "stranger/vowels" not in here.mbo("cache").stdout
    gone = here.mbo("cache", "--remove", "stranger/vowels", check=False)
    assert gone.stderr.startswith("UnknownTask: 'stranger/vowels' is not in the cache")


OPENED = """
import json, sys
opened = []
sys.addaudithook(lambda event, of: opened.append(str(of[0])) if event == "open" else None)
from mbo_hub.archive.cache import copies
names = [copy.name for copy in copies(check=False)]
print(json.dumps([names, opened]))
"""


def test_what_was_fetched_needs_no_network(stocked: HubServer, client: Client, here: Here) -> None:
    """A stranger's task by branch and by tag, and one of the archive's own; and what that costs."""
    fetched = [
        *json.loads(client.mbo("fetch", "stranger/vowels", "tfbind8", "--json").stdout),
        *json.loads(here.mbo("fetch", "stranger/vowels", "--revision", "v1.0.0", "--json").stdout),
    ]
    folder = client.folder / "mine"
    theirs = {"task.json", "data/train.parquet", "oracle.onnx"}
    for one in (fetched[0], fetched[-1]):
        assert one["downloaded"]
        assert set(one["files"]) >= theirs
        assert one["bytes"] == sum((folder / file).stat().st_size for file in one["files"])
        assert one["source"].startswith("stranger/vowels@")
    assert [(one["task"], one["downloaded"]) for one in fetched[1:-1]] == [("tfbind8", False)] * 2
    before = len(stocked.requests)
    code = """
import mbo_hub
for arguments in (["stranger/vowels"], ["stranger/vowels", "v1.0.0"], ["tfbind8"]):
    task = mbo_hub.load(*arguments)
    task.evaluate(task.x[:3]), task.hidden
"""
    client.python(code, HF_HUB_OFFLINE="1")
    assert stocked.requests[before:] == []
    names, opened = json.loads(client.python(OPENED).stdout)
    assert "stranger/vowels" in names
    data = [path for path in opened if re.search(r"blobs/|\.(parquet|onnx)$", path)]
    assert data == [], "listing the cache reads the data"
    shown = here.mbo("fetch", "stranger/vowels")
    assert re.search(
        r"^stranger/vowels +\d +[\d.]+ kB +downloaded +stranger/vowels@", shown.stdout, re.M
    )
    assert str(client.home) in shown.stderr
    unknown = here.mbo("fetch", "stranger/nothing", check=False)
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr.startswith("UnknownTask: stranger/nothing")


def test_a_file_larger_than_declared_is_not_downloaded(
    hub: HubServer, here: Here, tmp_path: Path
) -> None:
    stranger.write(tmp_path / "theirs")
    files = files_of(tmp_path / "theirs")
    size = len(files["data/train.parquet"])
    files["data/train.parquet"] += bytes(3 << 20)
    hub.put("dataset", "stranger/vowels", files)
    said = here.refused(revision=None)
    wanted = f"it has {size + (3 << 20):,} bytes, more than the {size:,} that it may have"
    assert f"{wanted}; it was not downloaded" in said
    assert not [r for r in hub.requests if r.method == "GET" and "train.parquet" in r.path]


# ------------------------------------------------------------------------------- a Hub that lies


def always(**headers: str) -> Lie:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda method, count: named


def at_second(**headers: str) -> Lie:
    """The truth when it is asked for the first time, before anything is downloaded."""
    lie = always(**headers)
    return lambda method, count: lie(method, count) if method == "HEAD" and count else {}


LIES = {
    "an ETag that is a path": (always(ETag='"VICTIM"'), "the ETag"),
    "an ETag with steps upwards": (always(ETag='"../../../../victim"'), "the ETag"),
    "a weak one": (always(ETag='W/"../victim"'), "the ETag"),
    "an empty one": (always(ETag='""'), "the ETag"),
    "a long one": (always(ETag=f'"{"a" * 5000}"'), "the ETag"),
    "a linked one": (always(X_Linked_Etag='"VICTIM"'), "the X-Linked-Etag"),
    "dots": (always(ETag='".."'), "the ETag"),
    "at second": (at_second(ETag='"VICTIM"'), "the ETag"),
    "a commit with steps": (always(X_Repo_Commit="../.."), "the X-Repo-Commit"),
    "a commit that is a path": (always(X_Repo_Commit="VICTIM"), "the X-Repo-Commit"),
    "a commit at second": (at_second(X_Repo_Commit="../.."), "the X-Repo-Commit"),
    "a size beyond all": (always(X_Linked_Size="1" + "0" * 15), "it was not downloaded"),
    "a size with digits only": (always(X_Linked_Size="9" * 5000), "the X-Linked-Size"),
    "a size in words": (always(X_Linked_Size="many"), "the X-Linked-Size"),
    "a size at second": (at_second(X_Linked_Size="1" + "0" * 15), "announces"),
    "a body without end": (always(Chunks="20000"), f"more than the {len(BODY)} bytes"),
    "a packed body": (
        lambda method, count: {"Content-Encoding": "gzip"} if method == "GET" else {},
        "a packed body",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIES)
def test_nothing_that_a_hub_announces_becomes_a_path_unseen(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"of somebody else")
    lie, words = LIES[name]

    def told(method: str, count: int) -> dict[str, str]:
        return {k: v.replace("VICTIM", str(victim)) for k, v in lie(method, count).items()}

    monkeypatch.setattr(archive_hub, "PAUSES", (0.0, 0.0, 0.0))
    home = tmp_path / "home"
    with LyingHub(told) as liar:
        liar.adopt(monkeypatch, home)
        with pytest.raises(MboHubError) as raised:
            archive_hub.download("mbo/it", "dataset", "README.md", "v1.0.0")
        assert liar.sent < 40 * 2**20
    assert words in str(raised.value)
    assert len(str(raised.value)) < 400
    assert victim.read_bytes() == b"of somebody else"
    assert files_outside(home, tmp_path) == {victim}
    assert not [path for path in home.rglob("*") if path.is_symlink()]


def test_a_list_of_files_comes_to_an_end(
    stocked: HubServer, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "task.json" in archive_hub.files_at("stranger/vowels", "dataset")
    monkeypatch.setattr(archive_hub, "MANY", 3)
    with pytest.raises(mbo_hub.InvalidDataset, match="lists more than 3 files"):
        archive_hub.files_at("stranger/vowels", "dataset")
    monkeypatch.setattr(archive_hub, "PAGE", 100)
    with pytest.raises(MboHubError, match="sends more than the 100 bytes"):
        archive_hub.files_at("stranger/vowels", "dataset")


def test_the_truth_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also by a Hub that names files by something else than their hash, as some mirrors do."""
    for lie in (always(), always(ETag='W/"5f3c-61a:b-gzip"'), always(Chunks="1")):
        home = tmp_path / str(len(list(tmp_path.iterdir())))
        with LyingHub(lie) as liar, pytest.MonkeyPatch.context() as patch:
            liar.adopt(patch, home)
            path = archive_hub.download("mbo/it", "dataset", "README.md", "v1.0.0", len(BODY))
            assert path.read_bytes() == BODY
            with pytest.raises(MboHubError, match="it was not downloaded"):
                archive_hub.download("mbo/it", "dataset", "README.md", "main", len(BODY) - 1)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/./b", "", "a\nb", "a\\..\\b"])
def test_a_file_of_a_repository_lies_in_it(name: str) -> None:
    with pytest.raises(mbo_hub.InvalidDataset, match="not the name of a file"):
        archive_hub.download("mbo/it", "dataset", name, "v1.0.0")


def test_only_files_of_the_cache_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    inside, outside = tmp_path / "cache" / "blob", tmp_path / "outside"
    (tmp_path / "cache").mkdir()
    for target in (inside, outside):
        target.write_bytes(b"it")
        link = tmp_path / "cache" / f"to {target.name}"
        link.symlink_to(target)
        archive_hub.forget(link)
        assert not link.is_symlink()
    assert outside.is_file()
    assert not inside.exists()
    archive_hub.forget(outside)
    assert outside.is_file()
