"""Whatever two processes do with one ledger: phases follow each other, no budget is exceeded, nothing is forgotten."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from longshore.errors import BudgetExceeded
from longshore.model.budget import Budget
from longshore.model.lease import Evidence, Lease, LeasePhase, Proof
from longshore.runtime.ledger import Ledger

from .things import NOW, lease, offer, spec, usd

BUDGETS = {"run/r1": Budget(name="run/r1", limit=usd("1")), "run/r2": Budget(name="run/r2", limit=usd("0.5"))}
PRICES = ["0.01", "0.10", "0.30", None]
WALK = [phase for phase in LeasePhase if phase not in {LeasePhase.ABSENT, LeasePhase.KNOWN, LeasePhase.INTENDED}]

who = st.integers(0, 1)
which = st.integers(0, 30)


class TwoProcesses(RuleBasedStateMachine):
    """Two open ledgers on one file, and a copy of what must be in it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._path = Path(self._folder.name) / "ledger.db"
        self._open = [Ledger.open(self._path), Ledger.open(self._path)]
        self._model: dict[str, Lease] = {}
        self._now = NOW

    def teardown(self) -> None:
        for ledger in self._open:
            ledger.close()
        self._folder.cleanup()

    def _pick(self, index: int) -> str | None:
        return sorted(self._model)[index % len(self._model)] if self._model else None

    def _evidence(self, proof: Proof) -> Evidence:
        return Evidence(proof=proof, text="seen", at=self._now)

    @rule(who=who, rate=st.sampled_from(PRICES), names=st.sets(st.sampled_from(sorted(BUDGETS)), min_size=1))
    def intend(self, who: int, rate: str | None, names: set[str]) -> None:
        ledger = self._open[who]
        wanted = lease(f"x{len(self._model):03}", of=spec(offer(per_hour=rate), ledger=ledger.id))
        with contextlib.suppress(BudgetExceeded):
            ledger.intend(wanted, budgets=[BUDGETS[name] for name in sorted(names)])
            assert rate is not None
            self._model[wanted.id] = wanted

    @rule(who=who, index=which, phase=st.sampled_from(WALK))
    def advance(self, who: int, index: int, phase: LeasePhase) -> None:
        name = self._pick(index)
        if name is not None:
            with contextlib.suppress(ValueError):
                ledger = self._open[who]
                self._model[name] = (
                    ledger.request(name, at=self._now)
                    if phase is LeasePhase.REQUESTED
                    else ledger.advance(name, phase, at=self._now)
                )

    @rule(who=who, index=which)
    def confirm(self, who: int, index: int) -> None:
        name = self._pick(index)
        if name is not None:
            with contextlib.suppress(ValueError):
                self._model[name], overdrawn = self._open[who].confirm(name, f"m-{name}", at=self._now)
                assert overdrawn == []

    @rule(who=who, index=which, rate=st.sampled_from(PRICES))
    def retry(self, who: int, index: int, rate: str | None) -> None:
        name = self._pick(index)
        if name is not None:
            with contextlib.suppress(ValueError, BudgetExceeded):
                self._model[name] = self._open[who].retry(
                    name, offer("other", rate), at=self._now, refusal=self._evidence(Proof.REFUSED)
                )

    @rule(who=who, index=which)
    def miss(self, who: int, index: int) -> None:
        name = self._pick(index)
        if name is not None and self._model[name].may_have_machine:
            self._model[name] = self._open[who].missed(name, at=self._now)

    @rule(who=who, index=which, proof=st.sampled_from(Proof))
    def end(self, who: int, index: int, proof: Proof) -> None:
        name = self._pick(index)
        if name is not None:
            with contextlib.suppress(ValueError):
                self._model[name] = self._open[who].absent(name, self._evidence(proof))

    @rule(who=who)
    def restart(self, who: int) -> None:
        self._open[who].close()
        self._open[who] = Ledger.open(self._path)

    @rule(minutes=st.integers(1, 20))
    def wait(self, minutes: int) -> None:
        self._now += timedelta(minutes=minutes)

    @invariant()
    def no_budget_is_exceeded(self) -> None:
        for name, budget in BUDGETS.items():
            standing = self._open[0].account(name)
            assert standing is None or standing.committed.amount <= budget.limit.amount

    @invariant()
    def both_see_every_lease_as_it_is(self) -> None:
        expected = [self._model[name] for name in sorted(self._model)]
        for ledger in self._open:
            assert ledger.leases(all_of_them=True) == expected
            assert ledger.leases() == [each for each in expected if each.living]

    @invariant()
    def what_is_absent_has_evidence_that_fits(self) -> None:
        for each in self._model.values():
            assert (each.evidence is not None) is (each.phase is LeasePhase.ABSENT)


TestTwoProcesses = TwoProcesses.TestCase
TestTwoProcesses.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
