"""Text of strangers stays text, whatever it says and wherever it is shown."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest
import yaml
from conftest import ROOT
from made_runs import made, unscored

from mbo_hub.cli.terminal import echo
from mbo_hub.dataset import lines
from mbo_hub.errors import InvalidFile
from mbo_hub.results.card import documents
from mbo_hub.results.joining import Asked
from mbo_hub.results.plots import draw, prepare
from mbo_hub.results.record import Machine, Record, Run, Setting
from mbo_hub.results.rendering import render
from mbo_hub.results.table import tabulate
from mbo_hub.results.verify import Checked, Verdict

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><b onmouseover="x">',
    "</td></table><!-- hidden",
    '```python exec="1"',
    "[click](javascript:alert(1)) [to][mbo_hub.load] [x]: https://evil.example",
    "![seen](https://evil.example/seen.png)",
    "see https://evil.example/a and www.evil.example, @keeper",
    "| **may be merged.** | __x__ | `code`",
    "{: onclick=alert(1) } { .x onclick=alert(1) }",
    "&lt;b&gt; &#60;i&#62; & more",
    r"\input{/etc/passwd} \write18{id} % $x$ ^^M ~ # _ &",
    '=HYPERLINK("https://evil.example")',
    r"$\frac{ $ \$",
    "key: value # comment",
    '--8<-- "pyproject.toml"',
    "::: mbo_hub.load",
)
HIDING = (
    "a\nb",
    "a\rb",
    "a\u2028b",
    "\x1b]0;owned\x07",
    "\u202ecba",
    "a\u200bb",
    "a\x00b",
    "end\n",
)
EXTENSIONS = ["attr_list", "md_in_html", "tables", "pymdownx.superfences", "pymdownx.snippets"]


class Shown(HTMLParser):
    """What a page has: elements, their attributes, text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.comments: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def must_be_text(page: str, payload: str) -> None:
    """See that a page shows a payload, and that none of it became an element or an address."""
    shown = Shown(page)
    assert not shown.tags & {"script", "i"}
    for name, value in shown.attributes:
        assert not name.startswith("on")
        assert name not in ("href", "src") or ("evil" not in value and value != "x")
        assert not value.startswith("javascript:")
    assert not shown.comments
    assert " ".join(payload.split()) in " ".join(shown.text.split())


def converted(markdown: str) -> str:
    """As the site does it."""
    reader = pytest.importorskip("markdown", reason="the extra 'docs' is not installed")
    html = reader.Markdown(extensions=EXTENSIONS).convert(markdown)
    assert isinstance(html, str)
    return html


# ------------------------------------------------------------------------------------ what comes in


class Said(msgspec.Struct):
    line: lines.Line


@pytest.mark.parametrize("text", [*HIDING, "x" * (lines.SHORT + 1)], ids=repr)
def test_a_line_is_printable_and_one(text: str) -> None:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert({"line": text}, Said)
    assert re.search(
        r"(in one line|length <= 200) - at `\$.line`", lines.explained(str(refused.value))
    )


@pytest.mark.parametrize("text", [*PAYLOADS, "", "χ² − 1 … “Å” 𝛼", "x" * lines.SHORT], ids=repr)
def test_other_text_is_taken(text: str) -> None:
    assert msgspec.convert({"line": text}, Said).line == text
    assert lines.strange({"a": [text]}, "it") is None


def record(**fields: Any) -> Record:
    return msgspec.structs.replace(made("tfbind8", "grad", 0, [0.5] * 4).record, **fields)


PLACES: dict[str, Any] = {
    "title": lambda text: {"title": text},
    "method_version": lambda text: {"method_version": text},
    "code": lambda text: {"code": text},
    "preset": lambda text: {"preset": text},
    "notes": lambda text: {"notes": (text,)},
    "deviations": lambda text: {"deviations": (text,)},
    "started": lambda text: {"started": text},
    "libraries": lambda text: {"libraries": {"numpy": text}},
    "a name in libraries": lambda text: {"libraries": {text: "1"}},
    "machine": lambda text: {"machine": Machine(system="a", processor=text, cores=1, python="3")},
    "settings": lambda text: {"settings": {"a": Setting({"b": [text]}, "paper")}},
    "source of a setting": lambda text: {"settings": {"a": Setting(1, text)}},
    "failure": lambda text: {"failure": text, "status": "failed", "report": None},
    "report.title": lambda text: {
        "report": msgspec.structs.replace(record().report, title=text)
    },
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", ["a\nb", "\u202ecba", "x" * 2001], ids=["line", "bidi", "long"])
def test_a_record_with_other_text_is_refused_by_its_field(place: str, text: str) -> None:
    raw = record(**PLACES[place](text)).encode()
    with pytest.raises(InvalidFile) as refused:
        Record.decode(raw, "here")
    field = place.removeprefix("a name in ").partition(" ")[0]
    assert field in str(refused.value) or "[...]" in str(refused.value)
    assert text not in str(refused.value)


@pytest.mark.parametrize("text", [*HIDING, *PAYLOADS, "x" * 5000, ""], ids=lambda text: text[:20])
def test_words_of_a_program_become_a_sentence(text: str) -> None:
    said = lines.one_line(text)
    assert lines.strange(said, "it") is None
    assert lines.one_line(said) == said


# ----------------------------------------------------------------------------------- what goes out


@pytest.mark.parametrize("text", PAYLOADS)
def test_each_format_shows_it_as_it_is(text: str) -> None:
    for page in (f"- told: {lines.markdown(text)}", f"| a |\n|---|\n| {lines.markdown(text)} |"):
        shown = Shown(converted(page))
        assert shown.tags <= {"ul", "li", "table", "thead", "tbody", "tr", "th", "td"}
        assert not shown.attributes
        assert text in shown.text
    assert yaml.safe_load(f"a: {lines.yaml(text)}") == {"a": text}
    safe = r"\\[&%$#_{}]|\\text\w+\{\}|\$\\?[-\w]+\$|\\ldots\{\}|\{\[\}|[^\\&%$#_{}~^]"
    assert re.fullmatch(f"(?:{safe})*", lines.latex(text))
    assert lines.csv(text)[0] not in "=+-@"
    assert not re.search(r"(?<!\\)\$", lines.figure(text))


@pytest.mark.parametrize("text", HIDING, ids=repr)
def test_no_format_lets_hidden_characters_through(text: str) -> None:
    for write in (lines.markdown, lines.latex, lines.figure, lines.yaml):
        assert not lines._UNPRINTABLE.search(write(text))
    assert not lines._UNPRINTABLE.search(lines.terminal(text).replace("\n", ""))


@pytest.mark.parametrize(
    "word", ["null", "No", "on", "1e3", "0x1", "12:30", "~", "", "a: b", "x #y"]
)
def test_yaml_reads_words_as_text(word: str) -> None:
    assert yaml.safe_load(f"- {lines.yaml(word)}") == [word]


def failed(seed: int, failure: str) -> Run:
    run = unscored("vowels", "failed", seed, failure)
    return Run(msgspec.structs.replace(run.record, budget=128), "made")


def runs_of(payload: str) -> list[Run]:
    """Runs that say it wherever a run can."""
    machine = Machine(system=payload, processor=payload, cores=2, python="3.11")
    common = {"title": payload, "machine": machine}
    return [
        *(made("vowels", name, s, [0.1, 0.6, 0.7, s / 9] * 32, **common)
          for name in ("random", "mine") for s in (0, 1)),
        made("vowels", "two", 0, [0.5] * 128, method_version=payload, **common),
        made("vowels", "two", 1, [0.5] * 128, code=payload, **common),
        *(failed(s, payload) for s in (0, 1)),
    ]  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_tables_and_documents_show_it_as_text(payload: str) -> None:
    runs = runs_of(payload)
    table = tabulate(runs)
    must_be_text(converted(render(table, "markdown")), payload)
    latex = render(table, "latex")
    assert not re.search(r"\\(input|write18|frac)", latex)
    assert all(line.startswith("%") for line in latex.splitlines() if "version" in line)
    rows = list(csv.reader(io.StringIO(render(table, "csv"))))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "@"))]
    assert payload in json.dumps(json.loads(render(table, "json")), ensure_ascii=False).replace(
        '\\"', '"').replace("\\\\", "\\")  # fmt: skip
    made_of = documents(runs)
    _, front, body = made_of.card.split("---\n", 2)
    assert yaml.safe_load(front)["configs"][0]["config_name"] == "vowels"
    must_be_text(converted(body), payload)
    must_be_text(converted(made_of.page), payload)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_comment_below_a_request_shows_it_as_text(payload: str) -> None:
    one = record(method_version=payload, code=payload)
    checked = Checked(one, problems=(f"it says {payload}",))
    asked = Asked(1, "0" * 40, (f"it has {payload}",), Verdict((checked,)))
    said = asked.markdown()
    assert "may not be merged" in said.splitlines()[0]
    shown = converted(said)
    must_be_text(shown, payload)
    assert Shown(shown).text.count("may be merged.") == payload.count("may be merged.") * 3
    assert shown.count("<tr>") == 2


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_notebook_and_a_terminal_show_it_as_text(
    payload: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = msgspec.structs.replace(record().report, title=payload, unit=payload, metric=payload)
    must_be_text(report._repr_html_(), payload)
    echo(f"{report}{''.join(HIDING)}")
    said = capsys.readouterr().out
    assert payload in said
    assert not lines._UNPRINTABLE.search(said.replace("\n", ""))


def test_plots_are_drawn_with_any_title(tmp_path: Any) -> None:
    runs = runs_of(r"$\frac{ $ \$")
    report = {"report": msgspec.structs.replace(runs[0].record.report, title=r"$\frac{ $ \$")}
    strange = [Run(msgspec.structs.replace(r.record, **report), "made", r._load) for r in runs[:4]]
    assert prepare(strange).best.tasks[0].title == r"$\frac{ $ \$"
    assert draw(strange, tmp_path)


# ----------------------------------------------------------------------------------------- the site


@pytest.fixture(scope="module")
def website() -> Iterator[Any]:
    """The generator's modules, as mkdocs finds them."""
    sys.path.insert(0, str(ROOT / "scripts" / "website"))
    import hooks
    import leaderboard
    import methods
    import views

    yield {"hooks": hooks, "methods": methods, "leaderboard": leaderboard, "views": views}
    sys.path.remove(str(ROOT / "scripts" / "website"))


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_page_of_a_strangers_method_shows_it_as_text(
    payload: str, website: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    methods, views = website["methods"], website["views"]
    monkeypatch.setattr(views, "runs", lambda: tuple(runs_of(payload)))
    apart = [{"method": "two", "task": "vowels", "reasons": payload, "scored": 2, "of": 2}]
    found = {"tasks": [], "cells": {"best": {}}, "apart": apart, "sentences": [payload],
             "controls": ["random"], "entrants": {"two": payload},
             "groups": [{"cautions": {"best": [0]}}]}  # fmt: skip
    monkeypatch.setattr(methods.leaderboard, "data", lambda preset: found)
    for name in ("two", "failed"):
        methods._own.cache_clear()
        page = methods._page(name)
        methods._own.cache_clear()
        _, front, body = page.split("---\n", 2)
        title = yaml.safe_load(front)["title"]
        assert Shown(title).tags == set(), "mkdocs writes it into pages as it is"
        must_be_text(f"{converted(body)}<p>{title}</p>", payload if name == "two" else "Failed")
    must_be_text(website["leaderboard"].beneath(found), payload)


def test_only_listed_pages_run_code(website: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hooks = website["hooks"]
    documents = ROOT / "docs"
    running = {
        path.relative_to(documents).as_posix()
        for path in documents.rglob("*.md")
        if re.search(r"^\s*[`~]{3,}.*\bexec=", path.read_text("utf-8"), re.MULTILINE)
        and "node_modules" not in path.parts
    }
    assert running == hooks.EXECUTED
    validator = hooks._only_where_listed(lambda *asked: True)
    monkeypatch.setattr(hooks, "_page", min(hooks.EXECUTED))
    assert validator("python", {"exec": "1"}, {}, {}, None)
    for page in ("methods/mine.md", "leaderboard/index.md", "results.md", "changelog.md"):
        monkeypatch.setattr(hooks, "_page", page)
        assert not validator("python", {"exec": "1"}, {}, {}, None)
