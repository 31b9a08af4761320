"""`croissant.json`: a dataset in MLCommons' Croissant 1.1, for search engines and tools."""

from __future__ import annotations

import json
from typing import Any

from mbo_hub.archive.folders import ORG
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.spaces import Sequence
from mbo_hub.tasks.spec import TaskSpec

__all__ = ["croissant"]

_CR = """
    arrayShape citeAs column equivalentProperty extract field fileObject fileProperty fileSet format
    includes isArray isLiveDataset jsonPath key md5 parentField path recordSet references regex
    repeated replace samplingRate separator source subField transform
"""
# The context that the specification prescribes.
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{name: f"cr:{name}" for name in _CR.split()},
}


def croissant(spec: TaskSpec, manifest: Manifest) -> str:
    """Describe a dataset: its files with their hashes, and the columns of each split."""
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": spec.name,
        "alternateName": spec.title,
        "description": f"{spec.summary} Objective: {spec.objective.description}.",
        "url": f"https://huggingface.co/datasets/{ORG}/{spec.name}",
        "license": f"https://spdx.org/licenses/{spec.source.license}.html",
        "citeAs": spec.source.citation,
        "datePublished": spec.published,
        "version": spec.version,
        "keywords": ["offline model-based optimization", *spec.tags],
        "creator": {"@type": "sc:Organization", "name": "mbo-hub"},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "contentSize": f"{entry.bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": entry.sha256,
            }
            for file, entry in manifest.files.items()
        ],
        "recordSet": [_records(spec, file) for file in manifest.files],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _records(spec: TaskSpec, file: str) -> dict[str, Any]:
    split = file.removeprefix("data/").removesuffix(".parquet")
    whole = isinstance(spec.space, Sequence)
    columns: list[tuple[str, str, dict[str, Any]]] = [
        ("x", "sc:Integer" if whole else "sc:Float",
         {"isArray": True, "arrayShape": str(spec.space.dim), "description": "the design"}),
        ("y", "sc:Float", {"description": f"{spec.objective.name}, larger is better"}),
    ]  # fmt: skip
    if spec.y_oracle is not None:
        what = f"value of the oracle {spec.y_oracle} for the design"
        columns.append(("y_oracle", "sc:Float", {"description": what}))
    columns += [(name, "sc:Integer", {"description": what}) for name, what in spec.extra.items()]
    if spec.text is not None:
        columns.insert(0, (spec.text, "sc:Text", {"description": "the design, written for people"}))
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": "visible designs" if split == "train" else "hidden designs",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{name}",
                "name": name,
                "dataType": kind,
                **extra,
                "source": {"fileObject": {"@id": file}, "extract": {"column": name}},
            }
            for name, kind, extra in columns
        ],
    }
