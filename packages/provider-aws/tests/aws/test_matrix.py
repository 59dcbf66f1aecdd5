"""A part of the crash matrix on AWS; `make chaos` plays all of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing.crash_matrix import Case, Comes, reached

from .matrix import COMES, matrix
from .matrix_steps import STEPS
from .matrix_world import live
from .rig import Cloud

CASES = [
    Case(steps=("after BaseClient._make_api_call?operation_name=RunInstances 1",), comes=Comes.GC),
    Case(steps=("after BaseClient._make_api_call?operation_name=CreateSecurityGroup 1",), comes=Comes.RESUME),
]


@pytest.mark.usefixtures("as_user")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.steps[0].rpartition('=')[2]}, then {case.comes}")
def test_a_controller_that_is_killed_leaves_nothing_in_the_account(
    hosted: tuple[Cloud, Path], tmp_path: Path, case: Case
) -> None:
    left = live(tmp_path / "world", case, *hosted)

    assert reached(case, left)
    assert left.clean, left


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cr3t-login-key")


def test_the_matrix_has_each_step_and_each_who_comes() -> None:
    rows = matrix()
    assert len(rows) == 2 * len(STEPS)
    assert all(tuple(case.comes for case in cases) == COMES for _, cases in rows)
