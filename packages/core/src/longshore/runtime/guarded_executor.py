"""An executor that answers for its own mistakes: whoever wrote it is named when a machine is opened.

What sessions raise later ends the attempt that it concerns, as a plugin's bug.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from longshore.errors import LongshoreError, PluginBroken
from longshore.model.machine import Machine
from longshore.plugin.abilities import Boots, Withdraws
from longshore.plugin.hosts import Checks, Enters, Pods, Shells
from longshore.plugin.protocols import Executor, Session, Sink

__all__ = ["guarded_executor"]

_SESSION = ("adopt", "beat", "cancel", "close", "create", "discard", "fetch", "get", "go", "put", "release")
_ABILITIES: Mapping[type, tuple[str, ...]] = MappingProxyType(
    {
        Boots: ("first_boot",),
        Checks: ("hosts", "check"),
        Enters: ("enter",),
        Pods: ("manifest", "pods", "runs", "remove"),
        Shells: ("shell",),
        Withdraws: ("withdraw",),
    }
)


def guarded_executor(executor: Executor, label: str) -> Executor:
    """Wrap an executor; the wrapper has the same abilities. ``label`` says which one it is, and of whom."""
    names = [name for ability, names in _ABILITIES.items() if isinstance(executor, ability) for name in names]
    made = type("GuardedExecutor", (_Guarded,), {name: _passing(name) for name in names})
    guarded: Executor = made(executor, label)
    return guarded


def _passing(name: str) -> Callable[..., Any]:
    def method(self: _Guarded, *args: Any, **kwargs: Any) -> Any:
        return self._tried(name, lambda: getattr(self._executor, name)(*args, **kwargs))

    return method


class _Guarded:
    def __init__(self, executor: Any, label: str) -> None:
        self._executor = executor
        self._label = label

    def __repr__(self) -> str:
        return f"<{self._label}>"

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> Session:
        """Link to a machine.

        Raises:
            PluginBroken: when the executor fails, or gives no session; otherwise what it says.
        """
        session: Session = self._tried("open", lambda: self._executor.open(machine, fence=fence, sink=sink))
        missing = [name for name in _SESSION if not callable(getattr(session, name, None))]
        if missing:
            raise PluginBroken(
                f"{self._label}: open must answer with a session; an object of type {type(session).__name__} has no "
                f"{', '.join(missing)}"
            )
        return session

    def _tried(self, name: str, act: Callable[[], Any]) -> Any:
        try:
            return act()
        except LongshoreError:
            raise
        except Exception as error:
            raise PluginBroken(
                f"{self._label}: {name} raised {type(error).__name__}: {error}; every failure must be an ExecutorError"
            ) from error
