"""Access control: only the inspector's own page, in a browser on this machine.

The page shows messages of users, and sends signed requests to the bot. So each request
must pass all :data:`CHECKS` before anything else reads it. The token is in the path
and not in a cookie, because browsers send cookies to every port of ``localhost``.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

WSGIEnviron = dict[str, Any]
WSGIApp = Callable[[WSGIEnviron, Callable[..., Any]], Iterable[bytes]]


class Check(NamedTuple):
    """A condition that every request must meet."""

    name: str
    #: The error message: what is wrong, and what to do.
    sentence: str
    #: Called with the WSGI environment, the port and the token of the inspector.
    passes: Callable[[WSGIEnviron, int, str], bool]


def refused(environ: WSGIEnviron, port: int, token: str) -> Check | None:
    """Return the first check that a request fails; None if it passes all."""
    failed = (each for each in CHECKS if not each.passes(environ, port, token))
    return next(failed, None)


class Guard:
    """The WSGI application in front of the inspector.

    It rejects requests that fail a check with 403 and one sentence. It removes the
    token from the path of all others, and adds security headers to every answer.
    """

    def __init__(self, app: WSGIApp, port: int, token: str) -> None:
        self._app = app
        self._port = port
        self._token = token

    def __call__(
        self, environ: WSGIEnviron, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            ours = {name.lower() for name, _ in HEADERS}
            kept = [pair for pair in headers if pair[0].lower() not in ours]
            return start_response(status, [*kept, *HEADERS], *more)

        check = refused(environ, self._port, self._token)
        if check is not None:
            start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
            return [f"{check.sentence}\n".encode()]
        prefix = f"/{self._token}"
        environ["SCRIPT_NAME"] = prefix
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix(prefix)
        return self._app(environ, start)


# -- the checks, in order ------------------------------------------------------------


def _is_local(environ: WSGIEnviron, port: int, token: str) -> bool:
    try:
        address = ipaddress.ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def _is_direct(environ: WSGIEnviron, port: int, token: str) -> bool:
    return not any(name.startswith(_PROXIES) for name in environ)


def _names_this_host(environ: WSGIEnviron, port: int, token: str) -> bool:
    return environ.get("HTTP_HOST") in {f"{host}:{port}" for host in _HOSTS}


def _is_no_other_site(environ: WSGIEnviron, port: int, token: str) -> bool:
    # "same-site" is not enough, because it includes other ports of localhost.
    return environ.get("HTTP_SEC_FETCH_SITE", "none") in ("none", "same-origin")


def _has_own_origin(environ: WSGIEnviron, port: int, token: str) -> bool:
    own = f"http://{environ.get('HTTP_HOST')}"
    return bool(environ.get("HTTP_ORIGIN", own) == own)


def _changes_with_json(environ: WSGIEnviron, port: int, token: str) -> bool:
    # Forms of other sites can send only three content types, and JSON is not one.
    mimetype = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    return environ["REQUEST_METHOD"] in _READING or mimetype == "application/json"


def _has_token(environ: WSGIEnviron, port: int, token: str) -> bool:
    given = environ.get("PATH_INFO", "").split("/")[1:2]
    return hmac.compare_digest("".join(given).encode(), token.encode())


_HOSTS: Final = ("localhost", "127.0.0.1", "[::1]")
_READING: Final = ("GET", "HEAD")
#: Prefixes of the headers that proxies and tunnels add.
_PROXIES: Final = (
    "HTTP_X_FORWARDED",
    "HTTP_FORWARDED",
    "HTTP_VIA",
    "HTTP_CF_",
    "HTTP_X_REAL_IP",
    "HTTP_NGROK_",
)

CHECKS: Final = (
    Check(
        "address",
        "The inspector can be used only on the machine where it runs.",
        _is_local,
    ),
    Check(
        "proxy",
        "The inspector cannot be used through a proxy or a tunnel. Open the URL that "
        "the command printed.",
        _is_direct,
    ),
    Check(
        "host",
        "The inspector accepts only the hosts 'localhost', '127.0.0.1' and '[::1]', "
        "with its own port. Open the URL that the command printed.",
        _names_this_host,
    ),
    Check(
        "site",
        "The inspector rejects requests from other sites. Open the URL that the "
        "command printed.",
        _is_no_other_site,
    ),
    Check(
        "origin",
        "The inspector rejects requests from pages of other origins.",
        _has_own_origin,
    ),
    Check(
        "content type",
        "Send 'Content-Type: application/json' with every request that changes "
        "something.",
        _changes_with_json,
    ),
    Check(
        "token",
        "The token is missing or wrong. Open the URL that the command printed: the "
        "token is new at each start.",
        _has_token,
    ),
)

#: The headers of every answer.
HEADERS: Final = (
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src * data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)
