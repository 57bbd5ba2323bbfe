"""Hold back the bot's log while it answers, and print what the answer does not say."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..logs import logger
from ..printable import printable_traceback
from .terminal import echo


@contextmanager
def held_back_log() -> Iterator[list[logging.LogRecord]]:
    """Collect the records of the bot's log."""
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
    """Print what a log has beyond an answer: explanations, tracebacks and warnings.

    :param problem: the body of the answer, which is printed already.
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
            lines += printable_traceback(record.exc_info[1]).split("\n")[:-1]
        for line in lines:
            echo(line, looks={"dim": True}, err=True)
