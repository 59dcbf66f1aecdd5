"""What the executor puts into a rented machine's first boot: the same whenever the launch is repeated."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.errors import MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore.model.resources import Resources
from longshore.plugin import Boots, FirstBoot
from longshore.plugin.protocols import ExecutorContext
from longshore.runtime.guarded_executor import guarded_executor
from longshore_ssh.boot import first_boot
from longshore_ssh.config import SshConfig
from longshore_ssh.executor import SshExecutor
from longshore_ssh.testing import Lab, make_key

UNATTENDED = timedelta(minutes=30)


def derived(secret: bytes) -> Callable[[str], bytes]:
    return lambda purpose: hashlib.sha256(secret + purpose.encode()).digest()


@pytest.fixture
def executor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SshExecutor:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return new(tmp_path, SshConfig(ssh_config=""))


def new(folder: Path, config: SshConfig) -> SshExecutor:
    context = ExecutorContext(
        run="r", run_folder=folder / "run", project_folder=folder, store_folder=folder / "run" / "store"
    )
    return SshExecutor(config, context)


def boots(executor: SshExecutor, secret: bytes = b"one") -> FirstBoot:
    return executor.first_boot(derived(secret), unattended=UNATTENDED)


def host_key(boot: FirstBoot, folder: Path) -> Path:
    """Write the private host key as the script does."""
    [text] = re.findall(r"printf %s '([^']*)' >ssh_host_ecdsa_key\n", boot.script)
    path = folder / "ssh_host_ecdsa_key"
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def test_the_executor_boots_machines_also_when_it_is_guarded(executor: SshExecutor) -> None:
    assert isinstance(guarded_executor(executor, "ssh"), Boots)


def test_a_repeated_launch_is_the_same_and_another_has_another_host_key(executor: SshExecutor) -> None:
    assert boots(executor) == boots(executor)
    assert boots(executor, b"two").host_key != boots(executor).host_key
    assert boots(executor, b"two").keys == boots(executor).keys


@given(st.binary(min_size=32, max_size=32))
def test_every_seed_gives_a_key(seed: bytes) -> None:
    assert re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", first_boot(seed, "ssh-ed25519 AAAA").host_key)


def test_the_host_key_is_one_that_ssh_reads_and_has_the_fingerprint_that_is_told(
    executor: SshExecutor, tmp_path: Path
) -> None:
    boot = boots(executor)
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", host_key(boot, tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert boot.host_key in shown.split()


def test_what_boots_a_machine_shows_no_secret(executor: SshExecutor) -> None:
    assert "PRIVATE" not in repr(boots(executor))


def test_the_key_that_logs_in_is_made_once_and_is_ours_alone(executor: SshExecutor, tmp_path: Path) -> None:
    [line] = boots(executor).keys
    path = tmp_path / "state" / "longshore" / "ssh" / "id_ed25519"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    Path(f"{path}.pub").unlink()
    assert boots(executor).keys == (line,)


def test_a_pool_with_a_key_of_its_own_logs_in_with_that(tmp_path: Path) -> None:
    key = make_key(tmp_path / "mine")
    [line] = boots(new(tmp_path, SshConfig(ssh_config="", identity_file=str(key)))).keys
    assert line.split()[:2] == Path(f"{key}.pub").read_text().split()[:2]


def test_a_machine_without_an_address_is_not_ready_yet(executor: SshExecutor) -> None:
    machine = Machine(id="m-1", pool="p", resources=Resources())
    with pytest.raises(MachineUnreachable, match="no address yet"):
        executor.open(machine, fence=1, sink=lambda *_: None)


def test_before_the_boot_data_was_executed_a_wrong_host_key_means_not_ready_yet(
    executor: SshExecutor, lab: Lab
) -> None:
    machine = Machine(
        id="m-1", pool="p", resources=Resources(), address=lab.host().name, tags={Tag.HOST_KEY: "SHA256:expected"}
    )
    with pytest.raises(MachineUnreachable, match="as its boot data would make it"):
        executor.open(machine, fence=1, sink=lambda *_: None)
    assert not os.listdir(lab.hosts[0].home)
