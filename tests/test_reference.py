"""The reference of the models, in the documentation."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from marshmallow.validate import Email, Validator

from docs.rows import Row, rows
from flask_clustaar import models
from flask_clustaar.models import (
    Card,
    GoogleCustomSearchAction,
    MatchIntentCondition,
    QuickReply,
    SendEmailAction,
    SendTextAction,
    ShareAction,
)
from flask_clustaar.schemas.limits import Length, Range
from flask_clustaar.wire import Model


def test_rows() -> None:
    """An attribute is documented with its key and limits."""
    text = "string of 1 to 60 characters; sanitised, normalised"
    assert rows(QuickReply) == [
        Row("quick_reply", "QuickReply", "title", "title", True, False, text),
        Row(
            *("quick_reply", "QuickReply", "action", "action", True, False),
            "``ButtonAction``",
        ),
    ]
    assert rows(ShareAction) == [
        Row("share_action", "ShareAction", "", "", False, False, "")
    ]


class Prime(Validator):
    """Says nothing."""

    def __call__(self, value: int) -> int:
        raise AssertionError


class Odd(Model):
    prime: Annotated[int, Prime()]
    any_length: Annotated[str, Length(0)]
    exact: Annotated[list[dict[str, str]], Length(equal=2)]
    mail: Annotated[str | None, Email()] = None
    least: Annotated[float, Range(min=3)] = 4


@pytest.mark.parametrize(
    ("model", "attribute", "limits"),
    [
        (
            SendTextAction,
            "alternatives",
            "list of 1 to 10: string of 1 to 1000 characters; sanitised, normalised",
        ),
        (GoogleCustomSearchAction, "limit", "whole number, 1 to 10"),
        (
            GoogleCustomSearchAction,
            "custom_engine_id",
            "string of 1 or more characters; stripped",
        ),
        (
            Card,
            "url",
            "string of at most 500 characters, a URL with a scheme and a host, "
            'or ``""``; stripped; sent as ``""`` if it is None',
        ),
        (
            SendEmailAction,
            "from_email",
            "string of at most 150 characters, one line, and not an address of the "
            "platform (``@clustaar.``); sanitised, stripped",
        ),
        (MatchIntentCondition, "intent", "``Intent``"),
        (models.StepTarget, "step_id", "string, an object id: 24 letters and digits"),
        (models.MatchRegexpCondition, "regexp", "string, a regular expression"),
        (
            models.CustomerSatisfactionChoice,
            "kind",
            "string, one of ``positive``, ``neutral``, ``negative``",
        ),
        (
            models.Interlocutor,
            "custom_attributes",
            "object of strings, keys: letters, digits and underscores: no space, dot "
            "or dash",
        ),
        (Odd, "prime", "whole number, Prime"),
        (Odd, "any_length", "string"),
        (Odd, "exact", "list of 2: object of strings"),
        (Odd, "mail", "string, a valid email address"),
        (Odd, "least", "number, 3 or more"),
    ],
)
def test_limits_in_words(model: Any, attribute: str, limits: str) -> None:
    """Each kind of limit can be read."""
    found = {row.attribute: row.limits for row in rows(model)}
    assert found[attribute] == limits
