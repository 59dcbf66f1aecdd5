"""What tasks are to be known by, whether they succeeded before, and if not, what has changed since they last did."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from longshore.errors import InputMissing
from longshore.model.artifact import Input
from longshore.model.events import Identified
from longshore.model.task import Task
from longshore.runtime.cache import Cache
from longshore.runtime.inputs import Inputs, Resolved
from longshore.runtime.objects import NotFetched, public
from longshore.runtime.options import RunOptions
from longshore.runtime.references import origin_of
from longshore.scheduler.state import RunState

__all__ = ["Findings", "Identifier", "changes"]


@frozen
class Findings:
    """What came of looking at some tasks."""

    items: tuple[Identified, ...]
    ready: Mapping[str, Resolved]
    """What must run."""
    missing: Mapping[str, str]
    """What cannot run, and why."""


class Identifier:
    """Looks at tasks whose producers have all succeeded."""

    def __init__(self, inputs: Inputs, cache: Cache, options: RunOptions, state: RunState, *, run: str = "") -> None:
        """``run`` needs what is found in the cache from then on; it is empty for a plan."""
        self.travels = False
        """Whether what tasks read may have to travel, so that it is told."""
        self.named = False
        """Whether somebody wants to know what it is called, too."""
        self._inputs = inputs
        self._cache = cache
        self._options = options
        self._state = state
        self._run = run
        self._rerun = frozenset(options.rerun)

    def quick(self, task: Task) -> bool:
        """Whether no file has to be read to identify it."""
        return self._inputs.known(task)

    def look(self, names: Sequence[str]) -> Findings:
        """Look at some tasks at once; files with unknown digests are read."""
        ready: dict[str, Resolved] = {}
        missing: dict[str, str] = {}
        unknown: list[Identified] = []
        for name in names:
            try:
                ready[name] = self._inputs.resolve(self._state.tasks[name].task)
            except InputMissing as error:
                missing[name] = str(error)
            except NotFetched as error:
                unknown.append(Identified(task=name, identity="", reason=str(error)))
        wanted = [one.identity for one in ready.values() if not one.unread] if self._options.cache else []
        hits = self._cache.look_up(wanted, run=self._run)
        must_run = [name for name, one in ready.items() if one.identity not in hits or self._asked_for(name)]
        reasons = self._reasons(must_run, ready) | {
            name: self._state.where.again[name] for name in must_run if name in self._state.where.again
        }
        for name in must_run:
            reasons.setdefault(name, "")
        items = tuple(
            Identified(task=name, identity=one.identity, reason=reasons[name], inputs=self._read(one))
            if name in reasons
            else Identified(
                task=name,
                identity=one.identity,
                outputs=hits[one.identity].outputs,
                result=hits[one.identity].result,
                source=hits[one.identity].run,
            )
            for name, one in ready.items()
        )
        return Findings((*items, *unknown), {name: ready[name] for name in reasons}, missing)

    def _read(self, one: Resolved) -> tuple[Input, ...]:
        if not (self.travels or self.named):
            return ()
        return tuple(
            Input(
                sha256=each.sha256,
                size=each.size,
                kind=each.kind,
                origin=origin_of(each, self._state),
                path=(each.address or each.source or each.path) if self.named else "",
            )
            for each in (one.items if one.modules is None else (*one.items, one.modules))
        )

    def _asked_for(self, name: str) -> bool:
        return bool(self._rerun) and (name in self._rerun or self._state.tasks[name].view.name in self._rerun)

    def _reasons(self, names: Iterable[str], ready: Mapping[str, Resolved]) -> dict[str, str]:
        if not self._options.cache:
            return {}
        asked = {name: "asked for by --rerun" for name in names if self._asked_for(name)}
        for name in names:
            if name not in asked and ready[name].unread:
                asked[name] = f"nobody has read {public(ready[name].unread[0])} yet, as it is now"
        others = [name for name in names if name not in asked]
        before = self._cache.latest_of(others, workflow=self._state.workflow.name)
        return asked | {
            name: changes(json.loads(success.parts), json.loads(ready[name].parts))
            or "its outputs are no longer in the cache"
            for name, success in before.items()
        }


def changes(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Say which parts of an identity differ, as in ``inputs.fit.py changed, env.MODE is new``; empty when none does."""
    old, new = dict(_flat(before)), dict(_flat(now))
    words = [
        f"{key} is new" if key not in old else f"{key} is gone" if key not in new else f"{key} changed"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return ", ".join(words[:5]) + more


def _flat(parts: Mapping[str, object]) -> Iterable[tuple[str, object]]:
    for key, value in parts.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        else:
            yield key, value
