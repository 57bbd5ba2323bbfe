"""Other libraries that receive webhooks, and clustaar.webhook.

Each library gets the same notification, signed as its own platform signs, with the few
additional keys that it requires. All answer with 200; none validates its reply.
``scripts/clustaar.webhook`` installs clustaar.webhook.
"""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import time
import uuid
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from flask import Response, abort, jsonify, request

from flask_clustaar.security import basic_auth

from .machine import find
from .ours import OURS, PARTS
from .payloads import NEXT_STEP_ID, PAYLOADS, STEP_ID, Payload, reply
from .subjects import Contender, Subject, new_app
from .views import BARE, BY_HAND, PRIVATE_KEY, USERNAME, signed

SECRET = "5f1d7a84db00d2fce00b31a7fc73224f"
_WEBHOOK_SECRET = f"whsec_{base64.b64encode(SECRET.encode()).decode()}"


def _mac(text: bytes) -> Any:
    return hmac.new(SECRET.encode(), text, hashlib.sha256)


def github(payload: Payload) -> Contender:
    from flask_githubapp import GitHubApp

    app, answer = new_app(), reply(payload)
    app.config.update(GITHUBAPP_ID=1, GITHUBAPP_KEY="", GITHUBAPP_SECRET=SECRET)
    handlers = GitHubApp(app)

    @handlers.on("issues.opened")
    def opened() -> Any:
        return answer

    def sign(body: bytes) -> dict[str, str]:
        return {
            "HTTP_X_GITHUB_EVENT": "issues",
            "HTTP_X_HUB_SIGNATURE_256": f"sha256={_mac(body).hexdigest()}",
        }

    return Contender(app, payload.template(action="opened"), sign, "/")


def _standard(payload: Payload, package: str, prefix: str) -> Contender:
    """Build a view with one of the two libraries for "Standard Webhooks"."""
    library = import_module(f"{package}.webhooks")
    app, answer = new_app(), reply(payload)
    webhook = library.Webhook(_WEBHOOK_SECRET)

    @app.post("/clustaar")
    def receive() -> Response:
        try:
            webhook.verify(request.get_data(), dict(request.headers))
        except library.WebhookVerificationError:
            abort(400)
        request.get_json()
        return jsonify(answer)

    def sign(body: bytes) -> dict[str, str]:
        now = datetime.now(UTC)
        name = f"msg_{uuid.uuid4().hex}"
        return {
            f"HTTP_{prefix}_ID": name,
            f"HTTP_{prefix}_TIMESTAMP": str(int(now.timestamp())),
            f"HTTP_{prefix}_SIGNATURE": webhook.sign(name, now, body.decode()),
        }

    return Contender(app, payload.template(), sign)


def standardwebhooks(payload: Payload) -> Contender:
    return _standard(payload, "standardwebhooks", "WEBHOOK")


def svix(payload: Payload) -> Contender:
    return _standard(payload, "svix", "SVIX")


def pywa(payload: Payload) -> Contender:
    from pywa import WhatsApp

    app, answer = new_app(), reply(payload)
    whatsapp = WhatsApp(
        phone_id="100000000000000",
        token="token",
        server=app,
        webhook_endpoint="/clustaar",
        verify_token="token",
        app_secret=SECRET,
    )
    heard: list[Any] = []

    @whatsapp.on_message
    def received(_: Any, message: Any) -> None:
        heard[:] = [message.text]
        json.dumps(answer)

    message = {
        "from": "33123456789",
        "id": "wamid.HBgLMzMxMjM0NTY3ODk=",
        "timestamp": "1514998709",
        "type": "text",
        "text": {"body": "bonjour"},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": "33100000000",
            "phone_number_id": "100000000000000",
        },
        "contacts": [
            {"profile": {"name": "Zoé"}, "wa_id": "33123456789", "user_id": "FR.1"}
        ],
        "messages": [message],
    }
    changes = [{"value": value, "field": "messages"}]
    template = payload.template(
        object="whatsapp_business_account", entry=[{"id": "1", "changes": changes}]
    )

    def sign(body: bytes) -> dict[str, str]:
        return {"HTTP_X_HUB_SIGNATURE_256": f"sha256={_mac(body).hexdigest()}"}

    return _proven(Contender(app, template, sign), heard)


def line(payload: Payload) -> Contender:
    from linebot.v3 import WebhookHandler
    from linebot.v3.exceptions import InvalidSignatureError
    from linebot.v3.webhooks import MessageEvent, TextMessageContent

    app, answer = new_app(), reply(payload)
    handler = WebhookHandler(SECRET)
    heard: list[Any] = []

    @app.post("/clustaar")
    def receive() -> Response:
        body = request.get_data(as_text=True)
        try:
            handler.handle(body, request.headers["X-Line-Signature"])
        except InvalidSignatureError:
            abort(400)
        return jsonify(answer)

    @handler.add(MessageEvent, message=TextMessageContent)
    def received(event: Any) -> None:
        heard[:] = [event.message.text]

    event = {
        "type": "message",
        "message": {
            "type": "text",
            "id": "468789577898262530",
            "quoteToken": "q3Plxr4AgKd",
            "text": "bonjour",
        },
        "webhookEventId": "01FZ74A0TDDPYRVKNK77XKC3ZR",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": 1514998709000,
        "source": {"type": "user", "userId": "U8622f62e91ac43428fbeee0c3dff96b1"},
        "replyToken": "38ef843bde154d9b91c21320ffd17a0f",
        "mode": "active",
    }

    def sign(body: bytes) -> dict[str, str]:
        mac = base64.b64encode(_mac(body).digest()).decode()
        return {"HTTP_X_LINE_SIGNATURE": mac}

    template = payload.template(destination="xxxxxxxxxx", events=[event])
    return _proven(Contender(app, template, sign), heard)


def slack(payload: Payload) -> Contender:
    from slack_bolt import App
    from slack_bolt.adapter.flask import SlackRequestHandler
    from slack_bolt.authorization import AuthorizeResult

    app, answer = new_app(), reply(payload)
    bolt = App(
        signing_secret=SECRET,
        authorize=lambda: AuthorizeResult(
            enterprise_id=None, team_id="T1", bot_token="xoxb-1", bot_id="B1"
        ),
        process_before_response=True,
    )
    handler = SlackRequestHandler(bolt)
    heard: list[Any] = []

    @bolt.event("app_mention")
    def mentioned(event: Any) -> None:
        heard[:] = [event["text"]]
        json.dumps(answer)

    @app.post("/clustaar")
    def receive() -> Any:
        return handler.handle(request)

    def sign(body: bytes) -> dict[str, str]:
        now = str(int(time.time()))
        mac = _mac(f"v0:{now}:".encode() + body).hexdigest()
        return {
            "HTTP_X_SLACK_REQUEST_TIMESTAMP": now,
            "HTTP_X_SLACK_SIGNATURE": f"v0={mac}",
        }

    template = payload.template(
        type="event_callback",
        team_id="T1",
        api_app_id="A1",
        event={
            "type": "app_mention",
            "user": "U1",
            "text": "bonjour",
            "ts": "1514998709.000100",
            "channel": "C1",
        },
    )
    return _proven(Contender(app, template, sign), heard)


def clustaar_webhook(payload: Payload) -> Contender:
    from clustaar.schemas import models
    from clustaar.webhook import Webhook, events
    from clustaar.webhook.filters import StepID

    # It does not accept a password with a colon, as PASSWORD has.
    webhook = Webhook(USERNAME, "sesame", PRIVATE_KEY)
    authorization = {"HTTP_AUTHORIZATION": basic_auth(USERNAME, "sesame")}

    def offer(_: Any, __: Any, notification: Any) -> Any:
        go = models.GoToAction(target=models.StepTarget(step_id=NEXT_STEP_ID))
        text = "Voici ce que je peux vous proposer, Zoé :"
        cards = [
            models.Card(
                title=f"Café n° {number}",
                subtitle="Un kilo, torréfié cette semaine",
                image_url="https://cdn.example.com/images/cafe.png",
                url="https://www.example.com/cafe",
                buttons=[models.Button(title="Choisir", action=go)],
            )
            for number in (1, 2)
        ]
        replies = [
            models.QuickReply(title=title, action=go)
            for title in ("À la maison", "En boutique")
        ]
        actions = [
            models.SendTextAction(alternatives=[text], text=text),
            models.SendCardsAction(cards=cards),
            models.SendQuickRepliesAction(
                message="Souhaitez-vous être livré ?", buttons=replies
            ),
        ]
        session = notification.event.session
        return models.StepReachedResponse(actions=actions, session=session)

    webhook.on(events.CONVERSATION_STEP_REACHED, offer, [StepID(STEP_ID)])
    return Contender(
        webhook, payload.template(), lambda body: signed(body) | authorization, "/"
    )


def _proven(contender: Contender, heard: list[Any]) -> Contender:
    """Check that the handler of a contender gets the notifications, and return it.

    A library that silently ignores a request would seem fast.
    """
    contender.serve(contender.deliver_many([0]))
    assert heard == ["bonjour"], heard
    return contender


#: The distribution, a description, a function that creates the contender.
_LIBRARIES = [
    (
        "Flask-GitHubApp",
        "Signature, JSON; finds the handler by event and action.",
        github,
    ),
    ("standardwebhooks", "Signature, timestamp, JSON.", standardwebhooks),
    ("svix", "Signature, timestamp, JSON.", svix),
    (
        "pywa",
        "Signature, duplicates, JSON; one typed message to its handler, which writes "
        "the reply as JSON: it would have to be sent by a request of its own.",
        pywa,
    ),
    ("line-bot-sdk", "Signature, JSON; one typed event to its handler.", line),
    (
        "slack-bolt",
        "Signature, timestamp, JSON, its middleware; one event to its handler, in the "
        "mode that answers soonest (``process_before_response``). The reply as pywa's.",
        slack,
    ),
    (
        "clustaar.webhook",
        "On Falcon: credentials, signature, date, a typed "
        "notification, the same handler and reply.",
        clustaar_webhook,
    ),
]

FIELD = [
    Subject(name, does, "field", build, needs=name) for name, does, build in _LIBRARIES
]

SUBJECTS: list[Subject] = [BARE, BY_HAND, OURS, *PARTS, *FIELD]


def measured() -> list[Subject]:
    """Return the available subjects."""
    return [subject for subject in SUBJECTS if subject.name not in missing()]


@functools.cache
def missing() -> dict[str, str]:
    """Return the reasons why subjects are not available, by name."""
    reasons = {subject.name: why_not(subject) for subject in FIELD}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def why_not(subject: Subject) -> str | None:
    if subject.needs is not None and find(subject.needs) is None:
        return "not installed"
    try:
        subject.build(PAYLOADS["small"])
    except Exception as error:  # A new version may be incompatible.
        return f"incompatible version: {type(error).__name__}"
    return None
