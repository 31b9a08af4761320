"""Cards: what is asked of anybody's, and what the archive's own say besides."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import stranger
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mbo_hub.publishing import metadata
from mbo_hub.publishing.validation import validate

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


@settings(max_examples=150, deadline=None)
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


def test_a_strangers_folder_may_have_any_of_these_cards(tmp_path: Path) -> None:
    stranger.write(tmp_path / "theirs")
    for fields in HUB_TAKES[-9:]:
        text = card("\r\n", **fields)
        (tmp_path / "theirs" / "README.md").write_bytes(text.encode())
        assert validate(tmp_path / "theirs") == [], fields
