"""Every way in which the suite calls Longshore: its files, its command lines and its Python API.

Longshore is measured as its users have it: installed (not editable) in an environment of its own, by the wall time
of its process, with start-up included and the journal on.
"""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import Bench
from environments import fingerprint_of
from measure import Invocation, NotMeasured, variables
from shapes import Graph

Prepare = Callable[[Path], Invocation]
"""Write what is needed into a folder and give the command to measure there."""

Plan = Callable[[Bench, int], Prepare]

REPORT = "report"
KNAPSACK = "strategy-knapsack"
SSH = "executor-ssh"
K8S = "executor-k8s"
WEB = "web"
AIRFLOW = "airflow"
AWS = "provider-aws"
STORE = "store-fsspec"
OTHER_CLOUDS = ("provider-azure", "provider-do", "provider-gcp")
AT_ONCE = "2"
AWAY_HOST = "h1"
"""The first host of `far`."""

_DIAMOND = """\
name = "diamond"

[tasks.a]
command = "seq 1000 > numbers.txt"
outputs = ["numbers.txt"]

[tasks.b]
command = "sort -n workflow:///a/numbers.txt > up.txt"
outputs = ["up.txt"]

[tasks.c]
command = "sort -rn workflow:///a/numbers.txt > down.txt"
outputs = ["down.txt"]

[tasks.d]
command = "paste workflow:///b/up.txt workflow:///c/down.txt > both.txt"
outputs = ["both.txt"]
"""

_PLAN_IN_PYTHON = """\
from longshore import Workflow

workflow = Workflow("plan")
for i in range({tasks}):
    workflow.shell(f"job{{i}}", "/bin/true")
"""

_CALLS = """\
import noop
from longshore import Workflow

workflow = Workflow("calls")
for i in range({calls}):
    workflow.call(noop.nothing, i, name=f"call{{i}}")
"""

_NOOP = """\
def nothing(number):
    return number
"""

# The last task waits for a file, so that a run with all others finished can be left unfinished at will.
_UNFINISHED = """\
name = "unfinished"

[tasks.job]
for_each.i = {{ range = [1, {tasks}] }}
command = "/bin/true"

[tasks.last]
after = ["job"]
command = "sh {folder}/wait.sh"
"""

_WAIT = """\
: > {folder}/waiting
while ! test -e {folder}/gate; do sleep 0.05; done
"""

_SLEEP = """\
name = "wait"

[tasks.sleep]
command = "sleep {seconds}"
"""


_SIZES = """\
name = "sizes"

[tasks.small]
for_each.i = {{ range = [1, {small}] }}
command = "true"

[tasks.middle]
for_each.i = {{ range = [1, {middle}] }}
command = "true"
needs = {{ cpus = 2 }}

[tasks.large]
for_each.i = {{ range = [1, {large}] }}
command = "true"
needs = {{ cpus = 5 }}
"""


_AWAY = """\
[tasks.job]
pool = "local"
for_each.i = {{ range = [1, {tasks}] }}
command = "/bin/true"

[tasks.last]
pool = "local"
after = ["job"]
command = "sleep 3600"
"""


def programs(bench: Bench, plugin: str = "") -> Path:
    """Give the folder of the installed `longshore`; raises NotMeasured when it does not install.

    With ``plugin``, the folder of one of our packages, that of an environment that has it, and all below it, too.
    """
    packages = {"core": "call", "cli": REPORT, **({plugin: ""} if plugin else {})}
    return _installed(bench, f"longshore-{plugin.rpartition('-')[2]}" if plugin else "longshore", packages)


def cloud_probe(bench: Bench, script: Path, *words: str) -> Prepare:
    """Execute a script of ours that rents from stand-ins for clouds; that for AWS is with the tests of its provider."""
    packages = {"core": "call,testing", "cli": "", SSH: "", AWS: "", **dict.fromkeys(OTHER_CLOUDS, "")}
    interpreter = str(_installed(bench, "longshore-rented", packages, "moto[server]==5.*", "trustme") / "python")
    env = variables(PYTHONPATH=str(bench.checkout / "packages" / AWS / "tests"))
    return lambda folder: Invocation(argv=(interpreter, str(script), *words), folder=folder, env=env)


def bucket_probe(bench: Bench, script: Path, *words: str) -> Prepare:
    """Execute a script of ours that asks a stand-in for S3; the Python that has moto is its last word.

    moto has an environment of its own, since it wants newer libraries of AWS than s3fs.
    """
    packages = {"core": "", STORE: "s3"}
    interpreter = str(_installed(bench, "longshore-bucket", packages) / "python")
    server = str(bench.environments.programs("moto", ["moto[s3,server]==5.*"]) / "python")
    return lambda folder: Invocation(argv=(interpreter, str(script), *words, server), folder=folder, env=variables())


def terminal_probe(bench: Bench, script: Path, *words: str) -> Prepare:
    """Execute a script of ours that looks at a terminal, by a Python with what full screens need."""
    interpreter = str(_installed(bench, "longshore-terminal", {"core": "call", "cli": "watch"}) / "python")
    return lambda folder: Invocation(argv=(interpreter, str(script), *words), folder=folder, env=_own_state(folder))


def airflow_probe(bench: Bench, script: Path) -> Prepare:
    """Execute a script of ours in an Airflow, of the versions that it was seen to work with."""
    constraints = bench.checkout / "packages" / AIRFLOW / "constraints.txt"
    packages = {"core": "call", "cli": "", AIRFLOW: ""}
    interpreter = str(_installed(bench, "longshore-airflow", packages, "-c", str(constraints)) / "python")
    return lambda folder: Invocation(argv=(interpreter, str(script)), folder=folder, env=_own_state(folder))


def _own_state(folder: Path) -> dict[str, str]:
    """Share nothing with anybody's real runs that a user keeps for all projects."""
    return variables(XDG_STATE_HOME=str(folder / "home"), XDG_CONFIG_HOME=str(folder / "home"))


def _installed(bench: Bench, name: str, packages: Mapping[str, str], *others: str) -> Path:
    """Install packages of the checkout, each with its extras, and others."""
    sources = {bench.checkout / "packages" / package: extras for package, extras in packages.items()}
    if missing := [folder for folder in sources if not (folder / "pyproject.toml").exists()]:
        raise NotMeasured(f"there is no package in {missing[0]}")
    wanted = [f"{folder}[{extras}]" if extras else str(folder) for folder, extras in sources.items()]
    return bench.environments.programs(name, [*wanted, *others], fingerprint=fingerprint_of(list(sources)))


def runner(bench: Bench, graph: Graph, *, cached: bool = False) -> Prepare:
    """Run a graph of shell tasks, two at a time; `cached` lets it leave out what is up to date."""
    text = _toml(graph)
    options = ("--new",) if cached else ("--new", "--no-cache")
    return _command(bench, {"longshore.toml": text}, "run", *options, "-q", "-j", AT_ONCE)


def diamond(bench: Bench) -> Prepare:
    """Run four tasks that find each other by `workflow:///`."""
    return _command(bench, {"longshore.toml": _DIAMOND}, "run", "--new", "--no-cache", "-q", "-j", AT_ONCE)


def plan_from_toml(bench: Bench, tasks: int) -> Prepare:
    """Plan one for_each."""
    text = f'name = "plan"\n\n[tasks.job]\nfor_each.i = {{ range = [1, {tasks}] }}\ncommand = "/bin/true"\n'
    return _command(bench, {"longshore.toml": text}, "plan", "-q")


def plan_from_python(bench: Bench, tasks: int) -> Prepare:
    """Plan as many tasks, added one by one."""
    return _command(bench, {"plan.py": _PLAN_IN_PYTHON.format(tasks=tasks)}, "plan", "plan.py", "-q")


def calls(bench: Bench, number: int) -> Prepare:
    """Make as many Python calls, each a task of its own."""
    files = {"noop.py": _NOOP, "calls.py": _CALLS.format(calls=number)}
    return _command(bench, files, "run", "calls.py", "--new", "--no-cache", "-q", "-j", AT_ONCE)


def unfinished(bench: Bench, tasks: int) -> Prepare:
    """Run many tasks and then one that waits for the file `gate`; it makes the file `waiting` when it has started."""

    def prepare(folder: Path) -> Invocation:
        files = {
            "longshore.toml": _UNFINISHED.format(tasks=tasks, folder=folder),
            "wait.sh": _WAIT.format(folder=folder),
        }
        return _command(bench, files, "run", "--new", "--no-cache", "-q", "-j", AT_ONCE)(folder)

    return prepare


def resume(bench: Bench) -> Prepare:
    """Continue the latest run of a folder."""
    return _command(bench, {}, "resume", "-q")


def status(bench: Bench) -> Prepare:
    """Show the latest run of a folder."""
    return _command(bench, {}, "status")


def report(bench: Bench) -> Prepare:
    """Write the report of the latest run of a folder into its folder `REPORT`."""
    return _command(bench, {}, "report", "--to", REPORT)


def sleeping(bench: Bench, seconds: int) -> Prepare:
    """Run one task that sleeps."""
    files = {"longshore.toml": _SLEEP.format(seconds=seconds)}
    return _command(bench, files, "run", "--new", "--no-cache", "-q")


def show_help(bench: Bench) -> Prepare:
    """Print the help of the command."""
    return _command(bench, {}, "--help")


def python(bench: Bench, statement: str) -> Prepare:
    """Start the Python that Longshore is installed for, and execute one statement."""
    interpreter = str(programs(bench) / "python")
    return lambda folder: Invocation(argv=(interpreter, "-c", statement), folder=folder, env=variables())


def probe(bench: Bench, script: Path, *words: str, plugin: str = "") -> Prepare:
    """Execute a script of ours by the Python that Longshore is installed for."""
    interpreter = str(programs(bench, plugin) / "python")
    return lambda folder: Invocation(argv=(interpreter, str(script), *words), folder=folder, env=variables())


def simulation(bench: Bench, strategy: str, tasks: int, machines: int, *, plugin: str = "") -> Prepare:
    """Play a run of tasks of three sizes, each of another length between 10 s and 10 min."""
    counts = {"small": tasks - 2 * (tasks // 3), "middle": tasks // 3, "large": tasks // 3}
    dice = random.Random(1)
    lines = [
        f"{name}[i={number}],{dice.uniform(10, 600):.3f}"
        for name, count in counts.items()
        for number in range(1, count + 1)
    ]
    files = {"longshore.toml": _SIZES.format(**counts), "durations.csv": "\n".join(lines)}
    words = ("--strategy", strategy, "--durations", "durations.csv", "--machine", f"cpus = 16, count = {machines}")
    return _command(bench, files, "plan", *words, plugin=plugin)


def far(bench: Bench, tasks: str, *words: str, hosts: int = 1) -> Prepare:
    """Give a command about tasks on hosts of two cores; the file `ssh_config` in the folder says where these are."""
    names = ", ".join(f'{{ host = "h{number}", cpus = 2 }}' for number in range(1, hosts + 1))
    text = f'name = "far"\n\n[pools.far]\nexecutor = "ssh"\nhosts = [{names}]\n\n{tasks}'
    made = _command(bench, {"longshore.toml": text}, *words, plugin=SSH)

    def prepare(folder: Path) -> Invocation:
        command = made(folder)
        home = folder / "home"
        (home / ".ssh").mkdir(exist_ok=True)
        (home / ".ssh" / "config").write_text((folder / "ssh_config").read_text())
        return replace(command, env={**command.env, "HOME": str(home)})

    return prepare


def far_run(bench: Bench, tasks: str, *, hosts: int = 1) -> Prepare:
    """Run tasks on hosts."""
    return far(bench, tasks, "run", "--new", "--no-cache", "-q", hosts=hosts)


def far_away(bench: Bench, tasks: int, *words: str) -> Prepare:
    """Give a command about a run of many tasks and one that sleeps, all where the run's controller is."""
    return far(bench, _AWAY.format(tasks=tasks), *words)


def cluster_programs(bench: Bench) -> Path:
    """Give the folder of programs of an environment that has what the stand-in for a cluster needs, too."""
    return _installed(bench, "longshore-k8s", {"core": "call", "cli": "", K8S: ""}, "kubernetes-validate", "trustme")


def pool_of_pods(kubeconfig: Path, options: str, tasks: str) -> str:
    """Write a workflow of tasks on a cluster."""
    pool = f'[pools.cluster]\nexecutor = "k8s"\nkubeconfig = "{kubeconfig}"\nimage = "busybox:1.35.0"\n{options}\n'
    return f'name = "pods"\n\n{pool}\n{tasks}'


def cluster_run(bench: Bench, text: str) -> Prepare:
    """Run a workflow on a cluster."""
    return _command(bench, {"longshore.toml": text}, "run", "--new", "--no-cache", "-q", folder=cluster_programs(bench))


def staging_seconds(folder: Path, first: str, second: str, *, after: str = "") -> tuple[float, float]:
    """Read in the journal of a folder's one run how long it took until the inputs of a task were on its host, the link
    to it and digests included (or only since the end of the task ``after``), and how long until the command of a later
    one that reads the same had begun.
    """
    events = _journal(folder)
    begun = next(
        at
        for kind, at, body in events
        if (kind == "AttemptEnded" and body["task"] == after if after else kind == "RunContinued")
    )
    staged = next(at for kind, at, body in events if kind == "InputsStaged" and body["task"] == first)
    intended = next(at for kind, at, body in events if kind == "AttemptIntended" and body["task"] == second)
    started = next(body["started_at"] for kind, _, body in events if kind == "AttemptEnded" and body["task"] == second)
    return staged - begun, started - intended


def executing_seconds(folder: Path) -> float:
    """Read in the journal of a folder's one run how long its tasks took in all, on a machine that was there."""
    events = _journal(folder)
    intended = next(at for kind, at, _ in events if kind == "AttemptIntended")
    return max(at for kind, at, _ in events if kind == "AttemptEnded") - intended


def _journal(folder: Path) -> list[tuple[str, float, dict[str, Any]]]:
    [journal] = folder.glob(".longshore/runs/*/run.db")
    with closing(sqlite3.connect(journal)) as database:
        rows = database.execute("SELECT kind, at, body FROM events ORDER BY seq").fetchall()
    return [(kind, at, json.loads(body)) for kind, at, body in rows]


def _command(bench: Bench, files: dict[str, str], *words: str, plugin: str = "", folder: Path | None = None) -> Prepare:
    installed = folder or programs(bench, plugin)

    def prepare(folder: Path) -> Invocation:
        for name, text in files.items():
            (folder / name).write_text(text)
        # What a user keeps for all projects (settings, ledger, slots) must not be shared with anybody's real runs.
        home = folder / "home"
        home.mkdir(exist_ok=True)
        env = variables(
            PATH=f"{installed}:{variables()['PATH']}",
            VIRTUAL_ENV=str(installed.parent),
            XDG_STATE_HOME=str(home),
            XDG_CONFIG_HOME=str(home),
        )
        return Invocation(argv=(str(installed / "longshore"), *words), folder=folder, env=env)

    return prepare


def _toml(graph: Graph) -> str:
    """Give a fan as one for_each, and any other graph as one table for each task."""
    if not graph.has_edges:
        body = f"for_each.i = {{ range = [1, {len(graph.jobs)}] }}\n"
        command = (
            'command = "touch done.txt"\noutputs = ["done.txt"]\n'
            if graph.writes
            else _line(graph.program.format(name="$i"))
        )
        return f'name = "bench"\n\n[tasks.job]\n{body}{command}'
    tables = ['name = "bench"\n']
    for job in graph.jobs:
        after = ", ".join(f'"{above}"' for above in job.after)
        tables.append(f"[tasks.{job.name}]\n{_line(graph.command(job))}after = [{after}]\n")
    return "\n".join(tables)


def _line(command: str) -> str:
    return f'command = "{command}"\n'
