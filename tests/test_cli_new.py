"""``flask clustaar new``: a small bot that runs, to begin with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_bots import flask, ok, run, sentence

import flask_clustaar


@pytest.fixture
def bot(tmp_path: Path) -> Path:
    """The directory of a bot that was just made."""
    directory = tmp_path / "bots" / "shop-1"
    ok(run(None, "new", directory))
    return directory


def test_files(bot: Path) -> None:
    """A bot is an application, its handlers, a test, and what they need."""
    assert sorted(path.name for path in bot.iterdir()) == [
        ".env",
        ".gitignore",
        "README.md",
        "app.py",
        "handlers.py",
        "requirements.txt",
        "test_bot.py",
    ]
    assert not [path for path in bot.glob("[!.]*") if "NAME" in path.read_text()]
    assert (bot / "README.md").read_text().startswith("# shop-1\n")


def test_what_comes_next(tmp_path: Path) -> None:
    """It says what to do next, and shows no secret."""
    told = ok(run(None, "new", tmp_path / "shop"))
    assert "flask clustaar chat" in told
    for secret in secrets_of(tmp_path / "shop"):
        assert secret not in told


def secrets_of(bot: Path) -> list[str]:
    return re.findall(r"(?:KEY|PASSWORD)=([\w-]{43})\n", (bot / ".env").read_text())


def test_secrets(bot: Path, tmp_path: Path) -> None:
    """Each bot has its own secrets, which only the owner of the files can read."""
    ok(run(None, "new", tmp_path / "other"))

    assert len({*secrets_of(bot), *secrets_of(tmp_path / "other")}) == 4
    assert (bot / ".env").stat().st_mode & 0o777 == 0o600
    assert ".env" in (bot / ".gitignore").read_text().splitlines()


def test_its_tests(bot: Path) -> None:
    """The tests of the bot pass, with the fixtures that the package brings."""
    path = os.pathsep.join(
        [str(Path(flask_clustaar.__file__).parent.parent), *sys.path]
    )
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error"),
            *("-p", "flask_clustaar.pytest_plugin", "-p", "no:cacheprovider"),
        ],
        cwd=bot,
        # Installed or not, the plugin is loaded once.
        env=os.environ | {"PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout


def test_it_runs(bot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands work with it, and the check finds no problems."""
    for name, value in re.findall(r"(\w+)=(.*)", (bot / ".env").read_text()):
        monkeypatch.setenv(name, value)

    talked = flask(bot, "clustaar", "chat", input="Hi\nRed\n")
    checked = flask(bot, "clustaar", "check", "--strict")

    assert "bot  Red it is." in talked.stdout
    assert talked.stderr == checked.stderr == ""
    assert checked.returncode == 0


def test_nothing_is_overwritten(bot: Path) -> None:
    """Existing files and non-empty directories are unchanged."""
    before = (bot / ".env").read_text()
    assert "already exists." in sentence(run(None, "new", bot), 2)
    assert (bot / ".env").read_text() == before

    (bot / "file").touch()
    assert "already exists." in sentence(run(None, "new", bot / "file"), 2)


def test_empty_directory(tmp_path: Path) -> None:
    """An empty directory is accepted."""
    (tmp_path / "shop").mkdir()
    ok(run(None, "new", tmp_path / "shop"))


@pytest.mark.parametrize("name", [".", "..", "/", "a b", "bot.py", "", "a\nb"])
def test_unfit_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that a bot cannot have is an error of usage."""
    monkeypatch.chdir(tmp_path)
    assert "is not a valid name for a bot." in sentence(run(None, "new", name), 2)
    assert not list(tmp_path.iterdir())


def test_place_that_cannot_be_written(tmp_path: Path) -> None:
    """An unwritable directory is an error."""
    (tmp_path / "file").touch()
    error = sentence(run(None, "new", tmp_path / "file" / "shop"))
    assert error.startswith(f"Cannot write '{tmp_path / 'file'}")
