"""The schemas: what they take, what they refuse, and how they say why."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from strategies import (
    NotBuilt,
    built,
    cleaned,
    documents,
    mutated,
    replies,
)

from flask_clustaar import fast
from flask_clustaar.json_schema import reply_schema
from flask_clustaar.models import StepReachedResponse
from flask_clustaar.schemas import judge, schema_for
from flask_clustaar.wire import Shape

REPLY = Draft202012Validator(
    reply_schema(), format_checker=Draft202012Validator.FORMAT_CHECKER
)
modest = settings(
    max_examples=300, deadline=None, suppress_health_check=list(HealthCheck)
)


def response(document: Any) -> StepReachedResponse:
    """What a handler is taken to have returned that returned this dict."""
    answer = StepReachedResponse()
    answer.__dict__.update(document)
    return answer


@modest
@given(replies)
def test_valid(document: Any) -> None:
    """x"""
    wire, violations = judge(response(document))
    assert not violations
    assert fast._emitter_of(StepReachedResponse)(response(document)) == wire
    REPLY.validate(document)


@settings(modest, max_examples=1500)
@given(mutated(replies))
def test_mutated(document: Any) -> None:
    if "actions" not in document: return
    wire, violations = judge(response(document))
    q, v2 = fast.dump(response(document))
    assert q == wire and v2 == violations
    try:
        e = fast._emitter_of(StepReachedResponse)(response(document))
    except fast.Detour:
        pass
    else:
        assert e == wire and not violations
    c = cleaned(document, StepReachedResponse)
    assert REPLY.is_valid(c) == (not violations), (list(REPLY.iter_errors(c)), violations)
