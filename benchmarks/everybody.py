"""All subjects of the benchmarks, and which of them are available."""

from __future__ import annotations

import functools

from .field import FIELD
from .ours import OURS, PARTS
from .payloads import PAYLOADS
from .subjects import Subject
from .views import BARE, BY_HAND

SUBJECTS: list[Subject] = [BARE, BY_HAND, OURS, *PARTS, *FIELD]


def measured() -> list[Subject]:
    """Return the available subjects."""
    return [subject for subject in SUBJECTS if subject.name not in missing()]


@functools.cache
def missing() -> dict[str, str]:
    """Return the reasons why subjects are not available, by name."""
    reasons = {subject.name: why_not(subject) for subject in FIELD}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def why_not(subject: Subject) -> str | None:
    if not subject.is_installed():
        return "not installed"
    try:
        subject.build(PAYLOADS["small"])
    except Exception as error:  # A new version may be incompatible.
        return f"incompatible version: {type(error).__name__}"
    return None
