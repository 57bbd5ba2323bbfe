"""The filter that evaluates a JMESPath expression."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from ..describe import Nothing, shorten
from ..errors import ConfigurationError
from .paths import Look
from .values import check_text, json_of


class JMESPath(Look):
    """Match if a JMESPath *expression* is true for the notification.

    False values are ``false``, ``null``, ``""``, ``[]`` and ``{}``. Requires the extra
    ``jmespath``: ``pip install "Flask-Clustaar[jmespath]"``.

    :param expression: such as ``data.step.actions[?type=='wait_action']``. It does not
        match if one of its functions rejects the type of a value.
    """

    def __init__(self, expression: str) -> None:
        check_text(self, expression)
        super().__init__(expression)
        self._search = _jmespath_search(expression)
        self._path = expression

    def _look(self, target: Any) -> tuple[str, Any]:
        try:
            return self._path, self._search(json_of(target))
        except Exception as error:
            return self._path, Nothing(f"an error ({type(error).__name__})")

    def _accepts(self, found: Any) -> bool:
        # Not '==', for which 0 equals false.
        if found is None or found is False or isinstance(found, Nothing):
            return False
        return not isinstance(found, (str, list, dict)) or len(found) > 0


def _jmespath_search(expression: str) -> Callable[[Any], Any]:
    try:
        jmespath = importlib.import_module("jmespath")
    except ImportError as error:
        raise ConfigurationError(
            "The filter 'JMESPath' requires the package 'jmespath'. "
            'Install it with: pip install "Flask-Clustaar[jmespath]"'
        ) from error
    try:
        compiled = jmespath.compile(expression)
        _check_calls(compiled.parsed, jmespath.functions.Functions.FUNCTION_TABLE)
    except (ValueError, RecursionError) as error:
        # The other lines only draw an arrow.
        message = str(error).partition("\n")[0].rstrip(".:")
        raise ValueError(
            f"JMESPath: {shorten(expression)} is not a valid expression: {message}."
        ) from error
    search: Callable[[Any], Any] = compiled.search
    return search


def _check_calls(node: Mapping[str, Any], functions: Mapping[str, Any]) -> None:
    """Check the functions in a parsed expression; jmespath checks only at run time."""
    for child in node["children"]:
        _check_calls(child, functions)
    if node["type"] != "function_expression":
        return
    name, count = node["value"], len(node["children"])
    if name not in functions:
        raise ValueError(f"there is no function '{name}'")
    signature = functions[name]["signature"]
    variadic = signature[-1].get("variadic", False)
    if count < len(signature) or (count > len(signature) and not variadic):
        raise ValueError(f"'{name}' takes {len(signature)} arguments, not {count}")
