"""Superconductor: materials, written as amounts of 86 elements, that superconduct when it is warm.

The critical temperature of 21,263 measurements that K. Hamidieh took from the SuperCon database of
NIMS: Computational Materials Science 154, 2018; UCI Machine Learning Repository 464. A design is
the amount of each element in the formula (Ba0.2La1.8Cu1O4 has 0.2 of Ba), the objective is the
critical temperature in kelvin. The optimum is not known: nobody has measured all materials.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.arrays import Int64, Num
from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.onnx import Forest
from mbo_hub.spaces import Box, formulas
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks.spec import Download, Groups, TaskSpec

if TYPE_CHECKING:
    import polars as pl

ELEMENTS = formulas.ELEMENTS[:86]  # hydrogen to radon, in the order of the table
SPACE = Box(size=len(ELEMENTS), low=0.0, names=ELEMENTS, nonzero=True)


def build(raw: bytes) -> pl.DataFrame:
    """Take amounts, temperature and formula from the table as they are."""
    import polars as pl

    table = pl.read_csv(
        io.BytesIO(raw),
        schema_overrides=dict.fromkeys([*ELEMENTS, "critical_temp"], pl.Float64),
    )
    x = table.select(ELEMENTS).to_numpy().astype(np.float32)
    return pl.DataFrame(
        {
            "formula": table["material"].str.strip_chars(),
            "x": pl.Series(x, dtype=pl.Array(pl.Float32, len(ELEMENTS))),
            "y": table["critical_temp"].cast(pl.Float32),
        }
    )


def compositions(x: Num[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
    """Number compositions: equal amounts of all elements get the same number."""
    numbers: Int64[np.ndarray, " n"] = np.unique(x, axis=0, return_inverse=True)[1].reshape(-1)
    return numbers


TASK = TaskSpec(
    name="superconductor",
    title="Superconductor",
    summary="Find the material that superconducts at the highest temperature.",
    design=(
        "The amounts of 86 elements (H to Rn) in a chemical formula, as they are written in it: "
        "not normalized to fractions. Amounts are 0 or more, and one at least is above 0. The "
        "column `formula` writes the material as the source does."
    ),
    space=SPACE,
    units={"*": "atoms in the formula"},
    objective=Objective(
        name="critical temperature",
        unit="K",
        description="Temperature below which the material superconducts, as measured",
    ),
    raw=Download(
        url="https://archive.ics.uci.edu/static/public/464/superconductivty+data.zip",
        sha256="87f4490d73390ff94ee01dbf0d7d32abc80b22f2c803d471765cfc46a9f6371e",
        member="unique_m.csv",
        member_sha256="b68ae6b55ea8581eff8b1ffba073a899db7e2d2f7f3b781bb0802f643f51e5f7",
    ),
    embedded=False,
    source=Source(
        url="https://doi.org/10.24432/C53P47",
        sha256="b68ae6b55ea8581eff8b1ffba073a899db7e2d2f7f3b781bb0802f643f51e5f7",
        license="CC-BY-4.0",
        attribution=(
            "Superconductivty Data by Kam Hamidieh (2018), UCI Machine Learning Repository 464, "
            "from the SuperCon database of Japan's National Institute for Materials Science"
        ),
        citation=(
            "@article{hamidieh2018superconductor,\n"
            "  title   = {A data-driven statistical model for predicting the critical temperature "
            "of a superconductor},\n"
            "  author  = {Hamidieh, Kam},\n  journal = {Computational Materials Science},\n"
            "  volume  = {154},\n  pages   = {346--354},\n  year    = {2018},\n"
            "  doi     = {10.1016/j.commatsci.2018.07.052}\n}"
        ),
    ),
    republished="supercon",
    cite=(DESIGN_BENCH,),
    build=build,
    text="formula",
    visible=(0.0, 80.0),
    y_oracle="forest",
    groups=Groups(
        lambda frame: compositions(frame["x"].to_numpy()),
        "with all rows of a composition together",
    ),
    oracles={
        "forest": Forest(
            file="model.onnx",
            method="extra",
            trees=16,
            leaves=None,
            max_features=0.5,
            own=True,
            description=(
                "Extremely randomized trees on the amounts of the elements, trained on all rows."
            ),
        ),
    },
    known=(
        "21,263 rows have 15,309 distinct compositions; 2,353 of these were measured more than "
        "once with conflicting temperatures, so no function of the composition fits all rows.",
        "The oracle is a model that saw every row, visible or hidden: for a composition of the "
        "data it gives the mean of its measurements. The card of the oracle gives both errors.",
        "So 200 visible rows have an oracle value above D(best), up to 122.5 K: their composition "
        "was also measured above the cut, in a hidden row.",
        "Trees do not extrapolate: no design scores above the largest measured temperature, 185 K, "
        "and that row (a value that the literature doubts) sets the scale of scores.",
        "Most legal designs are no material. A composition far from all measured ones gets a "
        "plausible temperature all the same; the report counts such designs.",
        "The original benchmark trained its forest on a sample of the rows without a seed, so that "
        "its scores are not comparable with these.",
    ),
    risks=(
        "A formula with a high score is no material that anybody has seen: nothing here says "
        "whether it exists or can be made. Some of these elements are poisonous or radioactive.",
    ),
    optimum="Not known.",
    published="2026-11-24",
    tags=("materials", "superconductivity", "chemistry"),
)
