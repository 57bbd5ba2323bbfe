"""The import ladder: modules import from below, so that each can be read alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import flask_clustaar

PACKAGE = Path(flask_clustaar.__file__).parent

#: From the bottom up. A module imports from rungs below its own; those of one rung do
#: not know of each other. ``__init__`` stands for the public names.
LADDER = [
    {
        "_version",
        "channels",
        "deadline",
        "describe",
        "errors",
        "events",
        "printable",
    },
    {"body", "cleaning", "replay", "security", "wire"},
    {"schemas"},
    {"filters", "models", "settings", "truncation"},
    {"answers", "json_schema", "notifications", "replies", "state", "transcript"},
    {"routing"},
    {"openapi"},
    {"logs"},
    {"signals"},
    {"background", "recording"},
    {"installation"},
    {"exchange"},
    {"calling"},
    {"failing"},
    {"handling"},
    {"extension", "verification"},
    {"__init__"},
    {"address", "compat", "contrib", "platform"},
    {"steps", "testing"},
    {"inspector", "replaying"},
    {"cli"},
    {"pytest_plugin"},
]
RUNGS = {name: height for height, names in enumerate(LADDER) for name in names}

#: All else takes arguments, and needs no application.
WITH_FLASK = {
    "address",
    "calling",
    "exchange",
    "extension",
    "failing",
    "handling",
    "installation",
    "compat",
    "testing",
    "inspector",
    "replaying",
    "cli",
    "pytest_plugin",
}

#: All but the hook, which PyInstaller runs.
FILES = sorted(
    file for file in PACKAGE.rglob("*.py") if file.parent.name != "_pyinstaller"
)
PACKAGES = sorted({file.parent.name for file in FILES} - {PACKAGE.name})


def member_of(file: Path) -> str:
    """Return the name in the ladder: of the module, or of the package it is in."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[str]:
    """Yield the full name of all that a module imports, anywhere in it."""
    package = ("flask_clustaar", *file.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{name.name}" for name in node.names)


def imported_members(file: Path) -> set[str]:
    """Return the members of the ladder that a module imports."""
    ours = {tuple(name.split(".")) for name in imports(file)}
    names = {path[1] for path in ours if path[0] == "flask_clustaar" and path[1:]}
    return {name if name in RUNGS else "__init__" for name in names}


def test_ladder_is_whole() -> None:
    """Each module has its place, and each place its module."""
    assert {member_of(file) for file in FILES} == set(RUNGS)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_come_from_below(file: Path) -> None:
    """A module imports from below, or from its own package."""
    member = member_of(file)

    wrong = {
        name
        for name in imported_members(file) - {member}
        if RUNGS[name] >= RUNGS[member]
    }

    assert set() == wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_have_no_circles(package: str) -> None:
    """Inside a package, imports also have one direction."""
    graph = {
        file.stem: {
            name.split(".")[2]
            for name in imports(file)
            if name.startswith(f"flask_clustaar.{package}.")
        }
        for file in FILES
        if member_of(file) == package and file.stem != "__init__"
    }

    while graph:
        leaves = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert leaves, f"These import each other: {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in leaves}


def test_flask_stays_at_the_top() -> None:
    """The core does not import Flask."""
    with_flask = {
        member_of(file)
        for file in FILES
        if any(name.split(".")[0] == "flask" for name in imports(file))
    }

    assert with_flask <= WITH_FLASK
