"""Placeholder."""


def import_design_bench(): ...
