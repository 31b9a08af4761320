"""Proxies, certificates and networks that keep a program from the Hub: what is said of them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator

import httpx2
import pytest
from click.testing import CliRunner, Result
from huggingface_hub import HfApi, close_session

from mbo_hub import HubUnavailable
from mbo_hub.archive import hub, surroundings
from mbo_hub.cli import main

PROXIES = [f"{kind}_proxy" for kind in ("http", "https", "all", "no")]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither a proxy nor a file of certificates is named, and no client is left of another test."""
    for name in [*PROXIES, *map(str.upper, PROXIES), "SSL_CERT_FILE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(sys.modules, "socksio", None)
    close_session()
    yield
    close_session()


def mbo(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("ALL_PROXY", "socks5://127.0.0.1:1", "socksio; install it with  pip install socksio"),
        ("https_proxy", "socks5h://user:s3cret@127.0.0.1:1", "pip install socksio"),
        ("ALL_PROXY", "socks://127.0.0.1:1", "a kind of proxy that is not known: write http://"),
        ("HTTP_PROXY", "socks4://127.0.0.1:1", "a kind of proxy that is not known"),
        ("HTTPS_PROXY", "ftp://127.0.0.1", "a kind of proxy that is not known"),
        ("http_proxy", "http://127.0.0.1:port", "which is no address"),
        ("HTTP_PROXY", "127.0.0.1:99999", "whose port is not between 1 and 65535"),
        ("HTTP_PROXY", "http://u:s3cret@127.0.0.1:0", "whose port is not between 1 and 65535"),
        ("all_proxy", "http://[::1", "which is no address"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "No such file or directory): name a file of cert"),
        ("SSL_CERT_FILE", "/", "Is a directory): name a file of certificates"),
        ("SSL_CERT_FILE", __file__, "cannot be read as certificates"),
    ],
)
def test_what_keeps_the_client_from_starting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    done = mbo("info", "somebody/task")
    assert done.exit_code == 1
    assert done.stderr.startswith("HubUnavailable: somebody/task ")
    assert f"cannot be asked: {variable} is " in done.stderr
    assert said in done.stderr
    assert "s3cret" not in done.stderr
    assert "Traceback" not in done.output
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, "HTTP_PROXY"),
        ({"ALL_PROXY": "127.0.0.1:9"}, "ALL_PROXY"),
        ({"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:7"}, "http_proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:9"}, None),  # of another scheme than the Hub's here
        ({"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}, None),
    ],
)
def test_a_proxy_that_requests_go_through_is_named(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str | None
) -> None:
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    done = mbo("info", "somebody/task")
    assert done.exit_code == 1
    assert "cannot be reached (ConnectError" in done.stderr
    assert ("through the proxy of " in done.stderr) == (named is not None)
    assert named is None or f"through the proxy of {named})" in done.stderr


def test_surroundings_that_are_sound_are_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("http_proxy", "https_proxy"):
        for value in ("http://127.0.0.1:3128", "127.0.0.1", "https://u:p@proxy.example:8080/"):
            monkeypatch.setenv(variable, value)
            assert surroundings.fault() is None
    monkeypatch.setenv("SSL_CERT_FILE", "")
    assert surroundings.fault() is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "somebody/results"],
        ["verify", "somebody/results"],
        ["verify", "somebody/results", "--pull-request", "3"],
        ["plot", "somebody/results", "--out", "figures"],
        ["info", "somebody/task"],
        ["publish", "tfbind8", "--org", "somebody", "--dry-run"],
    ],
    ids=" ".join,
)
def test_without_a_network_no_verb_waits(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing of huggingface_hub waits 1, 2, 4, 8 and 8 s between its tries."""

    def wait(seconds: float) -> None:
        raise AssertionError(f"waited {seconds} s")

    monkeypatch.setattr(time, "sleep", wait)
    done = mbo(*arguments)
    assert done.exit_code == 1
    assert f"the Hub at {os.environ['HF_ENDPOINT']} cannot be reached" in done.stderr, done.output


def test_a_listing_is_asked_for_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `files_at` asks first is bounded as a download is."""
    limits = []

    def repo_info(self: HfApi, repo: str, *, timeout: float, **rest: object) -> None:
        limits.append(timeout)
        raise httpx2.ConnectTimeout("timed out")

    monkeypatch.setattr(HfApi, "repo_info", repo_info)
    with pytest.raises(HubUnavailable, match="ConnectTimeout: timed out"):
        hub.files_at("somebody/results", "dataset")
    assert limits == [hub.PATIENT]
