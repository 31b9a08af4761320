"""Robots that MuJoCo simulates: one .py and one .xml each."""
