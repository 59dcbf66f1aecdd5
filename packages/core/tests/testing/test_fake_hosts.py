"""Hosts for stand-ins of clouds are what clouds rent: they execute their boot data, once, and have an end."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest

from longshore.remote.watch import exit_handle
from longshore.testing.fake_hosts import FakeHosts, missing

ADDRESS = "203.0.113.5"
SECONDS = 120.0


class _World:
    def __init__(self, folder: Path) -> None:
        self.off: SimpleQueue[str] = SimpleQueue()
        self.hosts = FakeHosts(folder, off=self.off.put)

    def play(self, data: str | None) -> str:
        """Let a host boot and end itself; give what its boot data has said."""
        self.hosts.boot("h1", [ADDRESS], data)
        assert self.off.get(timeout=SECONDS) == "h1"
        return self.hosts.console("h1")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    if reason := missing():
        pytest.skip(reason)
    world = _World(tmp_path / "hosts")
    yield world
    world.hosts.close()
    assert not (tmp_path / "hosts").exists()


def script(*lines: str) -> str:
    return "\n".join(["#!/bin/sh", *lines, ""])


def test_a_host_executes_its_boot_data_as_root_and_tells_when_it_powers_itself_off(world: _World) -> None:
    said = world.play(script("id -un; hostname; ip -o address show dev eth0", "poweroff"))

    assert "root\nh1\n" in said
    assert f"{ADDRESS}/32" in said
    assert world.hosts.living() == []


IN_A_NAMESPACE = """
import sys
from pathlib import Path
from queue import SimpleQueue
from longshore.testing.fake_hosts import FakeHosts
off = SimpleQueue()
hosts = FakeHosts(Path(sys.argv[1]), off=off.put)
hosts.boot("h1", ["203.0.113.5"], sys.argv[2])
off.get(timeout=120)
print(hosts.console("h1"))
hosts.close()
"""


def test_the_root_of_a_user_namespace_is_root_enough(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    if Path("/proc/self/uid_map").read_text().split()[-1] != str(2**32 - 1):
        pytest.skip("all these tests are in a user namespace already")
    data = script("useradd -m -p '*' guest; id -un guest; ls -l /home; ls /etc/ssh; cat /etc/shadow", "poweroff")
    inner = 'ip link set lo up; mount -t tmpfs -o mode=0755 tmpfs /run; mkdir /run/netns; exec "$@"'
    outer = 'echo here; read -r _; exec unshare --mount --net --propagation private sh -c "$@"'
    program = [sys.executable, "-c", IN_A_NAMESPACE, str(tmp_path / "hosts"), data]
    with subprocess.Popen(
        ["unshare", "--user", "sh", "-c", outer, "sh", inner, "sh", *program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()  # it has left our namespace
        for ids in ("uid_map", "gid_map"):
            Path("/proc", str(process.pid), ids).write_text("0 0 65536")
        said, _ = process.communicate("\n", timeout=SECONDS)

    assert "guest\ntotal " in said
    assert " guest guest " in said
    assert "root:*:" in said
    assert not (tmp_path / "hosts").exists()


_FIRST = "until grep sshd /proc/1/comm; do sleep 0.05; done"
"""Say what the first process is, once it has become that."""


def test_a_host_sees_nothing_of_this_computer_but_its_programs(world: _World, tmp_path: Path) -> None:
    (tmp_path / "secret").touch()
    said = world.play(script(f"ls {tmp_path}/secret", "ls /etc/ssh", _FIRST, "poweroff"))

    assert "No such file" in said
    assert "ssh_host_ed25519_key\nssh_host_ed25519_key.pub\nsshd_config\nsshd\n" in said


def test_a_host_calls_itself_by_the_last_part_of_its_name_and_has_a_disk_of_its_own(world: _World) -> None:
    for cloud in ("ocean", "google"):
        world.hosts.boot(f"{cloud}/m-1", [ADDRESS], script(f"hostname > /var/{cloud}; poweroff"))
        assert world.off.get(timeout=SECONDS) == f"{cloud}/m-1"
        assert (world.hosts.disk(f"{cloud}/m-1") / "root" / "var" / cloud).read_text() == "m-1\n"
    assert world.hosts.wait_off(SECONDS)


def test_boot_data_is_executed_once_and_what_is_enabled_begins_at_each_boot(world: _World) -> None:
    unit = "/etc/systemd/system/end.service"
    world.play(
        script(
            "echo first boot",
            "printf '#!/bin/sh\\necho up >>/var/ups; poweroff\\n' >/usr/local/bin/end; chmod +x /usr/local/bin/end",
            f"printf '[Service]\\nExecStart=/usr/local/bin/end\\n' >{unit}",
            "systemctl enable --now end.service",
        )
    )
    again = world.play(None)

    assert again.count("first boot") == 1
    assert (world.hosts.disk("h1") / "root" / "var" / "ups").read_text() == "up\nup\n"


def test_a_host_is_reached_through_the_proxy_command_alone(world: _World) -> None:
    world.hosts.boot("h1", [ADDRESS])
    command = world.hosts.proxy_command.replace("%h", ADDRESS).replace("%p", "22")
    greeting = b""
    until = time.monotonic() + SECONDS
    while not greeting.startswith(b"SSH-2.0") and time.monotonic() < until:
        reached = subprocess.run(["sh", "-c", command], input=b"?\n", capture_output=True, check=False, timeout=SECONDS)
        greeting = reached.stdout

    assert greeting.startswith(b"SSH-2.0")


def test_hosts_end_with_whoever_has_switched_them_on_and_their_network_goes_with_the_next(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    lines = [
        "import sys, pathlib",
        "from longshore.testing.fake_hosts import FakeHosts",
        "hosts = FakeHosts(pathlib.Path(sys.argv[1]), off=print)",
        f"hosts.boot('h1', ['{ADDRESS}'], '#!/bin/sh\\necho up >/var/up\\n')",
        "print(hosts._power['h1'].pid, flush=True)",
        "sys.stdin.read()",
    ]
    argv = [sys.executable, "-c", "\n".join(lines), str(tmp_path / "killed")]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        with exit_handle(pid) as handle:
            process.kill()
            assert select.select([handle], [], [], SECONDS)[0], "it goes on"

    FakeHosts(tmp_path / "next", off=print).close()
    assert list(Path("/run/netns").glob(f"longshore-{process.pid}-*")) == []


def test_a_host_that_is_cut_off_is_gone_with_its_disk_and_does_not_say_so(world: _World) -> None:
    world.hosts.boot("h1", [ADDRESS])
    world.hosts.cut("h1")

    assert world.hosts.living() == []
    assert not world.hosts.disk("h1").exists()
    assert world.off.empty()
