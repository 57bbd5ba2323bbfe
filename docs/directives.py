"""Directives of the book: what the code knows is written by the code.

``.. setting:: CLUSTAAR_PRIVATE_KEY``
    What a setting is for, its values, unit and default.
``.. problem:: signature_invalid``
    An error code with its status and its meaning. The anchor is the one in the ``type``
    of the problem.
``.. command:: send``
    The usage, the help and the options of a command of ``flask clustaar``.
``.. model:: SendTextAction``
    The class, the limits of its attributes, and the channels that show it.

Each has an anchor, an entry in the index and a result in the search. What the page
writes below a directive follows what the code says.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import click
from docutils import nodes
from docutils.statemachine import StringList
from rows import rows
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.directives import ObjectDescription
from sphinx.domains.std import StandardDomain
from sphinx.util.docutils import SphinxDirective

from flask_clustaar import models
from flask_clustaar.channels import CHANNELS, SUPPORT
from flask_clustaar.cli import clustaar
from flask_clustaar.errors import PROBLEMS
from flask_clustaar.settings import SETTINGS
from flask_clustaar.wire import Model


def linked(text: str) -> str:
    """Let "PROTOCOL 4" in a docstring lead to the page about the protocol."""
    return re.sub(r"PROTOCOL ([1-7])", r":ref:`PROTOCOL \1 <protocol-\1>`", text)


class Described(ObjectDescription[str]):
    """An object of the standard domain, such as a setting."""

    #: What stands below the name, as reStructuredText.
    def lines(self, name: str) -> Iterator[str]:
        raise NotImplementedError

    def anchor(self, name: str) -> str:
        return f"{self.objtype}-{name}"

    def index(self, name: str) -> Iterator[str]:
        """Yield the entries of the index."""
        yield name

    def run(self) -> list[nodes.Node]:
        written = list(self.lines(self.arguments[0]))
        source = self.state.document["source"]
        self.content = StringList(
            [*written, "", *self.content],
            items=[(source, self.lineno)] * (len(written) + 1) + self.content.items,
        )
        return super().run()

    def handle_signature(self, sig: str, signode: addnodes.desc_signature) -> str:
        signode["name"] = sig
        signode += addnodes.desc_name(sig, sig)
        return sig

    def _object_hierarchy_parts(
        self, sig_node: addnodes.desc_signature
    ) -> tuple[str, ...]:
        return (sig_node["name"],)

    def _toc_entry_name(self, sig_node: addnodes.desc_signature) -> str:
        return str(sig_node["name"])

    def add_target_and_index(
        self, name: str, sig: str, signode: addnodes.desc_signature
    ) -> None:
        anchor = self.anchor(name)
        signode["ids"].append(anchor)
        self.state.document.note_explicit_target(signode)
        domain = self.env.domains["std"]
        assert isinstance(domain, StandardDomain)
        domain.note_object(self.objtype, name, anchor, location=signode)
        self.indexnode["entries"] += [
            ("single", entry, anchor, "", None) for entry in self.index(name)
        ]


class SettingDirective(Described):
    """A setting: what it is for, its values, its unit and its default."""

    def lines(self, name: str) -> Iterator[str]:
        (row,) = (row for row in SETTINGS if row.key == name)
        yield row.description
        yield ""
        yield f"Value: {row.type}. " + (f"Unit: {row.unit}. " if row.unit else "")
        yield f"Default: {row.default}."

    def index(self, name: str) -> Iterator[str]:
        yield name
        yield name.removeprefix("CLUSTAAR_").lower()


class ProblemDirective(Described):
    """An error code, with the status of the response and what it means."""

    def lines(self, name: str) -> Iterator[str]:
        doc = inspect.getdoc(PROBLEMS[name]) or ""
        yield from linked(doc.partition("\n\n")[0]).splitlines()

    def anchor(self, name: str) -> str:
        return f"problem-{name.replace('_', '-')}"

    def index(self, name: str) -> Iterator[str]:
        yield name
        yield str(PROBLEMS[name]().status)

    def handle_signature(self, sig: str, signode: addnodes.desc_signature) -> str:
        super().handle_signature(sig, signode)
        status = f" {PROBLEMS[sig]().status}"
        signode += addnodes.desc_annotation(status, status)
        return sig


class CommandDirective(Described):
    """A command, with its usage and its options, as ``--help`` shows them."""

    def anchor(self, name: str) -> str:
        return f"command-{name.replace(' ', '-')}"

    def index(self, name: str) -> Iterator[str]:
        yield f"flask clustaar {name}"
        yield f"clustaar {name}"
        yield name

    def handle_signature(self, sig: str, signode: addnodes.desc_signature) -> str:
        pieces = _command(sig).collect_usage_pieces(click.Context(_command(sig)))
        signode["name"] = sig
        signode += addnodes.desc_addname("flask clustaar ", "flask clustaar ")
        signode += addnodes.desc_name(sig, sig)
        usage = " " + " ".join(pieces)
        signode += addnodes.desc_annotation(usage, usage)
        return sig

    def lines(self, name: str) -> Iterator[str]:
        command = _command(name)
        context = click.Context(command)
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
            if paragraph.startswith("\b"):
                yield ".. code-block:: text"
                yield ""
                yield from (f"   {line.strip()}" for line in paragraph.splitlines()[1:])
            else:
                yield from _marked(paragraph).splitlines()
            yield ""
        for parameter in command.get_params(context):
            record = parameter.get_help_record(context)
            if record and record[1] and "--help" not in record[0]:
                yield f"``{record[0]}``"
                yield f"   {_marked(record[1])}"
                yield ""


def _command(name: str) -> click.Command:
    """Return a command; *name* may be that of a command in a group."""
    command: click.Command = clustaar
    for part in name.split():
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), part)
        assert found is not None, name
        command = found
    return command


def _marked(text: str) -> str:
    """Return a help text as reStructuredText: what is typed becomes literal."""
    parts = re.split(r"((?<!\w)'[^']+'(?!\w)|--[a-z-]+)", text)
    return "".join(
        _literal(part) if index % 2 == 0 else f"``{part.strip(chr(39))}``"
        for index, part in enumerate(parts)
    )


def _literal(text: str) -> str:
    r"""Escape a text that is not reStructuredText."""
    for mark in ("\\", "*", "`", "|", "_"):
        text = text.replace(mark, "\\" + mark)
    return text


class ModelDirective(SphinxDirective):
    """A model: its class, its limits, and where it is shown."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        model = getattr(models, self.arguments[0])
        lines = [f".. autoclass:: flask_clustaar.models.{model.__name__}"]
        lines += ["   :members:", "   :no-undoc-members:", ""]
        lines += [f"   {line}" for line in self._lines(model)]
        source = self.state.document["source"]
        text = StringList(lines, items=[(source, self.lineno)] * len(lines))
        return self.parse_text_to_nodes("\n".join(text))

    def _lines(self, model: type[Model]) -> Iterator[str]:
        if model._tag:
            yield f".. index:: single: {model._tag}"
            yield ""
            yield f"``type`` on the wire: ``{model._tag}``"
            yield ""
        if model._tag in SUPPORT:
            yield from _channels(SUPPORT[model._tag])
        known = rows(model)
        if known[0].attribute:
            yield from _table(known)


_ANSWERS = {"y": "Shown on", "-": "Not available on", "?": "Not documented for"}


def _channels(known: str) -> Iterator[str]:
    """Say which channels show an action."""
    names = [name.removeprefix("the ") for name in CHANNELS.values()]
    support = known.ljust(len(names), "?")
    parts = []
    for answer, words in _ANSWERS.items():
        found = [
            name for name, each in zip(names, support, strict=True) if each == answer
        ]
        if len(found) == len(names):
            parts.append(f"{words} all channels.")
        elif found:
            parts.append(f"{words}: {', '.join(found)}.")
    yield f"*Channels.* {' '.join(parts)}"
    yield ""


_HEADER = ("Attribute", "Key", "Required", "Null", "Value")


def _table(known: list[Any]) -> Iterator[str]:
    yield ".. list-table::"
    yield "   :header-rows: 1"
    yield "   :class: stacked model"
    yield "   :widths: 20 20 11 8 41"
    yield ""
    cells = [_HEADER] + [
        (
            f"``{row.attribute}``",
            f"``{row.key}``",
            "yes" if row.required else "",
            "yes" if row.null else "",
            row.limits,
        )
        for row in known
    ]
    for row in cells:
        for index, cell in enumerate(row):
            yield f"   {' ' if index else '*'} - {cell}".rstrip()
    yield ""


def setup(app: Sphinx) -> dict[str, bool]:
    for name, directive in (
        ("setting", SettingDirective),
        ("problem", ProblemDirective),
        ("command", CommandDirective),
    ):
        app.add_object_type(name, name, objname=_TITLES[name])
        app.add_directive_to_domain("std", name, directive, override=True)
        app.add_directive(name, directive)
    app.add_directive("model", ModelDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


_TITLES = {"setting": "setting", "problem": "error code", "command": "command"}
