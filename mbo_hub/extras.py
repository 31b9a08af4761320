"""What each extra of the package brings, and the one message that says when it is missing."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec

from mbo_hub.errors import MboHubError, MissingExtra

__all__ = ["EXTRAS", "command", "distribution", "require"]

# Extra → the libraries that its verbs import: names on PyPI, and what Python imports them as.
EXTRAS: Mapping[str, Mapping[str, str]] = {
    "publish": {
        "jsonschema": "jsonschema",
        "pandera": "pandera",
        "polars": "polars",
        "PyYAML": "yaml",
    },
    "nas": {"torch": "torch", "scikit-learn": "sklearn"},
    "methods": {"torch": "torch", "botorch": "botorch", "cma": "cma"},
    "chem": {"RDKit": "rdkit"},
    "render": {"Pillow": "PIL", "imageio-ffmpeg": "imageio_ffmpeg"},
    "plot": {"matplotlib": "matplotlib"},
    "results": {
        "distributed": "distributed",
        "matplotlib": "matplotlib",
        "scipy": "scipy",
    },
}


def command(extra: str) -> str:
    """Write the command that installs an extra."""
    return f"pip install 'mbo-hub[{extra}]'"


def require(
    extra: str,
    who: str,
    *libraries: str,
    otherwise: str = "",
    error: type[MboHubError] = MissingExtra,
) -> None:
    """See that the libraries of an extra are installed, without importing them.

    Args:
        extra: a key of `EXTRAS`.
        who: needs them, as the subject of the sentence.
        libraries: those that are needed; none named: all of the extra.
        otherwise: what else can be done, as the end of the sentence.
        error: what to raise.

    Raises:
        MissingExtra: names what is missing and how to install it.
    """
    modules = EXTRAS[extra]
    missing = [name for name in libraries or modules if find_spec(modules[name]) is None]
    if not missing:
        return
    *first, last = missing
    named = f"{', '.join(first)} and {last}" if first else last
    them = "them" if first else "it"
    raise error(f"{who} needs {named}; install {them} with  {command(extra)}{otherwise}")


def distribution(library: str) -> str | None:
    """Find the installed package of a library, which is named as on PyPI or as Python imports it.

    Returns:
        Its name on PyPI; the library itself if no package brings it; None: it is not installed.
    """
    known = next((brings[library] for brings in EXTRAS.values() if library in brings), None)
    try:
        name = metadata.distribution(library).metadata["Name"]
    except (metadata.PackageNotFoundError, ValueError):
        name = None
    if name is not None and known is None:
        return name
    module = (known or library).partition(".")[0]
    if not module.isidentifier() or find_spec(module) is None:
        return None
    return name or _packages().get(module, [library])[0]


@cache
def _packages() -> Mapping[str, list[str]]:
    """The packages that bring each module: half a second to find out."""
    return metadata.packages_distributions()
