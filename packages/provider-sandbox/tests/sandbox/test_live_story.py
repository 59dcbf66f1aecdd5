"""The story that providers play on real accounts, on one that costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.testing import live
from longshore_sandbox import CloudClient


def test_the_story_for_real_accounts_runs_brings_its_result_home_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("STATE", "CONFIG", "CACHE"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("LONGSHORE_LIVE", "sandbox")
    project, home = tmp_path / "project", tmp_path / "cloud"
    project.mkdir()
    home.mkdir()
    (home / "cloud.toml").write_text('listing_lag = "50 ms"\nlatency = "1 ms"\ndeadline = "60 s"\n')
    cloud = CloudClient(home)
    try:
        run = live.play(project, "sandbox", options=f'owner = "me"\nfolder = "{home}"', executor="sandbox")
        assert run.state == "succeeded"
        assert (run.results / "sum" / "sum.txt").read_text().strip() == "100"
        assert cloud.living() == []
    finally:
        cloud.reset()
        cloud.shut_down()
