"""Tasks that wait for each other in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = ["find_cycles"]


def find_cycles(waits: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Find circles among tasks, given for whom each waits: one for each knot, as ``[a, b, a]`` where b waits for a.

    Iterative, and linear in tasks and edges; names that are not keys are passed over.
    """
    readers: dict[str, list[str]] = {}
    unmet: dict[str, int] = {}
    for name, producers in waits.items():
        known = [producer for producer in producers if producer in waits]
        unmet[name] = len(known)
        for producer in known:
            readers.setdefault(producer, []).append(name)
    ready = [name for name, count in unmet.items() if count == 0]
    while ready:
        name = ready.pop()
        del unmet[name]
        for reader in readers.get(name, ()):
            unmet[reader] -= 1
            if unmet[reader] == 0:
                ready.append(reader)
    return _knots({name: [each for each in waits[name] if each in unmet] for name in unmet})


def _knots(waits: Mapping[str, list[str]]) -> list[list[str]]:
    """Follow producers, each of whom waits for another, until one is met again; then the next knot."""
    found: list[list[str]] = []
    done: set[str] = set()
    for start in waits:
        path: list[str] = []
        places: dict[str, int] = {}
        name = start
        while name not in places and name not in done:
            places[name] = len(path)
            path.append(name)
            name = waits[name][0]
        done.update(path)
        if name in places:
            # The path goes from readers to producers; people read from cause to effect.
            circle = path[places[name] :][::-1]
            first = circle.index(min(circle))
            found.append([*circle[first:], *circle[: first + 1]])
    return found
