"""Works that several tasks follow, as BibTeX."""

from __future__ import annotations

__all__ = ["DESIGN_BENCH", "ROBEL"]

DESIGN_BENCH = """\
@inproceedings{trabucco2022designbench,
  title     = {Design-Bench: Benchmarks for Data-Driven Offline Model-Based Optimization},
  author    = {Trabucco, Brandon and Geng, Xinyang and Kumar, Aviral and Levine, Sergey},
  booktitle = {Proceedings of the 39th International Conference on Machine Learning},
  series    = {Proceedings of Machine Learning Research},
  volume    = {162},
  pages     = {21658--21676},
  year      = {2022}
}"""

ROBEL = """\
@inproceedings{ahn2019robel,
  title     = {{ROBEL}: Robotics Benchmarks for Learning with Low-Cost Robots},
  author    = {Ahn, Michael and Zhu, Henry and Hartikainen, Kristian and Ponte, Hugo and Gupta,
               Abhishek and Levine, Sergey and Kumar, Vikash},
  booktitle = {Conference on Robot Learning},
  year      = {2019}
}"""
