"""Graphs that strangers might publish: plain ones, and some that fail or never end."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper


def small_model() -> ModelProto:
    """The sum of three numbers."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axis"], ["y"], keepdims=0)],
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([1]), "axis")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def graph_of(nodes: list, constants: dict[str, np.ndarray], output: str = "y") -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def gather() -> bytes:
    return graph_of(
        [
            helper.make_node("Cast", ["x"], ["at"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "at"], ["each"]),
            helper.make_node("ReduceSum", ["each", "one"], ["y"], keepdims=0),
        ],
        {"table": np.ones(1, np.float32), "one": np.array([1])},
    )


def reshape() -> bytes:
    return graph_of([helper.make_node("Reshape", ["x", "s"], ["y"])], {"s": np.array([7, -1])})


def allocation() -> bytes:
    nodes = [
        helper.make_node("Shape", ["x"], ["n"]),
        helper.make_node("Mul", ["n", "much"], ["size"]),
        helper.make_node("ConstantOfShape", ["size"], ["huge"]),
        helper.make_node("ReduceSum", ["huge", "one"], ["y"], keepdims=0),
    ]
    return graph_of(nodes, {"much": np.array([1 << 40, 1 << 20]), "one": np.array([1])})


def too_many() -> bytes:
    return graph_of([helper.make_node("Concat", ["x", "x"], ["y"], axis=0)], {})


def endless() -> bytes:
    """A loop whose body says to go on, for every design but zeros."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["on"]),
            helper.make_node("Add", ["sum", "sum"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, [None]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [None]),
        ],
    )
    nodes = [
        helper.make_node("ReduceSum", ["x", "one"], ["start"], keepdims=0),
        helper.make_node("ReduceMax", ["x"], ["most"], keepdims=0),
        helper.make_node("Cast", ["most"], ["going"], to=TensorProto.BOOL),
        helper.make_node("Loop", ["", "going", "start"], ["y"], body=body),
    ]
    return graph_of(nodes, {"one": np.array([1])})
