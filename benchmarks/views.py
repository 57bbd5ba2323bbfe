"""Two plain views for comparison: without and with authentication."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from email.utils import formatdate, parsedate_to_datetime
from typing import Any

from flask import Response, abort, jsonify, request

from flask_clustaar.security import basic_auth, sign

from .payloads import Payload, reply
from .subjects import Contender, Subject, new_app

USERNAME = "bot"
PASSWORD = "open:sesame"
PRIVATE_KEY = "5f1d7a84db00d2fce00b31a7fc73224f"

_AUTHORIZATION = basic_auth(USERNAME, PASSWORD)


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a body that is signed as by the platform."""
    date = formatdate(usegmt=True)
    return {
        "HTTP_AUTHORIZATION": _AUTHORIZATION,
        "HTTP_DATE": date,
        "HTTP_X_HUB_SIGNATURE": sign(PRIVATE_KEY, date, body),
    }


def bare(payload: Payload, *, cards: int = 2) -> Contender:
    """Create the view that does not read the request."""
    app, answer = new_app(), reply(payload, cards)

    @app.post("/clustaar")
    def receive() -> Response:
        return jsonify(answer)

    return Contender(app, payload.template(), signed)


def by_hand(payload: Payload, *, cards: int = 2) -> Contender:
    """Create the view with the same authentication as the extension."""
    app, answer, key = new_app(), reply(payload, cards), PRIVATE_KEY.encode()

    @app.post("/clustaar")
    def receive() -> Response:
        given = request.authorization
        if given is None or not _knows_password(given):
            abort(401)
        body = request.get_data()
        date = request.headers.get("Date", "")
        mac = hmac.new(key, b"date=" + date.encode() + b"\n" + body, hashlib.sha1)
        signature = request.headers.get("X-Hub-Signature", "")
        if not hmac.compare_digest(f"sha1={mac.hexdigest()}", signature):
            abort(403)
        age = time.time() - parsedate_to_datetime(date).timestamp()
        if not -5 <= age <= 10:
            abort(400)
        json.loads(body)
        return jsonify(answer)

    return Contender(app, payload.template(), signed)


def _knows_password(given: Any) -> bool:
    username, password = given.username or "", given.password or ""
    return hmac.compare_digest(username.encode(), USERNAME.encode()) and (
        hmac.compare_digest(password.encode(), PASSWORD.encode())
    )


BARE = Subject(
    "Flask alone",
    "A view that looks at nothing and returns a fixed dict through ``jsonify``.",
    "bare",
    bare,
)
BY_HAND = Subject(
    "written by hand",
    "A view that checks HTTP Basic, the signature and the ``Date`` with the standard "
    "library, parses the JSON, and returns a fixed dict through ``jsonify``.",
    "floor",
    by_hand,
)
