"""What the documentation lists is what the code has."""

from __future__ import annotations

import importlib.util
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import click
import pytest

import flask_clustaar
from flask_clustaar import errors, events, filters, models, signals
from flask_clustaar.channels import CHANNELS, SUPPORT
from flask_clustaar.cli import clustaar
from flask_clustaar.errors import PROBLEMS, RequestRejected
from flask_clustaar.models import Action, Interlocutor, Notification
from flask_clustaar.models.buttons import ButtonAction
from flask_clustaar.schemas.attributes import attributes_of
from flask_clustaar.settings import SETTINGS
from flask_clustaar.testing import ClustaarClient, Reply, make_notification
from flask_clustaar.wire import members_of

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.rglob("*.rst")}
WRITTEN = {name: text for name, text in PAGES.items() if name not in ("models_table",)}
VERBS: dict[str, click.Command] = {
    name: clustaar.get_command(click.Context(clustaar), name)  # type: ignore[misc]
    for name in clustaar.list_commands(click.Context(clustaar))
}


def tables(page: str) -> list[list[list[str]]]:
    """Return the rows of the list-tables of a page, without the white space."""
    blocks = re.findall(
        r"^\.\. list-table::[^\n]*\n((?:   [^\n]*\n|\n)+)", PAGES[page], re.M
    )
    return [_rows(textwrap.dedent(block)) for block in blocks]


def _rows(block: str) -> list[list[str]]:
    rows = re.split(r"^\* - ?", block, flags=re.M)[1:]
    return [
        [" ".join(cell.split()) for cell in re.split(r"^  - ?", row, flags=re.M)]
        for row in rows
    ]


def literals(text: str) -> set[str]:
    return set(re.findall(r"``([^`]+)``", text))


def test_settings() -> None:
    """The table has each setting, what it may be, its unit and its default."""
    (table, *_) = tables("settings")

    expected = [[f"``{row.key}``", row.type, row.unit, row.default] for row in SETTINGS]
    assert expected == table[1:]


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_setting_is_explained(row: Any) -> None:
    """Below the table each setting has a paragraph, which says what the code says."""
    paragraph = re.search(
        rf"^``[^\n]*{row.key}``[^\n]*\n((?:   [^\n]*\n)+)", PAGES["settings"], re.M
    )

    assert paragraph
    if not row.name.startswith("auth_"):  # Two of them share one.
        assert row.description in " ".join(paragraph[1].split())


def test_problems() -> None:
    """The page about errors has each code, with its status."""
    rows = [row for table in tables("errors") for row in table[1:]]
    for row in rows:
        anchor, code = row[0].split(" ``")
        row[0] = code
        assert anchor == f".. _problem-{code.strip('`').replace('_', '-')}:"

    assert {code: str(problem().status) for code, problem in PROBLEMS.items()} == {
        code.strip("`"): status for code, status, _, _ in rows
    }


def test_checks() -> None:
    """The page about security has each code of the door, with its status."""
    door = {
        code: str(problem().status)
        for code, problem in PROBLEMS.items()
        if issubclass(problem, RequestRejected)
    }

    rows = tables("security")[0][1:]

    assert door == {code.strip("`"): status for _, status, code, _ in rows}


def test_signals() -> None:
    """The page about signals has each signal, with its arguments."""
    (table,) = (each for each in tables("signals") if each[0][0] == "Signal")
    source = inspect.getsource(signals)
    comments = dict(
        (name, comment)
        for comment, name in re.findall(
            r"((?:#:[^\n]*\n)+)(\w+): NamedSignal = ", source
        )
    )

    assert set(comments) == {row[0].strip("`") for row in table[1:]}
    for name, _, arguments in table[1:]:
        documented = set(re.findall(r"\*(\w+)\*", comments[name.strip("`")]))
        assert documented == set(re.findall(r"\*(\w+)\*", arguments))


def test_events() -> None:
    """Each event is named where handlers are."""
    names = [name for name in vars(events) if name.isupper()]

    assert names
    assert all(f"events.{name}" in PAGES["handlers"] for name in names)


def test_filters() -> None:
    """The table has each filter; the compositions have a section of their own."""
    compositions = {"Filter", "And", "Or", "Xor", "Not", "Custom"}
    public = {
        name
        for name, value in vars(filters).items()
        if isinstance(value, type)
        and issubclass(value, filters.Filter)
        and not name.startswith("_")
    }

    shown = {row[0].strip("`").partition("(")[0] for row in tables("filters")[0][1:]}

    assert public - compositions == shown
    for name in shown:
        assert PAGES["filters"].count(f"{name}(") > 1, f"'{name}' has no example."


@pytest.mark.parametrize("family", [Action, ButtonAction])
def test_cookbook(family: Any) -> None:
    """Each action has an example, in Python and in JSON."""
    page = PAGES["replies"]

    missing = [
        model.__name__
        for tag, model in members_of(family).items()
        if f"\n   {model.__name__}(" not in page.replace(".step(", "(")
        or f'"type": "{tag}"' not in page
    ]

    assert [] == missing


def test_verbs() -> None:
    """The command line has a section for each command."""
    sections = re.findall(r"^\.\. _cli-(\w+):\n\n(\w+)\n-+$", PAGES["cli"], re.M)

    assert [(name, name) for name in VERBS] == sections


def test_options() -> None:
    """Each option is told where its command is, and no other is."""
    sections = re.split(r"^\.\. _cli-(\w+):$", PAGES["cli"], flags=re.M)
    told = dict(zip(sections[1::2], sections[2::2], strict=True))
    for name, command in VERBS.items():
        options = {
            option
            for parameter in command.params
            if isinstance(parameter, click.Option) and not parameter.hidden
            for option in [*parameter.opts, *parameter.secondary_opts]
        }
        mentioned = set(re.findall(r"(--[a-z][a-z-]*)", told[name]))
        assert options - {"--webhook"} <= mentioned, name
        assert mentioned <= options | {"--help"}, name


def test_channels() -> None:
    """The page about the wire has the table that ``check`` uses."""
    (table,) = (each for each in tables("protocol") if each[0][0] == "Action")
    letters = {"yes": "y", "no": "-", "?": "?"}

    shown = {
        row[0].strip("`"): "".join(letters[cell] for cell in row[1:])
        for row in table[1:]
    }

    assert shown == SUPPORT
    assert all(f"``{name}``" in PAGES["protocol"] for name in CHANNELS)


def test_inputs() -> None:
    """So are the inputs."""
    (table,) = (each for each in tables("protocol") if each[0][0] == "``type``")

    assert set(members_of(models.Input)) == {row[0].strip("`") for row in table[1:]}


def test_notification() -> None:
    """The page about handlers has each attribute of a notification."""
    properties = {
        name
        for name, value in vars(Notification).items()
        if isinstance(value, property)
    }
    attributes = {attribute.name for attribute in attributes_of(Notification)}

    shown = {row[0].strip("`") for row in tables("handlers")[0]}

    assert properties | attributes | {"received"} == {
        name.removeprefix("notification.") for name in shown
    } | {"event"}


def test_person() -> None:
    """The page about the person has each attribute."""
    shown = {name for row in tables("session")[0] for name in literals(row[0])}

    assert {attribute.name for attribute in attributes_of(Interlocutor)} == shown


def test_client() -> None:
    """What the client can do is told, with its arguments."""
    rows = tables("testing")[0]
    methods = {
        name
        for name, _ in inspect.getmembers(ClustaarClient, inspect.isfunction)
        if not name.startswith("_")
    }
    # These are for tools that show a conversation.
    methods -= {"announce", "label", "press", "resume", "step_id"}

    told = {}
    for row in rows:
        call = re.fullmatch(r"``client\.(\w+)\((.*)\)``", row[0])
        assert call
        told[call[1]] = re.findall(r"(\w+)(?==|,|$)", call[2])

    assert methods == set(told)
    for name, arguments in told.items():
        signature = inspect.signature(getattr(ClustaarClient, name))
        assert set(signature.parameters) - {"self"} == set(arguments), name


def test_reply() -> None:
    """What can be asked of a reply is there."""
    reply = inspect.getsource(Reply)

    for row in tables("testing")[1]:
        for name in literals(row[0]):
            attribute = name.removeprefix("reply.")
            assert hasattr(Reply, attribute) or f"self.{attribute}" in reply


def test_make_notification() -> None:
    """All arguments of ``make_notification`` are told."""
    (sentence,) = re.findall(r"It takes ((?:.|\n)+?)\. There is a", PAGES["testing"])

    assert list(inspect.signature(make_notification).parameters) == re.findall(
        r"``(\w+)``", sentence
    )


def test_pictures() -> None:
    """Else: 'python docs/diagrams.py'."""
    spec = importlib.util.spec_from_file_location("diagrams", DOCS / "diagrams.py")
    assert spec and spec.loader
    diagrams = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(diagrams)

    for name, draw in diagrams.PICTURES.items():
        assert draw() == (DOCS / "_static" / name).read_text(encoding="utf-8"), name
    called = [call for calls in diagrams.calls_in_order().values() for call in calls]
    assert [station.call for station in diagrams.STATIONS] == called
    codes = [code for station in diagrams.STATIONS for code in station.codes]
    assert sorted(PROBLEMS) == sorted(codes)


#: What a bot is not built on.
INTERNAL = {
    "_version", "address", "body", "cleaning", "cli", "contrib",
    "describe", "extension", "fast", "handling", "inspector",
    "limits", "logs", "notifications", "platform", "printable", "recording",
    "reference", "replaying", "replies", "schemas", "verification",
}  # fmt: skip


def members() -> set[str]:
    package = Path(flask_clustaar.__file__).parent
    names = {path.name.removesuffix(".py") for path in package.iterdir()}
    return {name for name in names if not name.startswith("_") and name != "py.typed"}


def test_reference() -> None:
    """The page about the API has each module that is no affair of the package's own."""
    documented = re.findall(r"module:: flask_clustaar\.(\w+)", PAGES["api"])

    assert members() - INTERNAL == set(documented)


def test_modules() -> None:
    """The page about the inside says what each module is for."""
    named = literals(PAGES["how-it-works"])

    assert members() <= named


def test_errors_are_problems() -> None:
    """Each class that has a code is one of the table."""
    leaves = {
        value.error_code
        for value in vars(errors).values()
        if isinstance(value, type)
        and issubclass(value, errors.ProblemError)
        and "error_code" in vars(value)
    }

    assert leaves - {"error", "request_rejected"} == set(PROBLEMS)


@pytest.mark.parametrize("page", WRITTEN)
def test_blocks_can_be_tried(page: str) -> None:
    """A block says its language: one without is not tried."""
    text = WRITTEN[page]

    assert not re.search(r"^(?!\.\. )[^\n]*::$", text, re.M)
    assert not re.search(r"code-block::$", text, re.M)


@pytest.mark.parametrize("page", WRITTEN)
def test_pages_speak_of_no_machine(page: str) -> None:
    """A page has no path of the machine that it was written on."""
    assert not re.search(r"/(work|home|root|Users)/", WRITTEN[page])
