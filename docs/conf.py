"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

from sphinx.application import Sphinx

from flask_clustaar._version import __version__
from flask_clustaar.wire import Model

project = "Flask-Clustaar"
author = "The Flask-Clustaar authors"
copyright = author
version = release = __version__

extensions = ["sphinx.ext.autodoc"]
exclude_patterns = ["_build", "models_table.rst"]
# A block says its language, so that each one can be tried (conftest.py).
highlight_language = "none"
default_role = "code"
# Dashes only: quotes are meant to be typed.
smartquotes_action = "D"

html_theme = "furo"
html_title = f"Flask-Clustaar {version}"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {
        "color-brand-primary": "#1d7a5c",
        "color-brand-content": "#1d7a5c",
    },
    "dark_css_variables": {
        "color-brand-primary": "#5fd3ae",
        "color-brand-content": "#5fd3ae",
    },
}

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
maximum_signature_line_length = 70
python_use_unqualified_type_names = True

# What other packages document: their inventories are on the net, and the build needs
# none. Types that signatures name without their module are theirs, too.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(flask|werkzeug|blinker|marshmallow|itsdangerous|click|_pytest|typing|types"
        r"|collections|dataclasses|datetime|functools|re|http|os|wsgiref)(\..*)?",
    ),
    ("py:.*", r"(Flask|WSGIEnvironment|deque|Style)"),
]


def link_protocol(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Let «PROTOCOL 4» in a docstring lead to the page about the wire."""
    for index, line in enumerate(lines):
        lines[index] = re.sub(
            r"PROTOCOL ([1-7])", r":ref:`PROTOCOL \1 <protocol-\1>`", line
        )


def sign_model(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str, None] | None:
    """Show what a model takes, without what ``Annotated`` adds."""
    if not (isinstance(obj, type) and issubclass(obj, Model)):
        return None
    hints = typing.get_type_hints(obj)
    parameters = [
        parameter.replace(annotation=Written(inspect.formatannotation(hints[each])))
        for each, parameter in inspect.signature(obj).parameters.items()
    ]
    text = str(inspect.Signature(parameters)).replace("flask_clustaar.models.", "~")
    return re.sub(r"~\w+\.", "", text).replace("<factory>", "..."), None


class Written:
    """An annotation that shows as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", link_protocol)
    app.connect("autodoc-process-signature", sign_model)
