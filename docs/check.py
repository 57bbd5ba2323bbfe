"""Check the built documentation as its readers use it: ``make check-docs``.

In Chromium: every page at the width of a phone and of a laptop, light and dark, every
link and anchor, the length of the pages, and the search.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Literal
from urllib.parse import unquote, urldefrag, urljoin

import click
from playwright.sync_api import Page, sync_playwright

from flask_clustaar import filters, models, signals
from flask_clustaar.cli import clustaar
from flask_clustaar.errors import PROBLEM_PAGE, PROBLEMS
from flask_clustaar.models.buttons import ButtonAction
from flask_clustaar.settings import SETTINGS
from flask_clustaar.wire import Model, members_of

BUILT = Path(__file__).parent / "_build" / "html"
CHROMIUM = "/usr/bin/chromium"

#: The widths and heights of a laptop and of a phone.
SIZES = {(1366, 768), (390, 844)}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: A page of this many screens is too long, unless a program writes it.
SCREENS = 10
GENERATED = (
    "genindex.html",
    "py-modindex.html",
    "reference/api/",
    "run/measurements.html",
    "_modules/",
)

#: What a beginner types, and a page that must be among the first results.
WORDS = {
    "button": "reference/actions/buttons",
    "image": "reference/actions/messages",
    "carousel": "reference/actions/cards",
    "menu": "reference/actions/questions",
    "html": "reference/replies",
    "hello": "start/quickstart",
    "install": "start/quickstart",
    "test": "guides/testing",
    "language": "guides/languages",
    "human": "guides/handover",
    "slow": "guides/slow-services",
    "timeout": "guides/slow-services",
    "broadcast": "guides/background-work",
    "rate limit": "guides/recipes",
    "token": "reference/settings",
    "password": "reference/settings",
    "database": "run/observing",
    "deploy": "run/deployment",
    "docker": "run/deployment",
    "https": "run/deployment",
    "log": "run/logging",
    "webhook url": "start/tutorial",
    "retry": "run/repeats",
    "404": "project/faq",
    "429": "run/extensions",
    "502": "reference/errors",
}
#: The types on the wire are on these pages. A click is a button and an input.
FAMILIES = {
    models.Action: "reference/actions/",
    ButtonAction: "reference/actions/",
    models.Condition: "reference/actions/conditions",
    models.Attachment: "reference/inputs",
    models.Input: "reference/",
}
#: How many results a reader looks at.
FIRST = 10


def main() -> int:
    """Print what is wrong; return 1 if anything is."""
    if not Path(CHROMIUM).exists():
        print("Chromium is not installed: the pages are not checked.")
        return 0
    wrong: list[str] = []
    with serving() as root, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        pages = sorted(
            path.relative_to(BUILT).as_posix() for path in BUILT.rglob("*.html")
        )
        pages = [page for page in pages if not page.startswith("_modules/")]
        page = chromium.new_page()
        wrong += check_links(page, root, pages)
        wrong += check_search(page, root)
        for width, height in sorted(SIZES):
            for scheme in SCHEMES:
                context = chromium.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=scheme,
                )
                wrong += check_looks(context.new_page(), root, pages, (width, height))
                context.close()
        chromium.close()
    for line in dict.fromkeys(wrong):
        print(line)
    print(f"{len(pages)} pages, {len(set(wrong))} mistakes.")
    return min(len(wrong), 1)


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """Serve the pages; yield the address."""
    handler = partial(Quiet, directory=str(BUILT))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send a file, unless the browser has left the page."""
        with contextlib.suppress(ConnectionError):
            super().copyfile(source, outputfile)


# -- links ---------------------------------------------------------------------------


def check_links(page: Page, root: str, pages: list[str]) -> Iterator[str]:
    """Yield links and anchors that lead nowhere."""
    anchors: dict[str, set[str]] = {}
    links: list[tuple[str, str]] = []
    for name in pages:
        page.goto(root + name)
        anchors[name] = set(
            page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
        )
        for link in page.evaluate(
            "[...document.querySelectorAll('a[href], img[src]')]"
            ".map(e => e.getAttribute('href') || e.getAttribute('src'))"
        ):
            links.append((name, link))
    for name, link in links:
        url, anchor = urldefrag(urljoin(root + name, link))
        if not url.startswith(root) or "_modules/" in url:
            continue
        target = unquote(url.removeprefix(root)) or "index.html"
        if not (BUILT / target).is_file():
            yield f"{name}: '{link}' leads nowhere."
        elif anchor and target in anchors and unquote(anchor) not in anchors[target]:
            yield f"{name}: '{link}' has no such anchor."
    _, _, problems = PROBLEM_PAGE.partition("/stable/")
    for code, problem in PROBLEMS.items():
        anchor = urldefrag(problem().problem()["type"]).fragment
        if anchor not in anchors[problems]:
            yield f"The type of '{code}' leads nowhere."


# -- search --------------------------------------------------------------------------


def check_search(page: Page, root: str) -> Iterator[str]:
    """Yield what the search and the index do not find."""
    for word, place in WORDS.items():
        if not any(place in link for link in found(page, root, word)[:FIRST]):
            yield f"The search for '{word}' does not lead to '{place}'."
    for word, place in expected():
        if not any(place in link for link in found(page, root, word)):
            yield f"The search for '{word}' does not lead to '{place}'."
    page.goto(f"{root}genindex.html")
    entries = page.evaluate(
        "[...document.querySelectorAll('.indextable a')]"
        ".map(e => e.parentElement.firstChild.textContent + ' ' + e.href)"
    )
    for word, place in expected():
        if not any(word in entry and place in entry for entry in entries):
            yield f"The index has no '{word}' that leads to '{place}'."


def found(page: Page, root: str, word: str) -> list[str]:
    """Return the links of the search's results."""
    if page.url.startswith(f"{root}search.html"):
        page.evaluate(
            "word => { document.querySelector('#search-results').replaceChildren();"
            " Search.performSearch(word); }",
            word,
        )
    else:
        page.goto(f"{root}search.html?q={word}")
    page.wait_for_function(
        "/^Search finished|did not match/.test("
        "document.querySelector('.search-summary')?.textContent || '')"
    )
    links: list[str] = page.evaluate(
        "[...document.querySelectorAll('#search-results li a')].map(e => e.href)"
    )
    return links


def expected() -> Iterator[tuple[str, str]]:
    """Yield each name, and where the search for it leads."""
    for row in SETTINGS:
        yield row.key, f"#setting-{row.key}"
        yield row.key.removeprefix("CLUSTAAR_").lower(), f"#setting-{row.key}"
    for code, problem in PROBLEMS.items():
        anchor = f"#problem-{code.replace('_', '-')}"
        yield code, anchor
        yield str(problem().status), "errors.html"
    for name in vars(signals):
        if isinstance(vars(signals)[name], signals.IndependentSignal):
            yield name, f"#flask_clustaar.signals.{name}"
    for name, model in vars(models).items():
        if isinstance(model, type) and issubclass(model, Model):
            yield name, f"#flask_clustaar.models.{name}"
    for name in set(filters.__all__) - {"as_filter"}:
        yield name, f"#flask_clustaar.filters.{name}"
    for family, place in FAMILIES.items():
        for tag in members_of(family):
            yield tag, place
    for command in clustaar.list_commands(click.Context(clustaar)):
        yield f"clustaar {command}", f"reference/cli/{command}.html"


# -- looks ---------------------------------------------------------------------------


def check_looks(
    page: Page, root: str, pages: list[str], size: tuple[int, int]
) -> Iterator[str]:
    """Yield pages that are wider than the screen, or too long."""
    width, height = size
    for name in pages:
        page.goto(root + name)
        wide, long = page.evaluate(
            "[document.documentElement.scrollWidth,"
            " document.documentElement.scrollHeight]"
        )
        if wide > width:
            yield f"{name}: {wide} pixels wide on a screen of {width}."
        if long > SCREENS * height and not name.startswith(GENERATED):
            yield f"{name}: {long / height:.1f} screens of {width} x {height}."


if __name__ == "__main__":
    sys.exit(main())
