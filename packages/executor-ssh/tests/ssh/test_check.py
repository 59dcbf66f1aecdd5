"""What is said of hosts before a run: each obstacle by its name and with what mends it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from longshore.plugin import ExecutorContext, Finding, Soundness
from longshore_ssh.executor import SshExecutor
from longshore_ssh.testing import SECONDS, Lab, Sshd, free_port, make_key, programs_without_python

from .test_contract import config

OK, WARNING, BAD = Soundness


def findings(folder: Path, lab: Lab, host: Sshd, **options: object) -> Mapping[str, Finding]:
    """Check a host; give what was found by what was looked at, in order."""
    context = ExecutorContext(run="r", run_folder=folder, project_folder=folder, store_folder=folder / "store")
    executor = SshExecutor(config(lab, hosts=({"host": host.name, **options},)), context)
    [name] = executor.hosts()
    return {finding.name: finding for finding in executor.check(name)}


def states(found: Mapping[str, Finding]) -> dict[str, Soundness]:
    return {name: finding.state for name, finding in found.items() if finding.state is not OK}


def test_a_sound_host_passes_from_its_address_to_its_supervisor(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()

    found = findings(tmp_path, lab, host)

    assert list(found) == [
        *("address", "network", "host key", "login", "sessions", "shell", "clock", "folder", "programs", "disk"),
        *("python", "computer", "supervisor"),
    ]
    assert {name for name, state in states(found).items() if name != "disk"} == set()
    assert str(lab.key) in found["login"].says
    host.wait_idle()
    assert not list(host.cache.glob("runs/*")), "something is left there"


def test_a_port_where_nobody_listens_is_the_last_that_is_said(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    host.port = free_port(host.address)

    found = findings(tmp_path, lab, host)

    assert states(found) == {"network": BAD}
    assert f"ssh -v -p {host.port}" in found["network"].remedy


def test_a_name_without_an_address_is_no_address(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    host.address, host.port = "no-such-host.invalid", 22

    assert states(findings(tmp_path, lab, host)) == {"address": BAD}


def test_an_unknown_host_key_is_accepted_by_the_command_that_is_shown(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    lab.known_hosts.write_text("")

    found = findings(tmp_path, lab, host)

    assert states(found) == {"host key": BAD}
    assert not host.cache.exists(), "something was sent"
    [command] = re.findall(r"^    (echo .*)$", found["host key"].remedy, re.MULTILINE)
    subprocess.run(["sh", "-c", command], check=True, timeout=SECONDS)
    assert BAD not in states(findings(tmp_path, lab, host)).values()


def test_a_changed_host_key_is_told_apart_from_an_unknown_one(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    other = " ".join(Path(f"{make_key(lab.folder / 'other')}.pub").read_text().split()[:2])
    lab.known_hosts.write_text(f"[{host.address}]:{host.port} {other}\n")

    found = findings(tmp_path, lab, host)

    assert states(found) == {"host key": BAD}
    assert "HAS CHANGED" in found["host key"].says
    assert "ssh-keygen -f" in found["host key"].remedy


def test_a_key_that_is_refused_is_named_with_what_lets_it_in(lab: Lab, tmp_path: Path) -> None:
    stranger = make_key(lab.folder / "ours" / "stranger")

    found = findings(tmp_path, lab, lab.host(), identity_file=str(stranger))

    assert states(found) == {"login": BAD}
    assert f"from {stranger}" in found["login"].says
    assert found["login"].remedy.startswith("ssh-copy-id -p ")


def test_a_forced_command_is_a_shell_that_executes_nothing(lab: Lab, tmp_path: Path) -> None:
    found = findings(tmp_path, lab, lab.host("ForceCommand echo 'git only \x1b[31m'"))

    assert states(found) == {"shell": BAD}
    assert "it says: git only" in found["shell"].says
    assert "\x1b" not in found["shell"].says


def test_a_shell_that_speaks_by_itself_is_warned_of(lab: Lab, tmp_path: Path) -> None:
    host = lab.host("ForceCommand printf 'Welcome!\\n'; exec sh -c \"$SSH_ORIGINAL_COMMAND\"")

    found = findings(tmp_path, lab, host)

    assert states(found).get("shell") is WARNING
    assert "Welcome!" in found["shell"].says
    assert found["supervisor"].state is OK


def test_a_host_with_one_session_and_without_python_can_be_used(lab: Lab, tmp_path: Path, no_python: Path) -> None:
    found = findings(tmp_path, lab, lab.host("MaxSessions 1", path=no_python))

    assert found["sessions"].says.startswith("1 on one connection")
    assert found["python"].state is WARNING
    assert found["supervisor"].state is OK


def test_a_host_that_opens_no_sessions_is_told_so(lab: Lab, tmp_path: Path) -> None:
    found = findings(tmp_path, lab, lab.host("MaxSessions 0"))

    assert found["sessions"].state is BAD
    assert "MaxSessions" in found["sessions"].remedy


def test_a_home_that_cannot_be_written_is_named(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    host.home.chmod(0o555)
    if not os.getuid():
        os.chown(host.home, 0, 0)

    found = findings(tmp_path, lab, host)

    assert found["folder"].state is BAD
    assert "option folder" in found["folder"].remedy
    assert "supervisor" not in found


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a file system")
def test_a_small_disk_on_which_nothing_may_be_executed_is_both(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    options = f"noexec,size=8m,mode=700,uid={host.home.stat().st_uid}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(host.home)], check=True, timeout=SECONDS)
    try:
        found = findings(tmp_path, lab, host)

        assert (found["programs"].state, found["disk"].state) == (WARNING, BAD)
        assert found["supervisor"].state is OK
        host.wait_idle()
    finally:
        host.stop()
        subprocess.run(["umount", "-l", str(host.home)], check=True, timeout=SECONDS)


def test_a_clock_that_is_off_by_years_is_a_warning(lab: Lab, tmp_path: Path) -> None:
    programs = lab.folder / "programs"
    programs.mkdir()
    programs_without_python(programs)
    (programs / "date").unlink()
    (programs / "date").write_text('#!/bin/sh\n[ "$1" = +%s ] && echo 86400\n')
    (programs / "date").chmod(0o755)

    found = findings(tmp_path, lab, lab.host(path=programs))

    assert found["clock"].state is WARNING
    assert "behind ours" in found["clock"].says


def test_a_pool_that_promises_more_than_the_host_has_is_warned_of(lab: Lab, tmp_path: Path) -> None:
    found = findings(tmp_path, lab, lab.host(), cpus=4096)

    assert found["computer"].state is WARNING
    assert "cpus" in found["computer"].remedy


def test_the_command_checks_all_hosts_and_exits_with_1_when_one_cannot_be_used(lab: Lab, tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "project"
    (home / ".ssh").mkdir(parents=True)
    folder.mkdir()
    lab.host()
    lab.host("ForceCommand echo no")
    (home / ".ssh" / "config").write_text(lab.ssh_config("h1", "h2"))
    (folder / "longshore.toml").write_text('name = "x"\n[pools.lab]\nexecutor = "ssh"\nhosts = ["h1", "h2"]\n')

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "longshore_cli", "hosts", "check", *words],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"},
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )

    both = call("--json")
    hosts = json.loads(both.stdout)["hosts"]
    assert (both.returncode, [(each["host"], each["state"] == "bad") for each in hosts]) == (
        1,
        [("h1", False), ("h2", True)],
    )
    assert call("h1").returncode == 0
    misspelt = call("h")
    assert (misspelt.returncode, misspelt.stderr.count("\n")) == (2, 1)
