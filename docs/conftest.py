"""Runs every block of the documentation, page by page, with Sybil.

A page has a directory of its own, in which a block with a caption is a file. What a
block of another language shows is compared with what the block before it gave:

- ``python`` runs; the value of its last line is what ``json`` and ``http`` show, and
  what it prints is what ``text`` shows. A file is imported.
- ``pycon`` is a doctest.
- ``console`` has commands, with what they print below them. Those of Flask run, in this
  process; servers run in one of their own, and of the others the arguments are checked.

``...`` stands for whatever may come there.
"""

from __future__ import annotations

import ast
import contextlib
import doctest
import importlib
import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import demo
from click.testing import CliRunner
from flask import Flask
from flask.cli import FlaskGroup
from gunicorn.config import Config
from pytest import Collector, ExceptionInfo, File, Item
from sybil import Document, Example, Region, Sybil
from sybil.example import SybilFailure
from sybil.parsers.rest import DocTestParser
from sybil.parsers.rest.lexers import DirectiveInCommentLexer, DirectiveLexer

from flask_clustaar import ClustaarWebhook, InsecureWebhookWarning
from flask_clustaar.cli import clustaar
from flask_clustaar.platform.documents import to_json
from flask_clustaar.settings import SETTINGS
from flask_clustaar.testing import ClustaarClient, Reply
from flask_clustaar.wire import Model

HERE = Path(__file__).parent
EXAMPLES = HERE.parent / "examples"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Page:
    """What is known of a page while its blocks run."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp()).resolve()
        #: What the last block of Python gave, and what was printed.
        self.value: Any = None
        self.printed = ""
        self._before = os.getcwd(), dict(os.environ), list(sys.path)
        self._servers = contextlib.ExitStack()
        #: The port that a page names, and the one that its server has.
        self.ports: dict[str, str] = {}
        #: Modules of other tests, which are back when the page ends.
        self._hidden: dict[str, ModuleType] = {}
        for name in [*os.environ]:
            if name.startswith(("FLASK_", "CLUSTAAR_")):
                del os.environ[name]
        os.chdir(self.directory)
        sys.path.insert(0, str(self.directory))

    def close(self) -> None:
        """Leave all as it was."""
        self._servers.close()
        self.forget_modules()
        sys.modules.update(self._hidden)
        directory, environment, sys.path[:] = self._before
        os.chdir(directory)
        restore(environment)
        shutil.rmtree(self.directory)
        root = logging.getLogger()
        root.setLevel(logging.WARNING)
        for handler in root.handlers[:]:  # of a page that configures the logging
            if type(handler) is logging.StreamHandler:
                root.removeHandler(handler)

    def forget_modules(self) -> None:
        """Let changed files be imported again."""
        for name in modules_below(self.directory):
            del sys.modules[name]
        importlib.invalidate_caches()

    def hide_modules(self, directory: Path) -> None:
        """Let the modules of a directory be imported from its copy."""
        for name in modules_below(directory):
            self._hidden[name] = sys.modules.pop(name)

    def serve(self, arguments: list[str], port: str) -> None:
        """Start a server, on a port of its own."""
        free = str(demo.free_port())
        self.ports[port] = free
        words = [word.replace(port, free) for word in arguments]
        if port not in " ".join(arguments):
            option = {"flask": "--port=", "gunicorn": "--bind=127.0.0.1:"}
            words.append(option[arguments[0]] + free)
        log = self._servers.enter_context(open(self.directory / "server.log", "wb"))
        process = subprocess.Popen(
            [sys.executable, "-m", *words], stdout=log, stderr=subprocess.STDOUT
        )
        self._servers.callback(demo.stop, process)
        assert demo.is_open(int(free), process), (
            self.directory / "server.log"
        ).read_text()


def modules_below(directory: Path) -> list[str]:
    """Return the names of the modules that were imported from a directory."""
    return [
        name
        for name, module in sys.modules.items()
        if (getattr(module, "__file__", None) or "").startswith(f"{directory}{os.sep}")
    ]


def restore(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


# -- languages -----------------------------------------------------------------------


def python(page: Page, source: str, example: Example) -> None:
    """Run a block; keep its last value and its output."""
    above = "\n" * (example.line + example.parsed.line_offset)
    tree, value = ast.parse(above + source), None
    if isinstance(tree.body[-1], ast.Expr):
        value = ast.Expression(tree.body.pop().value)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, example.path, "exec"), example.namespace)
        if value is not None:
            code = compile(value, example.path, "eval")
            page.value = eval(code, example.namespace)
    page.printed = printed.getvalue()


def show_json(page: Page, source: str, example: Example) -> None:
    """Compare a block with the last value, as it goes on the wire."""
    assert json.loads(source) == on_the_wire(page.value)


def on_the_wire(value: Any) -> Any:
    if isinstance(value, Reply):
        return value.json
    if isinstance(value, Model):
        return to_json(value)
    assert isinstance(value, (dict, list)), "There is no value above this block."
    return value


def show_text(page: Page, source: str, example: Example) -> None:
    """Compare a block with what was printed."""
    compare(source, page.printed)


def show_http(page: Page, source: str, example: Example) -> None:
    """Compare a block with the last reply: its status, its headers, its body."""
    reply = page.value
    assert isinstance(reply, Reply)
    head, _, body = source.partition("\n\n")
    status, *headers = head.splitlines()
    assert status.split()[1:2] == [str(reply.status_code)]
    for header in headers:
        name, _, value = header.partition(": ")
        assert reply.response.headers[name] == value
    assert json.loads(body) == reply.json


def console(page: Page, source: str, example: Example) -> None:
    """Run the commands of a block, and compare what they print."""
    for block in re.split(r"^\$ ", source, flags=re.M)[1:]:
        command, _, shown = re.sub(r"\\\n\s*", "", block).partition("\n")
        if " clustaar inspect" in command:
            continue  # It runs until it is stopped; its own tests start it.
        printed = run(page, command.partition("  #")[0])
        if shown.strip() or printed is None:
            compare(shown, printed or "")


LANGUAGES: dict[str, Callable[[Page, str, Example], None]] = {
    "python": python,
    "json": show_json,
    "text": show_text,
    "http": show_http,
    "console": console,
}


def compare(shown: str, printed: str) -> None:
    """Compare what a page shows with what there was; ``...`` stands for anything."""
    want, got = (
        "\n".join(line.rstrip() for line in text.strip("\n").splitlines()) + "\n"
        for text in (shown, printed)
    )
    checker = doctest.OutputChecker()
    if not checker.check_output(want, got, doctest.ELLIPSIS):
        example = doctest.Example("", want)
        raise AssertionError(
            checker.output_difference(example, got, doctest.REPORT_NDIFF)
        )


# -- files ---------------------------------------------------------------------------


def write(page: Page, name: str, source: str, example: Example) -> None:
    """Write a file, and try it."""
    path = page.directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    if path.suffix == ".py":
        if path.stem.startswith("test_") or path.stem in ("conftest", "gunicorn.conf"):
            compile(source, name, "exec")  # pytest runs it
            return
        page.forget_modules()
        module = ".".join(Path(name).with_suffix("").parts)
        with warnings.catch_warnings():
            # A page may come to secrets later.
            warnings.simplefilter("ignore", InsecureWebhookWarning)
            names = vars(importlib.import_module(module)).items()
        example.namespace.update({k: v for k, v in names if not k.startswith("__")})
    elif path.suffix == ".json":
        json.loads(source)
    elif path.name == ".env":
        for line in source.splitlines():
            check_variable(line.partition("=")[0])
    elif path.name == "Dockerfile":
        (words,) = re.findall(r"^CMD (\[.+\])$", source, re.M)
        check_gunicorn(page, json.loads(words)[1:])
    else:
        assert path.suffix in (
            ".conf",
            ".ftl",
            ".po",
            ".txt",
            ".http",
            ".story",
            ".service",
            ".yaml",
        ), f"Nothing tries '{name}'."


def check_variable(name: str) -> None:
    keys = {row.key for row in SETTINGS}
    assert name.removeprefix("FLASK_") in keys, f"'{name}' is not a setting."


def check_gunicorn(page: Page, arguments: list[str]) -> None:
    """Check that gunicorn takes the arguments, and that the application is there."""
    options = Config().parser().parse_args(arguments)
    (application,) = options.args
    module, _, name = application.partition(":")
    page.forget_modules()
    found = importlib.import_module(module)
    assert hasattr(found, name.partition("(")[0])


# -- commands ------------------------------------------------------------------------


def run(page: Page, command: str) -> str | None:
    """Run a command; return what it prints, or None for one that is only checked."""
    for port, free in page.ports.items():
        command = command.replace(f":{port}", f":{free}")
    words = shlex.split(command, comments=True)
    given = ""
    if "|" in words:
        here = words.index("|")
        given, words = piped(words[:here]), words[here + 1 :]
    target = None
    if ">" in words:
        here = words.index(">")
        words, target = words[:here], words[here + 1]
    printed = COMMANDS[words[0]](page, words[1:], given)
    if target is None:
        return printed
    (page.directory / target).write_text(printed or "")
    return ""


def piped(words: list[str]) -> str:
    if words[0] == "cat":
        return Path(words[1]).read_text()
    assert words[0] == "printf"
    return words[1].replace("\\n", "\n")


def flask(page: Page, arguments: list[str], given: str) -> str:
    if "run" in arguments:
        page.serve(["flask", *arguments], "5000")
        return ""
    page.forget_modules()
    environment, path = dict(os.environ), list(sys.path)
    root, handlers = logging.getLogger(), logging.getLogger().handlers
    root.handlers = []  # those of pytest: the log goes to the terminal
    try:
        group = FlaskGroup()
        group.add_command(clustaar)
        result = CliRunner().invoke(group, arguments, input=given, prog_name="flask")
    finally:
        root.handlers = handlers
        restore(environment)
        sys.path[:] = path
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def gunicorn(page: Page, arguments: list[str], given: str) -> str:
    check_gunicorn(page, arguments)
    page.serve(["gunicorn", *arguments], "8000")
    return ""


def pytest(page: Page, arguments: list[str], given: str) -> str:
    # With the plugin of the package, and without those of others, which take long.
    plugins = ["-p", "no:cacheprovider", "-p", "flask_clustaar.pytest_plugin"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *arguments],
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
    ).stdout


def python_itself(page: Page, arguments: list[str], given: str) -> str | None:
    if arguments[:2] == ["-m", "venv"]:
        return None
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def pybabel(page: Page, arguments: list[str], given: str) -> str | None:
    return python_itself(page, ["-m", "babel.messages.frontend", *arguments], given)


def export(page: Page, arguments: list[str], given: str) -> str:
    for argument in arguments:
        name, _, value = argument.partition("=")
        if name not in ("FLASK_APP", "PROMETHEUS_MULTIPROC_DIR"):
            check_variable(name)
        os.environ[name] = value
    return ""


def cd(page: Page, arguments: list[str], given: str) -> str:
    os.chdir(arguments[0])
    sys.path.insert(0, os.getcwd())
    return ""


def make_directory(page: Page, arguments: list[str], given: str) -> str:
    mode = int(arguments[1], 8) if arguments[0] == "-m" else 0o777
    os.mkdir(arguments[-1], mode)
    return ""


def pip(page: Page, arguments: list[str], given: str) -> None:
    """Check the names: extras are those of the package."""
    extras = importlib.metadata.metadata("Flask-Clustaar").get_all("Provides-Extra")
    for name in arguments[1:]:
        for extra in re.findall(r"Flask-Clustaar\[(.+)\]", name):
            assert set(extra.split(",")) <= set(extras or [])


def not_here(page: Page, arguments: list[str], given: str) -> None:
    """What a test cannot do: it is only read."""


COMMANDS: dict[str, Callable[[Page, list[str], str], str | None]] = {
    "flask": flask,
    "gunicorn": gunicorn,
    "pytest": pytest,
    "python": python_itself,
    "pybabel": pybabel,
    "export": export,
    "cd": cd,
    "mkdir": make_directory,
    "pip": pip,
    ".": not_here,
    "docker": not_here,
    "uwsgi": not_here,
    "uvicorn": not_here,
    "curl": not_here,
    "nginx": not_here,
    "pyinstaller": not_here,
    "celery": not_here,
    "rq": not_here,
}


# -- Sybil ---------------------------------------------------------------------------


def blocks(document: Document) -> Iterator[Region]:
    """Find the blocks of all languages but doctest's."""
    lexers = (
        DirectiveLexer("code-block"),
        DirectiveInCommentLexer("invisible-code-block"),
    )
    for lexer in lexers:
        for region in lexer(document):
            if region.lexemes["arguments"] != "pycon":
                region.parsed = region.lexemes["source"]
                region.evaluator = evaluate
                yield region


def evaluate(example: Example) -> None:
    page: Page = example.namespace["page"]
    lexemes = example.region.lexemes
    if "caption" in lexemes["options"]:
        write(page, lexemes["options"]["caption"], example.parsed, example)
    else:
        LANGUAGES[lexemes["arguments"]](page, example.parsed, example)


SYBIL = Sybil(parsers=[blocks, DocTestParser(FLAGS)], pattern="*.rst")


class Reading(Item):
    """A page, read from its top to its end: one test, as each block needs those above.

    So pages can run in any order, and in parallel.
    """

    #: Where the page has come to.
    line = 0

    def runtest(self) -> None:
        document = SYBIL.parse(self.path)
        page = Page()

        def start(**settings: Any) -> None:
            """Begin with another application: for blocks that readers do not see."""
            app = Flask("bot")
            settings = {"private_key": "a key for the pages", **settings}
            webhook = ClustaarWebhook(app, **settings)
            client = ClustaarClient(app)
            document.namespace.update(app=app, webhook=webhook, client=client)

        def as_on(name: str) -> None:
            """Begin with what another page has made."""
            other = SYBIL.parse(HERE / f"{name}.rst")
            other.namespace = document.namespace
            for example in other.examples():
                example.evaluate()

        def copy(example: str) -> None:
            """Go to a copy of an example."""
            original, directory = EXAMPLES / example, page.directory / example
            page.forget_modules()
            page.hide_modules(original)
            shutil.copytree(original, directory, copy_function=shutil.copyfile)
            for path in (directory, *directory.rglob("*")):
                path.chmod(0o700)  # The originals may be read-only.
            os.chdir(directory)
            sys.path.insert(0, os.getcwd())

        document.namespace.update(
            __name__="bot", page=page, start=start, as_on=as_on, copy=copy
        )
        try:
            for example in document.examples():
                self.line = example.line
                example.evaluate()
        finally:
            page.close()

    def repr_failure(
        self, excinfo: ExceptionInfo[BaseException], style: Any = None
    ) -> Any:
        where = f"{self.path}:{self.line}"
        if isinstance(excinfo.value, SybilFailure):
            return f"{where}: {excinfo.value}"
        return f"{excinfo.getrepr(style='short')}\n{where}: {excinfo.exconly()}"

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.line, self.name


class PageFile(File):
    def collect(self) -> Iterator[Item]:
        if any(SYBIL.parse(self.path).examples()):
            yield Reading.from_parent(self, name=self.path.stem)


def pytest_collect_file(file_path: Path, parent: Collector) -> File | None:
    if file_path.suffix == ".rst" and file_path.is_relative_to(HERE):
        return PageFile.from_parent(parent, path=file_path)
    return None
