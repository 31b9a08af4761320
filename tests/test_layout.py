"""The shape of the package: what may import what, what is public, what the names say."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import ROOT

import mbo_hub

# A room imports only rooms above it, and itself. CONTRIBUTING.md says what each is for.
ROOMS = (
    ("errors", "extras", "arrays", "atomic", "_version"),  # the floor that all stand on
    ("spaces", "offline"),
    ("dataset",),
    ("archive",),
    ("oracles",),
    ("scoring",),
    ("tasks",),
    ("task", "loader", "reading"),
    ("publishing",),
    ("making",),
    ("methods",),
    ("results",),
    ("compat",),
    ("cli", "__init__", "__main__"),
)
FLOOR = {name: floor for floor, names in enumerate(ROOMS) for name in names}
WORKSHOPS = {"publishing", "making", "methods", "results"}  # no user's program may need them
# Heavy libraries, and the only modules that may import them; all but pyarrow inside a function.
HEAVY = {
    "pandera": {"dataset.schema", "results.schema"},
    "polars": {"dataset.schema", "results.schema", "tasks", "publishing.validation", "making"},
    "pyarrow": {"dataset.parquet", "making", "results.collection", "results.schema"},
    "onnxruntime": {"oracles.onnx"},
    "onnx": {"making"},
    "rdkit": {"scoring.molecules"},
    "sklearn": {"making.forests", "oracles.digits"},
    "torch": {"oracles.digits", "methods"},
    "botorch": {"methods.bo_qei"},
    "gpytorch": {"methods.bo_qei"},
    "cma": {"methods.cma_es"},
    "scipy": {"making.forests", "results.drawing", "results.intervals"},
    "matplotlib": {"scoring.canvas", "results.drawing", "results.plots"},
    "jinja2": {"making.cards"},
    "huggingface_hub": {"archive.hub", "publishing.metadata"},
    "datasets": {"publishing.metadata"},
    "yaml": {"publishing.metadata"},
    "mujoco": {"oracles.mujoco"},
    "distributed": {"results.dask_engine"},
    "jsonschema": {"publishing"},
    "PIL": {"oracles.mujoco.render"},
    "imageio_ffmpeg": {"oracles.mujoco.render"},
}
MODULES = sorted((ROOT / "mbo_hub").rglob("*.py"))


def dotted(path: Path) -> str:
    """The name of a module below mbo_hub; of a room's own file, the room's."""
    parts = path.relative_to(ROOT / "mbo_hub").with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def room(name: str) -> str:
    return name.split(".")[0]


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


def own_imports(path: Path) -> set[str]:
    """The modules of mbo_hub that a module imports, anywhere in it."""
    found = imports(ast.parse(path.read_text("utf-8")), at_top=False)
    return {name.removeprefix("mbo_hub.") for name in found if name.startswith("mbo_hub.")}


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_rooms_import_only_what_stands_above_them(path: Path) -> None:
    name = room(dotted(path))
    assert name in FLOOR, f"{name} has no place in the order of rooms"
    used = {room(module) for module in own_imports(path)} & set(FLOOR)
    below = {other for other in used if FLOOR[other] > FLOOR[name]}
    assert not below, f"{name} imports {below}, which stand below it"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_what_no_room_may_import(path: Path) -> None:
    name = room(dotted(path))
    used = {room(module) for module in own_imports(path)}
    if name == "methods":
        allowed = {"methods", "offline", "spaces", "errors", "extras", "arrays"}
        assert used <= allowed, "it leaks the oracle"
    if name != "compat":
        assert "compat" not in used, "nothing knows compat"
    if FLOOR[name] < FLOOR["publishing"]:
        assert not used & WORKSHOPS, "a user's program must not need a workshop"


def test_no_module_imports_itself_in_a_circle() -> None:
    """Not even inside functions: what needs each other is one module."""
    names = {dotted(path): path for path in MODULES}
    graph = {
        name: {module for module in own_imports(path) if module in names and module != name}
        for name, path in names.items()
        if name != "__init__"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_heavy_libraries_stay_where_they_belong(path: Path) -> None:
    name = dotted(path)
    tree = ast.parse(path.read_text("utf-8"))

    def may(library: str) -> bool:
        return any(f"{name}.".startswith(f"{place}.") for place in HEAVY[library])

    used = {i.split(".")[0] for i in imports(tree, at_top=False)} & set(HEAVY)
    assert {library for library in used if not may(library)} == set()
    top = {i.split(".")[0] for i in imports(tree, at_top=True)} & set(HEAVY)
    if name in {"dataset.parquet", "results.collection"}:
        top -= {"pyarrow"}
    if name in {"methods.networks", "methods.vae", "methods.gan"}:  # see test_methods.py
        top -= {"torch"}
    assert top == set(), "import a heavy library inside the function that needs it"


def test_the_first_look_shows_few_names() -> None:
    listed = [p for p in (ROOT / "mbo_hub").iterdir() if p.name != "__pycache__"]
    assert len(listed) <= 24
    standard = {p.stem for p in listed} & set(sys.stdlib_module_names)
    assert not standard, "a module is named like one of the standard library"


def test_the_public_names_are_sorted_and_all_there() -> None:
    assert mbo_hub.__all__ == sorted(mbo_hub.__all__) == dir(mbo_hub)
    assert {"load", "Task", "InvalidDesign", "validate", "__version__"} < set(mbo_hub.__all__)
    for name in mbo_hub.__all__:
        assert getattr(mbo_hub, name) is not None
    starred: dict[str, object] = {}
    exec("from mbo_hub import *", starred)  # noqa: S102
    assert set(mbo_hub.__all__) == set(starred) - {"__builtins__"}
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        mbo_hub.nonsense  # noqa: B018


def test_type_checkers_see_what_is_public() -> None:
    """`import X as X` is how a typed package says that X is to be imported from it."""
    tree = ast.parse(Path(mbo_hub.__file__).read_text("utf-8"))
    said = {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert said == set(mbo_hub.__all__)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import mbo_hub.cli; from mbo_hub.archive import folders; folders.summaries()", "numpy"),
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


def test_a_users_type_checker_sees_arrays_without_jaxtyping(tmp_path: Path) -> None:
    """In an environment with mbo_hub and NumPy's types alone, a few of which will do here."""
    pytest.importorskip("mypy", reason="mypy is not installed: pip install '.[dev]'")
    (tmp_path / "numpy").mkdir()
    (tmp_path / "numpy" / "__init__.pyi").write_text(
        "from typing import Any\n"
        "class ndarray:\n    def sum(self) -> float: ...\n"
        "def __getattr__(name: str) -> Any: ...\n"
    )
    asked = {
        "task.x": "numpy.ndarray",
        "task.y": "numpy.ndarray",
        "task.hidden": "tuple[numpy.ndarray, numpy.ndarray]",
        "task.oracle(task.x)": "numpy.ndarray",
        "task.offline.normalization.x.apply(task.x)": "numpy.ndarray",
        "task.space": "mbo_hub.spaces.Sequence | mbo_hub.spaces.Box",
        "task.space.sample(3, rng=0)": "numpy.ndarray",
        "task.evaluate(task.x).raw.best": "float | None",
        "mbo_hub.tasks()[0].name": "str",
    }
    lines = [f"reveal_type({code})" for code in asked]
    program = tmp_path / "program.py"
    program.write_text("\n".join(["import mbo_hub", "task = mbo_hub.load('ant')", *lines]) + "\n")
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-mbo_hub.*]\nfollow_imports = silent\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-site-packages", "--cache-dir", "cache", program.name],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    assert dict(zip(asked, revealed, strict=True)) == asked, done.stdout + done.stderr
