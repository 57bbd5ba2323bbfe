"""Hostile requests to real servers: each gets an answer, and none a 5xx.

``make attack`` sends more of them, to more servers.
"""

from __future__ import annotations

import gzip
import json
import os
import pickle
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from blinker import NamedSignal
from flask import Flask
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from serving import (
    APPS,
    PASSWORD,
    USERNAME,
    Answer,
    Server,
    exchange,
    flask_run,
    gunicorn,
    notification,
    request,
    signed_headers,
)
from strategies import hostile_notifications, json_values

from flask_clustaar import ClustaarWebhook, Notification, events, signals
from flask_clustaar.filters import StepID, TextMatches
from flask_clustaar.security import basic_auth, sign
from flask_clustaar.testing import ClustaarClient

#: How many requests are generated for each server.
ATTACKS = 200

#: How many KiB all processes of a server may grow by.
GROWTH = 48 * 1024

#: What servers say by themselves: to a transfer coding that they do not know, and to a
#: version of HTTP that they do not.
BY_THEMSELVES = {501, 505}

Headers = list[tuple[str, str]]

KEY = "the key of secure"
INSIDERS_KEY = "the key of insider"

#: Occurs in bodies, and must never occur in a log.
CANARY = "canary"

#: Texts that must never occur in a log.
SECRETS = [KEY, INSIDERS_KEY, PASSWORD, basic_auth(USERNAME, PASSWORD)[6:], CANARY]


@dataclass(frozen=True)
class Captured:
    """A delivery that was handled, and that the attacker has seen."""

    body: bytes
    headers: Headers
    reply: bytes
    at: float


#: The text of the page that GET shows in debug mode.
_PAGE = b"This page is shown only in debug mode."


class Target:
    """A server under attack.

    :param debug: whether the application runs in debug mode.
    """

    def __init__(self, server: Server, *, debug: bool = False) -> None:
        self.server = server
        self.debug = debug
        self.good: list[str] = []
        self._captured: Captured | None = None

    def captured(self) -> Captured:
        """Return a fresh delivery."""
        if self._captured is None or time.monotonic() - self._captured.at > 5:
            self._captured = self.deliver()
        return self._captured

    def deliver(self) -> Captured:
        """Send a good delivery, and check that it is handled."""
        name = uuid.uuid4().hex
        self.good.append(name)
        body = json.dumps(notification(delivery=name, canary=CANARY)).encode()
        headers = signed_headers(body, key=KEY)
        answer = exchange(self.server, [request("/secure", headers, body)])
        assert 200 == answer.status, answer.raw
        return Captured(body, headers, answer.body, time.monotonic())

    def send(self, build: Callable[[Captured], bytes]) -> None:
        """Send variants of a captured delivery."""
        seen = self.captured()
        sent = build(seen)
        answer = self.attack(sent)
        if 200 in answer.statuses and b" /secure" in sent:
            # The same delivery again: it gets the answer that it had.
            assert seen.reply in answer.raw or self.is_page(answer)

    def is_page(self, answer: Answer) -> bool:
        """Return whether an answer is the page that GET shows in debug mode."""
        return self.debug and _PAGE in answer.raw

    def attack(self, *pieces: bytes, **how: Any) -> Answer:
        """Send hostile bytes, and check what is true for all of them."""
        answer = exchange(self.server, pieces, **how)
        errors = {status for status in answer.statuses if status >= 500}
        assert errors <= BY_THEMSELVES, answer.raw
        return answer

    def check_nothing_was_forged(self) -> None:
        """Check that only requests signed with the key ran, and only once."""
        ran = [run.delivery for run in self.server.runs if run.webhook == "secure"]
        assert Counter(self.good) == Counter(ran)


@pytest.fixture(name="gunicorn", scope="module")
def _gunicorn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    directory = tmp_path_factory.mktemp("gunicorn")
    store = f"sqlite:///{directory}/replay.db"
    with gunicorn(directory, clustaar_replay_store=store) as server:
        yield Target(server)


@pytest.fixture(name="flask_run", scope="module")
def _flask_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with flask_run(tmp_path_factory.mktemp("flask_run")) as server:
        yield Target(server, debug=True)


@pytest.fixture(name="target", params=["gunicorn", "flask_run"])
def _target(request: pytest.FixtureRequest) -> Iterator[Target]:
    """A server, whose log must never contain a traceback or a secret."""
    target: Target = request.getfixturevalue(request.param)
    before = len(target.server.log)
    yield target
    target.check_nothing_was_forged()
    log = target.server.log[before:]
    assert "Traceback" not in log, log
    # Except the answers of servers to unreadable requests.
    ours = [line for line in log.splitlines() if "nvalid request" not in line]
    ours = [line for line in ours if "code 400, message" not in line]
    for secret in [*SECRETS, "sha1="]:
        assert [] == [line for line in ours if secret in line]


# -- generated: without the key ------------------------------------------------------

#: Possible values of headers.
_header_text = (
    st.binary(max_size=40).map(lambda raw: raw.decode("latin-1"))
    | st.text("sha1256=,: BasicGMT0123456789abcdefABCDEF\t-;\"'/*", max_size=60)
    | st.sampled_from(
        [
            "", "null", "None", "-1", "0", "1e3", "9" * 30, "chunked", "gzip", "sha1=",
            "sha1=" + "0" * 40, "sha256=" + "0" * 64, "Basic Og==", "Bearer x",
            "application/json", "text/html; charset=\xff", "multipart/form-data",
            "multipart/form-data; boundary=x", "application/x-www-form-urlencoded",
            "Thu, 13 Sep 2018 11:48:23 GMT", "Thu, 01 Jan 9999 00:00:00 GMT",
            "100-continue", "identity", "a" * 5000,
        ]
    )
)  # fmt: skip
_header_name = st.sampled_from(
    [
        "Authorization", "Date", "X-Hub-Signature", "Content-Type", "Content-Length",
        "Content-Encoding", "Transfer-Encoding", "Expect", "Host", "X-Hub_Signature",
        "X-HTTP-Method-Override", "X-Forwarded-For", "X-Forwarded-Prefix", "Upgrade",
        "Trailer", "TE", "Range", "Cookie", "X" * 300, "", " Date", "Date ", "\xff",
    ]
)  # fmt: skip


@st.composite
def _changes(draw: st.DrawFn) -> Callable[[Headers], Headers]:
    """A change of the headers."""
    change = draw(st.sampled_from(["set", "drop", "add", "twice", "flip", "cut"]))
    name, text = draw(_header_name), draw(_header_text)
    position, bit = draw(st.integers(0, 200)), draw(st.integers(0, 6))

    def flipped(value: str) -> str:
        where = position % max(1, len(value))
        return value[:where] + chr(ord(value[where]) ^ (1 << bit)) + value[where + 1 :]

    def apply(headers: Headers) -> Headers:
        which = position % len(headers) if headers else 0
        chosen, rest = (
            headers[which : which + 1],
            headers[:which] + headers[which + 1 :],
        )
        return {
            "set": [*((n, v) for n, v in headers if n != name), (name, text)],
            "drop": rest,
            "add": [*headers, (name, text)],
            "twice": [*headers, *chosen],
            "flip": rest + [(n, flipped(v) if v else v) for n, v in chosen],
            "cut": rest + [(n, v[:position]) for n, v in chosen],
        }[change]

    return apply


_bodies = st.sampled_from([b"", b"{}", b"null", b"\xff", b'{"topic":"x"}'])


@st.composite
def _forgeries(draw: st.DrawFn) -> Callable[[Captured], bytes]:
    """Variants of a captured delivery."""
    changes = draw(st.lists(_changes(), min_size=1, max_size=3))
    other_body = draw(st.none() | st.none() | _bodies)
    cut = draw(st.none() | st.none() | st.integers(0, 900))
    path = draw(
        st.sampled_from(
            ["/secure"] * 6
            + ["/secure/", "//secure", "/secure//", "/secure;a=b", "/secure?a=%ff"]
            + ["/./secure", "/secure/../secure", "/secure%00", "/insider", "/lenient"]
        )
    )
    method = draw(st.sampled_from(["POST"] * 9 + ["GET", "PUT", "HEAD", "post", "X"]))

    def forge(seen: Captured) -> bytes:
        headers, body = seen.headers, seen.body
        if other_body is not None:
            body = other_body
            length = [("Content-Length", str(len(body)))]
            headers = [each for each in headers if each[0] != length[0][0]] + length
        for change in changes:
            headers = change(headers)
        sent = request(path, headers, body, method=method)
        return sent if cut is None else sent[:cut]

    return forge


@st.composite
def _rubbish(draw: st.DrawFn) -> Callable[[Captured], bytes]:
    """A delivery with some bytes changed, or random bytes."""
    if draw(st.integers(0, 9)) == 0:
        anything = draw(st.binary(max_size=200))
        return lambda seen: anything
    patches = draw(
        st.lists(
            st.tuples(st.integers(0, 1500), st.integers(0, 3), st.binary(max_size=6)),
            min_size=1,
            max_size=4,
        )
    )
    again = draw(st.booleans())

    def spoil(seen: Captured) -> bytes:
        sent = bytearray(request("/secure", seen.headers, seen.body))
        for where, length, other in patches:
            sent[where : where + length] = other
        return bytes(sent) * (2 if again else 1)

    return spoil


# -- generated: with the key, or without authentication -------------------------------

_nested = st.builds(
    lambda depth, inside: inside[0] * depth + b"1" + inside[1] * depth,
    st.sampled_from([10, 90, 110, 300, 480, 700, 950, 3000, 100_000]),
    st.sampled_from([(b"[", b"]"), (b'{"a":', b"}"), (b'[{"type":', b"}]")]),
)
_numbers = st.sampled_from(
    [b"NaN", b"-Infinity", b"1e999", b"-1e-999", b"9" * 4300, b"9" * 4301, b"-0", b"00"]
)
_pieces = st.one_of(
    _nested,
    _numbers,
    json_values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b'"\\ud800"', b'"\\u0000<b>"', b'"<b><i></b>"', b'{"":{"":""}}', b"[[],[]]",
            b'{"__proto__":{"x":1},"__class__":2,"_received":3}', b'{"a":1,"a":2}',
            b'{"' + b"k" * 5000 + b'":1}', b'"' + "\u0301\u0316".encode() * 3000 + b'"',
            b'{"type":"send_text_action"}', b'[{"type":"send_text_action"}]',
            b'{"type":"message","text":7}', b'{"type":["message"]}', b'{"values":[1]}',
            b'"{\\"a\\": {\\"b\\": 1}}"', b'"[[[[[1]]]]]"', b'"a\\nb\\r\\nc"',
        ]
    ),
)  # fmt: skip

_DOCUMENT = json.dumps(notification(name="John")).encode()


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, list):
        value = dict(enumerate(value))
    for key in value if isinstance(value, dict) else ():
        yield from _paths(value[key], (*path, key))


_PATHS = [path for path in _paths(notification(name="John")) if path]


@st.composite
def _patched_documents(draw: st.DrawFn) -> bytes:
    """The documented notification with anything in one or two places."""
    document: Any = notification(name="John")
    one, other = draw(st.sampled_from(_PATHS)), draw(st.sampled_from(_PATHS))
    apart = one[: len(other)] != other and other[: len(one)] != one
    for path in [one, other] if apart and draw(st.booleans()) else [one]:
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = "@"
    pieces = [draw(_pieces), draw(_pieces), b""]
    parts = json.dumps(document).encode().split(b'"@"')
    return b"".join(map(b"".join, zip(parts, pieces, strict=False)))


def _told(document: Any) -> bytes:
    return json.dumps(document | {"topic": "conversation.step_reached"}).encode()


_hostile_bodies = st.one_of(
    _patched_documents(),
    _patched_documents(),
    st.binary(max_size=60).map(lambda raw: _DOCUMENT + raw),
    st.tuples(st.integers(0, 700), st.binary(max_size=4)).map(
        lambda cut: _DOCUMENT[: cut[0]] + cut[1] + _DOCUMENT[cut[0] :]
    ),
    _pieces,
)


def _in_chunks(body: bytes, size: int) -> bytes:
    chunks = [body[i : i + size] for i in range(0, len(body), size)] + [b""]
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)


@st.composite
def _deliveries(
    draw: st.DrawFn, bodies: st.SearchStrategy[bytes]
) -> Callable[[Captured], bytes]:
    """Signed requests with these bodies."""
    body = draw(bodies)
    path = draw(st.sampled_from(["/insider", "/insecure", "/insecure", "/passing"]))
    size = draw(st.none() | st.none() | st.integers(1, 400))

    def build(seen: Captured) -> bytes:
        headers = signed_headers(body, key=INSIDERS_KEY)
        if size is None or len(body) > 20_000:
            return request(path, headers, body)
        chunked = [h for h in headers if h[0] != "Content-Length"]
        chunked.append(("Transfer-Encoding", "chunked"))
        return request(path, chunked, _in_chunks(body, size))

    return build


def attacks() -> st.SearchStrategy[Callable[[Captured], bytes]]:
    """Generate requests; half of them are from an attacker without the key."""
    notifications = _deliveries(hostile_notifications().map(_told))
    return _forgeries() | _rubbish() | _deliveries(_hostile_bodies) | notifications


def test_generated_attacks(target: Target) -> None:
    """No generated request makes a server fail, is accepted, or makes it grow;
    and the next good delivery is answered."""
    memory: list[int] = []

    @settings(max_examples=ATTACKS, phases=[Phase.generate])
    @given(attacks())
    def attack(build: Callable[[Captured], bytes]) -> None:
        target.send(build)
        memory.append(target.server.memory())

    attack()
    target.deliver()
    assert target.server.memory() - memory[ATTACKS // 5] < GROWTH


# -- tables --------------------------------------------------------------------------


def _post(
    body: bytes, *headers: tuple[str, str], path: str = "/insecure"
) -> list[bytes]:
    return [request(path, [("Content-Type", "application/json"), *headers], body)]


def sized(
    body: bytes, *headers: tuple[str, str], path: str = "/insecure"
) -> list[bytes]:
    """Return a request with its length, in one piece."""
    return _post(body, ("Content-Length", str(len(body))), *headers, path=path)


def good_request() -> bytes:
    """Return a request to an open endpoint."""
    [sent] = sized(_DOCUMENT)
    return sent


def _chunked(body: bytes, *headers: tuple[str, str]) -> list[bytes]:
    return _post(body, ("Transfer-Encoding", "chunked"), *headers)


#: Requests to an endpoint that anybody may call, and the statuses that may come back;
#: 0 where a server hangs up, or answers without a status line.
ODD: dict[str, tuple[list[bytes], set[int]]] = {
    "nothing": ([], {0}),
    "an empty line": ([b"\r\n"], {0, 400}),
    "zeros": ([b"\0" * 1000], {0, 400}),
    "TLS": ([b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"], {0, 400}),
    "HTTP/0.9": ([b"GET /\r\n"], {0, 400, 404}),
    "HTTP/9.9": ([b"POST /insecure HTTP/9.9\r\n\r\n"], {0, 400, 505}),
    "no HTTP": ([b"POST /insecure FTP/1.0\r\n\r\n"], {0, 400}),
    "a long line": ([b"POST /" + b"a" * 100_000], {0, 400, 414}),
    "many headers": ([request("/insecure", [("X", "y")] * 5000, b"")], {400, 431}),
    "a long header": (sized(_DOCUMENT, ("X", "y" * 200_000)), {400, 431}),
    "no name of a header": ([b"POST /insecure HTTP/1.1\r\n: x\r\n\r\n"], {400}),
    "slashes": (sized(_DOCUMENT, path="//insecure//"), {308, 404}),
    "a slash": (sized(_DOCUMENT, path="/insecure/"), {200}),
    "dots": (sized(_DOCUMENT, path="/../../etc/passwd%00"), {400, 404}),
    "parameters": (sized(_DOCUMENT, path="/insecure;a=b"), {404}),
    "a query": (sized(_DOCUMENT, path="/insecure?a=%ff&a=%00"), {200}),
    "another host": (sized(_DOCUMENT, path="http://x/insecure"), {200, 400, 404}),
    "another method": ([request("/insecure", [], b"", method="PATCH")], {405}),
    "options": ([request("/insecure", [], b"", method="OPTIONS")], {200, 400}),
    "a method instead": (
        [
            request(
                "/insecure",
                [("X-HTTP-Method-Override", "POST"), ("Content-Length", "2")],
                b"{}",
                method="GET",
            )
        ],
        {405},
    ),
    "rubbish behind it": ([*sized(b"{}"), b"\xff" * 5000], {400}),
    "requests behind it": ([*sized(b"{}"), *sized(_DOCUMENT)], {400}),
    "too large": (sized(b"{}" * 2**20), {0, 413}),
    "too large, and requests": (sized(sized(_DOCUMENT)[0] * 2000), {0, 413}),
    "too large in chunks": (_chunked(_in_chunks(b"x" * 2**21, 2**16)), {0, 413}),
    "a byte a chunk": (_chunked(_in_chunks(_DOCUMENT, 1)), {200}),
    "white space around the headers": (
        sized(_DOCUMENT, ("X-Hub-Signature", " \t x \t "), ("Date", "\t x \t")),
        {200},
    ),
    "no chunks": (_chunked(b"{}"), {400}),
    "half a chunk": (_chunked(b"5\r\n{}"), {400}),
    "a chunk of a negative size": (_chunked(b"-5\r\n{}\r\n0\r\n\r\n"), {400}),
    "a chunk of a huge size": (_chunked(b"f" * 40 + b"\r\n{}"), {400, 413}),
    "a chunk of a spelt size": (_chunked(b"two\r\n{}\r\n0\r\n\r\n"), {400}),
    "a longer chunk": (_chunked(b"1\r\n{}\r\n0\r\n\r\n"), {400}),
    "no last chunk": (_chunked(b"2\r\n{}\r\n"), {400}),
    "an odd trailer": (_chunked(b"2\r\n{}\r\n0\r\n\xff : \0\r\n\r\n"), {400}),
    "chunks and a length": (
        _chunked(_in_chunks(_DOCUMENT, 9), ("Content-Length", "4")),
        {200, 400},
    ),
    "an unknown coding": (_post(_DOCUMENT, ("Transfer-Encoding", "br")), {411, 501}),
    "no length": (_post(_DOCUMENT), {400}),
    "an odd length": (_post(b"{}", ("Content-Length", "two")), {400}),
    "a negative length": (_post(b"{}", ("Content-Length", "-2")), {400}),
    "a huge length": (_post(b"{}", ("Content-Length", "9" * 18)), {400, 413}),
    "two lengths": (sized(b"{}", ("Content-Length", "1")), {400}),
    "half a body": (_post(b"{}", ("Content-Length", "200")), {0, 400}),
    "gzip": (sized(gzip.compress(_DOCUMENT), ("Content-Encoding", "gzip")), {415}),
    "an expectation": (sized(_DOCUMENT, ("Expect", "100-continue")), {100, 200}),
    "a vain expectation": (sized(_DOCUMENT, ("Expect", "wonders")), {200, 417}),
    "no object": (sized(b"[]"), {400}),
    "a topic that is a list": (sized(b'{"topic": [{}]}'), {400}),
    "a byte order mark": (sized(b"\xef\xbb\xbf" + _DOCUMENT), {400}),
    "UTF-16": (sized(_DOCUMENT.decode().encode("utf-16")), {400}),
    "bytes that are no UTF-8": (sized(b'{"topic": "\xed\xa0\x80"}'), {400}),
    "surrogates": (sized(_DOCUMENT.replace(b"hello", b"\\ud800<b>")), {200}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_request(target: Target, case: str) -> None:
    """Each malformed request gets the expected answer."""
    pieces, foreseen = ODD[case]
    answer = target.attack(*pieces)
    if not target.is_page(answer):
        assert set(answer.statuses or [0]) <= foreseen, answer.raw
    assert 200 == target.attack(good_request()).status


def test_slow_and_broken_requests(target: Target) -> None:
    """A body may come in pieces; a client that disconnects has no effect on others."""
    sent = good_request()
    assert [200] == target.attack(
        sent[:50], sent[50:300], sent[300:], pause=0.1
    ).statuses
    for end in (0, 1, 20, 150, 300):
        target.attack(sent[:end], abort=True)
    target.deliver()


def _nested_in(place: str, depth: int) -> bytes:
    value = b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2)
    return _document_with(place, value)


def _document_with(place: str, value: bytes) -> bytes:
    document: Any = notification(name="John")
    *path, last = place.split(".")
    node = document
    for key in path:
        node = node[key]
    node[last] = "@"
    return json.dumps(document).encode().replace(b'"@"', value)


def _session_value(value: bytes) -> bytes:
    return _document_with("data.session.values.name", value)


def _actions(*actions: Any) -> bytes:
    value = json.dumps(actions, separators=(",", ":")).encode()
    return _document_with("data.step.actions", value)


def _regexps(*patterns: str) -> bytes:
    predicates = [
        {
            "type": "connection_predicate",
            "valueGetter": {"type": "message"},
            "condition": {"type": "match_regexp", "pattern": pattern},
        }
        for pattern in patterns
    ]
    target = {"type": "step", "id": "5a8c317624acbe05b1a36feb"}
    connection = {"type": "flow_connection", "target": target, "predicates": predicates}
    jump = {"type": "jump_to_action", "connections": [connection]}
    return _actions(jump | {"defaultTarget": None})


def _text(text: str) -> bytes:
    return _document_with("data.input.text", json.dumps(text).encode())


def _user_data(text: str) -> bytes:
    return _document_with("data.step.userData", json.dumps(text).encode())


_EVERYTHING = "(?i:[\\x00-\U0010ffff])"

#: Bodies of about the maximum size, each for one kind of work.
HEAVY: dict[str, bytes] = {
    "actions that are the same": _actions(*[{"type": "send_text_action"}] * 15_000),
    "actions that differ": _actions(*({"type": "x", "a": i} for i in range(36_000))),
    "texts": _actions(
        *(
            {"type": "send_text_action", "alternatives": [f"<b>{i}"]}
            for i in range(8_000)
        )
    ),
    "arrays": _session_value(json.dumps([[]] * 250_000).encode()),
    "numbers": _session_value(b"[1" + (b"," + b"9" * 4000) * 200 + b"]"),
    "two long words": _regexps("a" * 400_000 + "|" + "a" * 400_000),
    "all characters": _regexps(*(_EVERYTHING * 9 + str(i) for i in range(999))),
    "a long pattern": _regexps("|".join(map(str, range(120_000)))),
    "a repetition": _regexps("a{" + "9" * 100_000 + "}"),
    "groups": _regexps("()" * 200_000),
    "marks in a text": _text("a" + "\u0301\u0316" * 80_000),
    "marks in userData": _user_data("a" + "\u0301\u0316" * 80_000),
    "tags": _text("<b><i>" * 150_000),
    "userData of arrays": _user_data('{"a": [' + "[]," * 300_000 + "1]}"),
    "userData that is deep": _user_data("[" * 100_000),
    "userData of a key": _user_data('{"' + "k" * 900_000 + '": 1}'),
}


@pytest.mark.parametrize("case", HEAVY)
def test_heavy_body(gunicorn: Target, case: str) -> None:
    """The time that a body takes is in proportion to its size."""
    assert len(HEAVY[case]) < 2**20
    body = HEAVY[case]
    answer = gunicorn.attack(*sized(body, path="/heavy"), seconds=8)
    assert [200] == answer.statuses


def test_heavy_bodies_leave_nothing_behind(gunicorn: Target) -> None:
    """No memory is kept for the content of bodies."""
    bodies = [
        body
        for i in range(10)
        for body in (
            _user_data(json.dumps({"a": [i, [[]] * 200_000]})),
            _regexps(f"{i}|" + "ab" * 300_000),
        )
    ]
    for body in bodies[:4]:
        gunicorn.attack(*sized(body, path="/heavy"))
    before = gunicorn.server.memory()
    for body in bodies[4:]:
        gunicorn.attack(*sized(body, path="/heavy"))
    assert gunicorn.server.memory() - before < GROWTH


#: Bodies that are nested too deeply, or nearly so.
NESTED: dict[str, bytes] = {
    f"{depth} levels in {place}": _nested_in(place, depth)
    for depth in (20, 90, 110, 240, 480, 700, 950, 980, 5000)
    for place in (
        "data.session.values.name",
        "data.step.actions",
        "data.input.attachments",
    )
}


@pytest.mark.parametrize("path", ["/insecure", "/insider", "/passing"])
def test_nesting(gunicorn: Target, path: str) -> None:
    """However deep a body is nested, and wherever, nothing fails in a handler that
    compares, copies and pickles it."""
    for name, body in NESTED.items():
        headers = signed_headers(body, key=INSIDERS_KEY)
        status = gunicorn.attack(request(path, headers, body)).status
        assert status == (200 if int(name.split()[0]) <= 90 else 400), name


# -- weaknesses of clustaar.webhook (PROTOCOL 2), from outside -------------------------


def _send(
    target: Target, body: bytes, headers: Headers, **changed: str | None
) -> tuple[int, str]:
    """Send a delivery with other headers, and return the status and the code."""
    given = dict(headers) | {k.replace("_", "-"): v for k, v in changed.items()}
    left = [(name, value) for name, value in given.items() if value is not None]
    answer = target.attack(request("/secure", left, body))
    assert answer.status != 200, answer.raw
    return answer.status, answer.json["code"]


def test_weakness_signature_is_compared_with_others(target: Target) -> None:
    """Only the whole signature is accepted: none with one bit flipped, none that was
    cut or made longer."""
    seen = target.captured()
    signature = dict(seen.headers)["X-Hub-Signature"]
    digest = int(signature.removeprefix("sha1="), 16)
    for bit in range(160):
        flipped = f"sha1={digest ^ (1 << bit):040x}"
        refused = _send(target, seen.body, seen.headers, X_Hub_Signature=flipped)
        assert (403, "signature_invalid") == refused
    for length in range(len(signature)):
        cut = signature[:length]
        assert 400 == _send(target, seen.body, seen.headers, X_Hub_Signature=cut)[0]
    for longer in (signature + "0", signature + signature, f"{signature},{signature}"):
        refused = _send(target, seen.body, seen.headers, X_Hub_Signature=longer)
        assert (400, "signature_malformed") == refused


def test_weakness_absent_date_is_signed_as_none(target: Target) -> None:
    """A signature without a date is always rejected."""
    body = target.captured().body
    headers = signed_headers(body, key=KEY)
    signature = sign(KEY, None, body)
    for date, code in ((None, "date_missing"), ("None", "date_malformed")):
        refused = _send(target, body, headers, Date=date, X_Hub_Signature=signature)
        assert (400, code) == refused


@pytest.mark.parametrize(
    "date", ["", "yesterday", "0", "Thu, 99 Foo 2018", "1536839303", "\xff"]
)
def test_weakness_odd_date_is_a_500(target: Target, date: str) -> None:
    """A date that cannot be read is the sender's error, although it is signed."""
    body = target.captured().body
    signature = sign(KEY, date, body)
    headers = signed_headers(body, key=KEY)
    refused = _send(target, body, headers, Date=date, X_Hub_Signature=signature)
    assert (400, "date_malformed") == refused


def test_weakness_future_is_accepted_indefinitely(target: Target) -> None:
    """A delivery dated in the future cannot be used later."""
    body = target.captured().body
    for ahead in (11, 86_400, 10**9):
        date = formatdate(time.time() + ahead, usegmt=True)
        headers = signed_headers(body, key=KEY, date=date)
        assert (400, "request_from_future") == _send(target, body, headers)


def test_weakness_same_request_is_accepted_any_number_of_times(target: Target) -> None:
    """Again, and with its signature spelt otherwise: it has run, and has its reply."""
    seen = target.deliver()
    signature = dict(seen.headers)["X-Hub-Signature"]
    respelt = "sha1=" + signature.removeprefix("sha1=").upper()
    for spelling in (signature, respelt):
        headers = dict(seen.headers) | {"X-Hub-Signature": spelling}
        answer = target.attack(request("/secure", headers.items(), seen.body))
        assert (200, seen.reply) == (answer.status, answer.body)


def test_weakness_body_not_utf8_is_a_500(target: Target) -> None:
    """Signed bytes that are not text are rejected."""
    body = b'{"topic": "\xff\xfe\xed\xa0\x80"}'
    assert (400, "invalid_json") == _send(target, body, signed_headers(body, key=KEY))


def test_weakness_password_with_colon_never_matches(target: Target) -> None:
    """With a colon in the password, the whole password is required."""
    assert ":" in PASSWORD
    seen = target.deliver()
    for password in (PASSWORD.partition(":")[0], PASSWORD + ":", ":" + PASSWORD):
        authorization = basic_auth(USERNAME, password)
        refused = _send(target, seen.body, seen.headers, Authorization=authorization)
        assert (401, "credentials_invalid") == refused


def test_weakness_no_challenge(target: Target) -> None:
    """A request without credentials gets a challenge."""
    seen = target.captured()
    headers = [header for header in seen.headers if header[0] != "Authorization"]
    answer = target.attack(request("/secure", headers, seen.body))
    assert 401 == answer.status
    assert "www-authenticate: basic realm=" in answer.head


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("CLUSTAAR_INSECURE_PRIVATE_KEY", ""),
        ("CLUSTAAR_INSECURE_AUTH_USERNAME", "platform"),
    ],
)
def test_weakness_half_a_setting_switches_protection_off(
    setting: str, value: str, tmp_path: Path
) -> None:
    """With an empty key, or a user name without a password, no program starts."""
    path = os.pathsep.join(sys.path)
    own = {f"FLASK_{setting}": value, "ATTACKED_RUNS": str(tmp_path / "runs")}
    started = subprocess.run(
        [sys.executable, "-m", "flask", "--app=attacked", "routes"],
        cwd=APPS,
        env={**os.environ, "PYTHONPATH": path, **own},
        capture_output=True,
        text=True,
    )
    assert started.returncode != 0
    assert f"ConfigurationError: '{setting}'" in started.stderr


@pytest.mark.parametrize("key", [b"", b"test", KEY.encode() + b"\n", b"\0"])
def test_signature_of_another_key(target: Target, key: bytes) -> None:
    """A request without a signature, or with another key, is rejected."""
    body = target.captured().body
    headers = signed_headers(body, key=KEY)
    signature = sign(key, dict(headers)["Date"], body)
    refused = _send(target, body, headers, X_Hub_Signature=signature)
    assert (403, "signature_invalid") == refused


def test_header_with_an_underscore(target: Target) -> None:
    """A name that servers could mistake for the header's is not the header."""
    body = target.captured().body
    headers = dict(signed_headers(body, key=KEY))
    spelt = [*headers.items(), ("X_Hub_Signature", headers.pop("X-Hub-Signature"))]
    spelt = [header for header in spelt if header[0] != "X-Hub-Signature"]
    answer = target.attack(request("/secure", spelt, body))
    assert 400 == answer.status


# -- in one process: what attacks have found ------------------------------------------


def _client(*handlers: Any, **settings: Any) -> ClustaarClient:
    app = Flask("attacked")
    webhook = ClustaarWebhook(app, private_key=KEY, **settings)
    for handler in handlers:
        webhook.on(events.CONVERSATION_STEP_REACHED, handler)
    return ClustaarClient(app)


@pytest.mark.parametrize("location", [{}, {"lat": "x"}, {"long": None}, {"lat": [1]}])
def test_interlocutor_at_an_odd_place(location: Any) -> None:
    """Malformed values of an interlocutor are sent back unchanged, if a handler
    changes others."""

    def rename(it: Notification) -> str:
        assert it.interlocutor.location is not None
        it.interlocutor.first_name = "Jane"
        return "Hello"

    document: Any = notification()
    document["data"]["interlocutor"]["location"] = location
    reply = _client(rename).send(document)
    assert 200 == reply.status_code
    assert location == reply.json["interlocutor"]["location"]


@pytest.mark.parametrize("value", [5, None, {}, {"actions": [], "x": 1}])
@pytest.mark.parametrize("key", ["_received", "_loaders", "__class__", "received"])
def test_reply_with_a_name_of_ours(key: str, value: Any) -> None:
    """A dict that has a name by which models keep something has an unknown key."""
    for reply in (
        {"actions": [], key: value},
        {"actions": [], "interlocutor": {key: value, "firstName": "Jane"}},
        {"actions": [], "session": {key: value, "values": {}}},
    ):
        answer = _client(lambda it, reply=reply: reply).send(notification())
        assert 500 == answer.status_code
        assert "invalid_reply" == answer.json["code"]


def test_reply_with_an_unknown_attribute_of_the_interlocutor() -> None:
    """An unknown attribute of an interlocutor is an error, and not dropped silently."""
    reply = {"actions": [], "interlocutor": {"nickname": "J"}}
    answer = _client(lambda it: reply).send(notification())
    assert 500 == answer.status_code
    assert "interlocutor.nickname" == answer.json["errors"][0]["path"]


#: Reads a notification that another process has pickled.
READER = """
import pickle, sys
it = pickle.load(sys.stdin.buffer)
print(it.topic, it.step.id, it.interlocutor.location.lat, it.session["name"])
"""


def test_notification_is_pickled_for_another_process() -> None:
    """A handler can put a notification into a queue, with any filter."""
    pickles: list[bytes] = []

    def enqueue(it: Notification) -> None:
        pickles.append(pickle.dumps(it))

    client = _client()
    text = TextMatches("h(.)l")
    client.webhook.on(events.CONVERSATION_STEP_REACHED, enqueue, filter=text)
    assert 200 == client.send(notification(name="John")).status_code
    path = os.pathsep.join(sys.path)
    read = subprocess.run(
        [sys.executable, "-c", READER],
        input=pickles[0],
        cwd=APPS,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=True,
    )
    words = b"conversation.step_reached 5a8c317624acbe05b1a36feb 77.41504 John"
    assert words == read.stdout.strip()


def test_log_of_what_nobody_handles_is_bounded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of two thousand unmatched notifications, only some are logged."""
    client = _client()
    for number in range(2000):
        step = StepID(f"{number:024}")
        client.webhook.on(events.CONVERSATION_STEP_REACHED, print, filter=step)
    assert 404 == client.send(notification()).status_code
    assert len(caplog.text) < 50_000


def test_log_of_an_invalid_reply_is_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """Of ten thousand mistakes in a reply, only some are reported."""
    answer = _client(lambda it: [{"type": "wait_action"}] * 10_000).send(notification())
    assert 500 == answer.status_code
    assert len(caplog.text) + len(json.dumps(answer.json)) < 50_000


def test_filter_that_fails_later(caplog: pytest.LogCaptureFixture) -> None:
    """A filter is asked once for each notification; or fails as a filter does."""
    asked: list[int] = []

    def once(it: Notification) -> bool:
        asked.append(1)
        return not asked[1:] or 1 / 0 > 1

    client = _client()
    both = TextMatches("h(.)l") & once
    client.webhook.on(events.CONVERSATION_STEP_REACHED, lambda it: "x", filter=both)
    answer = client.send(notification())
    assert 200 == answer.status_code or "handler_failed" == answer.json["code"]


@pytest.mark.parametrize(
    "signal",
    [
        signals.notification_received,
        signals.handler_called,
        signals.reply_sent,
    ],
)
def test_receiver_that_fails(
    signal: NamedSignal, caplog: pytest.LogCaptureFixture
) -> None:
    """Receivers of signals have no effect: the reply is sent, and handlers run once."""
    runs: list[int] = []

    def fail(sender: Any, **arguments: Any) -> None:
        raise KeyError("listener")

    client = _client(lambda it: runs.append(1))
    with signal.connected_to(fail, client.app):
        answers = [client.send(notification()), client.resend()]
    assert [200, 200] == [answer.status_code for answer in answers]
    assert [1] == runs
    assert "listener" in caplog.text
