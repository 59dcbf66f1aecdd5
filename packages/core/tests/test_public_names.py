"""What a program may import from the core, and what that costs it."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points, requires
from inspect import isclass, isroutine

import pytest
from packaging.requirements import Requirement

import longshore

PROGRAM_SECONDS = 120.0

NEVER = {"boto3", "click", "cloudpickle", "paramiko", "rich"}
"""Distributions that the core must do without, or that wait until somebody asks for them."""

SLOW = {"asyncio", "hypothesis", "multiprocessing", "pytest", "unittest"}
"""What costs tens of milliseconds, and so must not be part of every start."""


PUBLIC = ["longshore", "longshore.errors", "longshore.machines", "longshore.plugin", "longshore.testing"]
"""What embedding programs and authors of plugins import."""

MODULES = ["longshore", *(found.name for found in pkgutil.walk_packages(longshore.__path__, "longshore."))]


def constants_first(name: str) -> tuple[bool, bool, str]:
    """Sort as ruff's RUF022 does: constants, then classes, then functions."""
    return not name.isupper(), name[:1].islower(), name


def loaded_by(statement: str) -> set[str]:
    """Give the top-level modules that are loaded when a fresh Python has executed a statement, and all of ours."""
    program = f"""{statement}
import sys
print(*{{name if name.startswith("longshore") else name.partition(".")[0] for name in sys.modules}})"""
    command = [sys.executable, "-I", "-c", program]
    return set(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=PROGRAM_SECONDS).stdout.split()
    )


@pytest.mark.parametrize("name", MODULES)
def test_public_names_are_listed_in_order_and_can_be_imported(name: str) -> None:
    module = import_module(name)
    listed = list(getattr(module, "__all__", ()))

    assert listed == sorted(set(listed), key=constants_first)
    assert [public for public in listed if not hasattr(module, public)] == []


@pytest.mark.parametrize("name", PUBLIC)
def test_what_others_import_is_listed_and_says_what_it_promises(name: str) -> None:
    module = import_module(name)
    promised = {public: getattr(module, public) for public in module.__all__}

    assert promised
    assert [public for public, value in promised.items() if isclass(value) and not value.__doc__] == []
    assert [public for public, value in promised.items() if isroutine(value) and not value.__doc__] == []


def test_importing_longshore_loads_nothing_that_is_slow_or_foreign() -> None:
    assert loaded_by("import longshore") & (NEVER | SLOW) == set()


def test_building_a_workflow_loads_nothing_that_is_slow_or_foreign() -> None:
    assert loaded_by("import longshore; longshore.Workflow") & (NEVER | SLOW) == set()


def test_logging_in_to_a_host_by_hand_loads_neither_clouds_nor_the_ledger() -> None:
    loaded = loaded_by("from longshore.machines import open_shell")

    assert "longshore.machines.shells" in loaded
    assert loaded & (NEVER | SLOW | {"longshore.machines.fleet", "longshore.runtime.ledger"}) == set()


def test_the_kit_for_plugin_authors_loads_no_sdk_of_a_cloud_and_no_test_runner_before_a_contract_is_used() -> None:
    sdks = {"azure", "boto3", "botocore", "fsspec", "google", "kubernetes", "ortools", "paramiko", "pydo"}
    everything = "import longshore.testing as kit; [getattr(kit, name) for name in kit.__all__]"
    fakes = "from longshore.testing import FakeCloud, FakeProvider, FakeRemoteExecutor, FaultyProvider, ManualClock"

    assert "pytest" in loaded_by(everything)
    assert loaded_by(everything) & (sdks | NEVER) == set()
    assert loaded_by(fakes) & (sdks | NEVER | SLOW) == set()


def test_the_core_needs_three_distributions_at_run_time() -> None:
    needed = {
        requirement.name
        for requirement in map(Requirement, requires("longshore-core") or ())
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }

    assert needed == {"attrs", "cattrs", "pluggy"}


def test_built_in_plugins_are_announced_as_everybody_elses() -> None:
    announced = {entry.name: entry for entry in entry_points(group="longshore")}

    assert {"executor.local", "strategies.builtin"} <= set(announced)
    for name in ("executor.local", "strategies.builtin"):
        assert announced[name].load().__name__ == announced[name].value
