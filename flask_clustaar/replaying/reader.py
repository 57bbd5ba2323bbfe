"""Read recordings, debug output of the platform, and saved requests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from msgspec import Raw

from ..recording.delivery import VERSION
from ..verification import ReceivedRequest

#: The maximum size of a document that is read as a whole, in bytes.
_MOST: Final = 100_000_000


@dataclass(frozen=True)
class Recorded:
    """A recorded request, and its answer."""

    #: The number of its line, from 1.
    line: int
    request: bytes
    #: The HTTP status; None if no reply was recorded.
    status: int | None = None
    #: The reply as JSON; None if none was recorded.
    reply: bytes | None = None
    #: The code of the problem; None for a reply.
    code: str | None = None
    #: The class of the exception.
    error: str | None = None
    #: The names of the handlers that ran; None if they are not known.
    handlers: tuple[str, ...] | None = None
    #: The application and the webhook; None for any.
    app: str | None = None
    webhook: str | None = None
    at: float | None = None
    #: The redaction of the recording.
    redact: str = "none"
    #: What else the line says; None if it is not a line of a recording.
    row: dict[str, Any] | None = None

    def step(self) -> tuple[str | None, str | None]:
        """Return the id and the name of the step; None for missing values."""
        try:
            step = msgspec.json.decode(self.request)["data"]["step"]
            return step.get("id"), step.get("name")
        except (msgspec.DecodeError, LookupError, TypeError, AttributeError):
            return None, None


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be replayed, and why."""

    line: int
    reason: str
    #: The line as a JSON value, if it is a line of a recording.
    row: dict[str, Any] | None = None
    #: Whether the line is damaged.
    damaged: bool = True


Line = Recorded | Skipped


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, which may be compressed."""
    with path.open("rb") as file:
        if path.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield unpacked  # type: ignore[misc]


def read(file: BinaryIO) -> Iterator[tuple[Line, int]]:
    """Yield each line of a recording, and its size in bytes.

    Other documents that can be replayed yield one line for each request.
    """
    first = file.readline()
    if not _is_row(first):
        rest = first + file.read(_MOST)
        others = _read_other(rest)
        if others is not None:
            yield from ((line, len(rest) // len(others)) for line in others)
            return
        file.seek(len(first))
    number = 1
    while first:
        if first.strip():
            yield _read_row(number, first), len(first)
        number += 1
        first = file.readline()


def _is_row(line: bytes) -> bool:
    return b'"v"' in line and "v" in (_members(line) or ())


def _read_row(number: int, line: bytes) -> Line:
    members = _members(line)
    if members is None:
        return Skipped(number, "it is damaged")
    request, reply = members.pop("request", None), members.pop("reply", None)
    row = {name: msgspec.json.decode(value) for name, value in members.items()}
    if "v" not in row:
        return Skipped(number, "it is not a line of a recording")
    if row["v"] != VERSION:
        return Skipped(
            number,
            f"it has version {row['v']}, but this version of Flask-Clustaar reads "
            f"only {VERSION}",
        )
    if request is None or bytes(request) == b"null":
        return Skipped(number, "its request is not recorded", row, damaged=False)
    try:
        return _recorded(number, bytes(request), reply, row)
    except (LookupError, TypeError, AttributeError):
        return Skipped(number, "it is damaged")


def _recorded(
    number: int, request: bytes, reply: Raw | None, row: dict[str, Any]
) -> Recorded:
    replied = b"null" if reply is None else bytes(reply)
    return Recorded(
        number,
        request,
        status=row["status"],
        reply=None if replied == b"null" else replied,
        code=row.get("code"),
        error=row.get("error"),
        handlers=tuple(run["name"] for run in row.get("handlers", ())),
        app=row.get("app"),
        webhook=row.get("webhook"),
        at=row.get("at"),
        redact=row.get("redact", "none"),
        row=row,
    )


# -- other documents -----------------------------------------------------------------


def _read_other(content: bytes) -> list[Line] | None:
    """Return the requests in a document that is not a recording; None if unknown."""
    document = _json(content)
    if document is None:
        try:
            return [Recorded(1, ReceivedRequest.parse(content).body)]
        except ValueError:
            return None
    calls = _webhook_calls(document)
    return [_read_call(number, call) for number, call in enumerate(calls, 1)] or None


def _webhook_calls(document: Any) -> Iterator[dict[str, Any]]:
    """Yield the webhook calls in debug output of the platform (PROTOCOL 8)."""
    if isinstance(document, list):
        for each in document:
            yield from _webhook_calls(each)
    elif isinstance(document, dict):
        request = document.get("request")
        if isinstance(request, dict) and isinstance(request.get("body"), str):
            yield document
        else:
            yield from _webhook_calls(list(document.values()))


def _read_call(number: int, call: dict[str, Any]) -> Line:
    request, response = call["request"]["body"].encode(), call.get("response")
    if not isinstance(response, dict) or not isinstance(response.get("body"), str):
        return Recorded(number, request)
    reply = response["body"].encode()
    problem = _json(reply)
    code = problem.get("code") if isinstance(problem, dict) else None
    return Recorded(
        number, request, status=response.get("status"), reply=reply, code=code
    )


_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


def _members(line: bytes) -> dict[str, Raw] | None:
    """Return the members of a line, if it is an object; None if it is not JSON."""
    try:
        return _MEMBERS.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass
    try:  # Lone surrogates, which msgspec refuses, may be in an unredacted request.
        row = json.loads(line)
    except ValueError:
        return None
    row = row if isinstance(row, dict) else {}
    return {name: Raw(json.dumps(value)) for name, value in row.items()}


def _json(content: bytes) -> Any:
    """Return a JSON value; None if it is not JSON."""
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
