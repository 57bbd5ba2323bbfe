"""Tests from recordings: a request and its reply in a file, for pytest."""

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
    """A recorded request, and what the current code answers to it.

    Its text tells what differs, so that a failed assertion shows it.
    """

    def __init__(
        self, name: str, replayed: Replayed, differences: list[Difference]
    ) -> None:
        self._name = name
        #: The HTTP status.
        self.status: int = replayed.status
        #: The reply as a JSON value.
        self.reply: Any = _json(replayed.reply)
        #: How it differs from the recorded reply.
        self.differences: list[Difference] = differences

    @property
    def same_reply(self) -> bool:
        """Whether the reply is as recorded."""
        return not self.differences

    def __repr__(self) -> str:
        told = [difference_of(each) for each in self.differences]
        if not told:
            return f"<Replay of {self._name}: as recorded>"
        more = ["..."] if len(told) > _TOLD else []
        return f"<Replay of {self._name}: {'; '.join([*told[:_TOLD], *more])}>"


#: How many differences are told.
_TOLD = 5


class Recording:
    """A request and its reply in a file.

    :param path: the file, written by ``flask clustaar replay --as-test``.
    :param update: whether to write the new reply to the file if it differs.
    """

    def __init__(self, path: Path, *, update: bool = False) -> None:
        self._path = path
        self._update = update
        self._row: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))

    @property
    def request(self) -> Any:
        """The request's body as a JSON value."""
        return self._row["request"]

    @property
    def reply(self) -> Any:
        """The recorded reply as a JSON value."""
        return self._row["reply"]

    def replayed_by(self, client: ClustaarClient) -> Replay:
        """Send the request to the application of a client, signed now.

        The conversation of the client does not matter.
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
            # The reply is the bot's own again.
            "redact": "none",
        }
        _dump(self._path, self._row)


def write_test(
    recorded: Recorded, directory: Path, name: str, *, several: bool
) -> list[Path]:
    """Write a recorded request, and a test that replays it.

    :param directory: where the test goes; the request goes to ``recordings`` below.
    :param name: the name of both, such as ``2026-11-25-714``.
    :param several: whether the application has several webhooks.
    :return: the files.
    :raises FileExistsError: if there are such files already.
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
        f'    """The reply is as recorded."""\n'
        f'    assert recording("{fixture.name}").replayed_by({client}).same_reply\n',
        encoding="utf-8",
    )
    return [fixture, test]


def _dump(path: Path, row: dict[str, Any]) -> None:
    text = json.dumps(row, indent=2, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _json(body: bytes) -> Any:
    """Return a body as a JSON value; its text, if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode("utf-8", "replace")
