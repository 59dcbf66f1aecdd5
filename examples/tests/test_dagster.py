"""The example in a real Dagster."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from .projects import copied, fail_once

_HERE = Path(__file__).parents[1] / "dagster"
dagster = pytest.importorskip("dagster")


@pytest.fixture(scope="module")
def example() -> ModuleType:
    sys.path.insert(0, str(_HERE))
    try:
        import assets

        return assets
    finally:
        sys.path.remove(str(_HERE))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copied(_HERE, tmp_path)


def _made(example: ModuleType, folder: Path) -> Any:
    config = {"ops": {"words": {"config": {"folder": str(folder), "parts": 3}}}}
    return dagster.materialize([example.words], run_config=config, raise_on_error=False)


def test_the_asset_is_what_the_run_has_found_and_says_which_run_that_was(example: ModuleType, folder: Path) -> None:
    made = _made(example, folder)

    assert made.success
    [event] = made.asset_materializations_for_node("words")
    assert Path(event.metadata["results"].value).is_dir()
    assert made.output_for_node("words") == len((folder / "words.txt").read_text().split())


def test_a_run_that_fails_is_tried_again_and_repeats_nothing_that_succeeded(example: ModuleType, folder: Path) -> None:
    fail_once(folder)

    assert _made(example, folder).success

    assert (folder / "cuts").read_text() == "x\n"


def test_a_run_that_fails_for_good_fails_the_asset(example: ModuleType, folder: Path) -> None:
    file = folder / "longshore.toml"
    file.write_text(file.read_text().replace('"awk', '"exit 3; awk'))

    assert not _made(example, folder).success
