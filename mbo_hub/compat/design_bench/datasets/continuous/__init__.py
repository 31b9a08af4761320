"""Datasets of vectors, one module each, at the paths that Design-Bench has them."""
