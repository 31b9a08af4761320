"""The forests of Superconductor and ChEMBL."""

from __future__ import annotations

from mbo_hub.compat.design_bench._errors import DesignBenchError
from mbo_hub.compat.design_bench.datasets._archive import Archived
from mbo_hub.compat.design_bench.datasets.dataset_builder import DatasetBuilder
from mbo_hub.compat.design_bench.oracles._archive import ArchivedOracle
from mbo_hub.compat.design_bench.oracles.approximate_oracle import ApproximateOracle

__all__ = ["RandomForestOracle"]

_TRAINED = {"superconductor", "chembl"}


class RandomForestOracle(ArchivedOracle, ApproximateOracle):
    """Scores with the forest that was trained for the task; none is trained here."""

    name = "random_forest"

    @classmethod
    def check_input_format(cls, dataset: DatasetBuilder) -> bool:
        """Raise ValueError where there is no forest for a dataset."""
        if not (isinstance(dataset, Archived) and dataset.task in _TRAINED):
            raise DesignBenchError(
                f"there is no random forest for {type(dataset).__name__}, and none is trained "
                "here; there are those for SuperconductorDataset and ChEMBLDataset"
            )
        return True
