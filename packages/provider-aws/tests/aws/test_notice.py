"""What a spot machine asks of its metadata service, asked of one that answers as AWS documents it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing.fake_metadata import Said, ask, missing, path_with
from longshore_aws.notice import NOTICE

LIFETIME, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"


@pytest.fixture(params=["curl", "python3"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give a PATH on which the machine has one of them and not the other."""
    if reason := missing():
        pytest.skip(reason)
    return path_with(tmp_path / "tools", "sh", "date", request.param)


def says(*text: str) -> list[Said]:
    door = Said(method="PUT", path="/latest/api/token", text="t0ken", headers={LIFETIME: "*"})
    action = "/latest/meta-data/spot/instance-action"
    return [door, *(Said(path=action, text=each, headers={TOKEN: "t0ken"}) for each in text)]


def test_a_machine_that_will_be_taken_learns_when(tmp_path: Path, path: str) -> None:
    said = says('{"action": "terminate", "time": "2026-01-01T00:02:00Z"}')
    assert ask(NOTICE, said, folder=tmp_path, path=path) == (0, "1767225720\n")


def test_a_machine_that_nobody_takes_learns_nothing(tmp_path: Path, path: str) -> None:
    code, out = ask(NOTICE, says(), folder=tmp_path, path=path)
    assert (code != 0, out) == (True, "")
