"""Package managers beside pip: what they are asked for, in which order, and what is said when they fail.

Conda and Julia have servers that no test reaches, so small programs stand in for them and record their calls.
"""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.config.environments import environment, read_environment
from longshore.config.problems import Problems
from longshore.model.environment import EnvironmentSpec

from .standins import APT, DPKG_QUERY, JULIA, MICROMAMBA, SECONDS, archive, build, calls, program, served, steps

Spec = Callable[..., EnvironmentSpec]


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A computer with package managers that record what they are asked for."""
    for name, text in {
        "micromamba": MICROMAMBA,
        "julia": JULIA,
        "apt-get": APT,
        "dpkg-query": DPKG_QUERY,
        "sudo": '#!/bin/sh\nshift\nexec "$@"\n',
    }.items():
        program(tmp_path / "bin", name, text)
    return tmp_path


def spec(folder: Path, **words: Any) -> EnvironmentSpec:
    """Read an environment as it stands in a workflow file of a folder."""
    problems = Problems(lambda _: "")
    read = read_environment(environment("sci", words), folder, problems)
    problems.check()
    return read


# --- conda


def test_conda_is_asked_for_packages_of_its_channels_and_what_it_brings_is_found(machine: Path) -> None:
    wanted = spec(
        machine, conda=["gdal=3.9", "numpy >=2"], channels=["conda-forge", "bioconda"], after="gdalinfo > $CALLS.out"
    )

    told = build(machine, wanted)

    prefix = machine / "cache" / "environments" / told["key"] / "conda"
    (call,) = calls(machine)
    assert call.startswith(f"micromamba create --yes --quiet --prefix {prefix} ")
    assert call.endswith(" --channel conda-forge --channel bioconda gdal=3.9 numpy >=2")
    assert (machine / "calls.out").read_text() == "gdal of conda\n"
    assert told["locks"] == {"conda.txt": "@EXPLICIT\nhttps://c/linux-64/gdal-3.9-0.conda#ab12\n"}
    assert told["python"] == platform.python_version()


def test_a_file_for_conda_is_given_to_it_without_what_is_this_computers_own(machine: Path) -> None:
    text = "name: mine  # here\nchannels: [conda-forge]\ndependencies:\n  - gdal  # maps\nprefix: /home/me/sci\n"
    (machine / "environment.yml").write_text(text)

    build(machine, spec(machine, conda="environment.yml"))

    assert calls(machine)[1:] == ["channels: [conda-forge]", "dependencies:", "  - gdal"]


def test_what_conda_has_installed_can_be_installed_again_from_its_lock(machine: Path) -> None:
    lock = build(machine, spec(machine, conda=["gdal"]))["locks"]["conda.txt"]
    (machine / "sci.conda.txt").write_text(lock)

    again = build(machine, spec(machine, conda="sci.conda.txt"))

    assert calls(machine)[2:] == lock.splitlines()
    assert again["locks"]["conda.txt"] == lock


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("nosuch", "conda: nosuch\nexit code 1"), ("clash=2", "conda: clash=2\nexit code 1")],
)
def test_a_package_that_conda_cannot_have_is_named(machine: Path, wanted: str, says: str) -> None:
    told = build(machine, spec(machine, conda=["gdal", wanted]))

    assert told["failure"] == "environment"
    assert told["evidence"].startswith(says)
    assert "libmamba" in told["evidence"], "its own words are kept"


def test_micromamba_is_fetched_once_where_it_is_not(machine: Path) -> None:
    (machine / "bin" / "micromamba").unlink()
    kind = {"x86_64": "64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    archive(machine / "web" / f"linux-{kind}" / "latest", "micromamba", MICROMAMBA)

    with served(machine / "web") as (url, asked):
        for package in ("gdal", "proj"):
            told = build(machine, spec(machine, conda=[package]), {"LONGSHORE_MICROMAMBA_URL": url})
            assert told["locks"]["conda.txt"], told

    assert asked == [f"/linux-{kind}/latest"]


def test_without_a_network_that_is_said(machine: Path) -> None:
    (machine / "bin" / "micromamba").unlink()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        told = build(machine, spec(machine, conda=["gdal"]), {"LONGSHORE_MICROMAMBA_URL": url})

    assert told["failure"] == "environment"
    assert "cannot be fetched" in told["evidence"]
    assert "does this machine reach the network?" in told["evidence"]


def test_pip_without_a_network_says_so(machine: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        index = f"http://127.0.0.1:{closed.getsockname()[1]}/simple"
        told = build(machine, spec(machine, pip=[f"--index-url {index}", "greeting"]), {"PIP_RETRIES": "1"})

    assert told["failure"] == "environment"
    assert told["evidence"].startswith("pip: greeting (this machine does not reach the network)\n"), told["evidence"]


# --- julia


def test_julia_packages_are_added_to_a_project_of_the_environments_own(machine: Path) -> None:
    told = build(machine, spec(machine, julia=["CSV", "DataFrames@1.6"], after='echo "$JULIA_PROJECT" > $CALLS.after'))

    project = machine / "cache" / "environments" / told["key"] / "julia"
    assert calls(machine) == [f"julia --startup-file=no --project={project} CSV DataFrames@1.6"]
    assert (machine / "calls.env").read_text() == f"{project} {project}/depot:\n"
    assert (machine / "calls.after").read_text() == f"{project}\n"
    assert told["locks"] == {"Manifest.toml": "[[deps.CSV]]\n"}


def test_a_project_of_julia_is_taken_as_it_is_with_its_manifest(machine: Path) -> None:
    (machine / "sim").mkdir()
    (machine / "sim" / "Project.toml").write_text("[deps]\n")
    (machine / "sim" / "Manifest.toml").write_text("exact\n")

    wanted = spec(machine, julia="sim/Project.toml")

    assert [(each.name, each.text) for each in wanted.julia_files] == [
        ("sim/Project.toml", "[deps]\n"),
        ("sim/Manifest.toml", "exact\n"),
    ]
    assert build(machine, wanted)["locks"]["Project.toml"] == "[deps]\n"


def test_a_package_that_julia_does_not_know_is_named(machine: Path) -> None:
    told = build(machine, spec(machine, julia=["CSV", "nosuch"]))

    assert told["evidence"].startswith("julia: nosuch\nexit code 1")


@pytest.mark.parametrize("honest", [True, False])
def test_julia_is_fetched_where_it_is_not_and_checked(machine: Path, honest: bool) -> None:
    (machine / "bin" / "julia").unlink()
    machine_name = platform.machine()
    short = "aarch64" if machine_name in ("arm64", "aarch64") else "x64"
    kind = "aarch64" if short == "aarch64" else "x86_64"
    name = f"julia-1.10.10-linux-{kind}.tar.gz"
    digest = archive(machine / "web" / "linux" / short / "1.10" / name, "julia", JULIA)
    (machine / "web" / "checksums").mkdir()
    (machine / "web" / "checksums" / "julia-1.10.10.sha256").write_text(f"{digest if honest else '0' * 64}  {name}\n")

    with served(machine / "web") as (url, _):
        told = build(machine, spec(machine, julia=["CSV"]), {"LONGSHORE_JULIA_URL": url})

    if honest:
        assert told["locks"] == {"Manifest.toml": "[[deps.CSV]]\n"}, told
    else:
        assert "is not what its publisher says" in told["evidence"]


# --- apt


def test_apt_installs_what_is_not_there_and_only_that(machine: Path) -> None:
    (machine / "calls.here").touch()

    told = build(machine, spec(machine, apt=["here", "tool"]))

    assert calls(machine) == ["apt-get install", "install tool"]
    assert told["locks"]["apt.txt"] == "tool=1.0\n"


def test_apt_looks_for_newer_lists_before_it_gives_a_package_up(machine: Path) -> None:
    told = build(machine, spec(machine, apt=["recent"]))

    assert "failure" not in told, told
    assert calls(machine) == ["apt-get install", "apt-get update", "apt-get install", "install recent"]


@pytest.mark.parametrize(
    ("package", "fails", "says"),
    [
        ("nosuch", "", "apt: nosuch\nexit code 100"),
        ("tool", "locked", "apt: E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt)\n"),
        ("tool", "offline", "apt: apt-get install (this machine does not reach the network)\n"),
        ("tool", "untrusted", "apt: apt-get install (this machine does not trust the certificate of the server"),
    ],
)
def test_why_apt_cannot_install_is_said(machine: Path, package: str, fails: str, says: str) -> None:
    told = build(machine, spec(machine, apt=[package]), {"FAILS": fails})

    assert told["failure"] == "environment"
    assert told["evidence"].startswith(says)


@pytest.fixture
def strangers() -> Iterator[Path]:
    """A computer that another user may look into."""
    if os.geteuid() != 0 or not Path("/usr/bin/python3").exists():
        pytest.skip("only root can be somebody else, for whom there must be a Python")
    folder = Path(tempfile.mkdtemp(prefix="longshore-stranger-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_without_rights_it_is_said_what_to_ask_for(strangers: Path) -> None:
    for name, text in {"apt-get": APT, "dpkg-query": DPKG_QUERY, "sudo": "#!/bin/sh\nexit 1\n"}.items():
        program(strangers / "bin", name, text)

    told = build(strangers, spec(strangers, apt=["tool", "other"]), python="/usr/bin/python3", user=65534)

    assert "tool and other are not installed here, and we may not do it" in told["evidence"]
    assert "sudo apt-get install tool other" in told["evidence"]


def test_what_is_installed_already_needs_no_rights(strangers: Path) -> None:
    program(strangers / "bin", "dpkg-query", DPKG_QUERY)
    (strangers / "calls.tool").touch()

    told = build(strangers, spec(strangers, apt=["tool"]), python="/usr/bin/python3", user=65534)

    assert told["locks"] == {"apt.txt": "tool=1.0\n"}, told


def test_the_systems_own_apt_installs_a_package(tmp_path: Path) -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        pytest.skip("only root may install packages, and Debian's only")
    place = Path("/usr/share/javascript/excanvas")  # 45 kilobytes, and nobody else's concern
    if place.exists():
        pytest.skip("it is there already")

    wanted = spec(tmp_path, apt=["libjs-excanvas"], after=f"test -e {place}")
    told = build(tmp_path, wanted, {"LONGSHORE_APT_LOCK_SECONDS": "40"})

    if "failure" in told and any(each in told["evidence"] for each in ("reach the network", "Could not get lock")):
        pytest.skip(told["evidence"])
    try:
        assert "failure" not in told, told
        assert told["locks"]["apt.txt"].startswith("libjs-excanvas=")
    finally:
        subprocess.run(["dpkg", "--remove", "libjs-excanvas"], capture_output=True, timeout=SECONDS, check=False)


# --- all together


def test_the_steps_have_their_order_and_pip_goes_on_with_the_python_of_conda(machine: Path) -> None:
    log = 'echo {} >> "$CALLS"'
    wanted = spec(
        machine,
        after=log.format("after"),
        julia=["CSV"],
        pip=["--no-index"],
        conda=["gdal"],
        apt=["tool"],
        before=log.format("before"),
    )

    told = build(machine, wanted)

    assert "failure" not in told, told
    assert steps(told["printed"]) == ["before", "apt", "conda", "Python", "pip", "julia", "after"]
    assert [line.split()[0] for line in calls(machine)] == [
        "before",
        "apt-get",
        "install",
        "micromamba",
        "julia",
        "after",
    ]
    assert f"Python: {machine}/cache/environments/{told['key']}/conda/bin/python" in told["printed"]


def test_an_environment_of_conda_is_found_again_by_the_next_build(machine: Path) -> None:
    first, second = (build(machine, spec(machine, conda=["gdal"])) for _ in range(2))

    assert second["reused"]
    assert (second["key"], second["locks"]) == (first["key"], first["locks"])
    assert len(calls(machine)) == 1
