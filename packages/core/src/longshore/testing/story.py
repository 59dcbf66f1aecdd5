"""A user with a project, and accounts at clouds whose machines are real hosts: what whole runs are played with."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from longshore import Run, load, machines, start
from longshore.machines.collecting import collect
from longshore.machines.fleet import open_fleet
from longshore.model.events import AttemptStarted, Event, MachineAdded
from longshore.model.lease import Lease
from longshore.runtime.history import RunReader
from longshore.runtime.ledger import Ledger
from longshore.runtime.project import Project
from longshore.testing.mortal import begin

__all__ = ["SECONDS", "Account", "Story", "VisibleHosts", "machines_of", "started_in"]

SECONDS = 300.0
"""No run is longer."""
_HEAD = 'name = "pv"\nmax_cost = "5 USD"\n'
_PROVIDER = """
[providers.{name}]
plugin = "{provider}"
owner = "me"
deadline = "{deadline}"
listing_lag = "200 ms"
user_data = '''
{user_data}'''
{options}
"""
_POOL = """
[pools.{name}]
provider = "{name}"
{machine}
{lines}
"""


class VisibleHosts(Protocol):
    """What a test sees of an account's machines: `longshore.testing.fake_hosts.FakeHosts`."""

    @property
    def proxy_command(self) -> str:
        """The way to a host, as ``ProxyCommand`` of an ``ssh_config``."""
        ...

    def living(self) -> Collection[str]:
        """Name those that have power."""
        ...

    def wait_off(self, seconds: float) -> bool:
        """Wait until none has power; say whether that came."""
        ...

    def disk(self, name: str) -> Path:
        """Give the folder of a host's disk: ``root``, and what it has written into ``etc`` and ``usr``."""
        ...


class Account(Protocol):
    """An empty account at a stand-in for a cloud, whose machines are hosts that execute the boot data of their launch,
    by the ids that they have at the cloud. Those of several accounts in one story are on one network.

    Where the cloud can take a spot machine back, it is `longshore.testing.provider_rig.ReclaimsSpot` too.
    """

    @property
    def provider(self) -> str:
        """The provider's name."""
        ...

    @property
    def options(self) -> str:
        """Lines of its table: where the stand-in answers, who is let in, where to rent."""
        ...

    @property
    def pool(self) -> str:
        """Lines of a pool: a machine of two processors or more, that is a spot machine, too, where there are any."""
        ...

    @property
    def deadline(self) -> str:
        """How long a call may take; so late after a launch, too, a list is a proof. Leave time on a busy computer."""
        ...

    @property
    def user(self) -> str:
        """Who logs in there."""
        ...

    @property
    def variables(self) -> Mapping[str, str]:
        """What the cloud's library finds the login by."""
        ...

    @property
    def hosts(self) -> VisibleHosts:
        """What is under the machines."""
        ...

    def machines(self) -> Collection[str]:
        """List the machines that there are, running or not, by the cloud's own books."""
        ...

    def sides(self) -> Sequence[str]:
        """Name what there is beside machines, and was not there at first."""
        ...


class Story:
    """All that is the user's lies below one folder. Each account has a provider and a pool by its name here."""

    def __init__(self, folder: Path, accounts: Mapping[str, Account]) -> None:
        """Make the folders; all accounts are reached as the first one is."""
        self.accounts = accounts
        self.folder = folder / "project"
        self.home = folder / "home"
        self.variables: dict[str, str] = {}
        """What the user has set besides."""
        self.folder.mkdir()
        (self.home / ".ssh").mkdir(parents=True)
        proxy = next(iter(accounts.values())).hosts.proxy_command
        (self.home / ".ssh" / "config").write_text(f"Host *\n    ProxyCommand {proxy}\n")

    @property
    def account(self) -> Account:
        """The only account."""
        (account,) = self.accounts.values()
        return account

    @property
    def _ledger(self) -> Path:
        return self.home / "state" / "longshore" / "ledger.db"

    @property
    def env(self) -> Mapping[str, str]:
        """What the user's shell has set; nothing else of ours counts."""
        logins = {name: value for account in self.accounts.values() for name, value in account.variables.items()}
        return {
            "HOME": str(self.home),
            "XDG_STATE_HOME": str(self.home / "state"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            **logins,
            **self.variables,
        }

    # --- what the user does

    def write(self, pool: str, tasks: str, user_data: str = "", deadline: str = "") -> None:
        """Write the workflow file, with lines for each pool; ``deadline`` is another one than the accounts'."""
        parts = [_HEAD]
        for name, each in self.accounts.items():
            parts.append(
                _PROVIDER.format(
                    name=name,
                    provider=each.provider,
                    options=each.options,
                    deadline=deadline or each.deadline,
                    user_data=user_data,
                )
            )
            parts += [_POOL.format(name=name, machine=each.pool, lines=pool)]
        (self.folder / "longshore.toml").write_text("".join([*parts, tasks]))

    def start(self, pool: str, tasks: str, user_data: str = "") -> Run:
        """Begin a run in this process, whose environment is the user's."""
        self.write(pool, tasks, user_data)
        loaded = load(self.folder / "longshore.toml")
        return start(loaded.spec, loaded.folder)

    def command(self, *words: str, seconds: float = SECONDS) -> subprocess.CompletedProcess[str]:
        """Type a command, and wait until it is done."""
        return subprocess.run(
            [sys.executable, "-m", "longshore_cli", *words],
            cwd=self.folder,
            env=self._shell(),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )

    def controller(self) -> subprocess.Popen[str]:
        """Begin a run in a process of its own, which tells the kind of each event as a line."""
        return begin(self.folder, self._shell())

    def _shell(self) -> Mapping[str, str]:
        return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.env}

    def sweep(self, *, later: timedelta) -> machines.Collected:
        """Do what ``longshore gc --wait`` does, by a clock that is so much ahead."""
        with open_fleet(self.folder, ledger=self._ledger) as fleet:
            fleet.now = lambda: datetime.now(UTC) + later
            return collect(fleet, providers=[*self.accounts], patience=timedelta(seconds=SECONDS))

    # --- what a test sees

    def until(self, look: Callable[[], bool], what: str) -> None:
        """Wait until something can be seen."""
        deadline = time.monotonic() + SECONDS
        glance = threading.Event()
        while not look():
            assert time.monotonic() < deadline, f"{what} did not come"
            glance.wait(0.05)

    def reader(self) -> RunReader:
        """Read the latest run."""
        project = Project(self.folder)
        return RunReader(project.run_folder(project.find_run(None)))

    def home_on(self, machine: str) -> Path:
        """Give the login user's home on a machine of the only account."""
        root, user = self.account.hosts.disk(machine) / "root", self.account.user
        return root / "root" if user == "root" else root / "home" / user

    def machine(self) -> machines.MachineInfo:
        """Give the only machine, as its cloud lists it."""
        (found,) = machines.list(self.folder, providers=[*self.accounts]).machines
        return found

    def leases(self) -> Sequence[Lease]:
        """List the leases that live."""
        with Ledger.open(self._ledger) as ledger:
            return ledger.leases()

    def check_nothing_is_left(self) -> None:
        """No machine, host, side resource or lease."""
        for account in self.accounts.values():
            assert list(account.machines()) == []
            assert list(account.hosts.living()) == []
            assert list(account.sides()) == []
        assert list(self.leases()) == []


def machines_of(run: Run) -> list[str]:
    """List the machines that have taken part in a run, in their order."""
    return [event.machine for event in _events(run, "MachineAdded") if isinstance(event, MachineAdded)]


def started_in(run: Run) -> int:
    """Count the attempts that have begun."""
    return sum(isinstance(event, AttemptStarted) for event in _events(run, "AttemptStarted"))


def _events(run: Run, kind: str) -> list[Event]:
    return [event for _, event in run.reader().events(kind=kind)]
