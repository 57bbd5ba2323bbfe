"""The documentation lists exactly what the code has."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import terminal
from flask import Flask
from prometheus_client import CollectorRegistry
from test_models import everything_public

import flask_clustaar
from flask_clustaar import ClustaarWebhook, errors, events, filters, models
from flask_clustaar.cli import clustaar
from flask_clustaar.contrib.opentelemetry import OpenTelemetry
from flask_clustaar.contrib.prometheus import PrometheusMetrics
from flask_clustaar.errors import PROBLEMS, RequestRejected
from flask_clustaar.logs import FIELDS
from flask_clustaar.models import Action, Interlocutor, Notification
from flask_clustaar.models.buttons import ButtonAction
from flask_clustaar.schemas.attributes import attributes_of
from flask_clustaar.settings import SETTINGS
from flask_clustaar.testing import ClustaarClient, Reply, make_notification
from flask_clustaar.wire import members_of

DOCS = Path(__file__).parent.parent / "docs"
PAGES = {
    path.relative_to(DOCS).with_suffix("").as_posix(): path.read_text(encoding="utf-8")
    for path in DOCS.rglob("*.rst")
}
FILTERS, SESSION = "reference/filters", "reference/session"
TESTING, PROTOCOL = "guides/testing", "understand/protocol"
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


def named(directive: str) -> list[str]:
    """Return what a directive describes, on all pages."""
    pattern = rf"^\.\. {directive}:: (\w+)$"
    return [name for text in PAGES.values() for name in re.findall(pattern, text, re.M)]


def literals(text: str) -> set[str]:
    return set(re.findall(r"``([^`]+)``", text))


def test_public_names() -> None:
    """The page of the package has each name that it exports."""
    page = PAGES["reference/api/webhook"]
    missing = [
        name
        for name in flask_clustaar.__all__
        if not re.search(rf"(:: |\.|``){name}(`|\n)", page)
    ]
    assert missing == []


def test_settings() -> None:
    """The page has each setting once, in its section."""
    assert sorted(row.key for row in SETTINGS) == sorted(named("setting"))


def test_problems() -> None:
    """The page about errors has each code once, which is where its ``type`` leads."""
    assert sorted(PROBLEMS) == sorted(named("problem"))
    assert errors.PROBLEM_PAGE.endswith("/reference/errors.html")
    assert "\n.. problem:: invalid_json\n" in PAGES["reference/errors"]


def test_checks() -> None:
    """The page about security links each code that rejects a request."""
    rejections = {
        code
        for code, problem in PROBLEMS.items()
        if issubclass(problem, RequestRejected)
    }

    assert rejections == set(re.findall(r":problem:`(\w+)`", PAGES["run/security"]))


def test_signals() -> None:
    """The page about signals has each signal, from its module."""
    assert ".. automodule:: flask_clustaar.signals\n" in PAGES["reference/signals"]


def test_events() -> None:
    """Each event is named where handlers are."""
    names = [name for name in vars(events) if name.isupper()]

    assert names
    assert all(f"events.{name}" in PAGES["reference/handlers"] for name in names)


def test_filters() -> None:
    """The table has each filter; compositions have their own section."""
    compositions = {"Filter", "And", "Or", "Xor", "Not", "Custom"}
    public = {
        name
        for name, value in vars(filters).items()
        if isinstance(value, type)
        and issubclass(value, filters.Filter)
        and not name.startswith("_")
    }

    shown = {row[0].strip("`").partition("(")[0] for row in tables(FILTERS)[0][1:]}

    assert public - compositions == shown
    for name in shown:
        assert PAGES[FILTERS].count(f"{name}(") > 1, f"'{name}' has no example."


def test_models() -> None:
    """Each model is described once, on the page of its family."""
    described = named("model")

    names = {model.__name__ for model in everything_public()}
    assert sorted(names) == sorted(described)


@pytest.mark.parametrize("family", [Action, ButtonAction])
def test_cookbook(family: Any) -> None:
    """Each action has an example, in Python and in JSON."""
    page = "".join(
        text for name, text in PAGES.items() if name.startswith("reference/actions/")
    )

    missing = [
        model.__name__
        for tag, model in members_of(family).items()
        if f"\n   {model.__name__}(" not in page.replace(".step(", "(")
        or f'"type": "{tag}"' not in page
    ]

    assert [] == missing


def test_verbs() -> None:
    """The command line has a page for each command, with its usage and its options."""
    pages = {
        name.removeprefix("reference/cli/"): text
        for name, text in PAGES.items()
        if name.startswith("reference/cli/")
    }
    del pages["index"]

    assert set(VERBS) == set(pages)
    for name, text in pages.items():
        assert re.search(rf"^\.\. command:: {name}\b", text, re.M)


def test_inputs() -> None:
    """Each input is described as well."""
    (table,) = (each for each in tables(PROTOCOL) if each[0][0] == "``type``")

    assert set(members_of(models.Input)) == {row[0].strip("`") for row in table[1:]}


def test_notification() -> None:
    """The page about handlers has each attribute of a notification."""
    properties = {
        name
        for name, value in vars(Notification).items()
        if isinstance(value, property) and not name.startswith("_")
    }
    attributes = {attribute.name for attribute in attributes_of(Notification)}

    shown = {row[0].strip("`") for row in tables("reference/handlers")[0]}

    assert properties | attributes | {"received"} == {
        name.removeprefix("notification.") for name in shown
    } | {"event"}


def test_user() -> None:
    """The page about the session and the user has each attribute."""
    shown = {name for row in tables(SESSION)[0] for name in literals(row[0])}

    assert {attribute.name for attribute in attributes_of(Interlocutor)} == shown


def test_fields_of_the_log() -> None:
    """The page about logging has each field of a record."""
    (table,) = (each for each in tables("run/logging") if each[0][0] == "Field")

    shown = [row[0].strip("`").removeprefix("clustaar_") for row in table[1:]]
    assert list(FIELDS) == shown


def test_metrics() -> None:
    """The page about observing has each series."""
    registry = CollectorRegistry()
    PrometheusMetrics(registry=registry)
    (table,) = (each for each in tables("run/observing") if each[0][0] == "Series")

    suffixes = {"counter": "_total", "histogram": ""}
    series = {f"{each.name}{suffixes[each.type]}" for each in registry.collect()}
    assert series == {row[0].strip("`") for row in table[1:]}


def test_names_in_traces() -> None:
    """The page about observing has each metric and attribute of OpenTelemetry."""
    source = inspect.getsource(importlib.import_module(OpenTelemetry.__module__))
    names = set(re.findall(r'"(clustaar\.[\w.]+)"', source))

    assert "clustaar.jobs.submitted" in names
    assert names <= literals(PAGES["run/observing"])


def test_keys_of_a_recording(tmp_path: Path) -> None:
    """The page about recording has each key of a line."""
    tmp_path.chmod(0o700)
    app = Flask("bot")
    webhook = ClustaarWebhook(app, private_key="key", record=str(tmp_path))
    webhook.on(events.CONVERSATION_STEP_REACHED, lambda notification: "Hello")
    ClustaarClient(app).say("hi")
    (file,) = tmp_path.glob("*.jsonl")
    (table,) = (each for each in tables("run/recording") if each[0][0] == "Key")

    shown = {name for row in table[1:] for name in literals(row[0])}
    assert set(json.loads(file.read_text())) | {"sha256"} == shown


def test_client() -> None:
    """The methods of the client are documented, with their arguments."""
    rows = tables(TESTING)[0]
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
    """The attributes of a reply are documented."""
    reply = inspect.getsource(Reply)

    for row in tables(TESTING)[1]:
        for name in literals(row[0]):
            attribute = name.removeprefix("reply.")
            assert hasattr(Reply, attribute) or f"self.{attribute}" in reply


def test_make_notification() -> None:
    """All arguments of ``make_notification`` are documented."""
    (sentence,) = re.findall(
        r"It takes ((?:.|\n)+?)\. There is a", PAGES["guides/testing"]
    )

    assert list(inspect.signature(make_notification).parameters) == re.findall(
        r"``(\w+)``", sentence
    )


def test_conversation_in_the_terminal() -> None:
    """The picture shows what the tutorial's bot answers. Else: 'make pictures'."""
    picture = (DOCS / "_static" / "chat.svg").read_text(encoding="utf-8")

    assert picture == terminal.chat()


def test_tutorial() -> None:
    """The program and its test are the example."""
    for name in ("reservations.py", "test_reservations.py"):
        program = (DOCS.parent / "examples" / "tutorial" / name).read_text()
        shown = textwrap.indent(program, "   ", lambda line: bool(line.strip()))
        assert f":caption: {name}\n\n{shown}" in PAGES["start/tutorial"]


def test_pictures() -> None:
    """Else: 'make pictures'."""
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


#: Modules that bots do not import.
INTERNAL = {
    "_version", "address", "body", "calling", "cleaning", "cli", "contrib",
    "deadline", "describe", "exchange", "extension", "failing", "handling",
    "inspector", "logs", "notifications", "platform", "printable", "recording",
    "replaying", "replies", "verification",
}  # fmt: skip


def members() -> set[str]:
    package = Path(flask_clustaar.__file__).parent
    names = {path.name.removesuffix(".py") for path in package.iterdir()}
    return {name for name in names if not name.startswith("_") and name != "py.typed"}


def test_reference() -> None:
    """The API has a page for each module that is not internal."""
    documented = {
        module
        for text in PAGES.values()
        for module in re.findall(r"module:: flask_clustaar\.(\w+)", text)
    }

    assert members() - INTERNAL == documented


def test_modules() -> None:
    """The page about the inside says what each module is for."""
    named = literals(PAGES["understand/how-it-works"])

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


@pytest.mark.parametrize("page", PAGES)
def test_blocks_can_be_tried(page: str) -> None:
    """Every block names its language, because others are not run."""
    text = PAGES[page]

    assert not re.search(r"^(?!\.\. )[^\n]*::$", text, re.M)
    assert not re.search(r"code-block::$", text, re.M)


def paragraphs(page: str) -> Iterator[list[str]]:
    """Yield the words of each paragraph of a page, without blocks of code."""
    prose, indent = "", None
    for line in PAGES[page].splitlines():
        depth = len(line) - len(line.lstrip())
        if indent is not None and (not line or depth > indent):
            continue
        is_code = re.match(r" *\.\. (\w+-)?(code-block|literal|image|toctree)", line)
        indent = depth if is_code else None
        prose += "\n" if is_code else line + "\n"
    for paragraph in re.split(r"\n\s*(?:\n|[-*] |\d\. )", prose):
        yield re.findall(r"[\w'/-]+", paragraph.lower())


def test_nothing_is_said_twice() -> None:
    """No twelve words in a row are on two pages: one of them links the other."""
    places: dict[tuple[str, ...], str] = {}
    for page in PAGES:
        for words in paragraphs(page):
            for start in range(len(words) - 11):
                run = tuple(words[start : start + 12])
                assert places.setdefault(run, page) == page, (page, run)


@pytest.mark.parametrize("page", PAGES)
def test_pages_speak_of_no_machine(page: str) -> None:
    """A page has no path of the machine that it was written on."""
    assert not re.search(r"/(work|home|root|Users)/", PAGES[page])
