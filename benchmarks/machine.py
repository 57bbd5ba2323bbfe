"""Describe the machine, and run programs on it."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

#: The distributions that affect the figures.
_OURS = ["Flask", "Werkzeug", "marshmallow", "blinker", "itsdangerous", "msgspec"]


def describe(field: list[str]) -> dict[str, str]:
    """Return rows about this machine.

    :param field: more distributions.
    """
    versions = [
        f"{name} {version}" for name in _OURS + field if (version := find(name))
    ]
    return {
        "Date": datetime.date.today().isoformat(),
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "System": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "Versions": ", ".join(versions),
        "Load at the start": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def find(name: str) -> str | None:
    """Return the version of a distribution; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


@contextmanager
def one_core() -> Iterator[None]:
    """Run this process and its children on one core: moving between cores adds time."""
    if not hasattr(os, "sched_setaffinity"):
        yield  # Only Linux can do this.
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def run_module(
    name: str, argument: str, before: Sequence[str] = (), **environment: str
) -> Iterator[Any]:
    """Run a module in a new interpreter; yield the JSON values that it prints.

    :param before: the command that runs the interpreter.
    :raises RuntimeError: if the module fails.
    """
    with subprocess.Popen(
        [*before, sys.executable, "-m", name, argument],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield from map(json.loads, process.stdout or ())
    if process.returncode:
        raise RuntimeError(f"'{name}' failed.")
