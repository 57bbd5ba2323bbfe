"""The JSON API behind the inspector's page, as the page and tests use it."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from inspected_bots import (
    ANSWER,
    ASK,
    BASE_URL,
    FAIL,
    INVALID,
    NOBODY,
    Inspected,
    body,
    inspected_bot,
)
from werkzeug.serving import make_server

from flask_clustaar import ClustaarWebhook, Notification, events, models
from flask_clustaar.inspector import server
from flask_clustaar.inspector.describe import read_delivery, row_of
from flask_clustaar.inspector.program import Program
from flask_clustaar.inspector.server import create_inspector
from flask_clustaar.platform.bot import Bot
from flask_clustaar.platform.story import Story
from flask_clustaar.testing import ClustaarClient

STORY = "507f191e810c19729de860ff"


@pytest.fixture
def inspected(tmp_path: Path) -> Inspected:
    return Inspected(tmp_path)


def get(inspected: Inspected, path: str, status: int = 200) -> Any:
    response = inspected.api.get(f"/api/{path}")
    assert response.status_code == status, response.text
    return response.get_json() if response.is_json else response.text


def post(inspected: Inspected, path: str, status: int = 200, **content: Any) -> Any:
    response = inspected.api.post(f"/api/{path}", json=content)
    assert response.status_code == status, response.text
    return response.get_json()


# -- the page ------------------------------------------------------------------------


def test_page(inspected: Inspected) -> None:
    """The page is there, with its styles and its modules."""
    with inspected.api.get("/") as page:
        assert b"<title>Clustaar inspector</title>" in page.data
    for name, mimetype in (("main.js", "text/javascript"), ("page.css", "text/css")):
        with inspected.api.get(f"/static/{name}") as part:
            assert part.mimetype == mimetype


def test_source_is_small() -> None:
    """All that the browser loads is at most 60 kB of source."""
    static = Path(server.__file__).parent / "static"

    assert sum(file.stat().st_size for file in static.iterdir()) <= 60_000


def test_about(inspected: Inspected) -> None:
    """The page learns the webhooks, the handlers and the settings, without secrets."""
    about = get(inspected, "app")

    (webhook,) = about["webhooks"]
    assert (about["state"], about["name"], about["webhook"]) == (
        "ok",
        "inspected_bot",
        "clustaar",
    )
    assert webhook["handlers"][0]["where"].startswith("inspected_bots.py:")
    assert "the private key" not in json.dumps(about)
    assert about["channels"]["facebook"] == "Messenger"


def test_broken(inspected: Inspected) -> None:
    """A program that cannot be loaded is shown with its traceback; nothing is sent."""
    program = Program(None, BASE_URL, error=SyntaxError("invalid syntax"))
    inspected.api = create_inspector(program, inspected.store).test_client()

    about = get(inspected, "app")

    assert about["state"] == "broken"
    assert "SyntaxError: invalid syntax" in about["traceback"]
    assert (about["webhooks"], about["webhook"]) == ([], None)
    assert "Fix the error first" in post(inspected, "send", 400, body="{}")["error"]


# -- the list ------------------------------------------------------------------------


def test_list(inspected: Inspected) -> None:
    """The list comes newest first, and can be asked for a part of it."""
    inspected.send()
    inspected.send(FAIL)
    inspected.send(NOBODY)

    def ids(query: str) -> list[int]:
        return [row["id"] for row in get(inspected, f"deliveries?{query}")]

    assert ids("") == [3, 2, 1]
    assert ids("status=5xx") == [2]
    assert ids("status=404") == [3]
    assert ids(f"step={ASK}") == [1]
    assert ids("handler=fail") == [2]
    assert ids("q=no_handler") == [3]
    assert ids("after=1&limit=1") == [3]


def test_pin_remove_and_clear(inspected: Inspected) -> None:
    """Requests can be pinned with a name, removed, and cleared."""
    for _ in range(3):
        inspected.send()
    api = inspected.api

    assert api.patch("/api/deliveries/1", json={"pinned": "first"}).status_code == 200
    assert api.delete("/api/deliveries/2").status_code == 200
    assert [row["pinned"] for row in get(inspected, "deliveries")] == [None, "first"]
    assert api.delete("/api/deliveries").status_code == 200
    assert [row["id"] for row in get(inspected, "deliveries")] == [1]
    assert api.patch("/api/deliveries/1", json={"pinned": 5}).status_code == 400
    assert api.patch("/api/deliveries/9", json={"pinned": "x"}).status_code == 404
    assert api.delete("/api/deliveries/9").status_code == 404


def test_export_and_read_again(inspected: Inspected) -> None:
    """An export can be read again, line by line."""
    inspected.send()
    inspected.send(FAIL)

    lines = get(inspected, "export").splitlines()

    first, second = (read_delivery(line.encode()) for line in lines)
    assert (first["status"], second["code"]) == (200, "handler_failed")
    assert first["source"] == "recording"
    assert row_of(first)["step_id"] == ASK


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"status": 200, "request": 1}'])
def test_line_that_is_not_a_delivery(line: bytes) -> None:
    """A line that is not from a recording is an error."""
    with pytest.raises(ValueError):
        read_delivery(line)


def test_line_with_fewer_keys() -> None:
    """A line of a recording has fewer keys: the others are empty."""
    line = {"status": 200, "handlers": [{"name": "bot.greet"}], "timings": {"total": 2}}

    delivery = read_delivery(json.dumps(line).encode())

    assert delivery["handlers"][0]["name"] == "bot.greet"
    assert delivery["timings"]["total"] == 2
    assert row_of(delivery)["ms"] == 2


# -- the stream ----------------------------------------------------------------------


class Streamed:
    """A stream, read event by event."""

    def __init__(self, inspected: Inspected, **options: Any) -> None:
        response = inspected.api.get("/api/stream", **options, buffered=False)
        self.parts = response.iter_encoded()
        self.close = response.close

    def next(self) -> tuple[str, Any]:
        """Return the name and the data of the next event."""
        part = next(self.parts).decode()
        fields = dict(row.split(": ", 1) for row in part.strip().splitlines())
        return fields.get("event", ""), json.loads(fields.get("data", "null"))


def first_id(stream: Streamed) -> int:
    """Return the id of the first request in a stream, and close the stream."""
    next(stream.parts)
    name, _ = stream.next()
    assert name == "app"
    id: int = stream.next()[1]["id"]
    stream.close()
    return id


def test_stream(inspected: Inspected, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page gets events about the program, each request, and pins."""
    inspected.send()
    stream = Streamed(inspected)

    assert next(stream.parts) == b"retry: 200\n\n"
    assert stream.next()[0] == "app"
    assert stream.next()[1]["id"] == 1
    assert stream.next() == ("kept", {"ids": [1], "pins": {}})
    inspected.send()
    assert stream.next()[1]["id"] == 2
    assert stream.next()[0] == "kept"
    inspected.store.pin(1, "first")
    assert stream.next() == ("kept", {"ids": [2, 1], "pins": {"1": "first"}})
    monkeypatch.setattr(server, "HEARTBEAT", 0)
    assert next(stream.parts) == b": still here\n\n"
    assert next(stream.parts) == b": still here\n\n"
    stream.close()


def test_stream_goes_on(inspected: Inspected) -> None:
    """A page that connects again gets only new events."""
    for _ in range(2):
        inspected.send()

    for options in (
        {"headers": {"Last-Event-ID": "1"}},
        {"query_string": {"after": "1"}},
    ):
        stream = Streamed(inspected, **options)
        assert first_id(stream) == 2
    assert first_id(Streamed(inspected, query_string={"after": "x"})) == 1


# -- one request ---------------------------------------------------------------------


def test_detail(inspected: Inspected) -> None:
    """A request has its JSON line by line, and what it changed."""
    inspected.send()

    found = get(inspected, "deliveries/1")

    assert found["requestLines"][0][:2] == [0, "{"]
    assert found["sessionChanges"] == [["asked", "added", None, True]]
    assert found["userChanges"] == []
    assert found["lost"]["clustaar_web_chat"] == []
    assert found["lost"]["twilio"][0][:3] == [
        "actions.0",
        "send_quick_replies_action",
        "-",
    ]


def test_violations_are_marked(inspected: Inspected) -> None:
    """An invalid reply is shown, with mistakes at their lines."""
    inspected.send(INVALID)

    lines = get(inspected, "deliveries/1")["replyLines"]

    marked = [line for line in lines if line[3]]
    assert [line[2] for line in marked] == ["actions.0.cards.0.title"]


def test_suggestion(inspected: Inspected) -> None:
    """An unhandled request has a suggested decorator."""
    inspected.send(NOBODY)
    inspected.sender.send(b"no JSON", "chat")

    inspected.sender.send(b"\xff", "chat")

    suggestion = get(inspected, "deliveries/1")["suggestion"]
    assert suggestion == f"@webhook.on_step('{NOBODY}')"
    assert get(inspected, "deliveries/2")["suggestion"] is None
    assert get(inspected, "deliveries/3")["suggestion"] is None


def test_what_is_not_there(inspected: Inspected) -> None:
    """A missing request is 404, with a sentence."""
    assert "no request 7" in get(inspected, "deliveries/7", 404)["error"]
    inspected.send()
    assert "'word'" in get(inspected, "deliveries/1/copy/word", 404)["error"]


# -- copies --------------------------------------------------------------------------


def test_copy_as_curl(tmp_path: Path) -> None:
    """The curl command is signed now: it sends the request, and is accepted."""
    inspected = Inspected(
        tmp_path, inspected_bot(auth_username=None, auth_password=None)
    )
    http = make_server("127.0.0.1", 0, inspected.app, threaded=True)
    program = Program(inspected.app, f"http://127.0.0.1:{http.port}")
    inspected.api = create_inspector(program, inspected.store).test_client()
    inspected.send(how="stale")
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    try:
        command = get(inspected, "deliveries/1/copy/curl")
        result = subprocess.run(command, shell=True, capture_output=True, check=True)
    finally:
        http.shutdown()
        thread.join()
        http.server_close()

    assert json.loads(result.stdout)["session"] == {"values": {"asked": True}}


def test_curl_has_no_password(inspected: Inspected) -> None:
    """The curl command names the user; curl asks for the password."""
    inspected.send()

    command = get(inspected, "deliveries/1/copy/curl")

    assert "--user platform " in command
    assert "Authorization" not in command


def test_copy_as_send(inspected: Inspected) -> None:
    """The command sends the body in the same way."""
    for how in ("fresh", "stale", "future", "forged"):
        inspected.send(how=how)

    fresh, stale, future, forged = (
        get(inspected, f"deliveries/{id}/copy/send").splitlines()[0]
        for id in range(1, 5)
    )

    assert fresh == "flask clustaar send --file - <<'END'"
    assert "--date -60" in stale
    assert "--date 60" in future
    assert "--bad-signature" in forged


def test_copy_as_send_with_several_webhooks(tmp_path: Path) -> None:
    """With several webhooks the command names the one."""
    app = Flask("two")
    ClustaarWebhook(app, name="sales", private_key="key")
    ClustaarWebhook(app, name="support", private_key="key")
    inspected = Inspected(tmp_path, app)
    inspected.send()

    assert "--webhook sales" in get(inspected, "deliveries/1/copy/send")
    assert (
        "'nobody'" in post(inspected, "send", 400, body="{}", webhook="nobody")["error"]
    )


INPUTS: dict[str, dict[str, Any]] = {
    "a text": {"text": "hello"},
    "an event": {"input": {"type": "custom_event", "name": "paid"}},
    "a page": {"input": {"type": "url_loaded_event", "url": "https://example.com/"}},
    "a click": {
        "input": {"type": "go_to_action", "target": {"type": "step", "id": ASK}}
    },
    "a session": {"session": {"colour": "red"}},
    "another user": {"user": {"first_name": "Ada"}},
    "user data": {"user_data": "x", "actions": [{"type": "pause_bot_action"}]},
}


@pytest.mark.parametrize("options", INPUTS.values(), ids=INPUTS)
@pytest.mark.parametrize("step", [ASK, ANSWER, FAIL])
def test_copy_as_pytest(
    inspected: Inspected, options: dict[str, Any], step: str
) -> None:
    """The test passes, for any act of the user and any reply."""
    inspected.sender.send(body(step, **options), "chat")
    code = get(inspected, "deliveries/1/copy/pytest")
    namespace: dict[str, Any] = {}

    exec(code, namespace)

    (name,) = (each for each in namespace if each.startswith("test_"))
    namespace[name](ClustaarClient(inspected_bot()))


@pytest.mark.parametrize(
    "options", [INPUTS["a text"], INPUTS["a session"], INPUTS["another user"]]
)
def test_copy_as_story(inspected: Inspected, options: dict[str, Any]) -> None:
    """The story passes: the user does the same, and the bot answers the same."""
    inspected.sender.send(body(ANSWER, **options), "chat")

    text = get(inspected, "deliveries/1/copy/story")

    Story(text, "a.story").check(ClustaarClient(inspected_bot()))


def test_no_story(inspected: Inspected) -> None:
    """A request that is not a notification cannot be a story."""
    inspected.sender.send(b"no JSON", "chat")

    assert (
        "cannot be a story" in get(inspected, "deliveries/1/copy/story", 400)["error"]
    )


def test_copy_of_a_body_that_is_not_a_notification(inspected: Inspected) -> None:
    """A body that is not a notification is copied unchanged."""
    for content in (b"[1]", b"no JSON", b'{"data": {"step": 1}}'):
        inspected.sender.send(content, "chat")

    assert get(inspected, "deliveries/1/copy/json") == "[\n  1\n]"
    assert get(inspected, "deliveries/2/copy/json") == "no JSON"
    assert "clustaar_client.send(" in get(inspected, "deliveries/3/copy/pytest")


def test_copy_of_what_was_not_stored(inspected: Inspected) -> None:
    """A body that was not stored cannot be copied or sent again."""
    inspected.sender.send(b"\xff", "chat")

    assert "not stored" in get(inspected, "deliveries/1/copy/curl", 400)["error"]
    assert "not stored" in post(inspected, "deliveries/1/replay", 400)["error"]


# -- sending -------------------------------------------------------------------------


def test_send(inspected: Inspected) -> None:
    """The text of a notification is sent."""
    sent = post(inspected, "send", body=body().decode())

    assert sent == {"ids": [1], "ran": 1, "repeated": 0}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"body": 1},
        {"body": "{}", "how": "kindly"},
        {"body": "{}", "times": 0},
        {"body": "{}", "times": 101},
        {"body": "{}", "times": True},
    ],
)
def test_wrong_options(inspected: Inspected, options: dict[str, Any]) -> None:
    """An invalid call is 400, with a sentence, and nothing is sent."""
    assert post(inspected, "send", 400, **options)["error"].endswith(".")
    assert inspected.api.post("/api/send", json=[]).status_code == 400
    assert get(inspected, "deliveries") == []


def test_replay(inspected: Inspected) -> None:
    """A replay is a new request with the same body; the old one is unchanged."""
    inspected.send()

    assert post(inspected, "deliveries/1/replay")["ids"] == [2]

    old, new = get(inspected, "deliveries/1"), get(inspected, "deliveries/2")
    assert json.loads(old["request"]) == json.loads(new["request"])
    assert (new["source"], new["status"]) == ("replay of 1", 200)


def test_edited_replay(inspected: Inspected) -> None:
    """A replay with another body is answered for that."""
    inspected.send()
    text = body().decode().replace("John", "Ada")

    post(inspected, "deliveries/1/replay", body=text)

    reply = json.loads(get(inspected, "deliveries/2")["reply"])
    assert reply["actions"][0]["message"] == "Which colour, Ada?"


@pytest.mark.parametrize("together", [False, True])
def test_ten_times(inspected: Inspected, together: bool) -> None:
    """Ten requests run ten times; one delivery ten times runs once."""
    inspected.send()
    replay: Callable[..., Any] = lambda how: post(  # noqa: E731
        inspected, "deliveries/1/replay", how=how, times=10, together=together
    )

    fresh, same = replay("fresh"), replay("duplicate")

    assert (len(fresh["ids"]), fresh["ran"], fresh["repeated"]) == (10, 10, 0)
    assert (len(same["ids"]), same["ran"]) == (10, 1)


def test_diff(inspected: Inspected) -> None:
    """Two replies are compared, by their status and their content."""
    inspected.send()
    post(inspected, "deliveries/1/replay", body=body().decode().replace("John", "Ada"))
    inspected.send(FAIL)

    (changed,) = get(inspected, "deliveries/1/diff/2")
    assert changed[:2] == ["reply.actions.0.message", "changed"]
    assert get(inspected, "deliveries/1/diff/1") == []
    assert ["status", "changed", 200, 500] in get(inspected, "deliveries/1/diff/3")


# -- typing --------------------------------------------------------------------------


def test_check(inspected: Inspected) -> None:
    """A typed text has mistakes and completions."""
    found = post(inspected, "check", text='{"top', kind="notification", caret=5)

    assert found["typed"] == "top"
    assert found["options"] == ["topic"]
    assert found["mistakes"][0][0] == 1
    assert post(inspected, "check", text="{}", kind="json")["mistakes"] == []
    assert "'kind'" in post(inspected, "check", 400, text="{}", kind="poem")["error"]
    wrong = post(inspected, "check", 400, text="{}", kind="json", caret="x")
    assert "'caret'" in wrong["error"]


# -- the chat ------------------------------------------------------------------------


def chat(inspected: Inspected, act: dict[str, Any], **options: Any) -> Any:
    return post(inspected, "chat", act=act, **options)


def actions(answer: Any) -> list[str]:
    return [item["action"]["type"] for item in answer["items"] if "action" in item]


def test_conversation(inspected: Inspected) -> None:
    """Messages and clicks continue from the state of the conversation."""
    begun = chat(inspected, {"kind": "begin"})
    said = chat(inspected, {"kind": "say", "text": "hello"}, state=begun["state"])
    row = said["items"][-1]["action"]
    button = row["buttons"][0]
    click = {"kind": "click", "title": button["title"], "action": button["action"]}
    clicked = chat(inspected, click, state=said["state"])

    assert begun["items"] == []
    assert begun["places"][0] == [ASK, "ask"]
    assert [item["id"] for item in said["items"] if "id" in item] == [1]
    assert said["sessionChanges"] == [["asked", "added", None, True]]
    assert actions(clicked) == ["send_text_action"]
    assert clicked["place"] == ANSWER
    assert clicked["state"]["session"] == {"asked": True, "colour": "Red"}


@pytest.mark.parametrize("how", ["stale", "duplicate"])
def test_chat_sends_wrongly_on_purpose(inspected: Inspected, how: str) -> None:
    """A message can be sent with a mistake; the chat shows the problem."""
    answer = chat(inspected, {"kind": "say", "text": "hello"}, how=how)

    problems = [item["problem"] for item in answer["items"] if "problem" in item]
    notes = [item["note"] for item in answer["items"] if "note" in item]
    if how == "stale":
        assert problems[0].startswith("400 request_too_old\n")
    else:
        assert problems == []
        assert "repeated: the replay store had the reply, so no handler ran" in notes


ACTS: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"kind": "go", "step": ANSWER}, {"type": "go_to_action"}),
    ({"kind": "say", "text": "/event paid"}, {"type": "custom_event", "name": "paid"}),
    ({"kind": "say", "text": "/url x:y"}, {"type": "url_loaded_event", "url": "x:y"}),
    ({"kind": "say", "text": "//slash"}, {"type": "message", "text": "/slash"}),
    ({"kind": "say", "text": "/slash"}, {"type": "message", "text": "/slash"}),
]


@pytest.mark.parametrize(("act", "expected"), ACTS)
def test_what_else_a_user_does(
    inspected: Inspected, act: dict[str, Any], expected: dict[str, str]
) -> None:
    """A user can also go to a step, load a page, and make the site send an event."""
    assert actions(chat(inspected, act)) != []

    sent = json.loads(get(inspected, "deliveries/1")["request"])["data"]["input"]
    assert expected.items() <= sent.items()


def test_chat_says_what_cannot_be_done(inspected: Inspected) -> None:
    """Impossible acts are reported in the chat."""
    link = {"type": "open_url_action", "url": "https://example.com/"}
    for act in (
        {"kind": "dance"},
        {"kind": "click", "title": "Open", "action": link},
    ):
        (item,) = chat(inspected, act)["items"]
        assert item["problem"].endswith(".")
    assert chat(inspected, {"kind": "go", "step": NOBODY})["items"][-1]["problem"]
    damaged = post(inspected, "chat", 400, act={"kind": "begin"}, state={"user": 1})
    assert "invalid" in damaged["error"]


def test_bot_file(tmp_path: Path) -> None:
    """With a bot file jumps are followed, values are stored, and waits are drawn."""
    app = Flask("jumping")
    webhook = ClustaarWebhook(app, private_key="key")

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def jump(notification: Notification) -> Any:
        if notification.step.id != ASK:
            return "There."
        return [
            models.WaitAction(duration=1),
            models.StoreSessionValueAction(key="seen", value="yes"),
            models.JumpToAction(
                connections=[], default_target=models.StoryTarget(story_id=STORY)
            ),
        ]

    inspected = Inspected(tmp_path, app)
    steps = [{"id": ASK, "name": "Welcome"}, {"id": ANSWER, "name": "End"}]
    stories = [{"id": STORY, "step": ANSWER, "name": "Farewell"}]
    bot = Bot.from_json({"steps": steps, "stories": stories})
    program = Program(app, BASE_URL, bot=bot)
    inspected.api = create_inspector(program, inspected.store).test_client()

    answer = chat(inspected, {"kind": "say", "text": "hello"})

    assert actions(answer) == [
        "wait_action",
        "store_session_value_action",
        "send_text_action",
    ]
    assert answer["state"]["session"] == {"seen": "yes"}
    assert any("jumps to End" in item.get("note", "") for item in answer["items"])
    assert answer["places"] == [
        [ASK, "Welcome"],
        [ANSWER, "End"],
        [ANSWER, "Story: Farewell"],
    ]


def test_step_without_a_handler(inspected: Inspected) -> None:
    """A step without a handler executes its own actions, without a request."""
    actions_ = [{"type": "send_text_action", "alternatives": ["As designed."]}]
    bot = Bot.from_json([{"id": NOBODY, "name": "Designed", "actions": actions_}])
    program = Program(inspected.app, BASE_URL, bot=bot)
    inspected.api = create_inspector(program, inspected.store).test_client()

    answer = chat(inspected, {"kind": "say", "text": "hello"})

    assert answer["items"] == [{"action": actions_[0]}]


def test_request_that_was_not_recorded(
    inspected: Inspected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a request of the chat cannot be recorded, the chat reports it."""
    inspected.recorder.flush()
    monkeypatch.setattr(inspected.store, "get", lambda id: None)

    answer = chat(inspected, {"kind": "say", "text": "hello"})

    assert "was not recorded" in answer["items"][-1]["problem"]


# -- requests that are damaged -------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[" * 100_000,
        b'{"body": "\\ud800"}',
        b'{"body": "x", "how": []}',
        b'{"body": "x", "webhook": {}}',
    ],
    ids=lambda content: content[:30].decode(),
)
@pytest.mark.parametrize("path", ["send", "deliveries/1/replay", "chat", "check"])
def test_a_damaged_request_is_refused(
    inspected: Inspected, path: str, content: bytes
) -> None:
    """With a sentence, and not with a traceback."""
    inspected.send()
    response = inspected.api.post(
        f"/api/{path}", data=content, content_type="application/json"
    )
    assert response.status_code in (200, 400)
    if response.status_code == 400:
        assert response.get_json()["error"]


def test_an_id_that_is_too_large(inspected: Inspected) -> None:
    """The webhook is unknown."""
    for method in ("GET", "DELETE"):
        response = inspected.api.open(
            "/api/deliveries/99999999999999999999", method=method
        )
        assert response.status_code == 404
