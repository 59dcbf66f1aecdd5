"""The second half of an attempt's way: its processes end, its outputs are stored, its end is recorded and told.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os

from longshore.remote.attempt import CLOSING, COLLECTING, OVER, RUNNING, Attempt
from longshore.remote.containers import run_silently
from longshore.remote.software import note_verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from longshore.remote.services import Services

__all__ = ["Closing"]

_RSS_UNIT = 1 if os.uname().sysname == "Darwin" else 1024


class Closing:
    """Knows all attempts that are not over, and brings them to their end."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self.attempts: dict[str, Attempt] = {}
        """All that are not over, by id."""
        self._by_pid: dict[int, Attempt] = {}
        self._ended: list[Attempt] = []
        self._answers: list[tuple[Attempt, dict[str, Any]]] = []
        self._orphan_ended = False

    def expect(self, attempt: Attempt) -> None:
        """Expect the end of an attempt that was just started."""
        if attempt.worker is None:
            self._by_pid[attempt.leader] = attempt

    def end(self, attempts: Collection[Attempt]) -> None:
        """Ask the processes of attempts that run to end."""
        self._services.endings.ask([attempt for attempt in attempts if attempt.state == RUNNING])

    def reap(self) -> None:
        """Take note of all children that have ended; `settle` draws the conclusions."""
        services = self._services
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            attempt = self._by_pid.pop(pid, None)
            if attempt is None:
                worker = services.workers.ended(pid)
                if worker is None:
                    services.orphans.gone(pid)
                    self._orphan_ended = True
                    continue
                if not worker.batch:
                    continue
                attempt = worker.batch[0]
                attempt.worker = None
            if attempt.code is None:
                attempt.code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                attempt.cpu_seconds = usage.ru_utime + usage.ru_stime
                attempt.peak_bytes = usage.ru_maxrss * _RSS_UNIT
            self._ended.append(attempt)

    def answered(self, attempt: Attempt, answer: dict[str, Any]) -> None:
        """Take note that a worker has made a call; `settle` draws the conclusions."""
        self._answers.append((attempt, answer))

    def settle(self) -> None:
        """Bring those to their end whose processes are over, and see to what others have left behind."""
        services = self._services
        if self._orphan_ended:
            self._orphan_ended = False
            services.endings.look()
        if not (self._ended or self._answers):
            return
        ended, self._ended = self._ended, []
        answers, self._answers = self._answers, []
        for attempt, answer in answers:
            _take_answer(attempt, answer)
        candidates = [*ended, *(attempt for attempt, _ in answers)]
        leavers = services.orphans.leavers(candidates, self._by_pid.keys() | services.workers.pids, self.attempts)
        asked = [attempt for attempt in ended if attempt in leavers or services.endings.asked(attempt)]
        for attempt in ended:
            if attempt not in asked:
                self._none_left(attempt)
        for attempt, answer in answers:
            if answer.get("dirty") and attempt.worker is not None and not attempt.worker.closed:
                # What a worker has left behind ends with the worker, and then this attempt is among the ended ones.
                attempt.state = CLOSING
                attempt.worker.batch = [attempt]
                services.endings.ask([attempt])
            elif attempt in leavers:
                attempt.leader = 0  # the worker itself is as it should be
                asked.append(attempt)
            else:
                self.processes_over(attempt)
        for attempt in asked:
            attempt.state = CLOSING
        if asked:
            services.endings.when_none_left(asked, self._none_left)

    def _none_left(self, attempt: Attempt) -> None:
        if "call" in attempt.order and attempt.code == 0 and attempt.result is None:
            attempt.fail("user code", "the call ended its process before it returned; its exit code was 0")
        self.processes_over(attempt)

    def processes_over(self, attempt: Attempt) -> None:
        """Go on with an attempt of which no process is left, or of which none was ever started."""
        if attempt.container and (attempt.cancelled or attempt.timed_out or attempt.lost or (attempt.code or 0) < 0):
            # What starts containers was killed, and could not tidy up behind it; docker's do not even end then.
            words, attempt.container = attempt.container, []
            self._services.helpers.do(lambda: run_silently(words), lambda *_: self.processes_over(attempt))
            return
        for path in attempt.secrets:
            try:
                os.unlink(os.path.join(attempt.workdir, path))
            except OSError:
                continue  # the command has removed it, or put something else in its place
        if attempt.timer is not None:
            attempt.timer.cancel()
        if "build" in attempt.order and not attempt.cancelled:
            note_verdict(attempt)
        if attempt.succeeded and "outputs" in attempt.order:
            attempt.state = COLLECTING
            self._services.staging.collect(attempt, self.finish)
        else:
            self.finish(attempt)

    def finish(self, attempt: Attempt) -> None:
        """Write down how an attempt ended, and give back what it had."""
        services = self._services
        attempt.state = OVER
        if not (attempt.succeeded or attempt.cancelled or ("build" in attempt.order and attempt.failure)):
            services.evidence.judge(attempt)
        if attempt.limit is not None and attempt.worker is None:
            attempt.limit.remove()
        workdir = self._part_with_folder(attempt)
        if attempt.logs is not None:
            left = services.shelf.part(attempt.logs, attempt.name, reusable=not services.orphans.nameless)
            if attempt.worker is not None:
                services.workers.rest(attempt.worker, left)
            else:
                services.shelf.give_back(left)
        if attempt.has_room:
            services.room.give_back(attempt)
        del self.attempts[attempt.id]
        services.boss.over(attempt, attempt.ended_line(workdir))
        if not self.attempts:
            services.orphans.end_nameless()

    def _part_with_folder(self, attempt: Attempt) -> str:
        """Keep the folder of an attempt that failed; give where it is, or nothing when it is gone."""
        services = self._services
        path = attempt.workdir
        if not path:
            return ""
        if attempt.order.get("keep") or not (attempt.succeeded or attempt.cancelled):
            return services.workdirs.keep(path, attempt.name)
        services.staging.take_back(attempt)
        if not services.workdirs.give_back(path, own=attempt.has_own_folder):
            services.staging.remove(path)
        return ""


def _take_answer(attempt: Attempt, answer: dict[str, Any]) -> None:
    attempt.started = answer["started"]
    attempt.code = answer["code"]
    attempt.result = answer.get("result")
    attempt.cpu_seconds = answer["cpu"]
    attempt.peak_bytes = answer["memory"]
    if "failure" in answer:
        attempt.fail(answer["failure"], "the call raised MemoryError")
