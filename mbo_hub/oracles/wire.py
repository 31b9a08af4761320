"""What an ONNX file says before a runtime reads it: its protobuf fields, walked one by one.

A tensor may name a file that holds its values. Runtimes then read that file from wherever it says,
so one ONNX file would give other results in another folder. Here such a file is refused, and so is
all that two parsers might read differently. Sources: protobuf.dev/programming-guides/encoding and
onnx.proto, whose field numbers stand below.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mbo_hub.errors import OracleUnavailable

__all__ = [
    "CALLED",
    "DATA_LOCATION",
    "DEPTH",
    "EXTERNAL_DATA",
    "MESSAGES",
    "NAME",
    "NODES",
    "check",
]

DEPTH = 100  # messages inside messages; the limit of protobuf's own parsers
# The messages on the way from a model to its tensors, and in which fields one holds another.
MESSAGES: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "TensorProto": {},
}
NAME, EXTERNAL_DATA, DATA_LOCATION = 8, 13, 14  # fields of a TensorProto
# What a function is called, and what a node calls: its name and its domain.
CALLED: Mapping[str, tuple[int, int]] = {"FunctionProto": (1, 10), "NodeProto": (4, 7)}
NODES = 100_000  # of a model once each call of a function is replaced by what it calls

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4 are groups, which ONNX has not
WIDTHS = {FIXED64: 8, FIXED32: 4}
# Numbers fill most of a forest's file, each in a field of its own. A run of them is passed over at
# once, but for field 14, which says where a tensor's values are.
NUMBERS = re.compile(
    rb"(?:[\x08\x10\x18\x20\x28\x30\x38\x40\x48\x50\x58\x60\x68\x78][\x80-\xff]{0,9}+[\x00-\x7f]"
    rb"|[\x0d\x15\x1d\x25\x2d\x35\x3d\x45\x4d\x55\x5d\x65\x6d\x75\x7d].{4}"
    rb"|[\x09\x11\x19\x21\x29\x31\x39\x41\x49\x51\x59\x61\x69\x71\x79].{8}){1,4096}+",
    re.DOTALL,
)


class _Field(NamedTuple):
    number: int
    wire: int
    start: int  # of its content, in bytes from the start of the file
    end: int


class _Malformed(Exception):
    """What is wrong, and at which byte."""


def check(model: bytes, name: str) -> None:
    """See that a file is ONNX that names no other file, and that its functions come to an end.

    Args:
        model: its content.
        name: what to call it in messages.

    Raises:
        OracleUnavailable: it is no ONNX, nests too deep, keeps values of a tensor elsewhere, or its
            functions call each other without end, or so often that it becomes huge.
    """
    try:
        _see_that_calls_end(_walk(model, name), name)
    except _Malformed as error:
        raise OracleUnavailable(f"{name}: not an ONNX file: {error}; export it again") from None


Callee = tuple[bytes, bytes]  # name and domain
Calls = dict[
    Callee | None, Counter[Callee]
]  # what each function calls, and how often; None: the model


def _walk(model: bytes, name: str) -> Calls:
    """Look at every message; give what calls what."""
    if model[4:8] == b"ORTM":  # which onnxruntime would take for its own format
        raise _Malformed("it is in onnxruntime's own format")
    if not model:
        raise _Malformed("it is empty")
    calls: Calls = {None: Counter()}
    waiting: list[tuple[str, int, int, int, Callee | None]] = [
        ("ModelProto", 0, len(model), 1, None)
    ]
    while waiting:
        message, start, end, depth, caller = waiting.pop()
        if depth > DEPTH:
            raise _Malformed(f"messages nest deeper than {DEPTH} at byte {start:,}")
        inner = MESSAGES[message]
        if message in CALLED:
            called = _called(model, start, end, *CALLED[message])
            if message == "FunctionProto":
                caller = called
                calls.setdefault(caller, Counter())
            else:
                calls[caller][called] += 1
        for field in _fields(model, start, end):
            if message == "TensorProto" and _elsewhere(model, field):
                raise OracleUnavailable(
                    f"{name}: keeps its weights in other files ({_title(model, start, end)}); "
                    "export it with them inside"
                )
            if field.number in inner and field.wire == BYTES:
                held = inner[field.number]
                waiting.append((held, field.start, field.end, depth + 1, caller))
    return calls


def _called(model: bytes, start: int, end: int, name: int, domain: int) -> Callee:
    """What a function or a node is called; where a field stands twice, the last one counts."""
    found = {
        field.number: model[field.start : field.end]
        for field in _fields(model, start, end)
        if field.number in (name, domain) and field.wire == BYTES
    }
    where = found.get(domain, b"")
    return found.get(name, b""), b"" if where == b"ai.onnx" else where


def _see_that_calls_end(calls: Calls, name: str) -> None:
    """Count the nodes that a model has once no function is called any more.

    Functions of one name and domain, which may differ in their overload, count as one.

    Raises:
        OracleUnavailable: a function comes to call itself, or they are too many.
    """
    nodes: dict[Callee | None, int] = {}
    named = {function for function in calls if function is not None and function[0]}
    for start in calls:
        if start in nodes:
            continue
        way = {start: iter(calls[start])}  # functions that are being counted, and what they call
        while way:
            at, left = next(reversed(way.items()))
            called = next((f for f in left if f in named and f not in nodes), None)
            if called is None:
                within = sum(count * nodes[f] for f, count in calls[at].items() if f in named)
                if within > NODES:
                    raise OracleUnavailable(
                        f"{name}: its functions call each other so often that it would have more "
                        f"than {NODES:,} nodes; export it without functions"
                    )
                nodes[at] = calls[at].total() + within
                del way[at]
            elif called in way or len(way) > DEPTH:
                told = "calls itself" if called in way else f"is called {DEPTH} functions deep"
                raise OracleUnavailable(
                    f"{name}: its function {_text(called[0])} {told}; export it without functions"
                )
            else:
                way[called] = iter(calls[called])


def _elsewhere(model: bytes, field: _Field) -> bool:
    """Tell whether a tensor's field says that its values are not in the file."""
    if field.number == DATA_LOCATION:  # 0, the default, is in the file
        return field.wire != VARINT or any(byte & 0x7F for byte in model[field.start : field.end])
    return field.number == EXTERNAL_DATA


def _title(model: bytes, start: int, end: int) -> str:
    """Name the tensor that these bytes hold."""
    for field in _fields(model, start, end):
        if field.number == NAME and field.wire == BYTES:
            return f"tensor {_text(model[field.start : field.end])}"
    return "a tensor without a name"


def _text(raw: bytes) -> str:
    return repr(raw[:60].decode("utf-8", "replace"))


def _fields(model: bytes, start: int, end: int) -> Iterator[_Field]:
    """Give the fields of a message, but for runs of numbers that tell nothing here.

    Raises:
        _Malformed: the bytes are no message.
    """
    at = start
    while at < end:
        if (run := NUMBERS.match(model, at, end)) is not None:
            at = run.end()
            continue
        tag, content = _varint(model, at, end, longest=5)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise _Malformed(f"byte {at:,} starts no field")
        if wire == VARINT:
            _, after = _varint(model, content, end)
        elif wire in WIDTHS:
            after = content + WIDTHS[wire]
        elif wire == BYTES:
            length, content = _varint(model, content, end)
            after = content + length
        else:
            raise _Malformed(f"byte {at:,} starts no field")
        if after > end:
            raise _Malformed(f"the field at byte {at:,} is longer than what holds it")
        yield _Field(number, wire, content, after)
        at = after


def _varint(model: bytes, at: int, end: int, longest: int = 10) -> tuple[int, int]:
    """Read a number of seven bits a byte, the lowest first; give it and where it ends."""
    value = 0
    for place, byte in enumerate(model[at : min(end, at + longest)]):
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value, at + place + 1
    raise _Malformed(f"the number at byte {at:,} does not end")
