"""What a version tag covers, on a Hub on this machine: data and oracles, but neither cards nor pictures."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import stranger
from click.testing import CliRunner
from conftest import ROOT
from hub_server import HubServer

from mbo_hub import PublishConflict, cli
from mbo_hub.archive.versions import Change, change
from mbo_hub.publishing.publish import publish

REPO = "stranger/vowels"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub that this very process talks to."""
    with HubServer(tmp_path / "hub") as server:
        server.adopt(monkeypatch, tmp_path / "home")
        yield server


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A stranger's dataset folder, with a picture."""
    folder = tmp_path / "mine"
    stranger.write(folder, "1.0.0")
    (folder / "y.png").write_bytes(b"a picture")
    return folder


def improve(folder: Path, words: str = "Better.") -> bytes:
    """Write a better card; return it."""
    card = folder / "README.md"
    card.write_text(f"{card.read_text()}{words}\n")
    return card.read_bytes()


def changes(*folders: Path) -> list[Change]:
    return [done.change for done in publish(folders, "stranger")]


def mbo(*arguments: str) -> str:
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def writes(hub: HubServer) -> list[str]:
    return [r.path for r in hub.requests if r.method != "GET" and "preupload" not in r.path]


def test_publishing_says_what_it_does(
    hub: HubServer, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown = Terminal()
    monkeypatch.setattr("sys.stderr", shown)
    assert changes(mine)[0].is_first
    steps = [f"checking {mine}", "asking the Hub about vowels", f"publishing {REPO}"]
    places = [shown.getvalue().find(f"{step} (0 of 1 done") for step in steps]
    assert -1 not in places
    assert places == sorted(places)


def test_an_improved_card_goes_to_main_and_the_tag_stays(hub: HubServer, mine: Path) -> None:
    assert changes(mine)[0].is_first
    tagged, old = hub.tags("dataset", REPO), (mine / "README.md").read_bytes()
    card = improve(mine)
    (mine / "y.png").unlink()
    before = len(hub.requests)
    line = (
        f"{hub.url}/datasets/{REPO}/tree/v1.0.0  2 files {{}}changed on main, v1.0.0 stays as it is"
    )
    dry = mbo("publish", str(mine), "--org", "stranger", "--dry-run")
    assert dry.splitlines() == [line.format("would be "), "  README.md", "  y.png"]
    assert {r.method for r in hub.requests[before:]} == {"GET"}

    assert mbo("publish", str(mine), "--org", "stranger").startswith(line.format(""))
    assert [c.title for c in hub.commits("dataset", REPO)][:2] == [
        "Improve documents of v1.0.0",
        "Publish v1.0.0",
    ]
    assert hub.tags("dataset", REPO) == tagged
    assert hub.files("dataset", REPO)["README.md"] == card
    assert "y.png" not in hub.files("dataset", REPO)
    assert hub.files("dataset", REPO, "v1.0.0")["README.md"] == old
    assert "y.png" in hub.files("dataset", REPO, "v1.0.0")

    before = len(writes(hub))
    assert changes(mine) == [Change("v1.0.0")]
    assert len(writes(hub)) == before


def test_what_the_tag_covers_is_refused_by_file_and_nothing_is_sent(
    hub: HubServer, mine: Path, tmp_path: Path
) -> None:
    changes(mine)
    stranger.write(tmp_path / "new", "1.0.0")
    task_json = tmp_path / "new" / "task.json"
    task_json.write_text(task_json.read_text().replace("Find the best", "Find the very best"))
    improve(tmp_path / "new")
    other = tmp_path / "other"
    stranger.write(other, "2.0.0")
    before = len(writes(hub))
    with pytest.raises(PublishConflict) as caught:
        changes(other, tmp_path / "new")
    assert str(caught.value) == (
        f"{REPO} (dataset, v1.0.0): the tag is there already with other content: task.json. "
        "A published version does not change: raise the version"
    )
    assert len(writes(hub)) == before, "not even of the folder before it"


@pytest.mark.parametrize("is_newer", [True, False], ids=["newer", "by hand"])
def test_main_of_another_version_is_left_alone(
    hub: HubServer, mine: Path, tmp_path: Path, is_newer: bool
) -> None:
    changes(mine)
    if is_newer:
        stranger.write(tmp_path / "newer", "1.1.0", bonus=1.0)
        changes(tmp_path / "newer")
    else:
        hub.put("dataset", REPO, {"data/test.parquet": b"somebody else's"})
    improve(mine)
    before = len(writes(hub))
    assert changes(mine) == [Change("v1.0.0", superseded=True)]
    said = mbo("publish", str(mine), "--org", "stranger")
    assert "no file changed: main holds another version, v1.0.0 stays as it is" in said
    assert len(writes(hub)) == before


def test_an_oracles_golden_values_are_covered_and_its_card_is_not(
    hub: HubServer, folder: Path
) -> None:
    """TF Bind 8: two repositories, of which only the oracles' changes."""
    publish([folder], "mbo")
    oracles = folder.with_name("tfbind8-oracle")
    improve(oracles)
    done = publish([folder], "mbo")
    assert [(p.repo, p.change.files) for p in done] == [
        ("mbo/tfbind8-oracle", ("README.md",)),
        ("mbo/tfbind8", ()),
    ]
    assert len(hub.commits("model", "mbo/tfbind8-oracle")) == 3
    assert len(hub.commits("dataset", "mbo/tfbind8")) == 2
    golden = json.loads((ROOT / "oracles_onnx" / "tfbind8" / "golden.json").read_text())
    hub.put("model", "mbo/tfbind8-oracle", {"golden.json": json.dumps(golden, indent=1).encode()})
    hub.tag("model", "mbo/tfbind8-oracle", "v1.0.0", force=True)
    with pytest.raises(PublishConflict, match=r"tfbind8-oracle .*other content: golden\.json\."):
        publish([folder], "mbo")


def test_somebody_else_publishes_at_the_same_time(
    hub: HubServer, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit is refused where main is not the one any more that was compared."""
    from mbo_hub.archive import hub as client

    changes(mine)
    improve(mine)
    plan = client.plan

    def plan_slowly(*arguments: object) -> object:
        planned = plan(*arguments)  # type: ignore[arg-type]
        hub.put("dataset", REPO, {"README.md": b"# Theirs"})
        return planned

    monkeypatch.setattr(client, "plan", plan_slowly)
    with pytest.raises(PublishConflict, match="somebody else is publishing there; run it again"):
        changes(mine)
    assert hub.files("dataset", REPO)["README.md"] == b"# Theirs"


def test_a_tag_that_is_there_loads_the_card_that_it_was_made_with(
    hub: HubServer, mine: Path, tmp_path: Path
) -> None:
    changes(mine)
    improve(mine)
    changes(mine)
    code = """
import mbo_hub
for revision in ("v1.0.0", None):
    task = mbo_hub.load("stranger/vowels", revision)
    assert task.version == "1.0.0"
    assert task.oracle(task.x).tolist() == task.y.tolist()
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=hub.env(tmp_path / "user"), cwd=tmp_path
    )


AT = {"v1.0.0": {"a": "1", "card": "1"}, "v1.1.0": {"a": "1", "card": "2"}}


@pytest.mark.parametrize(
    ("wanted", "main", "tags", "expected"),
    [
        ({"a": "1", "card": "1"}, {}, (), Change("v1.0.0", ("a", "card"), is_first=True)),
        ({"a": "1"}, {"a": "1", "b": "2"}, ("v0.9.0",), Change("v1.0.0", ("b",), is_first=True)),
        (AT["v1.0.0"], AT["v1.0.0"], ("v1.0.0", "nightly"), Change("v1.0.0")),
        ({"a": "1", "card": "3"}, AT["v1.0.0"], ("v1.0.0",), Change("v1.0.0", ("card",))),
        ({"a": "2", "card": "3"}, AT["v1.0.0"], ("v1.0.0",), Change("v1.0.0", conflicts=("a",))),
        ({"card": "1"}, AT["v1.0.0"], ("v1.0.0",), Change("v1.0.0", conflicts=("a",))),
        ({"a": "1", "card": "3"}, {"a": "5"}, ("v1.0.0",), Change("v1.0.0", superseded=True)),
        # The newer version has the same oracle, and a card of its own.
        (AT["v1.0.0"], AT["v1.1.0"], ("v1.0.0", "v1.1.0"), Change("v1.0.0", superseded=True)),
        (AT["v1.0.0"], AT["v1.0.0"], ("v0.10.0", "v1.0.0"), Change("v1.0.0")),
    ],
)  # fmt: skip
def test_the_rule(
    wanted: dict[str, str], main: dict[str, str], tags: tuple[str, ...], expected: Change
) -> None:
    there = {**AT, "main": main}
    assert change("v1.0.0", wanted, {"a"}, tags, there.__getitem__) == expected


def test_line_ends_stay_as_they_were_published(hub: HubServer, mine: Path) -> None:
    """The Hub's own .gitattributes stays, behind the line that says so."""
    publish([mine], "stranger")
    attributes = hub.files("dataset", REPO, "main")[".gitattributes"].decode()
    assert attributes.startswith("* -text\n*.7z filter=lfs")
    assert hub.files("dataset", REPO, "v1.0.0")[".gitattributes"].decode() == attributes
    improve(mine)
    publish([mine], "stranger")
    assert hub.files("dataset", REPO, "main")[".gitattributes"].decode() == attributes
