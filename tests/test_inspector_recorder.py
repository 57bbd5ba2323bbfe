"""The recorder: each request to a webhook is recorded, and none is changed."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request
from inspected_bots import (
    ANSWER,
    ASK,
    FAIL,
    INVALID,
    NOBODY,
    PASSWORD,
    Inspected,
    body,
    inspected_bot,
)

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.inspector.trace import MOST_BYTES, Body
from flask_clustaar.recording.delivery import Delivery


@pytest.fixture
def inspected(tmp_path: Path) -> Inspected:
    return Inspected(tmp_path)


def from_wire(inspected: Inspected, content: bytes, **headers: str) -> Delivery:
    """Send a signed request as from outside, and return how it was recorded."""
    signed = inspected.sender.signer.deliver(content)
    inspected.app.test_client().post(
        "/clustaar", data=signed.body, headers=signed.headers | headers, buffered=True
    )
    inspected.recorder.flush()
    (delivery,) = inspected.store.deliveries()
    return delivery


def outcomes(delivery: Delivery) -> dict[str, str]:
    return {name: outcome for name, outcome, _ in delivery["checks"]}


# -- what is recorded ----------------------------------------------------------------


def test_reply(inspected: Inspected) -> None:
    """An answered request has its body, reply, step and times."""
    delivery = from_wire(inspected, body())

    assert delivery["source"] == "wire"
    assert delivery["webhook"] == "clustaar"
    assert delivery["status"] == 200
    assert json.loads(delivery["request"] or "") == json.loads(body())
    assert json.loads(delivery["reply"] or "")["session"] == {"values": {"asked": True}}
    assert delivery["timings"]["total"] > 0
    (row,) = inspected.store.rows()
    assert (row["step_id"], row["title"], row["handlers"]) == (
        ASK,
        "hi",
        ["inspected_bots.inspected_bot.<locals>.ask"],
    )


def test_handlers(inspected: Inspected) -> None:
    """Each handler has its place, the reason why it matched, and its return value."""
    ask, answer, *_ = from_wire(inspected, body())["handlers"]

    assert ask["matched"] and ask["ms"] is not None
    assert (ask["returned"] or "").startswith("SendQuickRepliesAction(")
    assert ask["where"].startswith("inspected_bots.py:")
    assert not answer["matched"]
    assert (answer["ms"], answer["returned"]) == (None, None)
    assert "did not match" in answer["sentence"]


def test_a_handler_that_is_late(tmp_path: Path) -> None:
    """It is named, and so is the handler that answered instead."""
    app = inspected_bot(deadline=0.05)
    webhook = app.extensions["clustaar"]["clustaar"]
    go = threading.Event()
    webhook.on_step(ASK)(lambda notification: go.wait())
    webhook.late(lambda notification: "One moment.")
    delivery = from_wire(Inspected(tmp_path, app), body())
    go.set()

    assert (delivery["late"] or "").endswith("<lambda>")
    *_, slow, late = delivery["handlers"]
    assert "did not answer within 0.05 s." in slow["sentence"]
    assert slow["returned"] is None
    assert late["sentence"].startswith("answered in place of '")
    assert late["returned"] == "'One moment.'"


def test_no_handler_that_is_late(inspected: Inspected) -> None:
    """Nothing is named."""
    assert from_wire(inspected, body())["late"] is None


def test_checks_that_pass(inspected: Inspected) -> None:
    """Each authentication check has its outcome."""
    delivery = from_wire(inspected, body())

    assert set(outcomes(delivery).values()) == {"pass"}
    assert list(delivery["checks"][-1]) == ["replay", "pass", "a new delivery"]
    assert len(delivery["key"] or "") == 40


def test_secrets_are_not_stored(inspected: Inspected) -> None:
    """Credentials are not stored."""
    delivery = from_wire(inspected, body(), **{"Proxy-Authorization": "secret"})

    assert delivery["headers"]["authorization"] == ["***"]
    assert delivery["headers"]["proxy-authorization"] == ["***"]
    assert PASSWORD not in json.dumps(delivery)


REJECTED = [
    ("stale", 400, "request_too_old", "freshness"),
    ("future", 400, "request_from_future", "freshness"),
    ("forged", 403, "signature_invalid", "signature"),
    ("unsigned", 400, "signature_missing", "signature"),
    ("undated", 400, "date_missing", "signature"),
    ("wrong_password", 401, "credentials_invalid", "credentials"),
    ("big", 413, "body_too_large", "size"),
    ("not_json", 415, "unsupported_content", "content"),
]


@pytest.mark.parametrize(("how", "status", "code", "check"), REJECTED)
def test_rejected(
    inspected: Inspected, how: str, status: int, code: str, check: str
) -> None:
    """A request with one mistake fails its check, and no handler runs."""
    delivery = inspected.send(how=how)

    assert (delivery["status"], delivery["code"]) == (status, code)
    assert outcomes(delivery)[check] == "FAIL"
    assert outcomes(delivery)["replay"] == "skip"
    assert delivery["handlers"] == []


def test_duplicate(inspected: Inspected) -> None:
    """The second of two equal requests is answered from the store."""
    first, second = (
        inspected.store.get(id)
        for id in inspected.sender.send(body(), "chat", how="duplicate")
    )

    assert first and second
    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["reply"] == second["reply"]
    assert second["handlers"] == []
    assert list(second["checks"][-1][1:]) == [
        "pass",
        "answered from the replay store; no handler ran",
    ]


def test_failure(inspected: Inspected) -> None:
    """A handler that raises an exception has its traceback, and returned nothing."""
    delivery = inspected.send(FAIL)

    assert (delivery["status"], delivery["code"]) == (500, "handler_failed")
    assert 'raise ValueError("no colour")' in (delivery["error"] or "")
    (run,) = (each for each in delivery["handlers"] if each["matched"])
    assert run["ms"] is not None
    assert run["returned"] is None


def test_invalid_reply(inspected: Inspected) -> None:
    """An invalid reply is recorded with its violations, although it was not sent."""
    delivery = inspected.send(INVALID)

    assert (delivery["status"], delivery["code"]) == (500, "invalid_reply")
    assert [path for path, _ in delivery["violations"]] == ["actions.0.cards.0.title"]
    unsent = json.loads(delivery["unsent"] or "")
    assert unsent["actions"][0]["cards"][0]["title"] == "x" * 81


def test_invalid_dict(tmp_path: Path) -> None:
    """A dict that is not a reply is recorded unchanged."""
    app = Flask("wrong")
    webhook = ClustaarWebhook(app, private_key="key")
    webhook.on(
        events.CONVERSATION_STEP_REACHED, lambda n: {"actions": [], "sesion": {}}
    )
    app.config["PROPAGATE_EXCEPTIONS"] = False

    delivery = Inspected(tmp_path, app).send()

    assert json.loads(delivery["unsent"] or "") == {"actions": [], "sesion": {}}
    assert [path for path, _ in delivery["violations"]] == ["sesion"]


def test_long_notification(inspected: Inspected) -> None:
    """A notification that is too large to store is answered and described."""
    delivery = from_wire(inspected, body(session={"x": "x" * MOST_BYTES}))

    assert (delivery["status"], delivery["request"]) == (200, None)
    assert delivery["handlers"][0]["matched"]


def test_no_handler(inspected: Inspected) -> None:
    """An unhandled step has the reason of each handler."""
    delivery = inspected.send(NOBODY)

    assert (delivery["status"], delivery["code"]) == (404, "no_handler")
    assert len(delivery["handlers"]) == 4
    assert not any(each["matched"] for each in delivery["handlers"])


def test_invalid_notification(inspected: Inspected) -> None:
    """A body that is not a notification has its violations."""
    delivery = from_wire(inspected, b'{"topic": 1}')

    assert delivery["code"] == "invalid_notification"
    assert delivery["violations"]
    (row,) = inspected.store.rows()
    assert (row["step"], row["title"]) == (None, "")


@pytest.mark.parametrize("content", [b"\xff", b"x" * (MOST_BYTES + 1)])
def test_body_that_is_not_stored(inspected: Inspected, content: bytes) -> None:
    """For a body that is not UTF-8 or too large, size and digest are recorded."""
    delivery = from_wire(inspected, content)

    assert delivery["request"] is None
    assert delivery["size"] == len(content)
    assert len(delivery["sha256"]) == 64


def test_many_handlers(tmp_path: Path) -> None:
    """Of many handlers that did not match, only the first ones are described."""
    app = Flask("many")
    webhook = ClustaarWebhook(app, private_key="key")
    for _ in range(60):
        webhook.on(events.CONVERSATION_STEP_REACHED, lambda n: None, filter=never)

    delivery = Inspected(tmp_path, app).send()

    assert len(delivery["handlers"]) == 51
    assert delivery["handlers"][-1]["sentence"] == "10 more did not match."


def never(notification: Notification) -> bool:
    return False


def test_filter_that_looks_at_the_request(tmp_path: Path) -> None:
    """A filter can use the request, also when it is explained later."""
    app = Flask("looking")
    webhook = ClustaarWebhook(app, private_key="key")

    def came_from_here(notification: Notification) -> bool:
        return request.remote_addr == "127.0.0.1"

    webhook.on(events.CONVERSATION_STEP_REACHED, lambda n: "x", filter=came_from_here)

    delivery = from_wire(Inspected(tmp_path, app), body())

    assert delivery["handlers"][0]["matched"]


def test_in_progress(inspected: Inspected) -> None:
    """A delivery that is running fails the replay check."""
    delivery = inspected.sender.deliver(body())
    store = inspected.sender.webhook.installation(inspected.app).store
    assert store is not None
    identity = delivery.headers["X-Hub-Signature"].removeprefix("sha1=")
    store.claim(f"clustaar:{identity}", lease=60)

    id = inspected.sender.exchange(delivery, "chat")

    found = inspected.store.get(id)
    assert found is not None
    assert (found["status"], found["code"]) == (409, "delivery_in_progress")
    assert outcomes(found)["replay"] == "FAIL"


def test_without_a_key(tmp_path: Path) -> None:
    """Without a private key, there is no identity, and the checks are skipped."""
    with pytest.warns(UserWarning):
        app = inspected_bot(private_key=None, auth_username=None, auth_password=None)

    delivery = Inspected(tmp_path, app).send(how="forged")

    assert delivery["status"] == 200
    assert delivery["key"] is None
    assert outcomes(delivery)["replay"] == "skip"


# -- unchanged responses -------------------------------------------------------------


def test_answers_are_unchanged(inspected: Inspected) -> None:
    """The answer has the same bytes and headers as without the recorder."""
    plain = inspected_bot().test_client()
    signed = inspected.sender.signer.deliver(body(ANSWER))

    answers = [
        client.post(
            "/clustaar", data=signed.body, headers=signed.headers, buffered=True
        )
        for client in (plain, inspected.app.test_client())
    ]

    assert answers[0].data == answers[1].data
    assert answers[0].headers == answers[1].headers


def test_other_requests_are_not_recorded(inspected: Inspected) -> None:
    """Only requests for the webhook are recorded."""
    client = inspected.app.test_client()

    assert client.get("/other").text == "something else"
    assert client.get("/nowhere").status_code == 404
    inspected.recorder.flush()

    assert inspected.store.rows() == []


def test_streams_are_not_held_up(inspected: Inspected) -> None:
    """A streamed response of the application remains streamed."""
    sent: list[str] = []

    @inspected.app.get("/stream")
    def stream() -> Response:
        def parts() -> Iterator[str]:
            sent.append("a")
            yield "a"
            sent.append("b")
            yield "b"

        return Response(parts())

    response = inspected.app.test_client().get("/stream", buffered=False)
    iterator = response.iter_encoded()

    assert next(iterator) == b"a"
    assert sent == ["a"]
    assert list(iterator) == [b"b"]
    response.close()


def test_exception_of_the_application(tmp_path: Path) -> None:
    """An exception that the application raises is recorded, and still raised."""
    app = inspected_bot()
    app.config["PROPAGATE_EXCEPTIONS"] = True
    inspected = Inspected(tmp_path, app)

    with pytest.raises(ValueError, match="no colour"):
        from_wire(inspected, body(FAIL))

    inspected.recorder.flush()
    (delivery,) = inspected.store.deliveries()
    assert (delivery["status"], delivery["reply"]) == (500, "")
    assert "no colour" in (delivery["error"] or "")


def test_exception_of_another_view(inspected: Inspected) -> None:
    """An exception of another view is raised, and not recorded."""
    inspected.app.config["PROPAGATE_EXCEPTIONS"] = True

    @inspected.app.get("/wrong")
    def wrong() -> str:
        raise KeyError("of the view")

    with pytest.raises(KeyError, match="of the view"):
        inspected.app.test_client().get("/wrong")
    inspected.recorder.flush()

    assert inspected.store.rows() == []


def test_wire_is_recorded_after_its_answer(inspected: Inspected) -> None:
    """Requests over HTTP are recorded automatically when no request runs."""
    version = inspected.store.version
    signed = inspected.sender.signer.deliver(body())
    inspected.app.test_client().post(
        "/clustaar", data=signed.body, headers=signed.headers, buffered=True
    )

    assert inspected.store.wait(version, 20)
    assert len(inspected.store.rows()) == 1


def test_failure_of_the_recorder(
    inspected: Inspected, caplog: pytest.LogCaptureFixture
) -> None:
    """If a request cannot be recorded, this is logged, and the bot answers."""
    inspected.store.close()
    signed = inspected.sender.signer.deliver(body())

    response = inspected.app.test_client().post(
        "/clustaar", data=signed.body, headers=signed.headers, buffered=True
    )
    inspected.recorder.flush()

    assert response.status_code == 200
    assert "Could not record a request." in caplog.text


def test_webhook_that_is_closed_already(tmp_path: Path) -> None:
    """A webhook that answered a request before is recorded without what it returns."""
    app = inspected_bot()
    signed = Inspected(tmp_path).sender.signer.deliver(body())
    app.test_client().post(
        "/clustaar", data=signed.body, headers=signed.headers, buffered=True
    )

    delivery = Inspected(tmp_path, app).send(ANSWER)

    (run,) = (each for each in delivery["handlers"] if each["matched"])
    assert run["ms"] is not None
    assert run["returned"] is None


def test_handler_outside_of_a_request(inspected: Inspected) -> None:
    """A signal sent outside a request is not recorded."""
    from flask_clustaar import signals

    for signal, arguments in (
        (signals.notification_received, {"webhook": None, "notification": None}),
        (signals.handler_called, {"handler": None, "duration": 0.1}),
        (signals.handler_failed, {"exception": None}),
        (signals.reply_repeated, {}),
    ):
        with inspected.app.test_request_context():
            signal.send(inspected.app, **arguments)

    assert inspected.store.rows() == []


# -- the body ------------------------------------------------------------------------


def test_body_is_read_as_before() -> None:
    """The wrapped stream returns the same bytes, for every way of reading."""
    import io

    stream: Any = Body(io.BytesIO(b"one\ntwo\nthree\nfour"))

    assert stream.read(4) == b"one\n"
    assert stream.readline() == b"two\n"
    assert list(stream) == [b"three\n", b"four"]
    assert stream.content == b"one\ntwo\nthree\nfour"
    assert stream.size == 18
