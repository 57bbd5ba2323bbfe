"""The command: ``python -m benchmarks``."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from . import answers, machine, report
from .field import FIELD
from .parts import FULL, PARTS, QUICK, run
from .payloads import JSON


@click.command()
@click.option(
    "--quick", is_flag=True, help="Take less than a minute; do not write the page."
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(list(PARTS)),
    help="Run only this part; do not write the page. Repeatable.",
)
@click.option(
    "--instructions",
    is_flag=True,
    help="Count instructions with Valgrind instead of time; for busy machines.",
)
@click.option(
    "--json", "json_path", type=Path, help="Also write the results to this file."
)
@click.option(
    "--page", type=Path, help="Do not measure; write the page from such a file."
)
@click.option(
    "--answers",
    "answers_path",
    type=Path,
    help="Do not measure; write the answers to fixed requests to this file, or compare "
    "with its content if it exists.",
)
def main(
    quick: bool,
    only: tuple[str, ...],
    instructions: bool,
    json_path: Path | None,
    page: Path | None,
    answers_path: Path | None,
) -> None:
    """Run the benchmarks, and write docs/run/performance.rst."""
    if answers_path is not None:
        compare(answers_path)
        return
    if page is not None:
        tell(json.loads(page.read_text()))
        return
    names = ["instructions"] if instructions else list(only or PARTS)
    if quick and not only and not instructions:
        names.remove("instructions")
    found = {
        "machine": machine.describe([subject.name for subject in FIELD]),
        **run(names, QUICK if quick else FULL),
    }
    if json_path is not None:
        json_path.write_text(json.dumps(found, indent=1) + "\n")
    click.echo(report.as_text(found))
    if not quick and not only and not instructions:
        tell(found)


def tell(found: JSON) -> None:
    """Write the page, and print its files."""
    for file in report.write_page(found):
        click.echo(f"Wrote {file.relative_to(report.DOCS.parent)}.")


def compare(path: Path) -> None:
    """Write the answers, or compare them.

    :raises SystemExit: with 1 if they differ.
    """
    found = answers.collect()
    if not path.exists():
        answers.write(found, path)
        click.echo(f"Wrote {len(found)} answers to {path}.")
        return
    lines = answers.differences(found, path)
    click.echo("\n".join([*lines, f"{len(lines)} of {len(found)} answers differ."]))
    raise SystemExit(bool(lines))


if __name__ == "__main__":
    logging.disable()  # Some answers are failures, which would be logged.
    main(prog_name="python -m benchmarks")
