"""The picture of a report, and what a notebook shows of it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbo_hub import MissingExtra, Report, Task
from mbo_hub.scoring.plot import BINS, POINTS, best_of


@pytest.fixture(autouse=True)
def no_screen() -> Iterator[None]:
    from matplotlib import pyplot

    mpl.use("Agg")
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def report(tfbind8: Task) -> Report:
    return tfbind8.evaluate(tfbind8.space.sample(40, rng=0))


finite = st.floats(-1e30, 1e30)
STEP = np.finfo(
    float
).smallest_subnormal  # products of numbers as small are rounded to its multiples


@given(st.lists(finite, min_size=1, max_size=8))
@settings(max_examples=60)
def test_the_best_of_k_is_the_mean_over_all_subsets(values: list[float]) -> None:
    sizes, means = best_of(np.array(values))
    assert sizes.tolist() == list(range(1, len(values) + 1))
    wanted = [np.mean([max(some) for some in combinations(values, k)]) for k in sizes]
    atol = 1e-9 * np.abs(values).max() + len(values) * STEP
    np.testing.assert_allclose(means, wanted, rtol=1e-9, atol=atol)


@pytest.mark.parametrize("n", [1, 2, POINTS, POINTS + 1, 1000, 100_000])
def test_the_curve_of_any_number_of_designs(n: int) -> None:
    """Of the values 1 … n, the best of k is k (n + 1) / (k + 1) on average."""
    sizes, means = best_of(np.random.default_rng(0).permutation(np.arange(1.0, n + 1)))
    assert len(sizes) <= POINTS
    assert (sizes[0], sizes[-1]) == (1, n)
    assert (np.diff(sizes) > 0).all()
    np.testing.assert_allclose(means, sizes * (n + 1) / (sizes + 1), rtol=1e-8)


def test_a_report_draws_the_curve_and_both_histograms(report: Report, tfbind8: Task) -> None:
    curve, bars = report.plot()
    line, best = curve.get_lines()
    assert line.get_ydata()[-1] == pytest.approx(report.raw.best)
    assert line.get_ydata()[0] == pytest.approx(report.raw.mean)
    assert set(best.get_ydata()) == {report.best_visible}
    data, ours = bars.containers
    for drawn, values in ((data, tfbind8.y), (ours, np.array(report.y, np.float64))):
        assert len(drawn) == BINS
        heights = np.array([bar.get_height() for bar in drawn])
        edges = [*(bar.get_x() for bar in drawn), drawn[-1].get_x() + drawn[-1].get_width()]
        counts = np.histogram(values, edges)[0]
        assert heights.sum() == pytest.approx(100)
        assert np.abs(heights * len(values) / 100 - counts).sum() <= 4  # at edges, by rounding
    assert report.task in str(report._repr_html_()).lower().replace(" ", "")


def test_axes_of_ones_own(report: Report, tmp_path: Path) -> None:
    from matplotlib import pyplot
    from matplotlib.figure import Figure

    figure = Figure()
    one = figure.add_subplot()
    assert report.plot(one) == (one,)
    assert report.plot(ax=list(figure.subplots(1, 2)))[0].figure is figure
    figure.savefig(tmp_path / "report.png")
    assert (tmp_path / "report.png").stat().st_size > 5000
    assert pyplot.get_fignums() == [], "a figure that nobody asked for"
    with pytest.raises(ValueError, match="on one or two axes, got 3"):
        report.plot(figure.subplots(1, 3))


def test_what_is_odd_is_drawn_as_well(report: Report, tfbind8: Task, tmp_path: Path) -> None:
    none_valid = tfbind8.evaluate(np.full((3, 8), 9))
    one = tfbind8.evaluate(tfbind8.x[:1])
    same = tfbind8.evaluate(tfbind8.x[[5, 5, 5]])
    odd = msgspec.structs.replace(report, title=r"costs $x_{$", unit="$", best_visible=1e30)
    read = Report.read(report.save(tmp_path / "r.json"))
    for number, each in enumerate((none_valid, one, same, odd, read)):
        curve, bars = each.plot()
        curve.figure.savefig(tmp_path / f"{number}.png")
        assert len(bars.containers) == (each is not none_valid) + (each in (one, same, none_valid))
        assert str(len([y for y in each.y if y is not None])) in curve.get_xlabel()


def test_the_data_are_no_part_of_a_report(report: Report, tmp_path: Path) -> None:
    read = Report.read(report.save(tmp_path / "r.json"))
    assert "visible_y" not in (tmp_path / "r.json").read_text()
    copies = (read, copy.copy(report), copy.deepcopy(report), pickle.loads(pickle.dumps(report)))  # noqa: S301
    for other in copies:
        assert other == report
        assert other.to_dict() == report.to_dict()
        assert repr(other) == repr(report)
        assert len(other.plot()) == 2


def test_matplotlib_is_asked_for_by_name(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"needs matplotlib; install it with .*mbo-hub\[plot\]"):
        report.plot()


def test_matplotlib_is_loaded_when_asked_for() -> None:
    code = (
        "import sys, mbo_hub; t = mbo_hub.load('tfbind8'); r = t.evaluate(t.x[:9]); repr(r), str(r); "
        "r._repr_html_(); assert 'matplotlib' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_report_is_one_short_line(report: Report, tfbind8: Task) -> None:
    assert repr(report) == (
        f"<Report tfbind8 v1.0.0: 40 designs by oracle 'exact', best {report.raw.best:.4g} "
        f"(normalized {report.normalized.best:.4g})>"
    )
    assert "none valid" in repr(tfbind8.evaluate(np.full((3, 8), 9)))
    assert len(repr(report)) < 120


class _Page(HTMLParser):
    """What a browser shows, and by which tags."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data.split()


@given(words=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20))
@settings(max_examples=40)
def test_a_notebook_shows_what_print_says(report: Report, words: str) -> None:
    """Whatever a stranger's task is called, and whatever markup that would be."""
    for named in (report, msgspec.structs.replace(report, title=words, unit=f"<b>{words}", oracle=f"'>{words}</table>&amp;")):  # fmt: skip
        page = _Page()
        page.feed(named._repr_html_())
        page.close()
        assert page.open == []
        assert page.words == str(named).split()
        assert page.tags == {"div", "p", "table", "thead", "tbody", "tr", "th", "td", "small", "br"}
    assert len(report._repr_html_()) < 4000
