"""What an executor may offer for its machines besides executing attempts: to check them, and to work there by hand."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol, runtime_checkable

from attrs import frozen

__all__ = ["Checks", "Finding", "Soundness"]


class Soundness(StrEnum):
    """How much is wrong with what a check looked at; the last is the worst."""

    OK = "ok"
    WARNING = "warning"
    """Things work, but less well."""
    BAD = "bad"
    """A run would fail."""


@frozen(kw_only=True)
class Finding:
    """What one check found."""

    name: str
    """What was looked at, the same on every machine."""
    state: Soundness
    says: str
    remedy: str = ""
    """What mends it: words, or the exact command; may have several lines."""


@runtime_checkable
class Checks(Protocol):
    """Ability of an executor: it says whether the hosts that its config names can be used, and what would mend them."""

    def hosts(self) -> Sequence[str]:
        """Name the hosts as the config does; none of them is asked."""
        ...

    def check(self, host: str) -> Sequence[Finding]:
        """Look at one of them, in the order in which one thing needs the other; after what is bad the rest may miss.

        Several are looked at in threads at once. What is wrong with a host is a finding, and no error. Leaves nothing
        there.
        """
        ...
