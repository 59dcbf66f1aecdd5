"""How a cloud's words become our errors, one table for each plugin, in one form; and how to go on after one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from typing import TypeVar

from longshore.errors import ProviderError

__all__ = ["Refusals", "each_of", "end_each", "in_our_words"]

Thing = TypeVar("Thing")
_LONGEST = 500


class Refusals:
    """A table from a cloud's error codes to error classes and what to do about them.

    A ``*`` at the end or the beginning of a code stands for anything; of those that fit the longest counts.
    """

    def __init__(self, cloud: str, table: Mapping[str, tuple[type[ProviderError], str]]) -> None:
        """Name the cloud, and give for each code its class and the remedy (empty when the class says it all)."""
        self._cloud = cloud
        self._exact = {code: row for code, row in table.items() if "*" not in code}
        patterns = ((code, row) for code, row in table.items() if "*" in code)
        self._patterns = sorted(patterns, key=lambda each: len(each[0]), reverse=True)

    def error(self, code: str, message: str, *, doing: str) -> ProviderError:
        """Make the error for a code; `ProviderError` itself for one that nobody has heard of.

        ``doing`` says what was asked, as in ``"renting c5.xlarge in eu-west-1a"``. The cloud's message is kept, cut to
        a bounded length and one line.
        """
        row = self._exact.get(code)
        if row is None:
            row = next((row for pattern, row in self._patterns if fnmatchcase(code, pattern)), (ProviderError, ""))
        kind, remedy = row
        words = " ".join(message.split())[:_LONGEST]
        text = f"{doing}: {self._cloud} says {code}: {words}" if words else f"{doing}: {self._cloud} says {code}"
        return kind(f"{text}; {remedy}" if remedy else text)


@contextmanager
def in_our_words(ours: Callable[[Exception, str], ProviderError | None], doing: str) -> Iterator[None]:
    """Let nothing of an SDK out of the block (law P6): what ``ours`` makes of it is raised, with it as the cause.

    ``ours`` is asked when there is an error, and may import then what an SDK raises; None leaves the error as it is.

    Raises:
        ProviderError: what ``ours`` has made.
    """
    try:
        yield
    except Exception as error:
        made = ours(error, doing)
        if made is None:
            raise
        raise made from error


def each_of(things: Iterable[Thing], do: Callable[[Thing], object]) -> None:
    """Do it with each thing, whatever became of the others.

    Raises:
        ProviderError: the first one, after all were tried. Any other exception ends it at once.
    """
    refused: list[ProviderError] = []
    for thing in things:
        try:
            do(thing)
        except ProviderError as error:
            refused.append(error)
    if refused:
        raise refused[0]


def end_each(machine_ids: Collection[str], end: Callable[[str], object], *, gone: Callable[[Exception], bool]) -> None:
    """End machines one by one, in the order of their ids, where a cloud ends no more at once (law P4).

    ``gone`` says whether an error means that there is no such machine, which is no news.

    Raises:
        ProviderError: the first refusal, after all others were tried.
    """

    def end_one(machine_id: str) -> None:
        try:
            end(machine_id)
        except ProviderError as error:
            if not gone(error):
                raise

    each_of(sorted(set(machine_ids)), end_one)
