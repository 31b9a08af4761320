"""Which methods there are, and how anybody's own joins them."""

from __future__ import annotations

import difflib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, ClassVar, NamedTuple

from mbo_hub.errors import UnknownMethod
from mbo_hub.methods.auto_cbas import AutofocusedCbAS
from mbo_hub.methods.best_logged import BestLogged
from mbo_hub.methods.bo_qei import BayesianOptimization
from mbo_hub.methods.cbas import CbAS
from mbo_hub.methods.cma_es import CmaEs
from mbo_hub.methods.coms import ConservativeObjectiveModels
from mbo_hub.methods.declared import wrong
from mbo_hub.methods.grad_mean import GradMean
from mbo_hub.methods.grad_min import GradMin
from mbo_hub.methods.gradient_ascent import GradientAscent
from mbo_hub.methods.mins import ModelInversionNetworks
from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Setting
from mbo_hub.methods.random_designs import Random
from mbo_hub.methods.reinforce import Reinforce
from mbo_hub.offline import Offline

__all__ = ["METHODS", "Function", "Place", "find", "place_of", "said"]

_ALL: tuple[type[Method], ...] = (
    Random,
    BestLogged,
    GradientAscent,
    GradMin,
    GradMean,
    Reinforce,
    CmaEs,
    BayesianOptimization,
    CbAS,
    AutofocusedCbAS,
    ModelInversionNetworks,
    ConservativeObjectiveModels,
)
METHODS: Mapping[str, type[Method]] = MappingProxyType({method.name: method for method in _ALL})


@dataclass(frozen=True)
class Function(Method):
    """A plain function as a method.

    Args:
        call: takes `offline`, `budget` and `seed` by name, and returns (n, d) designs, or a
            `Proposal`.
    """

    title: ClassVar[str] = "A function"

    call: Callable[..., Any]
    name: str = field(default="", kw_only=True)  # type: ignore[misc]

    def settings(self, task: str = "") -> dict[str, Setting]:
        """A function has no hyper-parameters that can be seen."""
        return {}

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Any:
        """Call it."""
        return self.call(offline=offline, budget=budget, seed=seed)


class Place(NamedTuple):
    """Where somebody's own method is.

    Attributes:
        module: its name, as Python imports it.
        attribute: of the module.
        file: of the module, where that was named; None: whatever Python finds.
    """

    module: str
    attribute: str
    file: Path | None

    @property
    def code(self) -> str:
        """As a record names it, without folders."""
        return f"{self.module}:{self.attribute}"

    @property
    def folder(self) -> Path:
        """Where its neighbours are looked for, after all that is installed."""
        return Path.cwd() if self.file is None else self.file.parent


def place_of(name: str) -> Place | None:
    """Read package.module:attribute, or path/to/module.py:attribute; None: it has no colon."""
    where, colon, attribute = name.rpartition(":")
    if not colon:
        return None
    if not re.search(r"\.py$|[/\\]", where):
        return Place(where, attribute, None)
    file = Path(where if where.endswith(".py") else f"{where}.py").expanduser().resolve()
    return Place(file.stem, attribute, file)


def said(error: BaseException) -> str:
    """Tell an exception in one line: its type, its whole message, and its notes."""
    lines = "".join(traceback.format_exception_only(error)).splitlines()
    return " ".join(line.strip() for line in lines if line.strip())


def find(name: str, preset: str = "standard", task: str = "") -> Method:
    """Make a method ready to run.

    Args:
        name: a key of `METHODS`, or `package.module:attribute` or `path/to/module.py:attribute` of
            anybody's: a subclass of `Method`, an instance of one, or a function of `offline`,
            `budget` and `seed`. Modules are looked for in the current folder, too, after all that
            is installed. Naming one runs its code.
        preset: 'standard' or 'paper'; a function and an instance have none.
        task: name of the task; presets may have other values there.

    Raises:
        UnknownMethod: no such method, module, or attribute, or the object is not a method; says
            what is wrong with its declaration.
    """
    if name in METHODS:
        return METHODS[name].preset(preset, task)
    place = place_of(name)
    if place is None:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownMethod(
            f"no method named {name!r}{hint}  (`mbo methods` shows all; your own is "
            "package.module:attribute or file.py:attribute)"
        )
    found: Any = _imported(name, place)
    for part in place.attribute.split("."):
        found = getattr(found, part, None)
    is_class = inspect.isclass(found) and issubclass(found, Method)
    if is_class or isinstance(found, Method):
        if problem := wrong(found):
            raise UnknownMethod(f"{name}: {problem}")
        if is_class and preset not in found.presets:
            raise UnknownMethod(f"{name}: no preset {preset!r}; it has {', '.join(found.presets)}")
        with _one_sentence(f"{name}: preset {preset!r} cannot be made"):
            method: Method = found.preset(preset, task) if is_class else found
        with _one_sentence(f"{name}: its settings cannot be written down"):
            method.settings(task)
        return method
    if callable(found):
        _see_that_it_takes(found, name)
        return Function(found, name=place.attribute)
    where = getattr(sys.modules[place.module], "__file__", None) or "Python itself"
    raise UnknownMethod(
        f"{name}: {place.module} ({where}) has no method or function {place.attribute!r}"
    )


def _imported(name: str, place: Place) -> ModuleType:
    """Import the module of a method; what it prints goes to stderr, where it disturbs no data."""
    if place.file is not None and not place.file.is_file():
        raise UnknownMethod(f"{name}: there is no file {place.file}")
    folder = str(place.folder)
    sys.path.append(folder)
    try:
        with (
            redirect_stdout(sys.stderr),
            _one_sentence(f"{name}: module {place.module!r} cannot be imported"),
        ):
            module = importlib.import_module(place.module)
    finally:
        del sys.path[len(sys.path) - 1 - sys.path[::-1].index(folder)]
    found = getattr(module, "__file__", None)
    if place.file is not None and (found is None or Path(found).resolve() != place.file):
        raise UnknownMethod(
            f"{name}: Python finds another module {place.module!r}, {found or 'its own'}; give the "
            "file another name"
        )
    return module


def _see_that_it_takes(call: Callable[..., Any], name: str) -> None:
    """Check that a function takes what it will be given."""
    try:
        signature = inspect.signature(call)
    except (TypeError, ValueError):  # some of those written in C tell nothing
        return
    try:
        signature.bind(offline=None, budget=1, seed=0)
    except TypeError as error:
        raise UnknownMethod(
            f"{name}: it is called with offline, budget and seed by name, and takes {signature}: "
            f"{error}"
        ) from None


@contextmanager
def _one_sentence(what: str) -> Iterator[None]:
    """Say what somebody's own code raises, whatever that is, in a sentence."""
    try:
        yield
    except KeyboardInterrupt:
        raise
    except UnknownMethod as error:
        raise UnknownMethod(f"{what}: {error}") from None
    except BaseException as error:
        raise UnknownMethod(f"{what}: {said(error)}") from error
