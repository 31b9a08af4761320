"""Which methods there are, and how anybody's own joins them."""

from __future__ import annotations

import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar

from mbo_hub.errors import UnknownMethod
from mbo_hub.methods.auto_cbas import AutofocusedCbAS
from mbo_hub.methods.best_logged import BestLogged
from mbo_hub.methods.bo_qei import BayesianOptimization
from mbo_hub.methods.cbas import CbAS
from mbo_hub.methods.cma_es import CmaEs
from mbo_hub.methods.coms import ConservativeObjectiveModels
from mbo_hub.methods.grad_mean import GradMean
from mbo_hub.methods.grad_min import GradMin
from mbo_hub.methods.gradient_ascent import GradientAscent
from mbo_hub.methods.mins import ModelInversionNetworks
from mbo_hub.methods.progress import Progress
from mbo_hub.methods.protocol import Method, Proposal, Setting
from mbo_hub.methods.random_designs import Random
from mbo_hub.methods.reinforce import Reinforce
from mbo_hub.offline import Offline

__all__ = ["METHODS", "Function", "find"]

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

    def propose(self, offline: Offline, budget: int, seed: int, progress: Progress) -> Proposal:
        """Call it."""
        found = self.call(offline=offline, budget=budget, seed=seed)
        return found if isinstance(found, Proposal) else Proposal(found)


def find(name: str, preset: str = "standard", task: str = "") -> Method:
    """Make a method ready to run.

    Args:
        name: a key of `METHODS`, or `package.module:attribute` of anybody's: a subclass of
            `Method`, an instance of one, or a function of `offline`, `budget` and `seed`. Modules
            are looked for in the current folder, too. Naming one runs its code.
        preset: 'standard' or 'paper'; a function and an instance have none.
        task: name of the task; presets may have other values there.

    Raises:
        UnknownMethod: no such method, module, or attribute, or it is none.
    """
    if name in METHODS:
        return METHODS[name].preset(preset, task)
    module_name, colon, attribute = name.partition(":")
    if not colon:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise UnknownMethod(
            f"no method named {name!r}{hint}  (`mbo methods` shows all; your own is "
            "package.module:attribute)"
        )
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (ImportError, ValueError) as error:
        raise UnknownMethod(
            f"{name}: module {module_name!r} cannot be imported: {error}"
        ) from error
    finally:
        sys.path.remove(here)
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if inspect.isclass(found) and issubclass(found, Method):
        return found.preset(preset, task)
    if isinstance(found, Method):
        return found
    if callable(found):
        return Function(found, name=attribute)
    raise UnknownMethod(f"{name}: {module_name} has no method or function {attribute!r}")
