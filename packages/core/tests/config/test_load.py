"""A workflow file, with ``--set`` and the user's own settings, becomes one value."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest

from longshore.config.load import Loaded, load
from longshore.config.template import template
from longshore.errors import ConfigError
from longshore.model.command import Argv, Shell
from longshore.model.environment import EnvironmentSpec, Requirement
from longshore.model.offer import Needs
from longshore.model.outcome import FailureClass
from longshore.model.rented import MachineKind, RentedPool
from longshore.model.resources import Resources
from longshore.model.retry import RetryPolicy
from longshore.model.task import LinesOf, Parameter, Range, Secret, TaskSpec, Values
from longshore.model.workflow import PoolSpec, StrategySpec, WorkflowSpec

Read = Callable[..., Loaded]

CLOUD = PoolSpec(name="cloud", executor="ssh", provider="aws", rented=RentedPool(kinds=(MachineKind(needs=Needs()),)))
EVERYTHING = """
name = "all"
strategy = { name = "random", seed = 7 }
max_tasks = 7
keep_going = false
env_file = "vars"

[pools.default]
executor = "ssh"
provider = "aws"
tasks = 3
spot = true
needs = { cpus = 4 }
port = 2222

[pools.other]
since = 2026-01-02

[environments.sci]
pip = ["numpy"]

[providers.aws]
region = "eu-west-1"

[tasks.first]
command = ["prog", "", "a b"]
[tasks.second]
command = "echo"
outputs = ["a/", "./b"]
needs = { cpus = 0.5, memory = "1 GiB", gpus = 1, disk = 10 }
environment = "sci"
pool = "other"
retry = { attempts = 3, delay = "10 s", max_delay = "1 min", on = ["timeout"] }
timeout = "2 h"
grace = "1 s"
warn = true
after = ["first"]
env = { A = "", B = "x" }
secrets = { "k/l.lic" = { variable = "L" } }
keep = true
repeat = 2
priority = -1
for_each.v = ["a", 1, 0.5]
for_each.w = { values = ["x"] }
for_each.r = { range = [1, 9, 3] }
for_each.l = { lines_of = "names" }
"""


def test_every_key_has_its_place_in_the_value(read: Read) -> None:
    loaded = read(EVERYTHING, {"vars": "A=1\n", "names": "x\n"})

    assert loaded.spec == WorkflowSpec(
        name="all",
        strategy=StrategySpec(name="random", options={"seed": 7}),
        max_tasks=7,
        keep_going=False,
        env_file="vars",
        pools=(
            PoolSpec(
                name="default",
                executor="ssh",
                provider="aws",
                tasks=3,
                rented=RentedPool(kinds=(MachineKind(needs=Needs(cpus=4), spot=True),)),
                options={"port": 2222},
            ),
            PoolSpec(name="other", options={"since": date(2026, 1, 2)}),
        ),
        environments=(EnvironmentSpec(name="sci", pip=(Requirement("numpy", "pip"),)),),
        providers={"aws": {"region": "eu-west-1"}},
        tasks=(
            TaskSpec(name="first", command=Argv(("prog", "", "a b")), pool="default", environment="sci"),
            TaskSpec(
                name="second",
                command=Shell("echo"),
                outputs=("a/", "b"),
                needs=Resources(cpus=0.5, memory_bytes=2**30, gpus=1, disk_bytes=10),
                environment="sci",
                pool="other",
                retry=RetryPolicy(
                    attempts=3,
                    delay=timedelta(seconds=10),
                    max_delay=timedelta(minutes=1),
                    on=frozenset({FailureClass.TIMEOUT}),
                ),
                timeout=timedelta(hours=2),
                grace=timedelta(seconds=1),
                warn=True,
                after=("first",),
                env={"A": "", "B": "x"},
                secrets={"k/l.lic": Secret(variable="L")},
                keep=True,
                repeat=2,
                priority=-1,
                for_each=(
                    Parameter("v", Values(("a", "1", "0.5"))),
                    Parameter("w", Values(("x",))),
                    Parameter("r", Range(first=1, last=7, step=3)),
                    Parameter("l", LinesOf("names")),
                ),
            ),
        ),
    )


def test_json_says_the_same_as_toml(read: Read, folder: Path) -> None:
    loaded = read('name = "w"\n[tasks.a]\ncommand = "true"\nneeds = { cpus = 2 }\n')
    (folder / "w.json").write_text(json.dumps({"name": "w", "tasks": {"a": {"command": "true", "needs": {"cpus": 2}}}}))

    assert load(folder / "w.json").spec == loaded.spec


def test_without_pools_everything_runs_on_this_computer(read: Read) -> None:
    loaded = read('name = "w"\n[tasks.a]\ncommand = "true"\n')

    assert loaded.spec.pools == (PoolSpec(name="local"),)
    assert loaded.spec.tasks[0].pool == "local"


def test_the_only_pool_is_the_default_and_this_computer_can_be_named_beside_it(read: Read) -> None:
    loaded = read('name = "w"\n[pools.big]\n[tasks.a]\ncommand = "true"\n[tasks.b]\ncommand = "true"\npool = "local"\n')

    assert loaded.spec.pools == (PoolSpec(name="big"), PoolSpec(name="local"))
    assert [task.pool for task in loaded.spec.tasks] == ["big", "local"]


def test_hosts_are_left_alone_for_an_hour_and_this_computer_for_a_week_unless_the_pool_says_else(read: Read) -> None:
    pools = '[pools.here]\n[pools.far]\nexecutor = "ssh"\n[pools.patient]\nexecutor = "ssh"\norphan = "14 h"\n'

    loaded = read(f'name = "w"\n{pools}[tasks.a]\ncommand = "true"\npool = "far"\n')

    spans = {pool.name: pool.unattended for pool in loaded.spec.pools}
    assert spans == {"here": timedelta(days=7), "far": timedelta(hours=1), "patient": timedelta(hours=14)}


def test_no_time_at_all_is_no_orphan_time(read: Read) -> None:
    with pytest.raises(ConfigError, match="no time at all"):
        read('name = "w"\n[pools.far]\norphan = "0 s"\n[tasks.a]\ncommand = "true"\n')


def test_pools_of_the_user_are_there_when_they_are_named_and_never_by_themselves(read: Read, settings: Path) -> None:
    (settings / "longshore").mkdir()
    (settings / "longshore" / "config.toml").write_text(
        '[pools.cloud]\nexecutor = "ssh"\nprovider = "aws"\n[pools.big]\ntasks = 9\n[environments.sci]\n'
        '[providers.aws]\nregion = "x"\n[providers.gcp]\n'
    )

    quiet = read('name = "w"\n[tasks.a]\ncommand = "true"\n').spec
    named = read(
        'name = "w"\n[pools.big]\ntasks = 1\n[tasks.a]\ncommand = "true"\npool = "cloud"\nenvironment = "sci"\n'
    ).spec

    assert (quiet.pools, quiet.environments, dict(quiet.providers)) == ((PoolSpec(name="local"),), (), {})
    assert named.pools == (PoolSpec(name="big", tasks=1), CLOUD)
    assert named.environments == (EnvironmentSpec(name="sci"),)
    assert named.providers == {"aws": {"region": "x"}}


def test_a_mistake_in_the_users_settings_is_said_with_its_file(read: Read, settings: Path) -> None:
    (settings / "longshore").mkdir()
    file = settings / "longshore" / "config.toml"
    file.write_text('[pool.cloud]\n[pools.x]\ntasks = "1"\n')

    with pytest.raises(ConfigError) as raised:
        read('name = "w"\n[tasks.a]\ncommand = 1\n')

    assert [(problem.place, problem.key) for problem in raised.value.problems] == [
        (f"{file}:1", "pool"),
        (f"{file}:3", "pools.x.tasks"),
        ("longshore.toml:3", "tasks.a.command"),
    ]


def test_set_puts_values_over_those_of_the_file(read: Read) -> None:
    text = 'name = "w"\n[tasks.a]\ncommand = "true"\nneeds = { cpus = 1, gpus = 1 }\n'
    overrides = ("tasks.a.needs.cpus=4", "tasks.a.timeout=2 h", "max_tasks = 3", 'tasks.a.command="echo = 1"')

    spec = read(text, overrides=overrides).spec

    assert spec.max_tasks == 3
    (task,) = spec.tasks
    assert (task.needs, task.timeout) == (Resources(cpus=4, gpus=1), timedelta(hours=2))
    assert task.command == Shell("echo = 1")


@pytest.mark.parametrize(
    ("written", "strategy", "overrides", "expected"),
    [
        ("", None, (), StrategySpec()),
        ('strategy = "random"', None, (), StrategySpec(name="random")),
        ('strategy = "random"', None, ("strategy.seed=7",), StrategySpec(name="random", options={"seed": 7})),
        ('strategy = "random"', None, ("strategy=spread",), StrategySpec(name="spread")),
        ("", "random", ("strategy.seed=7",), StrategySpec(name="random", options={"seed": 7})),
        ('strategy = { name = "x", y = 1 }', "random", (), StrategySpec(name="random")),
        ('strategy = { name = "x", y = 1 }', "x", ("strategy.z=2",), StrategySpec(name="x", options={"y": 1, "z": 2})),
    ],
)
def test_a_strategy_has_the_options_that_were_written_for_it(
    read: Read, written: str, strategy: str | None, overrides: tuple[str, ...], expected: StrategySpec
) -> None:
    text = f'name = "w"\n{written}\n[tasks.a]\ncommand = "true"\n'

    assert read(text, overrides=overrides, strategy=strategy).spec.strategy == expected


@pytest.mark.parametrize(
    ("override", "key", "says", "remedy"),
    [
        ("tasks.a.timeout=2", "tasks.a.timeout", "2", '"30 s"'),
        ("tasks.b.timeout=2 h", "", "'b'", "name a task"),
        ("tasks.aa.timeout=2 h", "", "'aa'", "'a'"),
        ("name.x=1", "", "name is no table", "the key itself"),
        ("tasks.a.timeot=2 h", "tasks.a.timeot", "'timeot'", "'timeout'"),
        ("strategy.seed=7", "", "no strategy is named", "--strategy NAME"),
        ("max_tasks", "", "KEY.PATH=VALUE", "tasks.fit.timeout"),
        ("=3", "", "KEY.PATH=VALUE", "tasks.fit.timeout"),
    ],
)
def test_a_mistake_in_set_is_said_with_what_was_typed(
    read: Read, override: str, key: str, says: str, remedy: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        read('name = "w"\n[tasks.a]\ncommand = "true"\n', overrides=(override,))

    (problem,) = raised.value.problems
    assert (problem.place, problem.key) == (f"--set {override}", key)
    assert says in problem.message
    assert remedy in problem.remedy


def test_tasks_that_join_a_run_may_refer_to_its_tasks(read: Read, folder: Path) -> None:
    first = read('name = "w"\n[pools.big]\n[tasks.a]\ncommand = "true"\noutputs = ["x"]\n').spec
    (folder / "more.toml").write_text('name = "more"\n[tasks.b]\ncommand = "cat workflow:///a/x"\nafter = ["a"]\n')

    more = load(folder / "more.toml", adding_to=first).spec

    (task,) = more.tasks
    assert (task.references[0].task, task.after, task.pool) == ("a", ("a",), "big")


def test_what_joins_a_run_cannot_read_what_its_tasks_do_not_keep(read: Read, folder: Path) -> None:
    first = read('name = "w"\n[tasks.a]\ncommand = "true"\noutputs = ["x"]\n').spec
    (folder / "more.toml").write_text('name = "more"\n[tasks.b]\ncommand = "cat workflow:///a/y"\n')

    with pytest.raises(ConfigError, match="'a' has no output 'y'"):
        load(folder / "more.toml", adding_to=first)


def test_an_env_file_in_the_repository_is_warned_of(read: Read, folder: Path) -> None:
    git = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run([*git, "init", "-q"], check=True, timeout=120)
    text = 'name = "w"\nenv_file = ".env"\n[tasks.a]\ncommand = "true"\n'

    before = read(text, {".env": "KEY=hunter2\n"})
    subprocess.run([*git, "add", ".env"], check=True, timeout=120)
    after = load(folder)

    assert before.warnings == ()
    (warning,) = after.warnings
    assert "git keeps .env" in warning
    assert "hunter2" not in repr(after)


def test_the_template_is_a_workflow(read: Read) -> None:
    loaded = read(template("mine"))

    assert loaded.spec.name == "mine"
    assert [task.name for task in loaded.spec.tasks] == ["numbers", "power", "report"]


def test_the_keys_that_the_template_only_shows_are_good_too(read: Read) -> None:
    shown = template("mine")
    for name in ("inputs", "needs", "retry", "timeout"):
        shown = shown.replace(f"# {name} =", f"{name} =")

    loaded = read(shown.replace("# [pools", "[pools").replace("# tasks", "tasks"), {"settings.json": "{}"})

    assert loaded.spec.pools == (PoolSpec(name="local", tasks=2),)
