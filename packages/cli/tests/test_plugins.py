"""`longshore plugins`: contracts from the command line, packages to begin with, and a third party's plugin at work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .harness import SECONDS, Project

EXAMPLES = Path(__file__).parents[3] / "examples"
EXAMPLE = EXAMPLES / "plugin-example"


def install(project: Project, package: Path) -> None:
    """Install a package for this project's environment alone."""
    target = project.folder.parent / "plugins"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check"]
    done = subprocess.run(
        [*pip, "--target", str(target), str(package)], capture_output=True, text=True, timeout=5 * SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    project.env["PYTHONPATH"] = str(target)


def own_tests(project: Project, package: Path) -> str:
    """Run a package's own tests, as its author would."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(package)]
    done = subprocess.run(
        [*command, "-c", str(package / "pyproject.toml"), str(package / "tests")],
        cwd=project.folder,
        env=project.env,
        capture_output=True,
        text=True,
        timeout=5 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_good_strategy_passes_its_contract(project: Project) -> None:
    document = project.call("plugins", "check", "spread", "--json").json
    assert (document["role"], document["name"], document["failed"], document["skipped"]) == ("strategy", "spread", 0, 0)
    assert {each["law"] for each in document["laws"]} == {f"S{number}" for number in range(1, 8)}


def test_a_broken_law_is_named_unless_it_is_declared(project: Project) -> None:
    shown = project.call("plugins", "check", "strategy.first-fit", code=1).out
    assert "S6   broken" in shown
    assert "others were chosen" in shown
    declared = project.call("plugins", "check", "first-fit", "--without", "S6").out
    assert "S6   skipped" in declared


def test_an_executor_is_checked_with_options(project: Project) -> None:
    document = project.call("plugins", "check", "local", "--option", "cpus=4", "--json").json
    assert document["failed"] == 0
    assert {"E1", "E2", "E3", "E5", "E6", "E7", "E10"} <= {
        each["law"] for each in document["laws"] if each["outcome"] == "passed"
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sprad"], "no plugin 'sprad' is installed"),
        (["strategy.sprad"], "did you mean spread"),
        (["observer.x"], "subclass it from longshore.testing"),
        (["spread", "--without", "E1"], "no law E1"),
        (["local", "--option", "cpus"], "write KEY=VALUE"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_line(project: Project, words: list[str], said: str) -> None:
    assert said in project.call("plugins", "check", *words, code=2).err


def test_a_name_that_several_plugins_have_is_asked_for_with_its_role(project: Project) -> None:
    pytest.importorskip("longshore_sandbox", reason="longshore-sandbox is not installed here")

    said = project.call("plugins", "check", "sandbox", code=2).err

    assert "2 plugins are called 'sandbox'" in said
    assert "`longshore plugins check executor.sandbox` or `longshore plugins check provider.sandbox`" in said


@pytest.mark.parametrize("kind", ["executor", "provider", "store", "strategy"])
def test_a_new_plugin_passes_its_contract_as_it_is_written(project: Project, kind: str) -> None:
    project.call("plugins", "new", kind, f"my-{kind}")
    package = project.folder / f"longshore-my-{kind}"
    install(project, package)

    assert " passed" in own_tests(project, package)
    assert f"my-{kind}" in project.call("plugins", "--check").out
    where = [f"--url=my-{kind}://here", f"--option=folder={project.folder}/store"] if kind == "store" else []
    assert project.call("plugins", "check", f"{kind}.my-{kind}", *where, "--json").json["failed"] == 0


def test_a_new_plugin_is_never_written_over_another(project: Project) -> None:
    project.call("plugins", "new", "store", "mine")
    assert "exists already" in project.call("plugins", "new", "store", "mine", code=2).err
    assert "cannot be a plugin's name" in project.call("plugins", "new", "store", "../Mine", code=2).err


def test_a_third_partys_plugin_is_installed_checked_and_used(project: Project) -> None:
    install(project, EXAMPLE)
    project.write('name = "x"\nstrategy = "tightest"\n[tasks.t]\ncommand = "true"\n')

    assert " passed" in own_tests(project, EXAMPLE)
    assert project.call("plugins", "check", "tightest", "--option", "by=memory", "--json").json["failed"] == 0
    project.call("run")
    assert project.state() == "succeeded"


def test_a_new_provider_is_under_150_lines(project: Project) -> None:
    project.call("plugins", "new", "provider", "mycloud")
    sources = (project.folder / "longshore-mycloud" / "src").rglob("*.py")
    assert len([line for source in sources for line in source.read_text().splitlines() if line.strip()]) < 150


def test_a_third_partys_provider_is_installed_and_checked_by_its_laws(project: Project) -> None:
    example = EXAMPLES / "provider-example"
    install(project, example)

    assert " passed" in own_tests(project, example)
    checked = project.call("plugins", "check", "rack", "--json").json
    assert (checked["role"], checked["failed"]) == ("provider", 0)
    tried = {each["law"] for each in checked["laws"] if each["outcome"] == "passed"}
    assert {*(f"P{number}" for number in range(1, 9)), "Stoppable", "Identity"} <= tried


def test_a_provider_that_breaks_a_law_is_told_by_its_score(project: Project) -> None:
    project.call("plugins", "new", "provider", "leaky")
    package = project.folder / "longshore-leaky"
    code = package / "src" / "longshore_leaky" / "provider.py"
    code.write_text(code.read_text().replace('"ends_at": spec.ends_at.isoformat(),', ""))
    install(project, package)

    shown = project.call("plugins", "check", "leaky", code=1).out

    assert "P7   broken" in re.sub(" +", "   ", shown)
    assert "P1   ok" in re.sub(" +", "   ", shown)


def test_a_provider_without_a_rig_cannot_be_checked_from_outside(project: Project) -> None:
    project.call("plugins", "new", "provider", "closed")
    package = project.folder / "longshore-closed"
    code = package / "src" / "longshore_closed" / "plugin.py"
    code.write_text(code.read_text().replace(" rigs=rigs,", ""))
    install(project, package)

    assert "does not say how it can be tried" in project.call("plugins", "check", "provider.closed", code=2).err


@pytest.mark.parametrize(
    ("method", "body", "said"),
    [
        (
            "offers(self, needs: Needs) -> Sequence[Offer]",
            "raise KeyError('Regions')",
            "law P6: offers raised KeyError",
        ),
        ("offers(self, needs: Needs) -> Sequence[Offer]", "return None", "offers must answer with a list of Offer"),
        ("scope(self) -> Scope", "return 'me'", "scope must answer with Scope"),
    ],
)
def test_a_provider_that_misspeaks_ends_the_run_in_words(project: Project, method: str, body: str, said: str) -> None:
    project.call("plugins", "new", "provider", "bad")
    package = project.folder / "longshore-bad"
    code = package / "src" / "longshore_bad" / "provider.py"
    code.write_text(code.read_text().replace(f"    def {method}:\n", f"    def {method}:\n        {body}\n"))
    install(project, package)
    project.write(
        'name = "x"\nmax_cost = "1 USD"\n[providers.bad]\nowner = "me"\n[pools.p]\nprovider = "bad"\n'
        'executor = "sandbox"\nmachines = { max = 1 }\n[tasks.t]\ncommand = "true"\npool = "p"\n'
    )

    told = project.call("run", code=None)

    assert told.code != 0
    assert "plugin provider.bad of longshore-bad 0.1.0 breaks" in told.err
    assert said in told.err
    assert "Traceback" not in told.err + told.out


def test_a_provider_says_which_rights_it_needs_by_its_own_name(project: Project) -> None:
    package = project.folder / "longshore-mine"
    project.call("plugins", "new", "provider", "mine")
    code = package / "src" / "longshore_mine" / "plugin.py"
    code.write_text(code.read_text().replace("api=", 'policy=lambda config: {"may": ["rent"]}, api='))
    install(project, package)
    assert project.call("mine", "policy").json == {"may": ["rent"]}
    project.write('name = "w"\n[providers.mine]\nnonsense = 1\n')
    refused = project.call("mine", "policy", "--json", code=2)
    assert refused.json["error"]["problems"][0]["key"] == "providers.mine.nonsense"
    project.write('name = "w"\n[providers.cloud]\nplugin = "mine"\nnonsense = 1\n')
    refused = project.call("mine", "policy", "--json", code=2)
    assert refused.json["error"]["problems"][0]["key"] == "providers.cloud.nonsense"
    project.write('name = "w"\n[providers.cloud]\nplugin = "mine"\n[providers.lab]\nplugin = "mine"\n')
    assert "name the plugin mine: cloud, lab; name one of them" in project.call("mine", "policy", code=2).err
    assert project.call("mine", "policy", "--table", "lab").json == {"may": ["rent"]}


def test_a_provider_that_says_nothing_of_rights_is_named(project: Project) -> None:
    assert "sandbox does not say which rights it needs" in project.call("sandbox", "policy", code=2).err
    assert "there is no command 'sandbx'" in project.call("sandbx", "policy", code=2).err
