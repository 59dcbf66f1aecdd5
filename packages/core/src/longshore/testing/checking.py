"""Whether an installed plugin keeps the laws of its kind: the contract, run from outside of any test suite."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from longshore.errors import PluginBroken, UsageError
from longshore.plugin.protocols import AssignmentStrategy
from longshore.plugin.stores import Store
from longshore.runtime.registry import Registry
from longshore.testing.contract import Contract
from longshore.testing.executor_bench import ExecutorBench
from longshore.testing.executor_contract import ExecutorContract
from longshore.testing.provider_contract import ProviderContract
from longshore.testing.provider_rig import ProviderRig
from longshore.testing.store_contract import StoreContract
from longshore.testing.strategy_contract import StrategyContract

__all__ = ["CHECKED", "Verdict", "check_plugin", "suite"]

_LAW = re.compile(r"test_([A-Z]\d+|[A-Z][A-Za-z]+)_")
_SUITE = """from longshore.testing.checking import suite

TestPlugin = suite({role!r}, {name!r}, {options!r}, {url!r})
"""
_QUIET = ("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-c", os.devnull)


@frozen(kw_only=True)
class Verdict:
    """What came of one test of a law."""

    law: str
    """Its id, as in ``E1``."""
    says: str
    outcome: str
    """``passed``, ``failed`` or ``skipped``."""
    detail: str = ""
    """Why it failed or was skipped."""


def check_plugin(
    role: str, name: str, options: Mapping[str, Any] | None = None, *, url: str = "", without: Sequence[str] = ()
) -> Sequence[Verdict]:
    """Run the contract of an installed plugin, in the order of its laws.

    Args:
        role: one of `CHECKED`.
        name: as a config names it; of a store, a scheme that it serves.
        options: as a config gives them.
        url: of a store: below it everything may be written.
        without: ids of laws that the plugin declares not to keep; they are skipped.

    Raises:
        UsageError: when the contract of this role cannot be run from here.
        PluginError: when there is no such plugin, or it does not load.
        ConfigError: when the options do not fit.
    """
    made = suite(role, name, options or {}, url)
    unknown = set(without) - {_law_of(test) for test in dir(made) if test.startswith("test_")}
    if unknown:
        raise UsageError(f"the contract of a {role} has no law {', '.join(sorted(unknown))}")
    notes = _Notes(without)
    with tempfile.TemporaryDirectory(prefix="longshore-check-") as folder:
        file = Path(folder) / "test_plugin.py"
        file.write_text(_SUITE.format(role=role, name=name, options=dict(options or {}), url=url))
        base = ("--rootdir", folder, "--basetemp", f"{folder}/places")
        pytest.main([*_QUIET, *base, str(file)], plugins=[notes])
    if notes.broken or not notes.verdicts:
        raise PluginBroken(f"{role} {name!r} cannot be checked: {notes.broken or 'no law was tried'}")
    return notes.verdicts


class _Notes:
    """Takes down what pytest finds."""

    def __init__(self, without: Sequence[str]) -> None:
        self.verdicts: list[Verdict] = []
        self.broken = ""
        self._without = without
        self._known: dict[str, tuple[str, str]] = {}
        """By test: its law, and what that says."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            assert isinstance(item, pytest.Function)
            law = _law_of(item.name)
            says = (item.function.__doc__ or "").strip().partition("\n")[0]
            self._known[item.nodeid] = (law, says.removeprefix(f"{law}: "))
            if law in self._without:
                item.add_marker(pytest.mark.skip(reason="declared not to hold"))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.broken = report.longreprtext

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when != "call" and report.passed:
            return
        detail = report.longrepr[2] if isinstance(report.longrepr, tuple) else _message(report)
        law, says = self._known[report.nodeid]
        self.verdicts.append(Verdict(law=law, says=says, outcome=report.outcome, detail=detail))


def _message(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message) if crash is not None else report.longreprtext


def _law_of(test: str) -> str:
    found = _LAW.match(test)
    return found[1] if found else test


def suite(role: str, name: str, options: Mapping[str, Any], url: str) -> type[Contract]:
    """Make the contract's subclass for an installed plugin.

    Raises:
        UsageError, PluginError, ConfigError: as in `check_plugin`.
    """
    make = _SUITES.get(role)
    if make is None:
        raise UsageError(
            f"the contract of a {role} needs what only its author knows; subclass it from longshore.testing instead "
            f"(from here: {', '.join(CHECKED)})"
        )
    return make(name, options, url)


def _strategy_suite(name: str, options: Mapping[str, Any], _url: str) -> type[Contract]:
    Registry().strategy(name, options)

    class Laws(StrategyContract):
        """The laws of an installed strategy."""

        @pytest.fixture
        def strategy(self) -> AssignmentStrategy:
            return Registry().strategy(name, options)

    return Laws


def _executor_suite(name: str, options: Mapping[str, Any], _url: str) -> type[Contract]:
    registry = Registry()
    record = registry.executor(name)
    config = registry.options(record.config, options, "executor")
    if record.machines is None:
        raise UsageError(f"executor {name!r} has no machines of its own; subclass ExecutorContract with one of yours")
    machines = registry.machines(record, config, "check")
    if not machines:
        raise UsageError(f"with these options executor {name!r} has no machine; name one, as its config does")

    class Laws(ExecutorContract):
        """The laws of an installed executor."""

        @pytest.fixture
        def bench(self, tmp_path: Path) -> Iterator[ExecutorBench]:
            bench = ExecutorBench(tmp_path, record.factory, config, machines[0])
            yield bench
            bench.close()

    return Laws


def _store_suite(name: str, options: Mapping[str, Any], url: str) -> type[Contract]:
    registry = Registry()
    record = registry.store(name)
    config = registry.options(record.config, options, "store")
    if not url:
        raise UsageError(f"say below which URL everything may be written, as in {name}://somewhere/empty")

    class Laws(StoreContract):
        """The laws of an installed store."""

        @pytest.fixture
        def store(self) -> Store:
            return registry.make_store(record, config)

        @pytest.fixture
        def base(self, request: pytest.FixtureRequest) -> str:
            return f"{url.rstrip('/')}/{re.sub(r'[^A-Za-z0-9]+', '-', request.node.name)}-{os.urandom(4).hex()}"

    return Laws


def _provider_suite(name: str, options: Mapping[str, Any], _url: str) -> type[Contract]:
    registry = Registry()
    record = registry.provider(name)
    config = registry.options(record.config, options, "provider")
    if record.rigs is None:
        raise UsageError(
            f"provider {name!r} does not say how it can be tried without renting anything; its author can, by the "
            "`rigs` of its ProviderRecord, or subclasses ProviderContract in the plugin's tests"
        )

    rigs = record.rigs(config)

    class Laws(ProviderContract):
        """The laws of an installed provider."""

        @pytest.fixture(scope="class")
        def made(self) -> Iterator[Callable[[], ProviderRig]]:
            with rigs as made:
                yield made

        @pytest.fixture
        def rig(self, made: Callable[[], ProviderRig]) -> ProviderRig:
            return made()

    return Laws


_SUITES: Mapping[str, Callable[[str, Mapping[str, Any], str], type[Contract]]] = {
    "executor": _executor_suite,
    "provider": _provider_suite,
    "store": _store_suite,
    "strategy": _strategy_suite,
}
CHECKED = tuple(_SUITES)
"""The roles whose contract can be run from outside."""
