"""How a cloud's words become our errors: one table for each plugin, in one form."""

from __future__ import annotations

from collections.abc import Mapping

from longshore.errors import ProviderError

__all__ = ["Refusals"]

_LONGEST = 500


class Refusals:
    """A table from a cloud's error codes to error classes and what to do about them.

    A code may end with ``*``: it then stands for all that begin so; the longest that fits counts.
    """

    def __init__(self, cloud: str, table: Mapping[str, tuple[type[ProviderError], str]]) -> None:
        """Name the cloud, and give for each code its class and the remedy (empty when the class says it all)."""
        self._cloud = cloud
        self._exact = {code: row for code, row in table.items() if not code.endswith("*")}
        self._prefixes = sorted(((code[:-1], row) for code, row in table.items() if code.endswith("*")), reverse=True)

    def error(self, code: str, message: str, *, doing: str) -> ProviderError:
        """Make the error for a code; `ProviderError` itself for one that nobody has heard of.

        ``doing`` says what was asked, as in ``"renting c5.xlarge in eu-west-1a"``. The cloud's message is kept, cut to
        a bounded length and one line.
        """
        row = self._exact.get(code)
        if row is None:
            row = next((row for prefix, row in self._prefixes if code.startswith(prefix)), (ProviderError, ""))
        kind, remedy = row
        words = " ".join(message.split())[:_LONGEST]
        text = f"{doing}: {self._cloud} says {code}: {words}" if words else f"{doing}: {self._cloud} says {code}"
        return kind(f"{text}; {remedy}" if remedy else text)
