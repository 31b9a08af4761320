"""The oracle that trains networks: what they compute, that it comes out the same, and how it ends."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PROMPT_S

pytest.importorskip("torch", reason="the exact oracle of nas needs torch: pip install '.[nas]'")

import torch
from msgspec import structs

from mbo_hub import InvalidDesign, OracleUnavailable
from mbo_hub.oracles import Oracle, digits
from mbo_hub.oracles.digits import RECIPE, SPACE, Outcome, TrainingOracle

functional = torch.nn.functional
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def designs(count: int, seed: int = 0) -> np.ndarray:
    return SPACE.sample(count, rng=seed)


def random(*shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


@pytest.mark.parametrize("size", digits.KERNELS)
def test_an_unrolled_kernel_is_a_convolution(size: int) -> None:
    c, side = RECIPE.channels, RECIPE.side
    kernel, maps = random(2, c, c, size * size), random(2, 5, c, side, side)
    matrix = digits._unrolled(kernel, digits._placement(size, 1, side, side))
    found = torch.bmm(maps.flatten(2), matrix).view(2, 5, c, side, side)
    for seed in range(2):
        weight = kernel[seed].transpose(0, 1).reshape(c, c, size, size)
        left = (size - 1) // 2
        padded = functional.pad(maps[seed], (left, size - 1 - left, left, size - 1 - left))
        assert torch.allclose(found[seed], functional.conv2d(padded, weight), atol=1e-12)


def plain(network: digits._Network, design: np.ndarray, seed: int, x: torch.Tensor) -> Any:
    """The network as its description says it, with torch's own convolutions."""

    def convolve(h: torch.Tensor, kernel: torch.Tensor, stride: int = 1) -> torch.Tensor:
        c_in, c_out, square = kernel.shape
        size = round(square**0.5)
        left = (size - 1) // 2
        padded = functional.pad(h, (left, size - 1 - left, left, size - 1 - left))
        weight = kernel.transpose(0, 1).reshape(c_out, c_in, size, size)
        return functional.conv2d(padded, weight, stride=stride)

    choices = [torch.nn.ReLU(), torch.nn.ELU(), torch.nn.LeakyReLU(), torch.nn.SELU(), torch.nn.SiLU()]  # fmt: skip
    h = convolve(x.view(-1, 1, 8, 8), network.stem[seed], stride=2)
    for block in range(16):
        first, one, second, other = design[4 * block : 4 * block + 4]
        inner = h
        for layer, (size, act) in enumerate([(first, one), (second, other)], 2 * block):
            assert network.kernels[layer].shape[-1] == (size + 2) ** 2
            bias = network.biases[layer][seed][:, None, None]
            inner = choices[act](convolve(inner, network.kernels[layer][seed]) + bias)
        h = h + inner
    return h.mean((2, 3)) @ network.head[seed] + network.head_bias[seed]


def test_a_design_describes_the_network_that_is_trained() -> None:
    (design,) = designs(1)
    network = digits._Network(design.tolist(), (0, 7))
    with torch.no_grad():
        for bias in [*network.biases, network.head_bias]:
            bias.normal_()
        x = random(2, 3, 64)
        found = network(x)
        for seed in range(2):
            expected = plain(network, design, seed, x[seed])
            assert torch.allclose(found[seed], expected, rtol=1e-9, atol=1e-9)
    assert not torch.equal(network.stem[0], network.stem[1])


def test_parameters_are_those_of_the_network() -> None:
    x = designs(3)
    counts = [
        sum(weight[0].numel() for weight in digits._Network(row, (0,)).weights)
        for row in x.tolist()
    ]
    assert digits.parameters(x).tolist() == counts


def test_the_digits_are_split_and_standardized_once_and_for_all() -> None:
    found = digits._digits()
    assert found.x.shape == (1437, 64)
    assert found.test_x.shape == (RECIPE.test, 64)
    assert found.x.mean().item() == pytest.approx(0, abs=1e-12)
    assert found.x.std(correction=0).item() == pytest.approx(1)
    assert torch.bincount(found.test_y, minlength=10).min() > 20


def test_other_digits_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn import datasets

    pixels, classes = datasets.load_digits(return_X_y=True)
    monkeypatch.setattr(datasets, "load_digits", lambda return_X_y: (pixels[::-1], classes))  # noqa: N803
    digits._digits.cache_clear()
    with pytest.raises(
        OracleUnavailable, match=r"differ from those that the task was made with: sha256"
    ):
        digits._digits()
    monkeypatch.undo()
    digits._digits.cache_clear()


def test_the_recipe_has_a_hash_that_follows_its_constants() -> None:
    import msgspec

    assert RECIPE.sha256 == digits.Recipe().sha256
    assert msgspec.structs.replace(RECIPE, rate=0.02).sha256 != RECIPE.sha256


@pytest.mark.slow(
    "nine core-seconds of training; test_nas.py trains the real recipe, to the stored values"
)
def test_a_training_gives_the_same_wherever_it_runs() -> None:
    """One after the other in this process or side by side in others, all seeds together or one."""
    x = designs(2).tolist()
    (alone,) = (found for _, found in digits.train_all(x[:1], processes=1))
    assert len(alone.right) == len(RECIPE.seeds)
    assert alone.seconds > 0
    seeds = RECIPE.seeds[:1]
    ((_, other),) = digits.train_all(x[1:], processes=1, seeds=seeds)
    again = dict(digits.train_all(x[::-1], processes=2, seeds=seeds))
    assert [again[row].right for row in (1, 0)] == [alone.right[:1], other.right]
    threads = torch.get_num_threads()
    with torch.no_grad():  # whatever the user's code is about
        assert digits.train(x[0], RECIPE.seeds[1:2]).right == alone.right[1:2]
    assert torch.get_num_threads() == threads
    assert other.right != alone.right[:1]


@contextmanager
def default_device(name: str) -> Iterator[None]:
    torch.set_default_device(name)
    try:
        yield
    finally:
        torch.set_default_device(None)


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


SETTINGS = {
    "inference_mode": torch.inference_mode,
    "no_grad": torch.no_grad,
    "default device": lambda: default_device("meta"),
    "device": lambda: torch.device("meta"),
    "float16": lambda: default_dtype(torch.float16),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
}


ALONE = pytest.mark.slow("each setting alone takes a second; all of them together run")


@pytest.mark.parametrize(
    "names",
    [*(pytest.param([name], marks=ALONE) for name in SETTINGS), [*SETTINGS]],
    ids=[*SETTINGS, "all"],
)
def test_training_does_not_heed_how_a_program_has_set_torch(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of digits was made under the settings, too."""
    monkeypatch.setattr(digits, "RECIPE", structs.replace(RECIPE, epochs=1))
    design = [place % 5 if place % 2 else 0 for place in range(64)]  # small kernels are quick
    expected = digits.train(design, (0,)).right
    digits._digits.cache_clear()
    digits._placement.cache_clear()
    try:
        with ExitStack() as stack:
            for name in names:
                stack.enter_context(SETTINGS[name]())
            before = settings()
            assert digits.train(design, (0,)).right == expected
            assert before == settings()
        assert digits.train(design, (0,)).right == expected
    finally:
        digits._digits.cache_clear()
        digits._placement.cache_clear()


def settings() -> tuple[Any, ...]:
    return (
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_default_dtype(),
        torch.is_autocast_enabled("cpu"),
    )


def fake_train_all(calls: list[int]) -> Any:
    """Stands for training: the sum of a design's tokens is what each seed reads right."""

    def train_all(
        rows: list[list[int]], *, processes: int, seeds: Any = RECIPE.seeds
    ) -> Iterator[tuple[int, Outcome]]:
        calls.append(len(rows))
        for at in reversed(range(len(rows))):
            yield at, Outcome(tuple(sum(rows[at]) + seed for seed in seeds), 1.0)

    return train_all


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A process that has checked no golden values yet, and whose trainings take no time."""
    calls: list[int] = []
    monkeypatch.setattr("mbo_hub.oracles.golden._checked", {})
    monkeypatch.setattr(digits, "train_all", fake_train_all(calls))
    return calls


def value(x: np.ndarray) -> np.ndarray:
    """What `fake_train_all` makes of designs."""
    return ((x.sum(1) + 1) / RECIPE.test * 100).astype(np.float32)


def oracle(x: np.ndarray, y: np.ndarray, **options: Any) -> TrainingOracle:
    return TrainingOracle(x, y, **({"tolerance": 1.0, "made_with": "2.13.0"} | options))


def test_the_oracle_keeps_the_promises_of_all_oracles(quick: list[int]) -> None:
    golden = designs(9, seed=1)
    scored = oracle(golden, value(golden))
    assert isinstance(scored, Oracle)
    assert scored.exact
    assert scored.fingerprint.kind == "training"
    assert scored.fingerprint.sha256 == RECIPE.sha256
    assert scored.fingerprint.runtime == f"torch {metadata.version('torch')}"
    assert scored(golden[:0]).shape == (0,)
    assert quick == [0]  # without designs, golden ones are not trained either
    quick.clear()
    x = np.concatenate([designs(4), designs(4)])
    y = scored(x)
    assert y.dtype == np.float32
    assert np.array_equal(y, value(x))
    assert np.array_equal(scored(x[:2]), y[:2])
    assert quick == [digits.CHECKED, 4, 2]  # golden ones once, equal ones once
    assert scored.agreement == "exact"
    with pytest.raises(InvalidDesign, match="design 1 has token 5 at position 0"):
        scored([[0] * 64, [5] * 64])
    with pytest.raises(ValueError, match="needs golden values"):
        oracle(golden[:0], value(golden[:0]))


@pytest.mark.usefixtures("quick")
def test_golden_values_say_whether_this_torch_will_do() -> None:
    golden = designs(3, seed=1)
    y = value(golden)
    assert oracle(golden, y + np.float32(0.5)).agreement == "compatible"
    y[1] -= 2.0
    wrong = oracle(golden, y, made_with="9.9.9")
    for _ in range(2):  # the second time from memory
        with pytest.raises(
            OracleUnavailable, match=r"expected .* ± 1.0 %: this is torch .* 9\.9\.9"
        ):
            wrong(golden)


def test_without_torch_the_oracle_says_what_to_install_and_what_needs_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    golden = designs(3)
    for names, said in ((["torch"], "needs torch;"), (["torch", "sklearn"], "torch and scikit")):
        for name in names:
            monkeypatch.setitem(sys.modules, name, None)
        scored = oracle(golden, value(golden))
        with pytest.raises(OracleUnavailable, match=said) as error:
            scored(golden)
        for part in ("pip install 'mbo-hub[nas]'", "--oracle surrogate"):
            assert part in str(error.value)
        with pytest.raises(OracleUnavailable):
            _ = scored.fingerprint


def test_torch_is_not_imported_to_look_at_the_task() -> None:
    code = (
        "import sys, numpy as np\n"
        "from mbo_hub.oracles.digits import SPACE, TrainingOracle\n"
        "o = TrainingOracle(SPACE.sample(3, 0), np.ones(3), tolerance=1, made_with='2')\n"
        "print(o.fingerprint.kind, 'torch' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["training", "False", "False"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("quick")
def test_a_bar_is_drawn_on_terminals_only_and_not_for_quick_scores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    x = designs(3)
    told: list[tuple[float, int]] = []
    oracle(x, value(x), progress=lambda done, of: told.append((done, of)))(np.repeat(x, 2, axis=0))
    assert told[-1] == (6.0, 6)
    for stream, patience, drawn in (
        (Terminal(), 0.0, True),
        (Terminal(), 60.0, False),
        (io.StringIO(), 0.0, False),
    ):
        monkeypatch.setattr("sys.stderr", stream)
        monkeypatch.setattr("mbo_hub.oracles.progress.PATIENCE_S", patience)
        oracle(x, value(x))(x)
        assert ("nas: training 3 designs" in stream.getvalue()) is drawn


def test_a_process_that_dies_is_an_error_and_no_wait(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    popen = subprocess.Popen

    def dying(command: list[str], **options: Any) -> Any:
        return popen([command[0], "-c", "raise MemoryError('no room')"], **options)

    monkeypatch.setattr(digits.subprocess, "Popen", dying)
    with pytest.raises(OracleUnavailable, match=r"ended before it was done \(exit code 1"):
        list(digits.train_all(designs(4).tolist(), processes=2))
    assert "no room" in capfd.readouterr().err


def children(pid: int) -> list[int]:
    """Living processes whose parent is or was this one, by the command that they run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
            if parent == pid and b"_serve()" in command:
                found.append(int(entry.name))
    return found


@posix
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc")
@pytest.mark.parametrize(
    "ending",
    [
        signal.SIGINT,
        pytest.param(
            signal.SIGKILL,
            marks=pytest.mark.slow("trainings go on for a while; that of Ctrl-C runs"),
        ),
    ],
)
def test_nothing_is_left_behind(ending: signal.Signals) -> None:
    """Ctrl-C ends the trainings at once; if this process is killed, they end by themselves."""
    code = (
        "from mbo_hub.oracles.digits import SPACE, train_all\n"
        "for _ in train_all(SPACE.sample(1000, 0).tolist(), processes=2, seeds=(0,)):\n"
        "    print('one is done', flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "one is done\n"
        started = children(process.pid)
        assert len(started) == 2
        begin = time.monotonic()
        process.send_signal(ending)
        _, said = process.communicate(timeout=60 if ending == signal.SIGKILL else PROMPT_S)
        assert ending == signal.SIGKILL or "KeyboardInterrupt" in said
    patience = 60.0 if ending == signal.SIGKILL else PROMPT_S  # until the design at hand is done
    while time.monotonic() - begin < patience and any(alive(pid) for pid in started):
        time.sleep(0.05)
    assert [pid for pid in started if alive(pid)] == []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
