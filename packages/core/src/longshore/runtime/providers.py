"""The providers of a config, by their names in it: each is made when it is first asked for, and asks no cloud then."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from attrs import field, frozen

from longshore.errors import ConfigError, Problem
from longshore.plugin.protocols import ProviderRecord
from longshore.plugin.provider import Identity, Provider
from longshore.runtime.registry import Registry

__all__ = ["OpenProvider", "Providers"]

_OURS = ("plugin", "owner")
"""Keys of ``[providers.NAME]`` that are the core's; all others are the plugin's."""


@frozen(kw_only=True)
class OpenProvider:
    """A provider under its name in the config, and whose machines it rents and finds."""

    name: str
    provider: Provider
    configured_owner: str = ""
    place: str = ""
    """Where its table stands; empty when it has none."""
    _known: dict[str, str] = field(factory=dict[str, str], repr=False, eq=False, init=False)

    @property
    def owner(self) -> str:
        """The tag by which machines are found: what the config says, else who is logged in. Asks the cloud once.

        Raises:
            ConfigError: when neither says it.
            ProviderError: when the cloud does not answer.
        """
        if self.configured_owner:
            return self.configured_owner
        if "owner" not in self._known:
            if not isinstance(self.provider, Identity):
                raise ConfigError(
                    [
                        Problem(
                            place=self.place,
                            key=f"providers.{self.name}.owner",
                            message=f"{self.name} does not tell who is logged in, so it must be said whose machines "
                            "these are",
                            remedy=f'write owner = "you" in [providers.{self.name}], the same on all your computers',
                        )
                    ]
                )
            self._known["owner"] = self.provider.caller()
        return self._known["owner"]


class Providers:
    """What is configured. ``tables`` are those of ``[providers]``, ``places`` say where they stand.

    A name without a table is that of a plugin with its default options. May be used by several threads.
    """

    def __init__(
        self, tables: Mapping[str, Mapping[str, Any]], registry: Registry, *, places: Mapping[str, str] | None = None
    ) -> None:
        self._tables = tables
        self._registry = registry
        self._places = dict(places or {})
        self._open: dict[str, OpenProvider] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<Providers {', '.join(self.names())}>"

    def names(self) -> list[str]:
        """List those that are configured."""
        return sorted(self._tables)

    def open(self, name: str) -> OpenProvider:
        """Give the provider of this name; the same each time.

        Raises:
            ConfigError: when its options do not fit it; with every mistake.
            PluginError: when there is no such plugin, or it cannot be used.
        """
        with self._lock:
            if name not in self._open:
                self._open[name] = self._make(name)
            return self._open[name]

    def described(self, name: str) -> tuple[ProviderRecord, Any]:
        """Give what a plugin has announced under this name, and its options; nothing is made.

        Raises:
            ConfigError: when its options do not fit it; with every mistake.
            PluginError: when there is no such plugin, or it cannot be used.
        """
        table = self._tables.get(name, {})
        record = self._registry.provider(str(table.get("plugin", name)))
        options = {key: value for key, value in table.items() if key not in _OURS}
        place = self._places.get(name, "")
        return record, self._registry.options(record.config, options, f"providers.{name}", place=place)

    def _make(self, name: str) -> OpenProvider:
        record, config = self.described(name)
        made = self._registry.make_provider(record, config)
        owner = str(self._tables.get(name, {}).get("owner", ""))
        return OpenProvider(name=name, provider=made, configured_owner=owner, place=self._places.get(name, ""))
