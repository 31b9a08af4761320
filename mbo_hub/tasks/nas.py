"""NAS: the kernel sizes and activations of a small CNN that learns to read digits quickly.

Rebuilt on data and a budget that a laptop has: the search space of Design-Bench's CIFARNAS, trained
on scikit-learn's digits instead of CIFAR-10. The objective is test accuracy in %, as
`oracles/digits.py` says in full. The optimum is not known.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.dataset.manifest import Objective, Source
from mbo_hub.oracles.digits import RECIPE, SPACE, DigitTraining, accuracy, parameters
from mbo_hub.oracles.onnx import Forest
from mbo_hub.tasks._cited import DESIGN_BENCH
from mbo_hub.tasks.spec import Generated, Picture, TaskSpec

if TYPE_CHECKING:
    import polars as pl

RANDOM = 1_051  # rows drawn uniformly; generations of children follow (scripts/measure_nas.py)
CHILDREN = 60


def build(raw: bytes) -> pl.DataFrame:
    """Take what was measured of each architecture, in the order in which they were proposed."""
    import polars as pl

    head, *lines = (json.loads(line) for line in raw.splitlines())
    if head["recipe"] != RECIPE.sha256:
        raise ValueError(f"measured with recipe {head['recipe']}, not {RECIPE.sha256}")
    lines.sort(key=lambda line: line["row"])
    rows = np.array([line["row"] for line in lines])
    x = SPACE.encode([line["x"] for line in lines])
    right = np.array([line["right"] for line in lines], np.int32)
    return pl.DataFrame(
        {
            "x": pl.Series(x, dtype=pl.Array(pl.Int8, SPACE.dim)),
            "y": accuracy(right).astype(np.float32),
            **{f"right_{seed}": right[:, at] for at, seed in enumerate(RECIPE.seeds)},
            "parameters": parameters(x).astype(np.int32),
            "milliseconds": np.rint([1000 * line["seconds"] for line in lines]).astype(np.int32),
            "generation": np.maximum(0, (rows - RANDOM) // CHILDREN + 1).astype(np.int32),
        }
    )


TASK = TaskSpec(
    name="nas",
    title="NAS on Digits",
    summary="Find the kernel sizes and activations with which a CNN learns digits best.",
    design=(
        "64 choices of 5 for the 16 residual blocks of a CNN. Block b, 0 to 15, has the tokens "
        "4b to 4b + 3: kernel size, activation, kernel size, activation. As a kernel size, 0 to 4 "
        "mean 2, 3, 4, 5 and 6; as an activation, ReLU, ELU, LeakyReLU, SELU and SiLU."
    ),
    space=SPACE,
    tokens={
        "kernel size, at even positions": ("2", "3", "4", "5", "6"),
        "activation, at odd positions": ("ReLU", "ELU", "LeakyReLU", "SELU", "SiLU"),
    },
    objective=Objective(
        name="test accuracy",
        unit="%",
        description=(
            "Share of 360 test digits that the network reads right after two epochs on the "
            "other 1,437, as the mean over three training seeds"
        ),
    ),
    raw=Generated(
        script="python scripts/measure_nas.py",
        file="nas/measurements.jsonl",
        sha256="b604c40822f78ed9cfa33fd0a92ee2246583cbf45261fa6aef8bc63b27eb924f",
    ),
    source=Source(
        url="https://doi.org/10.24432/C50P49",
        license="Apache-2.0",
        attribution=(
            "Architectures and accuracies were computed by the mbo-hub developers. The digits "
            "that networks are trained on are not part of the data: Optical Recognition of "
            "Handwritten Digits (E. Alpaydin and C. Kaynak, 1998; UCI Machine Learning Repository "
            "80, CC BY 4.0), as scikit-learn ships them. The search space follows Design-Bench "
            "(Trabucco et al., ICML 2022)"
        ),
        citation=(
            "@misc{alpaydin1998optical,\n"
            "  title  = {Optical Recognition of Handwritten Digits},\n"
            "  author = {Alpaydin, E. and Kaynak, C.},\n"
            "  year   = {1998},\n"
            "  note   = {UCI Machine Learning Repository},\n"
            "  doi    = {10.24432/C50P49}\n}"
        ),
    ),
    cite=(DESIGN_BENCH,),
    build=build,
    extra={
        **{
            f"right_{seed}": f"test digits, of 360, that the network of training seed {seed} reads "
            "right"
            for seed in RECIPE.seeds
        },
        "parameters": "trained numbers of the network",
        "milliseconds": "time that its trainings took, all seeds, on a core shared with others",
        "generation": "0: drawn uniformly; 1 to 12: bred from the designs of earlier ones",
    },
    visible=(0.0, 50.0),
    oracles={
        "exact": DigitTraining(
            made_with="2.13.0",
            tolerance=0.5,
            description="Trains the network on scikit-learn's digits with torch, three times.",
        ),
        "surrogate": Forest(
            file="model.onnx",
            trees=100,
            leaves=None,
            least=2,
            period=2,
            max_features=0.3,
            description=(
                "A random forest on the choices and on how often each is taken, for where torch "
                "is not."
            ),
        ),
    },
    known=(
        "1,051 architectures were drawn uniformly (79.8 ± 6.8 %, best 91.7 %), 720 were bred "
        "from better ones in twelve generations (87.5 ± 2.7 %, best 94.4 %; the last "
        "generation 88.4 % on average). The column `generation` says which.",
        "It differs from the original in data, size and length of training: that one trains "
        "on CIFAR-10 for 20 epochs on a GPU (59.3 to 69.6 %), for each design, which is why "
        "later papers left the task out. This one runs on a laptop. Values do not compare.",
        "Noise of training seeds: on 100 random architectures, one seed ranks like another "
        "with a Spearman of 0.633, the mean of three like that of three others with 0.804 "
        "(0.771 to 0.842, ten ways to choose among six seeds). The standard error of a value "
        "is 2.5 percentage points.",
        "The three seeds are fixed, so the objective itself repeats exactly, and a search "
        "profits from luck with them: the 20 best rows have 92.2 % on average, and with three "
        "other seeds 88.9 % (on random architectures those seeds give 2.3 points less).",
        "Values are multiples of 1/1,080, and ties are common: 309 distinct values.",
        "Cost: 2.6 to 3.3 s of one core for a design (the column `milliseconds` was taken on "
        "a busy machine). 39 designs a minute in two processes, 1.60 times as many as in one. "
        "Before the first score in a process three golden designs are trained.",
        "The same to the digit: 20 stored architectures with torch 2.6.0, 2.13.0 and 2.14.1, "
        "eight with other vector instructions, and whatever the batch and the number of "
        "processes. ARM was not tried.",
        "What matters on average is the activation, and most of all how often SELU is taken "
        "(correlation 0.65; ReLU -0.34, ELU 0.20, LeakyReLU -0.33, SiLU -0.18); kernel sizes "
        "matter little (-0.14 to 0.12).",
        "An evolutionary search of 64 designs on the exact oracle, from the eight best "
        "visible ones, found 92.2 % (D(best): 84.5 %).",
        "Bred rows have relatives among the rows that the surrogate was trained on: on "
        "held-out rows its Spearman is 0.80 among drawn and 0.76 among bred ones. The figure for "
        "the best tenth rests on 19 designs.",
    ),
    pictures=(
        Picture(
            "space.png",
            "The search space: a network of 16 blocks, and what each choice does on average",
            "Above: the network that a design describes. Below: how far the mean accuracy of the "
            "uniformly drawn\narchitectures with a choice is from the mean of all of them.",
        ),
    ),
    risks=(
        "Two epochs on small digits reward architectures that learn fast: what wins here need not "
        "win on other images, or when trained to the end.",
    ),
    optimum="Not known; nothing says that the best row is the best possible.",
    published="2026-11-25",
    tags=("neural-architecture-search", "automl"),
)
