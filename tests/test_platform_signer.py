"""Requests that are signed as the platform signs them, or wrongly in one respect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.platform.signer import Delivery, Signer, distinct

BODY = b'{"topic": "conversation.step_reached", "data": {"step": {"id": "a"}}}'


def make_app(**settings: Any) -> tuple[Flask, Signer, list[Notification]]:
    """Return an application, a signer for it, and the notifications that arrive."""
    app = Flask(__name__)
    seen: list[Notification] = []
    webhook = ClustaarWebhook(app, **{"private_key": "for tests", **settings})
    webhook.on(events.CONVERSATION_STEP_REACHED, seen.append)
    return app, Signer(webhook.installation(app).settings), seen


def code(app: Flask, delivery: Delivery) -> str:
    """Return the error code that a request is answered with; empty for a reply."""
    response = app.test_client().post(
        "/clustaar", data=delivery.body, headers=delivery.headers
    )
    return "" if response.status_code == 200 else str(response.get_json()["code"])


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"private_key": ["new", "old"]},
        {"signature_algorithms": "sha256"},
        {"date_header": "X-original-date"},
        {"auth_username": "jane", "auth_password": "a:b:é"},
        {"private_key": None, "auth_username": "jane", "auth_password": "secret"},
    ],
)
def test_fresh_request_is_accepted(settings: dict[str, Any]) -> None:
    """A signer follows the settings of the webhook."""
    app, signer, seen = make_app(**settings)

    assert code(app, signer.deliver(BODY)) == ""
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (Signer.stale, "request_too_old"),
        (Signer.future, "request_from_future"),
        (Signer.undated, "date_missing"),
        (Signer.unsigned, "signature_missing"),
        (Signer.forged, "signature_invalid"),
        (Signer.wrong_password, "credentials_invalid"),
    ],
)
def test_request_that_is_wrong_in_one_respect(
    wrong: Callable[[Signer], Signer], expected: str
) -> None:
    """Each wrong request is rejected for its own reason, and no handler runs."""
    app, signer, seen = make_app(auth_username="jane", auth_password="secret")

    assert code(app, wrong(signer).deliver(BODY)) == expected
    assert seen == []


@pytest.mark.parametrize("settings", [{"request_max_age": 3600}, {"clock_skew": 100}])
def test_age_follows_the_settings(settings: dict[str, Any]) -> None:
    """A stale request is too old for this webhook, a future one too early for it."""
    app, signer, _ = make_app(**settings)

    assert code(app, signer.stale().deliver(BODY)) == "request_too_old"
    assert code(app, signer.future().deliver(BODY)) == "request_from_future"


def test_repeated_request_is_handled_once() -> None:
    """A repeated delivery is the same request."""
    app, signer, seen = make_app()
    delivery = signer.deliver(BODY)

    assert [code(app, delivery), code(app, delivery)] == ["", ""]
    assert len(seen) == 1


def test_distinct_bodies_are_different_requests() -> None:
    """White space at the end makes two deliveries of one document."""
    app, signer, seen = make_app()

    for _ in range(2):
        assert code(app, signer.deliver(distinct(BODY))) == ""
    assert len(seen) == 2


def test_headers_are_replaced_before_signing() -> None:
    """A given date is signed; a header of None is removed."""
    app, signer, _ = make_app(request_max_age=None)
    date = "Thu, 13 Sep 2018 11:48:23 GMT"

    assert code(app, signer.deliver(BODY, {"date": date})) == ""
    left_out = signer.deliver(BODY, {"x-hub-signature": None, "X-Other": "1"})
    assert code(app, left_out) == "signature_missing"
    assert left_out.headers["X-Other"] == "1"


def test_arguments_replace_the_settings() -> None:
    """A key, a user name, a password and a date can be given."""
    app, signer, _ = make_app(auth_username="jane", auth_password="secret")
    settings = signer.settings

    assert code(app, Signer(settings, key="x").deliver(BODY)) == "signature_invalid"
    other = Signer(settings, username="john")
    assert code(app, other.deliver(BODY)) == "credentials_invalid"
    dated = Signer(settings, date="yesterday")
    assert code(app, dated.deliver(BODY)) == "date_malformed"


@pytest.mark.filterwarnings("ignore::flask_clustaar.InsecureWebhookWarning")
def test_nothing_is_signed_without_secrets() -> None:
    """Without a key and a password a request has neither of the two headers."""
    app, signer, _ = make_app(private_key=None)
    headers = signer.deliver(BODY).headers

    assert set(headers) == {"Content-Type", "Date"}
    one = Signer(signer.settings, username="jane").deliver(BODY)
    assert one.headers["Authorization"] == "Basic amFuZTo="


def test_secrets_are_not_shown() -> None:
    """The repr of a signer has no key and no password."""
    _, signer, _ = make_app()
    shown = repr(Signer(signer.settings, key="k-e-y", password="p-w"))

    assert "k-e-y" not in shown
    assert "p-w" not in shown
