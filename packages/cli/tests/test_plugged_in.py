"""Commands that other distributions bring, by real metadata where Python finds it."""

from __future__ import annotations

import pytest

from .harness import Project

COMMAND = """\
import click
from longshore_cli.command import command as subcommand

@subcommand("wave", examples="longshore wave")
def command(invocation):
    \"\"\"Say hello.\"\"\"
    click.echo("hello")
"""


def bring(project: Project, distribution: str, entry: str, code: str = "") -> None:
    """Put a distribution with one entry point where this project's Python finds it."""
    folder = project.folder.parent / "brought"
    project.env["PYTHONPATH"] = str(folder)
    metadata = folder / f"{distribution}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\nSummary: Wave from {distribution}.\n"
    )
    (metadata / "entry_points.txt").write_text(f"[longshore.commands]\n{entry}\n")
    if code:
        (folder / f"{entry.partition('= ')[2].partition(':')[0]}.py").write_text(code)


def test_a_command_that_is_brought_is_listed_and_works_as_the_others_do(project: Project) -> None:
    bring(project, "waving", "wave = waving_command:command", COMMAND)

    assert "Wave from waving." in project.call("--help").out
    assert project.call("wave").out == "hello\n"
    assert "Say hello." in project.call("wave", "--help").out


def test_help_imports_no_command_that_is_brought(project: Project) -> None:
    bring(project, "waving", "wave = waving_command:command", "raise RuntimeError('imported')")

    assert "Wave from waving." in project.call("--help").out


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise RuntimeError('broken')", "waving cannot be used: RuntimeError: broken"),
        ("command = 3", "waving brings something else than a command by wave"),
    ],
)
def test_a_command_that_cannot_be_used_is_named_with_its_distribution(project: Project, code: str, said: str) -> None:
    bring(project, "waving", "wave = waving_command:command", code)

    answer = project.call("wave", code=None)

    assert answer.code != 0
    assert said in answer.err
    assert "Traceback" not in answer.err


def test_two_that_bring_one_command_are_both_named(project: Project) -> None:
    bring(project, "waving", "wave = waving_command:command", COMMAND)
    bring(project, "tides", "wave = tides_command:command", COMMAND)

    answer = project.call("wave", code=None)

    assert answer.code != 0
    assert "waving" in answer.err
    assert "tides" in answer.err


def test_none_of_ours_is_replaced(project: Project) -> None:
    bring(project, "waving", "status = waving_command:command", COMMAND)

    assert "there are no runs" in project.call("status", code=2).err
