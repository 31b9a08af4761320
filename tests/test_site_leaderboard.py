"""The leaderboard in a browser: its rows are those of `mbo table`, whatever is chosen and sorted."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlencode

import browser
import numpy as np
import pytest
from made_runs import published_runs

from mbo_hub.methods import METHODS
from mbo_hub.results.measure import Measure
from mbo_hub.results.plots import PLOTS
from mbo_hub.results.table import CONTROLS, Cell, Row, Table, tabulate

PAGE = "leaderboard/index.html"
AGGREGATES = ("rank", "iqm", "over-best_logged", "over-grad")
# Combinations of what can be chosen; each value of each control is in some of them.
SAMPLE: list[dict[str, str]] = [
    {},
    {"measure": "median"},
    {"measure": "best-of-1", "controls": "off"},
    {"measure": "best-of-128", "tasks": "exact"},
    {"tasks": "discrete", "measure": "best-of-32"},
    {"tasks": "continuous", "controls": "off", "measure": "median"},
    {"tasks": "tfbind8"},
    {"tasks": "superconductor", "measure": "median", "controls": "off"},
    {"tasks": "tfbind8", "measure": "best-of-4", "preset": "paper"},
    {"tasks": "tfbind8,tfbind10", "verified": "on"},
    {"tasks": "tfbind8,ant", "controls": "off"},
    {"tasks": "hopper", "verified": "on"},
]


@cache
def numbers(preset: str = "standard") -> dict[str, Any]:
    """The file that the page draws from."""
    text = (browser.built() / "leaderboard" / f"{preset}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def measure(name: str) -> Measure:
    if name.startswith("best-of-"):
        return Measure("best-of-k", int(name[8:]))
    return Measure(name)  # type: ignore[arg-type]


def tasks_of(view: dict[str, str]) -> list[str]:
    data = numbers(view.get("preset", "standard"))
    group = {one["name"]: one["tasks"] for one in data["groups"]}
    wanted = view.get("tasks", "all")
    return group.get(wanted) or [t["name"] for t in data["tasks"] if t["name"] in wanted.split(",")]


@cache
def table(preset: str, name: str, tasks: tuple[str, ...]) -> Table:
    """What `mbo table` makes of these runs."""
    return tabulate(
        [r for r in published_runs() if r.record.preset == preset], measure(name), tasks
    )


def expected(view: dict[str, str]) -> tuple[Table, list[Row]]:
    """The table of a view and the rows that its filters leave."""
    preset, tasks = view.get("preset", "standard"), tasks_of(view)
    made = table(preset, view.get("measure", "best"), tuple(tasks))
    rows = list(made.rows)
    if view.get("controls") == "off":
        rows = [row for row in rows if row.entrant.method not in CONTROLS]
    if view.get("verified") == "on":
        stands = numbers(preset)["stands"]
        rows = [
            row for row in rows
            if all(stands[task].get(row.entrant.method) == "again" for task in tasks)
        ]  # fmt: skip
    return made, rows


@pytest.fixture(scope="module")
def kept(chromium: Any, site: str) -> Iterator[Any]:
    with browser.opened(chromium, site) as page:
        yield page


@pytest.fixture
def board(kept: Any) -> Iterator[Any]:
    """A page for tests that open an address and leave nothing behind: a new one costs as much again."""
    yield kept
    assert not kept.heard.wrong()


def opened(tab: Any, view: dict[str, str]) -> None:
    tab.goto(f"{PAGE}?{urlencode(view)}" if view else PAGE)
    tab.wait_for_selector("#lb[data-shown]")


def shown(tab: Any) -> list[str]:
    found: list[str] = tab.eval_on_selector_all(
        "#lb tbody tr", "rows => rows.map(row => row.dataset.method)"
    )
    return found


def figures(tab: Any) -> dict[tuple[str, str], float | None]:
    """Each number of the table by method and column."""
    found = tab.evaluate("""() => {
        const keys = [...document.querySelectorAll('#lb thead th')].map((th) => th.dataset.key);
        return [...document.querySelectorAll('#lb tbody tr')].flatMap((row) =>
            [...row.children].slice(1).map((cell, i) =>
                [row.dataset.method, keys[i + 1], cell.dataset.v ?? null]));
    }""")
    return {(m, key): None if v is None or key == "stands" else float(v) for m, key, v in found}


def values(row: Row, made: Table) -> dict[str, float | None]:
    """What a row says in each column, from Python's table."""
    told: dict[str, float | None] = {
        task.name: None if cell is None else cell.mean.value
        for task, cell in zip(made.tasks, row.cells, strict=True)
    }
    if len(made.tasks) == 1 and row.cells[0] is not None:
        cell: Cell = row.cells[0]
        told |= {"sd": cell.sd, "seeds": len(cell.values), "above": cell.above}
        told |= {"visible": cell.visible, "novelty": cell.novelty, "gap": cell.gap}
        for one in made.literature:
            if one.method == row.entrant.method and row.entrant.preset == "standard":
                told |= {"paper": one.paper.mean} if one.paper else {}
                told |= {"rerun": one.rerun.mean} if one.rerun else {}
    if any(one.rank for one in made.rows):
        told |= {
            "rank": row.rank and row.rank.value, "iqm": row.iqm and row.iqm.value,
            **{f"over-{n}": e.value for n, e in row.improvement.items()},
        }  # fmt: skip
    return told


@pytest.mark.parametrize("view", SAMPLE, ids=lambda view: urlencode(view) or "default")
def test_a_view_has_the_rows_of_the_table(board: Any, view: dict[str, str]) -> None:
    made, rows = expected(view)
    opened(board, view)
    there = shown(board)
    names = [row.entrant.method for row in rows]
    assert sorted(there) == sorted(names)
    tasks, groups = tasks_of(view), numbers(view.get("preset", "standard"))["groups"]
    computed = any(one["tasks"] == tasks for one in groups)
    if computed or len(tasks) == 1:
        assert there == names  # also in its order
    cells = figures(board)
    assert set(cells) or not rows
    for row in rows:
        for key, value in values(row, made).items():
            if key in AGGREGATES and not computed:
                assert (row.entrant.method, key) not in cells
                continue
            on_page = cells[row.entrant.method, key]
            assert (on_page is None) == (value is None), key
            assert value is None or on_page == pytest.approx(value, rel=5.1e-6, abs=1e-9), key
    if computed or len(tasks) == 1:
        assert kept_in_mind(board) == [re.sub(r"\s+", " ", said) for said in made.cautions]


def kept_in_mind(tab: Any) -> list[str]:
    """What the page says that a table cannot say."""
    told = tab.locator(".lb-beneath h2:text-is('Keep in mind') + ul > li").all_inner_texts()
    return [re.sub(r"\s+", " ", said) for said in told]


@pytest.mark.parametrize(
    "view",
    [
        pytest.param({}, marks=pytest.mark.slow("4 core-seconds; one task has more columns")),
        {"tasks": "superconductor", "measure": "median"},
    ],
    ids=str,
)
def test_each_column_sorts_as_python_does(board: Any, view: dict[str, str]) -> None:
    made, rows = expected(view)
    opened(board, view)
    keys = board.eval_on_selector_all("#lb thead th", "all => all.map(th => th.dataset.key)")
    told = {row.entrant.method: values(row, made) for row in rows}
    order = [row.entrant.method for row in rows]
    for key in [key for key in keys if key not in ("seconds", "stands")]:
        for _ in range(2):
            board.locator(f'#lb th[data-key="{key}"] button').click()
            up = (
                board.locator(f'#lb th[data-key="{key}"]').get_attribute("aria-sort") == "ascending"
            )
            there = shown(board)
            if key == "method":
                assert there == sorted(order, reverse=not up)
                continue
            found = {m: told[m].get(key) for m in order}
            known = [m for m in order if found[m] is not None]
            # Python's sort keeps the table's order where values are equal, and so does the page.
            best = sorted(known, key=lambda m: float(f"{found[m]:.6g}") * (1 if up else -1))
            assert there == best + [m for m in order if found[m] is None], (key, up)
    assert board.locator("#lb th[aria-sort]").count() == 1


def test_intervals_and_marks_are_those_of_the_table(board: Any) -> None:
    view = {"tasks": "superconductor"}
    made, rows = expected(view)
    opened(board, view)
    for row in rows:
        cell = row.cells[0]
        text = board.locator(f'#lb tr[data-method="{row.entrant.method}"] td').first.inner_text()
        assert cell is not None
        assert f"{cell.mean.value:.3f}" in text
        assert ("*" in text) == cell.best
        if cell.mean.low is not None:
            assert f"[{cell.mean.low:.3f}, {cell.mean.high:.3f}]" in text
    beneath = board.locator(".lb-beneath").inner_text()
    for sentence in made.cautions:
        assert sentence in beneath
    for apart in made.apart:
        assert re.search(f"{re.escape(str(apart.entrant))} on .*{re.escape(apart.task)}", beneath)


def test_a_link_restores_the_view_and_back_goes_back(tab: Any) -> None:
    opened(tab, {})
    first = shown(tab)
    tab.select_option("#lb select[name=tasks]", "tfbind8")
    tab.wait_for_selector(".lb-one")
    tab.select_option("#lb select[name=metric]", "best-of")
    tab.wait_for_selector("#lb select[name=k]")
    tab.select_option("#lb select[name=k]", "16")
    tab.uncheck("#lb input[name=controls]")
    tab.locator('#lb th[data-key="novelty"] button').click()
    address, there, cells = tab.url, shown(tab), figures(tab)
    assert address.endswith("?measure=best-of-16&tasks=tfbind8&controls=off&sort=novelty&dir=desc")
    assert not set(there) & set(CONTROLS)
    tab.goto(address)
    tab.wait_for_selector("#lb[data-shown]")
    assert shown(tab) == there
    assert figures(tab) == cells
    assert tab.locator("#lb select[name=k]").input_value() == "16"
    tab.go_back()
    opened(tab, {})
    tab.locator('#lb th[data-key="method"] button').click()
    assert shown(tab) != first
    tab.go_back()
    tab.wait_for_function("!location.search")
    tab.wait_for_selector('#lb th[data-key="rank"][aria-sort="ascending"]')
    assert shown(tab) == first
    assert not tab.heard.wrong()


def test_some_tasks_are_chosen_by_boxes(board: Any) -> None:
    opened(board, {})
    board.locator("#lb summary").click()
    board.uncheck("#lb input[name=task][value=ant]")
    board.wait_for_function("location.search.includes('tasks=')")
    keys = board.eval_on_selector_all("#lb thead th", "all => all.map(th => th.dataset.key)")
    assert keys[1:] == [t["name"] for t in numbers()["tasks"] if t["name"] != "ant"]
    assert "mbo table mbo/results" in board.locator(".lb-status").inner_text()
    assert board.evaluate("document.activeElement.value") == "ant"  # where the person was


def test_only_scored_again_says_what_to_choose(board: Any) -> None:
    opened(board, {"verified": "on"})
    assert shown(board) == []
    board.locator(".lb-status button").click()
    board.wait_for_selector("#lb tbody tr")
    assert "tasks=tfbind8,tfbind10" in board.url
    assert "grad" in shown(board)


@pytest.mark.parametrize("width", [390, 1280])
def test_the_table_stays_where_it_is_when_the_controls_come(tab: Any, width: int) -> None:
    tab.set_viewport_size({"width": width, "height": 900})
    tab.add_init_script(browser.WATCH_SHIFTS)
    opened(tab, {})
    assert not browser.jumped(tab)


def test_without_the_file_of_views_the_default_one_stays(tab: Any) -> None:
    tab.route("**/standard.json", lambda route: route.fulfill(status=404))
    tab.goto(PAGE)
    tab.wait_for_selector(".lb-form", state="detached")
    assert "could not be loaded (standard.json: 404)" in tab.inner_text(".lb-status")
    assert "grad" in tab.inner_text("#lb tbody")


def test_it_is_sorted_by_keyboard(board: Any) -> None:
    opened(board, {})
    board.locator('#lb th[data-key="rank"] button').focus()
    board.keyboard.press("Tab")
    board.keyboard.press("Enter")
    board.wait_for_selector('#lb th[data-key="iqm"][aria-sort="descending"]')
    assert board.evaluate("document.activeElement.closest('th').dataset.key") == "iqm"
    board.keyboard.press("Space")
    assert board.locator('#lb th[data-key="iqm"]').get_attribute("aria-sort") == "ascending"


@pytest.fixture
def without_scripts(chromium: Any, site: str) -> Iterator[Any]:
    """An empty page in which no script runs."""
    context = chromium.new_context(base_url=site, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_without_scripts_the_default_view_is_there(without_scripts: Any, tab: Any) -> None:
    opened(tab, {})
    without_scripts.goto(PAGE)

    def text(page: Any) -> list[str]:
        rows = page.locator("#lb tr").all_inner_texts()
        return [re.sub(r"\s+", " ", row).strip() for row in rows]

    assert text(without_scripts) == text(tab)
    assert (
        without_scripts.locator(".lb-beneath").inner_text()
        == tab.locator(".lb-beneath").inner_text()
    )
    pictures = without_scripts.locator(".lb-plot img")
    names = pictures.evaluate_all("all => all.map(one => one.getAttribute('src'))")
    assert names == [f"pictures/{name}.png" for name in PLOTS]


def test_each_plot_is_drawn_from_the_table(tab: Any) -> None:
    opened(tab, {"tasks": "tfbind8,hopper"})
    assert not any("vega" in url for url in tab.heard.sizes())  # until a plot comes into sight
    for name in PLOTS:
        plot = tab.locator(f"#plot-{name}")
        plot.scroll_into_view_if_needed()
        tab.wait_for_selector(f"#plot-{name}[data-state^=drawn]")
        assert plot.locator("svg.marks").count() >= 1, name
        assert plot.locator("svg.marks path, svg.marks line").count() > 5, name
        assert plot.locator("img").count() == 0
        assert (browser.SITE / "leaderboard" / "pictures" / f"{name}.png").is_file()
    button = tab.locator("#plot-seeds .lb-names button").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert not tab.heard.wrong()


def test_no_file_is_large_and_none_is_doubled() -> None:
    presets = {run.record.preset for run in published_runs()}
    files = {path.stem: path for path in (browser.built() / "leaderboard").glob("*.json")}
    assert set(files) == presets
    assert all(path.stat().st_size < 300_000 for path in files.values())


@pytest.mark.parametrize("name", ["grad", "random", "coms"])
def test_a_method_page_has_the_figures_of_its_records(board: Any, name: str) -> None:
    board.goto(f"methods/{name}.html")
    assert board.locator("h1").inner_text().startswith(METHODS[name].title)
    own = [run for run in published_runs() if run.record.method == name]
    rows = board.evaluate("""() => Object.fromEntries(
        [...document.querySelectorAll('.lb-seeds tr[data-seed]')].map((row) => [
            `${row.closest('details').id}/${row.dataset.preset}/${row.dataset.seed}`,
            [[...row.querySelectorAll('td')].map((cell) => cell.dataset.v ?? null),
             row.lastElementChild.textContent]]))""")
    assert len(rows) == len(own)
    for run in own:
        record, report = run.record, run.record.report
        cells, text = rows[f"{record.problem}/{record.preset}/{record.seed}"]
        if report is None:
            assert record.failure is not None
            assert record.failure in text
            continue
        best, median, raw, above, novelty, seconds, mb, _ = cells
        assert float(best) == report.normalized.best
        assert float(median) == report.normalized.median
        assert float(raw) == report.raw.best
        assert float(above) == np.mean(run.score > report.best_visible_normalized)
        assert float(novelty) == report.novelty
        assert (float(seconds), int(mb)) == (record.cpu_seconds, record.peak_mb)
        assert f"{report.normalized.best:.3f}" in text or str(record.designs_sha256)[:12] in text
    settings = METHODS[name].preset("standard").settings()
    content = board.content()
    assert all(f"<code>{field}</code>" in content for field in settings)
    for sentence in METHODS[name].deviations:
        assert sentence in board.locator(".md-content").inner_text()


def test_the_cells_of_a_method_page_are_those_of_the_leaderboard(board: Any) -> None:
    board.goto("methods/grad.html")
    table = board.locator("table", has=board.locator("caption", has_text="Preset standard"))
    found = table.locator("tr[data-task]").evaluate_all(
        "all => all.map(row => [row.dataset.task, row.children[1].dataset.v])"
    )
    cells = numbers()["cells"]["best"]
    assert {task: float(value) for task, value in found} == {
        task: there["grad"][0] for task, there in cells.items() if "grad" in there
    }


def test_every_method_is_listed_with_a_page(board: Any) -> None:
    board.goto("methods/index.html")
    links = board.eval_on_selector_all(
        ".lb-table tbody th a", "all => all.map(one => one.getAttribute('href'))"
    )
    assert links[: len(METHODS)] == [f"{name}.html" for name in METHODS]
    assert all((browser.SITE / "methods" / link).is_file() for link in links)
