"""Data that go straight from host to host, and what becomes of them where there is no way."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import InputMissing, PeerOutOfReach
from longshore.model.artifact import Artifact
from longshore.model.attempt import Item
from longshore.model.machine import Machine
from longshore.model.resources import Resources
from longshore.plugin.protocols import ExecutorContext
from longshore.remote.digest import digest_file, digest_folder
from longshore.remote.peers import PeerSession
from longshore.remote.store import object_path
from longshore_ssh.door_keys import make_key
from longshore_ssh.executor import SshExecutor
from longshore_ssh.testing import SECONDS, Lab, Sshd, no_islands

from .project import Project, until
from .test_contract import config

BIG_BYTES = 8 << 20

_PASS_ON = """
name = "pass-on"

[pools.one]
executor = "ssh"
hosts = ["h1"]

[pools.two]
executor = "ssh"
hosts = ["h2"]

[tasks.make]
command = "head -c 8388608 /dev/urandom > made; mkdir -p d/e; cp made d/e/x"
outputs = ["made", "d/"]
pool = "one"

[tasks.use]
command = "cat workflow:///make/made | cmp - workflow:///make/d/e/x && find in > found"
outputs = ["found"]
pool = "two"
"""


class Net:
    """Some hosts of one run, each with an open session, and all that goes to them counted."""

    def __init__(self, folder: Path, lab: Lab, hosts: list[Sshd], **options: Any) -> None:
        self.folder = folder
        self.store = folder / "store"
        context = ExecutorContext(run="r", run_folder=folder / "run", project_folder=folder, store_folder=self.store)
        self.meters = [lab.meter(host) for host in hosts]
        (folder / "ssh_config").write_text(lab.ssh_config(*(f"h{n}" for n in range(1, len(hosts) + 1))))
        executor = SshExecutor(config(lab, ssh_config=str(folder / "ssh_config"), **options), context)
        self.sessions: list[PeerSession] = []
        for number in range(1, len(hosts) + 1):
            machine = Machine(id=f"m{number}", pool="p", resources=Resources(cpus=2.0), address=f"h{number}")
            session = executor.open(machine, fence=1, sink=lambda *_: None)
            assert isinstance(session, PeerSession)
            self.sessions.append(session)

    def big(self, session: PeerSession, size: int = BIG_BYTES) -> Artifact:
        """Put a file into the store of a host."""
        path = self.folder / "big"
        path.write_bytes(os.urandom(size))
        sha256, _ = digest_file(str(path))
        session.put("r/a/1", [Item(path="big", sha256=sha256, size=size, source=str(path))])
        return Artifact(path="a/big", sha256=sha256, size=size)

    def carried(self) -> int:
        return sum(meter.sent + meter.received for meter in self.meters)

    def close(self) -> None:
        for session in self.sessions:
            session.clear()
            session.close()


def stored(host: Sshd, artifact: Artifact) -> Path:
    [store] = host.cache.glob("runs/*/store")
    return Path(object_path(str(store), artifact.sha256))


@pytest.fixture
def net(lab: Lab, tmp_path: Path) -> Iterator[Net]:
    net = Net(tmp_path, lab, [lab.host(), lab.host()])
    yield net
    net.close()


def test_data_go_straight_and_hardly_anything_of_them_through_us(lab: Lab, net: Net) -> None:
    one, two = net.sessions
    artifact = net.big(one)
    before = net.carried()

    assert two.pull([artifact], one) is True

    assert digest_file(str(stored(lab.hosts[1], artifact))) == (artifact.sha256, artifact.size)
    assert net.carried() - before < BIG_BYTES / 20
    assert not Path(object_path(str(net.store), artifact.sha256)).exists(), "it landed on our disk"


def test_a_folder_goes_with_all_that_is_in_it_and_only_what_is_missing(lab: Lab, net: Net) -> None:
    one, two = net.sessions
    tree = net.folder / "tree"
    (tree / "empty").mkdir(parents=True)
    (tree / "odd \n$(x) é").write_bytes(os.urandom(100))
    (tree / "script").write_text("true\n")
    (tree / "script").chmod(0o755)
    (tree / "link").symlink_to("script")
    folder = digest_folder(str(tree))
    one.put("r/a/1", [Item(path="t", sha256=folder.sha256, size=0, kind="folder", source=str(tree))])
    artifact = Artifact(path="a/t", sha256=folder.sha256, size=0, kind="folder")

    two.pull([artifact], one)

    assert stored(lab.hosts[1], artifact).read_bytes() == folder.listing
    for entry in folder.entries:
        if entry.kind == "f":
            there = stored(lab.hosts[1], Artifact(path="x", sha256=entry.sha256, size=entry.size))
            assert digest_file(str(there)) == (entry.sha256, entry.size)


def test_what_the_other_host_does_not_have_is_named(net: Net) -> None:
    one, two = net.sessions

    with pytest.raises(InputMissing, match=r"a/gone: m1 does not have 0707"):
        two.pull([Artifact(path="a/gone", sha256="07" * 32, size=1)], one)


def test_nobody_enters_with_another_key(net: Net) -> None:
    one, _ = net.sessions
    ticket = one._grant()
    other = net.folder / "other.pem"
    other.write_text(make_key())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(other)

    def ask() -> bytes:
        with (
            socket.create_connection((ticket.hosts[0], ticket.port), SECONDS) as raw,
            context.wrap_socket(raw) as link,
        ):
            link.sendall(json.dumps({"op": "give", "objects": [["07" * 32, 0]]}).encode() + b"\n")
            return link.recv(100)

    with contextlib.suppress(OSError):
        assert ask() == b""


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        ({"op": "files", "root": "/etc", "paths": ["passwd"]}, b""),
        ({"op": "clear"}, b""),
        ({"op": "give", "objects": [["../../../../../../../../etc/passwd", 0]]}, b'{"missing":"../'),
        ({"op": "give", "objects": [[7, 0]]}, b'{"missing":7}'),
        ({"op": "give"}, b""),
        ("x", b""),
    ],
)
def test_who_has_the_key_may_ask_for_objects_and_for_nothing_else(net: Net, order: object, answer: bytes) -> None:
    one, _ = net.sessions
    ticket = one._grant()
    key = net.folder / "key.pem"
    key.write_text(ticket.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_cert_chain(key)
    context.load_verify_locations(key)

    with socket.create_connection((ticket.hosts[0], ticket.port), SECONDS) as raw, context.wrap_socket(raw) as link:
        link.sendall(json.dumps(order).encode() + b"\n")
        assert link.recv(100)[: max(1, len(answer))] == answer


def test_the_door_is_closed_with_the_session_and_its_key_lies_nowhere(lab: Lab, net: Net) -> None:
    one, two = net.sessions
    artifact = net.big(one, 1000)
    two.pull([artifact], one)
    ticket = one._grant()

    found = [path for host in lab.hosts for path in host.cache.rglob("*") if path.is_file()]
    secrets = [path for path in found if path.suffix != ".pyz" and b"PRIVATE KEY" in path.read_bytes()]
    assert secrets == []
    one.close()

    def is_closed() -> bool:
        try:
            socket.create_connection((ticket.hosts[0], ticket.port), SECONDS).close()
        except ConnectionRefusedError:
            return True
        return False

    until(is_closed)


def test_the_key_is_in_no_text_of_the_ticket() -> None:
    net_key = make_key()

    from longshore.remote.peers import Ticket  # noqa: PLC0415  what it looks like is all that counts here

    assert "PRIVATE" not in repr(Ticket(pem=net_key, hosts=("h",), port=1))


def test_where_the_pool_wants_nothing_direct_data_go_through_us_and_not_by_our_disk(lab: Lab, tmp_path: Path) -> None:
    net = Net(tmp_path, lab, [lab.host(), lab.host()], direct=False)
    one, two = net.sessions
    artifact = net.big(one)

    assert two.pull([artifact], one) is False

    assert digest_file(str(stored(lab.hosts[1], artifact))) == (artifact.sha256, artifact.size)
    assert not net.store.exists() or list(net.store.rglob("*.part")) == []
    assert not Path(object_path(str(net.store), artifact.sha256)).exists(), "it landed on our disk"
    net.close()


def test_hosts_that_cannot_reach_each_other_are_helped_and_asked_only_once(lab: Lab, tmp_path: Path) -> None:
    if reason := no_islands():
        pytest.skip(reason)
    net = Net(tmp_path, lab, [lab.host(island=True), lab.host(island=True)])
    one, two = net.sessions
    first, second = net.big(one), net.big(one, 1000)

    assert two.pull([first], one) is False
    assert two._apart == {"m1"}
    assert two.pull([second], one) is False

    for artifact in (first, second):
        assert digest_file(str(stored(lab.hosts[1], artifact))) == (artifact.sha256, artifact.size)
    net.close()


def test_a_relay_that_breaks_goes_on(lab: Lab, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "longshore.remote.asking")
    net = Net(tmp_path, lab, [lab.host(), lab.host()], direct=False)
    one, two = net.sessions
    artifact = net.big(one, 64 << 20)

    net.meters[1].cut_after(16 << 20)
    two.pull([artifact], one)

    assert "a transfer is taken up again" in caplog.text
    assert digest_file(str(stored(lab.hosts[1], artifact))) == (artifact.sha256, artifact.size)
    net.close()


def test_a_host_that_does_not_answer_at_once_is_not_waited_for(lab: Lab, net: Net) -> None:
    one, two = net.sessions
    artifact = net.big(one, 1000)
    lab.hosts[0].stop()

    with pytest.raises(PeerOutOfReach):
        two.pull([artifact], one)

    lab.hosts[0].start()


def test_what_one_host_has_written_and_another_one_reads_does_not_come_by_here(lab: Lab, tmp_path: Path) -> None:
    project = Project(tmp_path, lab, _PASS_ON, hosts=2, metered=True)

    project.say("run")

    [found] = project.folder.glob("results/latest/use/found")
    assert "in/make/d/e/x" in found.read_text()
    [database] = project.folder.glob(".longshore/runs/*/run.db")
    with contextlib.closing(sqlite3.connect(database)) as db:
        moves = [json.loads(body) for (body,) in db.execute("SELECT body FROM events WHERE kind = 'Moved'")]
    assert [(each["source"], each["target"], each["straight"]) for each in moves if "target" in each] == [
        ("one.h1", "two.h2", True)
    ]
    assert sum(meter.sent + meter.received for meter in project.meters) < BIG_BYTES / 4
