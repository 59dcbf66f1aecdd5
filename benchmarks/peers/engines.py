"""Workflow engines that read a file of their own: doit, Snakemake, Luigi, Parsl and Prefect.

Each file reads `graph.json`, so that all of them are given the same graph; reading it takes milliseconds.
"""

from __future__ import annotations

from pathlib import Path

from peers.base import CommandLine, Peer, write_graph
from shapes import Graph

_DOIT = """\
import json
from doit.tools import run_once

with open("graph.json") as file:
    GRAPH = json.load(file)

def task_job():
    for name, job in GRAPH.items():
        task = {"name": name, "actions": [job["command"]], "task_dep": [f"job:{above}" for above in job["after"]]}
        if job["command"].startswith("touch "):
            task |= {"targets": [f"done/{name}"], "uptodate": [run_once]}
        yield task
"""

_SNAKEMAKE = """\
import json

with open("graph.json") as file:
    GRAPH = json.load(file)

rule all:
    input: [f"done/{name}" for name in GRAPH]

rule job:
    input: lambda wildcards: [f"done/{above}" for above in GRAPH[wildcards.name]["after"]]
    output: touch("done/{name}")
    params: command=lambda wildcards: GRAPH[wildcards.name]["command"]
    shell: "{params.command}"
"""

# A Luigi task is complete when its output exists, hence the file.
_LUIGI = """\
import json
import luigi
from luigi.contrib.external_program import ExternalProgramTask

with open("graph.json") as file:
    GRAPH = json.load(file)

class Job(ExternalProgramTask):
    name = luigi.Parameter()

    def requires(self):
        return [Job(name=above) for above in GRAPH[self.name]["after"]]

    def program_args(self):
        return GRAPH[self.name]["command"].split()

    def output(self):
        return luigi.LocalTarget(f"done/{self.name}")

    def run(self):
        super().run()
        self.output().open("w").close()

class All(luigi.WrapperTask):
    def requires(self):
        return [Job(name=name) for name in GRAPH]
"""

_PARSL = """\
import json
import parsl
from parsl.config import Config
from parsl.executors import HighThroughputExecutor
from parsl.providers import LocalProvider

with open("graph.json") as file:
    GRAPH = json.load(file)

@parsl.bash_app
def job(command, inputs=()):
    return command

executor = HighThroughputExecutor(
    address="127.0.0.1",
    max_workers_per_node=2,
    provider=LocalProvider(init_blocks=1, max_blocks=1),
)
with parsl.load(Config(executors=[executor], strategy="none", usage_tracking=0)):
    futures = {}
    for name, node in GRAPH.items():
        futures[name] = job(node["command"], inputs=[futures[above] for above in node["after"]])
    for future in futures.values():
        future.result()
"""

_PREFECT = """\
import json
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from prefect_shell import ShellOperation

with open("graph.json") as file:
    GRAPH = json.load(file)

@task
def job(command):
    ShellOperation(commands=[command], stream_output=False).run()

@flow(task_runner=ThreadPoolTaskRunner(max_workers=2))
def run_graph():
    futures = {}
    for name, node in GRAPH.items():
        futures[name] = job.submit(node["command"], wait_for=[futures[above] for above in node["after"]])
    for future in futures.values():
        future.result()

run_graph()
"""


def _doit(graph: Graph, folder: Path) -> CommandLine:
    write_graph(graph, folder)
    (folder / "dodo.py").write_text(_DOIT)
    return CommandLine(argv=("doit", "-n2"))


def _snakemake(*options: str) -> Peer:
    def lay_out(graph: Graph, folder: Path) -> CommandLine:
        write_graph(graph, folder)
        (folder / "Snakefile").write_text(_SNAKEMAKE)
        argv = ("snakemake", "-j2", "--quiet", "all", *options)
        return CommandLine(argv=argv)

    return Peer(
        name="-".join(["snakemake", *options[1:]]),
        label=" ".join(["snakemake -j2", *options]),
        requirements=("snakemake",),
        environment="snakemake",
        most_tasks=1_000,
        lay_out=lay_out,
    )


def _luigi(graph: Graph, folder: Path) -> CommandLine:
    write_graph(graph, folder)
    (folder / "jobs.py").write_text(_LUIGI)
    argv = ("luigi", "--module", "jobs", "All", "--local-scheduler", "--workers", "2", "--log-level", "WARNING")
    return CommandLine(argv=argv, env={"PYTHONPATH": str(folder)})


def _parsl(graph: Graph, folder: Path) -> CommandLine:
    write_graph(graph, folder)
    (folder / "jobs.py").write_text(_PARSL)
    return CommandLine(argv=("python", "jobs.py"))


def _prefect(graph: Graph, folder: Path) -> CommandLine:
    write_graph(graph, folder)
    (folder / "flow.py").write_text(_PREFECT)
    quiet = {
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    return CommandLine(argv=("python", "flow.py"), env=quiet)


DOIT = Peer(name="doit", label="doit -n2", requirements=("doit",), lay_out=_doit)
SNAKEMAKE = _snakemake()
SNAKEMAKE_GREEDY = _snakemake("--scheduler", "greedy")
LUIGI = Peer(name="luigi", label="Luigi, 2 workers", requirements=("luigi",), most_tasks=1_000, lay_out=_luigi)
PARSL = Peer(name="parsl", label="Parsl HTEX, 2 workers", requirements=("parsl",), sees_files=False, lay_out=_parsl)
PREFECT = Peer(
    name="prefect",
    label="Prefect, 2 threads",
    # As resolved without the bound, Prefect meets a FastAPI that lacks what it calls.
    requirements=("prefect", "prefect-shell", "fastapi<0.125"),
    sees_files=False,
    most_tasks=1_000,
    lay_out=_prefect,
)
