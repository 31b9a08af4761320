"""Plots of runs: what is drawn is what the runs say, and it can be told apart and read."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from made_runs import made, unscored
from matplotlib.text import Text

from mbo_hub.cli import main
from mbo_hub.errors import InvalidFile
from mbo_hub.methods import METHODS
from mbo_hub.results import drawing, plots
from mbo_hub.results.plots import PLOTS, Drawn, draw, prepare
from mbo_hub.results.record import Run
from mbo_hub.results.table import CONTROLS, Entrant
from mbo_hub.scoring.plot import best_of

NAMES = (*METHODS, "my_own")


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    """All methods and a stranger's, on two tasks with three seeds of 16 designs, some invalid."""
    random = np.random.default_rng(0)
    found = []
    for task in ("tfbind8", "ant"):
        for number, method in enumerate(NAMES):
            for seed in range(3):
                y = 0.3 + 0.04 * number + 0.1 * random.normal(size=16)
                scores = [
                    None if i < seed and method == "cbas" else float(s) for i, s in enumerate(y)
                ]
                predicted = None if method in ("random", "mins") else [1.0] * 16
                found.append(
                    made(task, method, seed, scores, predicted=predicted, novelty=number / 3)
                )
    return found


@pytest.fixture(scope="module")
def drawn(runs: list[Run]) -> Drawn:
    return prepare(runs)


@pytest.fixture(scope="module")
def figure_of(drawn: Drawn) -> Callable[[str], Any]:
    """The figure of a plot, drawn once."""
    return cache(lambda name: PLOTS[name](drawn))


@pytest.fixture(scope="module")
def with_hopper(runs: list[Run]) -> Drawn:
    """One task more, of which nothing is above D(best)."""
    full = [made("hopper", n, s, [0.1, 0.2], best_visible=1.0) for n in NAMES for s in range(3)]
    return prepare([*runs, *full])


@pytest.fixture(autouse=True)
def our_looks() -> Iterator[None]:
    with drawing.looks():
        yield


def texts(figure: Any) -> list[str]:
    return [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_asks_a_question_and_says_how_to_read_it(
    drawn: Drawn, figure_of: Callable[[str], Any], name: str
) -> None:
    figure = figure_of(name)
    assert figure.get_suptitle().strip().endswith("?")
    assert "seed" in figure.get_supxlabel()
    said = texts(figure)
    named = {str(e) for e in drawn.entrants} & set(said)
    silent = {"random", "mins"} if name == "exploit-gap" else set()
    assert named == set(NAMES) - silent
    if name != "profiles":
        assert {"TFBIND8", "ANT"} <= {line for text in said for line in text.splitlines()}


def test_questions_differ(figure_of: Callable[[str], Any]) -> None:
    titles = {figure_of(name).get_suptitle().strip() for name in PLOTS}
    assert len(titles) == len(PLOTS)


def test_each_entrant_can_be_told_apart_without_color() -> None:
    entrants = [Entrant(name, preset) for name in NAMES for preset in ("standard", "paper")]
    styles = drawing.styles(entrants)
    seen = {(style.marker, style.filled) for style in styles.values()}
    assert len(seen) == len(entrants)
    for entrant in entrants:  # whoever else is there
        assert drawing.styles([entrant])[entrant] == styles[entrant]
    grey_lines = {(s.color, str(s.dashes)) for e, s in styles.items() if e.method not in CONTROLS}
    assert len(grey_lines) == len(NAMES) - len(CONTROLS)


def test_a_curve_is_the_mean_of_the_curves_of_seeds(
    runs: list[Run], figure_of: Callable[[str], Any]
) -> None:
    of_seeds = [r for r in runs if (r.record.task, r.record.method) == ("ant", "grad")]
    wanted = np.mean([best_of(run.score)[1] for run in of_seeds], axis=0)
    found = plots.curve(of_seeds)
    np.testing.assert_allclose(found, wanted)
    figure = figure_of("best-of-k")
    lines = [line.get_ydata() for ax in figure.axes for line in ax.lines]
    assert any(len(line) == 16 and np.allclose(line, wanted) for line in lines)


def test_a_curve_ends_where_a_seed_has_no_more_valid_designs() -> None:
    some = [
        made("ant", "grad", 0, [0.1, None, 0.5, 0.3]),
        made("ant", "grad", 1, [0.2, 0.2, 0.2, 0.2]),
    ]
    np.testing.assert_allclose(plots.curve(some), [0.25, (0.3 + 0.5 + 0.5) / 6 + 0.1, 0.35])


def test_a_seed_is_a_mark(runs: list[Run], figure_of: Callable[[str], Any]) -> None:
    figure = figure_of("seeds")
    marks = sorted(x for ax in figure.axes for line in ax.lines if len(line.get_xdata()) == 3
                   for x in line.get_xdata())  # fmt: skip
    np.testing.assert_allclose(marks, sorted(np.nanmax(run.score) for run in runs))


def test_the_exploit_gap_is_drawn(runs: list[Run], figure_of: Callable[[str], Any]) -> None:
    figure = figure_of("exploit-gap")
    marks = sorted(x for ax in figure.axes for line in ax.lines if len(line.get_xdata()) == 3
                   for x in line.get_xdata())  # fmt: skip
    wanted = sorted(1.0 - np.nanmean(run.score) for run in runs if run.predicted is not None)
    np.testing.assert_allclose(marks, wanted, atol=1e-6)


places = st.lists(st.integers(0, 100).map(lambda i: i / 100), min_size=1, max_size=14).map(sorted)


@given(places, st.sampled_from([0.01, 0.05, 0.07]))
def test_labels_keep_apart_and_near(wanted: list[float], gap: float) -> None:
    found = drawing.spread(np.array(wanted), gap, 0.0, 1.0)
    assert (np.diff(found) >= gap - 1e-9).all()
    assert found.min() >= -1e-9
    assert found.max() <= 1 + 1e-9
    if len(wanted) > 1 and min(np.diff(wanted)) >= gap:
        np.testing.assert_allclose(found, wanted)


def test_labels_that_do_not_fit_start_at_the_bottom() -> None:
    np.testing.assert_allclose(drawing.spread(np.ones(4), 0.5, 0.0, 1.0), [0, 0.5, 1.0, 1.5])


@pytest.mark.parametrize("name", PLOTS)
def test_no_label_lies_on_another(figure_of: Callable[[str], Any], name: str) -> None:
    figure = figure_of(name)
    figure.draw_without_rendering()
    for ax in figure.axes:
        boxes = [Text.get_window_extent(text) for text in ax.texts if text.get_text()]
        boxes += [t.get_window_extent() for t in ax.get_yticklabels() if t.get_text()]
        for i, one in enumerate(boxes):
            for other in boxes[:i]:
                overlap = min(one.y1, other.y1) - max(one.y0, other.y0)
                aside = min(one.x1, other.x1) - max(one.x0, other.x0)
                assert overlap < 2 or aside < 2, (one, other)


@pytest.mark.parametrize("name", PLOTS)
def test_nothing_is_cut_off(with_hopper: Drawn, name: str) -> None:
    figure = PLOTS[name](with_hopper)
    figure.draw_without_rendering()
    page = figure.bbox.padded(2)
    shown = [*figure.texts, *figure.legends, *(text for ax in figure.axes for text in ax.texts)]
    for artist in shown:
        box = artist.get_window_extent()
        assert page.x0 <= box.x0, artist
        assert box.x1 <= page.x1, artist
        assert page.y0 <= box.y0, artist
        assert box.y1 <= page.y1, artist


def test_the_legend_leaves_title_and_panels_free(figure_of: Callable[[str], Any]) -> None:
    figure = figure_of("novelty")
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.y0 >= max(ax.get_tightbbox().y1 for ax in figure.axes)
    line = drawing.LARGE / 72 * figure.dpi
    assert box.y1 <= figure.bbox.y1 - line
    assert box.x1 <= figure.bbox.x1


def test_what_runs_say_nothing_on_is_left_out() -> None:
    lonely = [made("hopper", "mins", s, [0.1, 0.2], best_visible=1.0) for s in range(2)]
    drawn = prepare(lonely)
    empty = {name for name, plot in PLOTS.items() if plot(drawn) is None}
    assert empty == {"exploit-gap", "ceiling", "profiles"}


def test_a_task_without_room_is_named(with_hopper: Drawn) -> None:
    for name in ("ceiling", "profiles"):
        assert "Left out: HOPPER, where nothing is above D(best)" in " ".join(
            PLOTS[name](with_hopper).get_supxlabel().split()
        )


def test_only_what_is_ranked_is_drawn(runs: list[Run]) -> None:
    tuned = [made("ant", "tuned", s, [9.0] * 16, tuned_on_oracle=True) for s in range(3)]
    assert Entrant("tuned", "standard") not in prepare([*runs, *tuned]).entrants
    with pytest.raises(InvalidFile, match="nothing to draw"):
        prepare(tuned)
    with pytest.raises(InvalidFile, match="no run is scored"):
        prepare([unscored("ant", "grad", 0)])
    further = made("ant", "grad", 3, [9.0] * 16)
    some = prepare([*runs, further]).runs[Entrant("grad", "standard"), "ant"]
    assert [run.record.seed for run in some] == [0, 1, 2]


# ------------------------------------------------------------------------------------------------ files


@pytest.fixture(scope="module")
def few(runs: list[Run]) -> list[Run]:
    return [run for run in runs if run.record.method in ("grad", "random")]


def test_files_are_written_and_the_same_again(few: list[Run], tmp_path: Path) -> None:
    first = draw(few, tmp_path / "a" / "b")
    assert [path.name for path in first] == [f"{n}.{s}" for n in PLOTS for s in ("png", "svg")]
    for path in first:
        raw = path.read_bytes()
        if path.suffix == ".png":
            assert raw.startswith(b"\x89PNG")
        else:
            assert ET.fromstring(raw).tag.endswith("svg")  # noqa: S314
    again = draw(few, tmp_path / "again")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]


def test_a_place_that_cannot_be_written(few: list[Run], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(InvalidFile, match="cannot be written"):
        draw(few, tmp_path / "file")


def test_mbo_plot(few: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mbo_hub.results import joining

    monkeypatch.setattr(joining, "find_runs", lambda place: tuple(few))
    out = tmp_path / "figures"
    arguments = ["plot", "runs", "--out", str(out), "--task", "ant", "--json"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert set(json.loads(done.stdout)) == set(map(str, out.iterdir()))
    assert "profiles.png" not in {path.name for path in out.iterdir()}  # of one task
    done = CliRunner().invoke(main, [*arguments, "--seeds", "7"])
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no run with seed 7" in done.stderr
