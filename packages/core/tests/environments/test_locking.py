"""Environments asked for as they became: equal locks, whatever there is by now."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from longshore.config.environments import environment, read_environment
from longshore.config.locking import exactly
from longshore.config.problems import Problems
from longshore.model.environment import EnvironmentSpec
from longshore.model.environment_events import EnvironmentBuilt

from .standins import APT, DPKG_QUERY, JULIA, MICROMAMBA, build, calls, program
from .things import make_wheel


def read(folder: Path, **words: Any) -> EnvironmentSpec:
    problems = Problems(lambda _: "")
    found = read_environment(environment("sci", words), folder, problems)
    problems.check()
    return found


def built(**told: Any) -> EnvironmentBuilt:
    return EnvironmentBuilt(at=datetime(2026, 1, 2, tzinfo=UTC), environment="sci", number=1, key="k", **told)


def rebuilt(folder: Path, asked: EnvironmentSpec, told: dict[str, Any]) -> tuple[EnvironmentSpec, dict[str, Any]]:
    """Build what an earlier build has told of; give what was asked for, and what came of it."""
    locks = tuple(sorted(told["locks"].items()))
    exact = exactly(asked, built(lock=told["lock"], locks=locks, python=told["python"]))
    return exact, build(folder, exact)


def test_every_package_manager_is_asked_for_what_it_installed(tmp_path: Path) -> None:
    tools = {"micromamba": MICROMAMBA, "julia": JULIA, "apt-get": APT, "dpkg-query": DPKG_QUERY}
    for name, text in {**tools, "sudo": '#!/bin/sh\nshift\nexec "$@"\n'}.items():
        program(tmp_path / "bin", name, text)
    asked = read(
        tmp_path, apt=["tool"], conda=["gdal", "numpy>=2"], channels=["bioconda"], julia=["CSV"], before="echo so"
    )
    told = build(tmp_path, asked)
    before = len(calls(tmp_path))

    exact, again = rebuilt(tmp_path, asked, told)

    assert (again["lock"], again["locks"]["conda.txt"], again["locks"]["Manifest.toml"]) == (
        told["lock"],
        told["locks"]["conda.txt"],
        told["locks"]["Manifest.toml"],
    )
    assert [each.text for each in exact.apt] == ["tool=1.0"]
    assert exact.before == asked.before
    mamba, *rest = calls(tmp_path)[before:]
    assert "--channel" not in mamba
    assert rest[:2] == told["locks"]["conda.txt"].splitlines()
    assert rest[2].split()[-1].startswith("--project="), "a project is taken as it is, and nothing added to it"


def test_pip_installs_the_versions_of_then_though_there_are_newer_ones(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    make_wheel(wheels, "greeting", "1.0")
    asked = read(tmp_path, pip=["--no-index", f"--find-links {wheels}", "greeting>=1"])
    told = build(tmp_path, asked)
    make_wheel(wheels, "greeting", "2.0")

    exact, again = rebuilt(tmp_path, asked, told)

    assert [each.text for each in exact.pip][2:] == ["greeting==1.0"]
    assert exact.python == told["python"].rpartition(".")[0]
    assert again["lock"] == told["lock"]
    assert not again.get("reused")
    assert exactly(asked, built(lock=again["lock"], python=again["python"])).digest == exact.digest


@pytest.mark.parametrize(
    ("words", "told", "part", "wanted"),
    [
        ({"image": "python:3.12"}, {"locks": (("image.txt", "python@sha256:ab\n"),)}, "image", "python@sha256:ab"),
        (
            {"pip": ["numpy==2 --hash=sha256:ab"], "python": "3.11"},
            {"lock": "numpy==2\npip==23\n", "python": "3.11.2"},
            "pip",
            ["numpy==2 --hash=sha256:ab"],
        ),
        (
            {"pip": ["-e git+https://g/a#egg=a", "Setup.Tools", "setuptools"]},
            {"lock": "a @ git+https://g/a@1f\npip==23\nsetuptools==66\n", "python": "3.11.2"},
            "pip",
            ["a @ git+https://g/a@1f", "setuptools==66"],
        ),
        (
            {"conda": ["python=3.12"]},
            {"lock": "extra==1\n", "locks": (("conda.txt", "@EXPLICIT\n"),), "python": "3.12.1"},
            "pip",
            ["extra==1"],
        ),
        ({"pip": ["numpy"], "apt": ["gdal-bin"]}, {"locks": (("apt.txt", ""),)}, "pip", ["numpy"]),
    ],
    ids=["image", "hashes", "editable", "pip of conda", "no lock"],
)
def test_a_lock_takes_the_place_of_what_it_locks(
    tmp_path: Path, words: dict[str, Any], told: dict[str, Any], part: str, wanted: object
) -> None:
    exact = exactly(read(tmp_path, **words), built(**told))

    found = getattr(exact, part)
    assert ([each.text for each in found] if part == "pip" else found) == wanted
