"""Whoever rents by hand is killed, by SIGKILL and at every point: `gc` leaves nothing that costs."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from longshore.machines.collecting import collect
from longshore.machines.renting import rent
from longshore.runtime.providers import OpenProvider
from longshore.testing import FakeProvider
from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits, CloudTimeout

from .world import OWNER, World

COUNT = 2
HOUR = timedelta(hours=1)
HABITS = CloudHabits(listing_lag=timedelta(seconds=2))
"""Long enough for a look that shows nothing yet, and short since each look is a point to be killed at."""


CHANGING = {"create", "create_side", "end"}
"""After these the cloud is another; after all others a kill is as good as before the next."""


class Line:
    """The cloud and its clock, as seen from another process; it kills its own at the given call."""

    def __init__(self, link: socket.socket, *, kill_at: int) -> None:
        self._file = link.makefile("rw")
        self._left = kill_at

    def ask(self, **question: Any) -> dict[str, Any]:
        self._edge()
        self._file.write(json.dumps(question) + "\n")
        self._file.flush()
        answer: dict[str, Any] = json.loads(self._file.readline())
        if question["action"] in CHANGING:
            self._edge()
        return answer

    def _edge(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def now(self) -> datetime:
        return datetime.fromisoformat(self.ask(action="(now)")["now"])

    def wait(self, duration: timedelta) -> None:
        self.ask(action="(wait)", seconds=duration.total_seconds())

    def port(self, action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
        answer = self.ask(action=action, body=body, seconds=deadline.total_seconds() if deadline else None)
        if "fault" in answer:
            raise CloudFault(answer["fault"])
        if "timeout" in answer:
            raise CloudTimeout
        return answer


def serve(world: World, link: socket.socket) -> None:
    """Answer for the cloud until nobody asks any more."""
    port = world.rig.cloud.login("account-1")
    with link.makefile("rw") as file:
        for line in file:
            question = json.loads(line)
            seconds = question.get("seconds")
            match question["action"]:
                case "(now)":
                    answer: dict[str, Any] = {"now": world.now().isoformat()}
                case "(wait)":
                    world.wait(timedelta(seconds=seconds))
                    answer = {}
                case action:
                    try:
                        answer = port(action, question["body"], timedelta(seconds=seconds))
                    except CloudFault as fault:
                        answer = {"fault": fault.code}
                    except CloudTimeout:
                        answer = {"timeout": True}
            try:
                file.write(json.dumps(answer) + "\n")
                file.flush()
            except BrokenPipeError:
                return


def in_another_process(world: World, act: Callable[[Line], None], *, kill_at: int) -> int:
    """Do something in a process that is killed at its n-th contact with the world; give its wait status."""
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        try:
            act(Line(theirs, kill_at=kill_at))
            os._exit(0)
        finally:
            os._exit(1)
    theirs.close()
    with ours:
        serve(world, ours)
    return os.waitpid(child, 0)[1]


def up(world: World) -> Callable[[Line], None]:
    def act(line: Line) -> None:
        provider = FakeProvider(line.port, line, world.rig.provider().terms)
        fleet = world.fleet()
        fleet._open_provider = lambda name: OpenProvider(name=name, provider=provider, configured_owner=OWNER)
        fleet.now, fleet.wait = line.now, line.wait
        with fleet:
            rent(fleet, "cloud", count=COUNT)

    return act


def test_gc_after_a_kill_at_any_point_of_up_leaves_no_machine_and_no_side_resource(tmp_path: Path) -> None:
    kill_at, outcomes = 0, set[int]()
    while True:
        kill_at += 1
        world = World(tmp_path / str(kill_at), habits=HABITS)
        status = in_another_process(world, up(world), kill_at=kill_at)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        alive = len(world.alive())
        outcomes.add(alive)
        with world.fleet() as fleet:
            finished = all(lease.phase == "ready" for lease in fleet.ledger.leases()) and alive == COUNT
            found = collect(fleet, patience=HOUR)
            assert found.clean, (kill_at, found)
            if finished:  # the last word was said: these machines are as wanted as those of any other `up`
                assert len(fleet.ledger.leases()) == len(world.alive()) == COUNT
                continue
            assert fleet.ledger.leases() == [], kill_at
        assert world.alive() == set(), kill_at
        assert world.sides() == set(), kill_at
    assert outcomes == {0, 1, 2}
    assert kill_at > 40
    assert len(world.alive()) == COUNT
