"""Access to the inspector: only its own page, in a browser on this machine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from flask_clustaar.inspector.access import CHECKS, HEADERS, Guard, refused

PORT, TOKEN = 5001, "the-token-of-this-start"
OWN = "127.0.0.1:5001"


def environ(path: str = f"/{TOKEN}/", **changes: str) -> dict[str, Any]:
    """Return a request of the page itself, with some changes."""
    own = {
        "REQUEST_METHOD": "GET",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": OWN,
        "PATH_INFO": path,
    }
    return own | changes


def name_of_failed(request: dict[str, Any]) -> str | None:
    check = refused(request, PORT, TOKEN)
    return None if check is None else check.name


# -- what may enter ------------------------------------------------------------------

ALLOWED = {
    "an address that is typed": environ(),
    "a navigation of the user": environ(HTTP_SEC_FETCH_SITE="none"),
    "the page's own request": environ(
        HTTP_SEC_FETCH_SITE="same-origin", HTTP_ORIGIN=f"http://{OWN}"
    ),
    "the name of the loopback": environ(HTTP_HOST="localhost:5001"),
    "IPv6": environ(HTTP_HOST="[::1]:5001", REMOTE_ADDR="::1"),
    "another loopback address": environ(REMOTE_ADDR="127.0.0.2"),
    "IPv4 on an IPv6 socket": environ(REMOTE_ADDR="::ffff:127.0.0.1"),
    "a change": environ(REQUEST_METHOD="POST", CONTENT_TYPE="application/json"),
    "a change with a charset": environ(
        REQUEST_METHOD="PATCH", CONTENT_TYPE="Application/JSON; charset=utf-8"
    ),
}


@pytest.mark.parametrize("request_", ALLOWED.values(), ids=ALLOWED)
def test_allowed(request_: dict[str, Any]) -> None:
    """The page itself and programs of this machine with the token may enter."""
    assert name_of_failed(request_) is None


# -- what may not --------------------------------------------------------------------

REFUSED = {
    "address": [
        environ(REMOTE_ADDR="192.168.1.5"),
        environ(REMOTE_ADDR="::ffff:192.168.1.5"),
        environ(REMOTE_ADDR="fe80::1"),
        environ(REMOTE_ADDR=""),
        environ(REMOTE_ADDR="localhost"),
    ],
    "proxy": [
        environ(HTTP_X_FORWARDED_FOR="127.0.0.1"),
        environ(HTTP_X_FORWARDED_HOST=OWN),
        environ(HTTP_FORWARDED="for=127.0.0.1"),
        environ(HTTP_VIA="1.1 proxy"),
        environ(HTTP_CF_CONNECTING_IP="127.0.0.1"),
        environ(HTTP_X_REAL_IP="127.0.0.1"),
        environ(HTTP_NGROK_TRACE_ID="1"),
    ],
    "host": [
        environ(HTTP_HOST="evil.example"),
        environ(HTTP_HOST="evil.example:5001"),
        environ(HTTP_HOST="127.0.0.1.nip.io:5001"),
        environ(HTTP_HOST="192.168.1.5:5001"),
        environ(HTTP_HOST="localhost"),
        environ(HTTP_HOST="localhost:5000"),
        environ(HTTP_HOST="localhost:5001,evil.example"),
        environ(HTTP_HOST=" localhost:5001"),
        environ(HTTP_HOST=""),
    ],
    "site": [
        environ(HTTP_SEC_FETCH_SITE="cross-site"),
        environ(HTTP_SEC_FETCH_SITE="same-site"),
        environ(HTTP_SEC_FETCH_SITE=""),
    ],
    "origin": [
        environ(HTTP_ORIGIN="http://evil.example"),
        environ(HTTP_ORIGIN="null"),
        environ(HTTP_ORIGIN="http://127.0.0.1:5000"),
        environ(HTTP_ORIGIN=f"https://{OWN}"),
        environ(HTTP_ORIGIN="http://localhost:5001"),
    ],
    "content type": [
        environ(REQUEST_METHOD="POST"),
        environ(REQUEST_METHOD="POST", CONTENT_TYPE="text/plain"),
        environ(
            REQUEST_METHOD="POST", CONTENT_TYPE="application/x-www-form-urlencoded"
        ),
        environ(REQUEST_METHOD="POST", CONTENT_TYPE="text/plain; application/json"),
        environ(REQUEST_METHOD="DELETE"),
        environ(REQUEST_METHOD="OPTIONS"),
    ],
    "token": [
        environ("/"),
        environ(""),
        environ("/the-token"),
        environ(f"/{TOKEN}x/"),
        environ(f"//{TOKEN}/"),
        environ(f"/api/{TOKEN}/"),
        environ(f"/{TOKEN.upper()}/"),
        environ("/\xff\xfe/"),
    ],
}


@pytest.mark.parametrize(
    ("name", "request_"),
    [(name, request) for name, requests in REFUSED.items() for request in requests],
)
def test_refused(name: str, request_: dict[str, Any]) -> None:
    """A request that fails one check is rejected by that check."""
    assert name_of_failed(request_) == name


def test_each_check_has_refusals() -> None:
    """The table of rejections has all checks, in order."""
    assert [check.name for check in CHECKS] == list(REFUSED)


@given(
    host=st.text(max_size=40) | st.sampled_from([OWN, "localhost:5001"]),
    origin=st.text(max_size=40) | st.just(f"http://{OWN}"),
    token=st.text(st.characters(max_codepoint=255), max_size=40) | st.just(TOKEN),
)
def test_only_the_exact_triple_passes(host: str, origin: str, token: str) -> None:
    """Only the right host, its own origin and the right token pass together."""
    request = environ(f"/{token}/", HTTP_HOST=host, HTTP_ORIGIN=origin)

    allowed = refused(request, PORT, TOKEN) is None

    hosts = ("localhost:5001", OWN, "[::1]:5001")
    right = host in hosts and origin == f"http://{host}"
    assert allowed == (right and token.partition("/")[0] == TOKEN)


# -- the guard -----------------------------------------------------------------------


def application(environ: Any, start_response: Any) -> list[bytes]:
    """Answer with the path, and with headers that only the guard may set."""
    start_response("200 OK", [("Cache-Control", "public"), ("X-Own", "kept")])
    return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]


def get(path: str) -> TestResponse:
    """Return what the guard answers to its own page."""
    client = Client(Guard(application, PORT, TOKEN))
    local = {"REMOTE_ADDR": "127.0.0.1"}
    return client.get(path, base_url=f"http://{OWN}", environ_base=local)


def test_token_is_taken_off() -> None:
    """The application behind the guard sees paths without the token."""
    response = get(f"/{TOKEN}/api/app")

    assert response.text == f"/{TOKEN} /api/app"


def test_headers() -> None:
    """Each answer has all security headers once, even if the application sets them."""
    response = get(f"/{TOKEN}/")

    for name, value in HEADERS:
        assert response.headers.getlist(name) == [value]
    assert response.headers["X-Own"] == "kept"


def test_refusal() -> None:
    """A rejection is 403 with one sentence, has the headers, and allows no origin."""
    response = get("/")

    assert response.status_code == 403
    assert response.text.startswith("The token is missing or wrong.")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not any(name.startswith("Access-Control") for name, _ in response.headers)


def test_policy_is_strict() -> None:
    """The policy allows only the page's own files, and pictures from anywhere."""
    policy = dict(HEADERS)["Content-Security-Policy"]

    assert "unsafe" not in policy
    assert [part for part in policy.split("; ") if "*" in part] == ["img-src * data:"]
