"""Every error that Longshore raises, named by what the caller can do about it.

::

    LongshoreError
    ├── ConfigError             mend the workflow file or the call; nothing has run
    ├── UsageError              ask for something that exists
    ├── RunError                a run cannot begin or go on
    │   ├── RunLocked           another controller has the run
    │   ├── JournalError        the run's record cannot be written or read
    │   └── RunFailed           the run ended, and not all tasks succeeded
    ├── PluginError             install, mend or remove a plugin
    │   ├── PluginMissing
    │   ├── PluginBroken
    │   └── PluginClash
    ├── ProviderError           renting machines went wrong
    │   ├── OutOfCapacity       nothing of this kind is free there now; another offer may be
    │   ├── QuotaExceeded       the account's limit is reached; ask for more or use less
    │   ├── CredentialsError    nobody is logged in, or what they hold has expired
    │   ├── AccessDenied        logged in, but not allowed to do this
    │   ├── Throttled           too many requests; wait, then repeat
    │   ├── InvalidRequest      the cloud will never accept this; change it
    │   └── CloudUnreachable    no answer in time; what was asked may or may not be done
    ├── LedgerError             the record of leases cannot be read or written; nothing is rented
    ├── BudgetExceeded          a launch might cost more than is left; raise max_cost or rent less
    ├── ExecutorError           running on a machine went wrong
    │   ├── MachineUnreachable  the link is down, or was never up
    │   ├── PeerOutOfReach      one machine cannot get data from another; let them come by way of home
    │   └── FenceRefused        somebody newer has taken the run over; stop
    ├── StagingError            data cannot be where it must be
    │   ├── InputMissing
    │   ├── DigestMismatch
    │   └── DiskFull
    └── EnvironmentBuildError   an environment cannot be built
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

__all__ = [
    "AccessDenied",
    "BudgetExceeded",
    "CloudUnreachable",
    "ConfigError",
    "CredentialsError",
    "DigestMismatch",
    "DiskFull",
    "EnvironmentBuildError",
    "ExecutorError",
    "FenceRefused",
    "InputMissing",
    "InvalidRequest",
    "JournalError",
    "LedgerError",
    "LongshoreError",
    "MachineUnreachable",
    "ObserverError",
    "OutOfCapacity",
    "PeerOutOfReach",
    "PluginBroken",
    "PluginClash",
    "PluginError",
    "PluginMissing",
    "Problem",
    "ProviderError",
    "QuotaExceeded",
    "RunError",
    "RunFailed",
    "RunLocked",
    "StagingError",
    "Throttled",
    "UsageError",
]


@frozen(kw_only=True)
class Problem:
    """One mistake in what the user wrote: where it stands, what is wrong, what mends it."""

    place: str
    """File and line, or the name of the Python call; empty when there is none."""
    key: str
    """Path of the key, as in ``tasks.fit.for_each.year``; empty for the whole file."""
    message: str
    """What is wrong, with the offending value."""
    remedy: str = ""
    """What to do about it, in words that can be followed."""

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.place, self.key) if part)
        text = f"{where}: {self.message}" if where else self.message
        return f"{text}\n    {self.remedy}" if self.remedy else text


class LongshoreError(Exception):
    """Root of everything that Longshore raises on purpose."""


class ConfigError(LongshoreError):
    """What the user wrote is wrong; nothing has run. Carries every mistake found, not the first one."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UsageError(LongshoreError):
    """What was asked for does not exist or does not go together."""


class RunError(LongshoreError):
    """A run cannot begin or cannot go on."""


class RunLocked(RunError):
    """Another controller has this run."""


class JournalError(RunError):
    """The run's record cannot be written or read, so the run must not go on."""


class RunFailed(RunError):
    """The run ended and not all of its tasks succeeded."""


class PluginError(LongshoreError):
    """A plugin is missing, broken, or in conflict with another."""


class PluginMissing(PluginError):
    """No installed plugin has this name."""


class PluginBroken(PluginError):
    """A plugin cannot be used: it does not import, has another interface version, or breaks its contract."""


class PluginClash(PluginError):
    """Two installed plugins have one name; ``dist:name`` picks one."""


class ProviderError(LongshoreError):
    """Renting machines went wrong."""


class OutOfCapacity(ProviderError):
    """Nothing of this kind is free in the zone now; another offer may be."""


class QuotaExceeded(ProviderError):
    """The account's own limit is reached; raise it or use less."""


class CredentialsError(ProviderError):
    """There are no credentials, or they have expired; log in and repeat."""


class AccessDenied(ProviderError):
    """The credentials are good but do not allow this; grant the action that the message names."""


class Throttled(ProviderError):
    """Too many requests; the same request may go through later."""


class InvalidRequest(ProviderError):
    """The cloud will never accept this request; change it."""


class CloudUnreachable(ProviderError):
    """No answer came in time. What was asked for may have been done: look, or repeat it under the same token."""


class LedgerError(LongshoreError):
    """The user-wide record of leases cannot be read or written, so nothing may be rented."""


class BudgetExceeded(LongshoreError):
    """A launch might cost more than is left of a budget, or nobody knows what it costs; nothing was asked of the
    cloud.
    """


class ExecutorError(LongshoreError):
    """Running on a machine went wrong."""


class MachineUnreachable(ExecutorError):
    """The link to the machine is down or was never up."""


class PeerOutOfReach(ExecutorError):
    """One machine cannot get data from another one; they may come by way of home."""


class FenceRefused(ExecutorError):
    """A newer controller has taken the run over; this one must stop. ``fence`` is the newer one's, if it is known."""

    def __init__(self, *args: object, fence: int = 0) -> None:
        super().__init__(*args)
        self.fence = fence


class StagingError(LongshoreError):
    """Data cannot be brought to where it must be."""


class InputMissing(StagingError):
    """An input does not exist, or has vanished since the run began."""


class DigestMismatch(StagingError):
    """The bytes that arrived are not the bytes that were sent; repeat the transfer."""


class DiskFull(StagingError):
    """There is no room left; free some, or set a smaller cache."""


class ObserverError(LongshoreError):
    """An observer of a run cannot tell what it should."""


class EnvironmentBuildError(LongshoreError):
    """The software that a task needs cannot be installed; the message names the line that failed."""
