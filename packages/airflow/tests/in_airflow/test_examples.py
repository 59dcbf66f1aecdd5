"""The DAGs of ``examples/airflow`` in a real Airflow."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from .conftest import Airflow

_EXAMPLE = Path(__file__).parents[4] / "examples" / "airflow"


@pytest.fixture
def example(airflow: Airflow) -> Airflow:
    """Give an Airflow that knows the example's project."""
    for name in ("longshore.toml", "words.txt"):
        shutil.copy(_EXAMPLE / name, airflow.folder)
    file = airflow.folder / "longshore.toml"
    # Not in the user's state, which one of the tests loses.
    file.write_text(f'{file.read_text()}\n[providers.sandbox]\nfolder = "{airflow.home / "cloud"}"\n')
    airflow.connect({"folder": str(airflow.folder)})
    airflow.env["WORDS_RESULTS"] = str(airflow.home / "got")
    return airflow


def _text(name: str) -> str:
    return (_EXAMPLE / "dags" / f"{name}.py").read_text()


def test_machines_come_a_workflow_runs_results_are_fetched_and_machines_go(example: Airflow) -> None:
    states, written = example.execute(_text("words"), "words")

    assert set(states.values()) == {"success"}, written
    words = (example.folder / "words.txt").read_text().split()
    counted = example.home / "got" / "2026-03-14" / "count" / "count.txt"
    assert counted.read_text() == f"2026-03-14 {len(words)}\n"
    assert example.machines() == []


def test_what_was_forgotten_is_ended_at_night_even_when_nobody_remembers_it(example: Airflow) -> None:
    example.call("machines", "up", "cloud", "--yes")
    shutil.rmtree(example.home / "state" / "longshore")
    [forgotten] = example.machines()

    states, written = example.execute(_text("clean_up"), "clean_up")

    assert states == {"clean_up": "success", "(all)": "success"}, written
    assert forgotten
    assert example.machines() == []


def test_a_cloud_that_cannot_be_asked_makes_the_night_red(example: Airflow) -> None:
    file = example.folder / "longshore.toml"
    file.write_text(file.read_text().replace(str(example.home / "cloud"), "/dev/null/nowhere"))

    states, _ = example.execute(_text("clean_up"), "clean_up")

    assert states == {"clean_up": "failed", "(all)": "failed"}
