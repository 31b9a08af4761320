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
from mbo_hub.making.forests import finish, surround
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
    from onnx import TensorProto, helper

    space = spec.space
    if not isinstance(space, Sequence) or space.padding is not None:
        raise TypeError("only sequences without padding have a reverse complement")
    letters = len(space.alphabet)
    constants: dict[str, Num[np.ndarray, ...]] = {
        "depth": np.array(letters, np.int64),
        "off_on": np.array([0, 1], np.float32),
        "feature_shape": np.array([-1, letters * space.length], np.int64),
        # Complement and reversal together turn the row of one-hot tokens round.
        "turned": np.arange(letters * space.length)[::-1].copy(),
        "by_strand": np.array([2, -1], np.int64),
        "strands": np.array([0], np.int64),
        "half": np.array(0.5, np.float64),
        "offset": np.array(offset, np.float64),
        "step": np.array(STEP, np.float64),
    }
    nodes = [
        helper.make_node("OneHot", ["legal_x", "depth", "off_on"], ["one_hot"], axis=-1),
        helper.make_node("Reshape", ["one_hot", "feature_shape"], ["features"]),
        helper.make_node("Cast", ["features"], ["forward"], to=TensorProto.DOUBLE),
        helper.make_node("Gather", ["forward", "turned"], ["backward"], axis=1),
        helper.make_node("Concat", ["forward", "backward"], ["hidden0"], axis=0),
    ]
    last = len(weights) - 1
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        constants |= {f"W{layer}": weight, f"b{layer}": bias}  # float32: half the size
        nodes += [
            helper.make_node("Cast", [name], [f"{name}_exact"], to=TensorProto.DOUBLE)
            for name in (f"W{layer}", f"b{layer}")
        ]
        nodes += [
            helper.make_node("MatMul", [f"hidden{layer}", f"W{layer}_exact"], [f"product{layer}"]),
            helper.make_node("Add", [f"product{layer}", f"b{layer}_exact"], [f"sum{layer}"]),
        ]
        if layer < last:
            # SiLU as h + h tanh h, h = x/2. Written with Sigmoid, onnxruntime 1.30 makes it an
            # operator that it has for float32 only.
            nodes += [
                helper.make_node("Mul", [f"sum{layer}", "half"], [f"half{layer}"]),
                helper.make_node("Tanh", [f"half{layer}"], [f"gate{layer}"]),
                helper.make_node("Mul", [f"half{layer}", f"gate{layer}"], [f"gated{layer}"]),
                helper.make_node("Add", [f"half{layer}", f"gated{layer}"], [f"hidden{layer + 1}"]),
            ]
    nodes += [
        helper.make_node("Reshape", [f"sum{last}", "by_strand"], ["of_strands"]),
        helper.make_node("ReduceMean", ["of_strands", "strands"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "offset"], ["exact"]),
        helper.make_node("Div", ["exact", "step"], ["steps"]),
        helper.make_node("Round", ["steps"], ["whole_steps"]),
        helper.make_node("Mul", ["whole_steps", "step"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["value"], to=TensorProto.FLOAT),
    ]
    return finish(surround(nodes, space, constants, {"y": "value"}), spec, extra)
