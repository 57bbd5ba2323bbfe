"""The inspector's page in a real browser."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from inspecting import Inspecting, browser, in_a_browser, inspecting, until

from flask_clustaar.platform.notifications import make_notification
from flask_clustaar.platform.signer import Signer, distinct
from flask_clustaar.settings import Settings

playwright = pytest.importorskip("playwright.sync_api")
expect = playwright.expect
# A slow machine must not make a test fail.
expect.set_options(timeout=60_000)

# Playwright uses greenlets, which are slow to measure.
pytestmark = [in_a_browser, pytest.mark.unmeasured]

WELCOME = "507f191e810c19729de860a0"
NOBODY = "507f191e810c19729de860a7"
SIGNER = Signer(
    Settings.from_config(
        {},
        private_key="the private key of the bot",
        auth_username="platform",
        auth_password="the password of the bot",
    )
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inspecting]:
    """A run that tests share which change no code."""
    directory = tmp_path_factory.mktemp("shared")
    with inspecting(directory, "--steps", "inspected.json") as found:
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inspecting]:
    """A run for one test, without a bot file."""
    with inspecting(tmp_path) as found:
        yield found


VIEWPORT = {"width": 1280, "height": 720}


class Page:
    """The page in one tab; ``tab`` is the tab."""

    def __init__(self, chromium: Any, run: Inspecting) -> None:
        self.run = run
        self.context = chromium.new_context(viewport=VIEWPORT)
        self.context.set_default_timeout(60_000)
        self.requested: list[str] = []
        self.context.on("request", lambda request: self.requested.append(request.url))
        self.tab = self.context.new_page()
        self.problems: list[str] = []
        self.tab.on("console", self._heard)
        self.tab.on("pageerror", lambda error: self.problems.append(str(error)))

    def _heard(self, message: Any) -> None:
        # A picture that cannot be loaded is not an error of the page.
        if (
            message.type in ("error", "warning")
            and ":9/" not in message.location["url"]
            and not message.text.startswith("Loading the image ")
        ):
            self.problems.append(message.text)

    def open(self) -> Page:
        self.requested.clear()
        self.tab.goto(self.run.page)
        self.live()
        return self

    def reset(self) -> None:
        """Remove what a test has left in the browser, except in the page itself."""
        for other in self.context.pages[1:]:
            other.close()
        self.tab.evaluate("localStorage.clear(), sessionStorage.clear()")
        self.tab.set_viewport_size(VIEWPORT)
        self.tab.emulate_media(color_scheme="null")
        self.context.clear_permissions()

    def live(self) -> None:
        """Wait until the page is live."""
        expect(self.tab.locator("#live")).to_have_text("live", timeout=60_000)

    def say(self, text: str, how: str = "fresh") -> None:
        self.tab.get_by_label("Send as").select_option(how)
        self.tab.get_by_label("Message").fill(text)
        self.tab.get_by_role("button", name="Send", exact=True).click()

    def click(self, title: str) -> None:
        """Click on a quick reply, in the last row that has it."""
        self.stage.get_by_role("button", name=title, exact=True).last.click()

    def tab_of(self, name: str) -> Any:
        self.tab.get_by_role("tab", name=name).click()
        return self.tab.get_by_role("tabpanel")

    @property
    def stage(self) -> Any:
        return self.tab.get_by_role("log")

    @property
    def bubbles(self) -> Any:
        return self.stage.locator(".bubble:not(.user)")

    @property
    def rows(self) -> Any:
        return self.tab.locator("#rows").get_by_role("option")

    @property
    def detail(self) -> Any:
        return self.tab.locator("#detail")

    def api(self, path: str, method: str = "GET", content: Any = None) -> Any:
        """Call the API as a program of this machine does."""
        return call(self.run.page + "api/" + path, method, content)


def call(url: str, method: str = "GET", content: Any = None, **headers: str) -> Any:
    parts = urlsplit(url)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {"Content-Type": "application/json"} | headers
    body = None if content is None else json.dumps(content)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return json.loads(text) if response.status == 200 else (response.status, text)


@pytest.fixture(scope="module")
def shared_page(chromium: Any, shared: Inspecting) -> Iterator[Page]:
    """A tab that tests share, because opening one takes three times as long."""
    found = Page(chromium, shared)
    yield found
    found.context.close()


@pytest.fixture
def page(shared_page: Page) -> Iterator[Page]:
    """The page with an empty list; its console must not have errors."""
    shared_page.api("deliveries", "DELETE")
    shared_page.problems.clear()
    yield shared_page.open()
    shared_page.tab.title()  # All messages of the console have arrived then.
    problems = [*shared_page.problems]
    shared_page.reset()
    assert problems == []


def from_outside(run: Inspecting, text: str = "hello", step: str = WELCOME) -> None:
    """Send a signed request to the bot, as from another terminal."""
    notification = make_notification(step=step, text=text).received
    signed = SIGNER.deliver(distinct(json.dumps(notification).encode()))
    parts = urlsplit(run.bot)
    connection = HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    connection.request("POST", "/clustaar", signed.body, signed.headers)
    connection.getresponse().read()
    connection.close()


# -- the chat ------------------------------------------------------------------------


def test_live_without_network(page: Page) -> None:
    """The page is live, and everything it loads comes from the inspector."""
    assert all(url.startswith(page.run.page) for url in page.requested)


def test_say_hello(page: Page) -> None:
    """A message is a bubble, the replies are drawn, and the request is listed."""
    page.say("hello")

    expect(page.stage.locator(".bubble.user")).to_have_text(["hello"])
    expect(page.bubbles).to_have_text(["Hello John", "Which colour?"])
    expect(page.bubbles.locator("b")).to_have_text("colour")
    expect(page.stage.get_by_role("button", name="Red")).to_be_visible()
    expect(page.rows).to_have_count(1)
    expect(page.rows.first).to_contain_text("Welcome")


def test_click_a_quick_reply(page: Page) -> None:
    """A click goes to its step with its values, and the session shows them."""
    page.say("hello")
    page.click("Red")

    expect(page.bubbles.last).to_have_text("Red it is.")
    memory = page.tab.get_by_label("Session and user")
    expect(memory).to_contain_text('+ chosen "Red"')
    expect(memory).to_contain_text('customAttributes.colour "known"')
    expect(page.rows.first).to_contain_text("Colours")


def test_one_click_only(page: Page) -> None:
    """After a click the others are grey, and a second click does nothing."""
    page.say("hello")
    page.click("Red")
    expect(page.bubbles.last).to_have_text("Red it is.")

    blue = page.stage.get_by_role("button", name="Blue")
    expect(blue).to_be_disabled()
    expect(blue).to_have_css("color", "rgb(128, 128, 128)")
    blue.click(force=True)
    red = page.stage.get_by_role("button", name="Red")
    expect(red).to_have_css("background-color", "rgb(48, 178, 134)")
    expect(page.rows).to_have_count(2)


def test_stale(page: Page) -> None:
    """For a stale request, the chat shows the code, and the checks show the age."""
    page.say("hello", "stale")

    expect(page.stage.get_by_role("alert")).to_contain_text("400 request_too_old")
    expect(page.detail).to_contain_text(re.compile(r"dated 7\d s ago"))


HOW = {
    "forged": (403, "signature_invalid"),
    "wrong_password": (401, "credentials_invalid"),
    "unsigned": (400, "signature_missing"),
    "undated": (400, "date_missing"),
    "future": (400, "request_from_future"),
    "big": (413, "body_too_large"),
    "not_json": (415, "unsupported_content"),
}


@pytest.mark.parametrize("how", HOW)
def test_wrong_on_purpose(page: Page, how: str) -> None:
    """A request with one mistake is rejected, and no handler runs."""
    status, code = HOW[how]

    page.say("hello", how)

    expect(page.stage.get_by_role("alert")).to_contain_text(f"{status} {code}")
    expect(page.tab_of("Handlers")).to_contain_text("No handler ran")


def test_duplicate(page: Page) -> None:
    """A request that comes twice has two rows, and the second one ran nothing."""
    page.say("hello", "duplicate")

    expect(page.rows).to_have_count(2)
    expect(page.rows.first).to_contain_text("answered from the store")
    expect(page.tab_of("Handlers")).to_contain_text("from the replay store")


def test_what_nobody_handles(chromium: Any, own: Inspecting) -> None:
    """An unhandled step has each handler's reason, and a decorator to copy."""
    page = Page(chromium, own).open()
    page.api("send", "POST", {"body": notification(NOBODY)})

    page.rows.first.click()

    expect(page.detail).to_contain_text("404")
    panel = page.tab.get_by_role("tabpanel")
    expect(panel).to_contain_text("did not match")
    expect(panel).to_contain_text(f"@webhook.on_step('{NOBODY}')")
    page.context.close()


def notification(step: str) -> str:
    return json.dumps(make_notification(step=step).received)


def test_failure(page: Page) -> None:
    """A handler that raises: the problem in the chat, the traceback with my line."""
    page.say("hello")
    page.click("Fail")

    expect(page.stage.get_by_role("alert")).to_contain_text("500 handler_failed")
    expect(page.detail.get_by_label("Traceback")).to_contain_text(
        'raise ValueError("no colour")'
    )


def test_invalid_reply(page: Page) -> None:
    """A title that is too long is marked in the reply."""
    page.say("hello")
    page.click("Invalid")

    expect(page.stage.get_by_role("alert")).to_contain_text("500 invalid_reply")
    expect(page.detail.locator(".line.wrong")).to_contain_text('"title"')
    expect(page.detail.locator(".mark")).to_contain_text("80")


def test_cards(page: Page) -> None:
    """Cards are a carousel: one click to a step, in whichever card."""
    page.say("hello")
    page.click("Cards")
    forward = page.stage.get_by_role("button", name="Next card")
    back = page.stage.get_by_role("button", name="Previous card")

    expect(back).to_be_disabled()
    forward.click()
    forward.click()
    expect(forward).to_be_disabled()
    page.stage.get_by_role("button", name="Buy").nth(2).click()

    expect(page.bubbles.last).to_have_text("Cards it is.")
    buy = page.stage.get_by_role("button", name="Buy")
    expect(buy.nth(0)).to_have_css("background-color", "rgb(48, 178, 134)")
    back.click()
    buy.nth(1).click()
    expect(page.rows).to_have_count(3)


def test_list_of_choices(page: Page) -> None:
    """The list gets shorter while I type, and Enter takes the first choice."""
    page.say("hello")
    page.click("List")
    field = page.stage.get_by_role("combobox", name="City")
    options = page.stage.get_by_role("option")

    field.click()
    expect(options).to_have_text(["Paris", "Lyon", "London"])
    field.fill("on ")
    expect(options).to_have_text(["Lyon", "London"])
    field.press("ArrowDown")
    field.press("Enter")

    expect(page.stage.locator(".bubble.user").last).to_have_text("London")
    expect(page.bubbles.last).to_have_text("London it is.")
    expect(field).to_have_count(0)


def test_list_with_the_mouse(page: Page) -> None:
    """The triangle opens and closes the list, and a click takes a choice."""
    page.say("hello")
    page.click("List")
    toggle = page.stage.get_by_label("Show the choices")

    toggle.click()
    expect(page.stage.get_by_role("option")).to_have_count(3)
    toggle.click()
    expect(page.stage.get_by_role("option")).to_have_count(0)
    toggle.click()
    page.stage.get_by_role("option", name="Lyon").click()

    expect(page.bubbles.last).to_have_text("Lyon it is.")


def test_other_channels(page: Page) -> None:
    """Actions that another channel does not show are struck through, with a note."""
    page.say("hello")
    page.click("Cards")
    expect(page.stage.locator(".card")).to_have_count(3)

    page.tab.get_by_label("Channel").select_option("twilio")

    expect(page.stage.locator(".lost .cards")).to_have_count(1)
    expect(page.stage.get_by_text("not on Twilio").last).to_be_visible()
    expect(page.tab_of("Channels")).to_contain_text("send_cards_action")


def test_walk_with_the_mouse(page: Page) -> None:
    """A bot file with ten steps is walked to its end with the mouse."""
    page.say("hello")
    page.click("Walk")
    for number in range(9):
        expect(page.tab.get_by_label("Step of the conversation")).to_have_value(
            f"507f191e810c19729de860b{number}"
        )
        if number % 3 == 2:
            page.stage.get_by_placeholder("Choose").click()
            page.stage.get_by_role("option", name="Next").click()
        else:
            page.click("Next")

    expect(page.bubbles.last).to_have_text("The end.")


def test_walk_with_the_keyboard(page: Page) -> None:
    """The ten steps are walked to their end with the keyboard only."""
    keys = page.tab.keyboard
    page.tab.locator("body").press("c")
    keys.type("hello")
    keys.press("Enter")
    walk = page.stage.get_by_role("button", name="Walk")
    expect(walk).to_be_visible()
    while not walk.evaluate("element => element === document.activeElement"):
        keys.press("Shift+Tab")
    keys.press("Enter")
    for number in range(9):
        expect(page.tab.get_by_label("Step of the conversation")).to_have_value(
            f"507f191e810c19729de860b{number}"
        )
        # The focus is where the reply can be answered.
        expect(page.stage.locator(":focus")).to_have_count(1)
        keys.press("Enter")

    expect(page.bubbles.last).to_have_text("The end.")


def test_go_to_a_step(page: Page) -> None:
    """The user can go to any step, and start again with an empty session."""
    page.tab.get_by_label("Step of the conversation").select_option(label="Colours")
    expect(page.bubbles.last).to_have_text("None it is.")

    page.tab.get_by_role("button", name="New").click()
    expect(page.bubbles).to_have_count(0)
    expect(page.tab.get_by_label("Step of the conversation")).to_have_value(WELCOME)


def test_edit_the_session(page: Page) -> None:
    """The session and the user can be changed."""
    page.tab.get_by_label("Session and user").get_by_role("button").click()
    area = page.tab.get_by_role("textbox", name="JSON")
    area.fill(area.input_value().replace('"John"', '"Ada"'))
    page.tab.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(page.tab.get_by_role("dialog")).to_have_count(0)

    page.say("hello")

    expect(page.bubbles.first).to_have_text("Hello Ada")


def test_last_message_again(page: Page) -> None:
    """The arrow key shows the last message again."""
    page.say("hello")
    message = page.tab.get_by_label("Message")
    message.press("ArrowUp")

    expect(message).to_have_value("hello")


# -- hostile replies -----------------------------------------------------------------


def test_hostile_reply(page: Page) -> None:
    """Nothing in a reply runs or leads anywhere: it is drawn or shown as text."""
    popups: list[Any] = []
    page.context.on("page", lambda popup: popups.append(popup))
    page.say("hello")
    page.click("Hostile")
    expect(page.stage.locator(".card")).to_have_count(25)
    expect(page.stage.get_by_role("button", name="Next", exact=True)).to_be_visible()

    for card in range(2):
        page.stage.locator(".card h2").nth(card).click(force=True)
        page.stage.locator(".card button").nth(card).click(force=True)
    page.stage.locator(".picture").click(force=True)
    for name in ("Reply", "Request", "Changes", "Channels", "Checks", "Handlers"):
        page.tab_of(name)

    elements = page.stage.locator(
        "script, svg, iframe, object, u, [onerror], [onclick]"
    )
    expect(elements).to_have_count(0)
    expect(page.stage.locator("a[href^='javascript']")).to_have_count(0)
    expect(page.bubbles.nth(2)).to_contain_text("<u>underlined</u>")
    assert page.tab.title() == "inspected · Clustaar inspector"
    # The picture opens as in the webchat, where nothing answers.
    assert {popup.url.partition(":")[0] for popup in popups} <= {"chrome-error"}
    assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


# -- faithful to the webchat ---------------------------------------------------------


def box(locator: Any) -> dict[str, float]:
    found: dict[str, float] = locator.bounding_box()
    return found


def test_measures_of_bubbles(page: Page) -> None:
    """Bubbles and quick replies have the webchat's colours, sizes and places."""
    page.say("hello")
    expect(page.stage.get_by_role("button", name="Red")).to_be_visible()
    bubble, user = page.bubbles.first, page.stage.locator(".bubble.user")
    chip = page.stage.get_by_role("button", name="Red")

    for name, value in {
        "padding": "12px",
        "border-radius": "12px 12px 12px 0px",
        "margin": "16px 24px 0px 8px",
        "background-color": "rgb(48, 178, 134)",
        "color": "rgb(255, 255, 255)",
        "font-size": "14px",
        "line-height": "16px",
        "white-space": "pre-wrap",
    }.items():
        expect(bubble).to_have_css(name, value)
    for name, value in {
        "background-color": "rgb(197, 219, 234)",
        "color": "rgb(44, 63, 89)",
        "border-radius": "12px 12px 0px",
    }.items():
        expect(user).to_have_css(name, value)
    for name, value in {
        "min-height": "32px",
        "padding": "5px 10px",
        "margin": "0px 6px 6px 0px",
        "border-radius": "18px",
        "border": "1px solid rgb(48, 178, 134)",
        "font-size": "14px",
        "line-height": "20px",
    }.items():
        expect(chip).to_have_css(name, value)
    stage = box(page.stage)
    inner = stage["x"] + 1 + 8  # its border, and the margin of the page around it
    assert abs(box(bubble)["x"] - (inner + 8)) <= 2
    assert abs(box(chip)["x"] - (inner + 10)) <= 2
    right = box(user)["x"] + box(user)["width"]
    assert abs(right - (stage["x"] + stage["width"] - 1 - 8 - 8)) <= 2


def test_measures_of_cards(page: Page) -> None:
    """Cards have the webchat's colours, sizes and places."""
    page.say("hello")
    page.click("Cards")
    card = page.stage.locator(".card").first
    expect(card).to_be_visible()
    stage = box(page.stage)
    frame = stage["width"] - 2 - 16

    assert abs(frame - 360) <= 2
    assert abs(box(card)["width"] - (frame - 72)) <= 2
    assert abs(box(card)["x"] - (stage["x"] + 1 + 8 + 36)) <= 2
    expect(card).to_have_css("border-radius", "4px")
    expect(card).to_have_css("box-shadow", "rgba(0, 0, 0, 0.3) 0px 1px 7px 0px")
    title, subtitle = card.locator("h2"), card.locator("h3")
    for name, value in {"color": "rgb(44, 63, 89)", "line-height": "18px"}.items():
        expect(title).to_have_css(name, value)
    expect(subtitle).to_have_css("color", "rgb(141, 171, 196)")
    expect(subtitle).to_have_css("font-size", "12px")
    button = card.get_by_role("button", name="Buy")
    middle = box(button)["x"] + box(button)["width"] / 2
    assert abs(middle - (box(card)["x"] + box(card)["width"] / 2)) <= 2
    arrow = page.stage.get_by_role("button", name="Next card")
    assert abs(box(arrow)["width"] - 32) <= 2
    edge = box(arrow)["x"] + box(arrow)["width"]
    assert abs(edge - (stage["x"] + stage["width"] - 1 - 8)) <= 2


def test_measures_of_the_list(page: Page) -> None:
    """The list of choices has the webchat's sizes."""
    page.say("hello")
    page.click("List")
    field = page.stage.get_by_role("combobox")
    field.click()

    assert abs(box(field)["width"] - 230) <= 2
    assert abs(box(field)["height"] - 30) <= 2
    expect(field).to_have_css("border", "2px solid rgb(48, 178, 134)")
    panel, option = page.stage.get_by_role("listbox"), page.stage.get_by_role("option")
    assert abs(box(panel)["width"] - 230) <= 2
    assert abs(box(option.first)["height"] - 48) <= 2
    expect(option.first).to_have_css("padding-left", "32px")
    expect(option.first).to_have_css("background-color", "rgb(244, 244, 237)")


# -- the list ------------------------------------------------------------------------


def test_request_from_outside(page: Page) -> None:
    """A request from another terminal is listed, with its headers without secrets."""
    from_outside(page.run)

    expect(page.rows.first).to_contain_text("wire")
    page.rows.first.click()
    panel = page.tab_of("Request")
    expect(panel).to_contain_text("x-hub-signature")
    expect(panel.locator("dt:text-is('authorization') + dd")).to_have_text("***")


def test_filters(page: Page) -> None:
    """The list can be filtered by text, status and step, and shows the number."""
    page.say("hello")
    page.click("Fail")
    expect(page.rows).to_have_count(2)
    count = page.tab.locator("#count")

    page.tab.get_by_label("Filter requests").fill("handler_failed")
    expect(page.rows).to_have_count(1)
    expect(count).to_have_text("1 of 2 requests")
    page.tab.get_by_label("Filter requests").fill("")
    page.tab.get_by_label("Status").select_option("2")
    expect(page.rows).to_contain_text(["Welcome"])
    page.tab.get_by_label("Status").select_option("")
    page.tab.get_by_label("Step", exact=True).select_option(label="Failing")
    expect(page.rows).to_contain_text(["Failing"])


def test_pin_and_clear(page: Page) -> None:
    """A pinned request stays when the list is cleared."""
    page.say("hello")
    page.say("hello")
    expect(page.rows).to_have_count(2)
    page.tab.once("dialog", lambda dialog: dialog.accept("greeting"))
    page.rows.first.click()
    page.tab.get_by_role("button", name="Pin").click()
    expect(page.rows.first).to_contain_text("greeting")

    page.tab.get_by_role("button", name="Clear").click()

    expect(page.rows).to_have_count(1)
    page.tab.get_by_role("button", name="greeting").click()
    expect(page.rows.first).not_to_contain_text("greeting")


def test_new_requests_move_nothing(page: Page) -> None:
    """A new request takes neither the focus nor the selection."""
    page.say("hello")
    page.rows.first.click()
    page.tab.get_by_label("Filter requests").focus()
    selected = page.tab.locator("[role=option][aria-selected=true]")
    before = selected.get_attribute("id")

    from_outside(page.run)
    expect(page.rows).to_have_count(2)

    expect(page.tab.get_by_label("Filter requests")).to_be_focused()
    assert selected.get_attribute("id") == before


def test_ten_tabs(chromium: Any, shared: Inspecting) -> None:
    """Ten tabs are all live, also when the first one was closed."""
    page = Page(chromium, shared).open()
    tabs = [page.context.new_page() for _ in range(9)]
    for tab in tabs:
        tab.goto(page.run.page)
        expect(tab.locator("#live")).to_have_text("live")
    page.tab.close()

    from_outside(page.run, "to all tabs")

    for tab in tabs:
        expect(tab.locator("#rows").get_by_role("option").first).to_contain_text(
            "to all tabs"
        )
    page.context.close()


# -- doing ---------------------------------------------------------------------------


def test_edit(page: Page) -> None:
    """I edit a request: a misspelt key is marked, keys are completed, it is sent."""
    page.say("hello")
    page.rows.first.click()
    page.tab.locator("#rows").press("e")
    area = page.tab.get_by_role("textbox", name="JSON")
    text = area.input_value()

    area.fill(text.replace("firstName", "firstNme"))
    expect(page.tab.locator("#mistakes")).to_contain_text("Did you mean 'firstName'?")
    expect(page.tab.locator(".marks div")).not_to_have_count(0)
    area.fill(text.replace('"John"', '"Ada"'))
    expect(page.tab.locator("#mistakes")).to_have_text("No mistakes found.")
    area.press("Control+Enter")

    expect(page.rows).to_have_count(2)
    expect(page.rows.first).to_contain_text("↻ #")
    expect(page.tab_of("Reply")).to_contain_text("Hello Ada")
    page.rows.nth(1).click()
    expect(page.tab_of("Reply")).to_contain_text("Hello John")


def test_completion(page: Page) -> None:
    """Tab completes a typed key."""
    page.say("hello")
    page.rows.first.click()
    page.tab.locator("#rows").press("e")
    area = page.tab.get_by_role("textbox", name="JSON")

    area.fill("")
    area.press_sequentially('{"data": {"interlocutor": {"cust')
    expect(page.tab.get_by_role("option", name="customAttributes")).to_be_visible()
    area.press("Tab")

    expect(area).to_have_value('{"data": {"interlocutor": {"customAttributes"')
    area.press("Escape")


def test_ten_times_together(page: Page) -> None:
    """One delivery sent ten times at once runs once, and the page shows that."""
    page.say("hello")
    page.rows.first.click()
    page.tab.get_by_label("How often").fill("10")
    page.tab.get_by_label("Replay as").select_option("duplicate")
    page.tab.get_by_role("button", name="Together").click()

    expect(page.rows).to_have_count(11)
    told = page.tab.locator("#told")
    expect(told).to_contain_text(re.compile(r"1 run, \d+ answered from the store"))


def test_copy(page: Page) -> None:
    """A request is copied to the clipboard."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.say("hello")
    page.rows.first.click()
    page.tab.get_by_label("Copy as").select_option("pytest")

    expect(page.tab.locator("#told")).to_contain_text("Copied as pytest.")
    text = page.tab.evaluate("navigator.clipboard.readText()")
    assert text.startswith("def test_welcome(clustaar_client):")


def test_copy_without_permission(page: Page) -> None:
    """Without the clipboard the text is shown, to be copied by hand."""
    page.tab.evaluate("void (navigator.clipboard.writeText = async () => null.x)")
    page.say("hello")
    page.rows.first.click()
    page.tab.get_by_label("Copy as").select_option("curl")

    expect(page.tab.get_by_label("Text to copy")).to_have_value(re.compile("^curl "))
    page.tab.get_by_role("button", name="Close").click()


def test_export(page: Page) -> None:
    """All requests are exported as a recording."""
    page.say("hello")
    expect(page.rows).to_have_count(1)

    with page.tab.expect_download() as download:
        page.tab.get_by_role("link", name="Export").click()

    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["status"] for line in lines] == [200]


# -- reloading -----------------------------------------------------------------------


def change(run: Inspecting, before: str, after: str) -> None:
    """Change the code of the bot."""
    file = run.directory / "inspected.py"
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


def test_reload(chromium: Any, own: Inspecting) -> None:
    """After a reload, the page has all rows, and replays use the new code."""
    page = Page(chromium, own).open()
    page.say("hello")
    expect(page.bubbles.first).to_have_text("Hello John")

    change(own, 'f"Hello {name}"', 'f"Good day {name}"')
    until(lambda: "Good day" in json.dumps(page_reply(page)))

    page.live()
    expect(page.rows).not_to_have_count(0)
    page.rows.first.click()
    page.tab.locator("#rows").press("r")
    expect(page.tab_of("Reply")).to_contain_text("Good day John")
    page.tab_of("Changes")
    page.tab.get_by_label("with request #").fill("1")
    page.tab.get_by_role("button", name="Compare").click()
    compared = page.tab.locator("#compared")
    expect(compared).to_contain_text("reply.actions.0.alternatives.0")
    # The conversation continues.
    page.say("hello")
    expect(page.bubbles.last).to_have_text("Which colour?")
    page.context.close()


def page_reply(page: Page) -> Any:
    """Return what the bot answers now; None while its code is loaded."""
    with suppress(OSError, ValueError, TypeError):
        (id,) = page.api("send", "POST", {"body": notification(WELCOME)})["ids"]
        return page.api(f"deliveries/{id}")["reply"]


def test_syntax_error(chromium: Any, own: Inspecting) -> None:
    """A syntax error is shown with its traceback, and goes away when corrected."""
    page = Page(chromium, own).open()
    page.say("hello")
    expect(page.rows).to_have_count(1)
    broken = page.tab.locator("#broken")

    change(own, "def greet(", "def greet((")
    expect(broken).to_be_visible(timeout=30_000)
    expect(broken).to_contain_text("SyntaxError")
    expect(page.rows).to_have_count(1)
    change(own, "def greet((", "def greet(")

    expect(broken).to_be_hidden(timeout=30_000)
    page.live()
    page.say("hello")
    expect(page.rows).to_have_count(2)
    page.context.close()


# -- keyboard and screen readers -----------------------------------------------------


def test_keyboard(page: Page) -> None:
    """Every part can be reached with the keyboard, and a dialog lists the keys."""
    keys = page.tab.keyboard
    page.say("one")
    page.say("two")
    expect(page.rows).to_have_count(2)
    # The last message is selected.
    expect(page.rows.first).to_have_attribute("aria-selected", "true")
    keys.press("Escape")

    keys.press("j")
    expect(page.rows.nth(1)).to_have_attribute("aria-selected", "true")
    keys.press("k")
    expect(page.rows.first).to_have_attribute("aria-selected", "true")
    keys.press("3")
    expect(page.tab.get_by_role("tab", name="Reply")).to_be_focused()
    keys.press("ArrowRight")
    expect(page.tab.get_by_role("tab", name="Request")).to_be_focused()
    keys.press("/")
    expect(page.tab.get_by_label("Filter requests")).to_be_focused()
    keys.press("Escape")
    keys.press("c")
    expect(page.tab.get_by_label("Message")).to_be_focused()
    keys.press("Escape")
    keys.press("n")
    expect(page.bubbles).to_have_count(0)
    keys.press("r")
    expect(page.rows).to_have_count(3)
    keys.press("?")
    sheet = page.tab.get_by_role("dialog", name="Keyboard")
    expect(sheet).to_contain_text("replay the selected request")
    keys.press("Escape")
    expect(sheet).to_be_hidden()


def test_names_and_roles(page: Page) -> None:
    """Every control has a name; regions, the log and problems have their roles."""
    page.say("hello")
    page.click("Invalid")
    expect(page.stage.get_by_role("alert")).to_be_visible()
    expect(page.detail.locator(".mark")).to_be_visible()
    snapshot = page.tab.locator("body").aria_snapshot()

    for role in ("button", "textbox", "combobox", "tab", "option", "spinbutton"):
        nameless = re.findall(rf"^\s*- {role}(?: \[.*\])?:?$", snapshot, re.M)
        assert nameless == [], role
    for wanted in ("log", "listbox", "tablist", "tabpanel", "status", "alert"):
        assert re.search(rf"- {wanted}\b", snapshot), wanted


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 768, 1024, 1440, 2560])
def test_sizes(page: Page, width: int, scheme: str) -> None:
    """From 390 to 2,560 px, dark and light, nothing is cut off, all is readable."""
    page.tab.set_viewport_size({"width": width, "height": 900})
    page.tab.emulate_media(color_scheme=scheme)
    page.open()
    for view in ("Requests", "Chat", "Request"):
        button = page.tab.get_by_role("navigation").get_by_role(
            "button", name=view, exact=True
        )
        if width < 900:
            button.click()
        assert page.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground = page.tab.evaluate(
        "getComputedStyle(document.documentElement).backgroundColor"
    )
    channels = [int(part) for part in re.findall(r"\d+", ground)[:3]]
    assert (sum(channels) > 384) == (scheme == "light")
    assert contrast(page) >= 4.5


def contrast(page: Page) -> float:
    """Return the contrast of the page's softest text with its ground."""
    colours = page.tab.evaluate(
        """() => ["--soft", "--paper"].map((name) => {
            const probe = document.body.appendChild(document.createElement("i"));
            probe.style.color = `var(${name})`;
            const { color } = getComputedStyle(probe);
            probe.remove();
            return color.match(/[\\d.]+/g).slice(0, 3).map(Number);
        })"""
    )
    light, dark = sorted(map(luminance, colours), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: list[float]) -> float:
    parts = [each / 255 for each in colour]
    r, g, b = (
        p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


# -- access --------------------------------------------------------------------------


def test_without_cookies(chromium: Any, shared: Inspecting) -> None:
    """The page works without cookies and storage, which a private window may lack."""
    page = Page(chromium, shared)
    page.context.add_init_script(
        """const off = { get() { throw new Error("off"); } };
        for (const name of ["localStorage", "sessionStorage"])
            Object.defineProperty(window, name, off);
        Object.defineProperty(navigator, "locks", off);"""
    )
    page.open()
    page.say("hello")

    expect(page.bubbles.first).to_have_text("Hello John")
    assert page.context.cookies() == []
    page.context.close()


def test_without_the_token(page: Page) -> None:
    """Another user of the machine, who has no token, sees one sentence."""
    for path in ("", "api/deliveries", "static/main.js", "wrong/api/deliveries"):
        parts = urlsplit(page.run.page)
        status, text = call(f"{parts.scheme}://{parts.netloc}/{path}")
        assert status == 403
        assert text.startswith("The token is missing or wrong.")


def test_other_addresses(page: Page) -> None:
    """Through another name, a proxy or a tunnel the inspector shows nothing."""
    for headers in (
        {"Host": "192.168.1.5:5001"},
        {"X-Forwarded-For": "1.2.3.4"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
    ):
        status, _ = call(page.run.page + "api/deliveries", **headers)
        assert status == 403


EVIL = """<!doctype html><title>evil</title><body><script type=module>
const target = PAGE;
const seen = [];
const attempt = async (what) => { try { seen.push(String(await what())); } catch {} };
const read = (path, options) => fetch(target + path, options).then((r) => r.text());
const body = '{"body": "{}"}';
await attempt(() => read("api/deliveries"));
await attempt(() => read("api/deliveries", { mode: "no-cors" }));
await attempt(() => read("api/send", { method: "POST", mode: "no-cors", body }));
await attempt(() => import(target + "static/main.js"));
await attempt(() => new Promise((resolve, reject) => {
    const source = new EventSource(target + "api/stream");
    source.onopen = resolve; source.onerror = reject; }));
await attempt(() => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = target + "static/dom.js";
    script.onload = resolve;
    script.onerror = reject;
    document.body.append(script); }));
const frame = document.createElement("iframe");
frame.src = target;
document.body.append(frame);
await new Promise((resolve) => (frame.onload = resolve));
await attempt(() => frame.contentDocument.title);
const found = seen.filter((each) => each && each !== "null");
document.title = "done " + JSON.stringify(found);
</script>"""


def test_another_site(page: Page) -> None:
    """A page of another site that knows even the address learns and does nothing."""

    class Evil(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = EVIL.replace("PAGE", json.dumps(page.run.page)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: Any) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Evil)
    thread = threading.Thread(target=site.serve_forever)
    thread.start()
    tab = page.context.new_page()
    tab.goto(f"http://localhost:{site.server_port}/")
    expect(tab).to_have_title(re.compile("^done"))
    site.shutdown()
    thread.join()
    site.server_close()

    assert tab.title() == "done []"
    expect(page.rows).to_have_count(0)


# -- the end -------------------------------------------------------------------------


def test_end(tmp_path: Path, chromium: Any) -> None:
    """Ctrl-C ends it with an open page; only kept files are left."""
    keep = tmp_path / "bot.db"
    with inspecting(tmp_path, "--keep", str(keep)) as run:
        page = Page(chromium, run).open()
        page.say("hello")
        expect(page.rows).to_have_count(1)
        assert run.stop() == 0
        page.context.close()
    assert list(tmp_path.glob("clustaar-*")) == []

    with inspecting(tmp_path, "--keep", str(keep)) as run:
        page = Page(chromium, run).open()
        expect(page.rows).to_have_count(1)
        page.context.close()


def test_recording(tmp_path: Path, chromium: Any, page: Page) -> None:
    """A recording is opened: its requests are listed, and can be replayed."""
    page.say("hello")
    expect(page.rows).to_have_count(1)
    with page.tab.expect_download() as download:
        page.tab.get_by_role("link", name="Export").click()
    recording = tmp_path / "recording.jsonl"
    download.value.save_as(recording)

    with inspecting(tmp_path, str(recording)) as run:
        other = Page(chromium, run).open()
        expect(other.rows.first).to_contain_text("recording")
        other.rows.first.click()
        other.tab.locator("#rows").press("r")
        expect(other.rows).to_have_count(2)
        other.context.close()
