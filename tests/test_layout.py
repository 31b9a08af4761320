"""The shape of the package: what may import what, what is public, what the names say."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest
from conftest import ROOT

import mbo_hub

# A module imports only modules above it. CONTRIBUTING.md explains each in a line.
ORDER = [
    "errors",
    "typing",
    "atomic",
    "spaces",
    "manifest",
    "parquet",
    "offline",
    "molecules",
    "oracles",
    "spec",
    "tasks",
    "trust",
    "scoring",
    "task",
    "statistics",
    "schema",
    "hub",
    "archive",
    "mirror",
    "loader",
    "reading",
    "metadata",
    "validation",
    "publishing",
    "pictures",
    "sources",
    "assembly",
    "atom_pairs",
    "surrogates",
    "networks",
    "croissant",
    "cards",
    "build",
    "cli",
]
# Heavy libraries, and the only modules that may import them; all but pyarrow inside a function.
HEAVY = {
    "pandera": {"schema"},
    "polars": {"schema", "tasks", "validation", "reading", "assembly", "build"},
    "pyarrow": {"parquet", "assembly"},
    "onnxruntime": {"oracles"},
    "onnx": {"atom_pairs", "networks", "surrogates"},
    "rdkit": {"molecules"},
    "sklearn": {"surrogates", "oracles"},
    "torch": {"oracles"},
    "scipy": {"surrogates"},
    "matplotlib": {"cards"},
    "jinja2": {"cards"},
    "huggingface_hub": {"hub", "metadata"},
    "datasets": {"metadata"},
    "yaml": {"metadata"},
    "mujoco": {"oracles"},
    "jsonschema": {"manifest", "metadata"},
}
MODULES = sorted((ROOT / "mbo_hub").rglob("*.py"))


def unit(path: object) -> str:
    """The first name below mbo_hub: a module, or a subpackage as a whole."""
    return str(path.relative_to(ROOT / "mbo_hub").parts[0]).removesuffix(".py")  # type: ignore[attr-defined]


def imports(tree: ast.AST, *, at_top: bool) -> set[str]:
    nodes = ast.iter_child_nodes(tree) if at_top else ast.walk(tree)
    checked = [
        n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n)
    ]
    for_types = {id(child) for node in checked for child in ast.walk(node)}
    found = set()
    for node in nodes:
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_import_only_what_stands_above_them(path: object) -> None:
    name = unit(path)
    if name == "__init__":
        return
    assert name in ORDER, f"{name} has no place in the order of modules"
    tree = ast.parse(path.read_text("utf-8"))  # type: ignore[attr-defined]
    used = {i.split(".")[1] for i in imports(tree, at_top=False) if i.startswith("mbo_hub.")}
    used &= set(ORDER)
    below = {u for u in used if ORDER.index(u) > ORDER.index(name)}
    assert not below, f"{name} imports {below}, which stand below it"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_heavy_libraries_stay_where_they_belong(path: object) -> None:
    name = unit(path)
    tree = ast.parse(path.read_text("utf-8"))  # type: ignore[attr-defined]
    used = {i.split(".")[0] for i in imports(tree, at_top=False)} & set(HEAVY)
    assert {library for library in used if name not in HEAVY[library]} == set()
    if name != "oracles":  # the simulators are modules of their own, imported when opened
        top = {i.split(".")[0] for i in imports(tree, at_top=True)} & set(HEAVY) - {"pyarrow"}
        assert top == set(), "import a heavy library inside the function that needs it"


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert mbo_hub.__all__ == sorted(mbo_hub.__all__)
    assert set(mbo_hub.__all__) == set(mbo_hub._HOME) | {"__version__"}
    for name in mbo_hub.__all__:
        assert getattr(mbo_hub, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mbo_hub.nonsense  # noqa: B018


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import mbo_hub.cli, mbo_hub.archive; mbo_hub.archive.summaries()", "numpy"),
        ("import mbo_hub; t = mbo_hub.load('tfbind8'); t.oracle(t.x[:9])", "pandas"),
        ("import mbo_hub; t = mbo_hub.load('tfbind8'); t.oracle(t.x[:9])", "onnxruntime"),
        ("import mbo_hub; t = mbo_hub.load('tfbind8'); t.oracle(t.x[:9])", "pyarrow.compute"),
        ("import mbo_hub; t = mbo_hub.load('tfbind8'); t.evaluate(t.x[:9])", "polars"),
    ],
)
def test_slow_libraries_are_not_loaded(code: str, absent: str) -> None:
    check = f"{code}; import sys; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="counts threads in /proc")
def test_loading_starts_no_threads() -> None:
    """Arrow's thread pool aborts the process at exit about once in 40 times."""
    code = (
        "import mbo_hub, os; t = mbo_hub.load('tfbind8'); t.oracle(t.x[:9]); t.hidden; "
        "print(sum(1 for _ in os.scandir('/proc/self/task')))"
    )
    before = "import numpy, pyarrow, os; print(sum(1 for _ in os.scandir('/proc/self/task')))"
    counts = [
        int(subprocess.run([sys.executable, "-c", c], capture_output=True, check=True).stdout)
        for c in (code, before)
    ]
    assert counts[0] == counts[1]
