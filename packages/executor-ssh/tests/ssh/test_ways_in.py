"""Ways to a host, as `~/.ssh/config` says them, and things to log in with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from longshore.errors import ExecutorError, MachineUnreachable
from longshore.model.machine import Machine
from longshore.model.machine_spec import Tag
from longshore.model.resources import Resources
from longshore_ssh.config import HostConfig, SshConfig
from longshore_ssh.connection import Connection
from longshore_ssh.errors import NotTheHost
from longshore_ssh.targets import Target, find_target, target_of
from longshore_ssh.testing import SECONDS, Lab, Sshd, make_key

from .test_contract import config

_PROXY = """
import os, socket, sys, threading
link = socket.create_connection((sys.argv[1], int(sys.argv[2])))
def up():
    while data := os.read(0, 65536):
        link.sendall(data)
threading.Thread(target=up, daemon=True).start()
while data := link.recv(65536):
    os.write(1, data)
"""


def says(target: Target, command: str = "echo here $SSH_CONNECTION") -> str:
    """Log in, and give what a command says."""
    connection = Connection.open(target, seconds=SECONDS)
    try:
        channel = connection.execute(command, seconds=SECONDS)
        said = b""
        while content := channel.recv(1 << 16):
            said += content
        return said.decode()
    finally:
        connection.close()


def written(lab: Lab, text: str) -> str:
    path = lab.folder / "ours" / "config"
    path.write_text(text)
    return str(path)


def entry(lab: Lab, name: str, host: Sshd, *lines: str) -> str:
    known = [
        f"Host {name}",
        f"HostName {host.address}",
        f"Port {host.port}",
        f"User {lab.user}",
        f"IdentityFile {lab.key}",
        f"UserKnownHostsFile {lab.known_hosts}",
        "GlobalKnownHostsFile /dev/null",
    ]
    return "\n    ".join([*known, *lines]) + "\n"


def test_all_that_the_users_own_config_says_of_a_host_counts(lab: Lab) -> None:
    text = entry(lab, "short", lab.host())

    target = target_of(HostConfig(host="short"), SshConfig(ssh_config=written(lab, text)))

    assert says(target).startswith("here ")


def test_what_is_included_counts_too(lab: Lab) -> None:
    included = lab.folder / "ours" / "more.conf"
    included.write_text(entry(lab, "short", lab.host()))
    path = written(lab, f"Include {included}\n")

    assert says(target_of(HostConfig(host="short"), SshConfig(ssh_config=path))).startswith("here ")


def test_the_way_leads_through_a_chain_of_jump_hosts(lab: Lab) -> None:
    first, second, last = lab.host(), lab.host(), lab.host()
    text = (
        entry(lab, "first", first)
        + entry(lab, "second", second, "ProxyJump first")
        + entry(lab, "last", last, "ProxyJump second")
    )

    said = says(target_of(HostConfig(host="last"), SshConfig(ssh_config=written(lab, text))))

    assert f" {last.address} {last.port}" in said
    assert [host.name for host in (first, second, last) if "Accepted publickey" not in _log_of(host)] == []


def _log_of(host: Sshd) -> str:
    return (host.folder / "log").read_text()


def test_a_jump_host_may_be_named_in_the_pool(lab: Lab) -> None:
    gate, inner = lab.host(), lab.host()
    path = written(lab, entry(lab, "gate", gate))

    target = target_of(HostConfig(host=inner.name, jump="gate"), config(lab, ssh_config=path))

    assert [hop.name for hop in target.jump] == ["gate"]
    assert says(target).startswith("here ")


def test_jump_hosts_in_a_circle_are_refused(lab: Lab) -> None:
    path = written(lab, "Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")

    with pytest.raises(ExecutorError, match="circle"):
        target_of(HostConfig(host="a"), SshConfig(ssh_config=path))


def test_what_a_jump_host_cannot_reach_is_told_with_its_name(lab: Lab) -> None:
    gate, gone = lab.host(), lab.host()
    gone.stop()
    gone.start()
    path = written(lab, entry(lab, "gate", gate))
    target = target_of(HostConfig(host=gone.name, jump="gate"), config(lab, ssh_config=path))
    gone.stop()

    with pytest.raises(MachineUnreachable, match="from the jump host gate"):
        says(target)
    gone.start()


def test_a_proxy_command_is_the_way_when_the_config_says_so(lab: Lab) -> None:
    program = lab.folder / "ours" / "proxy.py"
    program.write_text(_PROXY)
    text = entry(lab, "short", lab.host(), f"ProxyCommand {sys.executable} {program} %h %p")

    assert says(target_of(HostConfig(host="short"), SshConfig(ssh_config=written(lab, text)))).startswith("here ")


def test_a_host_key_may_be_known_under_an_alias(lab: Lab) -> None:
    host = lab.host()
    lab.known_hosts.write_text(f"the-cluster {host.public_key}\n")
    text = entry(lab, "short", host, "HostKeyAlias the-cluster")

    assert says(target_of(HostConfig(host="short"), SshConfig(ssh_config=written(lab, text)))).startswith("here ")


def test_known_hosts_may_be_hashed(lab: Lab) -> None:
    host = lab.host()
    command = ["ssh-keygen", "-q", "-H", "-f", str(lab.known_hosts)]
    subprocess.run(command, check=True, timeout=SECONDS, capture_output=True)
    assert host.address not in lab.known_hosts.read_text()

    assert says(target_of(HostConfig(host=host.name), config(lab))).startswith("here ")


def test_a_rented_machine_is_known_by_the_fingerprint_that_came_with_it(lab: Lab) -> None:
    host = lab.host()
    lab.known_hosts.write_text("")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", f"{host.host_key}.pub"], capture_output=True, text=True, check=True, timeout=SECONDS
    ).stdout.split()[1]

    def machine(print_of_key: str) -> Machine:
        return Machine(id="m-1", pool="p", resources=Resources(), address=host.name, tags={Tag.HOST_KEY: print_of_key})

    assert says(find_target(machine(shown), config(lab))).startswith("here ")
    with pytest.raises(NotTheHost, match="is not the machine that was rented"):
        says(find_target(machine("SHA256:another"), config(lab)))


def test_the_agent_opens_keys_without_a_question(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make_key(lab.folder / "ours" / "secret", passphrase="open sesame")
    with Path(f"{lab.key}.pub").open("a") as file:
        file.write(Path(f"{secret}.pub").read_text())
    ask = lab.folder / "ours" / "ask"
    ask.write_text("#!/bin/sh\necho open sesame\n")
    ask.chmod(0o755)
    door = lab.folder / "ours" / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(door)], stdout=subprocess.PIPE) as agent:
        assert agent.stdout is not None
        agent.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(door))
        env = {**os.environ, "SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":0"}
        subprocess.run(["ssh-add", "-q", str(secret)], env=env, check=True, timeout=SECONDS, capture_output=True)

        target = target_of(HostConfig(host=lab.host().name), config(lab, identity_file=str(secret)))

        assert says(target).startswith("here ")
        agent.terminate()


def test_a_certificate_beside_a_key_is_used(lab: Lab) -> None:
    authority = make_key(lab.folder / "ours" / "authority")
    own = make_key(lab.folder / "ours" / "certified")
    sign = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", lab.user, f"{own}.pub"]
    subprocess.run(sign, check=True, timeout=SECONDS)
    host = lab.host(f"TrustedUserCAKeys {authority}.pub")

    assert says(target_of(HostConfig(host=host.name), config(lab, identity_file=str(own)))).startswith("here ")


def test_nothing_of_ours_is_lent_to_the_host(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere")
    target = target_of(HostConfig(host=lab.host().name), config(lab))

    assert says(target, "echo agent:$SSH_AUTH_SOCK display:$DISPLAY") == "agent: display:\n"
