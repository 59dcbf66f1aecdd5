"""The keys of a pool that rents its machines: how many, of which kind, for how long, for how much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from longshore.config.fields import (
    Parser,
    describe,
    duration,
    flag,
    money,
    number,
    size,
    some_time,
    table,
    text,
    texts,
    whole,
)
from longshore.config.problems import Mistake, Mistakes, wrong
from longshore.model.hours import Hours, parse_hours
from longshore.model.offer import Needs
from longshore.model.rented import MachineKind, RentedPool, WhenIdle

__all__ = ["RENTED_KEYS", "rented"]

_NEEDS_KEYS: dict[str, Parser] = {
    "cpus": number,
    "memory": size,
    "gpus": whole(),
    "gpu_model": text,
    "arch": text,
    "disk": size,
}
_NEEDS_NAMES = {"memory": "memory_bytes", "disk": "disk_bytes"}
_NEEDS_EXAMPLE = '{ cpus = 4, memory = "16 GiB" }'
_MACHINES_EXAMPLE = "{ min = 0, max = 8 }"
_SPREAD_MOST = 10_000
"""When cpus are spread, their number alone says how many machines there are."""


def _needs(value: object) -> dict[str, Any]:
    amounts = table(value, _NEEDS_KEYS, _NEEDS_EXAMPLE)
    return {_NEEDS_NAMES.get(key, key): amount for key, amount in amounts.items()}


def _when_idle(value: object) -> WhenIdle:
    word = text(value)
    if word not in {each.value for each in WhenIdle}:
        raise wrong(f"{word!r} is nothing that can be done with a machine", 'write "end", "stop" or "keep"')
    return WhenIdle(word)


def _hours(value: object) -> Hours:
    return parse_hours(text(value))


def _machines(value: object) -> dict[str, int] | tuple[dict[str, Any], ...]:
    if isinstance(value, Mapping):
        return table(value, {"min": whole(), "max": whole(1)}, _MACHINES_EXAMPLE)
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise wrong("the list is empty", 'write at least one kind of machine: [{ type = "c5.xlarge", count = 2 }]')
        return texts(value, _kind_words)
    raise wrong(f"{describe(value)} does not say how many machines there may be", f"write {_MACHINES_EXAMPLE}")


def _kind_words(value: object) -> dict[str, Any]:
    keys: dict[str, Parser] = {"type": text, "needs": _needs, "count": whole(1), "max": whole(1), "spot": flag}
    return table(value, keys, '{ type = "c5.xlarge", count = 2, spot = true }')


RENTED_KEYS: dict[str, Parser] = {
    "needs": _needs,
    "type": text,
    "machines": _machines,
    "count": whole(1),
    "spot": flag,
    "explode": flag,
    "max_cost": money,
    "max_price": money,
    "price": money,
    "lifetime": some_time,
    "unattended": some_time,
    "idle": duration,
    "boot": some_time,
    "when_idle": _when_idle,
    "hours": _hours,
    "image": text,
}
"""Keys that a pool with a provider has; the names of the others are `RentedPool`'s own."""

_ABOUT_KINDS = ("needs", "type", "machines", "count", "spot", "explode")


def rented(words: Mapping[str, Any]) -> RentedPool:
    """Put the parsed words of a pool together.

    Raises:
        Mistakes: when they contradict each other.
    """
    mistakes = _contradictions(words)
    if mistakes:
        raise Mistakes(*mistakes)
    rest = {key: value for key, value in words.items() if key not in _ABOUT_KINDS}
    needs = dict(words.get("needs", {}))
    spread = needs.pop("cpus", None) if words.get("explode") else None
    pool = RentedPool(kinds=_kinds(words, needs), spread_cpus=spread, **rest)
    if pool.when_idle is WhenIdle.KEEP and "unattended" not in words:
        # What is kept for the next run waits for it, without anybody's attention, until its end time.
        return evolve(pool, unattended=pool.lifetime)
    return pool


def _kinds(words: Mapping[str, Any], needs: Mapping[str, Any]) -> tuple[MachineKind, ...]:
    machines, spot = words.get("machines", {}), words.get("spot", False)
    if isinstance(machines, tuple):
        return tuple(_kind(each, spot=spot) for each in machines)
    wanted = Needs(**needs, type=words.get("type", ""))
    if words.get("explode"):
        return (MachineKind(needs=wanted, most=_SPREAD_MOST, spot=spot),)
    count = words.get("count")
    if count is not None:
        return (MachineKind(needs=wanted, least=count, most=count, spot=spot),)
    least = machines.get("min", 0)
    return (MachineKind(needs=wanted, least=least, most=machines.get("max", max(1, least)), spot=spot),)


def _kind(words: Mapping[str, Any], *, spot: bool) -> MachineKind:
    count = words.get("count")
    return MachineKind(
        needs=Needs(**words.get("needs", {}), type=words.get("type", "")),
        least=count or 0,
        most=count or words.get("max", 1),
        spot=words.get("spot", spot),
    )


def _contradictions(words: Mapping[str, Any]) -> list[Mistake]:
    machines = words.get("machines")
    several = isinstance(machines, tuple)
    spread = bool(words.get("explode"))
    least, most = (machines.get("min", 0), machines.get("max")) if isinstance(machines, dict) else (0, None)
    unclear = [kind for kind in machines if not kind.keys() & {"type", "needs"}] if isinstance(machines, tuple) else []
    rules = [
        *(
            (several and key in words, key, f"the list 'machines' says for each kind what {key!r} says again",
             "take it out, or put it into the list")
            for key in ("needs", "type", "count")
        ),
        (isinstance(machines, dict) and "count" in words, "count",
         "'count' and 'machines' both say how many machines there may be", "take one of them out"),
        (bool(unclear), "machines", "a kind in the list does not say which machines are meant",
         'add type = "..." or needs = { cpus = 4 } to it'),
        (most is not None and most < least, "machines",
         f"at most {most} machines are fewer than the {least} at least", "swap min and max"),
        (spread and "cpus" not in words.get("needs", {}), "explode",
         "it is not said how many cpus are to be spread over machines", "add needs = { cpus = 40 }"),
        (spread and ("count" in words or machines is not None), "explode",
         "the number of machines follows from needs.cpus when these are spread",
         "take 'machines' and 'count' out, or 'explode'"),
    ]  # fmt: skip
    return [Mistake((key,), message, remedy) for applies, key, message, remedy in rules if applies]
