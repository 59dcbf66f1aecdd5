"""What `plan` says of machines that would be rented, before any is."""

from __future__ import annotations

from pathlib import Path

import pytest

from longshore.config.load import load
from longshore_cli.rented_plan import rented_lines

from .harness import Project

HEAD = 'name = "w"\n[providers.sandbox]\nfolder = "FOLDER"\n[pools.cloud]\nprovider = "sandbox"\nexecutor = "sandbox"\n'
TASK = '\n[tasks.a]\ncommand = "true"\n'


def lines(folder: Path, words: str, settings: str = "") -> list[str]:
    pytest.importorskip("longshore_sandbox", reason="longshore-sandbox is not installed here")
    cloud = folder / "cloud"
    cloud.mkdir()
    (cloud / "cloud.toml").write_text(settings)
    (folder / "longshore.toml").write_text(HEAD.replace("FOLDER", str(cloud)) + words + TASK)
    return list(rented_lines(load(folder / "longshore.toml").spec))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("", "0 to 1 machine, each for 8 h at most; without a max_cost"),
        (
            'type = "small"\ncount = 3\nspot = true',
            "3 spot machines with small, each for 8 h at most; without a max_cost",
        ),
        (
            'explode = true\nneeds = { cpus = 40 }\nlifetime = "2 h"\nmax_cost = "5 USD"',
            "machines that have 40 cpus together, each for 2 h at most; 5 USD at most",
        ),
        (
            (
                'machines = [{ type = "small", count = 2 }, { needs = { gpus = 1, memory = "8 GiB" }, max = 4 }]\n'
                'when_idle = "keep"'
            ),
            (
                "2 machines with small, 0 to 4 machines with 8 GiB, 1 gpu, each for 8 h at most, "
                "kept for the next run; without a max_cost"
            ),
        ),
    ],
)
def test_a_plan_says_what_may_be_rented_for_how_long_and_for_how_much(tmp_path: Path, words: str, said: str) -> None:
    assert lines(tmp_path, words) == [f"pool cloud rents from sandbox: {said}"]


def test_a_plan_says_where_a_machine_that_is_off_still_costs(tmp_path: Path) -> None:
    [_, warning] = lines(tmp_path, "", "power_off_still_costs = true")
    assert "still costs until it is ended" in warning


def test_an_executor_that_cannot_reach_the_machines_is_refused_with_the_one_that_can(project: Project) -> None:
    pytest.importorskip("longshore_sandbox", reason="longshore-sandbox is not installed here")
    pytest.importorskip("longshore_ssh", reason="longshore-ssh is not installed here")
    words = HEAD.replace("FOLDER", str(project.folder / "cloud")).replace('executor = "sandbox"', 'executor = "ssh"')
    project.write(words + TASK)

    said = project.call("plan", code=2).err

    assert "pools.cloud.executor" in said
    assert "the executor 'ssh' does not reach machines of sandbox" in said
    assert 'write executor = "sandbox"' in said
