"""The site, opened in a real browser: every page, in the light and in the dark, wide and narrow."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import browser
import pytest

FIRST = (
    300_000  # bytes that the first page may ask for, compressed, the index of the search included
)
# Pages that differ in what they are made of.
KINDS = (
    "index.html",
    "first-ten-minutes.html",
    "results.html",
    "faq.html",
    "changelog.html",
    "tutorials/first-optimization.html",
    "tasks/index.html",
    "tasks/ant.html",
    "tasks/chembl.html",
    "api/tasks.html",
    "methods/grad.html",
    "leaderboard/index.html",
    "playground/index.html",
)
WIDE, NARROW = 1280, 390


@pytest.fixture(scope="module")
def folder(site: str) -> Path:
    return browser.built()


def addresses(folder: Path) -> list[str]:
    found = sorted(folder.rglob("*.html"))
    return [path.relative_to(folder).as_posix() for path in found if path.name != "404.html"]


def test_every_page_is_sound(tab: Any, folder: Path) -> None:
    """It opens without an error, another host or a cookie, and has a heading.

    A page of each kind fits wide and narrow, stays where it was painted, and is accessible.
    """
    tab.add_init_script(browser.WATCH_SHIFTS)
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": WIDE, "height": 844})
    pages = addresses(folder)
    assert len(pages) > 50
    assert {*KINDS} <= {*pages}
    wrong = []
    for page in pages:
        kind = page in KINDS
        # At the latter its scripts have run, too.
        answer = tab.goto(page, wait_until="load" if kind else "domcontentloaded")
        found = [] if answer.ok else [f"the answer is {answer.status}"]
        found += [] if tab.title() else ["it has no title"]
        found += [] if tab.locator("h1").count() == 1 else ["it has not one first heading"]
        if kind:
            found += [*browser.too_wide(tab, WIDE), *browser.inaccessible(tab)]
            found += browser.jumped(tab)
            tab.set_viewport_size({"width": NARROW, "height": 844})
            found += browser.too_wide(tab, NARROW)
            tab.set_viewport_size({"width": WIDE, "height": 844})
        found += [f"it sets a cookie: {cookie['name']}" for cookie in tab.context.cookies()]
        wrong += [f"{page}: {one}" for one in found + tab.heard.wrong()]
    assert not wrong, "\n".join(wrong)


def test_every_page_says_what_it_may_run(folder: Path) -> None:
    """Scripts of the theme by their hash; nothing else that stands in a page."""
    for path in folder.rglob("*.html"):
        page = path.read_text("utf-8")
        (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
        scripts = policy.partition("script-src ")[2].partition(";")[0].split()
        assert scripts[:2] == ["'self'", "'wasm-unsafe-eval'"], path
        assert len(scripts) == 2 + 3, path
        assert all(one.startswith("'sha256-") for one in scripts[2:])
        assert page.index("Content-Security-Policy") < page.index("<script"), path


def test_a_script_that_got_into_a_page_does_not_run(tab: Any) -> None:
    tab.goto("leaderboard/index.html")
    tab.evaluate("""() => {
        window.stopped = [];
        const stop = (event) => window.stopped.push(event.effectiveDirective);
        document.addEventListener("securitypolicyviolation", stop);
        const script = document.createElement("script");
        script.textContent = "window.owned = 1";
        document.body.append(script);
        const box = document.createElement("div");
        box.innerHTML = '<button onclick="window.owned = 2">x</button>';
        document.body.append(box);
        box.firstChild.click();
        const sent = document.createElement("img");
        sent.src = "https://evil.example/?cookie";
        document.body.append(sent);
    }""")
    tab.wait_for_function("window.stopped.length >= 3")
    stopped = tab.evaluate("window.stopped")
    assert sorted(stopped) == ["img-src", "script-src-attr", "script-src-elem"]
    assert tab.evaluate("window.owned") is None
    tab.heard.wrong()  # forgets what was tried here


def test_scripts_of_the_theme_alone_are_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(browser.ROOT / "scripts" / "website")
    import policy

    theme = (
        'x <script>__md_scope=new URL("{{ base_url }}",location),a=1</script> <script>b</script>'
    )
    theme = theme.replace('__md_scope=new URL("{{ base_url }}",location)', "")
    page = (
        '<html><head class="x"><script>__md_scope=new URL("../..",location),a=1</script></head>'
        '<script>b</script><script>evil</script><script type="application/json">{}</script>'
        '<script>__md_scope=new URL("..",location),evil</script><script src="a.js"></script>'
    )
    made = policy.with_policy(page, theme)
    assert made.count("'sha256-") == 2
    assert made.startswith('<html><head class="x"><meta http-equiv="Content-Security-Policy"')


def test_the_first_page_is_small(tab: Any) -> None:
    tab.goto("index.html", wait_until="networkidle")
    sizes = tab.heard.sizes()
    assert len(sizes) > 4
    assert sum(sizes.values()) < FIRST, sizes
    assert not [url for url in sizes if url.endswith((".wasm", ".onnx"))]


@pytest.mark.slow("18 core-seconds, axe on 13 pages; it looks at them in the light, too")
def test_pages_are_accessible_and_fit_in_the_dark_and_narrow(tab: Any) -> None:
    tab.add_init_script(browser.WATCH_SHIFTS)
    tab.emulate_media(color_scheme="dark")
    tab.set_viewport_size({"width": NARROW, "height": 844})
    wrong = []
    for page in KINDS:
        tab.goto(page, wait_until="load")
        found = [
            *browser.too_wide(tab, NARROW),
            *browser.inaccessible(tab),
            *browser.jumped(tab),
        ]
        wrong += [f"{page}: {one}" for one in found]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow("12 core-seconds; on the same pages nothing moves when stylesheets come at once")
def test_nothing_moves_when_stylesheets_come_late(tab: Any) -> None:
    """The header of a page is painted before what it alone is styled with, if that is in its body."""
    tab.add_init_script(browser.WATCH_SHIFTS)

    def late(route: Any) -> None:
        time.sleep(0.3)
        route.continue_()

    tab.route("**/*.css", late)
    for page in KINDS:
        tab.goto(page, wait_until="load")
        assert not browser.jumped(tab), page


def test_links_lead_to_pages_and_headings(folder: Path) -> None:
    """Also those in HTML, which mkdocs does not look at."""
    pages = {page: (folder / page).read_text("utf-8") for page in addresses(folder)}
    names = {page: set(re.findall(r'\bid="?([^\s">]+)', text)) for page, text in pages.items()}
    count = 0
    for page, text in pages.items():
        for link in re.findall(r'(?:href|src)="([^"]*)"', text):
            place, _, anchor = link.partition("#")
            if ":" in place or place.startswith("//"):
                continue
            count += 1
            path = place.partition("?")[0]
            target = (folder / page).parent / path if path else folder / page
            assert target.exists(), f"{page}: {link}"
            inside = target.resolve().relative_to(folder.resolve()).as_posix()
            if anchor and inside in names and not anchor.startswith("__"):
                assert anchor in names[inside], f"{page}: {link}: no such heading"
    assert count > 1000


def test_every_public_name_has_its_reference(folder: Path) -> None:
    import mbo_hub

    text = "".join(path.read_text("utf-8") for path in (folder / "api").glob("*.html"))
    for name in mbo_hub.__dir__():
        if not name.startswith("_"):
            assert f'id="mbo_hub.{name}"' in text, name


def test_tutorials_show_what_their_code_printed(folder: Path) -> None:
    said = {
        "first-optimization": "128 of 128 designs scored",
        "write-a-method": "100th percentile 0.9",
        "own-task": "cg-pairs: valid",
        "distrust-a-report": "now, the forest expects",
        "score-from-javascript": "GCTAATTA 0.45551",
    }
    for name, words in said.items():
        text = (folder / "tutorials" / f"{name}.html").read_text("utf-8")
        assert words in re.sub(r"<[^>]+>", "", text), name


def test_it_is_a_static_space_and_needs_no_jekyll(folder: Path) -> None:
    assert "sdk: static" in (folder / "README.md").read_text("utf-8").split("---")[1]
    assert (folder / ".nojekyll").exists()
