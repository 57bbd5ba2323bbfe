"""Find in a program's source code what its objects do not show."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import ModuleType

from ...routing import Handler
from ..application import LIBRARIES
from ..findings import Finding, rule

STEP_TWICE = rule("step_twice", "warning", "A filter lists a step id twice.")


def modules_below(directory: str) -> Iterator[tuple[str, ModuleType]]:
    """Yield the imported modules of a program, with their names.

    :param directory: the program's directory. Installed packages are not yielded.
    """
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(directory + os.sep) and not file.startswith(LIBRARIES):
            yield name, module


def files_of(handlers: Iterable[Handler]) -> list[str]:
    """Return the source files of handlers."""
    found: dict[str, None] = {}
    for handler in handlers:
        with suppress(TypeError):
            found[inspect.getfile(inspect.unwrap(handler.function))] = None
    return list(found)


def check_source(files: Iterable[str]) -> Iterator[Finding]:
    """Find step ids that occur twice in one ``StepID(...)``."""
    for file in files:
        for node in ast.walk(_parse(file)):
            if isinstance(node, ast.Call) and _name(node.func) == "StepID":
                for step_id, count in Counter(_strings(node.args)).items():
                    if count > 1:
                        place = f"{os.path.basename(file)}:{node.lineno}"
                        yield STEP_TWICE(
                            f"A 'StepID' lists '{step_id}' twice ({place})."
                        )


def _parse(file: str) -> ast.Module:
    """Return the syntax tree of a file; an empty one if it cannot be read."""
    try:
        with open(file, "rb") as source:
            return ast.parse(source.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ast.Module([], [])


def _name(node: ast.AST) -> str | None:
    """Return the last part of a dotted name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _strings(arguments: Iterable[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, (ast.List, ast.Tuple, ast.Set)):
            yield from _strings(argument.elts)
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


# -- strings and session values ------------------------------------------------------


@dataclass
class Usage:
    """The strings and session values that a program uses."""

    #: The strings that are used, except the arguments of ``StepID``.
    strings: set[str] = field(default_factory=set)
    #: The session values that are read, each with a place that reads it.
    reads: dict[str, str] = field(default_factory=dict)
    #: The session values that are written.
    writes: set[str] = field(default_factory=set)
    #: Whether session values are also written under names that are not constants.
    writes_others: bool = False


def usage_of(files: Iterable[str]) -> Usage:
    """Return the strings and session values that occur in these files."""
    usage = Usage()
    trees = {file: _parse(file) for file in files}
    constants = {
        target.id: node.value.value
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for file, tree in trees.items():
        _Reader(usage, constants, os.path.basename(file)).visit(tree)
    return usage


class _Reader(ast.NodeVisitor):
    def __init__(self, usage: Usage, constants: dict[str, str], file: str) -> None:
        self.usage, self.constants, self.file = usage, constants, file

    def visit_Assign(self, node: ast.Assign) -> None:
        # Defining a constant is not using it.
        if not isinstance(node.value, ast.Constant):
            self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.usage.strings.add(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        self._use_constant(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._use_constant(node)
        self.generic_visit(node)

    def _use_constant(self, node: ast.Name | ast.Attribute) -> None:
        name = _name(node)
        if isinstance(node.ctx, ast.Load) and name in self.constants:
            self.usage.strings.add(self.constants[name])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _is_session(node.value):
            if isinstance(node.ctx, ast.Load):
                self._reads(node.slice)
            elif isinstance(node.ctx, ast.Store):
                self._writes(node.slice)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if _is_session(node.target):
            self._writes_values(node.value)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node.func)
        if name == "StepID":
            return
        if isinstance(node.func, ast.Attribute) and _is_session(node.func.value):
            if name == "get" and node.args:
                self._reads(node.args[0])
            elif name in ("setdefault", "pop") and node.args:
                self._writes(node.args[0])
            elif name == "update":
                for argument in node.args:
                    self._writes_values(argument)
                self.usage.writes |= {each.arg for each in node.keywords if each.arg}
        if name == "SessionValue" and node.args:
            self._reads(node.args[0])
        for keyword in node.keywords:
            if keyword.arg in ("session_values", "session", "values"):
                self._writes_values(keyword.value)
            if keyword.arg == "key" and name == "StoreSessionValueAction":
                self._writes(keyword.value)
        self.generic_visit(node)

    def _reads(self, node: ast.expr) -> None:
        key = self._constant(node)
        if key is not None:
            self.usage.reads.setdefault(key, f"{self.file}:{node.lineno}")

    def _writes(self, node: ast.expr | None) -> None:
        key = self._constant(node)
        if key is None:
            self.usage.writes_others = True
        else:
            self.usage.writes.add(key)

    def _writes_values(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Dict):
            self.usage.writes_others |= not isinstance(node, ast.Constant)
            return
        for key in node.keys:
            self._writes(key)

    def _constant(self, node: ast.expr | None) -> str | None:
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        return self.constants.get(_name(node) or "") if node is not None else None


def _is_session(node: ast.expr) -> bool:
    return _name(node) == "session"
