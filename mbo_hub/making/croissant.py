"""`croissant.json`: a dataset in MLCommons' Croissant 1.1, for search engines and tools."""

from __future__ import annotations

import json
from typing import Any

from mbo_hub.archive.folders import ORG
from mbo_hub.dataset.layout import TRAIN, Column, split_of
from mbo_hub.dataset.manifest import Manifest
from mbo_hub.making.cards import citations, terms
from mbo_hub.tasks.spec import TaskSpec

__all__ = ["croissant"]

HUB = "https://huggingface.co"
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


_TYPES = {"string": "sc:Text", "int8": "sc:Integer", "int32": "sc:Integer", "float32": "sc:Float"}


def croissant(spec: TaskSpec, manifest: Manifest, hub: str = HUB) -> str:
    """Describe a dataset: its files with their hashes, and the columns of each split.

    Files have the addresses that they have under the version's tag on the Hub, so that the document
    loads from anywhere, by its own address above all, and however main moves on. Without a network,
    mlcroissant takes them from elsewhere: ``Dataset(document, mapping={file: path, …})``.

    Args:
        spec: of the task.
        manifest: of the task.
        hub: where the dataset is published.
    """
    page = f"{hub}/datasets/{ORG}/{spec.name}"
    document = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": spec.name,
        "alternateName": spec.title,
        "description": f"{spec.summary} Objective: {spec.objective.description}.",
        "url": page,
        "license": terms(spec).get(
            "license_link", f"https://spdx.org/licenses/{spec.source.license}.html"
        ),
        "citeAs": "\n\n".join(citations(spec)),
        "datePublished": spec.published,
        "version": spec.version,
        "keywords": ["offline model-based optimization", *spec.tags],
        "creator": {"@type": "sc:Organization", "name": "mbo-hub"},
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": f"{page}/resolve/v{spec.version}/{file}",
                "contentSize": f"{entry.bytes} B",
                "encodingFormat": "application/x-parquet",
                "sha256": entry.sha256,
            }
            for file, entry in manifest.files.items()
        ],
        "recordSet": [_records(manifest, file) for file in manifest.files],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _records(manifest: Manifest, file: str) -> dict[str, Any]:
    split = split_of(file)
    return {
        "@type": "cr:RecordSet",
        "@id": split,
        "name": split,
        "description": "visible designs" if file == TRAIN else "hidden designs",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{split}/{column.name}",
                "name": column.name,
                "dataType": _TYPES[column.dtype],
                **_shape(column),
                "description": column.meaning,
                "source": {"fileObject": {"@id": file}, "extract": {"column": column.name}},
            }
            for column in manifest.columns
        ],
    }


def _shape(column: Column) -> dict[str, Any]:
    """How many values a cell has, where it has several."""
    return {} if column.length is None else {"isArray": True, "arrayShape": str(column.length)}
