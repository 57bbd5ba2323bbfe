"""The files of recordings: one per day, to which all processes append."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_DAY: Final = re.compile(r"(\d{4}-\d\d-\d\d)\.(jsonl|key)")
_KEY_BYTES: Final = 32


class Day:
    """The open file of one day, and its key for pseudonyms.

    All processes share the key, so that a user has the same pseudonym all day. The key
    is in a file next to the recording, which is deleted when the next day begins.

    :param directory: the directory of the files.
    :param number: the number of days since the epoch.
    """

    def __init__(self, directory: Path, number: int) -> None:
        date = _date(number)
        self.number = number
        self.path: Path = directory / f"{date}.jsonl"
        self._file = _open(self.path)
        self.key: bytes = _shared_key(directory / f"{date}.key")

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        # A thread may still write when another thread starts the next day.
        if "_file" in self.__dict__:
            close(self._file)

    @property
    def is_removed(self) -> bool:
        """Whether the file was deleted."""
        return os.fstat(self._file).st_nlink == 0

    def append(self, line: bytes) -> None:
        """Append a line, which must end with a line break, completely or not at all.

        :raises OSError: if it cannot be written.
        """
        written = os.write(self._file, line)
        if written < len(line):
            self._take_back(written)
            raise OSError(f"{written} of {len(line)} bytes written: the disk is full")

    def _take_back(self, written: int) -> None:
        """Remove a partial line, or end it if another process has written after it."""
        end = os.lseek(self._file, 0, os.SEEK_CUR)
        if os.fstat(self._file).st_size == end:
            os.ftruncate(self._file, end - written)
        else:
            os.write(self._file, b"\n")


class Files:
    """The recordings in a directory.

    :param directory: an existing directory.
    :param days: how many days to keep, including today.
    :param clock: returns the time in seconds since the epoch.
    """

    def __init__(
        self, directory: Path, days: int, clock: Callable[[], float] = time.time
    ) -> None:
        self._directory = directory
        self._days = days
        self._clock = clock
        self._today: Day | None = None
        #: The time of the last check that the file exists, in seconds.
        self._checked = 0

    def today(self) -> Day:
        """Return the file of this day (UTC). The first call of a day deletes old files.

        A deleted file is noticed within a second.

        :raises OSError: if the file cannot be opened.
        """
        second = int(self._clock())
        today = self._today
        if today is None or second != self._checked:
            number = second // 86_400
            if today is None or number != today.number or today.is_removed:
                today = self._today = Day(self._directory, number)
                self._remove_old(number)
            self._checked = second
        return today

    def _remove_old(self, number: int) -> None:
        today, oldest = _date(number), _date(number - self._days + 1)
        for name in os.listdir(self._directory):
            match = _DAY.fullmatch(name)
            if match and match[1] < (today if match[2] == "key" else oldest):
                (self._directory / name).unlink(missing_ok=True)


def _date(number: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(number * 86_400))


#: Do not follow links, and do not wait for pipes, if the system supports that.
_PLAIN: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _PLAIN, 0o600)


def _shared_key(path: Path) -> bytes:
    """Return the key in a file; create the file if it does not exist.

    Every process that finds the file empty appends a key; all processes use the first.
    """
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | _PLAIN, 0o600)
    try:
        if os.fstat(file).st_size < _KEY_BYTES:
            os.write(file, secrets.token_bytes(_KEY_BYTES))
        os.lseek(file, 0, os.SEEK_SET)
        key = os.read(file, _KEY_BYTES)
    finally:
        os.close(file)
    if len(key) < _KEY_BYTES:
        raise OSError(f"'{path}' is incomplete: the disk is full")
    return key
