"""The site, opened in a real browser: every page, at two widths, in the light and in the dark."""

from __future__ import annotations

from typing import Any

import browser


def addresses() -> list[str]:
    """The pages of the site, from its own folder."""
    found = sorted(browser.built().rglob("*.html"))
    return [path.relative_to(browser.SITE).as_posix() for path in found if path.name != "404.html"]


def test_every_page_opens_without_an_error_or_another_host(tab: Any) -> None:
    pages = addresses()
    assert len(pages) > 30
    for page in pages:
        answer = tab.goto(page, wait_until="load")
        assert answer.ok, page
        assert tab.title(), page
        assert tab.locator("h1").count() == 1, page
    tab.heard.nothing_wrong()
