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
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from attrs import field, frozen

from longshore.model.artifact import Artifact
from longshore.model.attempt import AttemptSpec, Item
from longshore.model.events import AttemptEnded, AttemptStarted, MachineGone
from longshore.model.machine import Machine
from longshore.model.views import Assignment, MachineView, TaskView

if TYPE_CHECKING:
    # Runs that neither build nor rent do not import these, and need not wait for them.
    from longshore.model.environment import BuildSpec
    from longshore.model.environment_events import EnvironmentBuilt, EnvironmentFailed
    from longshore.model.load import MachineLoad
    from longshore.plugin.areas import HomeArea
    from longshore.plugin.provider import Provider
    from longshore.plugin.rights import BucketUse

__all__ = [
    "API_VERSION",
    "AssignmentStrategy",
    "Boots",
    "Builds",
    "Clears",
    "Executor",
    "ExecutorContext",
    "ExecutorRecord",
    "FirstBoot",
    "HandsOutGpus",
    "HearsNotices",
    "Measures",
    "Peeks",
    "Peers",
    "ProviderRecord",
    "Session",
    "SessionEvent",
    "Sink",
    "Stamps",
    "Store",
    "StoreRecord",
    "StrategyRecord",
    "Surveys",
    "Together",
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


@runtime_checkable
class Store(Protocol):
    """A place for artifacts outside the project: a bucket, a web server. Several threads may use it at once."""

    def fetch(self, url: str, into: Path) -> None:
        """Bring one object here, whole or not at all.

        Raises:
            InputMissing: when there is no such object, or no such bucket.
            StagingError: when it may not be read, does not stay the same for long enough, or there is no room here.
        """
        ...

    def put(self, path: Path, url: str) -> None:
        """Bring one file there; nobody sees half of it.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be written.
        """
        ...

    def list(self, glob: str) -> Sequence[str]:
        """URLs that match, sorted. ``*`` and ``?`` stop at slashes; ``**`` stands for any number of folders.

        Raises:
            InputMissing: when there is no such bucket.
            StagingError: when it may not be listed, or nobody can.
        """
        ...


@runtime_checkable
class Stamps(Protocol):
    """Ability of a store: to say whether an object has changed, so that it need not be fetched again."""

    def stamp(self, url: str) -> str:
        """Give what changes whenever the object does, in the fewest requests; empty when nobody can tell.

        Raises:
            InputMissing, StagingError: as `Store.fetch`.
        """
        ...


@runtime_checkable
class Peeks(Protocol):
    """Ability of a store: to read the beginning of an object, so that a header need not cost all of it."""

    def peek(self, url: str, most: int) -> bytes:
        """Give at most so many bytes of the beginning of an object.

        Raises:
            InputMissing, StagingError: as `Store.fetch`.
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


@frozen(kw_only=True)
class StoreRecord:
    """Announces a store, by the URL schemes it serves."""

    name: str
    config: type
    schemes: tuple[str, ...]
    factory: Callable[[Any], Store]
    cloud: str = ""
    """The provider to whose policies `policy` adds."""
    policy: Callable[[Mapping[str, Any], Sequence[BucketUse]], Mapping[str, Any]] | None = None
    """Adds to a policy, as `ProviderRecord.policy` gives it, the least rights that a login needs for what a workflow
    names in buckets of this kind. Asks nobody. None when the cloud knows no such thing.
    """
    api: tuple[int, int]
