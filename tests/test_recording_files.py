"""The files of a recording: one a day, for all processes."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flask_clustaar.recording.files import Files

DAY = 86_400
NOON = 20_782 * DAY + DAY / 2  # 2026-11-25


class Clock:
    """A clock that the test sets."""

    def __init__(self, now: float = NOON) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def names(directory: Path) -> list[str]:
    return sorted(os.listdir(directory))


def test_one_file_a_day(tmp_path: Path) -> None:
    """The name of a file is its day in UTC."""
    Files(tmp_path, 7, Clock()).today().append(b"{}\n")

    assert b"{}\n" == (tmp_path / "2026-11-25.jsonl").read_bytes()


def test_only_the_owner_can_read(tmp_path: Path) -> None:
    """Only the owner can read the files."""
    Files(tmp_path, 7, Clock()).today()

    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert {0o600} == modes


def test_midnight(tmp_path: Path) -> None:
    """At midnight a file begins, and the key of the day before is removed."""
    clock = Clock()
    files = Files(tmp_path, 7, clock)
    before = files.today()
    before.append(b"before\n")

    clock.now += DAY / 2
    after = files.today()
    after.append(b"after\n")
    before.append(b"late\n")

    assert ["2026-11-25.jsonl", "2026-11-26.jsonl", "2026-11-26.key"] == names(tmp_path)
    assert b"before\nlate\n" == before.path.read_bytes()
    assert b"after\n" == after.path.read_bytes()
    assert before.key != after.key


def test_processes_share_the_key(tmp_path: Path) -> None:
    """The first process creates the key of the day."""
    days = [Files(tmp_path, 7, Clock()).today() for _ in range(3)]

    assert 1 == len({day.key for day in days})
    assert 32 == len(days[0].key)


def test_first_key_counts(tmp_path: Path) -> None:
    """When two processes make a key at the same time, both use the first one."""
    (tmp_path / "2026-11-25.key").write_bytes(b"a" * 32 + b"b" * 32)

    assert b"a" * 32 == Files(tmp_path, 7, Clock()).today().key


def test_old_files_are_removed(tmp_path: Path) -> None:
    """The first use of a day deletes only older files."""
    for name in ("2026-11-22.jsonl", "2026-11-23.jsonl", "2026-11-24.key", "notes.txt"):
        (tmp_path / name).touch()

    Files(tmp_path, 3, Clock()).today()

    assert [
        "2026-11-23.jsonl",
        "2026-11-25.jsonl",
        "2026-11-25.key",
        "notes.txt",
    ] == names(tmp_path)


def test_file_that_is_removed_is_created_again(tmp_path: Path) -> None:
    """Somebody may remove a recording while the application runs."""
    clock = Clock()
    files = Files(tmp_path, 7, clock)
    files.today().append(b"1\n")
    (tmp_path / "2026-11-25.jsonl").unlink()

    clock.now += 1
    files.today().append(b"2\n")

    assert b"2\n" == (tmp_path / "2026-11-25.jsonl").read_bytes()


def test_several_processes(tmp_path: Path) -> None:
    """Lines that processes append at the same time stay whole."""
    program = f"""
import sys
from pathlib import Path
from flask_clustaar.recording.files import Files

day = Files(Path({str(tmp_path)!r}), 7).today()
for _ in range(200):
    day.append(sys.argv[1].encode() * 20_000 + b"\\n")
"""
    command = [sys.executable, "-c", program]
    processes = [subprocess.Popen([*command, letter]) for letter in "abc"]

    assert [0, 0, 0] == [process.wait() for process in processes]
    (file,) = tmp_path.glob("*.jsonl")
    lines = file.read_text().splitlines()
    assert 600 == len(lines)
    assert {letter * 20_000 for letter in "abc"} == set(lines)


def test_several_threads(tmp_path: Path) -> None:
    """Threads may meet at midnight."""
    clock = Clock()
    files = Files(tmp_path, 7, clock)

    def record() -> None:
        for _ in range(200):
            files.today().append(b"x" * 1000 + b"\n")
            clock.now += DAY / 400

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    lines = [
        line
        for file in tmp_path.glob("*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert {"x" * 1000} == set(lines)


# -- a full disk ---------------------------------------------------------------------


@contextmanager
def room(size: int) -> Iterator[None]:
    """Let this process write no more than some bytes to a file."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_leaves_no_part_of_a_line(tmp_path: Path) -> None:
    """A line without space is not written; a shorter one may fit."""
    day = Files(tmp_path, 7, Clock()).today()
    with room(100):
        day.append(b"a" * 79 + b"\n")
        with pytest.raises(OSError, match="20 of 80 bytes written: the disk is full"):
            day.append(b"b" * 79 + b"\n")
        day.append(b"c" * 9 + b"\n")

    assert ["a" * 79, "c" * 9] == day.path.read_text().splitlines()


def test_part_of_a_line_is_ended_if_another_process_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of other processes after a partial line are kept."""
    day = Files(tmp_path, 7, Clock()).today()
    write = os.write

    def write_first(file: int, data: bytes) -> int:
        monkeypatch.undo()
        with room(12):
            written = write(file, data)
        with day.path.open("ab") as another:
            another.write(b"another\n")
        return written

    monkeypatch.setattr(os, "write", write_first)
    with pytest.raises(OSError, match="12 of 15 bytes written"):
        day.append(b"part of a line\n")

    assert b"part of a lianother\n\n" == day.path.read_bytes()


def test_full_disk_without_a_key(tmp_path: Path) -> None:
    """Without room for the key of the day nothing is recorded."""
    with room(20), pytest.raises(OSError, match="incomplete: the disk is full"):
        Files(tmp_path, 7, Clock()).today()


def test_directory_that_is_gone(tmp_path: Path) -> None:
    """A day that cannot be opened does not leave open files."""
    with pytest.raises(FileNotFoundError):
        Files(tmp_path / "gone", 7, Clock()).today()


@pytest.mark.parametrize("end", ["jsonl", "key"])
def test_a_link_is_not_followed(tmp_path: Path, end: str) -> None:
    """Texts of users are in no other file."""
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / f"2026-11-25.{end}").symlink_to(elsewhere)

    with pytest.raises(OSError, match="symbolic links"):
        Files(tmp_path, 7, Clock()).today()
    assert not elsewhere.exists()


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe without a reader does not block requests."""
    os.mkfifo(tmp_path / "2026-11-25.jsonl")

    with pytest.raises(OSError, match="No such device"):
        Files(tmp_path, 7, Clock()).today()
