"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

import html
import inspect
import os
import re
import sys
import typing
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

from flask_clustaar import models
from flask_clustaar._version import __version__
from flask_clustaar.wire import Model

sys.path.insert(0, str(Path(__file__).parent))
import directives  # noqa: E402

# The page of the module has the models that no other page describes.
DESCRIBED = {
    name
    for page in Path(__file__).parent.rglob("*.rst")
    for name in re.findall(r"^\.\. model:: (\w+)$", page.read_text("utf-8"), re.M)
}
models.__all__ = [  # type: ignore[attr-defined]
    name
    for name, value in vars(models).items()
    if isinstance(value, type) and issubclass(value, Model) and name not in DESCRIBED
]

project = "Flask-Clustaar"
author = "The Flask-Clustaar authors"
copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_sitemap",
    "directives",
]
exclude_patterns = ["_build"]
# A block says its language, so that each one can be tried (conftest.py).
highlight_language = "none"
default_role = "code"
# Dashes only: quotes are meant to be typed.
smartquotes_action = "D"

if "READTHEDOCS" in os.environ:
    # Elsewhere the build needs no network: names of other packages are plain text.
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "flask": ("https://flask.palletsprojects.com/en/stable", None),
        "werkzeug": ("https://werkzeug.palletsprojects.com/en/stable", None),
        "click": ("https://click.palletsprojects.com/en/stable", None),
        "blinker": ("https://blinker.readthedocs.io/en/stable", None),
        "marshmallow": ("https://marshmallow.readthedocs.io/en/latest", None),
        "itsdangerous": ("https://itsdangerous.palletsprojects.com/en/stable", None),
    }

html_theme = "furo"
html_baseurl = os.environ.get(
    "READTHEDOCS_CANONICAL_URL", "https://flask-clustaar.readthedocs.io/en/stable/"
)
html_favicon = "_static/favicon.svg"
sitemap_url_scheme = "{link}"
sitemap_excludes = ["search.html", "genindex.html", "_modules/*"]
html_title = f"Flask-Clustaar {version}"
html_static_path = ["_static"]
html_css_files = ["docs.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "source_repository": "https://github.com/flask-clustaar/flask-clustaar",
    "source_branch": "main",
    "source_directory": "docs/",
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
# none. Types that signatures name without their module are theirs as well.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(flask|werkzeug|blinker|marshmallow|itsdangerous|click|_pytest|typing|types"
        r"|collections|dataclasses|datetime|functools|re|http|logging|os|pathlib|pytest|wsgiref)(\..*)?",
    ),
    (
        "py:.*",
        r"(Flask|WSGIEnvironment|deque|Style|Path|JSON|Kind|Turn|flask_clustaar\.state\.T)",
    ),
    ("py:.*", r"(.*\.Annotated|Key|CustomerSatisfactionChoice)"),
    ("py:.*", r"flask_clustaar\.(replaying|schemas\.schema)\..*"),
    ("py:.*", r"(flask_clustaar\.(background|extension)\.)?(_P|_T|Home|dict\[str)"),
    # Type variables, and what only the package itself uses of its routing.
    (
        "py:.*",
        r"(flask_clustaar\.routing\.\w+\.)?(_[A-Z]|Router|Group)",
    ),
]


def link_protocol(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]
) -> None:
    """Link the sections of the protocol in docstrings."""
    lines[:] = map(directives.linked, lines)


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
        parameter.replace(
            annotation=Written(
                inspect.formatannotation(hints[each])
                if each in hints
                else str(parameter.annotation)
            )
        )
        for each, parameter in inspect.signature(obj).parameters.items()
    ]
    text = str(inspect.Signature(parameters)).replace("flask_clustaar.models.", "~")
    return re.sub(r"~\w+\.", "", text).replace("<factory>", "..."), None


def describe_page(
    app: Sphinx,
    pagename: str,
    templatename: str,
    context: dict[str, Any],
    doctree: nodes.document | None,
) -> None:
    """Give each page a description for search engines: its first paragraph."""
    if doctree is None:
        return
    for paragraph in doctree.findall(nodes.paragraph):
        text = " ".join(paragraph.astext().split()).removesuffix(":")
        if len(text) > 160:
            text = text[:159].rpartition(" ")[0] + "…"
        content = html.escape(text)
        context["metatags"] += f'\n<meta name="description" content="{content}" />'
        return


class Written:
    """An annotation that shows as it is written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", link_protocol)
    app.connect("autodoc-process-signature", sign_model)
    app.connect("html-page-context", describe_page)
