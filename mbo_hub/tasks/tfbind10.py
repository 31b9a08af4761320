"""TF Bind 10: DNA flanks of 10 bases that make a transcription factor bind its motif more strongly.

BET-seq measured how strongly the yeast transcription factor Pho4 binds its motif CACGTG between
all flanks of five bases on either side: Le et al., PNAS 115, 2018. A single measurement is mostly
noise, so, as its authors did, the objective is a network's estimate from all of them
(`scripts/train_tfbind10.py`): −ΔΔG in kcal/mol, larger binds more strongly. The network gives a
flank and its reverse complement, which are one double strand, the same value by construction. It
defines the objective; the optimum is known, since the whole domain, 4^10 = 1,048,576 flanks, was
computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.arrays import Int8
from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.onnx import NetworkGraph, OnnxOracle
from mbo_hub.spaces import Sequence
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks.spec import OracleValues, TaskSpec

if TYPE_CHECKING:
    import polars as pl

SPACE = Sequence(length=10, alphabet=tuple("ACGT"))


def domain() -> Int8[np.ndarray, "n d"]:
    """All designs, in the order of the alphabet."""
    places = len(SPACE.alphabet) ** np.arange(SPACE.length - 1, -1, -1)
    numbers = np.arange(SPACE.cardinality)[:, None]
    return (numbers // places % len(SPACE.alphabet)).astype(np.int8)


def build(raw: bytes) -> pl.DataFrame:
    """Score the whole domain with the network."""
    import polars as pl

    x = domain()
    return pl.DataFrame(
        {
            "sequence": SPACE.decode(x),
            "x": pl.Series(x, dtype=pl.Array(pl.Int8, SPACE.length)),
            "y": OnnxOracle(SPACE, raw, "the network", exact=True)(x),
        }
    )


TASK = TaskSpec(
    name="tfbind10",
    title="TF Bind 10",
    summary=(
        "Find the 10 bases around the motif CACGTG that make the transcription factor Pho4 bind it "
        "most strongly."
    ),
    design=(
        "A DNA sequence of 10 bases: five before and five behind the motif CACGTG. In `x`, A, C, G "
        "and T are the tokens 0, 1, 2 and 3; the column `sequence` writes them as letters. Letters "
        "are upper case."
    ),
    space=SPACE,
    objective=Objective(
        name="binding",
        unit="kcal/mol",
        description=(
            "−ΔΔG of the binding of Pho4, relative to the mean flank, as a network estimates it "
            "that was trained on 3.2 million noisy measurements; larger binds more strongly"
        ),
    ),
    raw=OracleValues(script="python scripts/train_tfbind10.py --raw-dir DIR"),
    source=Source(
        url="https://doi.org/10.6084/m9.figshare.5728467",
        sha256="3f6bc76273b00f5e1fb074b8e181077907eb265f12f443546f6da7db8c90f91e",
        license="CC-BY-4.0",
        attribution=(
            "Measured by Le et al. (2018), BET-seq of Pho4, figshare 5728467; taken in the form in "
            "which Design-Bench released the measurements"
        ),
        citation=(
            "@article{le2018comprehensive,\n"
            "  title   = {Comprehensive, high-resolution binding energy landscapes reveal context "
            "dependencies of transcription factor binding},\n"
            "  author  = {Le, Daniel D. and Shimko, Tyler C. and Aditham, Arjun K. and Keys, "
            "Allison M. and Longwell, Scott A. and Orenstein, Yaron and Fordyce, Polly M.},\n"
            "  journal = {Proceedings of the National Academy of Sciences},\n  volume  = {115},\n"
            "  number  = {16},\n  pages   = {E3702--E3711},\n  year    = {2018},\n"
            "  doi     = {10.1073/pnas.1715888115}\n}"
        ),
    ),
    republished="le-2018-bet-seq",
    cite=(DESIGN_BENCH,),
    build=build,
    text="sequence",
    visible=(0.0, 50.0),
    sampled=50_000,
    oracles={
        "exact": NetworkGraph(
            description=(
                "A network trained on the measurements of four fifths of all flanks, the same for "
                "both strands; its values are the objective."
            ),
        ),
    },
    known=(
        "The objective is a network's estimate, not a measurement. That network, `model.onnx`, is "
        "the exact oracle; its card says how well it predicts measurements that it did not see.",
        "Single measurements are mostly noise. The card of the oracle says how close the network "
        "comes to what a perfect predictor could reach, and how its best held-out flanks fared.",
        "A flank and its reverse complement are one double strand and have one value; 1,024 flanks "
        "are their own reverse complement.",
        "Values are whole multiples of 2^-20 kcal/mol, which makes them the same to the bit in "
        "every runtime, batch and number of threads.",
        "Visible are 50,000 flanks, drawn from the weaker half. For most of them the other strand "
        "is hidden and has the same value: a method that uses this symmetry should say so.",
        "Not comparable with the original benchmark, whose oracle returned the measurement of the "
        "complement (another molecule), whose visible rows covered 97.6 % of all flanks, and whose "
        "objective was ΔΔG, so that weak binding was sought.",
    ),
    risks=(
        "The values are a model's. A flank that it prefers has not been measured to bind best, and "
        "binding outside a cell says nothing about the regulation of a gene.",
    ),
    optimum=(
        "Known exactly, since the whole domain was computed: the largest y of the data, reached by "
        "one flank only, CCCCCGGGGG, which is its own reverse complement."
    ),
    published="2026-11-25",
    tags=("biology", "dna", "transcription-factor"),
)
