"""What executors and their sessions may be able to do besides: each ability is a protocol of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from attrs import field, frozen

from longshore.model.artifact import Artifact

if TYPE_CHECKING:
    # Runs that neither build nor rent do not import these, and need not wait for them.
    from longshore.model.environment import BuildSpec
    from longshore.model.load import MachineLoad
    from longshore.plugin.protocols import Session

__all__ = [
    "Boots",
    "Builds",
    "Clears",
    "FirstBoot",
    "HandsOutGpus",
    "HearsNotices",
    "Measures",
    "Peers",
    "Surveys",
    "Together",
    "Withdraws",
]


@runtime_checkable
class Together(Protocol):
    """Ability of a session: many small messages go in one piece."""

    def together(self) -> AbstractContextManager[None]:
        """Hold back what is said within the block, and send it at its end."""
        ...


@runtime_checkable
class Peers(Protocol):
    """Ability of a session: its machine gets data from another machine's store, and not by way of ours."""

    def pull(self, artifacts: Collection[Artifact], source: Session) -> bool:
        """See to it that this machine's store has all these, from that of another machine of the run; say whether they
        went straight from there to here, and not through this computer.

        As with `Session.get`, what is there already does not travel, each is brought whole or not at all, and is
        verified by digest where it arrives. Called by the thread that calls `Session.put`, while other threads use the
        other session.

        Raises:
            PeerOutOfReach: when there is no such way from that machine, or one of the two does not answer at once.
            InputMissing: when the other machine does not have one (any more); names it.
            DigestMismatch: when one is not what its digest says.
            DiskFull: when this machine has no room.
        """
        ...


@runtime_checkable
class Builds(Protocol):
    """Ability of a session: to see to it that an environment is on its machine.

    A build has an id as an attempt has, and `Session.adopt`, `Session.cancel` and `Session.release` take it too. Its
    end is told as `EnvironmentBuilt` or `EnvironmentFailed`; what it prints is kept as an attempt's output. On one
    machine an environment is built by one build at a time, whatever run asks for it, and is there whole or not at all.
    """

    def build(self, build: BuildSpec) -> None:
        """Begin to build, or to look whether it is there; return at once. At most one build for an id.

        Attempts whose `AttemptSpec.environment` is the key of what was built find its programs first in their ``PATH``,
        and Python calls are made by its own Python.
        """
        ...


@runtime_checkable
class Clears(Protocol):
    """Ability of a session to a machine that stays when the run has ended: to leave nothing of the run there."""

    def clear(self) -> None:
        """Remove all that the run has left on the machine, or see to it that it is removed; `Session.close` follows.

        Called when the run has ended for good and none of its attempts is live. May take some seconds; what cannot be
        removed is left.
        """
        ...


@runtime_checkable
class Surveys(Protocol):
    """Ability of a session: to name what its machine has of the run, for a controller that does not know all of it."""

    def survey(self) -> Mapping[str, bool]:
        """Name all attempts that the machine knows and was not told to release, by id; True for those that are over.

        Those that wait for room are among them. Builds of environments, which have ids of the same form, may be.

        Raises:
            MachineUnreachable: when it does not say.
        """
        ...


@runtime_checkable
class Measures(Protocol):
    """Ability of a session: to tell what its machine and the attempts on it use, as long as somebody looks."""

    def measure(self, every: timedelta, told: Callable[[MachineLoad], None]) -> None:
        """Measure every so often from now on, and tell; the machine does that by itself, and is not asked each time.

        With ``every`` 0 no more is told. ``told`` may be called from any thread, and never blocks. A link that is made
        anew goes on telling. Nothing is measured on a machine whose link is down.
        """
        ...


@runtime_checkable
class HearsNotices(Protocol):
    """Ability of a session: the machine itself hears that its cloud will take it away, and says so."""

    def on_notice(self, told: Callable[[datetime], None]) -> None:
        """Have ``told`` called with the time at which the machine goes, as soon as it has heard of it.

        At once when it has heard of it before; maybe several times, from another thread. Attempts with
        `AttemptSpec.warn` have been asked to end by then.
        """
        ...


@runtime_checkable
class HandsOutGpus(Protocol):
    """Ability of a session to a machine that runs share: which of its GPUs are this run's may change."""

    def use_gpus(self, gpus: Sequence[int]) -> None:
        """Hand out these from now on, by index; attempts that run keep what they have. Sent before any later ``go``."""
        ...


@frozen(kw_only=True)
class FirstBoot:
    """An executor's part of what a rented machine does when it boots for the first time."""

    keys: tuple[str, ...] = ()
    """Public keys that may log in, one line each as in ``authorized_keys``."""
    script: str = field(default="", repr=False)
    """Executed as root, for sh. May hold derived secrets."""
    host_key: str = ""
    """Fingerprint of the host key that the script installs; it becomes a tag of the machine."""


@runtime_checkable
class Boots(Protocol):
    """Ability of an executor: it prepares machines that are rented for it."""

    def first_boot(self, derived: Callable[[str], bytes], *, unattended: timedelta) -> FirstBoot:
        """Say what such a machine needs; equal secrets give equal answers.

        ``derived`` gives 32 secret bytes for a purpose, the same whenever the launch is repeated. The machine is to
        power itself off when nobody has attended to it for ``unattended``.
        """
        ...


@runtime_checkable
class Withdraws(Protocol):
    """Ability of an executor whose `Executor.open` makes what it links to: to leave nothing of what has no link yet."""

    def withdraw(self) -> None:
        """End whatever is being opened, with `MachineUnreachable`, and open nothing any more.

        What was made for that is removed, at the latest by each `Executor.open` as it ends: who calls this waits for
        those. Called from any thread when the run has ended for good; sessions that were given are cleared and closed
        afterwards.
        """
        ...
