"""Robots and their controllers, simulated with MuJoCo: one `.py` and one `.xml` file each."""
