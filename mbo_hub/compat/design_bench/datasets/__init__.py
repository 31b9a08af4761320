"""Datasets that change in place, as in Design-Bench."""
