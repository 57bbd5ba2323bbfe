"""Describe the machine and the versions of the packages."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

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
