// What the theme leaves out for people who use a keyboard or a screen reader.

function help() {
  document.querySelector(".md-search[role=dialog]")?.setAttribute("aria-label", "Search");
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, .md-typeset pre > code")) {
    // What scrolls sideways can be scrolled by the arrow keys.
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}

help(); // the theme has wrapped tables by now: its script stands before this one
addEventListener("load", help);
addEventListener("resize", help);
