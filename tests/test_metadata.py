"""What the package's metadata say, and what has to agree with them."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import flask_clustaar
from flask_clustaar._version import __version__

ROOT = Path(__file__).parent.parent
METADATA = metadata.metadata("Flask-Clustaar")
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]


def test_version() -> None:
    """The package has the version that is on top of the changelog."""
    changelog = (ROOT / "CHANGELOG.rst").read_text()

    newest = re.search(r"^Version (\S+)\n-+\n\n(\S+)", changelog, re.M)

    assert newest
    assert __version__ == METADATA["Version"] == newest[1]
    assert newest[2] in ("Unreleased", "Released")


def test_pythons() -> None:
    """What is supported is what is tested."""
    classifiers = METADATA.get_all("Classifier") or []
    workflow = (ROOT / ".github/workflows/tests.yaml").read_text()

    supported = [c.rpartition(" ")[2] for c in classifiers if " :: 3." in c]
    tested = re.search(r"python: \[(.+)\]", workflow)

    assert ">=" + PYTHONS[0] == METADATA["Requires-Python"]
    assert PYTHONS == supported
    assert tested
    assert PYTHONS == re.findall(r'"(.+?)"', tested[1])


def test_lowest_versions() -> None:
    """The lowest versions that are tested are the lowest that are allowed."""
    lines = (ROOT / "requirements/lowest.txt").read_text().splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    users = ("async", "jmespath", "redis")
    requirements = [
        Requirement(text) for text in metadata.requires("Flask-Clustaar") or []
    ]
    allowed = {
        requirement.name: Version(bound.version)
        for requirement in requirements
        for bound in requirement.specifier
        if requirement.marker is None
        or any(requirement.marker.evaluate({"extra": extra}) for extra in users)
    }

    assert {"Flask", "marshmallow", "redis"} < set(allowed)
    assert allowed == {name: Version(tested[name]) for name in allowed}


@pytest.mark.parametrize("group", ["flask.commands", "pytest11"])
def test_entry_points(group: str) -> None:
    """What the package adds to Flask and to pytest can be loaded."""
    (entry_point,) = metadata.entry_points(group=group, name="clustaar")

    assert entry_point.load()


def test_types() -> None:
    """The package tells type checkers that it has types."""
    assert (Path(flask_clustaar.__file__).parent / "py.typed").exists()
