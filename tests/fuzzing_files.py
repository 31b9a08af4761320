"""Damage the files of a dataset folder in every way, and see that only mbo_hub's errors come out.

    failures = fuzz(3000, seed=0, place=tmp_path)      # in a process of its own: see `in_a_child`
    python tests/fuzzing_files.py 3000 --seed 0        # the same, under a limit of memory

The same seed gives the same damage. A case is one folder with one file damaged: task.json by its
bytes or by its tree, README.md, a receipt, or a parquet file by its bytes, its footer or its heads
of pages. In half of the cases task.json then names the damaged file by its hash and size, so that
what reads it is reached.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Rng = np.random.Generator
SLOW = 10.0  # seconds that a case may take
MEMORY = 2 << 30  # bytes that all of them may take
# What stands where something else should: pointers, pages, other encodings, nothing.
OTHERS = (
    b"",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    b"<!DOCTYPE html><html><body>404</body></html>",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"PK\x03\x04",
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b"[" * 5000,
    b'{"a":' * 3000,
    b"null",
    b"[]",
    b'{"format": 1}',
    b"---\n" + b"- " * 3000 + b"\n---\n",
    b"---\na: &a [*a]\n---\n",
    b"PAR1" * 4,
)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, 10**400, 0.5, -0.0, 1e308, 5e-324, "", "x", "é",
    "\x1b[2J", "\u202e", "\ud800", "a" * 3000, "../../etc/passwd", "/dev/zero", "data/train.parquet",
    [], {}, [[]], [0], {"": {}}, [None] * 3, ["A", "A"],
)  # fmt: skip


def damaged_bytes(raw: bytes, rng: Rng) -> bytes:
    """Change, cut, repeat or insert bytes, once to four times; or put something else there."""
    if rng.random() < 0.1:
        return OTHERS[rng.integers(len(OTHERS))]
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(raw) + 1))
        more = at + int(rng.geometric(0.1))
        how = rng.integers(6)
        if how == 0:
            raw = raw[:at] + bytes(rng.integers(256, size=more - at, dtype=np.uint8)) + raw[more:]
        elif how == 1:
            raw = raw[:at] + bytes([int(rng.choice([0, 1, 127, 128, 255]))]) + raw[at + 1 :]
        elif how == 2:
            raw = raw[:at] + raw[more:]
        elif how == 3:
            raw = raw[:more] + raw[at:]
        elif how == 4:
            raw = raw[:at] if rng.random() < 0.2 else raw[:at] + b"\0" + raw[at:]
        else:
            raw = raw.replace(b"\n", b"\r\n")
    return raw


def damaged_tree(raw: bytes, rng: Rng) -> bytes:
    """Change a JSON document and keep it JSON: values, names, whole branches, a name twice."""
    document = json.loads(raw)
    for _ in range(rng.integers(1, 4)):
        holders = list(_holders(document))
        holder = holders[rng.integers(len(holders))]
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            continue
        key = keys[rng.integers(len(keys))]
        how = rng.integers(5)
        if how <= 1:
            holder[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
        elif how == 2:
            del holder[key]
        elif how == 3:
            other = holders[rng.integers(len(holders))]
            holder[key] = json.loads(json.dumps(other))
        elif isinstance(holder, dict):
            holder[f"{key}{key[-1:]}"] = holder.pop(key)
    written = json.dumps(document, ensure_ascii=bool(rng.random() < 0.5))
    if rng.random() < 0.1:  # a name twice
        at = written.find(",") + 1
        written = written[:at] + written[1:at] + written[at:]
    return written.encode("utf-8", "surrogatepass")


def _holders(document: Any) -> Iterator[Any]:
    if isinstance(document, dict | list):
        yield document
        for inner in document.values() if isinstance(document, dict) else document:
            yield from _holders(inner)


def damaged_parquet(raw: bytes, rng: Rng) -> bytes:
    """Change a parquet file anywhere, or only its footer, whose length then fits again."""
    if rng.random() < 0.5:  # so little that a reader goes far
        changed = bytearray(raw)
        for at in rng.integers(len(raw), size=rng.integers(1, 4)):
            changed[at] = rng.choice([0, 1, 2, 127, 128, 255, changed[at] ^ 1 << rng.integers(8)])
        return bytes(changed)
    if rng.random() < 0.2:
        return damaged_bytes(raw, rng)
    size = struct.unpack("<I", raw[-8:-4])[0]
    body, footer = raw[: -8 - size], raw[-8 - size : -8]
    if rng.random() < 0.2:  # heads of pages stand anywhere between the columns
        body = damaged_bytes(body, rng)
    else:
        footer = damaged_bytes(footer, rng)
    return body + footer + struct.pack("<I", len(footer)) + b"PAR1"


def fuzz(cases: int, seed: int, place: Path) -> list[str]:
    """Damage a stranger's folder again and again; load it, validate it, verify its receipt.

    Args:
        cases: how many folders.
        seed: of the damage.
        place: an empty folder to write into.

    Returns:
        What went wrong, a traceback each: errors other than mbo_hub's, and what took too long.
    """
    import stranger

    import mbo_hub

    folder = place / "theirs"
    stranger.write(folder)
    task = mbo_hub.load(folder)
    designs = task.space.sample(20, rng=0)
    receipt = task.evaluate(designs).save(place / "receipt.json")
    whole = {p: p.read_bytes() for p in [*folder.rglob("*"), receipt] if p.is_file()}
    declared, train = folder / "task.json", folder / "data" / "train.parquet"
    kinds: tuple[tuple[Path, Callable[[bytes, Rng], bytes]], ...] = (
        (declared, damaged_bytes), (declared, damaged_tree), (declared, damaged_tree),
        (train, damaged_parquet), (train, damaged_parquet), (train, damaged_parquet),
        (receipt, damaged_bytes), (receipt, damaged_tree), (folder / "README.md", damaged_bytes),
    )  # fmt: skip
    failures = []
    for case in range(cases):
        rng = np.random.default_rng([seed, case])
        path, damage = kinds[case % len(kinds)]
        path.write_bytes(damage(whole[path], rng))
        if path == train and rng.random() < 0.8:
            document = json.loads(whole[declared])
            entry = document["files"]["data/train.parquet"]
            raw = path.read_bytes()
            entry.update(sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw))
            declared.write_text(json.dumps(document))
        began = time.perf_counter()
        try:
            if path == receipt:
                task.verify(path, designs)
            elif path.name == "README.md" or rng.random() < 0.06:
                said = mbo_hub.validate(folder)
                if not all(isinstance(problem, str) and problem.strip() for problem in said):
                    failures.append(f"case {case}: it says {said}")
            else:
                loaded = mbo_hub.load(folder)
                str(loaded)
                len(loaded.hidden[1])
        except mbo_hub.MboHubError as error:
            if not str(error).strip():
                failures.append(f"case {case}: an error without words")
        except BaseException:
            failures.append(f"case {case} ({path.name}): {traceback.format_exc(limit=-5)}")
            if isinstance(sys.exc_info()[1], KeyboardInterrupt | SystemExit):
                raise
        taken = time.perf_counter() - began
        if taken > SLOW:
            failures.append(f"case {case} ({path.name}): took {taken:.1f} s")
        for file in (path, declared):
            file.write_bytes(whole[file])
    return failures


def in_a_child(cases: int, seed: int) -> str:
    """Run `fuzz` in a process of its own, whose memory is limited; what it says went wrong."""
    done = subprocess.run(
        [sys.executable, __file__, str(cases), "--seed", str(seed)],
        capture_output=True,
        text=True,
        timeout=max(600, cases),
    )
    return (
        "" if done.returncode == 0 else f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    )


def limit_memory() -> None:
    """Let this process have `MEMORY` more than what it has mapped, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        pass
    else:
        import mbo_hub.publishing.validation  # noqa: F401 -- libraries map much memory that they do not use

        mapped = (
            int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            if sys.platform == "linux"
            else 4 << 30
        )
        resource.setrlimit(
            resource.RLIMIT_AS, (mapped + MEMORY + (1 << 30), resource.RLIM_INFINITY)
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=int)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limit_memory()
    with tempfile.TemporaryDirectory() as place:
        failures = fuzz(arguments.cases, arguments.seed, Path(place))
    sys.stdout.write("\n".join(failures[:20]))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
