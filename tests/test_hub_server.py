"""The Hub of the tests, tried with the real clients, each in a process of its own as users have it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import random
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import PROMPT_S
from hub_server import READ_TOKEN, WRITE_TOKEN, HubServer, unpack_lz4

pytestmark = pytest.mark.slow(
    "8 core-seconds: tests of what other tests use; test_hub.py and test_publish.py fail without it"
)

PRELUDE = """
import json, sys
from pathlib import Path

def say(**facts):
    print(json.dumps(facts))

def error(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        return [type(error).__name__, status]
"""


def client(
    hub: HubServer, home: Path, code: str, token: str | None = WRITE_TOKEN, **env: str
) -> dict[str, Any]:
    """Run a script as a client of the Hub and return what it says."""
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(code)],
        cwd=home,
        env=hub.env(home / "hf", token) | env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def fetch(url: str, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    try:
        with urllib.request.urlopen(  # http on loopback
            urllib.request.Request(url, headers=headers),
            timeout=20,
        ) as answer:
            return answer.status, answer.read(), dict(answer.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(), dict(error.headers)


def threads_of(hub: HubServer) -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.endswith(hub.url)]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubServer]:
    with HubServer(tmp_path / "hub") as server:
        yield server
    assert not threads_of(server)


# --------------------------------------------------------------- publishing, then reading in many ways

CARD = """---
license: apache-2.0
tags: [offline-optimization]
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train.parquet
- config_name: small
  data_files:
  - split: train
    path: data/small.parquet
---
# Demo
"""

PUBLISH = """
import numpy, pyarrow, pyarrow.parquet
from huggingface_hub import HfApi

api = HfApi()
folder = Path("folder")
(folder / "data").mkdir(parents=True)
(folder / "README.md").write_text(CARD)
(folder / "task.json").write_text('{"name": "demo"}')
(folder / "empty.txt").touch()
(folder / "oracle.onnx").write_bytes(numpy.arange(100_000, dtype="float32").tobytes())
(folder / "noise.npz").write_bytes(numpy.random.default_rng(0).bytes(300_000))
(folder / "text.bin").write_bytes(b"designs and scores, " * 20_000)

def write_tables(y):
    for name, rows in ("train", 100), ("small", 10):
        table = pyarrow.table({"x": list(range(rows)), "y": [y] * rows})
        pyarrow.parquet.write_table(table, folder / "data" / f"{name}.parquet")

facts = {}
for repo_type in "dataset", "model":
    to = {"repo_id": "mbo/demo", "repo_type": repo_type}
    url = api.create_repo(**to)
    again = error(api.create_repo, **to)
    api.create_repo(**to, exist_ok=True)
    write_tables(1.0)
    first = api.upload_folder(folder_path=folder, **to, commit_message="one")
    same = api.upload_folder(folder_path=folder, **to, commit_message="one again")
    api.create_tag(**to, tag="v1.0.0", tag_message="first")
    second_tag = error(api.create_tag, **to, tag="v1.0.0")
    api.create_tag(**to, tag="v1.0.0", exist_ok=True)
    write_tables(2.0)
    second = api.upload_folder(folder_path=folder, **to, commit_message="two")
    api.create_tag(**to, tag="v1.1.0")
    api.create_tag(**to, tag="old", revision=first.oid)
    api.create_tag(**to, tag="oops")
    api.delete_tag(**to, tag="oops")
    api.create_branch(**to, branch="side", revision="v1.0.0")
    refs = api.list_repo_refs(**to)
    info = api.repo_info(**to, revision="v1.0.0", files_metadata=True)
    tree = {e.path: e for e in api.list_repo_tree(**to, recursive=True, expand=True)}
    facts[repo_type] = {
        "url": url, "again": again, "first": first.oid, "same": same.oid, "second": second.oid,
        "second_tag": second_tag,
        "tags": {t.name: t.target_commit for t in refs.tags},
        "branches": {b.name: b.target_commit for b in refs.branches},
        "commits": [c.title for c in api.list_repo_commits(**to)],
        "sha": info.sha, "info_tags": info.tags,
        "sizes": {s.rfilename: s.size for s in info.siblings},
        "lfs": sorted(s.rfilename for s in info.siblings if s.lfs),
        "tree": sorted(tree), "last": {p: e.last_commit.title for p, e in tree.items()},
        "top": sorted(e.path for e in api.list_repo_tree(**to)),
        "paths": [e.path for e in api.get_paths_info(paths=["task.json", "data", "no"], **to)],
    }
author = {"author": "mbo", "filter": "offline-optimization"}
say(
    **facts,
    user=api.whoami()["name"],
    listed=[d.id for d in api.list_datasets(**author)] + [m.id for m in api.list_models(**author)],
    expanded=[k for k, v in vars(api.dataset_info("mbo/demo", expand=["sha"])).items() if v],
    missing=error(api.repo_info, "mbo/demo", revision="v9"),
)
"""


@dataclass
class Published:
    """A dataset and a model repository, uploaded by the real client with xet."""

    hub: HubServer
    folder: Path
    facts: dict[str, Any]
    requests: int


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    root = tmp_path_factory.mktemp("published")
    with HubServer(root / "hub") as hub:
        facts = client(hub, root / "home", f"CARD = {CARD!r}\n{PUBLISH}")
        yield Published(hub, root / "home" / "folder", facts, len(hub.requests))


@pytest.mark.parametrize("repo_type", ["dataset", "model"])
def test_upload_and_tag(published: Published, repo_type: str) -> None:
    hub, facts = published.hub, published.facts[repo_type]
    prefix = "/datasets" if repo_type == "dataset" else ""
    assert facts["url"] == f"{hub.url}{prefix}/mbo/demo"
    assert facts["again"] == ["HfHubHTTPError", 409]
    assert facts["second_tag"] == ["HfHubHTTPError", 409]
    assert facts["same"] == facts["first"], "an upload without changes made a commit"
    assert facts["commits"] == ["two", "one", "initial commit"]
    assert facts["branches"] == {"main": facts["second"], "side": facts["first"]}
    tags = {"v1.0.0": facts["first"], "v1.1.0": facts["second"], "old": facts["first"]}
    assert facts["tags"] == hub.tags(repo_type, "mbo/demo") == tags
    assert [c.title for c in hub.commits(repo_type, "mbo/demo")] == facts["commits"]
    commits = [r for r in hub.requests if r.path == f"/api/{repo_type}s/mbo/demo/commit/main"]
    assert [r.status for r in commits] == [200, 200]

    local = {
        path.relative_to(published.folder).as_posix(): path.read_bytes()
        for path in published.folder.rglob("*")
        if path.is_file()
    }
    served = hub.files(repo_type, "mbo/demo")
    assert b"*.onnx filter=lfs" in served.pop(".gitattributes")
    assert served == local  # whatever xet packed came out again
    assert facts["sha"] == facts["first"]
    assert facts["sizes"]["oracle.onnx"] == 400_000
    assert facts["info_tags"] == ["license:apache-2.0", "offline-optimization"]
    assert facts["lfs"] == [
        "data/small.parquet", "data/train.parquet", "noise.npz", "oracle.onnx", "text.bin",
    ]  # fmt: skip
    assert facts["tree"] == sorted([*local, ".gitattributes", "data"])
    assert facts["top"] == sorted(p for p in facts["tree"] if not p.startswith("data/"))
    assert facts["paths"] == ["task.json", "data"]
    assert facts["last"]["data"] == facts["last"]["data/train.parquet"] == "two"
    assert facts["last"]["oracle.onnx"] == "one"


def test_account_and_listing(published: Published) -> None:
    facts = published.facts
    assert facts["user"] == "tester"
    assert facts["listed"] == ["mbo/demo", "mbo/demo"]
    assert {"id", "sha"} <= set(facts["expanded"]) <= {"id", "sha", "_id"}
    assert facts["missing"] == ["RevisionNotFoundError", 404]


def test_xet_carried_the_large_files(published: Published) -> None:
    paths = [r.path for r in published.hub.requests[: published.requests]]
    assert any(p.startswith("/cas/v1/xorbs/") for p in paths)
    assert not any("/lfs/" in p for p in paths)


def test_datasets_and_pandas(published: Published, tmp_path: Path) -> None:
    said = client(
        published.hub,
        tmp_path,
        """
        import datasets, pandas
        from datasets import Dataset, load_dataset

        stream = load_dataset("mbo/demo", split="train", revision="v1.0.0", streaming=True)
        pushed = Dataset.from_dict({"x": [1, 2, 3]}).push_to_hub("mbo/pushed")
        again = Dataset.from_dict({"x": [4]}).push_to_hub("mbo/pushed", "other", split="test")
        say(
            main=load_dataset("mbo/demo")["train"]["y"][0],
            old=load_dataset("mbo/demo", split="train", revision="v1.0.0")["y"][0],
            rows=load_dataset("mbo/demo", "small", split="train").num_rows,
            streamed=[next(iter(stream))["y"], sum(1 for _ in stream)],
            pandas=pandas.read_parquet("hf://datasets/mbo/demo/data/small.parquet")["y"].tolist(),
            pandas_old=pandas.read_parquet(
                "hf://datasets/mbo/demo@v1.0.0/data/small.parquet"
            )["y"].tolist(),
            pushed=load_dataset("mbo/pushed", split="train")["x"][:],
            again=load_dataset("mbo/pushed", "other", split="test")["x"][:],
            commit=again.oid,
            missing=error(load_dataset, "mbo/nothing"),
            no_revision=error(load_dataset, "mbo/demo", revision="v9"),
        )
        """,
    )
    assert (said["main"], said["old"], said["rows"]) == (2.0, 1.0, 10)
    assert said["streamed"] == [1.0, 100]
    assert said["pandas"] == [2.0] * 10
    assert said["pandas_old"] == [1.0] * 10
    assert (said["pushed"], said["again"]) == ([1, 2, 3], [4])
    assert published.hub.commits("dataset", "mbo/pushed")[0].sha == said["commit"]
    assert len(published.hub.commits("dataset", "mbo/pushed")) == 3
    assert said["missing"][0] == said["no_revision"][0] == "DatasetNotFoundError"


def test_download_then_offline(published: Published, tmp_path: Path) -> None:
    hub, old = published.hub, published.facts["dataset"]["first"]
    before = len(hub.requests)
    client(
        hub,
        tmp_path,
        """
        from huggingface_hub import hf_hub_download, snapshot_download

        for repo_type in "dataset", "model":
            snapshot_download("mbo/demo", repo_type=repo_type, revision="v1.0.0")
        hf_hub_download("mbo/demo", "oracle.onnx", revision="v1.1.0")
        say()
        """,
        token=None,
    )
    assert {r.status for r in hub.requests[before:]} == {200}
    before = len(hub.requests)
    said = client(
        hub,
        tmp_path,
        """
        from huggingface_hub import hf_hub_download, snapshot_download
        import pyarrow.parquet

        folder = Path(snapshot_download("mbo/demo", repo_type="dataset", revision="v1.0.0"))
        table = pyarrow.parquet.read_table(folder / "data" / "train.parquet")
        link = (folder / "data" / "train.parquet").resolve()
        say(
            folder=folder.name,
            y=table["y"][0].as_py(),
            blob=link.name,
            model=Path(hf_hub_download("mbo/demo", "oracle.onnx", revision="v1.1.0")).stat().st_size,
            other=error(snapshot_download, "mbo/demo", repo_type="dataset", revision="v1.1.0"),
        )
        """,
        HF_HUB_OFFLINE="1",
    )
    assert len(hub.requests) == before, "an offline client asked the Hub"
    assert (said["folder"], said["y"], said["model"]) == (old, 1.0, 400_000)
    table = hub.files("dataset", "mbo/demo", "v1.0.0")["data/train.parquet"]
    assert said["blob"] == hashlib.sha256(table).hexdigest()
    assert said["other"][0] == "LocalEntryNotFoundError"


def test_hf_command(published: Published, tmp_path: Path) -> None:
    hub = published.hub
    hf = [str(Path(sys.executable).with_name("hf"))]
    (tmp_path / "up").mkdir()
    (tmp_path / "up" / "note.txt").write_text("from the command line")
    for line in (
        "download mbo/demo --repo-type dataset --revision v1.0.0 --local-dir down",
        "repos create mbo/typed --repo-type dataset",
        "upload mbo/typed up --repo-type dataset",
        "repos tag create mbo/typed v0.1.0 --repo-type dataset",
    ):
        done = subprocess.run(
            hf + line.split(),
            cwd=tmp_path,
            env=hub.env(tmp_path / "hf"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    for path, content in hub.files("dataset", "mbo/demo", "v1.0.0").items():
        assert (tmp_path / "down" / path).read_bytes() == content
    assert hub.files("dataset", "mbo/typed", "v0.1.0")["note.txt"] == b"from the command line"


# ------------------------------------------------------------------------------- commits, and rights


def test_create_commit(hub: HubServer, tmp_path: Path) -> None:
    """Operations, the check of the parent, and the older LFS way of uploading."""
    first = hub.put("model", "mbo/m", {"a.txt": b"a", "b/c.txt": b"c", "d.onnx": b"d"})
    said = client(
        hub,
        tmp_path,
        """
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

        api = HfApi()
        big = CommitOperationAdd("w.safetensors", b"w" * 100_000)
        odd = CommitOperationAdd("odd.xyz", bytes(1000))
        gone = CommitOperationDelete("b/", is_folder=True)
        change = [big, odd, gone, CommitOperationAdd("a.txt", b"A")]
        parent = api.repo_info("mbo/m").sha
        args = {"repo_id": "mbo/m", "commit_message": "change", "parent_commit": parent}
        commit = api.create_commit(operations=change, commit_description="why", **args)
        late = [CommitOperationAdd("a.txt", b"B")]
        nothing = [CommitOperationDelete("nothing.txt")]
        say(
            parent=parent,
            oid=commit.oid,
            late=error(api.create_commit, operations=late, **args),
            nothing=error(api.create_commit, "mbo/m", nothing, commit_message="x"),
            branch=error(api.create_commit, "mbo/m", late, commit_message="x", revision="no"),
        )
        """,
        HF_HUB_DISABLE_XET="1",
    )
    assert said["parent"] == first
    assert said["late"] == ["HfHubHTTPError", 412]
    assert said["nothing"][1] == 404
    assert said["branch"][0] == "RevisionNotFoundError"
    files = hub.files("model", "mbo/m")
    assert files.pop(".gitattributes").endswith(b"odd.xyz filter=lfs diff=lfs merge=lfs -text\n")
    big = {"w.safetensors": b"w" * 100_000, "odd.xyz": bytes(1000)}
    assert files == {"a.txt": b"A", "d.onnx": b"d", **big}
    newest = hub.commits("model", "mbo/m")[0]
    assert newest == (said["oid"], "change", "why")
    assert {p.split("/")[1] for _, p, _ in hub.requests if not p.startswith("/api")} == {
        "mbo", "lfs",
    }  # fmt: skip


RIGHTS = """
from huggingface_hub import HfApi, hf_hub_download

api = HfApi()
to = {"repo_id": "mbo/open", "repo_type": "dataset"}
secret = {"repo_id": "mbo/secret", "repo_type": "dataset"}
say(
    read=error(hf_hub_download, **to, filename="a.txt"),
    secret=error(hf_hub_download, **secret, filename="a.txt"),
    secret_info=error(api.dataset_info, "mbo/secret"),
    missing=error(api.dataset_info, "mbo/missing"),
    no_file=error(hf_hub_download, **to, filename="no.txt"),
    create=error(api.create_repo, "mbo/new"),
    elsewhere=error(api.create_repo, "google/new"),
    upload=error(api.upload_file, path_or_fileobj=b"x", path_in_repo="x.txt", **to),
    tag=error(api.create_tag, **to, tag="v2"),
    delete=error(api.delete_repo, **to),
    listed=[d.id for d in api.list_datasets()],
    wrong=error(HfApi(token="hf_wrong").dataset_info, "mbo/open"),
)
"""


def test_rights(hub: HubServer, tmp_path: Path) -> None:
    hub.put("dataset", "mbo/open", {"a.txt": b"a"})
    hub.create("dataset", "mbo/secret", private=True)
    hub.put("dataset", "mbo/secret", {"a.txt": b"a"})
    gone, absent, denied = ["RepositoryNotFoundError", 401], ["RepositoryNotFoundError", 404], 403

    said = client(hub, tmp_path / "anonymous", RIGHTS, token=None)
    assert said["read"] is None
    assert said["secret"] == said["secret_info"] == said["missing"] == gone
    assert said["no_file"] == ["RemoteEntryNotFoundError", 404]
    assert said["create"][1] == said["upload"][1] == said["tag"][1] == said["delete"][1] == 401
    assert said["listed"] == ["mbo/open"]

    said = client(hub, tmp_path / "reader", RIGHTS, token=READ_TOKEN)
    assert said["read"] is said["secret"] is said["secret_info"] is None
    assert said["missing"] == absent
    for action in "create", "elsewhere", "upload", "tag", "delete":
        assert said[action] == ["HfHubHTTPError", denied], action
    assert said["listed"] == ["mbo/open", "mbo/secret"]

    said = client(hub, tmp_path / "writer", RIGHTS)
    assert said["wrong"] == ["HfHubHTTPError", 401]
    done = ("read", "secret", "secret_info", "create", "upload", "tag", "delete")
    assert [said[action] for action in done] == [None] * 7
    assert said["elsewhere"] == ["HfHubHTTPError", denied]
    assert hub.store.load("dataset", "mbo/open") is None
    assert hub.commits("model", "mbo/new")[0].title == "initial commit"


# ------------------------------------------------------------------------------------------- faults


def test_faults_in_downloads(hub: HubServer, tmp_path: Path) -> None:
    names = ["drop", "truncate", "alter", "slow", "hang", "busy", "head500", "get500", "gated"]
    # all different, for the client's cache shares what is equal
    files = {name: random.Random(name).randbytes(200_000) for name in names}  # noqa: S311
    files["drop"] *= 60  # the client writes, and resumes after, 10 MiB at a time
    hub.put("model", "mbo/m", {f"{name}.bin": content for name, content in files.items()})
    hub.fault("drop", r"GET .*drop\.bin", after=11_000_000)
    hub.fault("truncate", r"GET .*truncate\.bin", after=60_000)
    hub.fault("alter", r"resolve/.*alter\.bin", after=70_000)
    hub.fault("slow", r"GET .*slow\.bin", seconds=0.8)
    hub.fault("hang", r"GET .*hang\.bin", seconds=60)
    hub.fault("status", r"GET .*busy\.bin", status=429, retry_after=0)
    hub.fault("status", r"HEAD .*head500\.bin", times=2)
    hub.fault("status", r"GET .*get500\.bin")
    hub.fault("status", r"gated\.bin", times=None, status=403, code="GatedRepo")
    said = client(
        hub,
        tmp_path,
        f"""
        import time
        from concurrent.futures import ThreadPoolExecutor
        from huggingface_hub import hf_hub_download

        def get(name):
            start = time.monotonic()
            try:
                result = hf_hub_download("mbo/m", f"{{name}}.bin")
            except Exception as error:
                result = type(error).__name__
            return result, time.monotonic() - start

        names = {names}
        with ThreadPoolExecutor(len(names)) as pool:
            say(**dict(zip(names, pool.map(get, names))))
        """,
        HF_HUB_DOWNLOAD_TIMEOUT="3",
    )
    got = {name: result for name, (result, _) in said.items()}
    for name in "drop", "slow", "hang", "busy", "head500":
        assert Path(got.pop(name)).read_bytes() == files[name]
    altered = Path(got.pop("alter")).read_bytes()  # the client does not notice
    assert [i for i in range(200_000) if altered[i] != files["alter"][i]] == [70_000]
    assert got == {
        "truncate": "OSError",
        "get500": "HfHubHTTPError",
        "gated": "GatedRepoError",
    }
    assert said["slow"][1] > 0.8
    assert [f.fired for f in hub.faults[:7]] == [1, 1, 1, 1, 1, 1, 2]
    assert all(f.fired for f in hub.faults)
    drops = [r.status for r in hub.requests if r[:2] == ("GET", "/mbo/m/resolve/main/drop.bin")]
    assert drops == [200, 206], "the download was not resumed"
    hub.clear_faults()
    assert fetch(f"{hub.url}/mbo/m/resolve/main/gated.bin")[:2] == (200, files["gated"])


def test_faults_in_uploads(hub: HubServer, tmp_path: Path) -> None:
    """A lost answer, a busy server and a failing one, while a folder is uploaded."""
    hub.fault("status", r"POST /cas/v1/xorbs", status=503)
    hub.fault("status", r"POST .*/preupload/", status=502)
    hub.fault("drop", r"POST .*/commit/main")
    hub.fault("status", r"POST .*/tag/", status=500)
    said = client(
        hub,
        tmp_path,
        """
        from huggingface_hub import HfApi

        api = HfApi()
        Path("up").mkdir()
        Path("up/a.onnx").write_bytes(bytes(range(256)) * 500)
        api.create_repo("mbo/m")
        commit = api.upload_folder(repo_id="mbo/m", folder_path="up")
        say(oid=commit.oid, tag=error(api.create_tag, "mbo/m", tag="v1"))
        """,
    )
    assert all(fault.fired == 1 for fault in hub.faults)
    assert said["tag"] == ["HfHubHTTPError", 500]
    assert hub.tags("model", "mbo/m") == {}
    assert [c.sha for c in hub.commits("model", "mbo/m")][:-1] == [said["oid"]]
    assert hub.files("model", "mbo/m")["a.onnx"] == bytes(range(256)) * 500


def test_unknown_fault(hub: HubServer) -> None:
    with pytest.raises(ValueError, match=re.escape("no fault 'flood'; there are status, hang")):
        hub.fault("flood")


# ---------------------------------------------------------------------------------- without a client


def test_put_tag_and_look(hub: HubServer) -> None:
    one = hub.put("dataset", "mbo/d", {"a.txt": b"1", "b.txt": b"b"}, "one")
    hub.tag("dataset", "mbo/d", "v1")
    two = hub.put("dataset", "mbo/d", {"a.txt": b"2", "b.txt": None})
    assert hub.put("dataset", "mbo/d", {"a.txt": b"2"}) == two
    assert [c.title for c in hub.commits("dataset", "mbo/d")] == ["put", "one", "initial commit"]
    assert hub.files("dataset", "mbo/d", "v1")["a.txt"] == b"1"
    assert "b.txt" not in hub.files("dataset", "mbo/d")
    with pytest.raises(ValueError, match="has a tag v1"):
        hub.tag("dataset", "mbo/d", "v1")
    hub.tag("dataset", "mbo/d", "v1", two, force=True)
    assert (hub.tags("dataset", "mbo/d"), one != two) == ({"v1": two}, True)
    with pytest.raises(KeyError, match="no model mbo/d"):
        hub.files("model", "mbo/d")


def test_resolve(hub: HubServer) -> None:
    sha = hub.put("dataset", "mbo/d", {"x.npy": bytes(range(100)), "ä b.txt": b"umlaut"})
    url = f"{hub.url}/datasets/mbo/d/resolve/main"
    status, body, headers = fetch(f"{url}/x.npy", Range="bytes=10-19")
    assert (status, body, headers["Content-Range"]) == (
        206,
        bytes(range(10, 20)),
        "bytes 10-19/100",
    )
    assert headers["X-Repo-Commit"] == sha
    assert headers["X-Linked-Etag"] == f'"{hashlib.sha256(bytes(range(100))).hexdigest()}"'
    assert fetch(f"{url}/x.npy", Range="bytes=-5")[1] == bytes(range(95, 100))
    assert fetch(f"{url}/x.npy", Range="bytes=95-")[1] == bytes(range(95, 100))
    assert fetch(f"{url}/x.npy", Range="bytes=100-")[0] == 416
    assert fetch(f"{url}/%C3%A4%20b.txt")[1] == b"umlaut"
    assert hub.requests[-1] == ("GET", "/datasets/mbo/d/resolve/main/ä b.txt", 200)
    codes = {
        f"{url}/no.txt": "EntryNotFound",
        f"{hub.url}/datasets/mbo/d/resolve/v9/x.npy": "RevisionNotFound",
        f"{hub.url}/mbo/d/resolve/main/x.npy": "RepoNotFound",
        f"{hub.url}/api/datasets/glue": "RepoNotFound",
    }
    assert {address: fetch(address)[2]["X-Error-Code"] for address in codes} == codes


def test_lz4_frame() -> None:
    """Literals, an overlapping match with a long length, and a block that did not compress."""
    match = bytes([0x1F, ord("a"), 1, 0, 15]) + bytes([0x30]) + b"xyz"
    frame = bytes.fromhex("04224d18604082") + len(match).to_bytes(4, "little") + match
    frame += (3 | 1 << 31).to_bytes(4, "little") + b"raw" + bytes(4)
    assert unpack_lz4(frame) == b"a" * 35 + b"xyz" + b"raw"


def test_errors_of_the_server_are_not_lost(tmp_path: Path) -> None:
    def provoke() -> None:
        with HubServer(tmp_path) as hub:
            hub.put("model", "mbo/m", {"a.txt": b"a"})
            next((tmp_path / "blobs").glob("ca978112*")).unlink()
            fail(f"{hub.url}/mbo/m/resolve/main/a.txt")

    with pytest.raises(FileNotFoundError, match="ca978112"):
        provoke()


def test_closes_at_once(tmp_path: Path) -> None:
    """Whatever clients are waiting for, and however many stay connected."""
    with HubServer(tmp_path) as hub:
        hub.put("model", "mbo/m", {"a.bin": bytes(1000)})
        hang = hub.fault("hang", "hang", seconds=60)
        slow = hub.fault("slow", "a.bin", seconds=60)
        for path in "hang", "mbo/m/resolve/main/a.bin":
            threading.Thread(target=fail, args=(f"{hub.url}/{path}",), daemon=True).start()
        while not (hang.fired and slow.fired):
            time.sleep(0.01)
        start = time.monotonic()
    assert time.monotonic() - start < PROMPT_S
    assert not threads_of(hub)


def fail(url: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        fetch(url)


def test_process_survives_a_kill(tmp_path: Path) -> None:
    script = [sys.executable, str(Path(__file__).with_name("hub_server.py")), str(tmp_path)]
    with HubServer(tmp_path) as hub:
        sha = hub.put("dataset", "mbo/d", {"a.txt": b"a"})
        hub.tag("dataset", "mbo/d", "v1")
    for number in signal.SIGKILL, signal.SIGTERM:
        with subprocess.Popen(script, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert fetch(f"{url}/datasets/mbo/d/resolve/v1/a.txt")[1] == b"a"
            process.send_signal(number)
            assert process.wait(10) == (0 if number == signal.SIGTERM else -number)
    with HubServer(tmp_path) as hub:
        assert hub.tags("dataset", "mbo/d") == {"v1": sha}
