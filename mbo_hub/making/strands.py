"""Write a network that was trained on DNA as an ONNX graph: one value for both strands.

A sequence and its reverse complement are one double strand, so the graph gives the mean of what the
network says about either. It computes in float64 and rounds the result to whole steps (`STEP`): two
runtimes differ in the last bits of float64, a ten-thousand-millionth of a step, so all of them, in
any batch and with any number of threads, give the same float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence as Rows
from typing import TYPE_CHECKING

import numpy as np

from mbo_hub.arrays import Float32, Num
from mbo_hub.making.graphs import Graph, finish, surround
from mbo_hub.spaces import Sequence

if TYPE_CHECKING:
    from mbo_hub.tasks.spec import TaskSpec

__all__ = ["STEP", "reverse_complement", "strand_model"]

STEP = 2.0**-20  # of the values, in raw units; float32 holds such numbers exactly up to 16


def reverse_complement(space: Sequence, x: Num[np.ndarray, "n d"]) -> Num[np.ndarray, "n d"]:
    """Read the other strand; tokens i and k − 1 − i are complements, as in the alphabet ACGT."""
    complement: Num[np.ndarray, "n d"] = len(space.alphabet) - 1 - x[:, ::-1]
    return complement


def strand_model(
    spec: TaskSpec,
    weights: Rows[Float32[np.ndarray, "_ _"]],
    biases: Rows[Float32[np.ndarray, " _"]],
    offset: float,
    extra: Mapping[str, str],
) -> bytes:
    """Export a network with SiLU between its layers, whose mean over both strands is the value.

    Args:
        spec: of the task; its space is an alphabet in which tokens i and k − 1 − i are complements.
        weights: of each layer, (inputs, outputs), from one-hot tokens to one value.
        biases: of each layer, (outputs,).
        offset: added to the mean.
        extra: what else a user should know, for the file's metadata.

    Returns:
        Content of the .onnx file.
    """
    space = spec.space
    if not isinstance(space, Sequence) or space.padding is not None:
        raise TypeError("only sequences without padding have a reverse complement")
    letters = len(space.alphabet)
    part = Graph()
    depth = part.constant(letters, np.int64, name="depth")
    off_on = part.constant([0, 1], np.float32, name="off_on")
    shape = part.constant([-1, letters * space.length], np.int64, name="feature_shape")
    # Complement and reversal together turn the row of one-hot tokens round.
    turned = part.constant(np.arange(letters * space.length)[::-1].copy(), np.int64, name="turned")
    by_strand = part.constant([2, -1], np.int64, name="by_strand")
    strands = part.constant([0], np.int64, name="strands")
    half = part.constant(0.5, np.float64, name="half")
    added = part.constant(offset, np.float64, name="offset")
    step = part.constant(STEP, np.float64, name="step")
    one_hot = part.apply("OneHot", "legal_x", depth, off_on, name="one_hot", axis=-1)
    features = part.apply("Reshape", one_hot, shape, name="features")
    forward = part.cast(features, np.float64, name="forward")
    backward = part.apply("Gather", forward, turned, name="backward", axis=1)
    hidden = part.apply("Concat", forward, backward, name="hidden0", axis=0)
    last = len(weights) - 1
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        exact = []
        for name, values in ((f"W{layer}", weight), (f"b{layer}", bias)):
            stored = part.constant(values, name=name)  # float32: half the size
            exact.append(part.cast(stored, np.float64, name=f"{name}_exact"))
        product = part.apply("MatMul", hidden, exact[0], name=f"product{layer}")
        hidden = part.apply("Add", product, exact[1], name=f"sum{layer}")
        if layer < last:
            # SiLU as h + h tanh h, h = x/2. Written with Sigmoid, onnxruntime 1.30 makes it an
            # operator that it has for float32 only.
            halved = part.apply("Mul", hidden, half, name=f"half{layer}")
            gate = part.apply("Tanh", halved, name=f"gate{layer}")
            gated = part.apply("Mul", halved, gate, name=f"gated{layer}")
            hidden = part.apply("Add", halved, gated, name=f"hidden{layer + 1}")
    of_strands = part.apply("Reshape", hidden, by_strand, name="of_strands")
    mean = part.apply("ReduceMean", of_strands, strands, name="mean", keepdims=0)
    moved = part.apply("Add", mean, added, name="exact")
    steps = part.apply("Div", moved, step, name="steps")
    whole = part.apply("Round", steps, name="whole_steps")
    rounded = part.apply("Mul", whole, step, name="rounded")
    part.cast(rounded, np.float32, name="value")
    return finish(surround(part, space, {"y": "value"}), spec, extra)
