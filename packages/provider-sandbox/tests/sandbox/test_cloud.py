"""The cloud's process and its machines: what lives on without whom, and what ends with what."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from attrs import evolve

from longshore.errors import CloudUnreachable, InvalidRequest, MachineUnreachable, QuotaExceeded
from longshore.model.command import Shell
from longshore.model.machine import Machine, MachineState
from longshore.model.machine_spec import MachineSpec
from longshore.model.offer import Needs
from longshore.model.outcome import Exited
from longshore.plugin import Prices, Provider, SpotNotices, Stoppable
from longshore.runtime.registry import Registry
from longshore.runtime.sockets import connect
from longshore.runtime.within import within
from longshore.testing import ExecutorBench
from longshore.testing.faults import Fault
from longshore_sandbox import CloudClient
from longshore_sandbox.config import ExecutorConfig, SandboxConfig
from longshore_sandbox.door import DOOR
from longshore_sandbox.executor import SandboxExecutor
from longshore_sandbox.hardware import SandboxComputer
from longshore_sandbox.provider import SandboxProvider
from longshore_sandbox.rigs import MANUAL, rig_on

from .conftest import clock_of, close_cloud, open_cloud

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def provider(cloud: CloudClient) -> Provider:
    return rig_on(cloud).provider()


@pytest.fixture
def spec(cloud: CloudClient) -> MachineSpec:
    return evolve(rig_on(cloud).spec(), ends_at=cloud.time.now() + HOUR, unattended=10 * MINUTE)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[[Machine], ExecutorBench]]:
    benches: list[ExecutorBench] = []

    def at(machine: Machine) -> ExecutorBench:
        config = ExecutorConfig(reconnect=timedelta(0))
        benches.append(ExecutorBench(tmp_path, SandboxExecutor, config, machine, seconds=20))
        return benches[-1]

    yield at
    for each in benches:
        for session in each._sessions:
            session.close()


def rent(provider: Provider, spec: MachineSpec, token: str = "t") -> Machine:
    [machine] = provider.launch(spec, token=token)
    return machine


def is_on(machine: Machine) -> bool:
    """Say whether the machine's process has the power: its lock says so also when its socket does not."""
    power = Path(machine.address) / "power"
    if not power.exists():
        return False
    program = "import fcntl, sys; fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    done = subprocess.run([sys.executable, "-c", program, power], capture_output=True, check=False, timeout=120)
    return done.returncode != 0


def wait_without_power(machine: Machine) -> None:
    """Wait until a machine has none, asking nobody: as long as it has, its process holds a lock."""
    with suppress(FileNotFoundError), open(Path(machine.address) / "power") as power:
        within(timedelta(seconds=30), lambda: fcntl.flock(power, fcntl.LOCK_SH))


def pid_of(bench: ExecutorBench, task: str) -> int:
    bench.go(task, Shell("echo $$; setsid sh -c 'echo $$ >&2; exec sleep 1000' & exec sleep 1000"))
    bench.started(task)
    while not (bench.log(task).endswith("\n") and bench.log(task, "err").endswith("\n")):
        bench.output("true")
    return int(bench.log(task))


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_workflow_finds_the_provider_and_its_executor_by_name() -> None:
    registry = Registry()
    assert registry.provider("sandbox").factory is SandboxProvider
    assert registry.executor("sandbox").factory is SandboxExecutor


def test_ending_a_machine_ends_all_that_runs_on_it_daemons_too(
    provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    machine = rent(provider, spec)
    at = bench(machine)
    leader = pid_of(at, "a")
    daemon = int(at.log("a", "err"))

    provider.terminate([machine.id])

    assert [pid for pid in (leader, daemon) if is_alive(pid)] == []
    assert not Path(machine.address).exists()
    assert at.gone().machine == machine.id
    with pytest.raises(MachineUnreachable):
        at.open(fence=2)


def test_a_machine_ends_at_its_hard_end_though_nobody_asks_the_cloud(
    cloud: CloudClient, provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    machine = rent(provider, evolve(spec, unattended=24 * HOUR))
    at = bench(machine)
    leader = pid_of(at, "a")
    cloud.shut_down()

    clock_of(cloud).advance(3 * HOUR)

    assert at.gone().machine == machine.id
    [known] = cloud.machines.values()
    assert not is_alive(leader)
    assert (known.ended, known.paid_seconds) == (spec.ends_at, (spec.ends_at - known.born).total_seconds())


def test_a_machine_that_nobody_attends_ends_itself_and_a_beat_lets_its_time_begin_anew(
    cloud: CloudClient, provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    machine = rent(provider, spec)
    at = bench(machine)
    at.execute("a", Shell("true"))
    cloud.time.wait(9 * MINUTE)
    at.session.beat(cloud.time.now())
    cloud.time.wait(9 * MINUTE)
    assert [each.id for each in cloud.living()] == [machine.id]

    cloud.time.wait(2 * MINUTE)

    assert cloud.living() == []
    [known] = cloud.machines.values()
    beaten = 9 * MINUTE
    assert known.ended is not None
    assert timedelta(0) <= known.ended - (known.born + beaten + 10 * MINUTE) < MINUTE


def test_machines_and_what_runs_on_them_outlive_the_cloud_and_it_remembers_everything(
    cloud: CloudClient, provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    machine = rent(provider, spec)
    at = bench(machine)
    identity = at.waiting("a")
    cloud.fail(Fault.THROTTLED, on="create", times=2)
    before = cloud.machines
    sides = cloud.sides

    cloud.shut_down()

    assert is_on(machine)
    assert (cloud.machines, cloud.sides) == (before, sides)
    with pytest.raises(Exception, match="RequestLimitExceeded"):
        rent(provider, spec, "u")
    at.open(fence=2).adopt([identity])
    at.open_gate()
    assert at.ended("a").outcome == Exited(0)


def test_a_cloud_that_is_killed_while_it_makes_machines_loses_none(
    cloud: CloudClient, provider: Provider, spec: MachineSpec
) -> None:
    for round_ in range(5):
        process = server_of(cloud)
        done = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(cloud.folder), spec.ends_at.isoformat(), f"t{round_}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.kill(process, signal.SIGKILL)
        done.wait(120)
    cloud.time.wait(provider.terms.settle)

    known = {each.id for each in cloud.living()}
    folders = {path.name for path in (cloud.folder / "machines").iterdir()}

    assert folders == known
    for round_ in range(5):
        [machine] = provider.launch(spec, token=f"t{round_}")
        assert is_on(machine)
    assert len(cloud.living()) == 5


LAUNCH = """
import sys
from datetime import datetime
from pathlib import Path
from attrs import evolve
from longshore.testing import FakeRig
from longshore_sandbox import CloudClient
from longshore_sandbox.config import SandboxConfig
from longshore_sandbox.provider import SandboxProvider
folder, ends_at, token = sys.argv[1:]
cloud = CloudClient(Path(folder))
spec = evolve(FakeRig(cloud=cloud).spec(), ends_at=datetime.fromisoformat(ends_at))
SandboxProvider(SandboxConfig(folder=Path(folder), account="account-1")).launch(spec, token=token)
"""


def server_of(cloud: CloudClient) -> int:
    cloud.do("me", "whoami", {})  # it is there, for it answers
    return int((cloud.folder / "cloud.pid").read_text())


def test_a_stopped_machine_keeps_its_disk_and_runs_nothing(
    cloud: CloudClient, provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    assert isinstance(provider, Stoppable)
    machine = rent(provider, spec)
    at = bench(machine)
    at.output(f"mkdir -p {at.scratch}; echo kept > $HOME/note")
    leader = pid_of(at, "a")

    provider.stop([machine.id])
    assert not is_alive(leader)
    assert not is_on(machine)
    cloud.time.wait(20 * MINUTE)
    assert [each.state for each in provider.find(owner="me")] == [MachineState.STOPPED]
    provider.start([machine.id])

    at.open(fence=2)
    assert at.output("cat $HOME/note") == "kept\n"


def test_a_spot_machine_is_announced_and_taken_back_though_nobody_asks(
    cloud: CloudClient, provider: Provider, spec: MachineSpec, bench: Callable[[Machine], ExecutorBench]
) -> None:
    assert isinstance(provider, SpotNotices)
    machine = rent(provider, evolve(spec, offer=evolve(spec.offer, spot=True)))
    at = bench(machine)
    leader = pid_of(at, "a")
    cloud.reclaim(machine.id, after=5 * MINUTE)
    assert provider.notices([machine.id]) == []

    cloud.time.wait(4 * MINUTE)
    [notice] = provider.notices([machine.id])
    assert notice.machine == machine.id
    clock_of(cloud).advance(2 * MINUTE)

    assert at.gone().machine == machine.id
    assert cloud.machines[machine.id].ended == notice.at
    assert not is_alive(leader)


def test_by_the_real_clock_the_trace_takes_spot_machines_back_though_nobody_asks(tmp_path: Path) -> None:
    cloud = open_cloud(tmp_path / "cloud", '[[reclaims]]\nafter = "1500 ms"\ntype = "small"\n')
    try:
        provider = SandboxProvider(SandboxConfig(folder=cloud.folder))
        offer = next(each for each in provider.offers(Needs(type="small")) if each.spot)
        later = datetime.now(UTC) + HOUR
        machine = rent(provider, evolve(rig_on(cloud).spec(), offer=offer, ends_at=later))

        wait_without_power(machine)

        [known] = cloud.machines.values()
        assert known.ended is not None
    finally:
        close_cloud(cloud)


def test_by_the_real_clock_a_machine_is_taken_back_when_it_was_said_though_nobody_asks_again(tmp_path: Path) -> None:
    cloud = open_cloud(tmp_path / "cloud", "")
    try:
        provider = SandboxProvider(SandboxConfig(folder=cloud.folder))
        offer = next(each for each in provider.offers(Needs()) if each.spot)
        later = datetime.now(UTC) + HOUR
        machine = rent(provider, evolve(rig_on(cloud).spec(), offer=offer, ends_at=later))
        request = {"operate": "reclaim", "body": {"id": machine.id, "seconds": 1.0}}
        with socket.socket(socket.AF_UNIX) as connection:
            connect(connection, cloud.folder / DOOR)
            assert len(cloud.living()) == 1  # the cloud has let us in by now, and waits for more than our request
            connection.sendall(json.dumps(request).encode() + b"\n")
            assert json.loads(connection.recv(1 << 16)) == {"answer": {}}

        wait_without_power(machine)

        [known] = cloud.machines.values()
        assert known.ended is not None
    finally:
        close_cloud(cloud)


def test_prices_quotas_and_faults_are_as_the_settings_say(tmp_path: Path) -> None:
    more = (
        'quota = 1\nseed = 3\n[faults]\ninvalid = 0.5\n[[kinds]]\ntype = "b"\ncpus = 1\nmemory = "1 GiB"\nrate = "1"\n'
    )
    text = 'clock = "manual"\n' + more + 'changes = { "1 h" = "2" }\n'
    cloud = open_cloud(tmp_path / "cloud", text)
    try:
        provider = SandboxProvider(SandboxConfig(folder=cloud.folder))
        assert isinstance(provider, Prices)

        def told() -> list[str]:
            found = []
            for _ in range(20):
                try:
                    found.append(str(provider.offers(Needs())[0].price.per_hour))  # type: ignore[union-attr]
                except InvalidRequest:
                    found.append("fault")
            return found

        before = told()
        cloud.time.wait(HOUR)
        after = told()
        assert set(before) == {"1 USD", "fault"}
        assert set(after) == {"2 USD", "fault"}
        body = {"count": 2, "type": "b", "region": "north", "zone": "north-a", "spot": False}
        with pytest.raises(Exception, match="LimitExceeded"):
            cloud.do("me", "create", body)
    finally:
        close_cloud(cloud)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("quota = -1", "quota"),
        ("qota = 1", "did you mean quota"),
        ("[faults]\nplague = 0.1", "faults are capacity"),
        ('[[kinds]]\ntype = "a"\ncpus = 1', "memory"),
        ("quota = ", "cloud.toml"),
        ('clock = "fast"', "clock"),
    ],
)
def test_a_mistake_in_the_settings_is_told_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    cloud = open_cloud(tmp_path / "cloud", text)
    with pytest.raises(InvalidRequest, match=said):
        SandboxProvider(SandboxConfig(folder=cloud.folder)).find(owner="me")


def test_a_folder_that_cannot_be_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CloudUnreachable, match="cannot be made"):
        SandboxProvider(SandboxConfig(folder=tmp_path / "file" / "cloud")).scope()


def test_a_quota_is_looked_at_and_kept(tmp_path: Path) -> None:
    cloud = open_cloud(tmp_path / "cloud", MANUAL.replace("quota = 1000", "quota = 1"))
    try:
        rig = rig_on(cloud)
        with pytest.raises(QuotaExceeded):
            rig.provider().launch(rig.spec(), token="t", count=2)
        assert cloud.living() == []
    finally:
        close_cloud(cloud)


def test_accounts_see_their_own_machines_only(cloud: CloudClient, provider: Provider, spec: MachineSpec) -> None:
    machine = rent(provider, spec)
    cloud.time.wait(provider.terms.listing_lag)
    other = SandboxProvider(SandboxConfig(folder=cloud.folder, account="other"))

    other.terminate([machine.id])

    assert other.find(owner="me") == []
    assert [each.id for each in provider.find(owner="me")] == [machine.id]


def test_a_machine_whose_process_is_gone_is_off(cloud: CloudClient, provider: Provider, spec: MachineSpec) -> None:
    machine = rent(provider, spec)
    pid = int((Path(machine.address) / "power").read_text())

    os.kill(pid, signal.SIGKILL)

    assert cloud.living() == []
    assert not SandboxComputer(Path(machine.address)).identity


def test_a_machine_whose_folder_was_thrown_away_ends_itself(tmp_path: Path) -> None:
    cloud = open_cloud(tmp_path / "cloud")
    rig = rig_on(cloud)
    [machine] = rig.provider().launch(rig.spec(), token="t")
    with open(Path(machine.address) / "power") as power:
        shutil.rmtree(cloud.folder)

        within(timedelta(seconds=60), lambda: fcntl.flock(power, fcntl.LOCK_SH))


def test_importing_the_plugin_imports_no_test_runner() -> None:
    program = "import sys, longshore_sandbox.plugin, longshore_sandbox.server; print('pytest' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "False\n"


def operate(cloud: CloudClient, *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "longshore_sandbox", "--folder", str(cloud.folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_the_operator_sees_what_was_paid_and_moves_time_and_machines(
    cloud: CloudClient, provider: Provider, spec: MachineSpec
) -> None:
    machine = rent(provider, evolve(spec, offer=evolve(spec.offer, spot=True), unattended=HOUR))
    assert operate(cloud, "advance", "30 min")[0] == 0
    assert operate(cloud, "reclaim", machine.id)[0] == 0

    code, shown = operate(cloud, "list")

    assert code == 0
    assert shown.split()[:6] == [machine.id, "ended", "small", "spot", "north-a", "account-1"]
    assert operate(cloud, "reclaim", "i-9") == (2, "there is no spot machine i-9\n")
    assert operate(cloud, "fail", "throttled", "--on", "offers") == (0, "")
    with pytest.raises(Exception, match="RequestLimitExceeded"):
        provider.offers(Needs())
    assert operate(cloud, "reset") == (0, "")
    assert operate(cloud, "list") == (0, "")


def test_a_real_clock_is_not_moved(tmp_path: Path) -> None:
    code, said = operate(CloudClient(tmp_path), "advance", "1 h")
    assert (code, "the clock is real" in said) == (2, True)
