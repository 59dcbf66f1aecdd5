"""Projects of other systems become workflows that plan cleanly, and what was not carried over is said."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.config.toml_text import workflow_text
from longshore.errors import ConfigError
from longshore_cli.imports.plain_yaml import read_yaml

from .harness import Project

CONFIG = """
from datetime import timedelta
import os

raise SystemExit("this is never executed")
where = "eu-west-" + "3"
files = ["uploaded.txt"]
config = {
    "project": "my test",
    "profile": os.environ["PROFILE"],
    "debug": 2,
    "auto_stop": False,
    "job_assign": "multi_knapsack",
    "strange": 1,
    "instances": [{
        "region": where, "cloud_id": None, "img_id": "ami-077fd75cd229c811b", "img_username": "ubuntu",
        "type": "m5.8xlarge", "cpus": 40, "disk_size": 100, "eco": True, "eco_life": timedelta(hours=2),
        "max_bid": "0.5", "number": 1, "explode": True,
    }],
    "environments": [{"name": None, "command": "setup.sh", "env_aptget": ["gdal-bin"], "env_pypi": ["numpy"],
                      "env_conda": ["gdal=3.9"], "env_conda_channels": ["conda-forge"], "env_julia": "CSV"}],
    "jobs": [
        {"run_script": "code/fit.py 1 10", "upload_files": files, "input_file": "gone.dat",
         "output_file": "out.dat", "repeat": 2, "cpus_req": 3},
        {"run_command": "sort 'a b.txt' > sorted", "output_files": ["sorted"]},
        {"run_script": "model.R"},
        {},
    ],
}
"""


def written(project: Project, name: str = "longshore.toml") -> dict[str, Any]:
    return tomllib.loads((project.folder / name).read_text())


def test_a_configuration_of_cloudsend_is_read_and_not_executed(project: Project) -> None:
    for name in ("setup.sh", "code/fit.py", "code/uploaded.txt", "a b.txt"):
        project.write("", name)
    project.write(CONFIG, "config.py")

    told = project.call("import", "cloudsend", "config.py").err

    assert written(project) == {
        "name": "my-test",
        "project": "my-test",
        "pools": {
            "cloud": {
                "provider": "aws",
                "executor": "ssh",
                "type": "m5.8xlarge",
                "spot": True,
                "needs": {"cpus": 40},
                "explode": True,
                "max_price": "0.5 USD",
                "lifetime": "2 h",
                "when_idle": "keep",
            }
        },
        "providers": {
            "aws": {
                "regions": ["eu-west-3"],
                "image": "ami-077fd75cd229c811b",
                "user": "ubuntu",
                "disk": {"gib": 100},
            }
        },
        "environments": {
            "default": {
                "before": "setup.sh",
                "apt": ["gdal-bin"],
                "conda": ["gdal=3.9"],
                "channels": ["conda-forge"],
                "pip": ["numpy"],
                "julia": ["CSV"],
            }
        },
        "tasks": {
            "fit": {
                "command": "cd code && python3 fit.py 1 10",
                "inputs": ["code/fit.py", "code/uploaded.txt"],
                "outputs": ["code/out.dat"],
                "needs": {"cpus": 3},
                "repeat": 2,
            },
            "sort": {"command": "sort 'a b.txt' > sorted", "outputs": ["sorted"]},
        },
    }
    for remark in (
        "config.profile is computed in line 10 (os.environ['PROFILE'])",
        "debug was left out",
        "strange is no setting that is known",
        'strategy = "knapsack" packs them',
        "the input code/gone.dat of fit was left out: there is no such file",
        "job 3 was left out: 'model.R' is no script of Python or Julia",
        "job 4 was left out: it has neither run_script nor run_command",
    ):
        assert remark in told
        assert remark.split("(")[0] in (project.folder / "longshore.toml").read_text().replace("\n#   ", " ")


def test_what_cloudsend_ran_here_runs_here(project: Project) -> None:
    project.write("import sys; open('out.dat', 'w').write(open('in.txt').read() + sys.argv[1])", "code/fit.py")
    project.write("data ", "code/in.txt")
    job = {"run_script": "code/fit.py 7", "input_file": "in.txt", "output_file": "out.dat"}
    project.write(json.dumps({"project": "p", "jobs": [job]}), "config.json")

    project.call("import", "cloudsend", "config.json", "-q")
    project.call("plan")
    project.call("run")

    assert (project.folder / "results/latest/fit/code/out.dat").read_text() == "data 7"


def test_a_script_beside_the_configuration_is_started_by_its_interpreter(project: Project) -> None:
    project.write("import sys; open('o.txt', 'w').write(sys.argv[1])", "fit.py")
    project.write("config = {'jobs': [{'run_script': 'fit.py 7', 'output_file': 'o.txt'}]}", "config.py")

    project.call("import", "cloudsend", "config.py", "-q")
    project.call("run")

    assert written(project)["tasks"] == {"fit": {"script": "fit.py 7", "inputs": ["fit.py"], "outputs": ["o.txt"]}}
    assert (project.folder / "results/latest/fit/o.txt").read_text() == "7"


def test_environments_of_this_computer_are_carried_over_as_such_and_other_folders_are_not(project: Project) -> None:
    for name in ("venv/bin/python", "empty/x", "env.yml"):
        project.write("name: x", name)
    environments = [
        {"name": "one", "env_pypi": "empty"},
        {"name": "two", "env_conda": "env.yml", "env_pypi": ["numpy"]},
        {"name": "three", "env_conda": "gone.yml", "command": "a b.sh"},
    ]
    jobs = [
        {"run_command": "true", "env_name": "two", "output_files": ["../x", "y"]},
        {"run_command": "false", "env_name": "none"},
    ]
    project.write(json.dumps({"environments": environments, "jobs": jobs}), "config.json")

    remarks = project.call("import", "cloudsend", "config.json", "--json").json["remarks"]

    assert written(project)["environments"] == {"two": {"conda": "env.yml", "pip": ["numpy"]}}
    assert written(project)["tasks"]["true"] == {"command": "true", "outputs": ["y"], "environment": "two"}
    assert any("an output of true was left out: the path '../x' leads out" in each for each in remarks)
    assert any("env_pypi of one was left out: empty is no environment" in each for each in remarks)
    assert any("false names the environment 'none', which there is not" in each for each in remarks)
    assert any("its file has a space in its name" in each for each in remarks)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("config = {", "config.py:1"),
        ("x = 1", "there is no 'config' at the top"),
        ("config = make()", "is not written down as a table in line 1"),
        ("config = 3", "is no table"),
        ("config = {'jobs': []}", "there are no jobs"),
        ("config = {'jobs': [{}]}", "has no tasks"),
        ("config = " + "[" * 5000 + "]" * 5000, "not Python"),
        ("\0", "config.py"),
    ],
)
def test_what_is_no_configuration_is_refused_in_words_and_nothing_is_written(
    project: Project, text: str, says: str
) -> None:
    project.write(text, "config.py")

    refused = project.call("import", "cloudsend", "config.py", code=2).err

    assert says in refused
    assert "Traceback" not in refused
    assert not (project.folder / "longshore.toml").exists()


DIAMOND = {
    "name": "Data Flow",
    "id": 7,
    "host": "laptop",
    "tasks": {
        "A": {"type": "batch", "nexts": ["B", "C"], "prevs": [], "command": "mkdir output; echo a > output/f1.txt"},
        "B b": {"type": "batch", "prevs": ["A"], "command": "cat workflow:///A/output/f1.txt > f2.txt"},
        "C": {"type": "SLURM", "prevs": ["A"], "command": "cat 'workflow:///A/output/f1.txt' > f2.txt"},
        "D": {"type": "batch", "command": "cat workflow:///B b/f2.txt"},
        "E": {"type": "batch", "prevs": ["C", "gone"], "command": "cat workflow:///C/f2.txt >> all.txt"},
        "W": {"type": "web", "prevs": ["E"], "command": None},
    },
}


def test_a_workflow_of_dagonstar_runs_with_the_references_that_it_has(project: Project) -> None:
    tasks = {name: words for name, words in DIAMOND["tasks"].items() if name != "D"}  # type: ignore[attr-defined]
    project.write(json.dumps({**DIAMOND, "tasks": tasks}), "w.json")

    remarks = project.call("import", "dagonstar", "w.json", "--json").json["remarks"]
    project.call("plan")
    run = project.call("run", "--json", code=1).json

    assert written(project)["tasks"]["E"] == {
        "command": "cat workflow:///C/f2.txt >> all.txt",
        "outputs": ["all.txt"],
    }
    assert [failed["task"] for failed in run["failed"]] == ["W"], "what has no command fails, and says so"
    assert (project.folder / "results/latest/E/all.txt").read_text() == "a\n"
    assert "C is of the type 'SLURM'; it runs where its pool is, by default here" in remarks
    assert "E waits for 'gone', which there is not; that was left out" in remarks
    assert any(remark.startswith("W is of the type 'web', which has no command") for remark in remarks)


@pytest.mark.parametrize(
    ("text", "says"), [("[", "not JSON"), ("[]", "there are no tasks"), ('{"tasks": {}}', "there are no tasks")]
)
def test_what_is_no_workflow_of_dagonstar_is_refused(project: Project, text: str, says: str) -> None:
    project.write(text, "w.json")

    assert says in project.call("import", "dagonstar", "w.json", code=2).err


GISMO = {
    "config.yaml": """
data_bucket: pv.insight   # where
file_pattern: "*.csv"
process_column_keywords: "^Pow"
acccepted_idle_time: 360
repeat_number_per_round: 2
saved_bucket: mine
filename:
  saved_data: saved.csv
  logs_data: logs.csv
solver_name: MOSEK
solver_lic_file_local_source: licence/mosek.lic
""",
    "entrypoint.py": "raise SystemExit('never executed')\ndef entrypoint(data_bucket, curr_process_file): ...\n",
    "requirements.txt": "numpy\nFlask==2.0\n",
    "Dockerfile": "FROM python:3.8\nRUN apt-get update && \\\n    apt-get install -y gcc libblas-dev && true\n",
    "licence/mosek.lic": "secret",
    "tools/helper.py": "",
    ".env": "AWS_SECRET_ACCESS_KEY=x",
}


def test_a_project_of_gismo_becomes_a_task_for_each_file_and_column(project: Project) -> None:
    for name, content in GISMO.items():
        project.write(content, f"pv/{name}")

    told = project.call("import", "gismo", "pv").err

    assert written(project, "pv/longshore.toml") == {
        "name": "pv",
        "environments": {"project": {"apt": ["gcc", "libblas-dev"], "pip": "requirements.txt"}},
        "tasks": {
            "process": {
                "command": "python3 call_entrypoint.py",
                "for_each": {
                    "file": {"glob": "s3://pv.insight/**/*.csv"},
                    "column": {"columns_of": "file", "matching": "^Pow"},
                },
                "env": {"DATA_BUCKET": "pv.insight", "SOLVER_NAME": "MOSEK", "SOLVER_FILE": "mosek.lic"},
                "inputs": ["call_entrypoint.py", "entrypoint.py", "tools"],
                "outputs": ["result.json"],
                "collect": "saved.csv",
                "secrets": {"mosek.lic": {"file": "licence/mosek.lic"}},
            }
        },
    }
    assert "AWS_SECRET_ACCESS_KEY=x" not in told + (project.folder / "pv" / "longshore.toml").read_text()
    for remark in ("`longshore run --repeat 2`", "flask", "the right to do so", "python:3.8", "acccepted_idle_time"):
        assert remark in told


def test_the_function_of_a_gismo_project_is_called_with_the_arguments_that_it_takes(project: Project) -> None:
    body = "def entrypoint(data_bucket, curr_process_file, curr_process_column, solver_name):\n"
    files = {**GISMO, "entrypoint.py": f"{body}    return dict(locals())\n", "requirements.txt": ""}
    for name, content in files.items():
        project.write(content, f"pv/{name}")
    project.call("import", "gismo", "pv")
    flow = written(project, "pv/longshore.toml")
    flow["tasks"]["process"]["for_each"] = {"file": ["a/b.csv"], "column": ["Power"]}
    project.write(workflow_text({key: flow[key] for key in ("name", "tasks")}), "pv/longshore.toml")

    project.call("run", "pv")

    assert (project.folder / "pv/results/latest/process/saved.csv").read_text().splitlines() == [
        "file,column,data_bucket,curr_process_file,curr_process_column,solver_name",
        "a/b.csv,Power,pv.insight,a/b.csv,Power,MOSEK",
    ]


def test_a_folder_that_is_no_project_of_gismo_is_refused(project: Project) -> None:
    project.write(GISMO["config.yaml"], "pv/config.yaml")

    assert "entrypoint.py" in project.call("import", "gismo", "pv", code=2).err
    project.write("def other(): ...", "pv/entrypoint.py")
    assert "there is other" in project.call("import", "gismo", "pv", code=2).err


def test_words_that_do_not_go_together_are_refused(project: Project) -> None:
    project.write("{}", "w.json")

    assert "wfformat only" in project.call("import", "dagonstar", "w.json", "--compute", code=2).err
    assert "leave --to out" in project.call("import", "cloudsend", "w.json", "--to", "x", code=2).err
    assert "is a folder" in project.call("import", "dagonstar", ".", code=2).err


def test_plain_yaml_is_read_with_its_types() -> None:
    text = """---
# settings
name: "a: b" # more
pattern: ^Pow
count: 3
ratio: -1.5
flag: False
nothing:
files:
  - a.csv
  - 'it''s'
inline: [1, two]
nested:
  one: 1
  two:
  - x
last: a b c
"""
    assert read_yaml(text, "c.yaml") == {
        "name": "a: b",
        "pattern": "^Pow",
        "count": 3,
        "ratio": -1.5,
        "flag": False,
        "nothing": None,
        "files": ["a.csv", "it's"],
        "inline": [1, "two"],
        "nested": {"one": 1, "two": ["x"]},
        "last": "a b c",
    }


@pytest.mark.parametrize(
    "line", ["a: &anchor 1", "a: *b", "a: |", "a: {b: c}", "a", "a: [[1]]", "  b: 1\na: 1", "a: 1\na: 2", "? a"]
)
def test_yaml_that_is_more_than_plain_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(ConfigError, match="more than is read of YAML here"):
        read_yaml(f"first: 1\n{line}\n" if not line.startswith(" ") else line, "c.yaml")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PLAIN: st.SearchStrategy[Any] = st.recursive(
    TEXT | st.integers(-(2**60), 2**60) | st.booleans() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(
    name=TEXT,
    params=st.dictionaries(TEXT, TEXT, max_size=2),
    tasks=st.dictionaries(TEXT, st.dictionaries(TEXT, PLAIN, max_size=3), max_size=3),
    remarks=st.lists(TEXT, max_size=2),
)
def test_what_is_written_as_a_workflow_file_is_read_back_the_same(
    name: str, params: dict[str, str], tasks: dict[str, Any], remarks: list[str]
) -> None:
    raw = {"name": name, "tasks": tasks} | ({"params": params} if params else {})

    read = tomllib.loads(workflow_text(raw, remarks))

    assert {"tasks": {}, **read} == raw
