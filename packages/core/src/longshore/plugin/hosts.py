"""What an executor may offer for its machines besides executing attempts: to check them, to say what it has made there,
and to work there by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from attrs import frozen

__all__ = ["Checks", "Enters", "Finding", "PodInfo", "Pods", "Shell", "Shells", "Soundness"]


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


class Shell(Protocol):
    """A login to one machine, for work by hand. All methods raise `MachineUnreachable` when the link breaks."""

    def execute(self, words: Sequence[str], *, feed: int | None, tell: Callable[[int, bytes], None]) -> int:
        """Execute a command in the home there, without a shell of its own; give its exit code.

        ``feed`` is a file descriptor that its standard input is read from, None for none. ``tell`` is called with 1 or
        2, for stdout or stderr, and what was written; from a thread for each.
        """
        ...

    def interact(self) -> int:
        """Connect the terminal that stdin and stdout are to a login shell, until that ends; give its exit code."""
        ...

    def put(self, sources: Sequence[Path], target: str) -> None:
        """Bring files and folders there: into a folder, or one of them under a new name.

        Each arrives whole or not at all; files are replaced, and folders are not.

        Raises:
            ExecutorError: when the target is no such place.
        """
        ...

    def get(self, sources: Sequence[str], target: Path) -> None:
        """Bring files and folders here, by the same rules.

        Raises:
            ExecutorError: when one is not there, or the target is no such place.
        """
        ...

    def close(self) -> None:
        """Log out."""
        ...


@runtime_checkable
class Shells(Protocol):
    """Ability of an executor: it lets its user work on a machine by hand."""

    def shell(self, address: str, *, host_key: str = "") -> Shell:
        """Log in to a host of the config, or to a machine with an address, and the fingerprint of its key if known.

        Raises:
            ExecutorError: as `longshore.plugin.protocols.Executor.open` does.
        """
        ...


@runtime_checkable
class Enters(Protocol):
    """Ability of an executor: it lets its user do something beside an attempt that runs."""

    def enter(
        self,
        machine: str,
        attempt: str,
        words: Sequence[str],
        *,
        feed: int | None,
        tell: Callable[[int, bytes], None],
    ) -> int:
        """Execute a command in the attempt's workdir, without a shell of its own; give its exit code.

        ``machine`` is the id of the one that the attempt is on. ``feed`` and ``tell`` are as in `Shell.execute`.

        Raises:
            MachineUnreachable: when there is no way there, or the attempt has no place that runs.
            ExecutorError: when we may not.
        """
        ...


@frozen(kw_only=True)
class PodInfo:
    """A pod that is ours, as the cluster shows it now."""

    name: str
    run: str
    task: str
    """Empty for one that stays, which is a machine."""
    machine: str
    """The machine's id; empty for the pod of an attempt."""
    node: str
    state: str
    says: str
    """In the cluster's words: what it waits for, or why it is over."""
    restarts: int
    born: datetime | None
    cpus: float | None = None
    """In use now; None where nobody measures it."""
    memory_bytes: int | None = None


@runtime_checkable
class Pods(Protocol):
    """Ability of an executor whose machines are a cluster's: it says what it makes there, and what there is.

    All but `manifest` raise what `longshore.plugin.protocols.Executor.open` does.
    """

    def manifest(self) -> str:
        """Write what a run would make, and the rights that it needs, as YAML for review. Nobody is asked."""
        ...

    def pods(self) -> Sequence[PodInfo]:
        """List all pods of all runs, whoever has begun them."""
        ...

    def runs(self) -> Sequence[str]:
        """List the runs that have anything there, sorted."""
        ...

    def remove(self, run: str) -> None:
        """Remove all that a run has there, and nothing else. Silent when there is nothing."""
        ...
