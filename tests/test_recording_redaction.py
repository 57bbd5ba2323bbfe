"""Redaction: what a recording shows of a user."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from keeping import kept_by
from serving import notification

from flask_clustaar.recording.patterns import hide_patterns
from flask_clustaar.recording.pseudonyms import Pseudonyms
from flask_clustaar.recording.redaction import Redactor, blank, blank_reply

KEY = b"the key of a day"
ID = "607f1f77bcf86cd799439022"
USER = {
    "id": ID,
    "userID": "customer-1742",
    "externalID": None,
    "location": {"lat": 48.85, "long": 2.35},
    "firstName": "John",
    "lastName": "Appleseed",
    "email": "j.appleseed@example.com",
    "phoneNumber": "+33 6 98 76 54 32",
    "customAttributes": {"city": "Bordeaux", "age": "25", "newsletter": "true"},
    "isLogged": True,
    "usedToTest": False,
}


def request_of(
    user: Any = USER, *, text: str = "hello", session: Any = None, **data: Any
) -> dict[str, Any]:
    """Return a notification as a dict."""
    document = notification(**(session or {}))
    document["data"]["interlocutor"] = user
    document["data"]["input"]["text"] = text
    document["data"].update(data)
    return document


def reply_of(*texts: str, **more: Any) -> dict[str, Any]:
    """Return a reply that says these texts."""
    actions = [
        {"type": "send_text_action", "alternatives": [text], "text": text}
        for text in texts
    ]
    return {"actions": actions, **more}


def redacted(
    request: Any, reply: Any = None, *, key: bytes = KEY, texts: bool = False
) -> tuple[Any, Any]:
    """Return a request and its reply, redacted."""
    redactor = Redactor(key)
    redact = redactor.without_texts if texts else redactor.pseudonymise
    documents = redact(json.dumps(request).encode(), json.dumps(reply).encode())
    return json.loads(documents[0]), json.loads(documents[1])


def user_of(request: Any) -> Any:
    return request["data"]["interlocutor"]


def said(text: str, user: Any = USER) -> str:
    """Return a text of a reply, redacted."""
    _, reply = redacted(request_of(user), reply_of(text))
    shown: str = reply["actions"][0]["text"]
    return shown


# -- the user ------------------------------------------------------------------------


def test_pseudonyms_fit_their_fields() -> None:
    """A pseudonym has the form of its value."""
    user = user_of(redacted(request_of())[0])

    assert re.fullmatch(r"[0-9a-f]{24}", user["id"])
    assert re.fullmatch(r"[a-z]{8}-[0-9]{4}", user["userID"])
    assert re.fullmatch(r"First[a-z]{5}", user["firstName"])
    assert re.fullmatch(r"Last[a-z]{5}", user["lastName"])
    assert re.fullmatch(r"[a-z]{10}@example\.invalid", user["email"])
    assert re.fullmatch(r"\+00 0 \d\d \d\d \d\d \d\d", user["phoneNumber"])
    assert re.fullmatch(r"[A-Z][a-z]{7}", user["customAttributes"]["city"])
    assert re.fullmatch(r"[1-9]\d", user["customAttributes"]["age"])


def test_pseudonyms_have_the_form_of_their_values() -> None:
    """Lower case stays lower case, and a hexadecimal id stays hexadecimal."""
    shown, _ = redacted(request_of(USER | {"firstName": "jo", "userID": "f0" * 10}))

    assert user_of(shown)["firstName"].islower()
    assert re.fullmatch("[0-9a-f]{20}", user_of(shown)["userID"])
    assert user_of(shown)["userID"] != "f0" * 10


def test_what_is_not_personal_stays() -> None:
    """Flags and absent values stay; a location becomes null."""
    user = user_of(redacted(request_of())[0])

    assert (True, False) == (user["isLogged"], user["usedToTest"])
    assert "true" == user["customAttributes"]["newsletter"]
    assert (None, None) == (user["externalID"], user["location"])


def test_nothing_of_the_user_is_left() -> None:
    """No name, number, address or attribute of the user is in the recording."""
    session = {"who": f"John Appleseed <{USER['email']}>", "tel": "0033698765432"}
    text = f"I am JOHN, customer-1742 ({ID}), from bordeaux, +33 6 98 76 54 32"
    reply = reply_of(f"Hello John from Bordeaux, {USER['email']}", session=session)

    shown = json.dumps(redacted(request_of(text=text, session=session), reply)).lower()

    values = [ID, "customer-1742", "1742", "john", "appleseed", "bordeaux", "98 76"]
    assert [] == [value for value in values if value in shown]
    assert "698765432" not in shown


def test_rest_of_the_request_stays() -> None:
    """The topic, the bot, the channel and the step are recorded unchanged."""
    request = request_of({"id": "507f1f77bcf86cd799439011"})

    shown, _ = redacted(request)

    assert request["data"]["step"] == shown["data"]["step"]
    assert "507f1f77bcf86cd799439011" == shown["botID"]
    kept = ("topic", "timestamp", "type")
    assert [request[name] for name in kept] == [shown[name] for name in kept]
    assert "facebook" == shown["data"]["channel"]


def test_unknown_attributes_of_a_user_are_replaced() -> None:
    """Unknown attributes are treated as personal."""
    user = {"nick": "Johnny", "more": [{"street": "Rue de la Paix", "no": 12}, 1.5]}

    shown = user_of(redacted(request_of(user))[0])

    assert shown["nick"] != "Johnny"
    assert "Paix" not in json.dumps(shown)
    assert isinstance(shown["more"][0]["no"], int)
    assert 0.0 == shown["more"][1]


@pytest.mark.parametrize("user", [None, "John", ["John"], 7, {}])
def test_odd_users(user: Any) -> None:
    """A user that is not an object is replaced as a value, except null."""
    shown, _ = redacted(request_of(user))

    assert "John" not in json.dumps(shown)
    assert (user is None) == (user_of(shown) is None)


def test_odd_names_are_replaced() -> None:
    """A name that is not a string is replaced like other values."""
    user = {"firstName": 17, "phoneNumber": 612, "email": "none known"}
    shown = user_of(redacted(request_of(user))[0])

    assert shown["email"] not in ("none known", "")
    assert isinstance(shown["firstName"], int)
    assert isinstance(shown["phoneNumber"], int)


# -- texts ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Hi John!", "hi john", "HI JOHN", "John_", "Jo'John"])
def test_names_are_found_as_words_in_any_case(text: str) -> None:
    """A name in a text becomes the pseudonym, in the case in which it is written."""
    name = user_of(redacted(request_of())[0])["firstName"]
    for written in (str, str.lower, str.upper):
        text = text.replace(written("John"), written(name))

    assert text == said(text.replace(name, "John"))


def test_names_inside_of_words_stay() -> None:
    """Part of another word is not the user's name."""
    assert "Johnny has Johnson's" == said("Johnny has Johnson's")


def test_each_word_of_a_name_is_found() -> None:
    """A bot may say one word of a name."""
    user = {"firstName": "Mary Ann", "lastName": "O'Brien-Smith"}

    shown = user_of(redacted(request_of(user))[0])

    first, second = shown["firstName"].split()
    assert f"Dear {second}, dear {first}" == said("Dear Ann, dear Mary", user)
    assert shown["lastName"].startswith("O'Last")


def test_names_without_spaces_around_are_found() -> None:
    """Not all scripts put a space between words."""
    shown = said("我是王小明的朋友", {"firstName": "小明", "lastName": "王"})

    assert "小明" not in shown


def test_names_in_other_forms_of_unicode_are_found() -> None:
    """A reply is normalised before it is sent."""
    assert "José" not in said("Hola José", {"firstName": "Jose\u0301"})
    assert "José" not in said("Hola José", {"firstName": "JOSÉ", "lastName": "José"})
    assert "STRASSER" not in said("HALLO STRASSER", {"lastName": "Straßer"})
    assert "İpek" not in said("Merhaba İpek", {"firstName": "İpek"})


def test_values_that_json_escapes_are_found() -> None:
    """Quotation marks and line breaks in a value do not hide it."""
    value = 'the "Owl"\nof \\ Bath\t'

    assert "Owl" not in said(f"You are {value}!", {"customAttributes": {"a": value}})


def test_what_is_written_alike_wins() -> None:
    """A user id and a first name that differ in case keep their own pseudonyms."""
    user = {"userID": "john", "firstName": "John"}
    shown = user_of(redacted(request_of(user))[0])

    assert f"{shown['userID']} {shown['firstName']}" == said("john John", user)


def test_longest_value_wins() -> None:
    """An e-mail address is replaced as a whole, not name by name."""
    user = {"firstName": "John", "email": "john@example.com"}
    shown = user_of(redacted(request_of(user))[0])

    assert f"to {shown['email']}" == said("to john@example.com", user)
    assert "example.org" not in said("to john@example.org", user)


def test_short_attributes_stay_in_texts() -> None:
    """In a text, '25' is rarely the user's age."""
    assert "25.00 EUR" == said("25.00 EUR")


@pytest.mark.parametrize(
    "personal",
    [
        "mary@example.org",
        "+44 20 7946 0958",
        "06 12 34 56 78",
        "(212) 555-0123",
        "4111 1111 1111 1111",
        "FR76 3000 6000 0112 3456 7890 189",
        "DE89370400440532013000",
        "123456789",
    ],
)
def test_patterns(personal: str) -> None:
    """All addresses and long numbers are replaced."""
    assert personal not in said(f"Write to {personal}.")
    assert personal not in said(f"{{{{@user.FirstName}}}}, write to {personal}.")


@pytest.mark.parametrize(
    "text",
    [
        "On 2026-11-25 at 13:07",
        "59.00, 49.00 and 24.00",
        "Room 12, floor 3",
        "step 507191810191729860123456",
        "01/02/2026",
        "@home",
        "{{@user.FirstName}}, of {{@session.shop.city}}",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    """Dates, prices and ids of objects are not telephone numbers."""
    assert text == said(text)


def test_urls_that_the_user_sent() -> None:
    """Of a URL the path stays; its host, query and fragment are replaced."""
    url = "https://cdn.example.com/cats/7.png?token=abc&user=john#top"
    attachment = {"type": "image", "url": url}
    input = {"type": "message", "text": "look", "attachments": [attachment]}

    request, reply = redacted(request_of(input=input), reply_of(f"I saw {url}"))

    shown = request["data"]["input"]["attachments"][0]["url"]
    assert re.fullmatch(
        r"https://\w+\.invalid/cats/7\.png\?token=[a-z]{3}&user=[a-z]{4}#[a-z]{3}",
        shown,
    )
    assert f"I saw {shown}" == reply["actions"][0]["text"]


@pytest.mark.parametrize(
    "url", ["http://[broken", "/relative/path", "https://h/?plainquery", "mailto:x"]
)
def test_odd_urls(url: str) -> None:
    """Any URL can be redacted."""
    request, _ = redacted(request_of(input={"type": "url_loaded_event", "url": url}))

    assert "plainquery" not in json.dumps(request)


def test_sessions() -> None:
    """In a session the user is found in texts, keys and numbers."""
    session = {
        "names": ["John"],
        "baskets": {ID: 1},
        "customer": 1742007,
        "John": "x",
        "ok": True,
        "price": 5.5,
    }
    user = USER | {"userID": "1742007"}

    request, reply = redacted(
        request_of(user, session=session), reply_of(session={"values": session})
    )

    shown = request["data"]["session"]["values"]
    assert shown == reply["session"]["values"]
    assert int(user_of(request)["userID"]) == shown["customer"]
    assert [user_of(request)["id"]] == list(shown["baskets"])
    assert [user_of(request)["firstName"]] == shown["names"]
    assert (True, 5.5) == (shown["ok"], shown["price"])


def test_words_of_the_platform_stay() -> None:
    """A user whose name is a word of the platform does not change its meaning."""
    button = {
        "type": "quick_reply",
        "title": "Step",
        "action": {
            "type": "go_to_action",
            "target": {"type": "step", "id": ID},
            "sessionValues": {"kind": "Step"},
        },
    }
    action = {
        "type": "send_quick_replies_action",
        "message": "Step",
        "buttons": [button],
    }

    request, reply = redacted(
        request_of({"id": ID, "firstName": "Step"}), {"actions": [action]}
    )

    shown = reply["actions"][0]
    name = user_of(request)["firstName"]
    assert "send_quick_replies_action" == shown["type"]
    assert {"type": "step", "id": ID} == shown["buttons"][0]["action"]["target"]
    assert name == shown["message"] == shown["buttons"][0]["title"]
    assert {"kind": name} == shown["buttons"][0]["action"]["sessionValues"]


def test_new_names_in_a_reply() -> None:
    """A name that the bot learns is found in what the user wrote."""
    reply = reply_of(interlocutor=USER | {"firstName": "Peter"})

    request, reply = redacted(request_of(text="I am peter"), reply)

    name = reply["interlocutor"]["firstName"]
    assert f"I am {name.lower()}" == request["data"]["input"]["text"]
    assert user_of(request) | {"firstName": name} == reply["interlocutor"]


def test_problems_are_replies() -> None:
    """Problem bodies are redacted like replies."""
    _, reply = redacted(request_of(), {"status": 500, "detail": "John failed"})
    _, odd = redacted(request_of(), ["John"])

    assert "John" not in json.dumps([reply, odd])


# -- replies without texts -----------------------------------------------------------


def test_without_texts() -> None:
    """With 'texts', all letters of texts become x."""
    request, reply = redacted(
        request_of(text="Call Mary!", session={"note": "Mary", "n": 3}),
        reply_of("Hello John"),
        texts=True,
    )

    assert "xxxx xxxx!" == request["data"]["input"]["text"]
    assert {"note": "xxxx", "n": 3} == request["data"]["session"]["values"]
    assert "xxxxx xxxx" == reply["actions"][0]["text"]
    assert user_of(request)["firstName"].startswith("First")


def test_urls_without_texts() -> None:
    """URLs and technical names are not texts."""
    card = {"type": "card", "title": "Hat", "imageURL": "https://e.com/hat.png"}

    _, reply = redacted(request_of(), {"actions": [card]}, texts=True)

    assert [card | {"title": "xxx"}] == reply["actions"]


def test_replies_are_compared_without_texts() -> None:
    """A new reply can be compared with one without texts."""
    reply = reply_of("Hello John", session={"values": {"a": ["b"]}})

    assert redacted(request_of(), reply, texts=True)[1] == blank_reply(reply)


# -- properties ----------------------------------------------------------------------

names = st.text(string.ascii_letters, min_size=3, max_size=12)
words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(first=names, last=names, city=names, text=words, note=words)
@example("ab0", "xyz", "Abc", "ab0 XYZ", "abc")
def test_redacted_request_gives_the_redacted_reply(
    first: str, last: str, city: str, text: str, note: str
) -> None:
    """A bot that repeats what it knows answers a redacted request as redacted."""
    parts = {first.lower(), last.lower(), city.lower()}
    assume(len(parts) == 3 and not parts & {"hello", "you", "said"})
    assume(not parts & {"yes", "null", "none", "true", "false"})
    user = USER | {
        "firstName": first,
        "lastName": last,
        "customAttributes": {"city": city},
    }
    request = request_of(user, text=text, session={"note": note})

    def greet(request: Any) -> dict[str, Any]:
        user, data = user_of(request), request["data"]
        return reply_of(
            f"Hello {user['firstName']}, you said: {data['input']['text']}",
            f"{user['firstName'].upper()} {user['lastName'].lower()} {user['id']}",
            f"{user['email']} {user['phoneNumber']} {user['customAttributes']['city']}",
            session=data["session"],
        )

    shown, reply = redacted(request, greet(request))

    assert greet(shown) == reply


@given(first=names, text=words, before=words)
def test_no_name_survives(first: str, text: str, before: str) -> None:
    """A name between two words is never recorded."""
    request = request_of({"firstName": first}, text=f"{before} {first} {text}")

    shown, reply = redacted(request, reply_of(f"{text} {first}"))

    texts = [shown["data"]["input"]["text"], reply["actions"][0]["text"]]
    pattern = re.compile(rf"(?<![^\W_]){first}(?![^\W_])", re.I)
    assert not any(map(pattern.search, texts))


SCRIPTS = "éÉïßŐñıİКорольΩδ王小明עאشك\u212aklmn' -_."


@given(
    name=st.text(SCRIPTS, min_size=1, max_size=8),
    other=st.text(SCRIPTS, max_size=8),
    write=st.sampled_from([str, str.upper, str.lower, str.title, str.swapcase]),
    escaped=st.booleans(),
)
@example("İpek", "k", str, False)
@example("\u212aim", "k", str.lower, False)
@example("Иван", "", str.upper, True)
@example("O'Neill / Söhne\t", "", str, False)
def test_no_attribute_survives_in_any_script(
    name: str, other: str, write: Callable[[str], str], escaped: bool
) -> None:
    """However a value and its document are written, the value is found."""
    assume(len(name.strip()) > 2 and any(map(str.isalnum, name)))
    user = {"customAttributes": {"nick": name, "other": other}}
    request, reply = request_of(user, text=f"I am {name}."), reply_of(write(name))
    shown, said = (
        json.loads(document)
        for document in Redactor(KEY).pseudonymise(
            json.dumps(request, ensure_ascii=escaped).encode(),
            json.dumps(reply, ensure_ascii=escaped).encode(),
        )
    )

    new = user_of(shown)["customAttributes"]["nick"]
    assert f"I am {new}." == shown["data"]["input"]["text"]
    if write(name).lower() == name.lower():
        assert new.lower() == said["actions"][0]["text"].lower()


def test_first_bytes_of_digits() -> None:
    """A long number is found in each script that has digits."""
    for zero in filter(str.isdecimal, map(chr, range(0x110000))):
        text = "".join(chr(ord(zero) + offset) for offset in (0, 0, 0)) * 4
        assert said(text) != text


@given(value=st.text(string.ascii_lowercase + "é ü-", min_size=30))
def test_pseudonyms_of_two_days_cannot_be_joined(value: str) -> None:
    """A pseudonym depends on the value and on the key of the day, and on no more."""
    assume(sum(map(str.isalnum, value)) >= 12)
    today = Pseudonyms(b"today")

    assert today.shaped(value) == Pseudonyms(b"today").shaped(value)
    assert today.shaped(value) != Pseudonyms(b"tomorrow").shaped(value)
    assert len(value) == len(today.shaped(value))


@given(document=st.recursive(st.none() | words | st.integers(), st.lists, max_leaves=5))
def test_odd_requests(document: Any) -> None:
    """Whatever has a place in a notification can be redacted."""
    for place in ("input", "session", "step", "interlocutor", "new"):
        request = request_of()
        request["data"][place] = document
        redacted(request, document)
    redacted({"topic": "x", "data": document}, None)
    redacted({"topic": "x"}, None)


def test_nothing_passes_unread() -> None:
    """A part of a request in another form than expected is redacted as well."""
    request = request_of({"firstName": "John"}, new="John", step="John")
    request["more"] = "John"

    assert "John" not in json.dumps(redacted(request)[0])
    odd = {"data": "mary@example.org"}
    assert "mary" not in json.dumps(redacted(odd)[0])


def test_attachments_without_urls() -> None:
    """An input may have a 'url' that is not a URL, and malformed attachments."""
    input = {"url": 7, "attachments": ["John", {"url": None}]}
    request = request_of({"firstName": "John"}, input=input)

    assert "John" not in json.dumps(redacted(request)[0])


def test_lone_surrogates() -> None:
    """Characters that Python accepts, but UTF-8 cannot encode, are replaced."""
    request = request_of({"firstName": "John"}, text="\ud800 John")

    shown, _ = redacted(request)

    assert "John" not in json.dumps(shown)


def test_user_has_one_pseudonym_a_day() -> None:
    """The acts of a user can be followed for a day."""
    redactor = Redactor(KEY)
    request = json.dumps(request_of(USER | {"phoneNumber": "112"})).encode()

    first = redactor.pseudonymise(request, b"null")

    assert first == redactor.pseudonymise(request, b"null")


def test_many_users() -> None:
    """Only so many users and steps are kept in memory."""
    redactor = Redactor(KEY)
    kept = 0
    for number in range(1001):
        kept = kept_by(redactor) if number == 1000 else 0
        request = request_of({"id": f"{number}"})
        request["data"]["step"]["userData"] = f"{number}"
        redactor.pseudonymise(json.dumps(request).encode(), b"null")

    assert kept_by(redactor) < kept / 10


def test_step_that_is_sent_again() -> None:
    """Personal data in a step are always found, and other texts are kept."""
    redactor = Redactor(KEY)
    request = request_of()
    request["data"]["step"]["userData"] = "for john, from 11 22 33 44, 556677889900"
    request["data"]["step"]["actions"] = reply_of("Dear John!")["actions"]
    other = request_of({"firstName": "Will", "id": "1234"})
    other["data"]["step"] = request["data"]["step"]
    documents = [json.dumps(each).encode() for each in (request, other)]

    shown = [
        json.loads(redactor.pseudonymise(document, b"null")[0])["data"]
        for document in documents * 3
    ]

    assert shown[:2] == shown[2:4] == shown[4:]
    name = shown[0]["interlocutor"]["firstName"]
    assert f"Dear {name}!" == shown[4]["step"]["actions"][0]["text"]
    assert f"for {name.lower()}, from" == shown[4]["step"]["userData"][:20]
    assert "for john, from" == shown[5]["step"]["userData"][:14]
    assert "556677889900" not in shown[5]["step"]["userData"]


@pytest.mark.parametrize("name", ["John", "Jean-Paul", "Владимир", "小明", "Né"])
def test_name_in_a_known_step_and_action(name: str) -> None:
    """A name is found in a step and an action that were recorded before."""
    redactor = Redactor(KEY)
    request, reply = request_of({"firstName": name}), reply_of(f"Hello {name}!")
    request["data"]["step"]["actions"] = reply["actions"]
    documents = [
        json.dumps(each, ensure_ascii=False).encode() for each in (request, reply)
    ]

    first, *others = [redactor.pseudonymise(*documents) for _ in range(4)]

    assert [first] * 3 == others
    assert name not in b"".join(first).decode()


spelled = st.sampled_from(
    ["John", "JOHN", "Johnny", "nJohn", "Zoé", "zoe", "İpek", "Jean-Paul", "New York"]
    + ["c-2000", "xc-20001", "507f1f77bcf86cd799439033", "+33 6 12 34 56 78", "老王"]
    + ["zoe@example.com", "azoe@example.com", "{{@user.Name}}", "\n", "\t", "\x01"]
    + ['"', "\\", "/", " ", "é", "1", "-"]
)
phrases = st.lists(spelled, max_size=6).map("".join)


@given(
    users=st.lists(st.lists(phrases, min_size=5, max_size=5), min_size=2, max_size=2),
    texts=st.lists(phrases, min_size=4, max_size=4),
    turns=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), min_size=3),
)
def test_known_parts_are_redacted_like_new_ones(
    users: list[list[str]], texts: list[str], turns: list[tuple[int, int]]
) -> None:
    """What was recorded before does not change how a delivery is redacted."""
    redactor = Redactor(KEY)
    names = ("userID", "firstName", "lastName", "email", "nick")
    people = [dict(zip(names, values, strict=True)) for values in users]
    for who, what in turns:
        request = request_of(people[who], text=texts[what])
        request["data"]["step"]["actions"] = reply_of(texts[what - 1])["actions"]
        documents = [
            json.dumps(each, ensure_ascii=False).encode()
            for each in (request, reply_of(texts[what], texts[what - 2]))
        ]

        known = redactor.pseudonymise(*documents)
        new = Redactor(KEY).pseudonymise(*documents)

        assert [json.loads(each) for each in known] == [
            json.loads(each) for each in new
        ]


def both_ways(
    first: str, text: str, before: str, separators: Any, place: int
) -> tuple[list[Any], list[Any]]:
    """Return a request and its reply as redacted unparsed, and parsed."""
    said = f"{before} {first} {text}"
    session = {"note": said, first: [said, 5], "id": first}
    request = request_of({"firstName": first, "id": "1" * 24}, text=said)
    actions: list[Any] = [
        {"type": "send_text_action", "alternatives": [first, said], "text": said},
        {"type": "go_to_action", "target": {"type": "step", "name": first}},
        {"type": first, "title": first, "name": said, "id": first, "kind": said},
        {"type": "x", "sessionValues": {"kind": first, "n": [first, {"id": said}]}},
        {"payload": said, first: first, "values": [first]},
        session,
    ]
    request["data"]["step"]["actions"] = actions[place:]
    request["data"]["session"] = {"values": session if place else {}}
    reply = {"actions": actions[:place], "session": {"values": session}}

    # Requests with unknown keys or another user have to be parsed.
    parsed = request | {"unknown": None}
    documents = [
        Redactor(KEY).pseudonymise(
            json.dumps(document, separators=separators, ensure_ascii=False).encode(),
            json.dumps(answer, separators=separators, ensure_ascii=False).encode(),
        )
        for document, answer in [
            (request, reply),
            (parsed, reply | {"interlocutor": None}),
        ]
    ]

    quick, slow = ([json.loads(each) for each in pair] for pair in documents)
    return quick, slow


def assert_same(quick: list[Any], slow: list[Any]) -> None:
    assert quick[0] | {"unknown": None} == slow[0]
    assert quick[1] | {"interlocutor": None} == slow[1]


@given(
    first=names,
    text=words,
    before=words,
    separators=st.sampled_from([(",", ":"), (", ", ": ")]),
    place=st.integers(0, 5),
)
def test_all_ways_to_redact_give_the_same(
    first: str, text: str, before: str, separators: Any, place: int
) -> None:
    """Whether a document is parsed or not, the same is replaced in it."""
    assert_same(*both_ways(first, text, before, separators, place))


@pytest.mark.parametrize(
    ("first", "text", "before", "separators", "place"),
    [
        ("type", 'a "', "", (",", ":"), 3),
        ("abc", ", 5", ": ", (",", ":"), 1),
        ("abc", "\\", "\\", (",", ":"), 2),
        ("abc", "", "x", (",\n", ":\n"), 0),
    ],
)
def test_documents_that_look_like_others_are_redacted_alike(
    first: str, text: str, before: str, separators: Any, place: int
) -> None:
    """Texts that look like JSON, and JSON with line breaks."""
    assert_same(*both_ways(first, text, before, separators, place))


# -- comparing -----------------------------------------------------------------------


def test_patterns_are_hidden_for_comparison() -> None:
    """A text of a recording is compared without what a pattern replaced in it."""
    text = "Write to help@example.com or call 06 12 34 56 78, room 12345."

    assert "Write to <e-mail> or call <number>, room 12345." == hide_patterns(text, "")
    assert text.replace("06 12 34 56 78", "<number>") == hide_patterns(
        text, "my address is help@example.com"
    )
    assert "room 12" == hide_patterns("room 12", "")


def test_blank_keeps_the_form() -> None:
    """Each letter and digit becomes an x; other characters are kept."""
    assert "xxxxx, xxxx 7_!".replace("7", "x") == blank("Hello, John 7_!")
