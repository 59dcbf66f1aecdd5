"""What plugins are: the protocols that the core talks to.

Version 0.x: these may still change; `API_VERSION` says which one a plugin was built for.

Laws of an executor, by their numbers in the contract suite:

* E1 `Session.go` twice with one attempt id: one execution.
* E2 an attempt lives on when the controller dies or the link drops.
* E3 `Session.adopt` tells the truth after a crash of either side; evidence is removed only by `Session.release`.
* E4 an outcome is recorded whole or not at all.
* E5 `Session.cancel` ends all of the attempt, daemons included, and `Cancelled` is reported once.
* E6 stdout and stderr arrive live, in order, and whole after a reconnect.
* E7 what `put`, `get` and `fetch` move is verified by digest; a broken transfer leaves no half file.
* E8 the machine's identity is verified before anything is sent to it.
* E9 a reconnect is silent; `Lost` is reported only when the reconnect budget is used up.
* E10 a lower fence than one already seen is refused with `FenceRefused`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from attrs import field, frozen

from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.machine import Machine
from longshore.model.views import Assignment, MachineView, TaskView

if TYPE_CHECKING:
    # Runs that neither build nor rent do not import these, and need not wait for them.
    from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
    from longshore.plugin.areas import HomeArea
    from longshore.plugin.provider import Provider

__all__ = [
    "API_VERSION",
    "AssignmentStrategy",
    "Executor",
    "ExecutorContext",
    "ExecutorRecord",
    "ProviderRecord",
    "Session",
    "SessionEvent",
    "Sink",
    "StrategyRecord",
]

API_VERSION = (0, 1)
"""Major and minor version of this interface. A plugin built for another major is refused.

Every record has ``api``, the version that its author built for, written out as in ``api=(0, 1)``: a plugin that copied
this name would always claim to fit.
"""


SessionEvent: TypeAlias = "AttemptStarted | AttemptEnded | EnvironmentBuilt | EnvironmentFailed | MachineGone"
"""What a session can tell. After `MachineGone` it tells nothing more, and is closed. With ``over_by`` the same machine
may be opened again, by another session; without, all that it was given must be proven over.
"""


class Sink(Protocol):
    """Where a session says what has happened. May be called from any thread; never blocks."""

    def __call__(self, *events: SessionEvent) -> None:
        """Take one or several events in their order; what comes together is acted upon together."""
        ...


@frozen(kw_only=True)
class ExecutorContext:
    """Where an executor may keep its things, told by the core when it is made."""

    run: str
    run_folder: Path
    """``.longshore/runs/<run>``; the executor's files go in a folder of its own below it."""
    project_folder: Path
    store_folder: Path
    """The project's artifacts by digest: ``<store>/objects/ab/abcdef...``."""
    provider: Provider | None = None
    """Who rents the pool's machines, for abilities that executing on them needs; None for machines that are given."""
    address: str = ""
    """Of the rented machine that is meant, when somebody looks at it by hand; empty in a run."""
    unattended: timedelta = field(default=timedelta(days=7))
    """How long attempts may live on when no controller attends to them; then their machine must end them itself."""
    area: HomeArea | None = None
    """The pool's bucket (`longshore.model.workflow.PoolSpec.store`), for sessions to what has no store that lasts: they
    move data by it. None when there is none, or nobody is to move anything.
    """


class Session(Protocol):
    """An open link to one machine. Per attempt: create, put, go, (ended), release; get when its outputs are wanted.

    `put`, `get` and `fetch` move data and may take long; the others return soon. Two threads call a session:
    one calls the former, one after the other, and another one all the rest, so that 10 GB on their way hold up no start
    and no cancel.
    What happens is told through the sink. `close` may come while data is on its way, and ends that.

    A machine whose store is not the project's (`longshore.model.machine.Machine.store`) lays inputs from its own store
    and keeps outputs there, by digest, until `discard` or the end of the run. A session to something without a store
    that lasts (a pod) works for a machine with the project's store: `put` brings inputs to the attempt's place, and
    outputs are in the project's store before the attempt's end is told.

    Any method may raise `MachineUnreachable`, when the link is down for longer than the session is ready to wait.
    """

    def create(self, attempt: AttemptSpec) -> None:
        """Make the attempt's place on the machine. Repeatable by attempt id."""
        ...

    def put(self, attempt: str, items: Sequence[Item]) -> None:
        """See to it that the machine has all these inputs of a created attempt. Repeatable.

        What it lacks is sent, by digest, from ``Item.source`` or else from the project's store; nothing that it has
        travels again, and need not be here either: of a folder only the missing files are sent, and its listing.

        Raises:
            InputMissing: when something is neither here nor there; names the input.
            DigestMismatch: when a file here is not what its digest says, or bytes changed on their way.
            DiskFull: when the machine has no room.
        """
        ...

    def go(self, attempt: str) -> None:
        """Start the command; return at once. At most one execution, however often it is called."""
        ...

    def adopt(self, attempts: Collection[str]) -> None:
        """Report through the sink, for each: running (`AttemptStarted`), its end, or `Lost` with "never started"."""
        ...

    def cancel(self, attempt: str) -> None:
        """End all processes of the attempt. Silent for one that is unknown or over."""
        ...

    def get(self, artifacts: Collection[Artifact]) -> None:
        """See to it that the project's store has all these, by digest: files, and folders with all that is in them.

        What is here already does not travel. Each is brought whole or not at all, in no given order; when one fails,
        others may have come. Only ``sha256`` and ``kind`` count, and ``path`` in messages: the listing of a folder, as
        a file, has the folder's digest.

        Raises:
            InputMissing: when the machine does not have one (any more); names it.
            DigestMismatch: when one is not what its digest says.
            DiskFull: when there is no room here.
        """
        ...

    def fetch(self, attempt: str, paths: Sequence[str], into: Path) -> None:
        """Bring files of a workdir that was kept into a folder, below their own paths; each whole or not at all.

        Raises:
            InputMissing: when one is not there; names it.
            DigestMismatch: when one changed on its way.
        """
        ...

    def discard(self, digests: Collection[str]) -> None:
        """Let the machine's store forget these objects, when there are such. Nobody needs them there now.

        What attempts have written that are not released stays: equal bytes are kept once, and whoever decides this may
        not have heard of them yet. So does what `put` has been asked for, for such an attempt.

        The digest of a folder means its listing; its files have digests of their own. Never asked of a machine with
        the project's store, whose session does nothing then.
        """
        ...

    def release(self, attempt: str) -> None:
        """Forget the attempt and remove its place. Silent for unknown ids."""
        ...

    def beat(self, until: datetime) -> None:
        """Say that a controller attends; the unattended time starts anew."""
        ...

    def close(self) -> None:
        """Drop the link. Attempts live on."""
        ...


class Executor(Protocol):
    """Opens links to machines."""

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> Session:
        """Link to a machine.

        Raises:
            FenceRefused: when the machine has seen a higher fence.
            MachineUnreachable: when it does not answer.
        """
        ...


class AssignmentStrategy(Protocol):
    """Decides which of the waiting tasks go to which machine now."""

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        """Choose assignments; each task at most once, and no machine beyond its ``free`` and ``slots``.

        ``waiting`` is ordered most urgent first. Equal input gives equal output.
        """
        ...


@frozen(kw_only=True)
class ProviderRecord:
    """Announces a provider: its name in configs, the attrs class of its options, and how to make it (without I/O)."""

    name: str
    config: type
    factory: Callable[[Any], Provider]
    executors: tuple[str, ...] = ()
    """The executors that can reach its machines, when others cannot; the first is the one to advise."""
    rigs: Callable[[Any], AbstractContextManager[Callable[[], Any]]] | None = None
    """How ``longshore plugins check`` tries it without renting anything for real. Given the options: a context that
    gives a maker of `longshore.testing.ProviderRig`, called anew for each law. None when only the plugin's own tests
    can do that.
    """
    policy: Callable[[Any], Mapping[str, Any]] | None = None
    """The least rights that a login needs for what the provider asks with these options, as a document in the cloud's
    own form, which JSON can hold. Asks nobody. None when the cloud knows no such thing.
    """
    logins: tuple[str, ...] = ()
    """Options that say which login of this computer is meant. A controller on another computer goes without them, by
    the role that the cloud has given to that one.
    """
    tested: str = ""
    """Against what its author tests it, for users to read."""
    api: tuple[int, int]


@frozen(kw_only=True)
class ExecutorRecord:
    """Announces an executor: its name in configs, the attrs class of its options, and how to make it."""

    name: str
    config: type
    factory: Callable[[Any, ExecutorContext], Executor]
    machines: Callable[[Any, str], Sequence[Machine]] | None = None
    """Given options and pool name: the machines that the config itself names; None when only a provider brings
    machines.
    """
    api: tuple[int, int]


@frozen(kw_only=True)
class StrategyRecord:
    """Announces an assignment strategy."""

    name: str
    config: type
    factory: Callable[[Any], AssignmentStrategy]
    api: tuple[int, int]
