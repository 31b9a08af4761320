"""What the command prints: in any encoding, and nothing that a terminal would obey."""

from __future__ import annotations

import ast
import io
import json
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stranger
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from mbo_hub import cli
from mbo_hub.cli.terminal import echo


class Terminal:
    """Standard output and error of a process, in an encoding."""

    def __init__(self, patch: pytest.MonkeyPatch, encoding: str) -> None:
        self.raw = {name: io.BytesIO() for name in ("stdout", "stderr")}
        for name, raw in self.raw.items():
            patch.setattr(sys, name, io.TextIOWrapper(raw, encoding, write_through=True))
        self.encoding = encoding

    def mbo(self, *arguments: str) -> tuple[int, str]:
        """Run the command; its exit code and what it printed."""
        with pytest.raises(SystemExit) as caught:
            cli.main(list(arguments), prog_name="mbo")
        said = b"".join(raw.getvalue() for raw in self.raw.values())
        return int(caught.value.code or 0), said.decode(self.encoding)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Terminal]]:
    with pytest.MonkeyPatch.context() as patch:
        yield lambda encoding: Terminal(patch, encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "cp437", "koi8-r", "utf-8"])
@pytest.mark.parametrize(
    "arguments",
    [("list",), ("--help",), ("publish", "--help"), ("info", "chembl"), ("info", "ant"),
     ("info", "tfbind10"), ("info", "hopper"), ("info", "superconductor"), ("cache",)],
    ids=" ".join,
)  # fmt: skip
def test_any_encoding_will_do(
    terminal: Callable[[str], Terminal], encoding: str, arguments: tuple[str, ...]
) -> None:
    code, said = terminal(encoding).mbo(*arguments)
    assert code == 0
    assert said.strip()


def test_an_error_in_any_encoding(terminal: Callable[[str], Terminal]) -> None:
    code, said = terminal("cp1252").mbo("info", "./→ Ω \udcff")
    assert (code, said.count("\n")) == (1, 1)
    assert r"UnknownTask: ./\u2192 \u03a9 \udcff: the folder does not exist" in said


@given(st.text())
def test_what_a_terminal_obeys_is_never_printed(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        terminal = Terminal(patch, "utf-8")
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        echo(text)
        said = terminal.raw["stdout"].getvalue().decode()
    assert not [c for c in said if unicodedata.category(c) == "Cc" and c not in "\t\n"]
    assert not set(said) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
    if text.isprintable() and text.isascii():
        assert said == f"{text}\n"


def test_a_strangers_words_are_escaped(
    terminal: Callable[[str], Terminal], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the name of a column, in the name of a folder; a title like that is refused."""
    monkeypatch.chdir(tmp_path)
    stranger.write(Path("theirs"))
    declared = Path("theirs/task.json")
    document = json.loads(declared.read_text())
    declared.write_text(json.dumps(document | {"title": "Vowels \u202egnitautca"}))
    code, said = terminal("utf-8").mbo("info", "./theirs")
    assert code == 1
    assert "printable characters in one line - at `$.title`" in said
    declared.write_text(json.dumps(document))
    Path("designs.csv").write_text("\x1b]0;owned\x07,\x9b2J\naaa,1\n")
    code, said = terminal("utf-8").mbo("score", "./theirs", "designs.csv")
    assert code == 1
    assert said.strip()
    assert not {"\x1b", "\x07", "\x9b"} & set(said)
    code, said = terminal("utf-8").mbo("validate", "./no\x1b[2Jwhere")
    assert code == 1
    assert r"no\u001b[2Jwhere" in said


def test_every_verb_prints_through_echo() -> None:
    files = sorted((ROOT / "mbo_hub" / "cli").glob("*.py"))
    assert len(files) > 5
    outside = [
        f"{file.name}, {function.name}: click.{call.func.attr}"
        for file in files
        for function in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(function, ast.FunctionDef) and function.name != "echo"
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "click"
        and call.func.attr in ("echo", "secho", "echo_via_pager")
    ]
    assert outside == []
