"""A webhook together with other extensions: each row of docs/run/extensions.rst.

``make neighbours`` installs the extensions and runs these tests.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from apiflask import APIFlask
from click.testing import CliRunner
from flask import Flask, redirect, request
from flask.cli import ScriptInfo
from flask.typing import ResponseReturnValue
from flask_babel import Babel, gettext, lazy_gettext
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, current_user
from flask_openapi3 import OpenAPI
from flask_restx import Api as RestxApi
from flask_restx import Resource
from flask_smorest import Api as SmorestApi
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf import CSRFProtect
from sentry_sdk.transport import Transport
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_clustaar import ClustaarWebhook, events
from flask_clustaar.cli import clustaar
from flask_clustaar.testing import ClustaarClient, make_notification

PAGE = (Path(__file__).parents[2] / "docs/run/extensions.rst").read_text(
    encoding="utf-8"
)


class OutOfOrder(Exception):
    """A failure of the application's own kind."""


def do(line: str, **names: Any) -> None:
    """Run a line of the page."""
    assert line in PAGE, f"The page does not say '{line}'."
    exec(line, names)


def add_webhook(app: Flask) -> ClustaarWebhook:
    """Add a bot that greets and, at another step, fails."""
    webhook = ClustaarWebhook(app, private_key="the key of the neighbours")

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def greet(notification: Any) -> str:
        if notification.input.text == "fail":
            raise RuntimeError("out of order")
        return "Hello"

    return webhook


def check(app: Flask) -> ClustaarClient:
    """Check what each row promises: a reply, and problems as the webhook has them."""
    client = ClustaarClient(app)
    assert ["Hello"] == client.say("hi").texts
    unsigned = app.test_client().post("/clustaar", json={})
    assert (400, "signature_missing") == (
        unsigned.status_code,
        unsigned.get_json()["code"],
    )
    failed = client.say("fail")
    assert (500, "handler_failed") == (failed.status_code, failed.json["code"])
    return client


# -- describing an API ---------------------------------------------------------------


@pytest.mark.parametrize("first", ["webhook", "routes"])
def test_apiflask(first: str) -> None:
    """The application's document is generated, without the webhook."""
    app = APIFlask(__name__)
    if first == "webhook":
        add_webhook(app)

    @app.get("/pets")
    def pets() -> dict[str, str]:
        return {}

    if first == "routes":
        add_webhook(app)

    check(app)
    document = app.test_client().get("/openapi.json")
    assert 200 == document.status_code
    assert ["/pets"] == [*document.get_json()["paths"]]


def test_flask_smorest() -> None:
    """The document has the blueprints that were registered with it, and no webhook."""
    app = Flask(__name__)
    app.config |= {
        "API_TITLE": "Pets",
        "API_VERSION": "1",
        "OPENAPI_VERSION": "3.1.0",
        "OPENAPI_URL_PREFIX": "/",
    }
    SmorestApi(app)
    add_webhook(app)

    check(app)
    document = app.test_client().get("/openapi.json")
    assert {} == document.get_json()["paths"]


def test_flask_restx() -> None:
    """Its error handling applies only to its resources, not to the webhook."""
    app = Flask(__name__)
    api = RestxApi(app)

    @api.route("/pets")
    class Pets(Resource):
        def get(self) -> dict[str, str]:
            return {}

    add_webhook(app)

    check(app)
    document = app.test_client().get("/swagger.json")
    assert ["/pets"] == [*document.get_json()["paths"]]
    assert {} == app.test_client().get("/pets").json


def test_flask_openapi3() -> None:
    """The document does not contain the webhook."""
    app = OpenAPI(__name__)

    @app.get("/pets")
    def pets() -> dict[str, str]:
        return {}

    add_webhook(app)

    check(app)
    document = app.test_client().get("/openapi/openapi.json")
    assert ["/pets"] == [*document.get_json()["paths"]]


# -- log-in walls --------------------------------------------------------------------


@pytest.mark.parametrize("first", ["webhook", "protection"])
def test_flask_wtf(first: str) -> None:
    """The protection of forms is lifted for the webhook, and for nothing else."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "a secret"
    if first == "webhook":
        add_webhook(app)
    CSRFProtect(app)
    if first == "protection":
        add_webhook(app)
    app.add_url_rule("/form", view_func=lambda: "", methods=["POST"], endpoint="form")

    check(app)
    assert 400 == app.test_client().post("/form").status_code


def login_wall(app: Flask, webhook: ClustaarWebhook) -> None:
    """Require a log-in, except for the platform."""
    LoginManager(app).user_loader(lambda user_id: None)
    rule = "request.blueprint == webhook.blueprint.name"
    assert rule in PAGE

    @app.before_request
    def wall() -> ResponseReturnValue | None:
        if eval(rule, {"request": request, "webhook": webhook}):
            return None
        return None if current_user.is_authenticated else redirect("/login")

    app.add_url_rule("/private", view_func=lambda: "", endpoint="private")


def test_flask_login() -> None:
    """A log-in wall for all pages can exempt the webhook."""
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "a secret"
    login_wall(app, add_webhook(app))

    check(app)
    assert 302 == app.test_client().get("/private").status_code


def test_flask_limiter() -> None:
    """Limits for all routes count the platform's requests: the webhook is exempt."""
    app = Flask(__name__)
    webhook = add_webhook(app)
    limiter = Limiter(
        get_remote_address,
        app=app,
        default_limits=["5 per hour"],
        storage_uri="memory://",
    )
    app.add_url_rule("/page", view_func=lambda: "", endpoint="page")

    do("limiter.exempt(webhook.blueprint)", limiter=limiter, webhook=webhook)

    client = check(app)
    assert {200} == {client.say("hi").status_code for _ in range(20)}
    page = app.test_client()
    assert [200] * 5 + [429] == [page.get("/page").status_code for _ in range(6)]


def test_flask_talisman_behind_a_proxy() -> None:
    """The proxy says that the platform used HTTPS: nothing is redirected."""
    app = Flask(__name__)
    add_webhook(app)
    Talisman(app)
    client = ClustaarClient(app)
    assert 302 == client.say("hi").status_code

    do("app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)", app=app, ProxyFix=ProxyFix)

    https = {"X-Forwarded-Proto": "https"}
    assert ["Hello"] == client.send(make_notification(), headers=https).texts


def test_flask_talisman_without_https() -> None:
    """The webhook alone is not redirected."""
    app = Flask(__name__)
    add_webhook(app)
    talisman = Talisman(app)
    app.add_url_rule("/page", view_func=lambda: "", endpoint="page")

    line = "talisman(force_https=False)(app.view_functions['clustaar.receive'])"
    do(line, app=app, talisman=talisman)

    check(app)
    assert 302 == app.test_client().get("/page").status_code


# -- other extensions ----------------------------------------------------------------


def test_flask_cors() -> None:
    """Replies have a header for browsers, which the platform does not read."""
    app = Flask(__name__)
    add_webhook(app)
    CORS(app)

    client = check(app)
    headers = client.say("hi").response.headers
    assert "*" == headers["Access-Control-Allow-Origin"]


@pytest.mark.parametrize("translate", [gettext, lazy_gettext])
def test_flask_babel(translate: Callable[[str], Any]) -> None:
    """A handler returns a translated text, lazy or not."""
    app = Flask(__name__)
    Babel(app, locale_selector=lambda: "fr")
    webhook = ClustaarWebhook(app, private_key="the key of the neighbours")
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda it: translate("Hello"))

    assert ["Hello"] == ClustaarClient(app).say("hi").texts


def test_flask_sqlalchemy() -> None:
    """A handler has the session, which ends with the request."""
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite://"
    db = SQLAlchemy(app)
    webhook = ClustaarWebhook(app, private_key="the key of the neighbours")
    seen: list[Any] = []

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def ask(notification: Any) -> str:
        seen.append(db.session())
        return str(db.session.execute(db.text("SELECT 6 * 7")).scalar())

    client = ClustaarClient(app)

    assert ["42", "42"] == [client.say("hi").texts[0] for _ in range(2)]
    assert seen[0] is not seen[1]


class Nowhere(Transport):
    """Sends no report to anyone."""

    def capture_envelope(self, envelope: Any) -> None:
        pass


@pytest.fixture(name="reports")
def _reports() -> Iterator[list[Any]]:
    """The events that Sentry receives."""
    reports: list[Any] = []

    def keep(event: Any, hint: Any) -> Any:
        reports.append(event)
        return event

    sentry_sdk.init(
        dsn="http://key@127.0.0.1:9/1",
        before_send=keep,
        transport=Nowhere,
    )
    yield reports
    sentry_sdk.init()


@pytest.mark.parametrize("kind", [RuntimeError, KeyError, OutOfOrder])
def test_sentry(reports: list[Any], kind: type[Exception]) -> None:
    """A handler that fails is one event, which has the exception."""
    app = Flask(__name__)
    webhook = ClustaarWebhook(app, private_key="the key of the neighbours")

    @webhook.on(events.CONVERSATION_STEP_REACHED)
    def fail(notification: Any) -> None:
        raise kind("out of order")

    assert 500 == ClustaarClient(app).say("hi").status_code
    [report] = reports
    assert kind.__name__ == report["exception"]["values"][-1]["type"]


def test_sentry_of_an_invalid_reply(reports: list[Any]) -> None:
    """An invalid reply is one event, with its path."""
    app = Flask(__name__)
    webhook = ClustaarWebhook(app, private_key="the key of the neighbours")
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda notification: "x" * 1001)

    assert 500 == ClustaarClient(app).say("hi").status_code
    [report] = reports
    assert "InvalidReply" == report["exception"]["values"][-1]["type"]
    assert "invalid_reply" == report["extra"]["clustaar_code"]


# -- all at once ---------------------------------------------------------------------


def test_all_at_once(reports: list[Any]) -> None:
    """A bot answers in an application that has all of them, and 'check' is quiet."""
    app = APIFlask(__name__)
    app.config |= {
        "SECRET_KEY": "a secret",
        "SQLALCHEMY_DATABASE_URI": "sqlite://",
        "API_TITLE": "Pets",
        "API_VERSION": "1",
        "OPENAPI_VERSION": "3.1.0",
        "TRUSTED_HOSTS": ["bot.example.com"],
    }
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)
    SQLAlchemy(app)
    CSRFProtect(app)
    Talisman(app)
    CORS(app)
    Babel(app)
    SmorestApi(app)
    limiter = Limiter(
        get_remote_address,
        app=app,
        default_limits=["1 per hour"],
        storage_uri="memory://",
    )

    webhook = add_webhook(app)
    login_wall(app, webhook)
    limiter.exempt(webhook.blueprint)

    client = ClustaarClient(app)
    https = {"X-Forwarded-Proto": "https"}
    replies = [client.send(make_notification(), headers=https) for _ in range(3)]
    assert ["Hello"] * 3 == [reply.texts[0] for reply in replies]
    assert [] == reports
    assert [] == found_in(app)


# -- 'flask clustaar check' ------------------------------------------------------------


def found_in(app: Flask) -> list[tuple[str, str]]:
    """Return the level and the code of what keeps requests from the webhook."""
    info = ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(clustaar, ["check", "--json"], obj=info)
    rows = json.loads(result.stdout)
    codes = ("blocked", "redirected", "rate_limited", "body_limit", "reply_changed")
    return [(row["level"], row["code"]) for row in rows if row["code"] in codes]


def test_check_finds_flask_talisman() -> None:
    """Redirects to HTTPS are found, until the proxy or the exemption is there."""
    app = Flask(__name__)
    add_webhook(app)
    talisman = Talisman(app)
    assert found_in(app) == [("warning", "redirected")]
    bare, app.wsgi_app = app.wsgi_app, ProxyFix(app.wsgi_app)  # type: ignore[method-assign]
    assert found_in(app) == []
    app.wsgi_app = bare  # type: ignore[method-assign]
    talisman(force_https=False)(app.view_functions["clustaar.receive"])
    assert found_in(app) == []


def test_check_finds_flask_limiter() -> None:
    """A default limit is found, until the webhook is exempt."""
    app = Flask(__name__)
    webhook = add_webhook(app)
    limiter = Limiter(
        get_remote_address,
        app=app,
        default_limits=["50 per hour"],
        storage_uri="memory://",
    )
    assert found_in(app) == [("warning", "rate_limited")]
    limiter.exempt(webhook.blueprint)
    assert found_in(app) == []


def test_check_finds_nothing_in_flask_wtf() -> None:
    """The webhook is automatically exempt from CSRF protection."""
    app = Flask(__name__)
    app.secret_key = "secret"
    add_webhook(app)
    CSRFProtect(app)
    assert found_in(app) == []
