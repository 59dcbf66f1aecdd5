"""How runs share one computer: who may hold how much of it. Pure; `longshore.runtime.capacity` keeps the table.

Each run says what it could use (``want``) and without how much it cannot go on (``least``). What it may hold, its
share, is found so:

1. Runs that wait come first, the one that has waited longest before the others; then runs that have what they need, the
one
   served last before the others. Each is set aside its ``least``, as long as there is room.
2. The rest goes to those runs in equal parts, up to what each wants.

Nobody is made to give back what is in use. A run whose share has become smaller gives back as its attempts end; so
whoever waits is served in the end, and whoever had to make room waits behind those before.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from attrs import evolve, frozen

__all__ = ["NOTHING", "Amounts", "Claim", "Settled", "settle", "shares"]

Amounts = tuple[float, int, int]
"""Cpus, bytes of memory, gpus."""

NOTHING: Amounts = (0.0, 0, 0)

_TOLERANCE = 1e-9
_MEMORY_STEPS = 64
"""Memory is shared out in so many parts of what there is."""


@frozen(kw_only=True)
class Claim:
    """What one run has of this computer, and what it could use."""

    key: str
    held: Amounts = NOTHING
    gpus: tuple[int, ...] = ()
    """Which ones it holds."""
    want: Amounts = NOTHING
    least: Amounts = NOTHING
    since: float = 0.0
    """When it began to wait or, if it has its ``least``, when it got it."""

    @property
    def waits(self) -> bool:
        """Whether it cannot go on with what it holds."""
        return not _within(self.least, self.held)


@frozen(kw_only=True)
class Settled:
    """What came of a run's asking."""

    claim: Claim
    contended: bool
    """Another run could use more than it holds."""
    poke: frozenset[str] = frozenset()
    """Runs that should ask again: they may have more now, or should give back."""


def shares(claims: Collection[Claim], total: Amounts) -> dict[str, Amounts]:
    """Say how much each run may hold; together never more than there is."""
    room = list(total)
    share = {claim.key: list(NOTHING) for claim in claims}
    served: list[Claim] = []
    for claim in sorted(claims, key=_turn):
        if _within(claim.least, room):
            served.append(claim)
            for kind, amount in enumerate(claim.least):
                share[claim.key][kind] = amount
                room[kind] -= amount
    for kind, whole in enumerate(total):
        step = max(1, int(whole) // _MEMORY_STEPS) if kind == 1 else 1
        hungry = served
        while room[kind] > _TOLERANCE:
            hungry = [claim for claim in hungry if claim.want[kind] - share[claim.key][kind] > _TOLERANCE]
            if not hungry:
                break
            for claim in hungry:
                most = step if len(hungry) > 1 else room[kind]
                more = min(most, room[kind], claim.want[kind] - share[claim.key][kind])
                share[claim.key][kind] += more
                room[kind] -= more
    return {key: _amounts(amounts) for key, amounts in share.items()}


def settle(
    others: Sequence[Claim],
    mine: Claim,
    total: Amounts,
    *,
    using: Amounts,
    using_gpus: Collection[int],
    want: Amounts,
    least: Amounts,
    now: float,
) -> Settled:
    """Give a run what it may hold now: at least what it uses, at most its share of what is free.

    ``mine`` is the run's claim as it stood; what a run wants beyond the computer's total is not looked at.
    """
    want = _each(min, want, total)
    asking = evolve(mine, held=_each(max, mine.held, using), want=want, least=_each(min, least, want))
    if asking.waits and not mine.waits:
        asking = evolve(asking, since=now)
    share = shares([*others, asking], total)[mine.key]
    taken = [sum(claim.held[kind] for claim in others) for kind in range(3)]
    there = _amounts([max(0, whole - amount) for whole, amount in zip(total, taken, strict=True)])
    held = _each(max, using, _each(min, share, there))
    gpus = _chosen(int(held[2]), total[2], using_gpus, asking.gpus, {each for claim in others for each in claim.gpus})
    claim = evolve(asking, held=(held[0], int(held[1]), len(gpus)), gpus=gpus)
    if claim.waits != asking.waits:
        claim = evolve(claim, since=now)
    return Settled(
        claim=claim,
        contended=any(not _within(other.want, other.held) for other in others),
        poke=_to_poke(others, claim, total),
    )


def _to_poke(others: Sequence[Claim], claim: Claim, total: Amounts) -> frozenset[str]:
    everybody = [*others, claim]
    share = shares(everybody, total)
    free = [whole - sum(each.held[kind] for each in everybody) for kind, whole in enumerate(total)]

    def concerned(other: Claim) -> bool:
        may = share[other.key]
        return any(
            held - may[kind] > _TOLERANCE or (may[kind] - held > _TOLERANCE and free[kind] > _TOLERANCE)
            for kind, held in enumerate(other.held)
        )

    return frozenset(other.key for other in others if concerned(other))


def _chosen(
    count: int, total: int, using: Collection[int], held: Sequence[int], taken: Collection[int]
) -> tuple[int, ...]:
    """Choose gpus: those in use, then those held, then free ones."""
    free = [each for each in range(total) if each not in taken]
    order = [*using, *held, *free]
    wanted = max(count, len(set(using)))
    return tuple(sorted(list(dict.fromkeys(each for each in order if each not in taken or each in using))[:wanted]))


def _turn(claim: Claim) -> tuple[bool, float, str]:
    return (False, claim.since, claim.key) if claim.waits else (True, -claim.since, claim.key)


def _within(amounts: Sequence[float], room: Sequence[float]) -> bool:
    return all(amount <= there + _TOLERANCE for amount, there in zip(amounts, room, strict=True))


def _each(choose: Callable[[float, float], float], one: Amounts, other: Amounts) -> Amounts:
    return _amounts([choose(a, b) for a, b in zip(one, other, strict=True)])


def _amounts(amounts: Sequence[float]) -> Amounts:
    return float(amounts[0]), int(amounts[1]), int(amounts[2])
