"""Golden values computed again once a session, instead of once in each of its workers."""

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path

from mbo_hub.oracles.golden import _Check

Key = tuple[str, ...]


class Checks(dict[Key, _Check]):
    """Stands for `golden._checked`: what one worker has found, the others read from a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def _file(self, key: Key) -> Path:
        return self.folder / f"{sha256(repr(key).encode()).hexdigest()}.json"

    def __contains__(self, key: object) -> bool:
        assert isinstance(key, tuple)
        if not super().__contains__(key) and (file := self._file(key)).exists():
            super().__setitem__(key, _Check(*json.loads(file.read_text("utf-8"))))
        return super().__contains__(key)

    def __setitem__(self, key: Key, found: _Check) -> None:
        super().__setitem__(key, found)
        part = self.folder / f"{os.getpid()}.part"
        part.write_text(json.dumps(found), "utf-8")
        part.replace(self._file(key))
