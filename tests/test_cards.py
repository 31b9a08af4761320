"""Cards: what is asked of anybody's, and what the archive's own say besides."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stranger
import yaml
from conftest import ROOT
from hub_server import HubServer
from hypothesis import given, settings
from hypothesis import strategies as st

import mbo_hub
from mbo_hub.dataset import manifest
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.making import cards
from mbo_hub.making.croissant import HUB, croissant
from mbo_hub.publishing import metadata, pictures
from mbo_hub.publishing.validation import validate
from mbo_hub.spaces import Box, Sequence
from mbo_hub.tasks import TASKS

FILES = ("data/train.parquet", "data/test.parquet")
SPLIT_CONFIG = {
    "config_name": "default",
    "data_files": [
        {"split": "train", "path": "data/train.parquet"},
        {"split": "test", "path": "data/test.parquet"},
    ],
}


def card(ending: str = "\n", **fields: Any) -> str:
    """A stranger's card with some fields of its own; None leaves one out."""
    said = {"license": "mit", "configs": [SPLIT_CONFIG], **fields}
    text = f"---\n{yaml.safe_dump({k: v for k, v in said.items() if v is not None}, sort_keys=False)}---\n# Theirs\n"
    return text.replace("\n", ending)


def problems(present: tuple[str, ...] = (), **fields: Any) -> list[str]:
    return metadata.problems(card(**fields), "dataset", FILES, present)


# --- anybody's


HUB_TAKES: list[dict[str, Any]] = [
    *({"license": name} for name in metadata.LICENSES if name != "other"),
    {"license": ["mit", "cc-by-4.0"]},
    {"license": "other", "license_name": "mine", "license_link": "LICENSE"},
    {"task_categories": ["reinforcement-learning"]},
    {"task_categories": "reinforcement-learning"},
    {"size_categories": "1K<n<10K"},
    {"size_categories": ["1K<n<10K"]},
    {"language": "en", "tags": [], "pretty_name": "Theirs"},
    {"dataset_info": {"features": [{"name": "x", "list": "int8", "length": 3}]}},
    {"a_field": {"of": "their own"}},
]


@pytest.mark.parametrize("ending", ["\n", "\r\n"], ids=["unix", "windows"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "with a mark"])
def test_cards_that_the_hub_takes_are_taken(ending: str, mark: str) -> None:
    for fields in HUB_TAKES:
        text = mark + card(ending, **fields)
        assert metadata.problems(text, "dataset", FILES) == [], fields


def test_model_cards_that_the_hub_takes_are_taken() -> None:
    for fields in ({}, {"library_name": "keras"}, {"model-index": [{"name": "half"}]}):
        text = card(configs=None, **fields)
        assert metadata.problems(text, "model", ()) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"license": None}, "it names no license, such as  license: cc-by-4.0; for one that"),
        ({"license": "MIT"}, "the Hub knows no 'MIT'; did you mean mit? Or for one that the Hub"),
        ({"license": "apache2"}, "did you mean apache-2.0?"),
        ({"license": "cc-by-9"}, "the Hub knows no 'cc-by-9'; "),
        ({"license": ["mit", "house rules"]}, "no 'house rules'; for one that the Hub does not"),
        ({"license": "other"}, "license: other needs a license_name and a license_link"),
        ({"license": "other", "license_name": "mine"}, "license: other needs a license_link"),
        ({"license": 3}, "license: 3 is neither a text nor a list of texts"),
        ({"task_categories": 5}, "task_categories: 5 is neither a text nor a list of texts"),
        ({"tags": [{"a": 1}]}, "tags: [{'a': 1}] is neither a text nor a list of texts"),
        ({"size_categories": {"a": "b" * 99}}, "…"),
        ({"configs": None}, "write  configs: [{config_name: default, data_files: [{split: train"),
        ({"configs": "default"}, "`datasets` refuses its configs: "),
        ({"configs": [{"data_files": []}]}, "`datasets` refuses its configs: Each config must"),
        ({"configs": [{"config_name": "a"}]}, "`configs` does not name data/train.parquet"),
        ({"configs": [3]}, "`datasets` refuses its configs: "),
        ({"dataset_info": {"features": 7}}, "`datasets` refuses its dataset_info: "),
    ],
)  # fmt: skip
def test_other_cards_are_refused_with_the_way_out(fields: dict[str, Any], said: str) -> None:
    found = problems(**fields)
    assert any(said in problem for problem in found), found
    assert all(problem.startswith("README.md: ") and len(problem) < 400 for problem in found)


def config(*data_files: Any, **more: Any) -> dict[str, Any]:
    return {"config_name": "default", "data_files": list(data_files), **more}


@pytest.mark.parametrize(
    "theirs",
    [
        config({"split": "train", "path": "data/train*"}, {"split": "test", "path": "data/test*"}),
        config({"split": "train", "path": ["**/train.*"]}, {"split": "test", "path": "*/te*.parquet"}),
        config({"split": "train", "path": "train.parquet"}, {"split": "test", "path": "test.*"},
               data_dir="data"),
        config({"split": "train", "path": "./data/train.parquet"},
               {"split": "test", "path": "data/test.parquet"}),
    ],
)  # fmt: skip
def test_patterns_in_configs_are_read_as_datasets_reads_them(theirs: dict[str, Any]) -> None:
    assert problems(configs=[theirs]) == []


def test_one_config_of_several_is_enough() -> None:
    other = {"config_name": "labels", "data_files": "data/train.parquet"}
    assert problems(configs=[other, SPLIT_CONFIG]) == []
    found = problems(configs=[other, {**other, "config_name": "more"}])
    assert found == ["README.md: `configs` does not name data/test.parquet"]


@pytest.mark.parametrize(
    ("theirs", "present", "said"),
    [
        (config("data/*.parquet"), (), "puts data/test.parquet into split train; it is test"),
        ({"config_name": "default", "data_files": "data/*"}, (),
         "puts data/test.parquet into split train; it is test"),
        (config({"split": "train", "path": "data/test.parquet"},
                {"split": "test", "path": "data/train.parquet"}), (),
         "puts data/train.parquet into split test; it is train"),
        (config({"split": "train", "path": "data/train*"}, {"split": "test", "path": "data/te*"}),
         ("data/train-more.parquet",), "names data/train-more.parquet, which task.json does not"),
        (config({"split": "train", "path": "data/train*"}, {"split": "test", "path": "data/x*"}),
         (), "names data/x*, which task.json does not"),
        (config({"split": "train", "path": "data/train.parquet"}), (),
         "does not name data/test.parquet"),
    ],
)  # fmt: skip
def test_splits_that_are_not_those_of_task_json_are_named(
    theirs: dict[str, Any], present: tuple[str, ...], said: str
) -> None:
    found = problems(present, configs=[theirs])
    assert f"README.md: `configs` {said}" in found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = (
    "license",
    "configs",
    "dataset_info",
    "tags",
    "task_categories",
    "model-index",
    "language",
)


@settings(max_examples=settings().max_examples * 3 // 2)  # 150 of the usual 100
@given(st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=6), VALUES, max_size=4))
def test_whatever_a_card_says_is_judged_in_sentences(said: dict[str, Any]) -> None:
    text = f"---\n{yaml.safe_dump(said)}---\n"
    for kind in ("dataset", "model"):
        for problem in metadata.problems(text, kind, FILES):  # type: ignore[arg-type]
            assert problem.startswith("README.md: ")
            assert "\n" not in problem


def test_anything_at_all_is_judged_in_sentences() -> None:
    heads = (
        "",
        "---\n",
        "\ufeff---\r\n",
        "---\n- a\n---\n",
        "---\na: &x [*x]\n---\n",
        "---\n" + "[" * 5000,
    )
    for head, tail in itertools.product(
        heads, ("", "---\n", "{}\n---\n", "!!python/name:os.x\n---\n")
    ):
        found = metadata.problems(head + tail, "dataset", FILES)
        assert found
        assert all("\n" not in problem for problem in found)


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("license: mit\nlicense: wtfpl\n", "its metadata have 'license' twice"),
        ("configs:\n- config_name: a\n  config_name: b\n", "its metadata have 'config_name' twice"),
        (f"{LAUGHS}configs: *a11\n", "its metadata repeat themselves without end"),
        (f"{LAUGHS}license: [*a11]\n", "its metadata repeat themselves without end"),
        (f"license: [{'x, ' * 80_000}]\n", "its metadata have 240,011 characters; 100,000 are"),
        ("when: 2026-01-01\nlicense: 2026-01-01\n", "is neither a text nor a list of texts"),
    ],
)  # fmt: skip
def test_metadata_that_mislead_or_swell_are_refused(said: str, expected: str) -> None:
    for kind in ("dataset", "model"):
        found = metadata.problems(f"---\n{said}---\n", kind, FILES)  # type: ignore[arg-type]
        assert any(expected in problem for problem in found), found
        assert sum(map(len, found)) < 2_000


def test_a_strangers_folder_may_have_any_of_these_cards(tmp_path: Path) -> None:
    stranger.write(tmp_path / "theirs")
    for fields in HUB_TAKES[-9:]:
        text = card("\r\n", **fields)
        (tmp_path / "theirs" / "README.md").write_bytes(text.encode())
        assert validate(tmp_path / "theirs") == [], fields


# --- the archive's own


OWN = sorted(TASKS)
LICENCES = {name: spec.source.license for name, spec in TASKS.items()}


def declared_of(name: str) -> Manifest:
    return manifest.read((ROOT / "dataset_cards" / name / "task.json").read_bytes(), name)


def head(name: str, folder: str) -> dict[str, Any]:
    return metadata.read((ROOT / folder / name / "README.md").read_text("utf-8"))


def text(name: str, folder: str = "dataset_cards") -> str:
    return (ROOT / folder / name / "README.md").read_text("utf-8")


def visible_rows(name: str) -> list[list[float]]:
    """Visible designs; of a task whose data are not here, those among its golden designs."""
    if TASKS[name].embedded:
        return mbo_hub.load(name).x[:200].tolist()
    golden = json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))
    return golden["x"][: len(golden["x"]) // 2]


@pytest.mark.parametrize("name", OWN)
def test_own_cards_say_all_that_the_hub_asks(name: str) -> None:
    declared, said = declared_of(name), head(name, "dataset_cards")
    assert metadata.problems(text(name), "dataset", list(declared.files)) == []
    assert metadata.problems(text(name, "oracles_onnx"), "model", ()) == []
    assert said["pretty_name"] == declared.title
    assert said["task_categories"] == ["tabular-regression"]
    (size,) = said["size_categories"]
    limits = [float(n) * {"K": 1e3, "M": 1e6}[k] for n, k in re.findall(r"(\d+)([KM])", size)]
    least, most = (0.0, *limits)[-2:]
    assert least <= declared.statistics.rows < most
    splits = {split["name"]: split["num_examples"] for split in said["dataset_info"]["splits"]}
    assert splits == {file[5:-8]: stored.rows for file, stored in declared.files.items()}


@pytest.mark.parametrize("name", OWN)
def test_an_oracle_has_the_terms_of_the_data_that_it_is_made_of(name: str) -> None:
    data, oracle = head(name, "dataset_cards"), head(name, "oracles_onnx")
    for field in ("license", "license_name", "license_link"):
        assert data.get(field) == oracle.get(field)
    assert data["license"] == LICENCES[name].lower()
    if data["license"] == "other":
        assert data["license_link"].endswith(f"datasets/mbo/{name}#terms-and-source")
        assert "\n## Terms and source\n" in text(name)


def test_terms_and_origin_are_those_of_the_sources() -> None:
    """FAULTS 13: who measured, whose data they are, and under which terms."""
    origin = {n: (head(n, "dataset_cards")["license"],
                  *head(n, "dataset_cards")["source_datasets"],
                  *head(n, "dataset_cards")["annotations_creators"]) for n in OWN}  # fmt: skip
    own = ("apache-2.0", "original", "machine-generated")
    assert origin == {
        "ant": own,
        "chembl": ("cc-by-sa-3.0", "extended|other-chembl", "expert-generated", "machine-generated"),
        "dkitty": own,
        "hopper": own,
        "nas": own,
        "superconductor": (
            "cc-by-4.0", "extended|other-supercon", "expert-generated", "machine-generated"
        ),
        "tfbind10": ("cc-by-4.0", "extended|other-le-2018-bet-seq", "machine-generated"),
        "tfbind8": ("other", "extended|other-uniprobe", "expert-generated"),
    }  # fmt: skip


def test_the_wheel_names_the_licences_of_all_that_it_carries() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    stated = {licence for licence in LICENCES.values() if licence != "other"}
    assert set(project["license"].split(" AND ")) == {"Apache-2.0"} | stated
    notice = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    for name in OWN:
        if LICENCES[name] == "other":
            assert "names no terms for the table" in notice


@pytest.mark.parametrize("name", OWN)
def test_examples_on_cards_are_visible_rows(name: str) -> None:
    """Whether drawn at random or made up, a design would be no molecule in the case of ChEMBL."""
    visible = visible_rows(name)
    for folder in ("dataset_cards", "oracles_onnx"):
        for shown in re.findall(r"np\.array\(\[(\[[^\]]+\])\], np\.int64\)", text(name, folder)):
            assert json.loads(shown) in visible
    space = TASKS[name].space
    card, oracle = text(name), text(name, "oracles_onnx")
    assert "sample(" not in card + oracle
    assert "np.zeros" not in card + oracle
    if isinstance(space, Sequence):
        assert f"`{space.decode(visible[:1])[0]}` is `x = {visible[0]}`" in card
    else:
        assert 'json.load(file)["x"][:1]' in oracle
        golden = json.loads((ROOT / "oracles_onnx" / name / "golden.json").read_text("utf-8"))
        assert np.float32(golden["x"][0]).tolist() == np.float32(visible[0]).tolist()


@pytest.mark.parametrize("name", OWN)
def test_cards_tell_dimensions_versions_citations_contact_and_risks(name: str) -> None:
    card, spec = text(name), TASKS[name]
    headings = re.findall(r"^## (.+)$", card, re.MULTILINE)
    for title in ("Intended use and risks", "Versions", "How to cite", "Contact"):
        assert title in headings
    assert list(spec.history)[-1] == spec.version
    for risk in spec.risks:
        assert f"\n- {risk}\n" in card
    cited = cards.citations(spec)
    assert len({re.match(r"@\w+\{(\w+),", entry).group(1) for entry in cited}) == len(cited)  # type: ignore[union-attr]
    assert "@software{mbohub" in cited[-1]
    assert all(entry in card for entry in cited)
    rows = re.findall(r"^\| (\d+)(?: … (\d+))? \| (.+?) \|(?:.*\|)?$", card, re.MULTILINE)
    covered = [at for first, last, _ in rows for at in range(int(first), int(last or first) + 1)]
    space = spec.space
    assert covered == list(range(len(space.alphabet) if isinstance(space, Sequence) else space.dim))
    if isinstance(space, Sequence) and not spec.tokens:
        assert [word.split("`")[1] for *_, word in rows] == list(space.alphabet)
    if isinstance(space, Box) and space.names:
        assert [word.strip("`") for *_, word in rows] == list(space.names)
        low, high = space.bounds
        for at, (least, most, unit) in enumerate(
            re.findall(r"^\| \d+ \| `\w+` \| (\S+) \| (\S+) \| (.+) \|$", card, re.MULTILINE)
        ):
            assert np.float32(-np.inf if least == "unbounded" else least) == low[at]
            assert np.float32(np.inf if most == "unbounded" else most) == high[at]
            assert unit != "–", "each of these has a unit"


@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=40, unique=True),
    st.floats(0, 100),
)
def test_no_bar_stands_on_both_sides_of_the_cut(values: list[float], percentile: float) -> None:
    y = np.sort(np.array(values, np.float32))
    visible = y[y <= np.percentile(y, percentile)]
    low, best, high = float(y[0]), float(visible[-1]), float(y[-1])
    edges = np.array(pictures._edges(low, best, high))
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 2 * pictures.BINS + 2
    behind = edges[edges > best].min()
    assert edges[0] <= low
    assert edges[-1] >= high
    assert not ((y > best) & (y < behind)).any(), "hidden rows above D(best) share no bar with it"
    assert np.histogram(y, edges)[0].sum() == len(y), "every row is in a bar"


def test_croissant_loads_by_its_address(tmp_path: Path) -> None:
    """From a Hub on this machine, by MLCommons' own library; and from a folder without a network."""
    names = ["chembl", "tfbind8"]
    pytest.importorskip("mlcroissant", reason="mlcroissant is not installed: pip install '.[dev]'")
    with HubServer(tmp_path / "hub") as hub:
        for name in names:
            folder = ROOT / "dataset_cards" / name
            own = (folder / "croissant.json").read_text("utf-8")
            assert own == croissant(TASKS[name], declared_of(name))
            document = croissant(TASKS[name], declared_of(name), hub.url)
            assert document == own.replace("https://huggingface.co/datasets/mbo/" + name + "/",
                                           f"{hub.url}/datasets/mbo/{name}/").replace(
                f'"https://huggingface.co/datasets/mbo/{name}"', f'"{hub.url}/datasets/mbo/{name}"'
            ).replace(f"{hub.url}/datasets/mbo/{name}#terms", f"{HUB}/datasets/mbo/{name}#terms")  # fmt: skip
            files = {file: (folder / file).read_bytes() for file in declared_of(name).files}
            hub.put("dataset", f"mbo/{name}", files | {"croissant.json": document.encode()})
            hub.tag("dataset", f"mbo/{name}", "v1.0.0")
        code = f"""
import itertools, mlcroissant, mbo_hub
def check(name, place, mapping=None):
    dataset = mlcroissant.Dataset(place, mapping=mapping)
    issues = dataset.metadata.ctx.issues
    assert not issues.errors and not issues.warnings, issues.report()
    assert dataset.metadata.cite_as
    task = mbo_hub.load(name)
    for split, (x, y) in {{"train": (task.x, task.y), "test": task.hidden}}.items():
        rows = list(itertools.islice(dataset.records(split), 20))
        assert [list(r[f"{{split}}/x"]) for r in rows] == x[:20].tolist()
        assert [r[f"{{split}}/y"] for r in rows] == y[:20].tolist()
for name in {names}:
    check(name, f"{hub.url}/datasets/mbo/{{name}}/resolve/main/croissant.json")
    folder = {str(ROOT / "dataset_cards")!r} + "/" + name
    files = ["data/train.parquet", "data/test.parquet"]
    check(name, f"{{folder}}/croissant.json", {{f: f"{{folder}}/{{f}}" for f in files}})
"""
        env = hub.env(tmp_path / "home", token=None) | {"HOME": str(tmp_path)}
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], env=env, cwd=tmp_path,
                              capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    asked = [request.path for request in hub.requests if "resolve/v1.0.0" in request.path]
    assert len(asked) >= 2 * len(names)


@pytest.mark.parametrize("name", OWN)
def test_croissant_cites_and_names_every_file_under_its_tag(name: str) -> None:
    document = json.loads((ROOT / "dataset_cards" / name / "croissant.json").read_text("utf-8"))
    assert "@software{mbohub" in document["citeAs"]
    assert document["license"].startswith("https://")
    declared = declared_of(name)
    base = f"https://huggingface.co/datasets/mbo/{name}/resolve/v{declared.version}/"
    assert {f["@id"]: f["contentUrl"] for f in document["distribution"]} == {
        file: base + file for file in declared.files
    }


@pytest.mark.parametrize("name", [n for n in OWN if "robotics" in TASKS[n].tags])
def test_robots_move_on_their_cards(name: str) -> None:
    """FAULTS 41: a small moving picture of the best row, which lasts as long as its episode."""
    from PIL import Image

    path = ROOT / "dataset_cards" / name / "robot.gif"
    assert path.stat().st_size <= 1_500_000
    assert f"]({path.name})" in text(name)
    with Image.open(path) as picture:
        frames = getattr(picture, "n_frames", 1)
        seconds = frames * picture.info["duration"] / 1000
    assert 5 <= seconds <= 11, "best designs stay upright"
    assert frames >= 40
