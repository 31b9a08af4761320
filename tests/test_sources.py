"""Downloads of raw files, from a server on this machine that behaves well and badly."""

from __future__ import annotations

import io
import socket
import zipfile
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from raw_server import RawServer

from mbo_hub import DownloadFailed, IntegrityError, InvalidFile
from mbo_hub.making import sources
from mbo_hub.tasks.spec import Download, Generated

RAW = b"Cu,O,critical_temp\n1,4,74.0\n" * 9000  # more than is read at a time


def zipped(raw: bytes, member: str = "table.csv") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member), raw)
    return sink.getvalue()


ZIP = zipped(RAW)
SOURCE = Download(
    url="https://example.invalid/public/some+data.zip",
    sha256=sha256(ZIP).hexdigest(),
    member="table.csv",
    member_sha256=sha256(RAW).hexdigest(),
)


@pytest.fixture
def raw_dir(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "raw"


def names(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*")) if folder.exists() else []


def test_the_right_file_is_downloaded_once(raw_server: RawServer, raw_dir: Path) -> None:
    url = raw_server.serve("/any-name.zip", ZIP)
    assert sources.fetch(SOURCE, raw_dir, url=url) == RAW
    assert names(raw_dir) == ["some+data.zip"]
    assert (raw_dir / "some+data.zip").read_bytes() == ZIP
    assert sources.fetch(SOURCE, raw_dir, url=url) == RAW
    assert raw_server.requests == ["/any-name.zip"]


def test_a_redirect_is_followed(raw_server: RawServer, raw_dir: Path) -> None:
    raw_server.serve("/new.zip", ZIP)
    url = raw_server.serve("/old.zip", b"", status=302, headers={"Location": "/new.zip"})
    assert sources.fetch(SOURCE, raw_dir, url=url) == RAW


def test_a_server_that_does_not_say_how_much(raw_server: RawServer, raw_dir: Path) -> None:
    url = raw_server.serve("/x.zip", ZIP, announced=None)
    assert sources.fetch(SOURCE, raw_dir, url=url) == RAW


def one_bit(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(changed) // 2] ^= 1
    return bytes(changed)


def test_a_changed_byte_is_an_integrity_error_and_nothing_is_kept(
    raw_server: RawServer, raw_dir: Path
) -> None:
    url = raw_server.serve("/x.zip", one_bit(ZIP))
    with pytest.raises(IntegrityError) as caught:
        sources.fetch(SOURCE, raw_dir, url=url)
    found = sha256(one_bit(ZIP)).hexdigest()
    assert str(caught.value) == (
        f"{url}: sha256 expected {SOURCE.sha256[:12]}…, got {found[:12]}… ({len(ZIP):,} bytes); "
        "nothing was kept; try again"
    )
    assert names(raw_dir.parent) == []


def test_an_archive_with_another_member_is_an_integrity_error(
    raw_server: RawServer, raw_dir: Path
) -> None:
    other = zipped(RAW + b"9,9,9\n")
    source = replace(SOURCE, sha256=sha256(other).hexdigest())
    with pytest.raises(IntegrityError, match=r"some\+data\.zip: table\.csv: sha256 expected"):
        sources.fetch(source, raw_dir, url=raw_server.serve("/x.zip", other))


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"status": 404}, "the server answers 404 Not Found"),
        ({"status": 503}, "the server answers 503 Service Unavailable"),
        ({"announced": len(ZIP) + 7}, f"{len(ZIP):,} of {len(ZIP) + 7:,} bytes came; try again"),
        ({"announced": "many"}, "cannot be downloaded (invalid literal for int()"),
        ({"raw_answer": b"SSH-2.0-OpenSSH\r\n"}, "cannot be downloaded (SSH-2.0-OpenSSH"),
        ({"raw_answer": b""}, "cannot be downloaded (Remote end closed connection"),
    ],
)
def test_a_server_that_fails_says_so_and_nothing_is_kept(
    raw_server: RawServer, raw_dir: Path, behaviour: dict, message: str
) -> None:
    url = raw_server.serve("/x.zip", ZIP, **behaviour)
    with pytest.raises(DownloadFailed) as caught:
        sources.fetch(SOURCE, raw_dir, url=url)
    assert str(caught.value).startswith(f"{url}: ")
    assert message in str(caught.value)
    assert names(raw_dir.parent) == []


def test_a_server_that_falls_silent(
    raw_server: RawServer, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TIMEOUT_S", 0.2)
    url = raw_server.serve("/x.zip", ZIP, silent_after=70_000)
    with pytest.raises(
        DownloadFailed, match=r"cannot be downloaded \(.*timed out\); try again, or"
    ):
        sources.fetch(SOURCE, raw_dir, url=url)
    assert names(raw_dir.parent) == []


def test_no_server(raw_dir: Path) -> None:
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/x.zip"
        with pytest.raises(DownloadFailed) as caught:
            sources.fetch(SOURCE, raw_dir, url=url)
    assert "Connection refused" in str(caught.value)
    assert "or download it yourself and name its folder with --raw-dir" in str(caught.value)
    assert isinstance(caught.value, OSError)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x.zip", "file:///etc/passwd", "x.zip", "/srv"])
def test_what_is_no_http_address(url: str, raw_dir: Path) -> None:
    with pytest.raises(DownloadFailed, match="is not an http address; --raw-dir takes a folder"):
        sources.fetch(SOURCE, raw_dir, url=url)


@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:x/", "http://a b/"])
def test_an_address_that_leads_nowhere(url: str, raw_dir: Path) -> None:
    with pytest.raises(DownloadFailed, match="cannot be downloaded"):
        sources.fetch(SOURCE, raw_dir, url=url)


def test_the_raw_file_or_its_archive_in_a_folder_of_ones_own(tmp_path: Path) -> None:
    for name, content in (("table.csv", RAW), ("some+data.zip", ZIP)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_bytes(content)
        assert sources.fetch(SOURCE, folder, download=False) == RAW
        (folder / name).write_bytes(one_bit(content))
        with pytest.raises(IntegrityError) as caught:
            sources.fetch(SOURCE, folder)
        assert str(caught.value).startswith(f"{folder / name}: sha256 expected ")
        assert str(caught.value).endswith("get it again: it was not used")
        assert names(folder) == [name]  # the user's own file stays


@pytest.mark.parametrize(
    ("place", "content", "way_out"),
    [
        ("sub/table.csv", RAW, "{0}/table.csv, or say --raw-dir '{0}/sub'"),
        ("sub/some+data.zip", ZIP, "{0}/some+data.zip, or say --raw-dir '{0}/sub'"),
        ("unique.csv", RAW, "{0}/table.csv"),
        ("data (1).zip", ZIP, "{0}/some+data.zip"),
    ],
)
def test_the_right_content_in_the_wrong_place_names_the_way_out(
    raw_server: RawServer, tmp_path: Path, place: str, content: bytes, way_out: str
) -> None:
    url = raw_server.serve("/x.zip", ZIP)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "other.csv").write_bytes(b"of somebody else")
    (tmp_path / place).write_bytes(content)
    with pytest.raises(InvalidFile) as caught:
        sources.fetch(SOURCE, tmp_path, url=url)
    assert str(caught.value) == (
        f"{tmp_path / place}: has the right content but is not looked for there; move it to "
        f"{way_out.format(tmp_path)}"
    )
    assert raw_server.requests == []


def test_without_download_nothing_is_asked_of_a_server(
    raw_server: RawServer, tmp_path: Path
) -> None:
    with pytest.raises(InvalidFile, match=r"has neither table\.csv nor some\+data\.zip$"):
        sources.fetch(SOURCE, tmp_path, url=raw_server.serve("/x.zip", ZIP), download=False)
    assert raw_server.requests == []
    assert names(tmp_path) == []


def test_a_disk_that_is_full_keeps_nothing(
    raw_server: RawServer, raw_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> int:
        write(self, content[:100])
        raise OSError(28, "No space left on device", str(self))

    write: Callable[[Path, bytes], int] = Path.write_bytes
    url = raw_server.serve("/x.zip", ZIP)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(OSError, match="No space left"):
            sources.fetch(SOURCE, raw_dir, url=url)
    assert names(raw_dir) == []
    assert sources.fetch(SOURCE, raw_dir, url=url) == RAW


def test_generated_files_name_their_script(tmp_path: Path) -> None:
    made = Generated(script="scripts/generate.py", file="x/rows.npz", sha256=SOURCE.member_sha256)
    with pytest.raises(InvalidFile, match=r"rows\.npz: is not there; run  scripts/generate\.py$"):
        sources.fetch(made, tmp_path)
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "rows.npz").write_bytes(RAW)
    assert sources.fetch(made, tmp_path) == RAW
    (tmp_path / "x" / "rows.npz").write_bytes(one_bit(RAW))
    with pytest.raises(IntegrityError, match=r"rows\.npz: sha256 expected"):
        sources.fetch(made, tmp_path)
