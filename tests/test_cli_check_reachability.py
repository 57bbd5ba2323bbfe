"""``flask clustaar check``: what keeps requests from reaching the webhook.

``tests/apart/neighbours.py`` has the same with real extensions.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cli_bots import KEY, PASSWORD, USERNAME, run
from flask import Flask, Response, abort, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_clustaar import ClustaarWebhook, Notification, events
from flask_clustaar.replay import MemoryReplayStore


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that other tests imported are not below the application's directory."""
    monkeypatch.chdir(tmp_path)


def handler(notification: Notification) -> str:
    """Must not be called by the check."""
    raise AssertionError("The check calls no handler.")


def application(**settings: Any) -> Flask:
    app = Flask("reached")
    good: dict[str, Any] = {
        "private_key": KEY,
        "auth_username": USERNAME,
        "auth_password": PASSWORD,
        "replay_store": MemoryReplayStore(10),
    }
    webhook = ClustaarWebhook(app, **good | settings)
    webhook.on(events.CONVERSATION_STEP_REACHED, handler)
    return app


def found(app: Flask) -> list[str]:
    """Return the findings, as 'level code: message'."""
    rows = json.loads(run(app, "check", "--json").stdout)
    return [f"{row['level']} {row['code']}: {row['message']}" for row in rows]


# -- what answers instead ------------------------------------------------------------


def test_request_reaches_the_webhook() -> None:
    """Nothing is found if nothing is in front; no handler runs, nothing is recorded."""
    store = MemoryReplayStore(1)
    app = application(replay_store=store)
    seen: list[str | None] = []
    app.before_request(lambda: seen.append(request.endpoint))
    assert found(app) == []
    assert seen == ["clustaar.receive"] * 2
    assert store.claim("free", lease=1).state == "mine"


def log_in() -> ResponseReturnValue:
    return redirect("/login")


def members_only() -> ResponseReturnValue:
    abort(401)


def forged() -> ResponseReturnValue:
    return "The CSRF token is missing.", 400


def broken() -> ResponseReturnValue:
    raise OSError("the database is away")


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (log_in, "error redirected: 'POST /clustaar' is redirected to '/login' by "),
        (members_only, "error blocked: 'POST /clustaar' is answered with 401 Unauth"),
        (forged, "error blocked: 'POST /clustaar' is answered with 400 Bad Request"),
        (broken, "error blocked: 'POST /clustaar' is answered with 500 Internal"),
    ],
)
def test_function_that_answers_is_named(
    function: Callable[[], ResponseReturnValue], expected: str
) -> None:
    """Code that answers before the webhook is named, with its place and a remedy."""
    app = application()
    app.before_request(function)

    (one,) = found(app)

    line = function.__code__.co_firstlineno
    assert one.startswith(expected)
    name = f"'{__name__}.{function.__name__}' ({Path(__file__).name}:{line})"
    assert name in one
    assert "'request.endpoint == \"clustaar.receive\"'" in one
    assert (", which raised OSError," in one) == (function is broken)


def test_check_leaves_the_application_as_it_was() -> None:
    """Afterwards the application has its own functions, views and log again."""
    app = application()
    app.before_request(members_only)
    hooks, views = dict(app.before_request_funcs), dict(app.view_functions)

    found(app)

    assert app.before_request_funcs == hooks
    assert app.view_functions == views
    assert not app.logger.disabled
    assert app.config["PROPAGATE_EXCEPTIONS"] is None


def test_failure_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A traceback in the log would not say more."""
    app = application()
    app.before_request(broken)
    with caplog.at_level(logging.DEBUG):
        found(app)
    assert not caplog.records


def test_object_that_answers_is_named() -> None:
    """A callable without a name is shown by its repr."""

    class Wall:
        def __call__(self) -> ResponseReturnValue:
            return "No.", 403

        def __repr__(self) -> str:
            return "<the wall>"

    app = application()
    app.before_request(Wall())
    assert "<the wall>" in found(app)[0]


def test_middleware_that_answers() -> None:
    """Code outside Flask has no name."""
    app = application()

    def closed(environ: Any, start_response: Any) -> Iterable[bytes]:
        return Response("Closed.", 403)(environ, start_response)

    app.wsgi_app = closed  # type: ignore[method-assign]
    assert found(app) == [
        "error blocked: 'POST /clustaar' is answered with 403 Forbidden, before it "
        "reaches the webhook. Check the WSGI middleware of the application."
    ]


def test_first_function_that_answers_is_named() -> None:
    """Error handlers that run afterwards do not hide who answered."""
    app = application()
    app.before_request(members_only)
    app.register_error_handler(401, lambda error: redirect("/login"))
    assert f"by '{__name__}.members_only'" in found(app)[0]


# -- HTTPS ---------------------------------------------------------------------------


def force_https() -> ResponseReturnValue | None:
    if request.is_secure or request.headers.get("X-Forwarded-Proto") == "https":
        return None
    return redirect(request.url.replace("http://", "https://", 1))


def test_redirect_to_https() -> None:
    """Behind a reverse proxy it may be correct, so it is a warning."""
    app = application()
    app.before_request(force_https)
    (one,) = found(app)
    assert one.startswith("warning redirected: 'POST /clustaar' is redirected to 'http")


def test_redirect_to_https_behind_a_proxy() -> None:
    """With 'ProxyFix' the application knows what the platform used."""
    app = application()
    app.before_request(force_https)
    fixed = ProxyFix(app.wsgi_app)
    outer = SimpleNamespace(app=fixed)
    app.wsgi_app = lambda *call: outer.app(*call)  # type: ignore[method-assign]
    assert found(app)[0].startswith("warning redirected")
    app.wsgi_app = fixed  # type: ignore[method-assign]
    assert found(app) == []
    limit = SimpleNamespace(limit="50 per 1 hour")
    app.extensions["limiter"] = SimpleNamespace(current_limits=[limit])
    assert found(app)[0].startswith("warning rate_limited")


def test_application_that_is_served_over_https() -> None:
    """'PREFERRED_URL_SCHEME' says that requests come over HTTPS."""
    app = application()
    app.config["PREFERRED_URL_SCHEME"] = "https"
    app.before_request(force_https)
    assert found(app) == []


# -- limits --------------------------------------------------------------------------


def test_rate_limit() -> None:
    """A limit that applies to the webhook is found before it is reached."""
    app = application()
    limit = SimpleNamespace(limit="50 per 1 hour")
    app.extensions["limiter"] = SimpleNamespace(current_limits=[limit])
    (one,) = found(app)
    assert one.startswith("warning rate_limited: A rate limit applies to 'POST /clust")
    assert "50 per 1 hour" in one
    assert one.endswith("Write 'limiter.exempt(webhook.blueprint)'.")
    app.extensions["limiter"] = set()
    assert found(app) == []


def test_rate_limit_that_is_reached() -> None:
    """A 429 is reported as a rate limit."""
    app = application()
    app.before_request(lambda: ("Slowly.", 429))
    assert found(app)[0].startswith("warning rate_limited: 'POST /clustaar' is answer")


def test_smaller_body_limit() -> None:
    """A limit below that of the webhook is found with a request of that size."""
    app = application(max_content_length=50_000)

    @app.before_request
    def small() -> ResponseReturnValue | None:
        return ("Too large.", 413) if (request.content_length or 0) > 10_000 else None

    (one,) = found(app)
    assert one.startswith("warning body_limit: A request of 50000 bytes is answered wi")
    app.before_request_funcs.clear()
    app.config["MAX_CONTENT_LENGTH"] = 10
    assert found(app) == []


# -- replies -------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["body", "status"])
def test_reply_that_is_changed(change: str) -> None:
    """An 'after_request' function that changes replies is found."""
    app = application()

    @app.after_request
    def wrap(response: Response) -> Response:
        if change == "body":
            response.set_data(b'{"data": {}}')
        else:
            response.status_code = 202
        return response

    assert found(app)[0].startswith(
        "error reply_changed: The application changes the reply"
    )


# -- the URL -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "config",
    [
        {"TRUSTED_HOSTS": ["bot.example.com"]},
        {"SERVER_NAME": "bot.example.com"},
        {"APPLICATION_ROOT": "/bots"},
    ],
)
def test_host_that_the_application_accepts(config: dict[str, Any]) -> None:
    """The check sends its request to a host that the application accepts."""
    app = application()
    app.config.update(config)
    assert found(app) == []
