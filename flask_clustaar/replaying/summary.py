"""Group differences by cause, each group with a count and an example."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .comparison import Difference, compare
from .reader import Recorded, Skipped
from .sender import Replayed


class Example(NamedTuple):
    """The first occurrence of a difference."""

    file: str
    line: int
    difference: Difference
    #: The exception of a handler, if that is the difference.
    error: str | None


@dataclass
class Group:
    """Answers that differ in the same way."""

    #: The handlers that answered at the time of the recording, and those of now.
    handlers: tuple[str, ...]
    handlers_now: tuple[str, ...]
    #: The number of answers.
    count: int
    #: The number of answers by path and kind of difference.
    paths: Counter[tuple[str, str]]
    example: Example

    @property
    def kind(self) -> str:
        """``status``, ``handlers`` or ``reply``."""
        if self.example.difference.kind == "status":
            return "status"
        others = _are_others(self.handlers, self.handlers_now)
        return "handlers" if others else "reply"


#: The key of a group, without paths.
_Key = tuple[tuple[str, ...], tuple[str, ...], str]
_Paths = frozenset[tuple[str, str]]


@dataclass
class _Class:
    """Answers that differ at the same paths."""

    count: int = 0
    examples: dict[tuple[str, str], Example] = field(default_factory=dict)


class Summary:
    """The result of a replay; memory grows only with the kinds of differences."""

    def __init__(self) -> None:
        #: The file that is replayed.
        self.file = ""
        #: The number of replayed requests.
        self.replayed: int = 0
        #: The number of requests without a recorded reply.
        self.without_reply: int = 0
        #: The number of lines that were not replayed, by reason.
        self.skipped: Counter[str] = Counter()
        #: The first lines that are damaged, with their files.
        self.damaged: list[tuple[str, Skipped]] = []
        #: Paths that differ between two answers of the current code.
        self.noise: set[tuple[str, str]] = set()
        self._classes: dict[_Key, dict[_Paths, _Class]] = {}

    def skip(self, skipped: Skipped) -> None:
        """Count a line that is not replayed."""
        self.skipped[skipped.reason] += 1
        if skipped.damaged and len(self.damaged) < 20:
            self.damaged.append((self.file, skipped))

    def add(
        self, recorded: Recorded, replayed: Replayed, again: Replayed | None = None
    ) -> list[Difference]:
        """Compare an answer with the recorded one.

        :param again: a second answer to the same request.
        """
        self.replayed += 1
        self.without_reply += recorded.status is None
        if again is not None:
            noise = compare(as_recorded(recorded, replayed), again)
            self.noise |= {path for path in _paths(noise) if path[1] != "status"}
        differences = compare(recorded, replayed)
        if differences:
            self._count(recorded, replayed, differences)
        return differences

    def _count(
        self, recorded: Recorded, replayed: Replayed, differences: list[Difference]
    ) -> None:
        first = differences[0]
        status = ""
        if first.kind == "status":
            status = f"{first.after} (was {first.before})"
        handlers = recorded.handlers
        if handlers is None:
            handlers = replayed.handlers
        key = handlers, replayed.handlers, status
        classes = self._classes.setdefault(key, {})
        found = classes.setdefault(frozenset(_paths(differences)), _Class())
        found.count += 1
        for each in differences:
            example = Example(self.file, recorded.line, each, replayed.error)
            found.examples.setdefault((each.path, each.kind), example)

    def groups(self) -> list[Group]:
        """Return the groups, largest first, without noise.

        Answers of the same handlers are in one group if they share a path that
        differs, because a change in the code affects some answers in more places.
        """
        groups = []
        for (before, after, _), classes in self._classes.items():
            merged = _merged(classes, self.noise, at_once=_are_others(before, after))
            groups += [
                Group(before, after, count, paths, _example(paths, examples))
                for count, paths, examples in merged
            ]
        return sorted(groups, key=lambda group: (-group.count, group.example.line))


def as_recorded(recorded: Recorded, replayed: Replayed) -> Recorded:
    """Return a request with another recorded answer."""
    return Recorded(
        recorded.line,
        recorded.request,
        status=replayed.status,
        reply=replayed.reply,
        code=replayed.code,
        error=replayed.error,
        handlers=replayed.handlers,
    )


def _merged(
    classes: dict[_Paths, _Class], noise: set[tuple[str, str]], *, at_once: bool
) -> list[tuple[int, Counter[tuple[str, str]], dict[tuple[str, str], Example]]]:
    """Merge classes that share a path, or all classes."""
    found: list[tuple[int, Counter[tuple[str, str]], dict[Any, Example]]] = []
    for all_paths, each in classes.items():
        paths = all_paths - noise
        if not paths:
            continue
        count, counted = each.count, Counter(dict.fromkeys(paths, each.count))
        examples = {path: each.examples[path] for path in paths}
        apart = []
        for other in found:
            if at_once or paths & other[1].keys():
                count += other[0]
                counted += other[1]
                examples = examples | other[2]
                paths |= other[1].keys()
            else:
                apart.append(other)
        found = [*apart, (count, counted, examples)]
    return found


def _are_others(before: tuple[str, ...], after: tuple[str, ...]) -> bool:
    """Return whether other functions answered; renamed modules do not count."""
    names = [[name.rpartition(".")[2] for name in each] for each in (before, after)]
    return names[0] != names[1]


def _example(
    paths: Counter[tuple[str, str]], examples: dict[tuple[str, str], Example]
) -> Example:
    """Return the example of the path that differs most often."""
    return examples[ordered(paths)[0]]


def ordered(paths: Counter[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return paths, most frequent first."""
    return sorted(paths, key=lambda path: (-paths[path], path))


def _paths(differences: Iterable[Difference]) -> set[tuple[str, str]]:
    return {(each.path, each.kind) for each in differences}
