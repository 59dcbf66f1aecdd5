"""The laws of an executor, E1 to E10 of `longshore.plugin.protocols`, as a suite to subclass."""

from __future__ import annotations

import signal
from datetime import timedelta

import pytest

from longshore.errors import ExecutorError, FenceRefused
from longshore.model.command import Argv, Shell
from longshore.model.events import AttemptEnded, MachineGone
from longshore.model.outcome import Cancelled, Exited, FailureClass, Lost
from longshore.model.resources import Resources
from longshore.testing.executor_abilities import SessionAbilityLaws
from longshore.testing.executor_bench import ExecutorBench
from longshore.testing.executor_data import DataLaws

__all__ = ["ExecutorContract"]


class ExecutorContract(DataLaws, SessionAbilityLaws):
    """The laws of a `longshore.plugin.Executor`. Give a fixture ``bench``: an `ExecutorBench`, closed afterwards.

    Laws that need the link cut, the remote side killed or an imposter are skipped where the bench has no way to do it.
    """

    # --- E1: going twice executes once

    def test_E1_going_twice_executes_once(self, bench: ExecutorBench) -> None:
        """`Session.go` twice with one attempt id: one execution, while it runs and when it is over."""
        identity = bench.waiting("a", f"echo x >> {bench.scratch}/counter; echo counted")
        # An end that is told twice may be of a second execution alone, which must not be the first to count.
        bench.log_becomes("counted\n", "a")

        bench.session.go(identity)
        bench.open_gate()
        bench.ended("a")
        bench.session.go(identity)

        assert bench.ended("a", 2).outcome == Exited(0)
        assert bench.output(f"cat {bench.scratch}/counter") == "x\n", "it was executed again"

    def test_E1_going_again_after_a_crash_of_the_remote_side_executes_once(self, bench: ExecutorBench) -> None:
        """`Session.go` again after the remote side has crashed: still one execution."""
        kill = bench.kill or pytest.skip("the bench cannot kill the remote side")
        identity = bench.go("a", Shell(f"mkdir -p {bench.scratch}; echo x >> {bench.scratch}/counter"))
        bench.ended("a")

        kill()
        bench.session.go(identity)

        assert bench.ended("a", 2).outcome == Exited(0)
        assert bench.output(f"cat {bench.scratch}/counter") == "x\n", "it was executed again"

    # --- E2: an attempt lives on without us

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP, signal.SIGINT])
    def test_E2_an_attempt_lives_on_when_its_controller_dies(
        self, bench: ExecutorBench, number: signal.Signals
    ) -> None:
        """An attempt lives on when the controller dies, and the next one is told its end and has its output."""
        bench.control_and_die(Shell(f"{bench.until_gate()}; echo done; exit 5"), number)

        bench.open(fence=2).adopt(["r/a/1"])
        bench.started("a")
        bench.open_gate()

        ended = bench.ended("a")
        assert (ended.outcome, ended.failure) == (Exited(5), FailureClass.USER_CODE)
        bench.log_becomes("done\n", "a")

    def test_E2_an_attempt_lives_on_when_the_link_drops(self, bench: ExecutorBench) -> None:
        """An attempt lives on when the link drops."""
        cut = bench.cut or pytest.skip("the bench cannot cut the link")
        bench.waiting("a", "echo one")

        cut()
        bench.open_gate()

        assert bench.ended("a").outcome == Exited(0)
        bench.log_becomes("one\n", "a")

    # --- E3: adopt tells the truth

    def test_E3_adopt_tells_what_ended_and_what_never_started(self, bench: ExecutorBench) -> None:
        """`Session.adopt` tells the end of what has ended, and that the others were never started."""
        bench.execute("a", Shell("exit 7"))
        bench.session.close()

        bench.open(fence=2).adopt(["r/a/1", "r/b/1"])

        assert bench.ended("a", 2).outcome == Exited(7)
        never = bench.ended("b")
        assert (never.outcome, never.failure) == (Lost("never started"), FailureClass.MACHINE_LOST)

    def test_E3_an_end_is_kept_until_it_is_released(self, bench: ExecutorBench) -> None:
        """Evidence is removed only by `Session.release`, and then it is."""
        first = bench.execute("a", Shell("echo oops >&2; exit 7"))

        bench.session.adopt(["r/a/1"])
        again = bench.ended("a", 2)
        assert (again.outcome, again.evidence) == (first.outcome, first.evidence)
        assert (again.started_at, again.ended_at) == (first.started_at, first.ended_at)

        bench.session.release("r/a/1")
        bench.session.adopt(["r/a/1"])
        assert bench.ended("a", 3).outcome == Lost("never started")

    def test_E3_an_end_survives_a_crash_of_the_remote_side(self, bench: ExecutorBench) -> None:
        """`Session.adopt` tells the same end after a crash of the remote side."""
        kill = bench.kill or pytest.skip("the bench cannot kill the remote side")
        first = bench.execute("a", Shell("echo oops >&2; exit 7"))

        kill()
        bench.session.adopt(["r/a/1"])

        again = bench.ended("a", 2)
        assert again.outcome == first.outcome
        assert again.evidence == first.evidence

    # --- E4: whole or not at all

    def test_E4_an_outcome_is_recorded_whole_or_not_at_all(self, bench: ExecutorBench) -> None:
        """After a crash in the middle of many ends each attempt has its own end, or is lost; and keeps that."""
        kill = bench.kill or pytest.skip("the bench cannot kill the remote side")
        tasks = {f"t{number}": number for number in range(20)}
        # Room for all at once: where an attempt has a place of its own, that goes when it is released.
        few = Resources(cpus=0)
        ids = [bench.go(task, Shell(f"exit {number}"), needs=few) for task, number in tasks.items()]
        bench.ended("t0")

        kill()
        first = {task: bench.ended(task).outcome for task in tasks}
        assert [task for task, number in tasks.items() if not isinstance(first[task], Lost | Exited)] == []
        assert [t for t, number in tasks.items() if isinstance(first[t], Exited) and first[t] != Exited(number)] == []

        bench.session.adopt(ids)
        counts = {task: sum(getattr(event, "task", "") == task for event in _ends(bench)) for task in tasks}
        assert {task: bench.ended(task, counts[task]).outcome for task in tasks} == first

    # --- E5: cancel

    def test_E5_cancel_ends_daemons_too_and_says_cancelled_once(self, bench: ExecutorBench) -> None:
        """`Session.cancel` ends all of the attempt, daemons included, and `Cancelled` is reported once."""
        pids = f"{bench.scratch}/pids"
        identity = bench.waiting(
            "a",
            f"sleep 1000 & echo $! >> {pids}; setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &"
            f" (setsid sh -c 'echo $$ >> {pids}; exec sleep 1000' &)"
            f" ; until test $(wc -l < {pids}) = 3; do sleep 0.01; done; echo ready",
        )
        bench.log_becomes("ready\n", "a")

        bench.session.cancel(identity)
        bench.session.cancel(identity)

        assert bench.ended("a").outcome == Cancelled()
        assert [end.outcome for end in bench.ends_of("a")] == [Cancelled()], "it was told more than once"
        # By what it executes, too: where each attempt has processes of its own, another one may have this number. What
        # is over has no words any more, though a slow init may not have taken note of it.
        living = "case $(tr '\\0' ' ' </proc/$pid/cmdline) in *sleep\\ $long*) echo $pid ;; esac"
        alive = bench.output(f"long=1000; for pid in $(cat {pids}); do {{ {living}; }} 2>/dev/null; done; true")
        assert alive == "", "processes of the attempt are alive"

    def test_E5_cancel_ends_what_ignores_being_asked(self, bench: ExecutorBench) -> None:
        """`Session.cancel` ends what does not end by itself within its grace."""
        identity = bench.waiting("a", "trap '' TERM", grace=timedelta(milliseconds=100))

        bench.session.cancel(identity)

        assert bench.ended("a").outcome == Cancelled()

    def test_E5_cancelling_what_is_over_or_unknown_is_silent(self, bench: ExecutorBench) -> None:
        """`Session.cancel` is silent for what is over or unknown."""
        bench.execute("a", Argv(("true",)))

        bench.session.cancel("r/a/1")
        bench.session.cancel("r/nobody/1")

        assert len(bench.ends_of("a")) == 1
        assert [event for event in bench.told if getattr(event, "task", "") == "nobody"] == []

    # --- E6: output

    def test_E6_output_arrives_live_and_goes_on_after_a_reconnect(self, bench: ExecutorBench) -> None:
        """Stdout and stderr arrive while the attempt runs, in order, and whole after a reconnect."""
        more = f"until test -e {bench.scratch}/more; do sleep 0.01; done; echo four"
        identity = bench.waiting("a", f"echo one; echo two >&2; echo three; {more}")
        bench.log_becomes("one\nthree\n", "a")
        bench.log_becomes("two\n", "a", "err")
        bench.session.close()

        bench.open(fence=2).adopt([identity])
        bench.output(f"touch {bench.scratch}/more")
        bench.log_becomes("one\nthree\nfour\n", "a")
        bench.open_gate()

        bench.ended("a")
        assert (bench.log("a"), bench.log("a", "err")) == ("one\nthree\nfour\n", "two\n")

    def test_E6_all_output_is_here_when_the_end_is_told(self, bench: ExecutorBench) -> None:
        """When an end is told, all of the output is here, however much it is."""
        bench.execute("a", Shell("seq 200000; seq 200000 >&2"))

        whole = "".join(f"{number}\n" for number in range(1, 200001))
        assert [bench.log("a", stream) == whole for stream in ("out", "err")] == [True, True]

    # --- E8, E9: the machine and the link

    def test_E8_nothing_is_sent_to_a_machine_of_another_identity(self, bench: ExecutorBench) -> None:
        """The machine's identity is verified before anything is sent to it."""
        imposter = bench.imposter or pytest.skip("the bench knows no machine of another identity")

        with pytest.raises(ExecutorError):
            bench.open(machine=imposter)

    def test_E9_a_reconnect_is_silent(self, bench: ExecutorBench) -> None:
        """When the link comes back, nothing is lost and nobody has noticed."""
        cut = bench.cut or pytest.skip("the bench cannot cut the link")
        bench.waiting("a")

        for _ in range(3):
            cut()
            assert bench.output("echo here") == "here\n"
        bench.open_gate()
        bench.ended("a")

        assert [end.outcome for end in bench.ends_of("a")] == [Exited(0)]
        assert [event for event in bench.told if isinstance(event, MachineGone)] == []

    # --- E10: the fence

    def test_E10_a_lower_fence_is_refused(self, bench: ExecutorBench) -> None:
        """A lower fence than one already seen is refused with `FenceRefused`, also after a while without a link."""
        bench.open(fence=5)
        bench.execute("a", Argv(("true",)))

        with pytest.raises(FenceRefused):
            bench.open(fence=4)
        bench.session.close()
        with pytest.raises(FenceRefused):
            bench.open(fence=4)

    def test_E10_a_higher_fence_takes_over_and_the_old_controller_is_told(self, bench: ExecutorBench) -> None:
        """Who is replaced is told that the machine is gone for him, and can start nothing more."""
        old = bench.open(fence=1)
        identity = bench.waiting("a")

        bench.open(fence=2).adopt([identity])

        assert bench.gone().machine == bench.machine.id
        with pytest.raises(FenceRefused):
            old.go("r/a/1")
        bench.open_gate()
        assert bench.ended("a").outcome == Exited(0)
        assert len(bench.ends_of("a")) == 1


def _ends(bench: ExecutorBench) -> list[AttemptEnded]:
    return [event for event in bench.settled() if isinstance(event, AttemptEnded)]
