"""Hosts with networks of their own: links that go silent for a time, that are slow, and computers that start anew."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from longshore.model.command import Shell
from longshore.model.events import AttemptEnded, MachineGone
from longshore.model.outcome import Exited, Lost
from longshore.remote.digest import digest_file
from longshore.remote.store import object_path
from longshore_ssh.testing import Lab, no_islands

from .project import DIAMOND, Project, until
from .test_contract import Bench

SLOW = Path(__file__).with_name("slow_way.py")

islands = pytest.mark.skipif(bool(no_islands()), reason=no_islands() or "there can be networks")

_ESTABLISHED = "01"

_TWO = """
name = "two"

[pools.lab]
executor = "ssh"
hosts = [{hosts}]
orphan = "20 s"

[tasks.first]
command = "echo x >> $HOME/first; echo one > one.txt"
outputs = ["one.txt"]

[tasks.second]
command = '''
echo x >> $HOME/second; until test -e $HOME/gate; do sleep 0.02; done; cat workflow:///first/one.txt > two.txt
'''
outputs = ["two.txt"]
"""


@islands
def test_the_diamond_runs_on_hosts_with_addresses_of_their_own(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, DIAMOND, island=True)

    project.say("run")

    [result] = project.folder.glob("results/latest/D/d.txt")
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count("ABCD") == dict.fromkeys("ABCD", 1)


@islands
def test_a_link_that_lets_nothing_through_for_a_time_is_not_noticed(lab: Lab, tmp_path: Path) -> None:
    host = lab.host(island=True)
    bench = Bench(tmp_path, lab, host)
    text = "seq 3; until test -e $HOME/more; do sleep 0.01; done; seq 4 100000; touch $HOME/done"
    bench.go("a", Shell(text))
    bench.log_becomes("1\n2\n3\n", "a")
    assert host.island is not None

    host.island.sever()
    (host.home / "more").touch()
    until((host.home / "done").exists)
    assert bench.log("a") == "1\n2\n3\n"
    host.island.mend()

    assert bench.ended("a").outcome == Exited(0)
    assert bench.log("a") == "".join(f"{number}\n" for number in range(1, 100001))
    assert [event for event in bench.told if isinstance(event, MachineGone)] == []
    bench.close()


@islands
def test_a_link_that_is_dead_without_a_word_is_made_again_and_the_run_goes_on(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _TWO, hosts=1, island=True)
    [host] = lab.hosts
    controller = project.begin("run")
    project.until((host.home / "second").exists, "the start")
    assert host.island is not None
    assert is_linked(host.address)

    host.island.sever()
    (host.home / "gate").touch()
    until(lambda: not is_linked(host.address))
    host.island.mend()
    project.ends_well(controller)

    assert project.count(["first", "second"]) == {"first": 1, "second": 1}
    assert project.events(MachineGone) == []


def is_linked(address: str) -> bool:
    """Say whether this computer takes a connection to an address for a living one."""
    number = f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}"
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].startswith(f"{number}:") and row[3] == _ESTABLISHED for row in rows)


@islands
def test_a_host_that_is_rebooted_during_a_run_is_used_again_and_only_what_ran_runs_again(
    lab: Lab, tmp_path: Path
) -> None:
    project = Project(tmp_path, lab, _TWO, hosts=1, island=True)
    [host] = lab.hosts
    controller = project.begin("run")
    project.until((host.home / "second").exists, "the start")

    host.reboot()
    (host.home / "gate").touch()
    project.ends_well(controller)

    assert project.count(["first", "second"]) == {"first": 1, "second": 2}
    ends = [(event.task, type(event.outcome)) for event in project.events(AttemptEnded)]
    assert ends == [("first", Exited), ("second", Lost), ("second", Exited)]


@islands
def test_data_go_through_a_narrow_link_whole(lab: Lab, tmp_path: Path) -> None:
    host = lab.host(island=True)
    assert host.island is not None
    host.island.throttle("16mbit")
    bench = Bench(tmp_path, lab, host)

    ended = bench.execute("a", Shell("head -c 3000000 /dev/urandom > big"), outputs=("big",))
    bench.session.get(ended.outputs)

    [artifact] = ended.outputs
    assert digest_file(object_path(str(bench.store), artifact.sha256)) == (artifact.sha256, 3_000_000)
    bench.close()


def test_the_diamond_runs_over_links_on_which_all_takes_its_time(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, DIAMOND, hosts=2)
    config = project.home / ".ssh" / "config"
    config.write_text(f"Host *\n    ProxyCommand {sys.executable} {SLOW} 0.05 %h %p\n" + config.read_text())

    project.say("run")

    [result] = project.folder.glob("results/latest/D/d.txt")
    assert result.read_text() == "HELLO FROM A\nhello from A\n"
    assert project.count("ABCD") == dict.fromkeys("ABCD", 1)
