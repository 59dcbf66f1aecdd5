"""Runs that rent their machines from a cloud with a process, machines and clocks of its own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from longshore import ConfigError, Run
from longshore.errors import PluginMissing
from longshore.model.events import AttemptStarted, MachineAdded, MachineGone
from longshore.model.lease import LeasePhase
from longshore.model.lease_events import LeaseChanged, LeaseIntended
from longshore.model.outcome import FailureClass
from longshore.runtime.ledger import Ledger
from longshore.testing.faults import Fault
from longshore_sandbox import CloudClient
from longshore_sandbox.hardware import SandboxComputer

from .conftest import Play, Sandbox, check_nothing_is_left, phases

FAN = """
[tasks.part]
for_each.i = [1, 2, 3, 4, 5, 6]
command = "echo $i > out.txt"
outputs = ["out.txt"]
[tasks.sum]
command = "cat workflow:///part/*/out.txt > all.txt"
outputs = ["all.txt"]
"""
TWO = """
[tasks.work]
for_each.i = [1, 2]
needs = { cpus = 2 }
command = "until test -e go; do sleep 0.05; done"
"""


def machines(run: Run) -> set[str]:
    return {event.machine for _, event in run.reader().events(kind="MachineAdded") if isinstance(event, MachineAdded)}


def leases(run: Run) -> list[LeaseIntended]:
    return [event for _, event in run.reader().events() if isinstance(event, LeaseIntended)]


def told(run: Run) -> list[LeasePhase]:
    return [event.phase for _, event in run.reader().events() if isinstance(event, LeaseChanged)]


def gone(run: Run) -> list[MachineGone]:
    return [event for _, event in run.reader().events() if isinstance(event, MachineGone)]


def attempts(run: Run) -> list[AttemptStarted]:
    return [event for _, event in run.reader().events(kind="AttemptStarted") if isinstance(event, AttemptStarted)]


def started(run: Run, count: int) -> bool:
    """Say whether so many attempts have begun."""
    return len(attempts(run)) >= count


def let_go(run: Run, *, task: str = "") -> None:
    """Let all attempts of `TWO` end that run now, or those of one task."""
    for event in attempts(run):
        workdir = Path(event.workdir)
        if task in event.task and workdir.exists():
            (workdir / "go").touch()


def test_a_run_rents_its_machines_runs_its_tasks_there_brings_the_results_home_and_ends_them(
    cloud: CloudClient, play: Play
) -> None:
    with play("machines = { max = 2 }", FAN) as run:
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert (run.results / "sum" / "all.txt").read_text() == "1\n2\n3\n4\n5\n6\n"
    assert 1 <= len(machines(run)) <= 2
    assert {task.machine for task in run.tasks()} <= machines(run)
    check_nothing_is_left(cloud, run)


def test_a_second_run_finds_everything_up_to_date_and_rents_nothing(cloud: CloudClient, play: Play) -> None:
    with play("", FAN) as first:
        first.wait(timeout=120)

    with play("count = 2", FAN) as second:
        second.wait(timeout=120)

    assert set(phases(second).values()) == {"up to date"}
    assert leases(second) == []


def test_a_failed_run_ends_its_machines_too(cloud: CloudClient, play: Play) -> None:
    with play("", '[tasks.bad]\ncommand = "exit 3"\n') as run:
        run.wait(timeout=120)

    assert run.state == "failed"
    check_nothing_is_left(cloud, run)


def test_a_cancelled_run_ends_its_machines_too(cloud: CloudClient, play: Play) -> None:
    run = play("machines = { max = 2 }", TWO)
    run.wait(until=lambda each: started(each, 2), timeout=120)
    run.cancel()
    run.wait(timeout=120)

    assert run.state == "cancelled"
    check_nothing_is_left(cloud, run)


def test_a_run_that_is_cancelled_while_it_rents_leaves_nothing(sandbox: Sandbox, play: Play) -> None:
    cloud = sandbox(deadline="3 s")
    cloud.fail(Fault.REPLY_LOST, on="create")
    run = play("machines = { max = 2 }", TWO)
    run.wait(until=lambda each: any(phase is LeasePhase.REQUESTED for phase in told(each)), timeout=120)
    run.cancel()
    run.wait(timeout=120)

    assert run.state == "cancelled"
    check_nothing_is_left(cloud, run)


def test_machines_of_two_clouds_that_are_called_the_same_are_two(
    cloud: CloudClient, other: CloudClient, play: Play, tmp_path: Path
) -> None:
    pool = f"""
[providers.other]
plugin = "sandbox"
owner = "me"
folder = "{tmp_path / "other"}"
[pools.far]
provider = "other"
executor = "sandbox"
reconnect = "300 ms"
"""
    task = (
        'command = "until test -e go; do sleep 0.05; done; echo $LONGSHORE_ATTEMPT > out.txt"\noutputs = ["out.txt"]\n'
    )
    with play(pool, f'[tasks.near]\npool = "cloud"\n{task}[tasks.away]\npool = "far"\n{task}') as run:
        run.wait(until=lambda each: started(each, 2), timeout=120)
        assert set(cloud.machines) == set(other.machines)
        assert machines(run) == {f"{name}:{each}" for name in ("sandbox", "other") for each in cloud.machines}
        let_go(run)
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert other.living() == []
    check_nothing_is_left(cloud, run)


def test_a_machine_that_is_idle_for_long_enough_is_given_up_before_the_run_ends(cloud: CloudClient, play: Play) -> None:
    tasks = """
[tasks.short]
command = "true"
[tasks.wide]
for_each.i = [1, 2]
needs = { cpus = 2 }
command = "until test -e go; do sleep 0.05; done"
after = ["short"]
"""
    run = play('machines = { max = 2 }\nidle = "200 ms"', tasks)
    run.wait(until=lambda each: started(each, 2), timeout=120)
    let_go(run, task="wide[i=1]")
    run.wait(until=lambda each: bool(gone(each)), timeout=120)

    assert [event.machine for event in gone(run)] == [run.task("wide[i=1]").machine]
    assert run.task("wide[i=2]").phase == "running"
    run.cancel()
    run.wait(timeout=120)
    check_nothing_is_left(cloud, run)


def test_a_spot_machine_that_is_taken_back_is_replaced_and_its_attempts_run_elsewhere(
    cloud: CloudClient, play: Play
) -> None:
    run = play("machines = { max = 2 }\nspot = true", TWO)
    run.wait(until=lambda each: started(each, 2), timeout=120)
    [victim, other] = sorted(machine.id for machine in cloud.living())
    cloud.reclaim(victim, after=timedelta(0))
    assert [machine.id for machine in cloud.living()] == [other]

    run.wait(until=lambda each: started(each, 3), timeout=120)
    let_go(run)
    run.wait(timeout=120)

    assert run.state == "succeeded"
    assert [(event.machine, event.failure) for event in gone(run)] == [(victim, FailureClass.PREEMPTED)]
    assert len(leases(run)) == 3
    assert sorted(task.attempts for task in run.tasks()) == [1, 2]
    assert other in {task.machine for task in run.tasks()}
    check_nothing_is_left(cloud, run)


def test_what_ran_on_a_machine_that_does_not_answer_runs_again_only_when_that_machine_is_over(
    cloud: CloudClient, play: Play
) -> None:
    run = play("", '[tasks.work]\ncommand = "until test -e go; do sleep 0.05; done"\n')
    run.wait(until=lambda each: started(each, 1), timeout=120)
    [silent] = cloud.living()
    computer = SandboxComputer(cloud.folder / "machines" / silent.id)
    computer.cut()
    computer.crash(run.id)

    run.wait(until=lambda each: started(each, 2), timeout=120)
    [second] = cloud.living()
    assert second.id != silent.id
    [old, new] = [cloud.machines[name] for name in (silent.id, second.id)]
    assert old.ended is not None
    assert old.ended <= new.born
    let_go(run)
    run.wait(timeout=120)
    assert [event.failure for event in gone(run)] == [FailureClass.MACHINE_LOST]
    check_nothing_is_left(cloud, run)


def test_what_a_cloud_has_none_of_is_sought_elsewhere(sandbox: Sandbox, play: Play) -> None:
    cloud = sandbox(
        '[[kinds]]\ntype = "small"\ncpus = 2\nmemory = "4 GiB"\nrate = "0.10"\ncapacity = 1\n'
        '[[kinds]]\ntype = "small"\nzone = "north-b"\ncpus = 2\nmemory = "4 GiB"\nrate = "0.20"\n'
    )
    run = play("machines = { max = 2 }", TWO)
    run.wait(until=lambda each: started(each, 2), timeout=120)
    zones = sorted(machine.kind.zone for machine in cloud.living())
    let_go(run)
    run.wait(timeout=120)

    assert zones == ["north-a", "north-b"]
    refused = [event for _, event in run.reader().events() if isinstance(event, LeaseChanged) and event.failure]
    assert {event.failure for event in refused} == {FailureClass.CAPACITY}
    check_nothing_is_left(cloud, run)


def test_a_reply_that_is_lost_makes_no_second_machine(sandbox: Sandbox, play: Play) -> None:
    cloud = sandbox(deadline="3 s")
    cloud.fail(Fault.REPLY_LOST, on="create")
    with play("", FAN) as run:
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert len(cloud.machines) == 1
    check_nothing_is_left(cloud, run)


def test_a_machine_that_is_attended_to_lives_on_beyond_its_unattended_time(cloud: CloudClient, play: Play) -> None:
    with play('unattended = "5 s"', '[tasks.long]\ncommand = "sleep 7"\n') as run:
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert run.task("long").attempts == 1
    assert len(cloud.machines) == 1


def test_what_cannot_be_rented_as_it_is_written_is_refused_before_there_is_a_run(
    cloud: CloudClient, play: Play
) -> None:
    with pytest.raises(ConfigError, match=r"pools\.cloud\.reconect"):
        play('reconect = "1 s"', FAN)
    with pytest.raises(PluginMissing, match="clowd"):
        play(
            '[pools.other]\nprovider = "clowd"\nexecutor = "sandbox"', FAN.replace("command", 'pool = "other"\ncommand')
        )


def test_a_budget_is_set_aside_before_each_launch_and_admits_no_more_than_it_bears(
    cloud: CloudClient, play: Play
) -> None:
    run = play('machines = { max = 4 }\nlifetime = "1 h"\nmax_cost = "0.15 USD"', TWO)
    run.wait(until=lambda each: started(each, 1), timeout=120)
    with Ledger.open() as ledger:
        account = ledger.account(f"pool/{run.id}/cloud")
        assert account is not None
        assert account.committed.amount <= account.budget.limit.amount
    assert len(cloud.machines) == 1
    let_go(run)
    run.wait(until=lambda each: started(each, 2), timeout=120)
    let_go(run)
    run.wait(timeout=120)

    assert run.state == "succeeded"
    assert len(cloud.machines) == 1
    check_nothing_is_left(cloud, run)


def test_a_budget_that_bears_no_machine_fails_its_tasks_in_words(cloud: CloudClient, play: Play) -> None:
    with play('max_cost = "0.01 USD"', FAN) as run:
        run.wait(timeout=120)

    assert run.state == "failed"
    assert cloud.machines == {}
    [refusal] = {event.reason for _, event in run.reader().events(kind="TasksRefused")}  # type: ignore[union-attr]  # by its kind
    assert "raise max_cost or shorten lifetime" in refusal


def test_tasks_that_no_machine_could_take_fail_in_words_and_the_others_run(cloud: CloudClient, play: Play) -> None:
    tasks = '[tasks.big]\ncommand = "true"\nneeds = { cpus = 99 }\n[tasks.small]\ncommand = "true"\n'
    with play("", tasks) as run:
        run.wait(timeout=120)

    assert phases(run) == {"big": "failed", "small": "succeeded"}
    check_nothing_is_left(cloud, run)


def test_a_machine_that_is_kept_serves_the_next_run_of_its_project_and_no_other(cloud: CloudClient, play: Play) -> None:
    pool = 'when_idle = "keep"\nlifetime = "1 h"'
    with play(pool, '[tasks.one]\ncommand = "true"\n') as first:
        first.wait(timeout=120)
    [kept] = cloud.living()

    with play(pool, '[tasks.two]\ncommand = "true"\n') as second:
        second.wait(timeout=120)
    assert machines(second) == {kept.id}
    told = [event for _, event in second.reader().events() if isinstance(event, LeaseChanged)]
    assert (told[0].warm, told[0].phase) == (True, LeasePhase.KNOWN)
    assert [machine.id for machine in cloud.living()] == [kept.id]

    with play(f'{pool}\n[tasks.three]\ncommand = "true"\n', "", fresh=True) as third:
        third.wait(timeout=120)
    assert machines(third) == {machine.id for machine in cloud.living()}
    assert machines(third) != {kept.id}


def test_a_machine_that_is_stopped_is_started_again_for_the_next_run(cloud: CloudClient, play: Play) -> None:
    pool = 'when_idle = "stop"\nlifetime = "1 h"'
    with play(pool, '[tasks.one]\ncommand = "true"\n') as first:
        first.wait(timeout=120)
    [stopped] = cloud.living()
    assert stopped.stopped is not None
    with Ledger.open() as ledger:
        assert [(lease.phase, lease.kept) for lease in ledger.leases()] == [(LeasePhase.STOPPED, True)]

    with play(pool, '[tasks.two]\ncommand = "true"\n') as second:
        second.wait(timeout=120)
    assert second.state == "succeeded"
    assert list(cloud.machines) == [stopped.id]


def test_a_rented_machine_builds_what_its_tasks_need_and_what_that_prints_comes_home(
    cloud: CloudClient, play: Play
) -> None:
    work = """
[environments.sci]
before = "sleep 0.5; echo told; echo word > $LONGSHORE_ENVIRONMENT/word"
[tasks.work]
command = "cat $LONGSHORE_ENVIRONMENT/word > out.txt"
outputs = ["out.txt"]
"""
    with play('idle = "10 ms"\nmachines = { max = 1 }\n', work) as run:
        run.wait(timeout=120)

    assert run.state == "succeeded"
    assert (run.results / "work" / "out.txt").read_text() == "word\n"
    assert len(leases(run)) == 1
    assert "told\n" in run.reader().log_paths("+sci", 1)[0].read_text()
