"""The rules of ``flask clustaar check``, and how findings are printed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import click

from .terminal import echo, echo_json, echo_table

Level = Literal["error", "warning", "hint"]

_COLOURS: Final[dict[Level, str]] = {
    "error": "red",
    "warning": "yellow",
    "hint": "cyan",
}


@dataclass(frozen=True)
class Rule:
    """A rule of the check. Its code does not change between versions."""

    code: str
    level: Level
    #: What a finding with this code means.
    summary: str

    def __call__(
        self, message: str, where: str = "", *, level: Level | None = None
    ) -> Finding:
        """Return a finding of this rule.

        :param level: the level of this finding. Default: the level of the rule.
        """
        return Finding(level or self.level, self.code, message, where)


@dataclass(frozen=True)
class Finding:
    """A mistake or a possible improvement, and where it is."""

    level: Level
    #: The code of the rule.
    code: str
    message: str
    #: The name of a webhook, or a path in a reply or a bot file.
    where: str = ""


RULES: Final[dict[str, Rule]] = {}


def rule(code: str, level: Level, summary: str) -> Rule:
    """Return a new rule, and add it to :data:`RULES`."""
    RULES[code] = made = Rule(code, level, summary)
    return made


def echo_rules(as_json: bool) -> None:
    """Print all rules."""
    if as_json:
        echo_json([asdict(each) for _, each in sorted(RULES.items())])
        return
    rows = [(each.code, each.level, each.summary) for _, each in sorted(RULES.items())]
    if not echo_table([("Code", "Level", "Meaning"), *rows]):
        for code, level, summary in rows:
            echo(f"{code} ({level})")
            echo(summary, label="    ")


def read_codes(
    _: click.Context, __: click.Parameter, values: Sequence[str]
) -> frozenset[str]:
    """Read ``--ignore``: codes, separated by commas or in several options."""
    codes = {code.strip() for value in values for code in value.split(",")} - {""}
    for code in sorted(codes - RULES.keys()):
        near = difflib.get_close_matches(code, RULES, 1)
        hint = f"Did you mean '{near[0]}'?" if near else "'--rules' lists the rules."
        raise click.BadParameter(f"There is no rule '{code}'. {hint}")
    return frozenset(codes)


def echo_findings(findings: Iterable[Finding], *, as_json: bool) -> None:
    """Print the findings, errors first, and a summary."""
    ordered = sorted(findings, key=lambda each: list(_COLOURS).index(each.level))
    if as_json:
        echo_json([asdict(finding) for finding in ordered])
        return
    for finding in ordered:
        where = f"{finding.where}: " if finding.where else ""
        echo(
            f"{where}{finding.message} [{finding.code}]",
            label=f"{finding.level}: ",
            label_looks={"fg": _COLOURS[finding.level], "bold": True},
        )
    echo(_summary(ordered))


def failed(findings: Iterable[Finding], *, strict: bool) -> bool:
    """Return whether the check fails: for errors, and for warnings if strict."""
    bad = ("error", "warning") if strict else ("error",)
    return any(finding.level in bad for finding in findings)


def _summary(findings: Sequence[Finding]) -> str:
    levels = [finding.level for finding in findings]
    counts = [(levels.count(level), level) for level in _COLOURS]
    told = [f"{n} {level}{'s' if n > 1 else ''}" for n, level in counts if n]
    return f"{', '.join(told)}." if told else "No problems found."
