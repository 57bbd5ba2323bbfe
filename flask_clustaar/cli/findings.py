"""What ``flask clustaar check`` finds, and how it tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import click

Level = Literal["error", "warning", "hint"]

_COLOURS: Final[dict[Level, str]] = {
    "error": "red",
    "warning": "yellow",
    "hint": "cyan",
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or could be better, and where."""

    level: Level
    message: str
    #: The name of a webhook, or a path into a reply.
    where: str = ""


def error(message: str, where: str = "") -> Finding:
    """Return something that is wrong."""
    return Finding("error", message, where)


def warning(message: str, where: str = "") -> Finding:
    """Return something that is probably wrong."""
    return Finding("warning", message, where)


def hint(message: str, where: str = "") -> Finding:
    """Return something that could be better."""
    return Finding("hint", message, where)


def tell(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Print the findings, the worst first, and their number."""
    ordered = sorted(findings, key=lambda each: list(_COLOURS).index(each.level))
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in ordered], indent=2))
        return
    for finding in ordered:
        level = click.style(finding.level, fg=_COLOURS[finding.level], bold=True)
        where = f"{finding.where}: " if finding.where else ""
        click.echo(f"{level}: {where}{finding.message}")
    click.echo(_summary(findings))


def failed(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Return whether the findings are a failure: errors are, and warnings if strict."""
    bad = ("error", "warning") if strict else ("error",)
    return any(finding.level in bad for finding in findings)


def _summary(findings: Sequence[Finding]) -> str:
    levels = [finding.level for finding in findings]
    counts = [(levels.count(level), level) for level in _COLOURS]
    told = [f"{n} {level}{'s' if n > 1 else ''}" for n, level in counts if n]
    return f"{', '.join(told)}." if told else "Nothing to complain about."
