"""``flask clustaar schema``: what a bot receives and sends, for other programs."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from cli_bots import ASK, KEY, ok, run, sentence, small_bot, two_bots

from flask_clustaar.testing import make_notification


def printed(*arguments: str, app: Any = None) -> Any:
    return json.loads(ok(run(app, "schema", *arguments)))


def test_notification() -> None:
    """The schema of notifications requires no application."""
    schema = printed("notification")
    jsonschema.validate(make_notification(step=ASK).received, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema)


def test_reply() -> None:
    """The schema of replies describes what a bot answers."""
    reply = json.loads(run(small_bot(), "send", "--json").output)
    jsonschema.validate(reply, printed("reply"))


def test_openapi() -> None:
    """The document has each webhook with its path and with what it asks for."""
    document = printed("openapi", app=two_bots())

    assert document == printed(app=two_bots())
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "two_bots"
    paths = document["paths"]
    assert list(paths) == ["/sales", "/support"]
    asked = {path: paths[path]["post"]["security"] for path in paths}
    assert len({json.dumps(each) for each in asked.values()}) == 2
    assert KEY not in json.dumps(document)


def test_openapi_of_one_webhook() -> None:
    """'--webhook' selects one webhook."""
    document = printed("--webhook", "support", app=two_bots())
    assert list(document["paths"]) == ["/support"]


def test_something_else() -> None:
    """An unknown schema is a usage error."""
    assert "'openapi'" in sentence(run(None, "schema", "xml"), 2)
