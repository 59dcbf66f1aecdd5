"""A part of the crash matrix; `make chaos` plays all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing.crash_matrix import Case, Comes, reached

from .matrix import FAULTS, matrix
from .world import live, random_steps

CASES = [
    Case(steps=("after Ledger.intend 1",), comes=Comes.RESUME),
    Case(steps=("before FakeProvider.launch 1",), comes=Comes.GC),
    Case(steps=("after FakeProvider.launch 1",), comes=Comes.RESUME),
    Case(steps=("after FakeProvider.launch 1",), comes=Comes.NOBODY),
    Case(steps=("after SupervisorSession.go 2",), comes=Comes.RESUME),
    Case(steps=("before FakeProvider.terminate 1",), comes=Comes.GC),
    Case(steps=random_steps(4), comes=Comes.RESUME, faults=FAULTS["all of them"], seed=4),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.steps[0]}, then {case.comes}")
def test_a_controller_that_is_killed_leaves_no_machine_no_bill_and_no_loss(tmp_path: Path, case: Case) -> None:
    left = live(tmp_path / "world", case)

    assert case.faults or reached(case, left)
    assert left.killed
    assert left.clean, left


def test_the_matrix_has_each_step_and_each_who_comes() -> None:
    rows = dict(matrix())
    assert len(rows) == 2 * 23
    assert all([case.comes for case in cases] == list(Comes) for cases in rows.values())
