#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Train the network that is the objective of TF Bind 10, and write it as an ONNX oracle.

BET-seq (Le et al. 2018) measured each flank about four times, and a single measurement is mostly
noise. The network sees the mean of all measurements of a double strand, weighted by their number,
and is the same for both strands by construction: its value is the mean of what it says about a
flank and about its reverse complement. 4.6 % of the rows stand at one of two limits, in place of
an infinite ratio of counts; these are no measurements and are left out.

A tenth of the double strands is held out for the figures that the card states, another tenth
decides when to stop; neither teaches the network. Deterministic for a seed on one machine; another
machine trains a slightly different network, so the published file is the definition.

`--raw-dir` holds either pho4_rows.npz (`code`: number of the flank in base 4, `ddG`: kcal/mol) or
the arrays tf_bind_10-x-0.npy … tf_bind_10-y-83.npy in which Design-Bench released the measurements
(its first 84 of each, which are the flanks themselves; the others repeat them as complements).

It writes build/tfbind10/network.npz, which a later run takes instead of training again, and
oracles_onnx/tfbind10/model.onnx.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from scipy.stats import spearmanr
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from mbo_hub.arrays import Bool, Float32, Float64, Int64
from mbo_hub.atomic import write_file
from mbo_hub.dataset.manifest import Finding
from mbo_hub.errors import IntegrityError, InvalidDataset, MboHubError
from mbo_hub.making.build import ROOT, oracle_folder
from mbo_hub.making.strands import reverse_complement, strand_model
from mbo_hub.oracles.onnx import OnnxOracle
from mbo_hub.oracles.table import table_index
from mbo_hub.tasks import tfbind10

# Of codes (uint32) and ddG (float32), little-endian.
ROWS_SHA256 = "a491edd5300a57ce1d3f976a029582d08a17f50e8921a5f7c1b913ed99833b09"
ARRAYS = 84  # files of x, and of y, that hold the flanks themselves
SPACE = tfbind10.SPACE
TOP = 100  # best held-out flanks whose measurements the card states


@dataclass(frozen=True)
class Settings:
    """What a training depends on besides the code and the data.

    Attributes:
        seed: of the split, the first weights and the order of the rows.
        width: of both hidden layers.
        epochs: at most; the weights of the best one are kept.
        batch: double strands in a step.
        rate: highest learning rate of the one-cycle schedule.
        decay: weight decay of AdamW.
    """

    seed: int = 0
    width: int = 128
    epochs: int = 6
    batch: int = 2048
    rate: float = 4e-3
    decay: float = 1e-2


@dataclass(frozen=True)
class Measurements:
    """The measured rows.

    Attributes:
        flank: which flank a row is about, (n,), its number in `tfbind10.domain`.
        value: −ΔΔG, (n,), kcal/mol.
        inside: which rows are not at a limit, (n,).
    """

    flank: Int64[np.ndarray, " n"]
    value: Float64[np.ndarray, " n"]
    inside: Bool[np.ndarray, " n"]


@dataclass(frozen=True)
class Means:
    """Mean measurements of groups of rows: flanks, or double strands.

    Attributes:
        rows: how many rows each group has, (g,).
        value: their mean, (g,); 0 where there is none.
        noise: variance of such a mean that comes from the rows' own scatter, (g,).
    """

    rows: Int64[np.ndarray, " g"]
    value: Float64[np.ndarray, " g"]
    noise: Float64[np.ndarray, " g"]


def read_rows(folder: Path) -> Measurements:
    """Read the measured rows and check that they are the known ones.

    Raises:
        InvalidDataset: they are not in this folder.
        IntegrityError: they are others.
    """
    compact = folder / "pho4_rows.npz"
    if compact.is_file():
        with np.load(compact, allow_pickle=False) as file:
            code, ddg = file["code"].astype("<u4"), file["ddG"].astype("<f4")
    elif (folder / "tf_bind_10-x-0.npy").is_file():
        code, ddg = join_arrays(folder)
    else:
        raise InvalidDataset(str(folder), ["has neither pho4_rows.npz nor tf_bind_10-x-0.npy"])
    found = sha256(code.tobytes() + ddg.tobytes()).hexdigest()
    if found != ROWS_SHA256:
        raise IntegrityError(
            f"{folder}: the sha256 of its {len(code):,} rows is {found[:12]}…, expected "
            f"{ROWS_SHA256[:12]}…: these are other measurements"
        )
    return Measurements(
        flank=code.astype(np.int64),
        value=-ddg.astype(np.float64),
        inside=(ddg > ddg.min()) & (ddg < ddg.max()),
    )


def join_arrays(folder: Path, count: int = ARRAYS) -> tuple[np.ndarray, np.ndarray]:
    """Join the arrays of Design-Bench: tokens (n, 10) and ddG (n, 1) in each pair of files."""
    codes, values = [], []
    for number in range(count):
        x, y = (folder / f"tf_bind_10-{part}-{number}.npy" for part in "xy")
        if not (x.is_file() and y.is_file()):
            raise InvalidDataset(str(folder), [f"{x.name} and {y.name} are not both there"])
        codes.append(table_index(SPACE, SPACE.validate(np.load(x, allow_pickle=False))))
        values.append(np.load(y, allow_pickle=False).reshape(-1))
    return np.concatenate(codes).astype("<u4"), np.concatenate(values).astype("<f4")


def average(group: Int64[np.ndarray, " n"], value: Float64[np.ndarray, " n"], groups: int) -> Means:
    """Average rows by group."""
    rows = np.bincount(group, minlength=groups)
    mean = np.bincount(group, value, groups) / np.maximum(rows, 1)
    scatter = float(np.square(value - mean[group]).sum() / (rows - 1).clip(0).sum())
    return Means(rows, mean, scatter / np.maximum(rows, 1))


def one_hot(flanks: Int64[np.ndarray, " n"]) -> torch.Tensor:
    """Flanks as float32 features, (n, 40)."""
    tokens = torch.from_numpy(tfbind10.domain()[flanks].astype(np.int64))
    return functional.one_hot(tokens, len(SPACE.alphabet)).reshape(len(flanks), -1).float()


class Network(nn.Module):
    """Two hidden layers with SiLU, averaged over both strands."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = (len(SPACE.alphabet) * SPACE.length, width, width, 1)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, 40) one-hot flanks → (n,) values."""
        hidden = torch.cat([features, features.flip(1)])
        for layer in self.layers[:-1]:
            hidden = functional.silu(layer(hidden))
        return self.layers[-1](hidden).reshape(2, -1).mean(0)


def split(seed: int, strands: Int64[np.ndarray, " s"]) -> tuple[Int64[np.ndarray, " _"], ...]:
    """Part double strands at random: 80 % to learn from, 10 % to stop by, 10 % to judge by."""
    mixed = np.random.default_rng(seed).permutation(strands)
    tenth = len(mixed) // 10
    return mixed[2 * tenth :], mixed[tenth : 2 * tenth], mixed[:tenth]


def train(
    settings: Settings, means: Means, learn: Int64[np.ndarray, " l"], stop: Int64[np.ndarray, " v"]
) -> dict[str, Any]:
    """Train a network; return its arrays, and which epoch was the best."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(1)
    offset = float(np.average(means.value[learn], weights=means.rows[learn]))
    data = {}
    for name, strands in (("learn", learn), ("stop", stop)):
        weight = means.rows[strands] / means.rows[strands].mean()
        data[name] = (
            one_hot(strands),
            torch.from_numpy(means.value[strands] - offset).float(),
            torch.from_numpy(weight).float(),
        )
    network = Network(settings.width)
    steps = -(-len(learn) // settings.batch)
    optimizer = torch.optim.AdamW(
        network.parameters(), lr=settings.rate, weight_decay=settings.decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.rate, total_steps=settings.epochs * steps
    )
    best: dict[str, Any] = {"loss": np.inf}
    for epoch in range(settings.epochs):
        features, value, weight = data["learn"]
        order = torch.randperm(len(learn))
        quiet = not sys.stderr.isatty()
        for begin in tqdm(
            range(0, len(learn), settings.batch), f"epoch {epoch + 1}", disable=quiet
        ):
            rows = order[begin : begin + settings.batch]
            loss = (weight[rows] * (network(features[rows]) - value[rows]) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            features, value, weight = data["stop"]
            loss = float((weight * (network(features) - value) ** 2).mean())
        print(f"epoch {epoch + 1}: validation loss {loss:.6f}", file=sys.stderr)
        if loss < best["loss"]:
            arrays = {
                f"{kind}{i}": (layer.weight.T if kind == "W" else layer.bias)
                .detach()
                .numpy()
                .copy()
                for i, layer in enumerate(network.layers)
                for kind in "Wb"
            }
            best = {"loss": loss, "epoch": epoch + 1, "offset": offset, **arrays}
    return best


def _finding(what: str, value: Any) -> Finding:
    return Finding(what=what, value=float(value))


def findings(
    value: Float32[np.ndarray, " all"],
    flanks: Means,
    strands: Means,
    all_rows: Means,
    held: Int64[np.ndarray, " h"],
    other: Int64[np.ndarray, " all"],
) -> list[Finding]:
    """Judge the network on double strands that it did not see.

    Args:
        value: of all flanks, by the exported network.
        flanks: mean measurement of each flank.
        strands: mean measurement of each double strand, at the smaller of its two numbers.
        all_rows: the same with the rows at a limit.
        held: the held-out double strands.
        other: number of the other strand of each flank.
    """
    held = held[strands.rows[held] > 0]
    of_flanks = np.unique(np.concatenate([held, other[held]]))
    of_flanks = of_flanks[flanks.rows[of_flanks] > 0]
    left_out = 1 - strands.rows.sum() / all_rows.rows.sum()
    found = [
        _finding("Fraction of rows left out, at a limit of the measurement", left_out),
        _finding("Held-out double strands, drawn at random", len(held)),
    ]
    for what, means, rows in (
        ("double strands", strands, held),
        ("single flanks", flanks, of_flanks),
    ):
        signal = 1 - means.noise[rows].mean() / means.value[rows].var()
        found += [
            _finding(
                f"Pearson correlation with the mean measurements of held-out {what}",
                np.corrcoef(value[rows], means.value[rows])[0, 1],
            ),
            _finding(
                f"Spearman correlation with the mean measurements of held-out {what}",
                spearmanr(value[rows], means.value[rows]).statistic,
            ),
            _finding(
                f"Pearson correlation that a perfect predictor would have with them, {what}, "
                "from the scatter of their rows",
                max(signal, 0) ** 0.5,
            ),
        ]
    slope, intercept = np.polyfit(value[held], strands.value[held], 1, w=strands.rows[held] ** 0.5)
    best = held[np.argsort(-value[held], kind="stable")[:TOP]]
    mean = strands.value[held]
    return [
        *found,
        _finding("Pearson correlation with the means of held-out double strands where rows at "
                "a limit count, as they did in the original",
                np.corrcoef(value[held], all_rows.value[held])[0, 1]),
        _finding("Calibration: slope of measurements over predictions", slope),
        _finding("Calibration: intercept (kcal/mol)", intercept),
        _finding(f"Mean measurement of the {TOP} held-out double strands that it puts first "
                "(kcal/mol)", strands.value[best].mean()),
        _finding("The same as it predicts (kcal/mol)", value[best].mean()),
        _finding("Mean measurement of all held-out double strands (kcal/mol)",
                mean.mean()),
        _finding("Standard deviation of these (kcal/mol)", mean.std()),
    ]  # fmt: skip


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python scripts/train_tfbind10.py --raw-dir ../shared/raw/tfbind10",
    )
    parser.add_argument("--raw-dir", type=Path, required=True, help="where the measurements are")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "tfbind10", help="for the trained network"
    )
    arguments = parser.parse_args()
    try:
        run(arguments.raw_dir, arguments.out)
    except MboHubError as error:
        sys.exit(str(error))


def run(raw_dir: Path, out: Path) -> None:
    """Train, judge and export the network."""
    settings = Settings()
    measured = read_rows(raw_dir)
    everything = tfbind10.domain()
    other = table_index(SPACE, reverse_complement(SPACE, everything))
    strand = np.minimum(np.arange(len(everything)), other)
    inside, value = measured.flank[measured.inside], measured.value[measured.inside]
    flanks = average(inside, value, len(everything))
    strands = average(strand[inside], value, len(everything))
    all_rows = average(strand[measured.flank], measured.value, len(everything))
    names = np.flatnonzero(strand == np.arange(len(everything)))
    learn, stop, held = split(settings.seed, names)
    learn, stop = (part[strands.rows[part] > 0] for part in (learn, stop))
    said = json.dumps(asdict(settings))
    path = out / "network.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as file:
            best = dict(file)
        if str(best["settings"]) != said:
            sys.exit(f"{path} was trained with {best['settings']}; remove it to train anew")
    else:
        started = time.perf_counter()
        best = train(settings, strands, learn, stop) | {"settings": said}
        print(f"trained in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        out.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".part.npz")
        np.savez(temporary, allow_pickle=False, **best)
        temporary.replace(path)
    layers = range(3)
    trained_on = (
        f"{len(learn):,} double strands and their {int(strands.rows[learn].sum()):,} measurements; "
        f"{len(stop):,} others decided when to stop (after epoch {int(best['epoch'])})"
    )

    def export(found: list[Finding]) -> bytes:
        return strand_model(
            tfbind10.TASK,
            [best[f"W{i}"] for i in layers],
            [best[f"b{i}"] for i in layers],
            float(best["offset"]),
            {
                "mbo.trained_on": trained_on,
                "mbo.findings": msgspec.json.encode(found).decode(),
                "mbo.settings": said,
            },
        )

    value = OnnxOracle(SPACE, export([]), "the network", exact=True)(everything)
    if not np.array_equal(value, value[other]):
        sys.exit("the exported network tells a flank from its reverse complement")
    found = findings(value, flanks, strands, all_rows, held, other)
    for finding in found:
        print(f"{finding.what}: {finding.value:.4f}")
    target = oracle_folder("tfbind10") / "model.onnx"
    target.parent.mkdir(parents=True, exist_ok=True)
    write_file(target, export(found))
    print(f"wrote {target.relative_to(ROOT)}, {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
