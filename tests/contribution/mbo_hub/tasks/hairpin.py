"""Hairpin: RNA strands of six letters that fold back on themselves.

The objective counts hydrogen bonds, one to three a pair of letters; the optimum, nine, is known.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.onnx import TableGraph
from mbo_hub.oracles.table import Table
from mbo_hub.spaces import Sequence
from mbo_hub.tasks.spec import Generated, TaskSpec

if TYPE_CHECKING:
    import polars as pl

SPACE = Sequence(length=6, alphabet=tuple("ACGU"))


def build(raw: bytes) -> pl.DataFrame:
    """Number the letters."""
    import polars as pl

    table = pl.read_csv(io.BytesIO(raw))
    return pl.DataFrame(
        {
            "sequence": table["strand"],
            "x": pl.Series(SPACE.encode(table["strand"].to_list()), dtype=pl.Array(pl.Int8, 6)),
            "y": table["bonds"].cast(pl.Float32),
        }
    )


TASK = TaskSpec(
    name="hairpin",
    title="Hairpin",
    summary="Find RNA strands of six letters that fold back on themselves with many bonds.",
    design="Six letters of RNA, ACGU as 0 to 3.",
    space=SPACE,
    objective=Objective(name="hydrogen bonds", description="Bonds between letters 1-6, 2-5, 3-4"),
    raw=Generated(
        script="scripts/generate_hairpin.py",
        file="hairpin/rows.csv",
        sha256="964e20e8cf0576339d682a771a5a5b50aca5f8a2bd16c3a5a0d8722af3c37a03",
    ),
    source=Source(
        url="https://example.org/hairpin",
        license="Apache-2.0",
        attribution="Computed by the mbo-hub developers",
    ),
    build=build,
    text="sequence",
    visible=(0.0, 50.0),
    oracles={"exact": Table(), "onnx": TableGraph()},
    risks=("Bonds alone do not tell whether a strand folds.",),
    optimum="Known exactly: nine bonds, of three pairs of G and C.",
    tags=("biology", "rna"),
    published="2026-12-01",
)
