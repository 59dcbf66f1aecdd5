"""A strategy that breaks its promises ends the run with its name and what it did; its tasks can run later."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from longshore import ConfigError, load, resume, start
from longshore.errors import LongshoreError, PluginBroken, PluginClash, PluginMissing
from longshore.runtime.project import Project

from .conftest import Install

FAULTY = """
from longshore.model.views import Assignment

class Faulty:
    def __init__(self, config):
        pass

    def assign(self, waiting, machines, now):
        {answer}

@hookimpl
def longshore_strategies():
    return [strategy("faulty", factory=Faulty)]
"""
TEXT = 'name = "w"\nstrategy = {strategy}\n[tasks.a]\ncommand = "true"\nneeds = {{ cpus = 1 }}\n'


def run(folder: Path, strategy: str) -> LongshoreError:
    """Run a workflow of one task by a strategy, and give the error that this ends in."""
    (folder / "longshore.toml").write_text(TEXT.format(strategy=strategy))
    loaded = load(folder)
    with pytest.raises(LongshoreError) as raised, start(loaded.spec, loaded.folder) as running:
        running.wait(timeout=120)
    return raised.value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("return None", "of dist 1.5 must answer with a list of Assignment, not with None"),
        ("return 'm'", "not with an object of type str"),
        ("return [('a', 'local')]", "in it is an object of type tuple"),
        ("return [None]", "in it is None"),
        ("raise KeyError('x')", "of dist 1.5 failed: KeyError: 'x'"),
        ("return [Assignment('b', machines[0].id)]", "'faulty' put b on"),
        ("return [Assignment('a', 'moon')]", "put a on moon: there is no such machine in its pool"),
        ("return [Assignment('a', machines[0].id)] * 2", "no such task is waiting"),
    ],
)
def test_what_a_strategy_does_wrong_ends_the_run_and_names_it(
    install: Install, tmp_path: Path, answer: str, says: str
) -> None:
    install("dist", "strategy.faulty", FAULTY.format(answer=answer))

    error = run(tmp_path, '"faulty"')

    assert isinstance(error, PluginBroken)
    assert "the strategy 'faulty'" in str(error)
    assert says in str(error)


def test_a_run_that_a_strategy_has_ended_is_continued_when_it_is_mended(install: Install, tmp_path: Path) -> None:
    module = install("dist", "strategy.faulty", FAULTY.format(answer="return list(machines[0].absent)"))
    run(tmp_path, '"faulty"')
    [file] = tmp_path.glob(f"{module}.py")
    mended = "[Assignment(each.id, m.id) for m in machines[:1] for each in waiting if each.needs.fits(m.free)]"
    file.write_text(file.read_text().replace("list(machines[0].absent)", mended))
    importlib.reload(sys.modules[module])

    with resume(tmp_path) as again:
        assert again.wait(timeout=120) == "succeeded"


@pytest.mark.parametrize(
    ("strategy", "key", "says"),
    [
        ('{ name = "random", sead = 7 }', "strategy.sead", "no such option"),
        ('{ name = "random", seed = "7" }', "strategy.seed", "a whole number is wanted"),
        ('{ name = "random", seed = true }', "strategy.seed", "a whole number is wanted"),
        ('{ name = "random", seed = -1 }', "strategy.seed", ">= 0"),
        ('{ name = "spread", seed = 1 }', "strategy.seed", "no such option"),
    ],
)
def test_options_that_a_strategy_does_not_take_are_refused_before_anything_is_made(
    tmp_path: Path, strategy: str, key: str, says: str
) -> None:
    error = run(tmp_path, strategy)

    assert isinstance(error, ConfigError)
    (problem,) = error.problems
    assert problem.key == key
    assert says in problem.message
    assert not Project(tmp_path).runs.exists()


def test_a_strategy_that_is_not_there_or_twice_is_refused_before_anything_is_made(
    install: Install, tmp_path: Path
) -> None:
    assert isinstance(error := run(tmp_path, '"randm"'), PluginMissing)
    assert "did you mean random" in str(error)
    for distribution in ("one", "two"):
        install(distribution, "strategy.faulty", FAULTY.format(answer="return []"))
    assert isinstance(error := run(tmp_path, '{ name = "faulty" }'), PluginClash)
    assert "one and by two" in str(error)
    assert not Project(tmp_path).runs.exists()
