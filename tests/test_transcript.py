"""How a conversation reads in a terminal."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flask_clustaar.models import (
    Action,
    GoToAction,
    Input,
    Message,
    QuickReply,
    SendQuickRepliesAction,
    SendTextAction,
    StepReachedResponse,
    UnknownAction,
    UnknownInput,
    WaitAction,
)
from flask_clustaar.transcript import (
    Line,
    Transcript,
    bubble_of,
    plain,
    render_action,
    render_changes,
    render_click,
    render_input,
    render_place,
    render_problem,
    render_reply,
)
from flask_clustaar.wire import members_of

STEP = {"type": "step", "id": "507f191e810c19729de860ea"}
STORY = {"type": "story", "id": "5a8c317624acbe05b1a36feb", "name": "Orders"}
GO_TO = {"type": "go_to_action", "target": STEP}
INTENT = {"type": "intent", "id": "507f191e810c19729de860ea", "name": "hello"}


def choice(title: str) -> dict[str, Any]:
    return {"type": "choice", "title": title}


#: The JSON of each action, without its type, and its transcript.
ACTIONS: list[tuple[str, dict[str, Any], str]] = [
    (
        "send_text_action",
        {"alternatives": ["Hello", "Hi"], "text": "Hi"},
        "Hi|· or: Hello",
    ),
    ("send_text_action", {"alternatives": ["a <b>b</b><br>c"]}, "a b|c"),
    ("send_text_action", {"alternatives": []}, ""),
    (
        "send_image_action",
        {"imageURL": "https://x.org/a.png"},
        "image https://x.org/a.png",
    ),
    (
        "send_image_action",
        {"imageURL": "https://x.org/a.png", "alt": "Map"},
        "image https://x.org/a.png (Map)",
    ),
    (
        "send_cards_action",
        {
            "cards": [
                {
                    "title": "Red <i>shoes</i>",
                    "subtitle": "59 EUR",
                    "imageURL": "https://x.org/red.png",
                    "url": "https://x.org/red?a=1&copy=2",
                    "buttons": [{"title": "Buy"}, {"title": "Share"}],
                },
                {"title": "Blue shoes", "subtitle": None, "imageURL": "", "url": ""},
            ]
        },
        "/ Red <i>shoes</i>|/ 59 EUR|/ image https://x.org/red.png"
        "|/ -> https://x.org/red?a=1&copy=2|/ [Buy] [Share]|--|/ Blue shoes",
    ),
    (
        "send_simple_cards_action",
        {"cards": [{"title": "Shoes", "buttons": [{"title": "See"}]}]},
        "/ Shoes|/ [See]",
    ),
    (
        "send_quick_replies_action",
        {"message": "Which?", "buttons": [{"title": "Red"}, {"title": "Blue"}]},
        "Which?|[Red] [Blue]",
    ),
    (
        "send_choices_list_action",
        {
            "message": "Where?",
            "placeholder": "City",
            "sections": [
                {"title": "France", "choices": [choice("Paris"), choice("Lyon")]},
                {"title": None, "choices": [choice("Rome")]},
            ],
        },
        "Where?|City …|/ France|/ [Paris]|/ [Lyon]|/ [Rome]",
    ),
    (
        "customer_satisfaction_action",
        {"message": "Happy?", "choices": [{"label": "Yes"}, {"label": "No"}]},
        "Happy?|[Yes] [No]",
    ),
    ("ask_location_action", {"message": "Where?"}, "Where?|[Send location]"),
    (
        "ask_document_action",
        {
            "message": "A file",
            "documents": [
                {
                    "message": "Your ID",
                    "name": "id_card",
                    "authorizedFileTypes": ["application/pdf", "image/png"],
                },
                {"message": "", "name": "bill", "authorizedFileTypes": ["image/"]},
            ],
        },
        "· asks for the document id_card: Your ID (application/pdf, image/png)"
        "|· asks for the document bill (image/)",
    ),
    ("google_custom_search_action", {"query": "shoes"}, "· searches the web for shoes"),
    ("wait_action", {"duration": 2}, "… 2 s"),
    ("wait_action", {"duration": 0.5}, "… 0.5 s"),
    ("jump_to_action", {"defaultTarget": STORY}, "· jumps to story Orders"),
    (
        "jump_to_action",
        {
            "defaultTarget": None,
            "connections": [
                {
                    "target": STEP,
                    "predicates": [
                        {
                            "type": "connection_predicate",
                            "valueGetter": {"type": "session_value", "key": "city"},
                            "condition": {"type": "equals", "expected": "Paris"},
                        },
                        {
                            "type": "connection_team_predicate",
                            "condition": {"type": "is_online"},
                        },
                        {
                            "type": "connection_user_predicate",
                            "condition": {"type": "is_not_logged"},
                        },
                    ],
                }
            ],
        },
        "· jumps to step 507f191e810c19729de860ea if session value city equals Paris "
        "and the team is online and the user is not logged|· jumps nowhere else",
    ),
    ("pause_bot_action", {}, "· pauses the bot"),
    ("send_ai_task_action", {"engine": {"name": "helper"}}, "· gives a task to helper"),
    (
        "store_session_value_action",
        {"key": "colour", "value": "red"},
        "· stores session value colour = red",
    ),
    (
        "store_session_value_action",
        {"key": "total", "value": "5", "add": True},
        "· adds 5 to session value total",
    ),
    (
        "set_user_attribute_action",
        {"key": "age", "value": "25"},
        "· stores user attribute age = 25",
    ),
    (
        "send_email_action",
        {"recipient": "a@x.org", "subject": "Hello", "content": "..."},
        "· sends an e-mail to a@x.org: Hello",
    ),
    ("send_js_event_action", {"event": "open"}, "· sends the page the event open"),
    (
        "send_js_event_action",
        {"event": "open", "payload": {"tab": 1}},
        "· sends the page the event open with {'tab': 1}",
    ),
    (
        "create_zendesk_ticket_action",
        {"user": {}, "description": "My parcel\nis late"},
        "· creates a Zendesk ticket: My parcel is late",
    ),
    (
        "create_zendesk_ticket_action",
        {"user": {}, "description": "...", "subject": "Late"},
        "· creates a Zendesk ticket: Late",
    ),
    ("create_user_request_action", {"message": "Help"}, "· asks a colleague: Help"),
    (
        "send_webhook_request_action",
        {"url": "https://x.org/"},
        "· sends a request to https://x.org/",
    ),
    (
        "assign_intercom_conversation_action",
        {"assigneeID": "12"},
        "· assigns the conversation in Intercom to 12",
    ),
    (
        "assign_intercom_conversation_action",
        {"assigneeID": None},
        "· assigns the conversation in Intercom to nobody",
    ),
    (
        "close_intercom_conversation_action",
        {},
        "· closes the conversation in Intercom",
    ),
    (
        "transfer_iadvize_conversation_action",
        {"distribution_rule": {"id": "1", "label": "Sales"}},
        "· hands the conversation over in iAdvize to Sales",
    ),
    ("close_iadvize_conversation_action", {}, "· closes the conversation in iAdvize"),
]


def rows(lines: list[Line]) -> str:
    """Return lines in one, with ``/`` for the bar of a card."""
    return "|".join(line.text.replace("| ", "/ ") for line in lines)


@pytest.mark.parametrize(("kind", "keys", "expected"), ACTIONS)
def test_action_reads_as_a_person_sees_it(
    kind: str, keys: dict[str, Any], expected: str
) -> None:
    """Each visible action is drawn as text; others are described."""
    assert rows(render_action({"type": kind, **keys})) == expected


def test_each_action_there_is_can_be_read() -> None:
    """No type of action is missing in the table above."""
    assert {kind for kind, _, _ in ACTIONS} == set(members_of(Action))


@pytest.mark.parametrize("kind", members_of(Action))
def test_action_without_its_keys_reads_as_far_as_it_goes(kind: str) -> None:
    """Missing values are question marks; the action is not unknown."""
    assert "unknown" not in rows(render_action({"type": kind}))


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "send_hologram_action"}, "· unknown action send_hologram_action"),
        ({"type": ["send_text_action"]}, "· unknown action ['send_text_action']"),
        ({"type": None}, "· unknown action ?"),
        ({}, "· unknown action ?"),
        (5, "· unknown action ?"),
        (UnknownAction(data=[]), "· unknown action ?"),
    ],
)
def test_unknown_action_is_shown_by_its_type(action: Any, expected: str) -> None:
    """An action of unknown type is shown by its type."""
    assert rows(render_action(action)) == expected


def test_model_reads_as_it_leaves() -> None:
    """A model is drawn after it was cleaned."""
    assert rows(render_action(SendTextAction("＜u＞5 < 6"))) == "<u>5 < 6"


def test_lines_have_a_style() -> None:
    """The style of a line distinguishes bubbles, cards, buttons and notes."""
    action = SendQuickRepliesAction(
        message="Which?",
        buttons=[QuickReply(title="Red", action=GoToAction.step("5" * 24))],
    )
    assert [line.style for line in render_action(action)] == ["bot", "button"]
    assert [line.style for line in render_action(WaitAction(duration=1))] == ["info"]


def test_reply_can_be_a_model() -> None:
    """A reply can be a model."""
    response = StepReachedResponse(actions=[SendTextAction("Hello")])
    assert rows(render_reply(response)) == "Hello"


@pytest.mark.parametrize("reply", [{}, {"actions": []}, {"actions": {}}, [], None])
def test_reply_without_actions_says_nothing(reply: Any) -> None:
    """An empty reply is shown as such."""
    assert rows(render_reply(reply)) == "· says nothing"


#: Inputs, and their transcripts.
INPUTS: list[tuple[Any, str]] = [
    (Message(text="hi <b>\nthere"), "hi <b>|there"),
    (
        {
            "type": "message",
            "text": "",
            "attachments": [{"type": "image", "url": "https://x.org/a.png"}],
        },
        "· image https://x.org/a.png",
    ),
    ({"type": "message"}, ""),
    ({"type": "message", "text": 5}, "5"),
    (
        {
            "type": "legacy_reply_to_message_action",
            "message": "a &amp; b",
            "attachments": [{"name": "bill", "url": "https://x.org/b"}],
        },
        "a & b|· bill https://x.org/b",
    ),
    (GO_TO, "· goes to step 507f191e810c19729de860ea"),
    ({"type": "go_to_action", "target": STORY}, "· goes to story Orders"),
    ({"type": "custom_event", "name": "paid"}, "· event paid"),
    ({"type": "url_loaded_event", "url": "https://x.org/"}, "· opens https://x.org/"),
    ({"type": "telepathy"}, "· unknown input telepathy"),
    (UnknownInput(data={"type": "telepathy"}), "· unknown input telepathy"),
    (UnknownInput(data={"type": "message", "text": 5}), "5"),
    (UnknownInput(data=5), "· no input"),
    (None, "· no input"),
    (Message(text="[Red]\n[Blue]"), "\\[Red]|[Blue]"),
    (Message(text="· event paid"), "\\· event paid"),
    (Message(text="\\o/"), "\\\\o/"),
]


@pytest.mark.parametrize(("input", "expected"), INPUTS)
def test_input_reads_as_what_the_user_did(input: Any, expected: str) -> None:
    """Each input is shown from the user's side; a text is unchanged."""
    assert rows(render_input(input)) == expected


@pytest.mark.parametrize("kind", members_of(Input))
def test_each_input_there_is_can_be_read(kind: str) -> None:
    """No type of input is unknown."""
    assert "unknown" not in rows(render_input({"type": kind}))


def test_problem_reads_with_its_errors() -> None:
    """A problem is shown with its violations and paths."""
    problem = {
        "status": 500,
        "code": "invalid_reply",
        "detail": "The reply is invalid.",
        "errors": [
            {"path": "actions.0.text", "message": "Too long."},
            {"path": "", "message": "Not an object."},
        ],
    }
    assert rows(render_problem(problem)) == (
        "500 invalid_reply: The reply is invalid."
        "|  actions.0.text: Too long.|  Not an object."
    )
    assert rows(render_problem({"status": 404, "detail": "Gone"})) == "404: Gone"


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<b>Hello</b> <a href='https://x.org'>there</a>", "Hello there"),
        ("a<br>b<BR />c", "a\nb\nc"),
        ("Buy:<ul><li>milk</li><li>eggs</li></ul>now", "Buy:\n- milk\n- eggs\nnow"),
        ("5 &lt; 6 &amp;&amp; AT&T &#233;", "5 < 6 && AT&T é"),
        ("5 < 6", "5 < 6"),
        ('{{@user.FirstName || "there"}}', '{{@user.FirstName || "there"}}'),
        ("https://x.org/?a=1&copy=2", "https://x.org/?a=1&copy=2"),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_plain_text_is_what_a_browser_shows(html: str, expected: str) -> None:
    """Tags go, breaks and lists keep their lines, references become characters."""
    assert plain(html) == expected


#: Known keys, with invalid values.
KEYS = (
    "text alternatives message buttons cards title sections choices label documents "
    "connections predicates condition valueGetter target defaultTarget engine add "
    "authorizedFileTypes attachments name url status errors path actions"
).split()
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1e400, 10**5000, "", "\x1b\n", [], {}, [[]], [{}]]
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), ODD, max_size=3)


@settings(max_examples=100)
@given(
    kind=st.sampled_from([*members_of(Action), *members_of(Input)]) | ODD,
    document=st.dictionaries(
        st.sampled_from(KEYS), ODD | OBJECTS | st.lists(OBJECTS, max_size=2)
    ),
)
def test_nothing_fails_to_be_read(kind: Any, document: dict[str, Any]) -> None:
    """Whatever the JSON, it is drawn, in lines that a terminal can show."""
    document["type"] = kind
    reply = {"actions": [document, [], kind]}
    lines = render_reply(reply) + render_input(document) + render_problem(document)
    for line in lines:
        assert len(line.text.splitlines()) <= 1
        line.text.encode()


def test_deep_json_is_read() -> None:
    """Deeply nested JSON is drawn as far as possible."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    action = {"type": "send_text_action", "text": deep, "alternatives": [deep]}
    assert rows(render_action(action)) == "[[[...]]]"


def test_transcript_reads_as_a_conversation() -> None:
    """The speaker is before the first line; places and values are not indented."""
    heard: list[Line] = []
    transcript = Transcript(heard.append)
    transcript.add([render_place("Welcome"), Line("hello", "user", "you")])
    transcript.add([Line("Hello!", "bot", "bot"), Line("", "bot"), Line("?", "bot")])
    transcript.add(render_click("Buy", 2))
    transcript.add(render_changes("session", {"a": 1, "b": 1}, {"b": True, "c": "é"}))

    assert str(transcript).splitlines() == [
        "at Welcome",
        "you  hello",
        "bot  Hello!",
        "",
        "     ?",
        "you  [Buy] (2)",
        "session b = true",
        'session c = "é"',
        "session a is removed",
    ]
    assert heard == transcript.lines


def card(title: str, action_type: str) -> dict[str, Any]:
    button = {"title": title, "action": {"type": action_type}}
    return {"title": "Shoes", "buttons": [button]}


@pytest.mark.parametrize(
    "action_type",
    ["legacy_reply_to_message_action", "customer_satisfaction_callback_action"],
)
def test_card_button_that_is_not_drawn(action_type: str) -> None:
    """The webchat does not show two types of buttons on a card, and a line says so."""
    cards = [card("Yes", action_type), card("Share", "share_action")]
    lines = render_action({"type": "send_cards_action", "cards": cards})

    assert rows(lines) == (
        "/ Shoes|--|/ Shoes|/ [Share]"
        f"|· [Yes] is not drawn: its action is {action_type}"
    )


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"type": "send_choices_list_action", "placeholder": "?"}, "|? …"),
        ({"type": "send_text_action", "text": "a\n\nb"}, "a||b"),
        ({"type": "send_quick_replies_action", "message": "", "buttons": []}, ""),
        ({"type": "ask_location_action", "message": "a <b>\n b"}, "a <b> b"),
    ],
)
def test_bubble(action: dict[str, Any], expected: str) -> None:
    """A list draws a bubble without a message too; only two texts are HTML."""
    first, *_ = render_action(action)
    drawn = rows([line for line in render_action(action) if line.style != "button"])

    assert drawn == expected
    assert (bubble_of(action) is None) is (first.style != "bot")


def test_channel_that_does_not_show_an_action() -> None:
    """For other channels, a line shows the support of an action."""
    cards = {"type": "send_cards_action", "cards": []}
    question = {"type": "send_quick_replies_action", "message": "?", "buttons": []}

    for channel in (None, "clustaar_web_chat", "facebook", "sms"):
        assert render_action(cards, channel) == []
    assert rows(render_reply({"actions": [cards]}, "twilio")) == (
        "· send_cards_action: not available on Twilio"
    )
    assert rows(render_action(question, "iadvize")).endswith(
        "· send_quick_replies_action: support on iAdvize is not documented"
    )


def test_personal_data_is_shown_as_its_label() -> None:
    """Obfuscated values in a text are shown as labels."""
    hidden = "Call **basic_obfuscation_of_phone_number** or **custom_obfuscation_of_X**"
    assert plain(hidden) == "Call Phone number or X"
