#!/usr/bin/env -S bash -c 'exec "${0%/*}/python" "$0" "$@"'
"""Make the raw data of the task hairpin: every RNA strand of six letters, and how well it folds."""

from __future__ import annotations

from itertools import product

from mbo_hub.making import build

BONDS = {"GC": 3, "CG": 3, "AU": 2, "UA": 2, "GU": 1, "UG": 1}


def main() -> None:
    """Write build/hairpin/rows.csv."""
    lines = ["strand,bonds"]
    for letters in product("ACGU", repeat=6):
        pairs = zip(letters[:3], letters[:2:-1], strict=True)
        lines.append(f"{''.join(letters)},{sum(BONDS.get(a + b, 0) for a, b in pairs)}")
    path = build.ROOT / "build" / "hairpin" / "rows.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    main()
