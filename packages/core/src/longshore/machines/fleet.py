"""All providers that matter and the ledger, opened together: what every verb about machines begins with."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from attrs import frozen

from longshore.config.renting import Renting, read_renting
from longshore.errors import CloudUnreachable, LongshoreError, PluginBroken, PluginError, PluginMissing
from longshore.machines.describing import describe_all, describe_resources
from longshore.machines.values import MachineInfo, Overview, ResourceInfo, Unasked
from longshore.model.machine_spec import SideResource
from longshore.model.workflow import PoolSpec
from longshore.plugin.protocols import ExecutorContext
from longshore.plugin.provider import Images, Provider, Sweeps
from longshore.runtime.leases import LeaseKeeper
from longshore.runtime.ledger import Ledger
from longshore.runtime.parallel import in_parallel
from longshore.runtime.project import Project
from longshore.runtime.providers import OpenProvider, Providers
from longshore.runtime.registry import Registry
from longshore.scheduler.leases import Listing

__all__ = ["Fleet", "Looked", "Progress", "open_fleet"]

_T = TypeVar("_T")

Progress = Callable[[str], None]
"""Is told, in words, what is waited for."""

_PATIENCE = timedelta(minutes=5)
"""A provider that breaks its own deadline (law P5) is waited for no longer."""


def _silent(_: str) -> None:
    return


def _no_executor(_pool: PoolSpec, _context: ExecutorContext) -> object:
    return None


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _sleep(duration: timedelta) -> None:
    time.sleep(max(0.0, duration.total_seconds()))


@frozen(kw_only=True)
class Looked:
    """What the providers have listed, and who could not be asked."""

    listings: Mapping[str, Listing]
    unasked: tuple[Unasked, ...]


class Fleet:
    """The machines of one owner on all providers, seen from one ledger. For one thread at a time.

    ``installed`` are providers that nobody has configured: they are asked too, since machines may be left there, and
    it is no fault when nobody is logged in to them.
    """

    def __init__(
        self,
        *,
        renting: Renting,
        ledger: Ledger,
        open_provider: Callable[[str], OpenProvider],
        open_executor: Callable[[PoolSpec, ExecutorContext], object] = _no_executor,
        installed: Collection[str] = (),
        now: Callable[[], datetime] = _utc_now,
        wait: Callable[[timedelta], None] = _sleep,
        tell: Progress = _silent,
    ) -> None:
        self.renting = renting
        self.ledger = ledger
        self.now = now
        self.wait = wait
        self.tell = tell
        self.patience = _PATIENCE
        self._open_provider = open_provider
        self._open_executor = open_executor
        self._installed = frozenset(installed)
        self._keepers: dict[str, LeaseKeeper] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.ledger.close()

    def names(self, wanted: Collection[str] = ()) -> list[str]:
        """List the providers to ask: those that are wanted, else all that are configured, leased from or installed."""
        if wanted:
            return sorted(set(wanted))
        return sorted(self._expected() | self._installed)

    def _expected(self) -> set[str]:
        return {*self.renting.providers, *(lease.provider for lease in self.ledger.leases())}

    def keeper(self, name: str) -> LeaseKeeper:
        """Give who keeps the leases of a provider.

        Raises:
            ConfigError: when its options are wrong, or nobody says whose machines are meant.
            PluginError: when there is no such plugin, or it cannot be used.
            ProviderError: when the cloud is asked who is logged in, and does not answer.
        """
        if name not in self._keepers:
            opened = self._open_provider(name)
            self._keepers[name] = LeaseKeeper(
                name=name, provider=opened.provider, ledger=self.ledger, owner=opened.owner, now=self.now
            )
        return self._keepers[name]

    def executor(self, pool: PoolSpec, making: str) -> object:
        """Make the executor of a pool, for its part in the first boot of machines; ``making`` names who asks.

        Raises:
            ConfigError: when its options are wrong.
            PluginError: when there is no such plugin, or it cannot be used.
        """
        project = Project(self.renting.folder)
        context = ExecutorContext(
            run=making,
            run_folder=self.ledger.path.parent / "making" / making,
            project_folder=project.folder,
            store_folder=project.store,
        )
        return self._open_executor(pool, context)

    def ask(self, names: Iterable[str], question: Callable[[LeaseKeeper], _T]) -> tuple[dict[str, _T], list[Unasked]]:
        """Ask providers about our leases, all at once; whoever fails, in whatever way, keeps nobody else from
        answering.
        """
        return self._ask(names, lambda name: question(self.keeper(name)))

    def ask_providers(
        self, names: Iterable[str], question: Callable[[Provider], _T]
    ) -> tuple[dict[str, _T], list[Unasked]]:
        """Ask providers what has nothing to do with anybody's leases, as `ask` does; nobody need say who is asking."""
        return self._ask(names, lambda name: question(self._open_provider(name).provider))

    def _ask(self, names: Iterable[str], question: Callable[[str], _T]) -> tuple[dict[str, _T], list[Unasked]]:
        names = list(names)
        expected = self._expected() | (set(names) - self._installed)

        def asked(name: str) -> _T | LongshoreError:
            try:
                return question(name)
            except PluginMissing as error:
                return error if name in self.renting.providers or name in self._installed else _undescribed(name, error)
            except LongshoreError as error:
                return error
            except BaseException as error:  # noqa: BLE001 - a plugin that breaks law P6 must not hide the other clouds
                broken = PluginBroken(f"provider {name!r} failed: {type(error).__name__}: {error}")
                broken.__cause__ = error
                return broken

        answers: dict[str, _T] = {}
        unasked: list[Unasked] = []
        self.tell(f"asking {', '.join(names)}" if names else "there is nobody to ask")
        found = in_parallel(asked, names, within=self.patience)
        for name in names:
            answer = found[name] if name in found else _late(name, self.patience)
            if isinstance(answer, LongshoreError):
                unasked.append(Unasked(provider=name, error=answer, expected=name in expected))
            else:
                answers[name] = answer
        return answers, unasked

    def look(self, wanted: Collection[str] = ()) -> Looked:
        """List what the clouds have of ours. The ledger is to be read after this."""
        listings, unasked = self.ask(self.names(wanted), LeaseKeeper.look)
        return Looked(listings=listings, unasked=tuple(unasked))

    def overview(self, wanted: Collection[str] = (), *, resources: bool = False) -> Overview:
        """Say what the clouds have of ours; with what is no machine, when that is wanted."""
        looked = self.look(wanted)
        rows: dict[tuple[str, str, str], MachineInfo] = {}
        leased: set[str] = set()
        for name, listing in looked.listings.items():
            for row in describe_all(self.keeper(name).book(), listing):
                # Two names of one account list the same machines.
                rows.setdefault((type(self.keeper(name).provider).__name__, row.account, row.id), row)
                leased.add(row.lease)
        unlisted = [lease for lease in self.ledger.leases() if lease.id not in leased and lease.may_have_machine]
        found, unasked = self.resources(looked.listings) if resources else ([], [])
        return Overview(
            machines=tuple(sorted(rows.values(), key=lambda row: (row.name, row.id))),
            resources=tuple(found),
            unlisted=tuple(lease for lease in unlisted if not wanted or lease.provider in wanted),
            unasked=(*looked.unasked, *unasked),
        )

    def resources(self, names: Iterable[str]) -> tuple[list[ResourceInfo], list[Unasked]]:
        """List what is no machine on these providers: side resources and images."""
        answers, unasked = self.ask(names, _sides)
        rows = [row for name, sides in answers.items() for row in describe_resources(name, self.ledger.id, sides)]
        return rows, unasked


def _late(name: str, patience: timedelta) -> CloudUnreachable:
    return CloudUnreachable(f"{name} has not answered for {patience.total_seconds():.0f} s, which no provider may take")


def _undescribed(name: str, error: PluginMissing) -> PluginMissing:
    return PluginMissing(
        f"{error}; if [providers.{name}] stands in another project, do this there, or put it into "
        "~/.config/longshore/config.toml"
    )


def _sides(keeper: LeaseKeeper) -> Sequence[SideResource]:
    found: dict[str, SideResource] = {}
    if isinstance(keeper.provider, Sweeps):
        found |= {side.id: side for side in keeper.provider.find_sides(owner=keeper.owner)}
    if isinstance(keeper.provider, Images):
        found |= {image.id: image for image in keeper.provider.images(owner=keeper.owner)}
    return list(found.values())


def open_fleet(folder: Path, *, tell: Progress = _silent, ledger: Path | None = None) -> Fleet:
    """Open what a folder's project and its user have: providers, pools and the user's ledger, or the one at ``ledger``.

    Raises:
        ConfigError: with every mistake in what is said of pools and providers.
        LedgerError: when the ledger cannot be read or written.
    """
    renting = read_renting(folder)
    registry = Registry()

    def open_executor(pool: PoolSpec, context: ExecutorContext) -> object:
        record = registry.executor(pool.executor)
        options = registry.pool_options(record, pool)
        return registry.make_executor(record, options, context)

    providers = Providers(renting.providers, registry, places=renting.places)
    return Fleet(
        renting=renting,
        ledger=Ledger.open(ledger),
        open_provider=providers.open,
        open_executor=open_executor,
        installed=_installed(registry, renting),
        tell=tell,
    )


def _installed(registry: Registry, renting: Renting) -> set[str]:
    """Name the installed providers that no table has configured."""
    names: set[str] = set()
    for entry in registry.entries():
        if entry.role != "provider" or entry.problem:
            continue
        if not entry.several:
            names.add(entry.name)
            continue
        try:
            names.update(record.name for record in registry.load(entry))
        except PluginError:
            names.add(entry.name)  # asked for under this name, it says what is wrong with it
    used = {str(table.get("plugin", name)) for name, table in renting.providers.items()}
    return names - used
