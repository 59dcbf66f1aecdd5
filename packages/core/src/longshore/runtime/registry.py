"""The plugins of this installation: found by name, imported only when named, and checked before anything else sees
them.

The core's own names come first and need no look at what is installed. Of everything else only the metadata is read, and
only the plugin that a config names is imported, so that a broken one breaks nobody else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

import attrs
import pluggy

from longshore.errors import PluginBroken, PluginClash, PluginMissing
from longshore.model.machine import Machine
from longshore.model.names import near
from longshore.model.workflow import PoolSpec, StrategySpec
from longshore.plugin import (
    API_VERSION,
    AssignmentStrategy,
    Executor,
    ExecutorContext,
    ExecutorRecord,
    Observer,
    ObserverRecord,
    ProviderRecord,
    Store,
    StoreRecord,
    StrategyRecord,
    hooks,
)
from longshore.runtime.guarded import PATIENCE, Guarded
from longshore.runtime.making import Record, list_machines, make, said
from longshore.runtime.plugin_entries import BUILTIN, CORE, OFFICIAL, PluginEntry, installed_entries, normal

if TYPE_CHECKING:
    from longshore.plugin import Provider

__all__ = ["Registry"]

_HOOKS: Mapping[str, tuple[str, type[Record]]] = {
    "executor": ("longshore_executors", ExecutorRecord),
    "observer": ("longshore_observers", ObserverRecord),
    "provider": ("longshore_providers", ProviderRecord),
    "store": ("longshore_stores", StoreRecord),
    "strategy": ("longshore_strategies", StrategyRecord),
}


class Registry:
    """Finds plugins by role and name. A name of the form ``dist:name`` means the one of that distribution.

    All methods that look a plugin up raise:
        PluginMissing: when there is none of that name.
        PluginBroken: when it does not import, was built for another interface version, or breaks a rule of its hook.
        PluginClash: when several distributions have one of that name.

    A plugin with the name of one of the core's own never takes its place; ``dist:name`` reaches it.
    """

    def __init__(self, scan: Callable[[], Sequence[PluginEntry]] = installed_entries) -> None:
        self._scan = scan
        self._installed: Sequence[PluginEntry] | None = None
        self._manager = pluggy.PluginManager("longshore")
        self._manager.add_hookspecs(hooks)
        self._plugins: dict[tuple[str, str], object] = {}
        self._records: dict[tuple[str, str, str], tuple[Record, ...]] = {}
        self._owners: dict[type, PluginEntry] = {}

    def entries(self) -> Sequence[PluginEntry]:
        """List all plugins, the core's own first, from metadata alone: nothing is imported."""
        if self._installed is None:
            self._installed = self._scan()
        return (*BUILTIN, *self._installed)

    def load(self, entry: PluginEntry) -> Sequence[Record]:
        """Import one plugin and give all that it announces."""
        return self._announced(entry)

    def executor(self, name: str) -> ExecutorRecord:
        """Find an executor."""
        return self._find("executor", name, ExecutorRecord)

    def provider(self, name: str) -> ProviderRecord:
        """Find a provider."""
        return self._find("provider", name, ProviderRecord)

    def observer(self, name: str) -> ObserverRecord:
        """Find an observer."""
        return self._find("observer", name, ObserverRecord)

    def store(self, scheme: str) -> StoreRecord:
        """Find the store for URLs of a scheme, as in ``s3``."""
        return self._find("store", scheme, StoreRecord)

    def strategy(self, name: str, options: Mapping[str, Any] | None = None) -> AssignmentStrategy:
        """Make an assignment strategy.

        Raises:
            ConfigError: when the options do not fit it.
        """
        record = self._find("strategy", name, StrategyRecord)
        made: AssignmentStrategy = self._made(record, self.options(record.config, options or {}, "strategy"))
        return made

    def strategy_of(self, spec: StrategySpec) -> AssignmentStrategy:
        """Make the assignment strategy that a workflow names; whatever it does wrong is `PluginBroken` with its name.

        Raises:
            ConfigError: when the options do not fit it.
        """
        record = self._find("strategy", spec.name, StrategyRecord)
        strategy = self._made(record, self.options(record.config, spec.options, "strategy"))
        owner = self._owners[record.config]
        label = f"the strategy {record.name!r} of {owner.distribution} {owner.version}".rstrip()
        return Guarded(strategy, label) if owner.distribution == CORE else Guarded(strategy, label, PATIENCE)

    def make_executor(self, record: ExecutorRecord, config: Any, context: ExecutorContext) -> Executor:
        """Make an executor; whatever it does wrong is `PluginBroken` with its name."""
        made: Executor = self._made(record, config, context)
        owner = self._owners[record.config]
        if owner.distribution == CORE:
            return made
        from longshore.runtime.guarded_executor import guarded_executor  # noqa: PLC0415  many runs stay on this computer

        return guarded_executor(made, owner.label)

    def make_provider(self, record: ProviderRecord, config: Any) -> Provider:
        """Make a provider; whatever it does wrong is `PluginBroken` with its name."""
        # What guards providers knows all that they deal with; most runs rent nothing.
        from longshore.runtime.guarded_provider import guarded  # noqa: PLC0415  as above

        return guarded(self._made(record, config), self._owners[record.config].label)

    def make_store(self, record: StoreRecord, config: Any) -> Store:
        """Make a store."""
        made: Store = self._made(record, config)
        return made

    def make_observer(self, record: ObserverRecord, config: Any, about: Mapping[str, str]) -> Observer:
        """Make an observer; ``about`` says of which run."""
        made: Observer = self._made(record, config, about)
        return made

    def machines(self, record: ExecutorRecord, config: Any, pool: str) -> Sequence[Machine]:
        """List the machines that the config itself names for a pool; none when only a provider brings machines."""
        return list_machines(record, self._owners[record.config].label, config, pool)

    def _made(self, record: Record, config: Any, *more: Any) -> Any:
        return make(record, self._owners[record.config].label, config, *more)

    def options(self, config: type, values: Mapping[str, Any], key: str, *, place: str = "") -> Any:
        """Turn the options that stand under ``key`` of a file into a record's config.

        Raises:
            ConfigError: with every mistake in them.
            PluginBroken: when the config class itself is wrong.
        """
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", config))
        if not values and all(field.default is not attrs.NOTHING or not field.init for field in fields):
            with suppress(TypeError, ValueError):  # what is wrong with them together is said below
                return config()
        from longshore.runtime.plugin_options import structure  # noqa: PLC0415 - 30 ms that runs without options save

        return structure(config, values, key, place=place, plugin=self._label_of(config))

    def pool_options(self, record: ExecutorRecord, pool: PoolSpec) -> Any:
        """Turn a pool's options into those of its executor; raises as `options` does.

        The image of a pool that rents is its machines', or what the executor makes of it, where it knows images.
        """
        values = pool.options
        names = {field.name for field in attrs.fields(cast("type[attrs.AttrsInstance]", record.config))}
        if pool.rented is not None and pool.rented.image and "image" in names:
            values = {**values, "image": pool.rented.image}
        return self.options(record.config, values, f"pools.{pool.name}")

    def _label_of(self, config: type) -> str:
        owner = self._owners.get(config)
        return "" if owner is None else owner.label

    def _find(self, role: str, wanted: str, kind: type[_R]) -> _R:
        distribution, _, name = wanted.rpartition(":")
        found = self._matching(role, name, distribution)
        if not found:
            raise self._missing(role, name, distribution)
        if len(found) > 1:
            owners = [entry.distribution for entry, _ in found]
            raise PluginClash(
                f"{role} {name!r} is announced by {' and by '.join(owners)}; "
                f"write {f'{owners[0]}:{name}'!r} for the first, or uninstall one of them"
            )
        record = found[0][1]
        if not isinstance(record, kind):  # pragma: no cover - `_checked` has seen to it
            raise TypeError(record)
        return record

    def _matching(self, role: str, name: str, distribution: str) -> list[tuple[PluginEntry, Record]]:
        """Give the records of that name: the core's, else those of entries of that name, else those of entries that
        hold several.
        """
        core = [entry for entry in BUILTIN if (entry.role, entry.name) == (role, name)]
        if core and (not distribution or normal(distribution) == core[0].distribution):
            return [(core[0], self._named(core[0], name))]
        own = [
            entry
            for entry in self.entries()[len(BUILTIN) :]
            if entry.role == role
            and not entry.problem
            and (not distribution or normal(entry.distribution) == normal(distribution))
        ]
        exact = [entry for entry in own if entry.name == name and not entry.several]
        if exact:
            return [(entry, self._named(entry, name)) for entry in exact]
        several = [(entry, record) for entry in own if entry.several for record in self._announced(entry)]
        return [(entry, record) for entry, record in several if _answers_to(record, name)]

    def _named(self, entry: PluginEntry, name: str) -> Record:
        records = self._announced(entry)
        found = [record for record in records if _answers_to(record, name)]
        if len(found) != 1:
            names = ", ".join(repr(record.name) for record in records) or "nothing"
            raise PluginBroken(
                f"{entry.label}: {_HOOKS[entry.role][0]} announces {names}, not one {entry.role} {name!r}"
            )
        return found[0]

    def _missing(self, role: str, name: str, distribution: str) -> PluginMissing:
        known = {
            entry.name for entry in self.entries() if entry.role == role and not entry.several and not entry.problem
        }
        known |= {
            record.name for (a_role, _, _), records in self._records.items() if a_role == role for record in records
        }
        close = near(name, known)
        if close:
            remedy = f"did you mean {' or '.join(close)}?"
        elif (role, name) in OFFICIAL and not distribution:
            remedy = f"`pip install {OFFICIAL[role, name]}` brings it"
        else:
            remedy = f"installed: {', '.join(sorted(known)) or 'none'}"
        whose = f" of {distribution}" if distribution else ""
        return PluginMissing(f"no {role} {name!r}{whose} is installed; {remedy}")

    def _announced(self, entry: PluginEntry) -> tuple[Record, ...]:
        """Import a plugin, if that has not been done, and ask its hook what it has."""
        key = (entry.role, entry.distribution, entry.target)
        if key not in self._records:
            plugin = self._plugin(entry)
            hook, kind = _HOOKS[entry.role]
            others = [each for each in self._manager.get_plugins() if each is not plugin]
            try:
                answers = self._manager.subset_hook_caller(hook, others)()
            except Exception as error:
                raise PluginBroken(f"{entry.label}: {hook} failed: {said(error)}") from error
            if not answers:
                raise PluginBroken(f"{entry.label}: it has no hook {hook}{_unmarked(plugin)}")
            records = tuple(
                self._checked(entry, hook, kind, record)
                for answer in answers
                for record in _series(entry, hook, answer)
            )
            self._records[key] = records
        return self._records[key]

    def _plugin(self, entry: PluginEntry) -> object:
        key = (entry.distribution, entry.target)
        if key not in self._plugins:
            plugin = _imported(entry)
            try:
                self._manager.register(plugin, name=f"{entry.distribution}:{entry.target}")
                self._manager.check_pending()
            except Exception as error:
                if self._manager.is_registered(plugin):
                    self._manager.unregister(plugin)
                names = ", ".join(sorted(hook for hook, _ in _HOOKS.values()))
                raise PluginBroken(f"{entry.label}: {said(error)}; the hooks are {names}") from error
            self._plugins[key] = plugin
        return self._plugins[key]

    def _checked(self, entry: PluginEntry, hook: str, kind: type[Record], record: object) -> Record:
        if not isinstance(record, kind):
            raise PluginBroken(f"{entry.label}: {hook} must return {kind.__name__} values, not {record!r}")
        if record.api[0] != API_VERSION[0]:
            remedy = "upgrade" if record.api[0] < API_VERSION[0] else "install an older release of"
            raise PluginBroken(
                f"{entry.label}: {record.name!r} was built for version {_version(record.api)} of the plugin interface, "
                f"and this is {_version(API_VERSION)}; {remedy} {entry.distribution}"
            )
        config: object = record.config  # whatever its author has put there
        if not (isinstance(config, type) and attrs.has(config)):
            raise PluginBroken(f"{entry.label}: the config of {record.name!r} must be an attrs class, not {config!r}")
        self._owners[config] = entry
        return record


_R = TypeVar("_R", ExecutorRecord, ObserverRecord, ProviderRecord, StoreRecord, StrategyRecord)


def _answers_to(record: Record, name: str) -> bool:
    return record.name == name or (isinstance(record, StoreRecord) and name in record.schemes)


def _imported(entry: PluginEntry) -> object:
    module, _, attribute = entry.target.partition(":")
    try:
        plugin: object = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            plugin = getattr(plugin, part)
    except Exception as error:
        raise PluginBroken(
            f"{entry.label} cannot be imported from {entry.target}: {said(error)}; "
            f"upgrade or uninstall {entry.distribution}"
        ) from error
    return plugin


def _series(entry: PluginEntry, hook: str, answer: object) -> Sequence[object]:
    if not isinstance(answer, list | tuple):
        raise PluginBroken(f"{entry.label}: {hook} must return a list or tuple of records, not {answer!r}")
    return answer


def _unmarked(plugin: object) -> str:
    names = [hook for hook, _ in _HOOKS.values() if hasattr(plugin, hook)]
    return f"; is @hookimpl missing above {names[0]}?" if names else ""


def _version(api: tuple[int, int]) -> str:
    return ".".join(map(str, api))
