"""Create all pictures of the documentation: ``make pictures``.

Diagrams are generated from the code, and the terminal from a run of the tutorial's bot.
The inspector and the webchat show the shop of the examples, in Chromium. Nothing is
loaded from the network; the pictures of products are drawn here.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import diagrams
import terminal
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "examples" / "shop"
PICTURES = ROOT / "docs" / "_static"

FLASK = [sys.executable, "-m", "flask", "--app", "shop"]
INSPECT = "clustaar inspect --port 0 --inspector-port 0 --no-reload --steps bot.json"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

DRAWN = """<svg xmlns="http://www.w3.org/2000/svg" width="576" height="240">
<defs><linearGradient id="g" x2="1" y2="1"><stop stop-color="#8ad4b8"/>
<stop offset="1" stop-color="#2c6e9e"/></linearGradient></defs>
<rect width="576" height="240" fill="url(#g)"/>
<path d="M188 140a100 90 0 0 1 200 0z" fill="#fff" opacity=".9"/>
<path d="M288 140v62a16 16 0 0 1-32 0" fill="none" stroke="#fff" stroke-width="9"/>
</svg>"""


def main() -> None:
    """Create all pictures."""
    for name, draw_it in [*diagrams.PICTURES.items(), ("chat.svg", terminal.chat)]:
        (PICTURES / name).write_text(draw_it(), encoding="utf-8")
        print(f"docs/_static/{name}")
    shoot()


def shoot() -> None:
    """Take screenshots of the inspector and the webchat."""
    with inspecting() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for take in OPTIONS:
            with contextlib.closing(chromium.new_context(**OPTIONS[take])) as context:
                context.route(re.compile("^(?!http://127)"), draw)
                page = context.new_page()
                page.goto(address)
                expect(page.locator("#live")).to_have_text("live")
                shown = take(page) or page
                page.mouse.move(0, 0)
                page.wait_for_timeout(700)
                file = PICTURES / f"{take.__name__.replace('_', '-')}.png"
                shown.screenshot(path=file)
                print(file.relative_to(ROOT))
        chromium.close()


def draw(route: Any) -> None:
    """Answer a request for a picture of a product."""
    route.fulfill(content_type="image/svg+xml", body=DRAWN)


def say(page: Any, text: str, how: str = "fresh") -> None:
    page.get_by_label("Send as").select_option(how)
    page.get_by_label("Message").fill(text)
    page.get_by_label("Message").press("Enter")


# -- the pictures --------------------------------------------------------------------


def inspector_conversation(page: Any) -> None:
    """A conversation, and the details of a request."""
    say(page, "hello")
    page.get_by_role("button", name="Shoes").click()
    expect(page.get_by_role("heading", name="Red shoes")).to_be_visible()
    page.get_by_role("tab", name="Handlers").click()


def inspector_rejected(page: Any) -> None:
    """A forged request, and the checks."""
    say(page, "hello")
    expect(page.get_by_role("button", name="Shoes")).to_be_visible()
    say(page, "hello", "forged")
    expect(page.get_by_role("alert")).to_be_visible()


def inspector_editor(page: Any) -> None:
    """The editor, with a misspelt key."""
    say(page, "hello")
    expect(page.get_by_role("button", name="Shoes")).to_be_visible()
    page.locator("#rows").press("e")
    area = page.get_by_role("textbox", name="JSON")
    area.fill(area.input_value().replace("firstName", "fistName"))
    area.evaluate("area => { area.setSelectionRange(0, 0); area.scrollTop = 0; }")
    expect(page.locator("#mistakes")).to_contain_text("Did you mean")


def inspector_phone(page: Any) -> None:
    """The chat on a small screen."""
    say(page, "hello")
    expect(page.get_by_role("button", name="Shoes")).to_be_visible()
    page.get_by_role("button", name="Chat").click()


def webchat_cards(page: Any) -> Any:
    """A carousel, as in the webchat."""
    say(page, "hello")
    expect(page.get_by_role("button", name="Shoes")).to_be_visible()
    return page.locator("#stage .cards")


def webchat_quick_replies(page: Any) -> Any:
    """A message with quick replies."""
    say(page, "hello")
    expect(page.get_by_role("button", name="Shoes")).to_be_visible()
    block = page.locator("#stage .chips").locator("..")
    block.evaluate("block => { block.style.overflow = 'hidden' }")
    return block


LARGE = {"viewport": {"width": 1440, "height": 900}}
SMALL = {"viewport": {"width": 390, "height": 844}}

OPTIONS: dict[Any, dict[str, Any]] = {
    inspector_conversation: LARGE,
    inspector_rejected: {**LARGE, "color_scheme": "dark"},
    inspector_editor: LARGE,
    inspector_phone: SMALL,
    webchat_cards: SMALL,
    webchat_quick_replies: SMALL,
}


# -- the inspector -------------------------------------------------------------------


@contextlib.contextmanager
def inspecting() -> Iterator[str]:
    """Inspect the shop; yield the URL of the page."""
    with tempfile.TemporaryDirectory() as directory:
        environment = os.environ | {
            "FLASK_SQLALCHEMY_DATABASE_URI": f"sqlite:///{directory}/shop.db",
            "FLASK_CLUSTAAR_PRIVATE_KEY": "the private key of the shop",
        }
        subprocess.run([*FLASK, "init-db"], cwd=SHOP, env=environment, check=True)
        log = Path(directory, "log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*FLASK, *INSPECT.split()],
                cwd=SHOP,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield address_in(log, process)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def address_in(log: Path, process: subprocess.Popen[bytes]) -> str:
    """Wait for the URL of the page in the log, and return it."""
    while process.poll() is None:
        found = re.search(r"^Inspector: +(\S+)$", log.read_text(), re.M)
        if found:
            return found[1]
        time.sleep(0.05)
    raise SystemExit(log.read_text())


if __name__ == "__main__":
    main()
