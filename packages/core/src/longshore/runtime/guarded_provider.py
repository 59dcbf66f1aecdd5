"""A provider that answers for its own mistakes: its author is named, with the law, and nothing foreign gets further.

What is noticed: an exception that is none of ours, an answer of the wrong type, a call that outlives its deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, cast

from longshore.errors import CloudUnreachable, LongshoreError, PluginBroken
from longshore.model.machine import Machine
from longshore.model.machine_spec import SideResource
from longshore.model.offer import Offer, Price
from longshore.plugin.clusters import CLUSTER_ABILITIES, ClusterAccess, RegistryLogin
from longshore.plugin.provider import ABILITIES, Provider, Quota, Scope, SpotNotice, Terms
from longshore.runtime.within import TookTooLong, within

__all__ = ["guarded"]

_PATIENCE = timedelta(seconds=30)
"""So much longer than its deadline a call is waited for: computers are busy at times."""


class _Many:
    """A list or tuple of things of one type."""

    def __init__(self, kind: type) -> None:
        self.kind = kind


_NOTHING = type(None)
_ANSWERS: Mapping[str, Any] = MappingProxyType(
    {
        "access": ClusterAccess | None,
        "address": str | None,
        "admit": _NOTHING,
        "caller": str,
        "delete_image": bool,
        "delete_images": _NOTHING,
        "find": _Many(Machine),
        "find_sides": _Many(SideResource),
        "host_keys": _Many(str),
        "images": _Many(SideResource),
        "launch": _Many(Machine),
        "launch_together": _Many(Machine),
        "login": RegistryLogin | None,
        "make_image": SideResource,
        "nodes": int,
        "notices": _Many(SpotNotice),
        "offers": _Many(Offer),
        "price": Price | None,
        "quotas": _Many(Quota),
        "room": int | None,
        "scale": _NOTHING,
        "scope": Scope,
        "sides_of": _Many(SideResource),
        "start": _NOTHING,
        "stop": _NOTHING,
        "sweep": _NOTHING,
        "taken": _Many(str),
        "terminate": _NOTHING,
    }
)
"""What each method of the protocols answers with."""
_PROVIDER = ("find", "launch", "offers", "scope", "terminate")
_AT_ONCE = frozenset({"sides_of"})
"""What asks nobody needs no deadline."""


def guarded(provider: Any, label: str, *, patience: timedelta = _PATIENCE) -> Provider:
    """Wrap a provider; the wrapper has the same abilities. ``label`` says which one it is, and of which distribution.

    Its calls raise `PluginBroken` for what breaks laws P3 and P6, and `CloudUnreachable` for what breaks P5.
    """
    names = {
        *_PROVIDER,
        *(name for each in (*ABILITIES, *CLUSTER_ABILITIES) if isinstance(provider, each) for name in _methods(each)),
    }
    made = type("GuardedProvider", (_Guarded,), {name: _passing(name) for name in sorted(names)})
    return cast("Provider", made(provider, label, patience))


class _Guarded:
    def __init__(self, provider: Any, label: str, patience: timedelta) -> None:
        self._provider = provider
        self._label = label
        self._patience = patience

    def __repr__(self) -> str:
        return f"<{self._label}>"

    @property
    def terms(self) -> Terms:
        """Those of the provider."""
        terms: Any = self._tried("terms", lambda: self._provider.terms)
        if not isinstance(terms, Terms):
            raise PluginBroken(f"{self._label}: its terms must be a Terms, not {_kind(terms)}")
        return terms

    def call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Call a method, wait for it no longer than it may take, and look at what it answers."""

        def act() -> Any:
            return self._tried(name, lambda: getattr(self._provider, name)(*args, **kwargs))

        answer = act() if name in _AT_ONCE else self._in_time(name, act)
        wanted = _ANSWERS[name]
        if isinstance(wanted, _Many):
            if not isinstance(answer, list | tuple):
                raise PluginBroken(f"{self._says(name)} a list of {wanted.kind.__name__}, not {_kind(answer)}")
            wrong = next((each for each in answer if not isinstance(each, wanted.kind)), None)
            if wrong is not None or None in answer:
                raise PluginBroken(f"{self._says(name)} a list of {wanted.kind.__name__}; in it is {_kind(wrong)}")
        elif not isinstance(answer, wanted):
            words = "nothing" if wanted is _NOTHING else getattr(wanted, "__name__", str(wanted))
            raise PluginBroken(f"{self._says(name)} {words}, not {_kind(answer)}")
        return answer

    def _says(self, name: str) -> str:
        return f"{self._label} breaks its protocol: {name} must answer with"

    def _tried(self, name: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except LongshoreError:
            raise
        except Exception as error:
            raise PluginBroken(
                f"{self._label} breaks law P6: {name} raised {type(error).__name__}: {error}; every failure must be a "
                "ProviderError"
            ) from error

    def _in_time(self, name: str, act: Callable[[], Any]) -> Any:
        deadline = self.terms.deadline
        try:
            return within(deadline + self._patience, act)
        except TookTooLong:
            raise CloudUnreachable(
                f"{self._label} breaks law P5: {name} has not ended within its deadline of "
                f"{deadline.total_seconds():g} s, nor {self._patience.total_seconds():g} s later; what was asked for "
                "may have been done"
            ) from None


def _methods(ability: type) -> list[str]:
    return [name for name in vars(ability) if not name.startswith("_")]


def _passing(name: str) -> Callable[..., Any]:
    def method(self: _Guarded, *args: Any, **kwargs: Any) -> Any:
        return self.call(name, args, kwargs)

    method.__name__ = name
    return method


def _kind(value: object) -> str:
    return "None" if value is None else f"an object of type {type(value).__name__}"
