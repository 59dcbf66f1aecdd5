"""The example in a real Prefect."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from .projects import copied, fail_once

_HERE = Path(__file__).parents[1] / "prefect"
pytest.importorskip("prefect")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    sys.path.insert(0, str(_HERE))
    try:
        import flow

        return flow
    finally:
        sys.path.remove(str(_HERE))


@pytest.fixture(autouse=True, scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Run a Prefect of the tests' own."""
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(_HERE, tmp_path)


def test_the_flow_gives_what_the_run_has_found(example: ModuleType, folder: Path) -> None:
    assert example.words(folder, parts=3) == len((folder / "words.txt").read_text().split())


def test_a_run_that_fails_is_tried_again_and_repeats_nothing_that_succeeded(example: ModuleType, folder: Path) -> None:
    fail_once(folder)

    assert example.words(folder) == len((folder / "words.txt").read_text().split())

    assert (folder / "cuts").read_text() == "x\n"


def test_a_run_that_fails_for_good_fails_the_flow_and_says_where(example: ModuleType, folder: Path) -> None:
    file = folder / "longshore.toml"
    file.write_text(file.read_text().replace('"awk', '"exit 3; awk'))

    with pytest.raises(RuntimeError, match="failed: sum"):
        example.words(folder)
