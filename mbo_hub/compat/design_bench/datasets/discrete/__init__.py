"""Datasets of sequences, one module each, at the paths that Design-Bench has them."""
