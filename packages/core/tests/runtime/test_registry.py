"""Plugins are found by name, imported only when named, and named when they are at fault."""

from __future__ import annotations

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest

from longshore.errors import ConfigError, PluginBroken, PluginClash, PluginMissing
from longshore.model.views import Assignment
from longshore.model.workflow import StrategySpec
from longshore.plugin import API_VERSION
from longshore.runtime.guarded import PATIENCE, Guarded
from longshore.runtime.plugin_entries import BUILTIN
from longshore.runtime.registry import Registry

from .conftest import Install

ONE = """
@hookimpl
def longshore_strategies():
    return [strategy("tetris")]
"""

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_cores_own_plugins_are_found_without_a_look_at_what_is_installed() -> None:
    def scan() -> list[object]:
        raise AssertionError("looked at what is installed")

    registry = Registry(scan=scan)  # type: ignore[arg-type]

    for entry in BUILTIN:
        if entry.role == "strategy":
            assert registry.strategy(entry.name).assign([], [], NOW) == []
        else:
            assert getattr(registry, entry.role)(entry.name).name == entry.name


def test_a_plugin_is_found_by_its_name_and_made_with_its_options(install: Install) -> None:
    install("longshore-tetris", "strategy.tetris", ONE)

    strategy = Registry().strategy("tetris", {"size": 3})

    assert strategy.config.size == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("role", "hook", "record"),
    [
        ("executor", "executors", "ExecutorRecord"),
        ("provider", "providers", "ProviderRecord"),
        ("observer", "observers", "ObserverRecord"),
    ],
)
def test_each_role_has_a_hook(install: Install, role: str, hook: str, record: str) -> None:
    install(
        "dist",
        f"{role}.mine",
        f"@hookimpl\ndef longshore_{hook}():\n"
        f'    return ({record}(name="mine", config=Config, factory=Maker, api=(0, 1)),)',
    )

    assert getattr(Registry(), role)("mine").name == "mine"


def test_an_entry_may_point_at_an_object_in_a_module(install: Install) -> None:
    code = 'class plugin:\n    @hookimpl\n    def longshore_strategies():\n        return [strategy("tetris")]'
    install("dist", "strategy.tetris", code, attribute=":plugin")

    assert Registry().strategy("tetris").assign([], [], NOW) == []


def test_an_entry_in_the_plural_brings_several_and_is_imported_only_when_no_other_has_the_name(
    install: Install,
) -> None:
    several = install(
        "many", "strategies.many", '@hookimpl\ndef longshore_strategies():\n    return [strategy("a"), strategy("b")]'
    )
    install("one", "strategy.tetris", ONE)
    registry = Registry()

    assert registry.strategy("tetris").assign([], [], NOW) == []
    assert several not in sys.modules
    assert registry.strategy("b").assign([], [], NOW) == []


def test_a_store_is_found_by_each_of_its_schemes(install: Install) -> None:
    code = (
        "@hookimpl\ndef longshore_stores():\n"
        '    return [StoreRecord(name="buckets", config=Config, schemes=("tape", "drum"), factory=Maker, api=(0, 1))]'
    )
    install("dist", "stores.buckets", code)
    registry = Registry()

    assert registry.store("tape") is registry.store("drum")


def test_listing_plugins_imports_none_of_them(install: Install) -> None:
    module = install("longshore-tetris", "strategy.tetris", "raise SystemExit('imported')")

    labels = [entry.label for entry in Registry().entries()]

    assert "plugin strategy.tetris of longshore-tetris 1.5" in labels
    assert module not in sys.modules


def test_an_entry_without_a_role_is_listed_with_what_is_wrong(install: Install) -> None:
    install("dist", "executer.ssh", "")

    problems = {entry.name: entry.problem for entry in Registry().entries() if entry.problem}

    assert "executer.ssh" in problems["ssh"]
    assert "executor" in problems["ssh"]


def test_a_broken_plugin_breaks_nobody_else(install: Install) -> None:
    install("bad", "strategy.bad", "import nothing_of_that_name")
    install("good", "strategy.tetris", ONE)
    registry = Registry()

    with pytest.raises(PluginBroken, match=r"plugin strategy.bad of bad 1.5 cannot be imported .*nothing_of_that_name"):
        registry.strategy("bad")
    assert registry.strategy("tetris").assign([], [], NOW) == []


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("@hookimpl\ndef longshore_strategy():\n    return []", "unknown hook 'longshore_strategy'"),
        ("@hookimpl\ndef longshore_strategies(extra):\n    return []", "extra"),
        ("def longshore_strategies():\n    return []", "is @hookimpl missing above longshore_strategies"),
        ("@hookimpl\ndef longshore_strategies():\n    return strategy('tetris')", "must return a list or tuple"),
        (
            "@hookimpl\ndef longshore_strategies():\n    return ['tetris']",
            "must return StrategyRecord values, not 'tetris'",
        ),
        (
            "@hookimpl\ndef longshore_strategies():\n    return [strategy('other')]",
            "announces 'other', not one strategy 'tetris'",
        ),
        ("@hookimpl\ndef longshore_strategies():\n    return []", "announces nothing, not one strategy 'tetris'"),
        (
            "@hookimpl\ndef longshore_strategies():\n    raise OSError('no disk')",
            "longshore_strategies failed: OSError: no disk",
        ),
        (
            "@hookimpl\ndef longshore_strategies():\n    return [strategy('tetris', config=dict)]",
            "must be an attrs class",
        ),
        ("@hookimpl\ndef longshore_strategies():\n    return [strategy('tetris', factory=1 .real)]", "cannot be made"),
    ],
)
def test_a_plugin_that_breaks_a_rule_is_named_with_its_distribution(install: Install, code: str, words: str) -> None:
    install("longshore-tetris", "strategy.tetris", code)

    with pytest.raises(PluginBroken) as caught:
        Registry().strategy("tetris")

    assert "longshore-tetris 1.5" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(("major", "remedy"), [(API_VERSION[0] + 1, "install an older release"), (-1, "upgrade")])
def test_a_plugin_built_for_another_major_version_is_refused(install: Install, major: int, remedy: str) -> None:
    code = f"@hookimpl\ndef longshore_strategies():\n    return [strategy('tetris', api=({major}, 0))]"
    install("longshore-tetris", "strategy.tetris", code)

    with pytest.raises(
        PluginBroken, match=rf"built for version {major}\.0 .* this is 0\.1; {remedy}.* longshore-tetris"
    ):
        Registry().strategy("tetris")


def test_a_record_must_say_for_which_version_it_was_built(install: Install) -> None:
    code = (
        "@hookimpl\ndef longshore_strategies():\n"
        "    return [StrategyRecord(name='tetris', config=Config, factory=Maker)]"
    )
    install("dist", "strategy.tetris", code)

    with pytest.raises(PluginBroken, match="api"):
        Registry().strategy("tetris")


def test_two_plugins_of_one_name_clash_and_the_distribution_picks_one(install: Install) -> None:
    install("longshore-one", "strategy.tetris", ONE)
    install("longshore-two", "strategy.tetris", ONE)
    registry = Registry()

    with pytest.raises(PluginClash, match="longshore-one and by longshore-two") as caught:
        registry.strategy("tetris")

    assert "'longshore-one:tetris'" in str(caught.value)
    assert registry.strategy("Longshore_Two:tetris").assign([], [], NOW) == []


def test_a_plugin_with_the_name_of_one_of_the_cores_own_is_reached_by_its_distribution_only(install: Install) -> None:
    module = install("dist", "strategy.random", ONE.replace("tetris", "random"))
    registry = Registry()

    assert type(registry.strategy("random")).__module__ == "longshore.builtin.strategies"
    assert type(registry.strategy("dist:random")).__module__ == module
    assert type(registry.strategy("longshore-core:random")).__module__ == "longshore.builtin.strategies"


@pytest.mark.parametrize(
    ("role", "name", "words"),
    [
        ("strategy", "critical-pth", "did you mean critical-path"),
        ("executor", "ssh", "`pip install longshore-ssh` brings it"),
        ("store", "s3", "`pip install longshore-fsspec` brings it"),
        ("executor", "dist:local", "no executor 'local' of dist is installed"),
        ("observer", "openlineage", "`pip install longshore-openlineage` brings it"),
        ("observer", "otel", "`pip install longshore-otel` brings it"),
        ("store", "tape", "installed: none"),
    ],
)
def test_what_is_not_installed_is_told_with_a_remedy(role: str, name: str, words: str) -> None:
    with pytest.raises(PluginMissing) as caught:
        getattr(Registry(scan=list), role)(name)

    assert words in str(caught.value)


def test_all_mistakes_in_options_are_told_at_once_with_their_keys() -> None:
    with pytest.raises(ConfigError) as caught:
        Registry(scan=list).strategy("random", {"seed": "4", "sead": 1})

    problems = {problem.key: (problem.message, problem.remedy) for problem in caught.value.problems}
    assert problems == {
        "strategy.seed": ("a whole number is wanted, not the text '4'", ""),
        "strategy.sead": ("there is no such option", "did you mean seed?"),
    }


def test_a_run_without_options_does_not_import_cattrs() -> None:
    program = "import sys; from longshore.runtime.registry import Registry; Registry().strategy('critical-path')\n"
    program += "print('cattrs' in sys.modules, 'importlib.metadata' in sys.modules)"

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)

    assert said.stdout.split() == ["False", "False"]


KINDS = {
    "executor": ("executors", 'ExecutorRecord(name="mine", config={config}, factory={factory}, api={api})'),
    "observer": ("observers", 'ObserverRecord(name="mine", config={config}, factory={factory}, api={api})'),
    "provider": ("providers", 'ProviderRecord(name="mine", config={config}, factory={factory}, api={api})'),
    "store": ("stores", 'StoreRecord(name="mine", config={config}, schemes=("mine",), factory={factory}, api={api})'),
    "strategy": ("strategies", 'StrategyRecord(name="mine", config={config}, factory={factory}, api={api})'),
}
"""By role: the end of the hook's name, and a record."""


def code_of(role: str, *, config: str = "Config", factory: str = "Maker", api: str = "(0, 1)", hook: str = "") -> str:
    plural, record = KINDS[role]
    name = hook or f"longshore_{plural}"
    return f"@hookimpl\ndef {name}():\n    return [{record.format(config=config, factory=factory, api=api)}]\n"


def made(role: str, options: dict[str, object] | None = None) -> object:
    """Find a plugin and make what it announces, as a run does."""
    registry = Registry()
    if role == "strategy":
        return registry.strategy("mine", options)
    record = getattr(registry, role)("mine")
    config = registry.options(record.config, options or {}, role)
    more: dict[str, list[object]] = {"executor": [None], "observer": [{}]}
    return getattr(registry, f"make_{role}")(record, config, *more.get(role, []))


@pytest.mark.parametrize("role", KINDS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"api": f"({API_VERSION[0] + 1}, 0)"}, "was built for version"),
        ({"hook": "longshore_misspelt"}, "unknown hook 'longshore_misspelt'"),
        ({"config": "dict"}, "must be an attrs class"),
        ({"factory": "lambda *_: 1 / 0"}, "'mine' cannot be made: ZeroDivisionError: division by zero"),
        ({"factory": "lambda *_: 'nothing of use'"}, "has made an object of type str, which has no "),
        ({"factory": "lambda: None"}, "'mine' cannot be made: TypeError"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_a_bad_plugin_of_any_kind_is_named_before_anything_runs(
    install: Install, role: str, change: dict[str, str], words: str
) -> None:
    install("dist", f"{role}.mine", code_of(role, **change))

    with pytest.raises(PluginBroken) as caught:
        made(role)

    assert f"plugin {role}.mine of dist 1.5" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("role", KINDS)
def test_a_plugin_of_any_kind_that_does_not_import_is_named(install: Install, role: str) -> None:
    install("dist", f"{role}.mine", "raise RuntimeError('no licence')")

    with pytest.raises(PluginBroken, match=rf"plugin {role}.mine of dist 1.5 cannot be imported .*no licence"):
        made(role)


@pytest.mark.parametrize("role", KINDS)
def test_two_of_one_name_of_any_kind_are_both_named(install: Install, role: str) -> None:
    install("one", f"{role}.mine", code_of(role))
    install("two", f"{role}.mine", code_of(role))

    with pytest.raises(PluginClash, match="by one and by two"):
        made(role)


@pytest.mark.parametrize("role", KINDS)
def test_a_config_class_that_cannot_be_structured_is_told_with_its_plugin(install: Install, role: str) -> None:
    strange = "class Thing: ...\n@frozen(kw_only=True)\nclass Strange:\n    thing: Thing\n"
    install("dist", f"{role}.mine", strange + code_of(role, config="Strange"))

    with pytest.raises(PluginBroken, match=rf"plugin {role}.mine of dist 1.5: its options cannot be read into"):
        made(role, {"thing": 1})


@pytest.mark.parametrize("answer", ["None", "['m']", "{}"])
def test_machines_of_the_wrong_type_are_told_with_their_plugin(install: Install, answer: str) -> None:
    code = code_of("executor").replace("api=", f"machines=lambda *_: {answer}, api=")
    install("dist", "executor.mine", code)
    registry = Registry()
    record = registry.executor("mine")

    with pytest.raises(PluginBroken, match=r"plugin executor.mine of dist 1.5: its machines must be a list of Machine"):
        registry.machines(record, None, "p")


@pytest.mark.parametrize(
    ("opening", "words"),
    [
        ("raise OSError('no route')", "open raised OSError: no route; every failure must be an ExecutorError"),
        ("return None", "open must answer with a session; an object of type NoneType has no adopt, beat"),
    ],
)
def test_an_executor_that_fails_at_its_work_is_told_with_its_plugin(install: Install, opening: str, words: str) -> None:
    lines = f"class Opens:\n    def __init__(self, *_): ...\n    def open(self, *_, **__):\n        {opening}\n"
    install("dist", "executor.mine", lines + code_of("executor", factory="Opens"))
    executor = made("executor")

    with pytest.raises(PluginBroken) as caught:
        executor.open(None, fence=1, sink=None)  # type: ignore[attr-defined]

    assert str(caught.value).startswith(f"plugin executor.mine of dist 1.5: {words}")


def test_a_strategy_that_hangs_is_given_up_and_named() -> None:
    class Hangs:
        until = threading.Event()

        def assign(self, *_: object) -> list[Assignment]:
            self.until.wait()
            return []

    guarded = Guarded(Hangs(), "the strategy 'mine' of dist 1.5", timedelta(seconds=0.05))
    try:
        with pytest.raises(PluginBroken, match=r"the strategy 'mine' of dist 1.5 has not answered within 0:00:00.05"):
            guarded.assign([], [], NOW)
    finally:
        Hangs.until.set()


def test_only_strategies_of_others_are_timed(install: Install) -> None:
    install("longshore-tetris", "strategy.tetris", ONE)
    registry = Registry()

    timed = {name: registry.strategy_of(StrategySpec(name=name)).patience for name in ("tetris", "spread")}  # type: ignore[attr-defined]

    assert timed == {"tetris": PATIENCE, "spread": None}
