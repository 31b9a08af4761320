"""Oracles: raw designs in, raw objective values out."""

from mbo_hub.oracles.protocol import Fingerprint, Oracle

__all__ = ["Fingerprint", "Oracle"]
