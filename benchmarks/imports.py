"""Measure what imports add to the import of Flask, in new interpreters."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .machine import ROOT

#: The imports of a program after Flask, by library. Some packages import their parts
#: lazily, so these are the names that the programs here use.
IMPORTS: Mapping[str, str] = {
    "flask_clustaar": (
        "from flask_clustaar import ClustaarWebhook, events, filters, models"
    ),
    # The imports of the program in the README.
    "flask_clustaar, nine lines": (
        "from flask_clustaar import ClustaarWebhook, events; "
        "from flask_clustaar.filters import StepID"
    ),
    # As where no other package has installed what msgspec imports if it can.
    "flask_clustaar, installed alone": (
        "sys.modules['typing_extensions'] = None; "
        "from flask_clustaar import ClustaarWebhook, events, filters, models"
    ),
    "marshmallow": "import marshmallow",
    "Flask-GitHubApp": "from flask_githubapp import GitHubApp",
    "standardwebhooks": "from standardwebhooks.webhooks import Webhook",
    "svix": "from svix.webhooks import Webhook",
    "pywa": "from pywa import WhatsApp",
    "line-bot-sdk": (
        "from linebot.v3 import WebhookHandler, webhooks; "
        "webhooks.MessageEvent, webhooks.TextMessageContent"
    ),
    "slack-bolt": (
        "from slack_bolt import App; "
        "from slack_bolt.adapter.flask import SlackRequestHandler"
    ),
}

#: Prints CPU seconds and resident bytes: at the start, with Flask, with all.
_PROGRAM = """
import sys, time

def state():
    try:
        with open("/proc/self/statm") as statm:
            pages = int(statm.read().split()[1])
    except OSError:
        pages = 0
    return time.process_time(), pages * 4096

states = [state()]
import flask
states.append(state())
try:
    {statement}
except ModuleNotFoundError:
    sys.exit(3)
states.append(state())
print([list(state) for state in states])
"""


class Import(NamedTuple):
    """The time and memory of an import."""

    milliseconds: float
    #: The median ratio to the import of Flask in the same interpreter.
    ratio: float
    megabytes: float


def measure(names: Sequence[str], rounds: int) -> dict[str, Import]:
    """Measure imports, and ``Flask`` itself.

    :param names: of those in :data:`IMPORTS`.
    """
    states: dict[str, list[list[list[float]]]] = {}
    shuffle = random.Random(rounds).shuffle
    with tempfile.TemporaryDirectory() as cache:
        order = [name for name in names if _run(name, cache) is not None]
        for _ in range(rounds):
            shuffle(order)
            for name in order:
                states.setdefault(name, []).append(_run(name, cache) or [])
    flask = [run for runs in states.values() for run in runs]
    found = {"Flask": _summary(flask, 0)}
    return found | {
        name: _summary(states[name], 1)
        for name in sorted(order, key=list(IMPORTS).index)
    }


def _run(name: str, cache: str) -> list[list[float]] | None:
    """Return the states of an interpreter; None if the module is not installed.

    :param cache: the directory for compiled modules.
    """
    program = _PROGRAM.format(statement=IMPORTS[name])
    environment = os.environ | {"PYTHONPYCACHEPREFIX": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode == 3:
        return None
    done.check_returncode()
    states: list[list[float]] = json.loads(done.stdout)
    return states


def _summary(runs: list[list[list[float]]], step: int) -> Import:
    def added(run: list[list[float]], step: int, part: int) -> float:
        return run[step + 1][part] - run[step][part]

    return Import(
        statistics.median(added(run, step, 0) * 1e3 for run in runs),
        statistics.median(added(run, step, 0) / added(run, 0, 0) for run in runs),
        statistics.median(added(run, step, 1) / 1e6 for run in runs),
    )
