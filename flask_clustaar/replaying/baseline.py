"""Get the answers of another git revision of the program, from a worktree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from flask import Flask

from .reader import Recorded
from .sender import Replayed


class BaselineError(Exception):
    """The other revision cannot run; the message says why."""


@contextmanager
def worktree(ref: str, directory: Path) -> Iterator[tuple[Path, Path]]:
    """Check out a revision in a temporary worktree.

    :param ref: the revision: a branch, a tag or a commit.
    :param directory: a directory in the repository.
    :return: the root of the repository, and the root of the worktree.
    :raises BaselineError: if git fails.
    """
    root = Path(_git(directory, "rev-parse", "--show-toplevel"))
    commit = _git(
        directory, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}"
    )
    with tempfile.TemporaryDirectory(prefix="clustaar-baseline-") as temporary:
        other = Path(temporary).resolve() / root.name
        _git(directory, "worktree", "add", "--detach", str(other), commit)
        try:
            yield root, other
        finally:
            _git(directory, "worktree", "remove", "--force", str(other))


def answer(
    root: Path, other: Path, app: str | None, arguments: list[str], answers: Path
) -> None:
    """Run the replay in the other revision; it writes its answers to a file.

    It runs in the same directory of the worktree, with the same environment.

    :param app: the value of ``flask --app``.
    :param arguments: the arguments for ``flask clustaar replay``.
    :raises BaselineError: if the command fails.
    """
    directory = other / Path.cwd().resolve().relative_to(root)
    command = [sys.executable, "-m", "flask", *(["--app", app] if app else [])]
    command += ["clustaar", "replay", *arguments, "--answers", str(answers)]
    command += ["--inside", str(other)]
    ended = subprocess.run(
        command,
        cwd=directory,
        env=_environment(root, other),
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        lines = ended.stderr.strip().splitlines() or ["it ended without a message"]
        raise BaselineError(lines[-1].removeprefix("Error: ").rstrip("."))


def check_inside(app: Flask, other: Path) -> None:
    """Check that an application was imported from the other revision.

    :raises BaselineError: if it was imported from elsewhere.
    """
    place = Path(app.root_path).resolve()
    if not place.is_relative_to(other.resolve()):
        raise BaselineError(
            f"its application was imported from '{place}', which is not in its "
            "worktree. Run the command where 'flask --app' finds the application in "
            "the current directory"
        )


def write_answer(file: BinaryIO, recorded: Recorded, replayed: Replayed) -> None:
    """Append an answer to the file of answers."""
    row = {
        "line": recorded.line,
        "status": replayed.status,
        "reply": replayed.reply.decode("utf-8", "replace"),
        "handlers": replayed.handlers,
        "error": replayed.error,
    }
    file.write(json.dumps(row).encode() + b"\n")


def read_answer(file: BinaryIO, line: int) -> Replayed:
    """Return the next answer of the other revision.

    :raises BaselineError: if it is missing, or for another line.
    """
    row: dict[str, Any] = json.loads(file.readline() or b"{}")
    if row.get("line") != line:
        raise BaselineError(f"it did not answer line {line}")
    return Replayed(
        row["status"], row["reply"].encode(), tuple(row["handlers"]), row["error"]
    )


def _environment(root: Path, other: Path) -> dict[str, str]:
    """Return the environment, with paths in the repository mapped to the worktree."""
    environment = dict(os.environ)
    entries = []
    for entry in environment.get("PYTHONPATH", "").split(os.pathsep):
        path = Path(entry).absolute()
        inside = entry and path.is_relative_to(root)
        entries.append(str(other / path.relative_to(root)) if inside else entry)
    return environment | {"PYTHONPATH": os.pathsep.join(entries)}


def _git(directory: Path, *arguments: str) -> str:
    try:
        ended = subprocess.run(
            ["git", "-C", str(directory), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    except OSError as error:
        raise BaselineError(f"git cannot be run: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        reason = error.stderr[max(0, error.stderr.rfind("fatal: ")) :].split()
        raise BaselineError(" ".join(reason) or "git failed") from error
    return ended.stdout.strip()
