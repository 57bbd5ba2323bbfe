"""Odd requests to many servers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving import request, signed_headers
from test_attack import (
    BY_THEMSELVES,
    HEAVY,
    INSIDERS_KEY,
    NESTED,
    ODD,
    SECRETS,
    good_request,
    sized,
)

from .servers import SERVERS, ask, serve

#: Failures of servers with any application: hypercorn fails without a body.
CANNOT = {("hypercorn", "options")}
#: How many servers are attacked at a time. Most of the time is spent on waiting for
#: the end of requests that have none.
AT_ONCE = 4

Requests = dict[str, list[bytes]]


def requests() -> Requests:
    """Return the pieces of each request by a name."""
    found = {name: pieces for name, (pieces, _) in ODD.items()}
    for name, body in HEAVY.items():
        found[name] = sized(body, path="/heavy")
    for name, body in NESTED.items():
        headers = signed_headers(body, key=INSIDERS_KEY)
        found[name] = [request("/insider", headers, body)]
    return found


def attack(directory: Path) -> str:
    """Send each request to each server: none fails, and all continue to run."""
    sent = requests()
    with ThreadPoolExecutor(AT_ONCE) as executor:
        attacks = [executor.submit(_attack, name, directory, sent) for name in SERVERS]
    for each in attacks:
        each.result()
    return (
        f"{len(SERVERS)} servers x {len(sent)} requests; none failed, and the next "
        "good request was answered each time."
    )


def _attack(name: str, directory: Path, sent: Requests) -> None:
    below = directory / name.replace(" ", "-")
    below.mkdir()
    with serve(name, below) as server:
        for which, pieces in sent.items():
            answer = ask(server, pieces)
            failures = {s for s in answer.statuses if s >= 500} - BY_THEMSELVES
            known = (name, which) in CANNOT
            assert known or not failures, f"{name}, {which}: {answer.raw[:200]!r}"
            good = ask(server, [good_request()], patience=30)
            assert good.status == 200, f"{name}, after {which}: {good.raw!r}"
        assert [] == server.runs, f"{name} ran what nobody has signed."
        ours = [line for line in server.log.splitlines() if "/flask_clustaar/" in line]
        assert [] == ours, f"{name}: {ours}"
        leaked = [secret for secret in SECRETS if secret in server.log]
        assert [] == leaked, f"{name} logged {leaked}."
