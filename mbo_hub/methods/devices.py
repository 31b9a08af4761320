"""Where torch computes: whether a device is here, found out without touching it."""

from __future__ import annotations

from typing import Any

from mbo_hub.errors import DeviceUnavailable
from mbo_hub.extras import require

__all__ = ["see_that_it_is_here"]


def see_that_it_is_here(device: str) -> None:
    """Check that torch can compute on a device; 'cpu' needs no look, and no torch.

    Raises:
        DeviceUnavailable: there is no such device here, or no device has that name.
        MissingExtra: it is another than 'cpu', and torch is not installed.
    """
    if device == "cpu":
        return
    require("methods", f"the device {device!r}", "torch")
    import torch

    try:
        wanted = torch.device(device)
    except (RuntimeError, TypeError):
        raise DeviceUnavailable(
            f"no device is called {device!r}; write cpu, cuda, cuda:1 or mps"
        ) from None
    kind: Any = getattr(torch, wanted.type, None)  # torch.cuda, torch.mps, torch.xpu, torch.cpu
    if not hasattr(kind, "is_available") or not kind.is_available():
        raise DeviceUnavailable(
            f"torch {torch.__version__} finds no device {device!r} here; without --device it "
            "computes on the CPU"
        )
    if wanted.index is not None and wanted.index >= (count := kind.device_count()):
        raise DeviceUnavailable(
            f"torch finds no device {device!r} here; there {'is' if count == 1 else 'are'} {count} "
            f"of that kind, counted from {wanted.type}:0"
        )
