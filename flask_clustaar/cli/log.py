"""Hold back the log while the bot answers; print only what the answer does not show."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..logs import logger, traceback_of
from .terminal import echo


@contextmanager
def held_back_log() -> Iterator[list[logging.LogRecord]]:
    """Collect the package's log records instead of emitting them."""
    records: list[logging.LogRecord] = []

    def collect(record: logging.LogRecord) -> bool:
        records.append(record)
        return False

    logger.addFilter(collect)
    try:
        yield records
    finally:
        logger.removeFilter(collect)


def print_log(records: Sequence[logging.LogRecord], problem: Any) -> None:
    """Print what the answer does not show: explanations, tracebacks and warnings.

    :param problem: the problem body of the answer, which has been printed.
    """
    problem = problem if isinstance(problem, dict) else {}
    code = problem.get("code")
    for record in records:
        lines = record.getMessage().split("\n")
        if code is not None and getattr(record, "clustaar_code", None) == code:
            lines = [] if "explanation" in problem else lines[1:]
        elif record.levelno < logging.WARNING:
            continue
        if record.exc_info and record.exc_info[1]:
            lines += traceback_of(record.exc_info[1]).split("\n")[:-1]
        for line in lines:
            echo(line, looks={"dim": True}, err=True)
