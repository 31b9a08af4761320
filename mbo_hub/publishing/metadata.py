"""The YAML metadata at the head of a card: read them, and say what is wrong with them.

huggingface_hub reads and writes them. The Hub checks metadata only when a card is uploaded, and
huggingface_hub's own check needs the network and lets an unknown licence pass. This schema holds
the conventions that cards of tasks and oracles follow; `datasets` itself judges the configs.
"""

from __future__ import annotations

import logging
from typing import Any, Literal

import msgspec

__all__ = ["problems", "read"]

# The Hub's names of licences that a dataset or a model may carry here.
_LICENSES = """
    apache-2.0 mit bsd-2-clause bsd-3-clause cc0-1.0 cc-by-2.0 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0
    cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 odc-by odbl pddl gpl-3.0 lgpl-3.0 openrail other
    unknown
"""
LICENSES = _LICENSES.split()
TASK_CATEGORIES = ["tabular-regression", "tabular-classification", "other"]
SIZES = ["n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M"]
_TEXT = {"type": "string", "minLength": 1}
_COMMON: dict[str, Any] = {
    "license": {"enum": LICENSES},
    "license_name": _TEXT,
    "license_link": _TEXT,
    "tags": {"type": "array", "items": _TEXT, "uniqueItems": True},
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "dataset": {
        "type": "object",
        "required": ["license", "configs"],
        "properties": {
            **_COMMON,
            "pretty_name": _TEXT,
            "task_categories": {"type": "array", "items": {"enum": TASK_CATEGORIES}},
            "size_categories": {"type": "array", "items": {"enum": SIZES}},
            "source_datasets": {"type": "array", "items": _TEXT},
            "annotations_creators": {"type": "array", "items": _TEXT},
            "configs": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["config_name", "data_files"],
                    "properties": {
                        "config_name": _TEXT,
                        "default": {"type": "boolean"},
                        "data_files": {
                            "type": "array",
                            "minItems": 1,
                            "items": {
                                "type": "object",
                                "required": ["split", "path"],
                                "properties": {"split": _TEXT, "path": _TEXT},
                            },
                        },
                    },
                },
            },
            "dataset_info": {
                "type": "object",
                "required": ["features", "splits"],
                "properties": {
                    "features": {"type": "array", "items": {"required": ["name"]}},
                    "splits": {
                        "type": "array",
                        "items": {
                            "required": ["name", "num_bytes", "num_examples"],
                            "properties": {
                                "num_bytes": {"type": "integer", "minimum": 0},
                                "num_examples": {"type": "integer", "minimum": 0},
                            },
                        },
                    },
                    "download_size": {"type": "integer", "minimum": 0},
                    "dataset_size": {"type": "integer", "minimum": 0},
                },
            },
        },
    },
    "model": {
        "type": "object",
        "required": ["license", "datasets", "library_name"],
        "properties": {
            **_COMMON,
            "datasets": {"type": "array", "items": _TEXT, "minItems": 1},
            "library_name": {"const": "onnx"},
            "pipeline_tag": {"enum": TASK_CATEGORIES},
            "model-index": {
                "type": "array",
                "items": {"type": "object", "required": ["name", "results"]},
            },
        },
    },
}


def read(card: str) -> dict[str, Any]:
    """Read the metadata at the head of a card, as huggingface_hub does.

    Raises:
        ValueError: there are none, or they are not a YAML mapping.
    """
    import yaml
    from huggingface_hub import RepoCard

    said = logging.getLogger("huggingface_hub.repocard")
    before = said.level
    said.setLevel(logging.ERROR)  # what it warns of is an error here
    try:
        data: Any = RepoCard(card).data
        metadata: dict[str, Any] = data.to_dict()
    except yaml.YAMLError as error:
        raise ValueError(f"its metadata are not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("its metadata are nested too deeply") from None
    except (AttributeError, TypeError, ValueError):
        raise ValueError("its metadata are not a YAML mapping from names to values") from None
    finally:
        said.setLevel(before)
    if not metadata:
        raise ValueError("it does not start with metadata between two lines of ---")
    return metadata


def problems(card: str, kind: Literal["dataset", "model"], files: list[str]) -> list[str]:
    """List what is wrong with the metadata of a card.

    Args:
        card: content of README.md.
        kind: of repository.
        files: data files that a dataset's configs must name.

    Returns:
        One sentence each; empty where there is none.
    """
    from jsonschema import Draft202012Validator

    try:
        metadata = read(card)
    except ValueError as error:
        return [f"README.md: {error}"]
    found = [
        f"README.md: {error.message} - at `{error.json_path}`"
        for error in Draft202012Validator(SCHEMAS[kind]).iter_errors(metadata)
    ]
    if metadata.get("license") == "other" and "license_name" not in metadata:
        found.append("README.md: licence 'other' needs a license_name and a license_link")
    return found if found or kind == "model" else _config_problems(metadata, files)


def _config_problems(metadata: dict[str, Any], files: list[str]) -> list[str]:
    """Ask `datasets` whether it understands the configs, and whether they name every file."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    try:
        configs = MetadataConfigs.from_dataset_card_data(DatasetCardData(**metadata))
    except ValueError as error:
        return [f"README.md: `datasets` refuses its configs: {str(error).splitlines()[0]}"]
    named = {
        str(data["path"]) for config in configs.values() for data in config.get("data_files", [])
    }
    wanted = set(files)
    found = [f"README.md: `configs` does not name {file}" for file in sorted(wanted - named)]
    return found + [f"README.md: `configs` names {file}, which task.json does not" for file in
                    sorted(named - wanted)]  # fmt: skip


def dump(metadata: dict[str, Any]) -> str:
    """Write metadata as YAML, in the given order, without the lines of dashes."""
    from huggingface_hub import CardData

    return CardData(**msgspec.to_builtins(metadata)).to_yaml().rstrip("\n")
