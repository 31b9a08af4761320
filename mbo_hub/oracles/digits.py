"""An oracle that trains networks: how well a CNN reads digits after a short training is its value.

A design is 64 choices of 5. Block b, 0 to 15, has the tokens 4b to 4b + 3: kernel size, activation,
kernel size, activation. A kernel's token 0 to 4 means a size of 2 to 6; an activation's token 0 to
4 means ReLU, ELU, LeakyReLU, SELU or SiLU::

    8 × 8 digit → convolution 3 × 3, stride 2 → 8 channels of 4 × 4
                → 16 blocks: h + activation(convolution(activation(convolution(h))))
                → mean over the 16 positions → linear → 10 classes

On a map as small as 4 × 4 a convolution is quickest as one matrix product, from all inputs to all
outputs; `_unrolled` writes its kernel out as that matrix. All computing is in float64, so that what
another torch or another processor rounds differently hardly ever reaches the result.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from importlib import metadata
from threading import Thread
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec
import numpy as np

from mbo_hub import extras, spaces
from mbo_hub.arrays import Float32, Float64, Int, Num
from mbo_hub.errors import OracleUnavailable
from mbo_hub.oracles.golden import CheckedOracle
from mbo_hub.oracles.kinds import Bench, Deposit, Kind, Made, OracleSpec
from mbo_hub.oracles.protocol import Fingerprint
from mbo_hub.oracles.threads import cores

if TYPE_CHECKING:
    import torch

__all__ = [
    "KIND",
    "RECIPE",
    "SPACE",
    "DigitTraining",
    "Outcome",
    "Recipe",
    "TrainingOracle",
    "accuracy",
    "objective",
    "parameters",
    "require",
    "train",
    "train_all",
]

BLOCKS = 16
KERNELS = (2, 3, 4, 5, 6)  # sizes, by token
ACTIVATIONS = ("relu", "elu", "leaky_relu", "selu", "silu")  # by token; torch's functions
SPACE = spaces.Sequence(length=4 * BLOCKS, alphabet=tuple("01234"))
CLASSES = 10


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """All that a design's value depends on besides the design.

    Attributes:
        version: of the code below; raised with any change of what it computes.
        digits: sha256 of scikit-learn's digits, pixels and then classes, one byte each.
        test: how many of the 1,797 digits are not trained on, but tested with.
        split_seed: of the permutation whose last digits are the test digits.
        seeds: of initial weights and of the order of digits; a network is trained for each.
        channels: of all maps. Fewer are quicker, but noisier: with 8, two seeds rank 100 random
            architectures alike with a Spearman of 0.63, with 4 (on 16 to 20) with 0.2 to 0.6.
        side: of a map between stem and head, in positions.
        epochs: that training lasts; short, so that the architecture decides how far it gets.
        batch: digits in a step; those that do not fill one at the end of an epoch are left out.
        rate: of learning, of SGD.
        momentum: of SGD, without dampening.
        slope: of LeakyReLU below zero; the other activations have torch's parameters.
    """

    version: int = 1
    digits: str = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
    test: int = 360
    split_seed: int = 0
    seeds: tuple[int, ...] = (0, 1, 2)
    channels: int = 8
    side: int = 4
    epochs: int = 2
    batch: int = 64
    rate: float = 0.01
    momentum: float = 0.9
    slope: float = 0.01

    @property
    def sha256(self) -> str:
        """Hash of all of it, in hex."""
        return sha256(msgspec.json.encode(self)).hexdigest()


RECIPE = Recipe()
INSTALL = extras.command("nas")
CHECKED = 3  # golden designs that are trained before the first score: some seconds each
PIXELS = 8  # side of a digit
STEM = 3  # kernel size of the first convolution


class Outcome(NamedTuple):
    """What came of training a design.

    Attributes:
        right: how many test digits each seed's network reads right.
        seconds: that it took, all seeds together.
    """

    right: tuple[int, ...]
    seconds: float


def require() -> None:
    """See that torch and scikit-learn are there, without importing them.

    Raises:
        OracleUnavailable: says how to install them, and what can score without them.
    """
    extras.require(
        "nas",
        "the exact oracle of 'nas' trains networks and",
        otherwise="  or ask for the surrogate, a model of it that needs neither:  "
        "mbo score nas FILE --oracle surrogate",
        error=OracleUnavailable,
    )


def accuracy(right: Num[np.ndarray, "*n seeds"]) -> Float64[np.ndarray, "*n"]:
    """Turn numbers of test digits read right into their mean over seeds, in %."""
    return np.asarray(100.0 * right.mean(-1, dtype=np.float64) / RECIPE.test)


def parameters(designs: Num[np.ndarray, "n 64"]) -> Int[np.ndarray, " n"]:
    """Count the trained numbers of the network that each design describes."""
    sizes = np.array(KERNELS)[np.asarray(designs)[:, 0::2].astype(int)]
    c = RECIPE.channels
    blocks = (c * c * sizes**2 + c).sum(1)
    return blocks + STEM * STEM * c + c * CLASSES + CLASSES


class _Digits(NamedTuple):
    """The images, as (n, 64) float64 with mean 0 and variance 1 over the train digits."""

    x: torch.Tensor
    y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor


@cache
def _digits() -> _Digits:
    import torch
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    raw = pixels.astype(np.uint8).tobytes() + classes.astype(np.uint8).tobytes()
    if (found := sha256(raw).hexdigest()) != RECIPE.digits:
        raise OracleUnavailable(
            f"scikit-learn's digits differ from those that the task was made with: sha256 expected "
            f"{RECIPE.digits}, got {found}"
        )
    order = _random(RECIPE.split_seed).permutation(len(pixels))
    x, y = pixels[order], classes[order].astype(np.int64)
    kept = len(x) - RECIPE.test
    x = (x - x[:kept].mean()) / x[:kept].std()
    arrays = x[:kept], y[:kept], x[kept:], y[kept:]
    return _Digits(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))


def _random(*seed: int) -> np.random.RandomState:
    """Start the one generator whose numbers NumPy promises never to change (NEP 19)."""
    return np.random.RandomState(list(seed))


@cache
def _placement(size: int, stride: int, inputs: int, outputs: int) -> torch.Tensor:
    """Say which kernel element joins which input with which output position of square maps.

    Padding keeps the number of positions; of an even kernel, the larger half reaches to the right
    and down, as in torch's padding="same".

    Returns:
        Zeros and ones, (size², inputs² · outputs²) float64.
    """
    import torch

    joins = np.zeros((size, size, inputs, inputs, outputs, outputs))
    for dy, dx, row, column in np.ndindex(size, size, outputs, outputs):
        y, x = (at * stride + d - (size - 1) // 2 for at, d in ((row, dy), (column, dx)))
        if 0 <= y < inputs and 0 <= x < inputs:
            joins[dy, dx, y, x, row, column] = 1.0
    return torch.from_numpy(joins.reshape(size * size, -1))


def _unrolled(kernel: torch.Tensor, placement: torch.Tensor) -> torch.Tensor:
    """Write convolutions out as matrices.

    Args:
        kernel: (seeds, channels in, channels out, size²).
        placement: of the same size.

    Returns:
        (seeds, channels in · positions in, channels out · positions out).
    """
    seeds, c_in, c_out, size = kernel.shape
    positions_out = RECIPE.side**2
    joined = (kernel.reshape(-1, size) @ placement).view(seeds, c_in, c_out, -1, positions_out)
    return joined.transpose(2, 3).reshape(seeds, -1, c_out * positions_out)


class _Network:
    """The networks of one design, one for each seed, side by side."""

    def __init__(self, design: Sequence[int], seeds: Sequence[int]) -> None:
        import torch

        functional = torch.nn.functional
        c, positions = RECIPE.channels, RECIPE.side**2
        self.sizes = [KERNELS[token] for token in design[0::2]]
        self.activations: list[Callable[..., torch.Tensor]] = [
            (lambda h: functional.leaky_relu(h, RECIPE.slope))
            if ACTIVATIONS[token] == "leaky_relu"
            else getattr(functional, ACTIVATIONS[token])
            for token in design[1::2]
        ]
        self.positions = positions

        def normal(layer: int, *shape: int, fan_in: int) -> torch.Tensor:
            drawn = np.stack([_random(seed, layer).standard_normal(shape) for seed in seeds])
            return torch.from_numpy(drawn / np.sqrt(fan_in))

        def zeros(*shape: int) -> torch.Tensor:
            return torch.zeros((len(seeds), *shape), dtype=torch.float64, device="cpu")

        last = len(self.sizes) + 1
        self.stem = normal(0, 1, c, STEM * STEM, fan_in=STEM * STEM)
        self.kernels = [
            normal(layer, c, c, size * size, fan_in=c * size * size)
            for layer, size in enumerate(self.sizes, 1)
        ]
        self.biases = [zeros(c) for _ in self.sizes]
        self.head = normal(last, c, CLASSES, fan_in=c)
        self.head_bias = zeros(1, CLASSES)
        self.weights = [self.stem, *self.kernels, *self.biases, self.head, self.head_bias]
        for weight in self.weights:
            weight.requires_grad_(True)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits of digits, (seeds, n, 64) → (seeds, n, 10)."""
        import torch

        side, seeds = RECIPE.side, len(x)
        stem = _placement(STEM, PIXELS // side, PIXELS, side)
        h = torch.bmm(x, _unrolled(self.stem, stem))
        block = h
        for layer, (kernel, bias, size, activation) in enumerate(
            zip(self.kernels, self.biases, self.sizes, self.activations, strict=True)
        ):
            matrix = _unrolled(kernel, _placement(size, 1, side, side))
            spread = bias[:, None, :, None].expand(-1, -1, -1, self.positions).reshape(seeds, 1, -1)
            block = activation(torch.baddbmm(spread, block, matrix))
            if layer % 2:
                h = block = h + block
        pooled = h.view(seeds, -1, RECIPE.channels, self.positions).mean(3)
        return torch.baddbmm(self.head_bias, pooled, self.head)


def train(design: Sequence[int], seeds: Sequence[int] = RECIPE.seeds) -> Outcome:
    """Train the network of a design once with each seed, and test it.

    Args:
        design: 64 tokens, legal ones.
        seeds: of initial weights and of the order of digits.
    """
    import torch

    started = time.perf_counter()
    with _own_settings():
        digits = _digits()
        network = _Network(design, seeds)
        weights = network.weights
        velocities = [torch.zeros_like(weight) for weight in weights]
        orders = [_random(seed, 0, 0) for seed in seeds]
        steps = len(digits.x) // RECIPE.batch
        for _ in range(RECIPE.epochs):
            order = torch.from_numpy(np.stack([r.permutation(len(digits.x)) for r in orders]))
            for step in range(steps):
                rows = order[:, step * RECIPE.batch : (step + 1) * RECIPE.batch]
                logits = network(digits.x[rows]).flatten(0, 1)
                loss = torch.nn.functional.cross_entropy(
                    logits, digits.y[rows].flatten(), reduction="sum"
                )
                slopes = torch.autograd.grad(loss / RECIPE.batch, weights)
                with torch.no_grad():
                    torch._foreach_mul_(velocities, RECIPE.momentum)
                    torch._foreach_add_(velocities, slopes)
                    torch._foreach_add_(weights, velocities, alpha=-RECIPE.rate)
        with torch.no_grad():
            logits = network(digits.test_x.expand(len(seeds), -1, -1))
            right = (logits.argmax(2) == digits.test_y).sum(1)
    return Outcome(tuple(right.tolist()), time.perf_counter() - started)


@contextmanager
def _own_settings() -> Iterator[None]:
    """Let torch compute as the recipe wants, on one thread, whatever it is told elsewhere.

    Default types and devices are not touched, since they are those of all threads: here every
    tensor says its own.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with (
            torch.inference_mode(mode=False),
            torch.enable_grad(),
            torch.autocast("cpu", enabled=False),
        ):
            yield
    finally:
        torch.set_num_threads(threads)


def train_all(
    designs: Sequence[Sequence[int]],
    *,
    processes: int,
    seeds: Sequence[int] = RECIPE.seeds,
) -> Iterator[tuple[int, Outcome]]:
    """Train the networks of many designs, in processes of their own if there are several.

    A process lives as long as the iterator does. It ends by itself when this one is gone, whatever
    ended it; Ctrl-C does not reach it, but ends it by way of the exception here.

    Args:
        designs: legal ones.
        processes: that share them; 1 trains in this process. Never changes a value.
        seeds: of initial weights and of the order of digits.

    Yields:
        Row of a design and what came of it, in the order in which they are done.

    Raises:
        OracleUnavailable: torch or scikit-learn is missing, or a process died.
    """
    require()
    processes = min(processes, len(designs))
    if processes <= 1:
        for row, design in enumerate(designs):
            yield row, train(design, seeds)
        return
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for row in range(len(designs)):
        waiting.put(row)
    done: queue.SimpleQueue[tuple[int, Outcome] | None] = queue.SimpleQueue()
    workers: list[subprocess.Popen[str]] = []
    threads: list[Thread] = []
    try:
        workers.extend(_start() for _ in range(processes))
        for worker in workers:
            threads.append(Thread(target=_feed, args=(worker, designs, seeds, waiting, done)))
            threads[-1].start()
        for _ in range(len(designs)):
            if (found := done.get()) is None:
                codes = {worker.poll() for worker in workers} - {None}
                raise OracleUnavailable(
                    "a process that trains networks ended before it was done (exit code "
                    f"{', '.join(map(str, codes))}); what it said last is above. If memory ran "
                    "out, use fewer processes"
                )
            yield found
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
        for thread in threads:
            thread.join()
        for worker in workers:
            with suppress(BrokenPipeError):
                worker.stdin.close()  # type: ignore[union-attr]
            worker.stdout.close()  # type: ignore[union-attr]


def _start() -> subprocess.Popen[str]:
    """Start a process that trains what it is told on stdin, one design a line."""
    code = f"import sys; sys.path[:] = {sys.path!r}; import {__name__} as t; t._serve()"
    return subprocess.Popen(  # noqa: S603 -- this interpreter, this module
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        start_new_session=True,
    )


def _feed(
    worker: subprocess.Popen[str],
    designs: Sequence[Sequence[int]],
    seeds: Sequence[int],
    waiting: queue.SimpleQueue[int],
    done: queue.SimpleQueue[tuple[int, Outcome] | None],
) -> None:
    """Give a process one design after the other until none waits or it is gone."""
    while True:
        try:
            row = waiting.get_nowait()
        except queue.Empty:
            return
        order = json.dumps([[int(token) for token in designs[row]], [int(s) for s in seeds]])
        try:
            worker.stdin.write(order + "\n")  # type: ignore[union-attr]
            worker.stdin.flush()  # type: ignore[union-attr]
            answer = worker.stdout.readline()  # type: ignore[union-attr]
        except (BrokenPipeError, ValueError):  # gone, or closed by `train_all`
            answer = ""
        if not answer:
            worker.wait()
            done.put(None)
            return
        right, seconds = json.loads(answer)
        done.put((row, Outcome(tuple(right), seconds)))


def _serve() -> None:
    """Train what stdin says, until it ends."""
    for line in sys.stdin:
        print(json.dumps(train(*json.loads(line))), flush=True)  # noqa: T201


def objective(
    designs: Num[np.ndarray, "n 64"],
    *,
    processes: int,
    progress: Callable[[float], object] = lambda more: None,
) -> Float32[np.ndarray, " n"]:
    """Train the networks of legal designs, equal ones once, and give their mean accuracy in %.

    Args:
        designs: legal ones, (n, 64).
        processes: that share them. Never changes a value.
        progress: called with how many more designs are done.

    Raises:
        OracleUnavailable: torch or scikit-learn is missing, or a process died.
    """
    distinct, rows, counts = np.unique(designs, axis=0, return_inverse=True, return_counts=True)
    values = np.empty(len(distinct), np.float32)
    for row, trained in train_all(distinct.tolist(), processes=processes):
        values[row] = accuracy(np.array(trained.right))
        progress(float(counts[row]))
    return values[rows.reshape(-1)]


class TrainingOracle(CheckedOracle):
    """Scores designs by training their networks on digits.

    torch is not loaded before the first use, and, with more than one process and design, not in
    this process at all. The first score in a process trains some golden designs again.

    Args:
        designs: golden designs, (m, 64); `CHECKED` of them are trained.
        values: the accuracies that the task's maintainers found, (m,) float32, %.
        tolerance: how far one of them may be off here, in percentage points.
        made_with: version of torch that they were found with, e.g. "2.13.0".
        processes: that share the designs; None takes all cores that this process may use. Never
            changes a value.
        progress: as of every `CheckedOracle`.
    """

    def __init__(
        self,
        designs: Any,
        values: Any,
        *,
        tolerance: float,
        made_with: str,
        processes: int | None = None,
        progress: Callable[[float, int], object] | None = None,
    ) -> None:
        designs, values = np.asarray(designs), np.asarray(values, np.float32)
        checked = min(CHECKED, len(values))
        rows = np.unique(np.linspace(0, len(values) - 1, checked).astype(int))
        super().__init__("nas", SPACE, designs[rows], values[rows], tolerance=tolerance,
                         made_with=made_with, progress=progress)  # fmt: skip
        self.processes = processes

    def require(self) -> None:
        """See that torch and scikit-learn are there."""
        require()

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """The sha256 of the recipe, and the version of torch.

        Raises:
            OracleUnavailable: torch or scikit-learn is missing.
        """
        require()
        return Fingerprint(
            kind="training", sha256=RECIPE.sha256, runtime=f"torch {metadata.version('torch')}"
        )

    _doing = "training"

    def _compute(
        self, legal: Num[np.ndarray, "n d"], progress: Callable[[float], object]
    ) -> Float32[np.ndarray, " n"]:
        return objective(legal, processes=self.processes or cores(), progress=progress)

    def _explain(self, row: int) -> str:
        return (
            f"the golden design {SPACE.decode(self._golden_designs[row : row + 1])[0]}, expected "
            f"{self._golden_values[row]} ± {self.tolerance} %: this is "
            f"{self.fingerprint.runtime}, and the task was made with torch {self.made_with}; "
            f"install that with  pip install 'torch=={self.made_with}'  or use the surrogate"
        )


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What task.json says of networks that are trained.

    Attributes:
        recipe_sha256: of the recipe's constants and the version of its code.
        made_with: version of torch that the data were made with.
    """

    recipe_sha256: str
    made_with: str


@dataclass(frozen=True, kw_only=True)
class DigitTraining(OracleSpec):
    """The declaration of networks that are trained on digits, which define the objective.

    Attributes:
        made_with: version of torch that the data were made with.
        tolerance: how far a golden value may be off on another machine or torch, in raw units.
        description: one sentence.
    """

    kind: ClassVar[str] = "training"
    made_with: str
    tolerance: float = field()

    def make(self, bench: Bench) -> Made:
        """Train the golden designs."""
        return Made(files={}, golden=objective(bench.golden, processes=cores()))

    def facts(self, space: spaces.Sequence | spaces.Box, model: bytes) -> dict[str, Any]:
        """The recipe, and what it was followed with."""
        said = Settings(recipe_sha256=RECIPE.sha256, made_with=self.made_with)
        return {"settings": msgspec.to_builtins(said)}

    def words_on_use(self, task: str) -> str:
        """How long it takes and what it needs."""
        return (
            "The surrogate answers at once. Without `oracle=`, the exact oracle trains a network "
            "for each design,\nthree times, some seconds each; it needs torch and scikit-learn "
            f"(`{INSTALL}`). The\nreport says which one scored. On the command line: "
            f"`mbo score {task} FILE`, and\n`mbo score {task} FILE --oracle surrogate`."
        )

    def words_on_files(self) -> str:
        """What golden.json holds of it."""
        return (
            "Under `training` it holds the values of the task's exact oracle, which mbo_hub trains."
        )


def _open(deposit: Deposit) -> TrainingOracle:
    said = deposit.settings(Settings)
    if said.recipe_sha256 != RECIPE.sha256:
        raise OracleUnavailable(
            f"{deposit.folder} was made with another recipe of training than this mbo_hub has; "
            "install the mbo_hub that it was published with, or use its surrogate"
        )
    require()
    return TrainingOracle(
        *deposit.golden(), tolerance=deposit.entry.tolerance, made_with=said.made_with
    )


KIND = Kind(open=_open, affordable=2)
