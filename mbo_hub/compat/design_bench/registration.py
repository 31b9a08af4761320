"""Tasks by their names, and making them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.task import HERE, Task

__all__ = [
    "TASKS",
    "TASK_PATTERN",
    "TaskRegistry",
    "TaskSpecification",
    "make",
    "register",
    "registry",
    "spec",
]

TASK_PATTERN = re.compile(r"(\w+)-(\w+)-v(\d+)$")


@dataclass(repr=False)
class TaskSpecification:
    """What a name stands for.

    Attributes:
        task_name: Dataset-Oracle-v0.
        dataset: class, or "module:class".
        oracle: likewise.
        dataset_kwargs: the dataset's defaults.
        oracle_kwargs: the oracle's defaults.
    """

    task_name: str
    dataset: Any
    oracle: Any
    dataset_kwargs: dict[str, Any] = field(default_factory=dict)
    oracle_kwargs: dict[str, Any] = field(default_factory=dict)

    @property
    def _parts(self) -> re.Match[str]:
        found = TASK_PATTERN.search(self.task_name)
        if found is None:
            raise DesignBenchError(
                f"{self.task_name!r} is not the name of a task, which is like TFBind8-Exact-v0 "
                f"({TASK_PATTERN.pattern})"
            )
        return found

    @property
    def dataset_name(self) -> str:
        """The first part of the name."""
        return self._parts[1]

    @property
    def oracle_name(self) -> str:
        """The second part."""
        return self._parts[2]

    def make(
        self,
        dataset_kwargs: dict[str, Any] | None = None,
        oracle_kwargs: dict[str, Any] | None = None,
        **options: Any,
    ) -> Task:
        """Make the task.

        Args:
            dataset_kwargs: these replace the defaults of the same names only.
            oracle_kwargs: likewise.
            options: of `Task`.
        """
        return Task(
            self.dataset,
            self.oracle,
            dataset_kwargs={**self.dataset_kwargs, **(dataset_kwargs or {})},
            oracle_kwargs={**self.oracle_kwargs, **(oracle_kwargs or {})},
            **options,
        )

    def __repr__(self) -> str:
        return f"TaskSpecification({self.task_name})"


class TaskRegistry:
    """Specifications by name."""

    def __init__(self) -> None:
        self.task_specs: dict[str, TaskSpecification] = {}

    def all(self) -> Iterable[TaskSpecification]:
        """All of them, in the order in which they were registered."""
        return self.task_specs.values()

    def spec(self, task_name: str) -> TaskSpecification:
        """Find one.

        Raises:
            ValueError: the name is not like a task's, or there is no such task; it says what is.
        """
        asked = TaskSpecification(task_name, None, None)
        dataset, oracle = asked.dataset_name, asked.oracle_name
        if task_name in self.task_specs:
            return self.task_specs[task_name]
        of_dataset = [one for one in self.all() if one.dataset_name == dataset]
        versions = [one.task_name for one in of_dataset if one.oracle_name == oracle]
        if versions:
            raise DesignBenchError(f"{task_name}: there is another version, {', '.join(versions)}")
        if of_dataset:
            others = ", ".join(one.task_name for one in of_dataset)
            raise DesignBenchError(
                f"{task_name}: there is no oracle {oracle} for the dataset {dataset}; there is "
                f"{others}"
            )
        raise DesignBenchError(
            f"no task is called {task_name}; mbo_hub has {', '.join(self.task_specs)}"
        )

    def make(self, task_name: str, **options: Any) -> Task:
        """Make a task by its name; see `TaskSpecification.make`."""
        return self.spec(task_name).make(**options)

    def register(
        self,
        task_name: str,
        dataset: Any,
        oracle: Any,
        dataset_kwargs: dict[str, Any] | None = None,
        oracle_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Give a name to a dataset and an oracle.

        Raises:
            ValueError: the name is taken, or not like a task's.
        """
        made = TaskSpecification(
            task_name, dataset, oracle, dataset_kwargs or {}, oracle_kwargs or {}
        )
        made.dataset_name  # noqa: B018 -- raises
        if task_name in self.task_specs:
            raise DesignBenchError(f"a task is called {task_name} already")
        self.task_specs[task_name] = made


registry = TaskRegistry()


def register(
    task_name: str,
    dataset: Any,
    oracle: Any,
    dataset_kwargs: dict[str, Any] | None = None,
    oracle_kwargs: dict[str, Any] | None = None,
) -> None:
    """Give a name to a dataset and an oracle; see `TaskRegistry.register`."""
    registry.register(task_name, dataset, oracle, dataset_kwargs, oracle_kwargs)


def make(
    task_name: str,
    dataset_kwargs: dict[str, Any] | None = None,
    oracle_kwargs: dict[str, Any] | None = None,
    **options: Any,
) -> Task:
    """Make a task by its name.

    Args:
        task_name: like TFBind8-Exact-v0.
        dataset_kwargs: max_samples, distribution, max_percentile, min_percentile, ….
        oracle_kwargs: noise_std, ….
        options: relabel.

    Raises:
        ValueError: there is no such task; it says what is.
    """
    return registry.make(
        task_name, dataset_kwargs=dataset_kwargs, oracle_kwargs=oracle_kwargs, **options
    )


def spec(task_name: str) -> TaskSpecification:
    """Find what a name stands for; see `TaskRegistry.spec`."""
    return registry.spec(task_name)


# Name → module and class of the dataset, of the oracle, and the percentile up to which y is seen.
TASKS = {
    "TFBind8-Exact-v0": ("discrete.tf_bind_8", "TFBind8", "exact", "TFBind8", 50),
    "TFBind10-Exact-v0": ("discrete.tf_bind_10", "TFBind10", "exact", "TFBind10", 50),
    "Superconductor-RandomForest-v0": (
        "continuous.superconductor", "Superconductor", "sklearn", "RandomForest", 80),
    "AntMorphology-Exact-v0": (
        "continuous.ant_morphology", "AntMorphology", "exact", "AntMorphology", 40),
    "DKittyMorphology-Exact-v0": (
        "continuous.dkitty_morphology", "DKittyMorphology", "exact", "DKittyMorphology", 40),
    "HopperController-Exact-v0": (
        "continuous.hopper_controller", "HopperController", "exact", "HopperController", 100),
    "CIFARNAS-Exact-v0": ("discrete.cifar_nas", "CIFARNAS", "exact", "CIFARNAS", 50),
    "ChEMBL_MCHC_CHEMBL3885882_MorganFingerprint-RandomForest-v0": (
        "discrete.chembl", "ChEMBL", "sklearn", "RandomForest", 40),
}  # fmt: skip

for _name, (_module, _dataset, _room, _oracle, _percentile) in TASKS.items():
    register(
        _name,
        f"{HERE}.datasets.{_module}_dataset:{_dataset}Dataset",
        f"{HERE}.oracles.{_room}:{_oracle}Oracle",
        dataset_kwargs={
            "max_samples": None,
            "distribution": None,
            "max_percentile": _percentile,
            "min_percentile": 0,
        },
        oracle_kwargs={"noise_std": 0.0},
    )
