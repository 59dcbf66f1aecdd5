"""What an executor is told about one try to execute a task."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from attrs import field, frozen

from longshore.model.artifact import ArtifactKind
from longshore.model.command import Command
from longshore.model.resources import Resources

__all__ = [
    "BUILD_MARK",
    "AttemptSpec",
    "Item",
    "SecretFile",
    "attempt_id",
    "build_name",
    "environment_of",
    "split_attempt_id",
]

BUILD_MARK = "+"
"""Begins the name under which an environment is built, where an attempt has its task's: no task's name does."""


def attempt_id(run: str, task: str, number: int) -> str:
    """Name an attempt: the same words give the same id, so that a request can be repeated after a crash."""
    return f"{run}/{task}/{number}"


def split_attempt_id(identity: str) -> tuple[str, str, int]:
    """Take an attempt id apart into run, task and number."""
    run, task, number = identity.split("/")
    return run, task, int(number)


def build_name(environment: str) -> str:
    """Give the name that stands for a task's in the ids of an environment's builds."""
    return BUILD_MARK + environment


def environment_of(task: str) -> str:
    """Give the environment that an attempt id's task means; empty when it is a task."""
    return task[len(BUILD_MARK) :] if task.startswith(BUILD_MARK) else ""


@frozen(kw_only=True)
class Item:
    """One artifact to be laid into a workdir."""

    path: str
    """Relative to the workdir."""
    sha256: str
    """Empty for an object of a bucket that nobody has read yet; no session is given such an item."""
    size: int
    mode: int = 0o644
    kind: ArtifactKind = "file"
    source: str = ""
    """An absolute path on this computer where these bytes are, for a file of the project; empty when the store has
    them.
    """
    address: str = ""
    """What it was fetched from by a store's plugin; empty for everything else."""


@frozen(kw_only=True)
class SecretFile:
    """A file for this attempt alone: mode 0600 in the workdir, gone when the attempt has ended."""

    path: str
    content: bytes = field(repr=False)


@frozen(kw_only=True)
class AttemptSpec:
    """All that an executor needs to execute one attempt. Equal ids mean equal attempts."""

    id: str
    command: Command
    env: Mapping[str, str] = field(factory=dict)
    """Added to a clean environment, and journalled: no secrets here."""
    private_env: Mapping[str, str] = field(factory=dict, repr=False)
    """From the user's ``env_file``: handed over, never written down."""
    inputs: tuple[Item, ...] = ()
    modules: Item | None = None
    """A folder with the modules of the project that a Python call imports, for machines that do not have the project;
    no part of the workdir. None where workers import from the project itself.
    """
    outputs: tuple[str, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    environment: str = ""
    """Key of an environment that is on the machine, as in `longshore.model.environment_events.EnvironmentBuilt`."""
    needs: Resources = Resources()
    timeout: timedelta | None = None
    grace: timedelta = timedelta(seconds=5)
    warn: bool = False
    """Its processes get SIGTERM when the machine is about to be taken away; what fails then is `preempted`."""
    keep_workdir: bool = False

    @property
    def items(self) -> tuple[Item, ...]:
        """All that must be in the machine's store before it starts."""
        return self.inputs if self.modules is None else (*self.inputs, self.modules)
