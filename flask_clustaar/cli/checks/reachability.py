"""Check that requests of the platform reach the webhook through the application.

The check sends a signed request to the application in this process. The whole
application runs, except the webhook's handlers. So the check finds code that answers
instead of the webhook, such as a login page, a redirect, a rate limit or CSRF
protection.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, NamedTuple

from flask import Flask, Response
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

from ...address import Address, address_of, rules_of
from ...extension import ClustaarWebhook
from ...platform.documents import encode
from ...platform.signer import Signer
from ...testing import make_notification
from ..findings import Finding, rule

HIDDEN = rule("hidden", "error", "Another route has the webhook's URL.")
BLOCKED = rule("blocked", "error", "A request does not reach the webhook.")
REDIRECTED = rule("redirected", "error", "A request is redirected.")
RATE_LIMITED = rule("rate_limited", "warning", "A rate limit applies to the webhook.")
BODY_LIMIT = rule("body_limit", "warning", "Large requests do not reach the webhook.")
REPLY_CHANGED = rule("reply_changed", "error", "The application changes replies.")

#: What the webhook answers while the check runs.
_REPLY: Final = b'{"actions":[]}'

#: The headers that a reverse proxy for HTTPS adds to a request.
_HTTPS: Final = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"}


def check_reachability(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    """Find code and limits that keep requests from reaching a webhook."""
    hidden = list(_hidden(app, webhook))
    yield from hidden
    if hidden:
        return
    try:
        address = address_of(app, webhook)
    except LookupError:
        return  # A URL with variables cannot receive a request.
    endpoint = rules_of(app, webhook)[0].endpoint
    limit = webhook.installation(app).settings.max_content_length
    with _observed(app, endpoint) as seen:
        answer = _post(app, webhook, address)
        found = list(_findings(seen, answer, endpoint, address))
        proxy: dict[str, str] = {}
        if [each.code for each in found] == [REDIRECTED.code]:
            proxy = _HTTPS
            seen.clear()
            answer = _post(app, webhook, address, proxy=proxy)
            if seen.reached:  # Only requests without HTTPS are redirected.
                found = [replace(found[0], level="warning")]
                if _trusts_proxy(app):
                    found = list(_findings(seen, answer, endpoint, address))
        yield from found
        if not seen.reached:
            return
        seen.clear()
        answer = _post(app, webhook, address, limit, proxy)
    if not seen.reached:
        yield BODY_LIMIT(
            f"A request of {limit} bytes is answered with {_status(answer)}{seen.by}, "
            "before it reaches the webhook. 'CLUSTAAR_MAX_CONTENT_LENGTH' allows it. "
            f"Raise the other limit for the endpoint '{endpoint}', or lower this "
            "setting."
        )


def _hidden(app: Flask, webhook: ClustaarWebhook) -> Iterator[Finding]:
    """Find URLs of the webhook that are routed to another view."""
    for each in rules_of(app, webhook):
        if each.arguments:
            continue
        if app.url_map.host_matching:
            adapter = app.url_map.bind(each.host or "localhost")
        else:
            adapter = app.url_map.bind("localhost", subdomain=each.subdomain)
        try:
            endpoint = adapter.match(each.rule, method="POST")[0]
        except HTTPException as problem:
            wrong = f"is answered with '{problem.name}'"
        else:
            wrong = f"goes to '{endpoint}'" if endpoint != each.endpoint else ""
        if wrong:
            yield HIDDEN(
                f"'POST {each.rule}' {wrong}, and never reaches the webhook. Change "
                "'CLUSTAAR_URL_PREFIX', or the other route."
            )


# -- one request ---------------------------------------------------------------------


class _Stop(NamedTuple):
    """The function that answered instead of the webhook."""

    #: The package it is from, such as ``flask_limiter``.
    package: str
    #: Its name and place.
    name: str


class _Seen:
    """Notes of what happened to the request."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.reached = False
        self.limits: list[str] = []
        self.stop: _Stop | None = None
        self.error: Exception | None = None

    @property
    def by(self) -> str:
        return f" by {self.stop.name}" if self.stop else ""


def _post(
    app: Flask,
    webhook: ClustaarWebhook,
    address: Address,
    size: int = 0,
    proxy: dict[str, str] | None = None,
) -> TestResponse:
    """Send a request as the platform would.

    :param size: the minimum size of the body, in bytes.
    :param proxy: the headers that a reverse proxy adds.
    """
    body = encode(make_notification().received).ljust(size)
    delivery = Signer(webhook.installation(app).settings).deliver(body)
    return app.test_client().post(
        address.path,
        base_url=address.base_url,
        data=body,
        headers=delivery.headers | (proxy or {}),
    )


def _trusts_proxy(app: Flask) -> bool:
    """Return whether the application uses the headers of a reverse proxy."""
    inner: Any = app.wsgi_app
    while inner is not None:
        if isinstance(inner, ProxyFix):
            return True
        inner = getattr(inner, "app", None)
    return False


@contextmanager
def _observed(app: Flask, endpoint: str) -> Iterator[_Seen]:
    """Replace the webhook's view, and note which code answers instead of it."""
    seen = _Seen()

    def view(**_: Any) -> Response:
        seen.reached = True
        seen.limits = _limits(app)
        return Response(_REPLY, mimetype="application/json")

    hooks = app.before_request_funcs
    app.before_request_funcs = hooks.copy()
    for scope, functions in hooks.items():
        app.before_request_funcs[scope] = [_noting(each, seen) for each in functions]
    receive = app.view_functions[endpoint]
    # Extensions identify views by their names and attributes.
    app.view_functions[endpoint] = functools.wraps(receive)(view)
    propagate = app.config.get("PROPAGATE_EXCEPTIONS")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    quiet, app.logger.disabled = app.logger.disabled, True
    try:
        yield seen
    finally:
        app.before_request_funcs = hooks
        app.view_functions[endpoint] = receive
        app.config["PROPAGATE_EXCEPTIONS"] = propagate
        app.logger.disabled = quiet


def _noting(function: Callable[[], Any], seen: _Seen) -> Callable[[], Any]:
    """Wrap a function: note in *seen* if it answers or raises."""

    @functools.wraps(function)
    def noting() -> Any:
        try:
            answer = function()
        except Exception as error:
            seen.stop = seen.stop or _stop(function)
            seen.error = None if isinstance(error, HTTPException) else error
            raise
        if answer is not None:
            seen.stop = seen.stop or _stop(function)
        return answer

    return noting


def _stop(function: Any) -> _Stop:
    function = inspect.unwrap(getattr(function, "__func__", function))
    module = getattr(function, "__module__", "") or ""
    name = getattr(function, "__qualname__", repr(function)).replace("<locals>.", "")
    code = getattr(function, "__code__", None)
    place = ""
    if code is not None:
        place = f" ({os.path.basename(code.co_filename)}:{code.co_firstlineno})"
    return _Stop(module.partition(".")[0], f"'{module}.{name}'{place}")


def _limits(app: Flask) -> list[str]:
    """Return the limits that Flask-Limiter applies to the current request."""
    limiters = app.extensions.get("limiter") or ()
    return [
        str(limit.limit)
        for limiter in (limiters if isinstance(limiters, set) else [limiters])
        for limit in getattr(limiter, "current_limits", None) or ()
    ]


# -- remedies ------------------------------------------------------------------------

#: How to exempt the webhook, for well-known extensions.
_REMEDIES: Final = {
    "flask_limiter": "Write 'limiter.exempt(webhook.blueprint)'.",
    "flask_wtf": "Write 'csrf.exempt(webhook.blueprint)'.",
    "flask_talisman": (
        "Behind a reverse proxy for HTTPS, use Werkzeug's 'ProxyFix'. Or write "
        "'talisman(force_https=False)(app.view_functions[\"{endpoint}\"])'."
    ),
}
_REMEDY: Final = "Exempt requests with 'request.endpoint == \"{endpoint}\"' there."


def _findings(
    seen: _Seen, answer: TestResponse, endpoint: str, address: Address
) -> Iterator[Finding]:
    what = f"'POST {address.path}'"
    package = seen.stop.package if seen.stop else ""
    remedy = _REMEDIES.get(package, _REMEDY).format(endpoint=endpoint)
    if not seen.stop:
        remedy = "Check the WSGI middleware of the application."
    if seen.reached:
        if answer.status_code != 200 or answer.get_data() != _REPLY:
            yield REPLY_CHANGED(
                f"The application changes the reply to {what}, and sends "
                f"{_status(answer)}. Exempt the endpoint '{endpoint}' in "
                "'after_request' functions, error handlers and WSGI middleware."
            )
        elif seen.limits:
            yield RATE_LIMITED(
                f"A rate limit applies to {what}: {', '.join(seen.limits)}. All users "
                "share the platform's IP addresses, so together they exceed it. "
                f"{_REMEDIES['flask_limiter']}"
            )
    elif answer.status_code == 429:
        yield RATE_LIMITED(
            f"{what} is answered with {_status(answer)}{seen.by}, before it reaches "
            f"the webhook. {remedy}"
        )
    elif answer.status_code in (301, 302, 303, 307, 308):
        yield REDIRECTED(
            f"{what} is redirected to '{answer.location}'{seen.by}, so the platform's "
            f"requests never reach the webhook. {remedy}"
        )
    else:
        error = ""
        if seen.error:
            error = f", which raised {type(seen.error).__name__}"
            remedy = f"Fix it. {remedy}"
        yield BLOCKED(
            f"{what} is answered with {_status(answer)}{seen.by}{error}, before "
            f"it reaches the webhook. {remedy}"
        )


def _status(answer: TestResponse) -> str:
    """Return a status in words that are the same with each version of Werkzeug."""
    return answer.status.title()
