"""What is known of machines in a folder, with and without a workflow in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config.renting import read_renting
from longshore.errors import ConfigError


def user(settings: Path, text: str) -> None:
    (settings / "longshore").mkdir()
    (settings / "longshore" / "config.toml").write_text(text)


def test_without_a_workflow_the_users_own_machines_are_known(folder: Path, settings: Path) -> None:
    user(settings, '[pools.cloud]\nprovider = "aws"\nexecutor = "ssh"\n[providers.lab]\nplugin = "aws"\nowner = "me"\n')

    known = read_renting(folder)

    assert known.project == ""
    assert known.pools["cloud"].provider == "aws"
    assert known.providers == {"aws": {}, "lab": {"plugin": "aws", "owner": "me"}}
    assert known.places["lab"].endswith("config.toml:4")
    assert "aws" not in known.places


def test_what_the_project_says_wins(folder: Path, settings: Path) -> None:
    user(settings, '[providers.lab]\nplugin = "aws"\nowner = "me"\n[pools.x]\nprovider = "lab"\nexecutor = "ssh"\n')
    (folder / "longshore.toml").write_text('name = "pv"\n[providers.lab]\nplugin = "gcp"\n')

    known = read_renting(folder)

    assert known.project == "pv"
    assert known.providers == {"lab": {"plugin": "gcp"}}
    assert known.places["lab"] == "longshore.toml:2"
    assert list(known.pools) == ["x"]


def test_mistakes_in_tasks_keep_nobody_from_machines(folder: Path) -> None:
    (folder / "longshore.toml").write_text('name = "pv"\n[providers.lab]\nowner = "me"\n[tasks.a]\ncomand = "true"\n')

    assert read_renting(folder).providers == {"lab": {"owner": "me"}}


def test_mistakes_of_both_files_are_told_with_their_places(folder: Path, settings: Path) -> None:
    user(settings, "[providers.lab]\nowner = 3\n")
    (folder / "longshore.toml").write_text('name = "pv"\n[providers.here]\nplugin = ""\n')

    with pytest.raises(ConfigError) as caught:
        read_renting(folder)

    assert [(problem.place.rpartition("/")[2], problem.key) for problem in caught.value.problems] == [
        ("longshore.toml:3", "providers.here.plugin"),
        ("config.toml:2", "providers.lab.owner"),
    ]


def test_options_of_a_provider_are_not_shown(folder: Path) -> None:
    (folder / "longshore.toml").write_text('name = "pv"\n[providers.lab]\ntoken = "s3cr3t"\n')

    assert "s3cr3t" not in repr(read_renting(folder))
