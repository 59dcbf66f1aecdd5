"""Links that break, servers that go and come back, hosts that start anew: not noticed, or told as they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from longshore.errors import MachineUnreachable
from longshore.model.attempt import Item
from longshore.model.command import Shell
from longshore.model.events import MachineGone
from longshore.model.outcome import Exited, Lost
from longshore.remote.digest import digest_file
from longshore.remote.store import object_path
from longshore_ssh.testing import Lab, Meter

from .test_contract import Bench

BIG_BYTES = 64 << 20


@pytest.fixture
def bench(lab: Lab, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path, lab, lab.host())
    yield bench
    bench.close()


@pytest.fixture
def metered(lab: Lab, tmp_path: Path) -> Iterator[tuple[Bench, Meter]]:
    """The same behind a way that can be cut in the middle of what it carries."""
    host = lab.host()
    meter = lab.meter(host)
    (tmp_path / "ssh_config").write_text(lab.ssh_config("h1"))
    bench = Bench(tmp_path, lab, host, ssh_config=str(tmp_path / "ssh_config"))
    bench.machine = attrs.evolve(bench.machine, address="h1")
    yield bench, meter
    bench.close()


def big_file(path: Path) -> Item:
    piece = os.urandom(1 << 20)
    with path.open("wb") as file:
        for number in range(BIG_BYTES >> 20):
            file.write(number.to_bytes(4, "big") + piece[4:])
    sha256, size = digest_file(str(path))
    return Item(path="in/big", sha256=sha256, size=size, source=str(path))


def test_a_server_that_is_killed_and_started_again_is_not_noticed(bench: Bench) -> None:
    bench.waiting("a", "echo one")
    bench.log_becomes("one\n", "a")

    bench.host.stop()
    bench.host.start()
    bench.open_gate()

    assert bench.ended("a").outcome == Exited(0)
    assert [event for event in bench.told if isinstance(event, MachineGone)] == []


def test_attempts_that_are_ordered_while_the_link_is_down_start_when_it_is_up(bench: Bench) -> None:
    bench.waiting("a")

    bench.host.stop()
    identity = bench.go("b", Shell("echo x >> $HOME/b; cat $HOME/b"))
    bench.host.start()

    assert bench.ended("b").outcome == Exited(0)
    bench.session.go(identity)
    bench.ended("b", 2)
    assert bench.log("b") == "x\n", "it was executed twice"
    bench.open_gate()
    bench.ended("a")


def test_output_of_a_time_without_a_link_arrives_whole_and_once(bench: Bench) -> None:
    identity = bench.waiting("a", "seq 3; until test -e $HOME/more; do sleep 0.01; done; seq 4 100000; echo done >&2")
    bench.log_becomes("1\n2\n3\n", "a")

    bench.host.stop()
    (bench.host.home / "more").touch()
    bench.host.start()
    bench.open_gate()

    assert bench.ended("a").outcome == Exited(0)
    assert bench.log("a") == "".join(f"{number}\n" for number in range(1, 100001))
    assert bench.log("a", "err") == "done\n"
    bench.session.release(identity)


def test_a_host_that_was_started_anew_says_that_its_attempts_are_lost(bench: Bench) -> None:
    bench.waiting("a", "echo $$ > $HOME/pid")
    supervisor = bench.host.supervisors()[-1]

    bench.host.stop()
    for pid in (supervisor, int((bench.host.home / "pid").read_text())):
        os.kill(pid, signal.SIGKILL)
    bench.host.start()

    assert isinstance(bench.ended("a").outcome, Lost)
    assert bench.output("echo here") == "here\n"


def test_a_link_that_stays_away_longer_than_the_budget_is_told_once(lab: Lab, tmp_path: Path) -> None:
    bench = Bench(tmp_path, lab, lab.host(), reconnect=timedelta(seconds=1))
    identity = bench.waiting("a")

    bench.host.stop()

    assert "no link for 1 s" in bench.gone().reason
    with pytest.raises(MachineUnreachable):
        bench.session.cancel(identity)
    bench.host.start()
    bench.open(fence=2).adopt([identity])
    bench.open_gate()
    assert bench.ended("a").outcome == Exited(0)
    bench.close()


def test_a_transfer_that_is_cut_goes_on_where_it_was(
    metered: tuple[Bench, Meter], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "longshore.remote.asking")
    bench, meter = metered
    item = big_file(bench.project / "big")
    part = bench.host.cache / "runs"
    bench.open()

    meter.cut_after(BIG_BYTES // 4)
    bench.session.put("r/a/1", [item])

    assert "a transfer is taken up again" in caplog.text
    [stored] = part.glob(f"*/store/objects/*/{item.sha256}")
    assert digest_file(str(stored)) == (item.sha256, item.size)
    assert not list(part.glob("*/store/tmp/*"))


def test_what_comes_home_goes_on_where_it_was_cut(
    metered: tuple[Bench, Meter], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "longshore.remote.asking")
    bench, meter = metered
    ended = bench.execute("a", Shell(f"head -c {BIG_BYTES} /dev/urandom > big"), outputs=("big",))
    [artifact] = ended.outputs

    meter.cut_after(BIG_BYTES // 4)
    bench.session.get([artifact])

    assert "a transfer is taken up again" in caplog.text
    assert digest_file(object_path(str(bench.store), artifact.sha256)) == (artifact.sha256, BIG_BYTES)


def test_the_next_run_is_not_sent_again_what_the_host_was_sent(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    first = Bench(tmp_path / "one", lab, host)
    (first.project / "in").write_text("hello\n")
    sha256, size = digest_file(str(first.project / "in"))
    first.session.put("r/a/1", [Item(path="in", sha256=sha256, size=size, source=str(first.project / "in"))])
    first.close()
    for folder in host.cache.glob("runs/*"):
        folder.rename(folder.with_name("another-run"))
    second = Bench(tmp_path / "two", lab, host)

    ended = second.execute("a", Shell("cat in"), inputs=(Item(path="in", sha256=sha256, size=size),))

    assert ended.outcome == Exited(0), "it is nowhere but in the host's cache"
    second.close()
