"""ChEMBL: molecules that bind the sigma-1 receptor, written as SMILES.

Inhibition constants (Ki) at the target CHEMBL287, the sigma-1 receptor, from ChEMBL as curated by
D. van Tilborg, A. Alenicheva and F. Grisoni, J. Chem. Inf. Model. 62, 2022 (MoleculeACE): one value
for each of 1,328 molecules. The task takes those of at most 46 tokens. The
objective is pKi = −log10 Ki, with Ki in mol/L, so that larger binds more strongly. The optimum is
not known: nobody has measured all molecules.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.onnx import Forest
from mbo_hub.scoring import molecules
from mbo_hub.spaces import Sequence
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks.spec import Groups, TaskSpec, Wheel

if TYPE_CHECKING:
    import polars as pl

LENGTH = 46  # tokens of the longest molecules
PADDING = "_"
# The tokens of SMILES (Schwaller et al., ACS Central Science 5, 2019): an atom in brackets, an atom
# of two letters, any other letter or sign, and ring labels of two digits.
TOKEN = re.compile(r"\[[^\]]+\]|Br|Cl|%\d\d|.")
# Those that occur in the data.
ALPHABET = (
    "#", "(", ")", "-", "/", "1", "2", "3", "4", "5", "6", "7", "=", "Br", "C", "Cl", "F", "I", "N",
    "O", "S", "[123I]", "[C@@H]", "[C@@]", "[C@H]", "[C@]", "[N+]", "[O-]", "[S+]", "[Si]", "[nH]",
    "\\", "c", "n", "o", "s", PADDING,
)  # fmt: skip
SPACE = Sequence(length=LENGTH, alphabet=ALPHABET, padding=PADDING)
NANOMOLAR = 9.0  # −log10 of a nanomole per litre


def build(raw: bytes) -> pl.DataFrame:
    """Take the molecules that are short enough, and turn −log10 Ki[nM] into pKi."""
    import polars as pl

    table = pl.read_csv(io.BytesIO(raw), schema_overrides={"y": pl.Float64})
    short = [len(TOKEN.findall(smiles)) <= LENGTH for smiles in table["smiles"]]
    table = table.filter(pl.Series(short))
    x = SPACE.encode(table["smiles"].to_list())
    return pl.DataFrame(
        {
            "smiles": table["smiles"],
            "x": pl.Series(x, dtype=pl.Array(pl.Int8, LENGTH)),
            "y": (table["y"] + NANOMOLAR).cast(pl.Float32),
        }
    )


TASK = TaskSpec(
    name="chembl",
    title="ChEMBL Sigma-1",
    summary="Find the molecule that binds the sigma-1 receptor most strongly.",
    design=(
        "A molecule as a SMILES string of at most 46 tokens, one of 36 each: atoms, bonds, ring "
        "labels, brackets of branches. Shorter ones are filled at the end with padding (`_`, token "
        "36). The column `smiles` writes the molecule as the source does, without padding. Any "
        "row of tokens is a legal design, also one that is no molecule: with RDKit installed "
        "(`pip install 'mbo-hub[chem]'`) the report says which designs are molecules, how many of "
        "them are new, and how different they are."
    ),
    space=SPACE,
    objective=Objective(
        name="affinity",
        unit="pKi",
        description=(
            "−log10 of the inhibition constant Ki (mol/L) at the sigma-1 receptor, as "
            "measured; larger binds more strongly"
        ),
    ),
    raw=Wheel(
        project="MoleculeACE",
        version="3.0.0",
        sha256="c2028c9a75281eab53d3b3e7dc11cbc8ac970d008bac4a0d3927f11ac2024bdc",
        member="MoleculeACE/Data/benchmark_data/CHEMBL287_Ki.csv",
        member_sha256="7f448c29138242dd64ec2a07742e33a1e186129ca4e794e287b67e5ffaea171e",
    ),
    source=Source(
        url="https://doi.org/10.1021/acs.jcim.2c01073",
        sha256="7f448c29138242dd64ec2a07742e33a1e186129ca4e794e287b67e5ffaea171e",
        license="CC-BY-SA-3.0",
        attribution=(
            "ChEMBL (European Bioinformatics Institute), target CHEMBL287, as curated in "
            "MoleculeACE by van Tilborg, Alenicheva and Grisoni (2022); taken from the PyPI wheel "
            "MoleculeACE==3.0.0"
        ),
        citation=(
            "@article{vantilborg2022exposing,\n"
            "  title   = {Exposing the limitations of molecular machine learning with activity "
            "cliffs},\n"
            "  author  = {van Tilborg, Derek and Alenicheva, Alisa and Grisoni, Francesca},\n"
            "  journal = {Journal of Chemical Information and Modeling},\n  volume  = {62},\n"
            "  number  = {23},\n  pages   = {5938--5951},\n  year    = {2022},\n"
            "  doi     = {10.1021/acs.jcim.2c01073}\n}"
        ),
    ),
    republished="chembl",
    cite=(DESIGN_BENCH,),
    build=build,
    text="smiles",
    notation="smiles",
    visible=(0.0, 50.0),
    y_oracle="forest",
    groups=Groups(
        lambda frame: molecules.scaffolds(frame["smiles"].to_list()),
        "with all molecules of a scaffold together",
    ),
    oracles={
        "forest": Forest(
            file="model.onnx",
            method="extra",
            trees=100,
            leaves=None,
            atom_pairs=True,
            max_features=0.3,
            held_out=0.2,
            parts=5,
            own=True,
            references={
                "Morgan fingerprints (radius 2, counts; need RDKit)": lambda frame: (
                    molecules.morgan_counts(frame["smiles"].to_list())
                )
            },
            description=(
                "Extremely randomized trees on counts of pairs of atoms, which the graph reads "
                "from the tokens; trained on all rows."
            ),
        ),
    },
    known=(
        "1,168 distinct molecules, one value each, without an error bar: the source has curated "
        "and averaged what laboratories reported.",
        "The oracle is a model that saw every row, visible or hidden, and remembers them: "
        "`y_oracle` equals `y`. Its card gives the errors on molecules and on scaffolds that it "
        "did not see.",
        "The oracle sees a molecule's graph without charges, isotopes, hydrogens and "
        "stereochemistry: mirror images score alike, whatever was measured.",
        "Most legal designs are no molecule. They get a plausible value all the same, as do "
        "molecules that nobody can make: count only what RDKit can read, and say so.",
        "Not comparable with the original benchmark, whose 1,093 rows had 199 distinct molecules, "
        "198 of them with conflicting values of another property.",
    ),
    risks=(
        "A predicted affinity is no evidence of a medicine: nothing here says whether a molecule "
        "can be made, is safe, or does anything in a body. No molecule should be made or taken "
        "because of it.",
        "The licence passes on: what contains or adapts these data keeps CC BY-SA 3.0, the oracle "
        "too, since it remembers every row.",
    ),
    optimum="Not known.",
    published="2026-11-25",
    tags=("chemistry", "drug-discovery", "smiles"),
)
