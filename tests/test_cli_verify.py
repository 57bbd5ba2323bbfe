"""``flask clustaar verify``: the authentication of a saved request."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from cli_bots import KEY, PASSWORD, USERNAME, ok, run, sentence, small_bot, two_bots
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.http import http_date

from flask_clustaar.security import basic_auth, sign

BODY = b'{"topic":"conversation.step_reached"}'
THEN = "Thu, 13 Sep 2018 11:48:23 GMT"


def saved(
    *,
    date: str = THEN,
    key: str = KEY,
    body: bytes = BODY,
    line: str = "POST /clustaar HTTP/1.1",
    end: str = "\r\n",
    **headers: Any,
) -> bytes:
    """Return a saved request; None removes a header."""
    told: dict[str, str | None] = {
        "Content-Type": "application/json",
        "Date": date,
        "X-Hub-Signature": sign(key, date, body),
        "Authorization": basic_auth(USERNAME, PASSWORD),
    }
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [line] if line else []
    lines += [f"{name}: {value}" for name, value in told.items() if value is not None]
    return end.join([*lines, "", ""]).encode() + body


def verify(request: bytes, *arguments: str, **settings: Any) -> Result:
    """Verify a request of 2018 with the clock of then."""
    if not arguments:
        arguments = ("--at", THEN)
    app = small_bot(auth_username=USERNAME, auth_password=PASSWORD, **settings)
    return run(app, "verify", "-", *arguments, input=request)


def outcomes(result: Result) -> dict[str, str]:
    """Return how each check ended, in their order."""
    rows = [line.split(maxsplit=2) for line in result.output.splitlines()[:-1]]
    return {row[0]: row[1] for row in rows}


def reason(result: Result, check: str) -> str:
    rows = [line.split(maxsplit=2) for line in result.output.splitlines()]
    return next(row[2] for row in rows if row[0] == check)


# -- a request that is as it should be -----------------------------------------------


@pytest.mark.parametrize("end", ["\r\n", "\n"])
@pytest.mark.parametrize("line", ["POST /clustaar HTTP/1.1", "", "POST /x?y HTTP/2"])
def test_right(line: str, end: str) -> None:
    """A valid request passes, with any line ends, and without a request line."""
    result = verify(saved(line=line, end=end))

    assert ok(result).endswith("\nAccepted.\n")
    assert outcomes(result) == {
        "size": "pass",
        "content": "pass",
        "credentials": "pass",
        "signature": "pass",
        "freshness": "pass",
        "replay": "skip",
    }


def test_now() -> None:
    """The default clock is the current time."""
    result = verify(saved(date=http_date(time.time() - 3)), "--now")
    assert ok(result)
    assert re.match("it is dated [3-9] s ago; ", reason(result, "freshness"))


def test_json() -> None:
    """'--json' has the verdict and each check, for other programs."""
    accepted = json.loads(ok(verify(saved(), "--at", THEN, "--json")))
    assert (accepted["accepted"], accepted["status"]) == (True, 200)
    assert accepted["code"] is None
    assert accepted["checks"][0] == {
        "check": "size",
        "outcome": "pass",
        "sentence": "37 bytes of at most 1048576",
    }

    result = verify(saved(key="wrong"), "--at", THEN, "--json")
    assert result.exit_code == 1
    rejected = json.loads(result.output)
    assert (rejected["accepted"], rejected["status"]) == (False, 403)
    assert rejected["code"] == "signature_invalid"
    failed = [each["check"] for each in rejected["checks"] if each["outcome"] == "fail"]
    assert failed == ["signature"]


def test_no_secret() -> None:
    """Neither secrets nor the content of the request are shown."""
    for request in (saved(), saved(key="wrong"), saved(Authorization="Basic cHc=")):
        output = verify(request).output
        for private in (KEY, PASSWORD, "topic", basic_auth(USERNAME, PASSWORD), "cHc="):
            assert private not in output


def test_key_of_several() -> None:
    """With several keys, the number of the matching key is shown."""
    result = verify(saved(), private_key=["a newer private key", KEY])
    assert reason(result, "signature") == "it matches key 2 of 2"


def test_size_without_a_length() -> None:
    """Without 'Content-Length' the body is the rest of the file."""
    assert reason(verify(saved()), "size") == "37 bytes of at most 1048576"
    assert outcomes(verify(saved(), max_content_length=36))["size"] == "FAIL"


def test_content_that_may_be_json() -> None:
    """A request without a content type is accepted."""
    result = verify(saved(Content_Type=None))
    assert ok(result)
    assert reason(result, "content") == "no Content-Type (accepted)"


# -- what is wrong -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "headers", "answer"),
    [
        ("size", {"Content_Length": "5000"}, "400 body_incomplete"),
        ("size", {"Content_Length": "99999999"}, "413 body_too_large"),
        ("content", {"Content_Type": "text/html"}, "415 unsupported_content"),
        ("content", {"Content_Encoding": "gzip"}, "415 unsupported_content"),
        ("credentials", {"Authorization": None}, "401 credentials_missing"),
        ("credentials", {"Authorization": "Basic x"}, "401 credentials_invalid"),
        ("signature", {"X_Hub_Signature": None}, "400 signature_missing"),
        ("signature", {"X_Hub_Signature": "x"}, "400 signature_malformed"),
        ("signature", {"x_hub_signature": "sha1=" + 40 * "0"}, "400 signature_malf"),
        ("signature", {"X_Hub_Signature": "sha1=" + 40 * "0"}, "403 signature_invalid"),
    ],
)
def test_wrong(check: str, headers: dict[str, Any], answer: str) -> None:
    """A mistake is shown at its check, and the answer at the end."""
    result = verify(saved(**headers))
    assert result.exit_code == 1
    assert outcomes(result)[check] == "FAIL"
    assert f"\nRejected: {answer}" in result.output


def test_first_failure_is_the_answer() -> None:
    """All checks are shown, and the answer is for the first failure."""
    result = verify(saved(Content_Type="text/html", key="wrong", Authorization=None))
    failed = [name for name, outcome in outcomes(result).items() if outcome == "FAIL"]
    assert failed == ["content", "credentials", "signature"]
    assert result.output.endswith("Rejected: 415 unsupported_content.\n")


@pytest.mark.parametrize(
    ("clock", "age"),
    [
        ("Thu, 13 Sep 2018 11:48:34 GMT", "It is dated 11 s ago"),
        ("Thu, 13 Sep 2018 11:53:23 GMT", "It is dated 5 minutes ago"),
        ("Thu, 13 Sep 2018 14:48:23 GMT", "It is dated 3 hours ago"),
        ("Sun, 23 Sep 2018 11:48:23 GMT", "It is dated 10 days ago"),
        ("Thu, 13 Sep 2018 11:48:13 GMT", "It is dated 10 s ahead"),
    ],
)
def test_age(clock: str, age: str) -> None:
    """For a stale request, its age and the accepted range are shown."""
    result = verify(saved(), "--at", clock)
    told = reason(result, "freshness")
    assert age in told
    assert "accepted from 10 s ago to 5 s ahead" in told
    assert f'--at "{THEN}"' in told
    assert result.exit_code == 1


def test_any_age() -> None:
    """Where no age is asked for, any passes."""
    result = verify(saved(), "--now", request_max_age=None)
    assert ok(result)
    assert reason(result, "freshness").endswith("; any age is accepted")


def test_body_that_an_editor_changed() -> None:
    """A line break that an editor put at the end is found out."""
    result = verify(saved() + b"\n")
    assert reason(result, "signature") == (
        "It matches without the line break at the end of the file. Remove it."
    )
    assert "The signature does not match." in verify(saved(key="wrong") + b"\n").output


def test_length_that_is_announced() -> None:
    """Bytes after the announced length are not part of the body."""
    ok(verify(saved(Content_Length=str(len(BODY))) + b"\n"))


def test_no_body() -> None:
    """A request without a body is one, and its signature can hold."""
    request = saved(body=b"").rstrip()
    assert outcomes(verify(request))["signature"] == "pass"


# -- what is skipped -----------------------------------------------------------------


def test_open_webhook() -> None:
    """Checks that the settings do not require are skipped, with a reason."""
    result = run(
        small_bot(private_key=None, auth_username="a", auth_password="b"),
        "verify",
        "-",
        input=saved(Authorization=basic_auth("a", "b")),
    )
    assert ok(result)
    assert list(outcomes(result).values()) == ["pass"] * 3 + ["skip"] * 3
    result = run(small_bot(), "verify", "-", "--at", THEN, input=saved())
    assert outcomes(result)["credentials"] == "skip"


def test_no_date() -> None:
    """Without a date, freshness is skipped."""
    result = verify(saved(Date=None))
    assert reason(result, "freshness") == "not exactly one 'Date' header"
    assert result.output.endswith("Rejected: 400 date_missing.\n")


@pytest.mark.parametrize("store", ["off", None])
def test_replay_store_that_is_off(store: str | None) -> None:
    """Without a replay store nothing is recorded."""
    result = verify(saved(), replay_store=store)
    assert reason(result, "replay") == "the replay store is off"


# -- which webhook -------------------------------------------------------------------


def test_path_names_the_webhook() -> None:
    """Of several webhooks it is the one whose path is in the request."""
    request = saved(line="POST /sales?a=b HTTP/1.1")
    ok(run(two_bots(), "verify", "-", "--at", THEN, input=request))
    result = run(two_bots(), "verify", "-", "--webhook", "support", input=request)
    assert outcomes(result)["signature"] == "FAIL"
    request = saved(line="POST /elsewhere HTTP/1.1")
    sentence(run(two_bots(), "verify", "-", input=request), 2)


# -- rubbish -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", 1),
        (b"GET / HTTP/1.1\nx", 2),
        (b"GET / HTTP/1.1\r\nHost: x\r\nrubbish\r\n\r\n", 3),
        (b"{}", 1),
        (b"A: b\n c: d", 2),
        (b"na me: x", 1),
    ],
)
def test_no_request(content: bytes, line: int) -> None:
    """An invalid request is an error with its line."""
    assert sentence(verify(content)) == (
        f"Standard input is not an HTTP request: line {line} is not 'Name: value'."
    )


def test_no_clock() -> None:
    """An invalid clock and two clocks are usage errors."""
    error = sentence(verify(saved(), "--at", "noon"), 2)
    assert "'noon' is not a date such as 'Thu, 13 Sep 2018 11:48:23 GMT'." in error
    error = sentence(verify(saved(), "--at", THEN, "--now"), 2)
    assert error == "'--at' and '--now' cannot be combined. Remove one."


@settings(max_examples=60)
@given(
    headers=st.dictionaries(
        st.sampled_from(
            ["Date", "X-Hub-Signature", "Authorization", "Content-Length", "X"]
        ),
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n")),
        min_size=1,
    ),
    body=st.binary(),
)
def test_rubbish_in_headers(headers: dict[str, str], body: bytes) -> None:
    """No header makes it a traceback."""
    lines = [f"{name}: {value}".encode("latin-1") for name, value in headers.items()]
    result = verify(b"\n".join([*lines, b"", body]))
    assert isinstance(result.exception, SystemExit)


@settings(max_examples=30)
@given(rubbish=st.binary())
def test_rubbish(rubbish: bytes) -> None:
    """No bytes make it a traceback."""
    assert isinstance(verify(rubbish).exception, SystemExit)
