"""Collecting all mistakes of a workflow before anything is said about one.

A parser of one value is a plain function that raises `Mistakes`; whoever knows where the value stands adds key and
place. So the same parsers serve TOML, ``--set`` and the Python API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from attrs import define, field

from longshore.errors import ConfigError, Problem
from longshore.model.names import near

__all__ = ["Key", "Mistake", "Mistakes", "Places", "Problems", "key_text", "wrong"]

Key = tuple[str, ...]
"""Path of a key, as in ``("tasks", "fit", "for_each", "year")``."""

Places = Callable[[Key], str]
"""Says where a key was written: file and line."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_$-]+")
# A workflow of 100,000 generated tasks can have one mistake 100,000 times; nobody reads that, and hints are dear.
_MOST_SHOWN = 100
_MOST_HINTS = 20


class Mistake(NamedTuple):
    """One thing wrong with a value: where below it, what, and what mends it."""

    below: Key
    message: str
    remedy: str = ""


class Mistakes(ValueError):
    """Raised by the parser of a value; carries all that is wrong with it."""

    def __init__(self, *mistakes: Mistake) -> None:
        self.mistakes = mistakes
        super().__init__("; ".join(mistake.message for mistake in mistakes))


def wrong(message: str, remedy: str = "", below: Key = ()) -> Mistakes:
    """Make the error for a value with one mistake."""
    return Mistakes(Mistake(below, message, remedy))


@define
class Problems:
    """The mistakes found so far, each with place, key, message and remedy."""

    places: Places
    found: list[Problem] = field(factory=list)
    unshown: int = 0

    def add(self, key: Key, message: str, remedy: str = "", *, misspelt: str = "", among: Iterable[str] = ()) -> None:
        """Record one mistake. Names ``among`` which ``misspelt`` may have been meant are put before the remedy."""
        if len(self.found) >= _MOST_SHOWN:
            self.unshown += 1
            return
        if misspelt and len(self.found) < _MOST_HINTS:
            remedy = hint(misspelt, among, remedy)
        self.found.append(Problem(place=self.places(key), key=key_text(key), message=message, remedy=remedy))

    def take(self, key: Key, error: ValueError) -> None:
        """Record what a parser said about the value at ``key``."""
        for mistake in mistakes_of(error):
            self.add((*key, *mistake.below), mistake.message, mistake.remedy)

    def take_from(self, place: str, error: ValueError) -> None:
        """Record what a parser said about something that has a place of its own, and no key."""
        usual, self.places = self.places, lambda _: place
        self.take((), error)
        self.places = usual

    def check(self) -> None:
        """Raise all that was found.

        Raises:
            ConfigError: when anything was.
        """
        if not self.found:
            return
        if self.unshown:
            message = f"there are {self.unshown:,} more problems of this kind"
            raise ConfigError([*self.found, Problem(place="", key="", message=message, remedy="mend these first")])
        raise ConfigError(self.found)


def hint(misspelt: str, among: Iterable[str], remedy: str = "") -> str:
    """Ask whether a name near ``misspelt`` was meant; just the remedy when there is none."""
    close = near(misspelt, among)
    if not close:
        return remedy
    question = f"did you mean {' or '.join(repr(name) for name in close)}?"
    return f"{question} Or {remedy}" if remedy else question


def mistakes_of(error: ValueError) -> tuple[Mistake, ...]:
    """Take a parser's error apart; those of `longshore.model` put the remedy behind a semicolon."""
    if isinstance(error, Mistakes):
        return error.mistakes
    message, _, remedy = str(error).rpartition("; ")
    return (Mistake((), message, remedy),) if message else (Mistake((), remedy),)


def key_text(key: Key) -> str:
    """Write a key's path as TOML does."""
    return ".".join(part if _BARE_KEY.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in key)
