"""What the environment says on how to reach the Hub, and what is wrong with it."""

from __future__ import annotations

import os
import re
import ssl
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

__all__ = ["fault", "proxy"]


def proxy(address: str) -> str | None:
    """Name the variable by which requests to an address go through a proxy; None where none is set.

    Args:
        address: of the Hub, such as ``https://huggingface.co``.
    """
    asked, found = urlsplit(address), getproxies()
    if proxy_bypass(asked.netloc):  # as no_proxy says
        return None
    return next((_variable(kind) for kind in (asked.scheme, "all") if found.get(kind)), None)


def _variable(kind: str) -> str:
    """The variable that a proxy comes from; lower case counts before upper case."""
    for name in (f"{kind}_proxy", f"{kind.upper()}_PROXY"):
        if os.environ.get(name):
            return name
    return f"the system's proxy for {kind}"


def fault() -> str | None:
    """Say which variable keeps requests from being made at all, and what to do; None: none does."""
    for kind, value in getproxies().items():
        if kind in ("http", "https", "all"):
            wrong = _wrong_proxy(value)
            if wrong is not None:
                shown = re.sub(r"//[^/@]*@", "//", value)
                return f"{_variable(kind)} is {shown!r}, {wrong}"
    certificates = os.environ.get("SSL_CERT_FILE")
    if certificates:
        try:
            ssl.create_default_context(cafile=certificates)
        except OSError as error:
            return (
                f"SSL_CERT_FILE is {certificates!r}, which cannot be read as certificates "
                f"({error.strerror or error}): name a file of certificates (PEM), or unset it"
            )
    return None


def _wrong_proxy(value: str) -> str | None:
    """Ask the HTTP client whether it takes a proxy, as it does when it makes its first request."""
    import httpx2

    address = value if "://" in value else f"http://{value}"
    kinds = "write http://host:port, https://host:port or socks5://host:port"
    try:
        port = httpx2.URL(address).port
        if port is not None and not 0 < port < 2**16:
            return f"whose port is not between 1 and 65535: {kinds}"
        httpx2.HTTPTransport(verify=False, proxy=address).close()  # nothing is asked
    except ImportError:
        return "a SOCKS proxy, which needs socksio; install it with  pip install socksio"
    except httpx2.InvalidURL as error:
        return f"which is no address ({error}): {kinds}"
    except ValueError:
        return f"a kind of proxy that is not known: {kinds}"
    return None
