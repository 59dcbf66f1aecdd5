"""The rules of the scheduler, each shown by one small run."""

from __future__ import annotations

from datetime import timedelta

import pytest
from attrs import evolve

from longshore.builtin.strategies import CriticalPath
from longshore.model.command import Shell
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    CancelAsked,
    InputsFailed,
    MachineAdded,
    MachineGone,
    RetryAsked,
    RunContinued,
    StopAsked,
    TableMade,
    TasksAdded,
)
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.model.retry import INFRASTRUCTURE_ATTEMPTS, RetryPolicy
from longshore.model.task import Collect, OutputLines, Parameter, Range, Reference, TaskSpec, Values
from longshore.scheduler.actions import CancelAttempt, MakeTable, WakeAt
from longshore.scheduler.building import begin, missing_members
from longshore.scheduler.decide import decide
from longshore.scheduler.state import TaskPhase
from longshore.testing import Simulation

from .flows import BROKEN, FINE, LOST, shell, workflow


def phases(run: Simulation) -> dict[str, str]:
    return {name: task.phase.value for name, task in run.state.tasks.items()}


def group(name: str, *values: str, read: str = "", member: str = "$k") -> TaskSpec:
    references = (Reference(task=read, member=member, path="out"),) if read else ()
    return TaskSpec(name=name, command=Shell("true"), for_each=(Parameter("k", Values(values)),), references=references)


def test_a_diamond_runs_each_task_once_after_what_it_reads() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a"), shell("c", "a"), shell("d", "b", "c")))

    assert run.play() == "succeeded"

    ended = [event.task for event in run.history if isinstance(event, AttemptEnded)]
    assert ended in (["a", "b", "c", "d"], ["a", "c", "b", "d"])


def collected(name: str, *values: str) -> TaskSpec:
    return evolve(group(name, *values), collect=Collect(into="t.csv", source="row.json"))


def made(run: Simulation, *, problem: str = "", edition: int = 0) -> None:
    run.take(TableMade(at=run.now, name="fit", edition=edition, table=(), problem=problem))


def test_a_table_is_made_when_all_members_have_ended_and_what_reads_it_waits_for_that() -> None:
    run = Simulation(workflow(collected("fit", "1", "2"), shell("report", "fit")))
    while len(run.ended_count) < 2:
        assert MakeTable("fit", 0) not in decide(run.state, run.strategy, run.now)
        run.turn()
        if run.live():
            run.end_one(run.live()[0])

    assert MakeTable("fit", 0) in decide(run.state, run.strategy, run.now)
    assert phases(run)["report"] == "waiting"
    assert run.play() == "succeeded"
    assert [type(event) for event in run.history if getattr(event, "name", "") == "fit"] == [TableMade]


def test_a_table_that_lacks_members_fails_the_run_and_its_readers_are_skipped() -> None:
    run = Simulation(workflow(collected("fit", "1"), shell("report", "fit")))
    run.turn()
    run.turn()
    run.end_one("fit[k=1]")
    made(run, problem="it lacks one")

    assert run.play() == "failed"
    assert phases(run) == {"fit[k=1]": "succeeded", "report": "skipped"}

    run.take(RetryAsked(at=run.now, tasks=()))
    assert run.play() == "succeeded", "the second table is whole"
    assert phases(run)["report"] == "succeeded"


def test_of_a_table_that_was_asked_for_before_a_member_ran_again_nothing_follows() -> None:
    run = Simulation(workflow(collected("fit", "1", "2"), shell("report", "fit")))
    run.outcomes["fit[k=1]"] = [BROKEN, FINE]
    while len(run.ended_count) < 2:
        run.turn()
        if run.live():
            run.end_one(run.live()[0])
    run.take(RetryAsked(at=run.now, tasks=("fit[k=1]",)))
    made(run, edition=0)

    assert phases(run)["report"] == "waiting"
    assert run.play() == "succeeded"
    assert [event.edition for event in run.history if isinstance(event, TableMade)] == [0, 1]


def test_a_run_that_stops_at_the_first_failure_makes_its_table_of_what_there_is() -> None:
    run = Simulation(workflow(collected("fit", "1", "2", "3"), keep_going=False), cpus=1)
    run.outcomes["fit[k=1]"] = [BROKEN]

    assert run.play() == "failed"
    assert any(isinstance(event, TableMade) for event in run.history)


def test_what_depends_on_a_failed_task_is_skipped_and_everything_else_goes_on() -> None:
    run = Simulation(workflow(shell("bad"), shell("reader", "bad"), shell("reader2", "reader"), shell("other")))
    run.outcomes["bad"] = [BROKEN]

    assert run.play() == "failed"

    assert phases(run) == {"bad": "failed", "reader": "skipped", "reader2": "skipped", "other": "succeeded"}


def test_fail_fast_starts_nothing_after_the_first_failure() -> None:
    run = Simulation(workflow(shell("bad", priority=1), shell("other"), keep_going=False), cpus=1)
    run.outcomes["bad"] = [BROKEN]

    assert run.play() == "failed"

    assert phases(run) == {"bad": "failed", "other": "waiting"}


def test_a_task_is_tried_as_often_as_its_policy_says() -> None:
    run = Simulation(workflow(shell("flaky", retry=RetryPolicy(attempts=3))))
    run.outcomes["flaky"] = [BROKEN, BROKEN, FINE]

    assert run.play() == "succeeded"

    assert run.state.tasks["flaky"].attempts == 3


def test_a_lost_machine_does_not_use_up_the_retries_meant_for_bugs() -> None:
    run = Simulation(workflow(shell("task", retry=RetryPolicy(attempts=2))))
    run.outcomes["task"] = [LOST, LOST, BROKEN, FINE]

    assert run.play() == "succeeded"

    assert run.state.tasks["task"].attempts == 4


def test_a_task_whose_machines_keep_vanishing_is_lost_in_the_end() -> None:
    run = Simulation(workflow(shell("task")))
    run.outcomes["task"] = [LOST]

    assert run.play() == "failed"

    assert run.state.tasks["task"].phase is TaskPhase.LOST
    assert run.ended_count["task"] == INFRASTRUCTURE_ATTEMPTS[FailureClass.MACHINE_LOST]


def test_a_retry_waits_for_its_delay_and_the_run_sleeps_until_then() -> None:
    run = Simulation(workflow(shell("task", retry=RetryPolicy(attempts=2, delay=timedelta(minutes=1)))))
    run.outcomes["task"] = [BROKEN, FINE]
    run.turn()
    run.turn()
    run.end_one("task")

    actions = decide(run.state, CriticalPath(), run.now)

    assert actions == [WakeAt(run.now + timedelta(minutes=1))]
    assert run.play() == "succeeded"


def test_a_machine_that_is_lost_again_and_again_is_given_time() -> None:
    run = Simulation(workflow(shell("task")))
    run.outcomes["task"] = [LOST, LOST, LOST, FINE]

    assert run.play() == "succeeded"

    intents = [event.at for event in run.history if isinstance(event, AttemptIntended)]
    ends = [event.at for event in run.history if isinstance(event, AttemptEnded)]
    waits = [after - before for before, after in zip(ends, intents[1:], strict=False)]
    assert waits == [timedelta(0), timedelta(seconds=1), timedelta(seconds=2)]


def test_never_more_in_use_than_there_is() -> None:
    run = Simulation(workflow(*(shell(f"t{i}", needs=Resources(cpus=1.5)) for i in range(6))), cpus=4)
    run.turn()
    run.turn()

    assert len(run.live()) == 2


def test_a_limit_of_the_run_holds_across_what_fits() -> None:
    run = Simulation(workflow(*(shell(f"t{i}") for i in range(6)), max_tasks=2), cpus=10)
    run.turn()
    run.turn()

    assert len(run.live()) == 2


def test_the_longest_path_goes_first() -> None:
    run = Simulation(workflow(shell("lonely"), shell("head"), shell("middle", "head"), shell("tail", "middle")), cpus=1)
    run.turn()
    run.turn()

    assert run.live() == ["head"]


def test_what_succeeded_before_is_not_run_again() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a")))
    run.cached = {"a"}

    assert run.play() == "succeeded"

    assert phases(run) == {"a": "up to date", "b": "succeeded"}


def test_an_input_that_cannot_be_had_fails_the_task_before_it_starts() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a")))
    run.take(InputsFailed(at=run.now, task="a", reason="raw.csv is gone"))

    assert run.play() == "failed"

    assert phases(run) == {"a": "failed", "b": "skipped"}
    assert run.ended_count == {}


def test_cancel_ends_what_runs_and_never_starts_the_rest() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a")))
    run.turn()
    run.turn()
    run.take(CancelAsked(at=run.now))

    assert decide(run.state, CriticalPath(), run.now) == [CancelAttempt("a", 1, "m")]
    run.end_one("a", Cancelled())

    assert run.play() == "cancelled"
    assert phases(run) == {"a": "cancelled", "b": "cancelled"}


def test_cancelling_one_task_skips_its_readers_only() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a"), shell("c")))
    run.take(CancelAsked(at=run.now, tasks=("a",)))

    assert run.play() == "cancelled"

    assert phases(run) == {"a": "cancelled", "b": "skipped", "c": "succeeded"}


def test_stop_lets_what_runs_end_and_leaves_the_rest_for_later() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a")))
    run.turn()
    run.turn()
    run.take(StopAsked(at=run.now))
    run.end_one("a")

    assert run.play() == "interrupted"
    assert phases(run) == {"a": "succeeded", "b": "waiting"}

    run.take(RunContinued(at=run.now, fence=2))
    run.turn()
    assert not run.live(), "nothing starts on a machine that the new controller has no link to"
    run.take(MachineAdded(at=run.now, machine="m", pool="local", resources=Resources(cpus=2)))
    assert run.play() == "succeeded"


def test_the_end_of_an_attempt_told_twice_counts_once() -> None:
    run = Simulation(workflow(shell("a", retry=RetryPolicy(attempts=2)), shell("b", "a")))
    run.turn()
    run.turn()
    run.end_one("a", *BROKEN)
    again = run.history[-1]
    before = dict(run.state.tasks["a"].failures or {})

    run.take(again)

    assert run.state.tasks["a"].failures == before


def test_a_machine_that_is_gone_gives_its_tasks_back() -> None:
    run = Simulation(workflow(shell("a")))
    run.turn()
    run.turn()

    run.take(MachineGone(at=run.now, machine="m", reason="reclaimed", failure=FailureClass.PREEMPTED))

    assert run.state.tasks["a"].phase is TaskPhase.WAITING
    assert run.state.tasks["a"].failures == {FailureClass.PREEMPTED: 1}


def test_an_attempt_that_never_started_does_not_count() -> None:
    run = Simulation(workflow(shell("a")))
    run.outcomes["a"] = [(Lost("never started"), None)] * 50 + [FINE]

    assert run.play() == "succeeded"


def test_a_member_waits_only_for_the_member_that_it_reads() -> None:
    run = Simulation(workflow(group("fit", "1", "2"), group("score", "1", "2", read="fit")))
    run.turn()
    run.turn()
    run.end_one("fit[k=1]")
    run.turn()
    run.turn()

    assert set(run.live()) == {"fit[k=2]", "score[k=1]"}


def test_a_glob_over_members_waits_for_all_of_them() -> None:
    reader = TaskSpec(
        name="report", command=Shell("true"), references=(Reference(task="fit", member="*", path="out", glob=True),)
    )
    run = Simulation(workflow(group("fit", "1", "2"), reader))
    run.turn()
    run.turn()
    run.end_one("fit[k=1]")
    run.turn()
    assert run.state.tasks["report"].unmet == 1

    assert run.play() == "succeeded"


def test_a_failed_member_skips_whoever_reads_all_members() -> None:
    reader = TaskSpec(
        name="report", command=Shell("true"), references=(Reference(task="fit", member="*", path="out", glob=True),)
    )
    run = Simulation(workflow(group("fit", "1", "2"), reader))
    run.outcomes["fit[k=1]"] = [BROKEN]

    assert run.play() == "failed"

    assert phases(run) == {"fit[k=1]": "failed", "fit[k=2]": "succeeded", "report": "skipped"}


def test_members_are_made_when_the_task_that_lists_them_has_succeeded() -> None:
    source = OutputLines(Reference(task="list", path="names.txt"))
    fit = TaskSpec(name="fit", command=Shell("true"), for_each=(Parameter("k", source),))
    reader = TaskSpec(
        name="report", command=Shell("true"), references=(Reference(task="fit", member="*", path="out", glob=True),)
    )
    run = Simulation(workflow(shell("list"), fit, reader))
    run.members["fit"] = (("x", "y"),)

    assert run.play() == "succeeded"

    assert set(phases(run)) == {"list", "fit[k=x]", "fit[k=y]", "report"}


def test_no_members_at_all_leave_the_readers_free_to_run() -> None:
    source = OutputLines(Reference(task="list", path="names.txt"))
    fit = TaskSpec(name="fit", command=Shell("true"), for_each=(Parameter("k", source),))
    run = Simulation(workflow(shell("list"), fit, shell("report", after=("fit",))))
    run.members["fit"] = ((),)

    assert run.play() == "succeeded"

    assert phases(run) == {"list": "succeeded", "report": "succeeded"}


def test_several_parameters_make_the_product_and_repeat_counts_from_one() -> None:
    spec = TaskSpec(
        name="fit",
        command=Shell("true"),
        for_each=(Parameter("a", Values(("x", "y"))), Parameter("n", Range(first=1, last=2))),
        repeat=2,
    )

    ids = list(begin(workflow(spec)).tasks)

    assert ids[:3] == ["fit[a=x,n=1,repeat=1]", "fit[a=x,n=1,repeat=2]", "fit[a=x,n=2,repeat=1]"]
    assert len(ids) == 8


def test_a_reference_to_a_member_that_does_not_exist_is_named() -> None:
    spec = workflow(group("fit", "1", "2"), group("score", "2", "3", read="fit"))

    [(reader, reference, member)] = missing_members(begin(spec))

    assert (reader, reference.task, member) == ("score[k=3]", "fit", "3")


def test_tasks_that_join_a_running_run_wait_for_what_they_read() -> None:
    run = Simulation(workflow(shell("a")))
    run.turn()
    run.turn()
    run.take(TasksAdded(at=run.now, tasks=(shell("b", "a"),)))

    assert run.state.tasks["b"].unmet == 1
    assert run.play() == "succeeded"


def test_tasks_that_join_after_their_producer_failed_are_skipped() -> None:
    run = Simulation(workflow(shell("a"), shell("slow")))
    run.outcomes["a"] = [BROKEN]
    run.turn()
    run.turn()
    run.end_one("a")
    run.take(TasksAdded(at=run.now, tasks=(shell("b", "a"),)))

    assert run.state.tasks["b"].phase is TaskPhase.SKIPPED


def test_asking_for_a_retry_revives_the_task_and_what_was_skipped_for_it() -> None:
    run = Simulation(workflow(shell("a"), shell("b", "a"), shell("bad"), shell("c", "b", "bad")))
    run.outcomes["a"] = [BROKEN, FINE]
    run.outcomes["bad"] = [BROKEN]
    assert run.play() == "failed"

    run.take(RetryAsked(at=run.now, tasks=("a",)))

    assert run.play() == "failed"
    assert phases(run) == {"a": "succeeded", "b": "succeeded", "bad": "failed", "c": "skipped"}


@pytest.mark.parametrize("count", [10_000])
def test_long_chains_build_and_run_without_recursion(count: int) -> None:
    specs = [shell("t0"), *(shell(f"t{i}", f"t{i - 1}") for i in range(1, count))]
    run = Simulation(workflow(*specs))

    assert run.play(turns=count * 3) == "succeeded"


def test_short_tasks_wait_on_the_machine_so_that_it_is_never_idle() -> None:
    run = Simulation(workflow(group("tick", *map(str, range(100)))))
    run.state.pace["tick"] = 0.01
    run.turn()
    run.turn()

    # Two cpus, and as much again five times over: 50 ms of work.
    assert len(run.live()) == 2 * 6


def test_exit_codes_are_news_and_not_exceptions() -> None:
    run = Simulation(workflow(shell("a")))
    run.outcomes["a"] = [(Exited(3), FailureClass.USER_CODE)]

    assert run.play() == "failed"

    assert run.state.tasks["a"].failure is FailureClass.USER_CODE
