"""Runs share a computer: never more than there is, and nobody starves."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st

from longshore.runtime.shares import NOTHING, Amounts, Claim, Settled, settle, shares

TOTAL: Amounts = (8.0, 64, 2)


@define
class Table:
    """The claims of some runs, and a clock that ticks at each request."""

    total: Amounts = TOTAL
    claims: dict[str, Claim] = field(factory=dict)
    now: float = 0.0

    def ask(
        self,
        run: str,
        want: Amounts,
        least: Amounts = (1.0, 0, 0),
        using: Amounts = NOTHING,
        using_gpus: Sequence[int] = (),
    ) -> Settled:
        self.now += 1
        settled = settle(
            [claim for key, claim in self.claims.items() if key != run],
            self.claims.get(run) or Claim(key=run, since=self.now),
            self.total,
            using=using,
            using_gpus=using_gpus,
            want=want,
            least=least,
            now=self.now,
        )
        self.claims[run] = settled.claim
        return settled


def cpus(amount: float) -> Amounts:
    return (amount, 0, 0)


def test_a_run_alone_gets_all_that_it_can_use() -> None:
    settled = Table().ask("a", (8.0, 64, 2))

    assert settled.claim.held == (8.0, 64, 2)
    assert settled.claim.gpus == (0, 1)
    assert not settled.contended


def test_a_run_gets_no_more_than_it_wants_nor_than_there_is() -> None:
    assert Table().ask("a", cpus(3)).claim.held == cpus(3)
    assert Table().ask("a", cpus(30)).claim.held == cpus(8)


def test_a_second_run_gets_what_is_left_and_the_first_is_told() -> None:
    table = Table()
    table.ask("a", cpus(6))

    second = table.ask("b", cpus(8), using=NOTHING)

    assert second.claim.held == cpus(2)
    assert second.poke == {"a"}


def test_what_is_in_use_is_never_taken_away() -> None:
    table = Table()
    table.ask("a", cpus(8))
    table.ask("b", cpus(8))

    settled = table.ask("a", cpus(8), using=cpus(8))

    assert settled.claim.held == cpus(8)
    assert settled.contended


def test_a_run_gives_back_as_its_attempts_end_until_both_have_half() -> None:
    table = Table()
    table.ask("a", cpus(8))
    table.ask("b", cpus(8))

    settled = table.ask("a", cpus(8), using=cpus(7))
    assert settled.claim.held == cpus(7)
    assert settled.poke == {"b"}
    assert table.ask("b", cpus(8)).claim.held == cpus(1)
    assert table.ask("a", cpus(8), using=cpus(2)).claim.held == cpus(4)
    assert table.ask("b", cpus(8), using=cpus(1)).claim.held == cpus(4)


def test_what_a_run_has_no_use_for_goes_to_whoever_has() -> None:
    table = Table()
    table.ask("a", cpus(8))
    table.ask("b", cpus(8))

    assert table.ask("a", cpus(1), using=cpus(1)).poke == {"b"}
    assert table.ask("b", cpus(8)).claim.held == cpus(7)


def test_a_large_task_gets_its_room_although_small_ones_keep_coming() -> None:
    table = Table()
    table.ask("small", cpus(8))
    table.ask("large", cpus(8), least=cpus(8))
    for used in range(7, -1, -1):
        assert table.ask("small", cpus(8), using=cpus(used)).claim.held == cpus(used)

    assert table.ask("large", cpus(8), least=cpus(8)).claim.held == cpus(8)


def test_whoever_made_room_is_next() -> None:
    table = Table()
    table.ask("a", cpus(8), least=cpus(8))
    table.ask("b", cpus(8), least=cpus(8))
    assert table.ask("a", cpus(8), least=cpus(8)).claim.held == NOTHING
    assert table.ask("b", cpus(8), least=cpus(8)).claim.held == cpus(8)
    table.ask("a", cpus(8), least=cpus(8))

    assert table.ask("b", cpus(8), least=cpus(8)).claim.held == NOTHING
    assert table.ask("a", cpus(8), least=cpus(8)).claim.held == cpus(8)


def test_a_gpu_belongs_to_one_run_at_a_time() -> None:
    table = Table()
    first = table.ask("a", (1.0, 0, 1))
    second = table.ask("b", (1.0, 0, 2))

    assert first.claim.gpus == (0,)
    assert second.claim.gpus == (1,)
    assert table.ask("b", (1.0, 0, 2), using=(1.0, 0, 1), using_gpus=[1]).claim.gpus == (1,)


def test_a_run_keeps_the_gpu_that_it_uses_when_it_gives_the_other_back() -> None:
    table = Table()
    table.ask("a", (2.0, 0, 2))
    table.ask("b", (1.0, 0, 1), least=(1.0, 0, 1))

    assert table.ask("a", (2.0, 0, 2), using=(1.0, 0, 1), using_gpus=[1]).claim.gpus == (1,)
    assert table.ask("b", (1.0, 0, 1), least=(1.0, 0, 1)).claim.gpus == (0,)


amounts = st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0, 8.0, 20.0]), st.integers(0, 80), st.integers(0, 3))
requests = st.lists(st.tuples(st.sampled_from("abcde"), amounts, amounts, st.floats(0, 1)), max_size=40)


def part(amounts: Amounts, share: float) -> Amounts:
    return (amounts[0] * share, int(amounts[1] * share), int(amounts[2] * share))


@given(requests)
def test_runs_never_hold_more_together_than_there_is(
    asked: Sequence[tuple[str, Amounts, Amounts, float]],
) -> None:
    table = Table()
    for run, want, least, share in asked:
        held = table.claims[run] if run in table.claims else Claim(key=run)
        using = part(held.held, share)  # some of its attempts have ended
        using_gpus = held.gpus[: using[2]]

        claim = table.ask(run, want, least, using, using_gpus).claim

        for kind, whole in enumerate(TOTAL):
            assert sum(each.held[kind] for each in table.claims.values()) <= whole + 1e-6
            assert using[kind] <= claim.held[kind] <= max(using[kind], want[kind]) + 1e-9
        gpus = [gpu for each in table.claims.values() for gpu in each.gpus]
        assert len(gpus) == len(set(gpus))
        assert len(claim.gpus) == claim.held[2]
        assert set(using_gpus) <= set(claim.gpus) <= set(range(TOTAL[2]))


@given(
    st.lists(
        st.builds(Claim, key=st.uuids().map(str), held=amounts, want=amounts, least=amounts, since=st.floats(0, 9))
    )
)
def test_shares_are_never_more_than_there_is(claims: Sequence[Claim]) -> None:
    share = shares(claims, TOTAL)

    for kind, whole in enumerate(TOTAL):
        assert sum(each[kind] for each in share.values()) <= whole + 1e-6


def bounded(least: Amounts, extra: Amounts) -> tuple[Amounts, Amounts]:
    """Make a request of a run that could go on alone: what it cannot do without, and what it could use."""
    least = (max(0.5, min(least[0], TOTAL[0])), min(least[1], TOTAL[1]), min(least[2], TOTAL[2]))
    return least, (least[0] + extra[0], least[1] + extra[1], least[2] + extra[2])


@given(st.lists(st.builds(bounded, amounts, amounts), min_size=1, max_size=6), st.data())
def test_nobody_starves_and_a_poke_reaches_whoever_can_go_on(
    wishes: Sequence[tuple[Amounts, Amounts]], data: st.DataObject
) -> None:
    table = Table()
    served = dict.fromkeys(range(len(wishes)), 0)
    busy: set[int] = set()
    poked = dict.fromkeys(served)  # who is poked twice before it looks is poked once

    def ask(run: int) -> None:
        least, want = wishes[run]
        claim = table.claims.get(str(run))
        using = claim.held if claim is not None and run in busy else NOTHING
        gpus = claim.gpus if claim is not None and run in busy else ()
        settled = table.ask(str(run), want, least, using, gpus)
        if run not in busy and not settled.claim.waits:
            busy.add(run)
            served[run] += 1
        poked.update(dict.fromkeys(int(other) for other in sorted(settled.poke)))

    for _ in range(40 * len(wishes)):
        for run in list(poked):
            del poked[run]
            ask(run)
        if min(served.values()) >= 3:
            return
        assert busy or poked, "all wait, and nobody will wake them"
        if busy:
            ended = data.draw(st.sampled_from(sorted(busy)))
            busy.discard(ended)
            ask(ended)
    pytest.fail(f"somebody starves: {served}")
