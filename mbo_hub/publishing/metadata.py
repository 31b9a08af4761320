"""The YAML metadata at the head of a card: read them, and say what is wrong with them.

Cards are other people's, and the Hub takes many. So huggingface_hub's own classes read a card, and
`datasets` judges its configs, with its own patterns for files. What is asked besides is what a task
needs: terms that the Hub knows, and that each split is made of the files that task.json says.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal

import msgspec

from mbo_hub.dataset.layout import SPLITS

__all__ = ["LICENSES", "problems", "read"]

# The Hub's names of licences (huggingface.co/docs/hub/repositories-licenses, 2026-10). It refuses
# a card with any other; huggingface_hub, which has no list, lets it pass.
_LICENSES = """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr apple-ascl artistic-2.0 bigcode-openrail-m
    bigscience-bloom-rail-1.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear
    bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0
    cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0 cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0
    creativeml-openrail-m deepfloyd-if-license ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 eupl-1.2
    fair-noncommercial-research-license gemma gfdl gpl gpl-2.0 gpl-3.0 grok2-community h-research
    intel-research isc lgpl lgpl-2.1 lgpl-3.0 lgpl-lr llama2 llama3 llama3.1 llama3.2 llama3.3
    llama4 lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 openmdw-1.0 openmdw-1.1 openrail
    openrail++ osl-3.0 other pddl postgresql unknown unlicense wtfpl zlib
"""
LONGEST = 100_000  # characters of metadata; YAML reads some 50,000 in a second
LICENSES = tuple(_LICENSES.split())
# What is one text, or several: the Hub takes both.
_TEXTS = ("license", "tags", "task_categories", "size_categories", "source_datasets",
          "annotations_creators", "language")  # fmt: skip
_OTHER = (
    "for one that the Hub does not list write  license: other  with license_name and license_link"
)


def read(card: str, kind: Literal["dataset", "model"] = "dataset") -> dict[str, Any]:
    """Read the metadata at the head of a card, as huggingface_hub does.

    Args:
        card: content of README.md; lines may end as on Windows.
        kind: of repository.

    Raises:
        ValueError: there are none, or they are not a YAML mapping.
    """
    import yaml
    from huggingface_hub import DatasetCard, ModelCard
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    text = card.removeprefix("\ufeff")
    block = REGEX_YAML_BLOCK.search(text)
    if block is None:
        raise ValueError("it does not start with metadata between two lines of ---")
    try:
        _must_be_plain(block[2])
        reader = DatasetCard if kind == "dataset" else ModelCard
        data: Any = reader(text, ignore_metadata_errors=True).data
        metadata: dict[str, Any] = data.to_dict()
    except _NotPlain as error:
        raise ValueError(str(error)) from None
    except yaml.YAMLError as error:
        raise ValueError(f"its metadata are not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("its metadata are nested too deeply") from None
    except (AttributeError, TypeError, ValueError):
        raise ValueError("its metadata are not a YAML mapping from names to values") from None
    if not metadata:
        raise ValueError("there is nothing between the two lines of --- that it starts with")
    return metadata


class _NotPlain(Exception):
    """YAML that the Hub refuses, or that would take all memory."""


def _must_be_plain(text: str) -> None:
    """See that YAML names nothing twice, of which one would be lost, and stays of its size.

    Raises:
        _NotPlain: it does not.
        yaml.YAMLError: it is not YAML.
    """
    import yaml

    if len(text) > LONGEST:
        raise _NotPlain(f"its metadata have {len(text):,} characters; {LONGEST:,} are enough")
    loader = yaml.SafeLoader(text)
    try:
        root: Any = loader.get_single_node()
        twice = _repeated(root)
        if twice is not None:
            raise _NotPlain(f"its metadata have {_quoted(twice)} twice")
        if root is not None and _is_larger(loader.construct_document(root), LONGEST):
            raise _NotPlain("its metadata repeat themselves without end (& and *)")
    finally:
        loader.dispose()


def _repeated(root: Any) -> str | None:
    """Find a name that stands twice in one mapping of a YAML document."""
    import yaml

    seen: set[int] = set()
    left = [root]
    while left:
        node = left.pop()
        if id(node) in seen or not isinstance(node, yaml.CollectionNode):
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys = Counter(k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode))
            twice = [key for key, times in keys.items() if times > 1]
            if twice:
                return str(twice[0])
            left += [value for _, value in node.value]
        else:
            left += node.value
    return None


def _is_larger(value: object, limit: int) -> bool:
    """Tell whether nested lists and mappings, written out, hold more values than a limit."""
    left, count = [value], 0
    while left:
        inner = left.pop()
        count += 1
        if count > limit:
            return True
        if isinstance(inner, Mapping):
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
    return False


def problems(
    card: str,
    kind: Literal["dataset", "model"],
    files: Collection[str],
    present: Collection[str] = (),
) -> list[str]:
    """List what is wrong with the metadata of a card.

    Args:
        card: content of README.md.
        kind: of repository.
        files: data files that a dataset's configs must name.
        present: all files of its folder, so that a pattern is seen to take in more than those.

    Returns:
        One sentence each; empty where there is none.
    """
    try:
        metadata = read(card, kind)
    except ValueError as error:
        return [f"README.md: {error}"]
    found = [*_license_problems(metadata), *_text_problems(metadata)]
    if kind == "dataset":
        found += _config_problems(metadata, files, present)
        found += _info_problems(metadata)
    return [f"README.md: {problem}" for problem in found]


def _texts(value: object) -> list[str] | None:
    """The texts of a field that holds one, or several; None where it holds something else."""
    values = value if isinstance(value, list) else [value]
    texts = [v for v in values if isinstance(v, str) and v]
    return texts if texts and len(texts) == len(values) else None


def _license_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Ask for terms that the Hub knows."""
    if metadata.get("license") is None:
        yield f"it names no license, such as  license: cc-by-4.0; {_OTHER}"
        return
    named = _texts(metadata["license"]) or []
    for name in named:
        if name not in LICENSES:
            near = get_close_matches(name.lower(), LICENSES, 1, 0.75)
            hint = f"did you mean {near[0]}? Or " if near else ""
            yield f"license: the Hub knows no {_quoted(name)}; {hint}{_OTHER}"
    if "other" in named:
        missing = [f for f in ("license_name", "license_link") if not _texts(metadata.get(f))]
        if missing:
            yield f"license: other needs a {' and a '.join(missing)}"


def _text_problems(metadata: Mapping[str, Any]) -> Iterator[str]:
    for field in _TEXTS:
        value = metadata.get(field)
        if value is not None and value != [] and _texts(value) is None:
            yield f"{field}: {_quoted(value)} is neither a text nor a list of texts"


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _config_problems(
    metadata: dict[str, Any], files: Collection[str], present: Collection[str]
) -> list[str]:
    """Ask `datasets` whether it understands the configs, and whether one is what task.json says."""
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    try:
        configs = MetadataConfigs.from_dataset_card_data(DatasetCardData(**metadata))
        default = configs.get_default_config_name()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        first = (str(error).strip().splitlines() or ["they are not as it writes them"])[0]
        return [f"`datasets` refuses its configs: {first}"]
    if not configs:
        wanted = "from which `datasets` learns the splits"
        return [f"it has no `configs`, {wanted}; write  {_advice(files)}"]
    judged = {name: _split_problems(config, files, present) for name, config in configs.items()}
    if not all(judged.values()):
        return []
    return judged[default if default in judged else next(iter(judged))]


def _advice(files: Collection[str]) -> str:
    named = ((split, file) for split, file in SPLITS.items() if file in files)
    splits = ", ".join(f"{{split: {split}, path: {file}}}" for split, file in named)
    return f"configs: [{{config_name: default, data_files: [{splits}]}}]"


def _split_problems(
    config: Mapping[str, Any], files: Collection[str], present: Collection[str]
) -> list[str]:
    """Compare the splits of a config with those of task.json: `train` may hide nothing."""
    there = sorted({*files, *present})
    own = {file: split for split, file in SPLITS.items() if file in files}
    folder = str(config.get("data_dir") or "").strip("./")
    taken: dict[str, set[str]] = {file: set() for file in there}
    found = []
    for split, pattern in _patterns(config.get("data_files")):
        path = "/".join(part for part in (folder, pattern.removeprefix("./")) if part)
        matched = _matching(path, there)
        if not matched:
            found.append(f"`configs` names {pattern}, which task.json does not")
        for file in matched:
            taken[file].add(split)
    for file, splits in taken.items():
        if file in files and not splits:
            found.append(f"`configs` does not name {file}")
        elif file not in files and splits:
            found.append(f"`configs` names {file}, which task.json does not")
        elif file in own and splits != {own[file]}:
            said = " and ".join(sorted(splits))
            found.append(f"`configs` puts {file} into split {said}; it is {own[file]}")
    return found


def _patterns(data_files: object) -> Iterator[tuple[str, str]]:
    """The splits and patterns of a config, in all the forms that `datasets` reads."""
    for item in data_files if isinstance(data_files, list) else [data_files]:
        if isinstance(item, Mapping):
            paths = item["path"]
            for path in paths if isinstance(paths, list) else [paths]:
                yield str(item["split"]), str(path)
        elif item is not None:
            yield "train", str(item)  # what names no split is in this one


def _matching(pattern: str, files: Collection[str]) -> list[str]:
    """The files that a path or pattern names, as fsspec reads patterns for `datasets`."""
    from fsspec.utils import glob_translate

    try:
        expression = re.compile(glob_translate(pattern))
    except (ValueError, re.error):
        return []
    return [file for file in files if file == pattern or expression.match(file)]


def _info_problems(metadata: dict[str, Any]) -> list[str]:
    """Ask `datasets` whether it understands what the card says of columns and splits."""
    from datasets.info import DatasetInfosDict
    from huggingface_hub import DatasetCardData

    try:
        DatasetInfosDict.from_dataset_card_data(DatasetCardData(**metadata))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        first = (str(error).strip().splitlines() or ["it is not as it writes it"])[0]
        return [f"`datasets` refuses its dataset_info: {first}"]
    return []


def dump(metadata: dict[str, Any]) -> str:
    """Write metadata as YAML, in the given order, without the lines of dashes."""
    from huggingface_hub import CardData

    return CardData(**msgspec.to_builtins(metadata)).to_yaml().rstrip("\n")
