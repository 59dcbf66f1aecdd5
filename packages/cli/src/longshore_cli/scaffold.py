"""What ``longshore plugins new`` writes: a package with a plugin that works, and tests on its contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template
from types import MappingProxyType

from longshore.errors import UsageError
from longshore.plugin import API_VERSION
from longshore_cli.scaffold_provider import PLUGIN, PROVIDER_FILES, TEST

__all__ = ["write_plugin"]

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_PYPROJECT = """[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "longshore-$name"
version = "0.1.0"
description = "The $kind $name for Longshore."
requires-python = ">=3.11"
dependencies = ["longshore-core>=0.1,<0.2"]

[project.optional-dependencies]
test = ["longshore-core[testing]"]

[project.entry-points.longshore]
"$kind.$name" = "$module.plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/$module"]

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_STRATEGY = '''"""The assignment strategy $name."""

from collections.abc import Sequence
from datetime import datetime

from attrs import frozen
from longshore.model.views import Assignment, MachineView, TaskView
from longshore.plugin import StrategyRecord, hookimpl

BUILT_FOR = $api  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user may choose; nothing yet."""


class Strategy:
    """The most urgent task first, on the first machine with room."""

    def assign(
        self, waiting: Sequence[TaskView], machines: Sequence[MachineView], now: datetime
    ) -> Sequence[Assignment]:
        free = {machine.id: machine.free for machine in machines}
        slots = {machine.id: machine.slots for machine in machines}
        chosen = []
        for task in waiting:
            for machine in machines:
                fits = task.needs.fits(free[machine.id]) and task.needs.fits(machine.largest)
                if fits and slots[machine.id] > 0:
                    free[machine.id] -= task.needs
                    slots[machine.id] -= 1
                    chosen.append(Assignment(task.id, machine.id))
                    break
        return chosen


@hookimpl
def longshore_strategies() -> Sequence[StrategyRecord]:
    return [StrategyRecord(name="$name", config=Options, factory=lambda options: Strategy(), api=BUILT_FOR)]
'''
_STRATEGY_TEST = '''"""The strategy $name keeps the laws."""

import pytest
from longshore.testing import StrategyContract

from $module.plugin import Strategy


class TestLaws(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return Strategy()
'''

_EXECUTOR = '''"""The executor $name."""

from collections.abc import Sequence

from attrs import frozen
from longshore.builtin.local import LocalConfig, LocalExecutor
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin import ExecutorContext, ExecutorRecord, Session, Sink, hookimpl

BUILT_FOR = $api  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user may choose."""

    cpus: float = 2.0


def machines(options: Options, pool: str) -> Sequence[Machine]:
    """Say which machines the config itself names."""
    return [Machine(id=pool, pool=pool, resources=Resources(cpus=options.cpus), store="")]


class Executor:
    """Begins as this computer's own executor, so that all laws hold; put your way to a machine in its place."""

    def __init__(self, options: Options, context: ExecutorContext) -> None:
        self._here = LocalExecutor(LocalConfig(), context)

    def open(self, machine: Machine, *, fence: int, sink: Sink) -> Session:
        return self._here.open(machine, fence=fence, sink=sink)


@hookimpl
def longshore_executors() -> Sequence[ExecutorRecord]:
    return [ExecutorRecord(name="$name", config=Options, factory=Executor, machines=machines, api=BUILT_FOR)]
'''
_EXECUTOR_TEST = '''"""The executor $name keeps the laws."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from longshore.testing import ExecutorBench, ExecutorContract

from $module.plugin import Executor, Options, machines


class TestLaws(ExecutorContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[ExecutorBench]:
        options = Options()
        # Say by cut, kill and imposter how to break the link and the other side, and more laws are tried.
        bench = ExecutorBench(tmp_path, Executor, options, machines(options, "p")[0])
        yield bench
        bench.close()
'''

_STORE = '''"""The store $name, for URLs of the form $name://..."""

import os
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from attrs import frozen
from longshore.errors import InputMissing
from longshore.plugin import StoreRecord, hookimpl

BUILT_FOR = $api  # the version of Longshore's plugin interface


@frozen(kw_only=True)
class Options:
    """What a user may choose."""

    folder: str = "."


class Store:
    """Begins as a folder; put your service in its place."""

    def __init__(self, options: Options) -> None:
        self._folder = Path(options.folder)

    def fetch(self, url: str, into: Path) -> None:
        source = self._place(url)
        if not source.is_file():
            raise InputMissing(f"{url} does not exist")
        _write_whole(into, source.read_bytes())

    def put(self, path: Path, url: str) -> None:
        _write_whole(self._place(url), path.read_bytes())

    def list(self, glob: str) -> Sequence[str]:
        scheme, _, pattern = glob.partition("://")
        names = [str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file()]
        return sorted(f"{scheme}://{name}" for name in names if fnmatchcase(name, pattern))

    def _place(self, url: str) -> Path:
        return self._folder / url.partition("://")[2]


def _write_whole(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}")
    partial.write_bytes(content)
    partial.replace(path)


@hookimpl
def longshore_stores() -> Sequence[StoreRecord]:
    return [StoreRecord(name="$name", config=Options, schemes=("$name",), factory=Store, api=BUILT_FOR)]
'''
_STORE_TEST = '''"""The store $name keeps the laws."""

import pytest
from longshore.testing import StoreContract

from $module.plugin import Options, Store


class TestLaws(StoreContract):
    @pytest.fixture
    def store(self, tmp_path_factory: pytest.TempPathFactory) -> Store:
        return Store(Options(folder=str(tmp_path_factory.mktemp("store"))))

    @pytest.fixture
    def base(self) -> str:
        return "$name://here"
'''

_CODE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "executor": {PLUGIN: _EXECUTOR, TEST: _EXECUTOR_TEST},
        "provider": PROVIDER_FILES,
        "store": {PLUGIN: _STORE, TEST: _STORE_TEST},
        "strategy": {PLUGIN: _STRATEGY, TEST: _STRATEGY_TEST},
    }
)


def write_plugin(kind: str, name: str, folder: Path) -> Path:
    """Write a package ``longshore-<name>`` below a folder; give its own.

    Raises:
        UsageError: when the name cannot be one, or there is such a package.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a plugin's name; write small letters, digits and single dashes, as in my-{kind}"
        )
    package = folder / f"longshore-{name}"
    if package.exists():
        raise UsageError(f"{package} exists already; choose another name or --folder")
    module = f"longshore_{name.replace('-', '_')}"
    words = {"name": name, "kind": kind, "module": module, "api": str(API_VERSION)}
    files = {
        "pyproject.toml": _PYPROJECT,
        "src/$module/__init__.py": '"""The $kind $name for Longshore."""\n',
        **_CODE[kind],
    }
    for path, text in files.items():
        place = package / Template(path).substitute(words)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(Template(text).substitute(words), encoding="utf-8")
    return package
