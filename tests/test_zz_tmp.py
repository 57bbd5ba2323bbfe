from __future__ import annotations
import copy, json
from typing import Any
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import *
from flask_clustaar import fast
from flask_clustaar.models import *
from flask_clustaar import models
from flask_clustaar.schemas import judge, schema_for
from flask_clustaar.wire import Shape, attributes_of, RECEIVED, Model
modest = settings(max_examples=2000, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=True)

def touch(value):
    if isinstance(value, list):
        for v in value: touch(v)
    if isinstance(value, Model):
        for row in attributes_of(type(value)):
            touch(getattr(value, row.name))

@modest
@given(hostile_notifications())
def test_hostile(document):
    came = copy.deepcopy(document)
    n = fast.load(Notification, document)
    touch(n)
    assert fast.dump(n)[0] == came
    assert document == came

@modest
@given(hostile_notifications())
def test_equal(document):
    n = fast.load(Notification, document)
    m = schema_for(Notification, received=True).load(document)
    assert n == m

@modest
@given(hostile_notifications())
def test_step(document):
    n = fast.load(Notification, document)
    touch(n)
    wire, v = fast.dump(n.step)
    assert not v
    assert judge(n.step) == (wire, [])
    raw = document.get("data"); raw = raw.get("step") if isinstance(raw, dict) else None
    if isinstance(raw, dict): assert wire == raw

@modest
@given(documents(Action))
def test_id(document):
    a = fast.load(Step, {"actions":[document]}).actions[0]
    assert fast.dump(a) == (document, [])
    assert not isinstance(a, UnknownAction)

@modest
@given(documents(Action))
def test_built(document):
    a = built(document, Shape("model", model=Action))
    w,v=fast.dump(a)
    assert not v and judge(a)==(w,v)
    s=schema_for(type(a)).load(w)
    assert s==a
    assert fast.dump(s)==(w,[])
