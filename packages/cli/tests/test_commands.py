"""The command itself: its help, its start, its ways out."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from longshore_cli.app import COMMANDS, cli
from longshore_cli.command import Command

from .harness import SECONDS, Project

AWAY = frozenset(
    f"longshore.{name}"
    for name in (
        "config.environment_document",
        "config.environments",
        "config.rented",
        "config.rented_document",
        "model.environment",
        "model.environment_events",
        "model.lease",
        "model.lease_events",
        "model.load",
        "model.machine_spec",
        "model.move_events",
        "model.offer",
        "model.rented",
        "plugin.hosts",
        "plugin.provider",
        "remote.wire_builds",
        "remote.wire_loads",
        "runtime.away_codec",
        "runtime.collecting",
        "runtime.dispatch",
        "runtime.environments",
        "runtime.guarded_executor",
        "runtime.lease_event_codec",
        "runtime.perform_away",
        "runtime.renters",
        "scheduler.apply_away",
        "scheduler.away_actions",
        "scheduler.build_state",
        "scheduler.demand",
        "scheduler.environments",
        "scheduler.intents",
        "scheduler.leased",
        "scheduler.rented_state",
        "scheduler.renting",
        "scheduler.renting_actions",
        "scheduler.workload",
    )
) | {"longshore_cli.view.away_words"}
"""What a run needs that rents machines, builds environments, moves data between machines, collects, or is watched."""

LATE = ("attrs", "cattrs", "longshore", "pluggy", "rich", "sqlite3", "tomllib")


def loaded_by(project: Project, *words: str) -> set[str]:
    """Name the modules that one call of the command imports."""
    script = (
        "import json, sys\nfrom longshore_cli.__main__ import execute\n"
        "execute(sys.argv[1:])\nsys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def command_of(name: str) -> Command:
    command = import_module(f"longshore_cli.commands.{name}").command
    assert isinstance(command, Command)
    return command


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_has_each_ones_own_first_line(name: str) -> None:
    command = command_of(name)
    assert command.name == name
    assert command.help is not None
    assert command.help.partition("\n\n")[0] == COMMANDS[name]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_examples_that_parse(name: str) -> None:
    command = command_of(name)
    shown = CliRunner().invoke(cli, [name, "--help"]).output
    assert "\nExamples:\n" in shown
    for example in command.examples:
        assert example.startswith(f"longshore {name}")
        assert example in shown


@pytest.mark.parametrize(
    "words", [("--help",), ("--version",), *((name, "--help") for name in ("run", "status", "logs"))]
)
def test_help_loads_nothing_of_the_core(project: Project, words: tuple[str, ...]) -> None:
    assert loaded_by(project, *words).isdisjoint(LATE)


def test_a_run_that_nobody_watches_loads_no_terminal_library(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    assert "rich" not in loaded_by(project, "run")


def test_a_plain_run_loads_nothing_that_rents_builds_moves_or_collects(project: Project) -> None:
    project.write(
        """
        name = "x"
        [tasks.a]
        command = "echo 1 > one"
        outputs = ["one"]
        [tasks.b]
        command = "cat workflow:///a/one"
        [tasks.c]
        command = "false"
        """
    )
    assert AWAY & loaded_by(project, "run") == set()
    assert [name for name in sorted(AWAY) if find_spec(name) is None] == []


def test_the_version_is_told(project: Project) -> None:
    assert re.fullmatch(r"longshore \d+\.\d+\.\d+\n", project.call("--version").out)


def test_a_misspelt_command_is_answered_by_those_near_it(project: Project) -> None:
    assert "did you mean status?" in project.call("stauts", code=2).err


def test_an_unknown_option_is_refused_in_one_clear_message(project: Project) -> None:
    answer = project.call("run", "--nwe", code=2)
    assert "No such option" in answer.err
    assert "`longshore run --help` says more." in answer.err


def test_an_unexpected_failure_is_short_and_keeps_its_details_in_a_file(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    project.call("run")
    [record] = project.folder.glob(".longshore/runs/*/run.db")
    with sqlite3.connect(record) as database:
        database.execute("UPDATE meta SET value = 'nonsense' WHERE key = 'options'")
    database.close()
    answer = project.call("explain", "t", code=70)
    assert "Traceback" not in answer.err
    found = re.search(r"The details are in (\S+);", answer.err)
    assert found is not None
    assert "Traceback" in Path(found[1]).read_text()
    assert Path(found[1]).stat().st_mode & 0o777 == 0o600
    assert "Traceback" in project.call("explain", "t", "-vv", code=70).err
    assert project.call("explain", "t", "--json", code=70).json["error"]["kind"] == "JSONDecodeError"


def test_the_example_of_init_plans_and_runs(project: Project) -> None:
    project.call("init")
    assert project.call("plan", "--json").json["runs"] == 4
    assert project.call("run", "--json").json["phases"] == {"succeeded": 4}
    assert "exists already and was left as it is" in project.call("init", code=2).err


def test_init_writes_a_task_of_ones_own_into_a_new_folder(project: Project) -> None:
    command = 'awk "{ print \\"$n\\", 2 ^ $n }" /dev/null; echo "$n é" > out.txt'
    project.call(
        "init", "sub", "--name", "mine", "--task", "power", "--command", command, "--output", "out.txt",
        "--for-each", "n=1..3", "--cpus", "0.5", "--memory", "1 MiB", "--attempts", "2", "--timeout", "1 min",
    )  # fmt: skip
    document = project.call("run", "sub", "--json").json
    assert (document["workflow"], document["phases"]) == ("mine", {"succeeded": 3})
    text = (project.folder / "sub" / "longshore.toml").read_text()
    assert 'retry = { attempts = 2 }\ntimeout = "1 min"' in text
    assert '# command = "cat workflow:///power/*/out.txt > all.txt"' in text


@pytest.mark.parametrize(
    ("for_each", "written"),
    [
        ("year=2001..2005", "for_each.year = { range = [2001, 2005] }"),
        ("file=data/*.csv", 'for_each.file = { glob = "data/*.csv" }'),
        ("name=@names.txt", 'for_each.name = { lines_of = "names.txt" }'),
        ("who=ann, bob", 'for_each.who = ["ann", "bob"]'),
    ],
)
def test_init_understands_where_values_come_from(project: Project, for_each: str, written: str) -> None:
    project.call("init", "--command", "true", "--for-each", for_each)
    assert written in (project.folder / "longshore.toml").read_text()


def test_init_leaves_nothing_behind_when_an_answer_is_wrong(project: Project) -> None:
    assert "has no unit" in project.call("init", "sub", "--command", "true", "--timeout", "3", code=2).err
    assert "write it as in" in project.call("init", "sub", "--command", "true", "--for-each", "x", code=2).err
    assert "would do" in project.call("init", "sub", "--name", "a b", code=2).err
    assert not (project.folder / "sub").exists()


def test_guided_init_asks_and_takes_defaults(project: Project) -> None:
    terminal = project.terminal("init", "--guided", "--task", "hello")
    for question in ("Name of the workflow", "Its command", "Files that it reads", "Files that it writes"):
        terminal.until(f"{question}.*: ")
        terminal.type("\n")
    terminal.until("Once for each.*: ")
    terminal.type("n=1..2\n")
    for question in ("How many cpus", "How much memory", "How often", "After how long"):
        terminal.until(f"{question}.*: ")
        terminal.type("\n")
    assert terminal.end()[0] == 0
    assert project.call("run", "--json").json["phases"] == {"succeeded": 2}


def test_without_a_terminal_guided_init_names_the_options(project: Project) -> None:
    assert "answer by --name" in project.call("init", "--guided", code=2).err


def test_doctor_says_of_each_thing_how_it_is(project: Project) -> None:
    document = project.call("doctor", "--json").json
    states = {check["name"]: check["state"] for check in document["checks"]}
    assert document["ok"]
    assert (states["python"], states["project folder"], states["file locks"]) == ("ok", "ok", "ok")
    assert all(check["remedy"] for check in document["checks"] if check["state"] == "bad")
    assert "python" in project.call("doctor").out


def test_doctor_finds_a_folder_for_state_that_cannot_be_made(project: Project) -> None:
    (project.folder / "file").touch()
    project.env["XDG_STATE_HOME"] = str(project.folder / "file")
    document = project.call("doctor", "--json", code=1).json
    [check] = [check for check in document["checks"] if check["name"] == "state folder"]
    assert (check["state"], document["ok"]) == ("bad", False)
    assert "XDG_STATE_HOME" in check["remedy"]


def test_plugins_are_listed_with_role_name_and_origin(project: Project) -> None:
    plugins = project.call("plugins", "--check", "--json").json["plugins"]
    names = {(plugin["role"], plugin["name"]) for plugin in plugins}
    assert {("executor", "local"), ("strategy", "critical-path"), ("strategy", "random")} <= names
    assert "first-fit" in project.call("plugins").out


def test_a_strategy_is_chosen_by_name(project: Project) -> None:
    project.write('name = "x"\n[tasks.t]\ncommand = "true"\n')
    project.call("run", "--strategy", "first-fit")
    assert "did you mean spread" in project.call("run", "--new", "--strategy", "spred", code=2).err


def test_graph_draws_in_three_languages(project: Project) -> None:
    project.call("init", "--name", "pv")
    assert "power<br>2 x exponent" in project.call("graph").out
    assert project.call("graph", "--format", "dot").out.startswith('digraph "pv" {')
    assert project.call("graph", "--format", "svg").out.startswith("<svg ")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_each_shell(project: Project, shell: str) -> None:
    script = project.call("completion", shell).out
    assert "_LONGSHORE_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=SECONDS)


def completed(project: Project, words: str) -> list[str]:
    """Say what bash is offered for the last of some words."""
    project.env.update(_LONGSHORE_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split(" ")) - 1))
    out = project.call(code=None).out
    for name in ("_LONGSHORE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del project.env[name]
    return [line.partition(",")[2] for line in out.splitlines() if line]


def test_commands_tasks_and_runs_are_completed(project: Project) -> None:
    project.write('name = "x"\n[tasks.fit]\nfor_each.n = [1, 2]\ncommand = "true"\n[tasks.report]\ncommand = "true"\n')
    assert completed(project, "longshore sta") == ["status"]
    assert completed(project, "longshore status f") == []
    project.call("run")
    assert completed(project, "longshore explain ") == ["fit", "report"]
    assert completed(project, "longshore logs fit") == ["fit", "fit[n=1]", "fit[n=2]"]
    [run] = project.call("runs", "--json").json["runs"]
    assert completed(project, "longshore resume 2") == [run["id"]]
    assert completed(project, "longshore fetch rep") == ["report"]
    project.write('name = "p"\n[params]\nyear = 1\n[tasks.a]\ncommand = "true"\n')
    assert completed(project, "longshore run -P y") == ["year="]
    assert completed(project, f"longshore status --run {run['id']} rep") == ["report"]


def test_hosts_and_machines_by_hand_are_completed(project: Project) -> None:
    pytest.importorskip("longshore_ssh", reason="longshore-ssh is not installed here")
    pools = '[pools.lab]\nexecutor = "ssh"\nhosts = ["host-1", "host-2", "other"]\n'
    project.write(f'name = "x"\n{pools}[tasks.a]\ncommand = "true"\n')

    for word in ("ssh", "exec", "put", "get"):
        assert completed(project, f"longshore machines {word} host") == ["host-1", "host-2"]
    assert completed(project, "longshore machines ssh lab/o") == ["lab/other"]


def test_every_command_has_the_same_options_for_how_much_is_said() -> None:
    for name in COMMANDS:
        options = {
            option for param in command_of(name).params if isinstance(param, click.Option) for option in param.opts
        }
        assert {"-v", "-q", "--log-file"} <= options, name
