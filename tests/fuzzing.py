"""Ways to damage a file: of bytes for any file, of words for text. The same seed, the same damage.

The suite's fuzz has some 3,000 cases: files of designs (test_file_formats.py), dataset folders
(test_strange_files.py) and ONNX files (test_foreign_onnx.py). `MBO_FUZZ=20` makes twenty times as
many of each.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import numpy as np

TIMES = int(os.environ.get("MBO_FUZZ", "1"))
Damage = Callable[[bytes, np.random.Generator], bytes]
# What breaks readers: limits of integers, lengths, and what other parsers take for more.
WORDS = (
    b"", b"0", b"-1", b"1", b"127", b"255", b"65536", b"2147483648", b"9223372036854775808",
    b"1e400", b"-1e400", b"1e-400", b"nan", b"inf", b"null", b"true", b"'", b'"', b'"""', b"'''",
    b",", b";", b"\t", b" ", b"\n", b"\r", b"\0", b"\x1b[2J", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80",
    b"[", b"]", b"(" * 2000, b"[" * 2000, b"{", b"}", b"_", b"1_0", b"\xef\xbc\x91", b"..", b"../",
    b"A" * 5000, b"9" * 5000, b"%s", b"#", b">", b"<", b"&", b"x", b"y", b"U0", b"O", b"V4",
)  # fmt: skip
BYTES = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)
_WORD = re.compile(rb"[A-Za-z]+|[0-9.]+|[^A-Za-z0-9.]")


def mutations(raw: bytes, rng: np.random.Generator) -> Iterator[bytes]:
    """Damage a file again and again, each time one to four times over; without end."""
    while True:
        damaged = raw
        for _ in range(rng.integers(1, 5)):
            damaged = DAMAGES[rng.integers(len(DAMAGES))](damaged, rng)
        yield damaged


def _span(raw: bytes, rng: np.random.Generator) -> slice:
    """Some bytes, mostly few, and rather at the beginning, where headers are."""
    size = int(min(rng.geometric(0.1), len(raw)))
    begin = int(rng.integers(max(1, min(len(raw), 200) if rng.random() < 0.5 else len(raw))))
    return slice(begin, begin + size)


def _put(raw: bytes, where: slice, what: bytes) -> bytes:
    return raw[: where.start] + what + raw[where.stop :]


def set_a_byte(raw: bytes, rng: np.random.Generator) -> bytes:
    at = _span(raw, rng).start
    value = int(rng.integers(256)) if rng.random() < 0.5 else int(rng.choice(BYTES))
    return _put(raw, slice(at, at + 1), bytes([value]))


def set_a_whole_number(raw: bytes, rng: np.random.Generator) -> bytes:
    size = int(rng.choice([2, 4, 8]))
    at = _span(raw, rng).start
    value = int(rng.choice([0, 1, 2**7, 2 ** (8 * size - 1) - 1, 2 ** (8 * size - 2)]))
    return _put(raw, slice(at, at + size), value.to_bytes(size, "little"))


def cut(raw: bytes, rng: np.random.Generator) -> bytes:
    at = _span(raw, rng).start
    return raw[:at] if rng.random() < 0.7 else raw[at:]


def leave_out(raw: bytes, rng: np.random.Generator) -> bytes:
    return _put(raw, _span(raw, rng), b"")


def repeat(raw: bytes, rng: np.random.Generator) -> bytes:
    where = _span(raw, rng)
    return _put(raw, where, raw[where] * int(rng.integers(2, 5)))


def move(raw: bytes, rng: np.random.Generator) -> bytes:
    where = _span(raw, rng)
    rest = _put(raw, where, b"")
    at = _span(rest, rng).start
    return rest[:at] + raw[where] + rest[at:]


def put_noise(raw: bytes, rng: np.random.Generator) -> bytes:
    where = _span(raw, rng)
    return _put(raw, where, rng.bytes(where.stop - where.start))


def put_a_word(raw: bytes, rng: np.random.Generator) -> bytes:
    where = _span(raw, rng)
    stop = where.start if rng.random() < 0.5 else where.stop
    return _put(raw, slice(where.start, stop), WORDS[rng.integers(len(WORDS))])


def replace_a_word(raw: bytes, rng: np.random.Generator) -> bytes:
    words = [m.span() for m in _WORD.finditer(raw[:2000])]
    if not words:
        return put_a_word(raw, rng)
    begin, end = words[rng.integers(len(words))]
    return _put(raw, slice(begin, end), WORDS[rng.integers(len(WORDS))])


def swap_words(raw: bytes, rng: np.random.Generator) -> bytes:
    words = [m.span() for m in _WORD.finditer(raw[:2000])]
    if len(words) < 2:
        return raw
    (a, b), (c, d) = sorted(words[i] for i in rng.choice(len(words), 2, replace=False))
    return raw[:a] + raw[c:d] + raw[b:c] + raw[a:b] + raw[d:]


def repeat_a_line(raw: bytes, rng: np.random.Generator) -> bytes:
    lines = raw.split(b"\n")
    at = int(rng.integers(len(lines)))
    return b"\n".join([*lines[:at], *[lines[at]] * int(rng.integers(0, 4)), *lines[at + 1 :]])


DAMAGES: tuple[Damage, ...] = (
    set_a_byte, set_a_whole_number, cut, leave_out, repeat, move, put_noise, put_a_word,
    replace_a_word, swap_words, repeat_a_line,
)  # fmt: skip
