"""What a spot machine asks of its metadata service, asked of one that answers as Google documents it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from longshore.testing.fake_metadata import Said, ask, missing, path_with
from longshore_gcp.notice import NOTICE

PLACE = "/computeMetadata/v1/instance/preempted"


@pytest.fixture(params=["curl", "python3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a PATH on which the machine has one of them and not the other."""
    if reason := missing():
        pytest.skip(reason)
    return path_with(tmp_path / "tools", "sh", "date", request.param)


def says(text: str) -> list[Said]:
    return [Said(path=PLACE, text=text, headers={"Metadata-Flavor": "Google"})]


def test_a_machine_that_will_be_taken_learns_that_it_has_half_a_minute(tmp_path: Path, path: str) -> None:
    before = int(time.time())
    code, out = ask(NOTICE, says("TRUE"), folder=tmp_path, path=path)
    assert code == 0
    assert before + 30 <= int(out) <= int(time.time()) + 30


@pytest.mark.parametrize("said", [says("FALSE"), []])
def test_a_machine_that_nobody_takes_learns_nothing(tmp_path: Path, path: str, said: list[Said]) -> None:
    code, out = ask(NOTICE, said, folder=tmp_path, path=path)
    assert (code != 0, out) == (True, "")
