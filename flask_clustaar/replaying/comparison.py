"""Compare a recorded reply with the reply of the current code."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple

import msgspec

from ..recording.patterns import hide_patterns
from ..recording.redaction import blank_reply
from .reader import Recorded
from .sender import Replayed

Kind = Literal["changed", "added", "removed", "status"]


class Difference(NamedTuple):
    """A difference between two replies."""

    #: The dotted path, with ``*`` for indices and ids; empty for the whole answer.
    path: str
    kind: Kind
    #: The recorded value, and the new one.
    before: Any
    after: Any


def compare(recorded: Recorded, replayed: Replayed) -> list[Difference]:
    """Return the differences between an answer and the recorded one.

    Without a recorded reply, only the status is compared; without a status, nothing. Of
    problems, only status and code are compared, because their texts may change.
    """
    if recorded.status is None:
        return []
    before = outcome(recorded.status, recorded.code)
    after = outcome(replayed.status, replayed.code)
    if recorded.status != replayed.status or (
        replayed.status >= 400 and recorded.code != replayed.code
    ):
        return [Difference("", "status", before, after)]
    if replayed.status >= 400 or recorded.reply in (None, replayed.reply):
        return []
    old, new = _json(recorded.reply), _json(replayed.reply)
    if recorded.redact == "texts":
        new = blank_reply(new)
    if _sorted(old) == _sorted(new):  # The usual case; the rest is slower.
        return []
    return list(_Comparison(_normal(recorded)).differences(old, new, ()))


def outcome(status: int, code: str | None) -> str:
    """Return status and code, such as ``500 handler_failed``."""
    return f"{status} {code}" if code else str(status)


def _normal(recorded: Recorded) -> Callable[[str], str]:
    """Return a function that removes from a text what depends on the redaction."""
    if recorded.redact == "texts":
        # A pseudonym can be longer or shorter than a name.
        return lambda text: _BLANK.sub("x", text)
    if recorded.redact == "pseudonyms":
        known = recorded.request.decode()
        return lambda text: hide_patterns(text, known)
    return str


_BLANK: Final = re.compile("x+")


class _Comparison:
    """Compares JSON values.

    :param normal: applied to texts before they are compared.
    """

    def __init__(self, normal: Callable[[str], str]) -> None:
        self._normal = normal

    def differences(self, old: Any, new: Any, path: tuple[str, ...]) -> Any:
        """Yield the differences between two JSON values."""
        if isinstance(old, dict) and isinstance(new, dict):
            if old.get("type") != new.get("type"):
                yield _difference(path, "changed", old, new)
                return
            for key in [*old, *(key for key in new if key not in old)]:
                below = (*path, _ID.sub("*", key))
                if key not in new:
                    yield _difference(below, "removed", old[key], None)
                elif key not in old:
                    yield _difference(below, "added", None, new[key])
                else:
                    yield from self.differences(old[key], new[key], below)
        elif isinstance(old, list) and isinstance(new, list):
            yield from self._of_lists(old, new, (*path, "*"))
        elif not self._same(old, new):
            yield _difference(path, "changed", old, new)

    def _of_lists(self, old: list[Any], new: list[Any], path: tuple[str, ...]) -> Any:
        """Yield the differences between two lists, without their common ends."""
        shorter = min(len(old), len(new))
        start = end = 0
        while start < shorter and self._equal(old[start], new[start]):
            start += 1
        while end < shorter - start and self._equal(old[-1 - end], new[-1 - end]):
            end += 1
        old, new = old[start : len(old) - end], new[start : len(new) - end]
        for before, after in zip(old, new, strict=False):
            yield from self.differences(before, after, path)
        for before in old[len(new) :]:
            yield _difference(path, "removed", before, None)
        for after in new[len(old) :]:
            yield _difference(path, "added", None, after)

    def _equal(self, old: Any, new: Any) -> bool:
        return not any(True for _ in self.differences(old, new, ()))

    def _same(self, old: Any, new: Any) -> bool:
        if isinstance(old, bool) or isinstance(new, bool):
            return old is new
        if isinstance(old, str) and isinstance(new, str):
            return old == new or self._normal(old) == self._normal(new)
        return bool(old == new)


def _sorted(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


#: A key that is data, and not a name.
_ID: Final = re.compile(r"[0-9a-f]{24}|\d+|.*@.*")


def _difference(
    path: tuple[str, ...], kind: Kind, before: Any, after: Any
) -> Difference:
    return Difference(".".join(path), kind, before, after)


def _json(reply: bytes | None) -> Any:
    """Return a reply as a JSON value, or as text if it is not JSON."""
    try:
        return msgspec.json.decode(reply or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return repr(reply)
