"""What can only be seen in the source: the filters do not remember it."""

from __future__ import annotations

import ast
import os.path
from collections import Counter
from collections.abc import Iterable, Iterator

from .findings import Finding, warning


def check_source(files: Iterable[str]) -> Iterator[Finding]:
    """Find step ids that stand twice in one ``StepID(...)``."""
    for file in files:
        try:
            with open(file, "rb") as source:
                tree = ast.parse(source.read())
        except (OSError, SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and _name(node.func) == "StepID":
                for step_id, count in Counter(_strings(node.args)).items():
                    if count > 1:
                        place = f"{os.path.basename(file)}:{node.lineno}"
                        yield warning(f"A 'StepID' has '{step_id}' twice ({place}).")


def _name(node: ast.expr) -> str | None:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", None)


def _strings(arguments: Iterable[ast.expr]) -> Iterator[str]:
    for argument in arguments:
        if isinstance(argument, (ast.List, ast.Tuple, ast.Set)):
            yield from _strings(argument.elts)
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value
