"""Tests from recordings: files with a request and its reply, for pytest."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from ..recording.delivery import VERSION
from ..testing import ClustaarClient
from .comparison import Difference, compare
from .reader import Recorded
from .report import difference_of
from .sender import Replayed, Sender


class Replay:
    """The answer of the current code to a recorded request.

    Its ``repr()`` lists the differences, so that failed assertions show them.
    """

    def __init__(
        self, name: str, replayed: Replayed, differences: list[Difference]
    ) -> None:
        self._name = name
        #: The HTTP status.
        self.status: int = replayed.status
        #: The reply, as a JSON value.
        self.reply: Any = _json(replayed.reply)
        #: The differences from the recorded reply.
        self.differences: list[Difference] = differences

    @property
    def same_reply(self) -> bool:
        """Whether the reply is the same as recorded."""
        return not self.differences

    def __repr__(self) -> str:
        told = [difference_of(each) for each in self.differences]
        if not told:
            return f"<Replay of {self._name}: as recorded>"
        more = ["..."] if len(told) > _TOLD else []
        return f"<Replay of {self._name}: {'; '.join([*told[:_TOLD], *more])}>"


#: The maximum number of differences in the ``repr()``.
_TOLD = 5


class Recording:
    """A request and its reply in a file.

    :param path: the file, written by ``flask clustaar replay --as-test``.
    :param update: whether to update the file if the reply differs.
    """

    def __init__(self, path: Path, *, update: bool = False) -> None:
        self._path = path
        self._update = update
        self._row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    @property
    def request(self) -> Any:
        """The body of the request, as a JSON value."""
        return self._row["request"]

    @property
    def reply(self) -> Any:
        """The recorded reply, as a JSON value."""
        return self._row["reply"]

    def replayed_by(self, client: ClustaarClient) -> Replay:
        """Send the request to the application of a client, signed now.

        The state of the client's conversation has no effect.
        """
        sender = Sender(client.app, client.webhook)
        with sender.sending():
            replayed = sender.send(msgspec.json.encode(self.request))
        differences = compare(self._recorded(), replayed)
        if differences and self._update:
            self._write(replayed)
            differences = []
        return Replay(self._path.name, replayed, differences)

    def _recorded(self) -> Recorded:
        row = self._row
        return Recorded(
            1,
            msgspec.json.encode(row["request"]),
            status=row["status"],
            reply=msgspec.json.encode(row["reply"]),
            code=row["code"],
            redact=row["redact"],
        )

    def _write(self, replayed: Replayed) -> None:
        self._row |= {
            "status": replayed.status,
            "code": replayed.code,
            "reply": _json(replayed.reply),
            # Now the file contains the actual reply, without redaction.
            "redact": "none",
        }
        _dump(self._path, self._row)


def write_test(
    recorded: Recorded, directory: Path, name: str, *, several: bool
) -> list[Path]:
    """Write a file with a recorded request, and a test that replays it.

    :param directory: the directory of the test. The request is written to its
        subdirectory ``recordings``.
    :param name: the name of both files, such as ``2026-11-25-714``.
    :param several: whether the application has several webhooks.
    :return: the paths of the files.
    :raises FileExistsError: if such a file exists.
    """
    identifier = re.sub(r"\W", "_", name)
    client = "clustaar_client"
    argument = client
    if several:
        argument, client = "clustaar_clients", f"clustaar_clients[{recorded.webhook!r}]"
    fixture = directory / "recordings" / f"{name}.json"
    test = directory / f"test_recording_{identifier}.py"
    for file in (fixture, test):
        if file.exists():
            raise FileExistsError(f"'{file}' already exists")
    fixture.parent.mkdir(parents=True, exist_ok=True)
    row = {
        "v": VERSION,
        "status": recorded.status,
        "code": recorded.code,
        "redact": recorded.redact,
        "request": _json(recorded.request),
        "reply": _json(recorded.reply or b"null"),
    }
    _dump(fixture, row)
    test.write_text(
        f'"""The reply to a recorded request does not change."""\n\n\n'
        f"def test_recording_{identifier}({argument}, recording):\n"
        f'    """The reply is the same as recorded."""\n'
        f'    assert recording("{fixture.name}").replayed_by({client}).same_reply\n',
        encoding="utf-8",
    )
    return [fixture, test]


def _dump(path: Path, row: dict[str, Any]) -> None:
    text = json.dumps(row, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _json(body: bytes) -> Any:
    """Return a body as a JSON value, or as text if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
