"""Environments of a run: on which machines they are, are being built, or cannot be built. Pure, like all of the
scheduler; nothing here is asked for in a run without environments.

A machine is asked for an environment before the first task that needs it is given to it. Until then such tasks wait,
and others go on. What fails is built once more; then the tasks that need it fail, and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from longshore.model.environment_events import BuildIntended, EnvironmentBuilt, EnvironmentFailed
from longshore.model.outcome import FailureClass
from longshore.model.retry import RetryPolicy
from longshore.model.views import TaskView
from longshore.scheduler.actions import WakeAt
from longshore.scheduler.away_actions import BuildEnvironment, CancelBuild
from longshore.scheduler.build_state import BuildPhase, BuildState
from longshore.scheduler.renting_actions import RefuseTasks
from longshore.scheduler.state import MachineState, RunState, TaskPhase, TaskState
from longshore.scheduler.workload import fits_into

__all__ = [
    "BUILD_ATTEMPTS",
    "HOPELESS_MACHINES",
    "apply_build",
    "builds",
    "cancel_builds",
    "lose_builds",
    "show",
]

BUILD_ATTEMPTS = 2
"""So often is an environment built on a machine before the tasks that need it fail: what an index or a network did may
be over by then.
"""
HOPELESS_MACHINES = 2
"""What cannot be built on so many machines, or on all that there are, and is on none, is not tried on others."""
_POLICY = RetryPolicy()


# --- what events change


def apply_build(state: RunState, event: BuildIntended | EnvironmentBuilt | EnvironmentFailed) -> None:
    """Let an event change the state. What comes from a build that is not the latest changes nothing."""
    if isinstance(event, BuildIntended):
        _intended(state, event)
        return
    found = state.under_construction.get((event.environment, event.number))
    build = state.builds.get((found, event.environment)) if found is not None else None
    if found is None or build is None:
        return
    _leave(state, found, event.environment, event.number)
    if isinstance(event, EnvironmentBuilt):
        build.phase, build.key = BuildPhase.BUILT, event.key
    elif event.failure is None:
        build.phase = BuildPhase.ABSENT
    else:
        _failed(build, event, event.failure)
    _show_all(state, state.machines[found].pool, event.environment)


def _intended(state: RunState, event: BuildIntended) -> None:
    build = state.builds.setdefault((event.machine, event.environment), BuildState())
    build.phase, build.number = BuildPhase.BUILDING, event.number
    state.build_numbers[event.environment] = event.number
    state.under_construction[event.environment, event.number] = event.machine
    machine = state.machines[event.machine]
    machine.attempts += 1
    _show_all(state, machine.pool, event.environment)


def _failed(build: BuildState, event: EnvironmentFailed, failure: FailureClass) -> None:
    build.failures += 1
    build.failure, build.evidence = failure, event.evidence
    build.phase = BuildPhase.FAILED if build.failures >= BUILD_ATTEMPTS else BuildPhase.ABSENT
    build.again_at = event.at + _POLICY.wait(FailureClass.NETWORK, build.failures)


def _leave(state: RunState, machine: str, environment: str, number: int) -> None:
    del state.under_construction[environment, number]
    state.machines[machine].attempts -= 1


def _show_all(state: RunState, pool: str, environment: str) -> None:
    """Let tasks that wait in a pool be seen to wait for an environment, or not to."""
    phase = _phase(state, pool, environment)
    for view in state.ready[pool].line(environment):
        task = state.tasks[view.id]
        if task.phase is not phase:
            state.move(task, phase)


def show(state: RunState, task: TaskState) -> None:
    """Let a task that could start be seen to wait for its environment, or not to."""
    phase = _phase(state, task.pool, task.view.environment)
    if task.phase is not phase:
        state.move(task, phase)


def _phase(state: RunState, pool: str, environment: str) -> TaskPhase:
    phases = {
        build.phase
        for (machine, name), build in state.builds.items()
        if name == environment and state.machines[machine].pool == pool
    }
    building = BuildPhase.BUILDING in phases and BuildPhase.BUILT not in phases
    return TaskPhase.BUILDING if building else TaskPhase.WAITING


def lose_builds(state: RunState, machine: str) -> None:
    """Forget what a machine had that is gone."""
    for name, environment in [key for key in state.builds if key[0] == machine]:
        build = state.builds.pop((name, environment))
        state.under_construction.pop((environment, build.number), None)
        _show_all(state, state.machines[machine].pool, environment)


# --- what is decided


def builds(
    state: RunState, late: Sequence[TaskView], usable: Sequence[MachineState], now: datetime
) -> Iterator[BuildEnvironment | RefuseTasks | WakeAt]:
    """Ask the machines of one pool for what its waiting tasks need, and refuse tasks whose environment is hopeless.

    Args:
        state: of the run.
        late: tasks that may be tried again now, and are in no queue.
        usable: the pool's machines that take attempts.
        now: the moment.
    """
    if not usable:
        return
    queue = state.ready[usable[0].pool]
    waiting: dict[str, list[TaskView]] = {}
    for view in late:
        waiting.setdefault(view.environment, []).append(view)
    for environment in {**dict.fromkeys(queue.environments()), **dict.fromkeys(waiting)}:
        if environment:
            delayed = waiting.get(environment, [])
            count = len(queue.line(environment)) + len(delayed)
            first = delayed[0] if delayed else queue.front(1, environment)[0]
            yield from _builds(state, environment, count, first, usable, now)


def _builds(
    state: RunState, environment: str, count: int, first: TaskView, usable: Sequence[MachineState], now: datetime
) -> Iterator[BuildEnvironment | RefuseTasks | WakeAt]:
    """Ask for one environment on as many machines as the tasks that wait for it can use."""
    failed: list[BuildState] = []
    served, room = False, 0
    absent: list[MachineState] = []
    for machine in usable:
        build = state.builds.get((machine.id, environment))
        if build is None or build.phase is BuildPhase.ABSENT:
            absent.append(machine)
        elif build.phase is BuildPhase.FAILED:
            failed.append(build)
        else:
            served = True
            built = build.phase is BuildPhase.BUILT
            room += _free(machine, first) if built else fits_into(first.needs, machine.capacity)
    if failed and not served and (not absent or len(failed) >= HOPELESS_MACHINES):
        yield _refusal(state, environment, failed[-1], usable[0].pool)
        return
    number = state.build_numbers[environment]
    for machine in absent:
        build = state.builds.get((machine.id, environment))
        if room >= count or not fits_into(first.needs, machine.capacity):
            continue
        if build is not None and build.again_at is not None and build.again_at > now:
            yield WakeAt(build.again_at)
            continue
        number += 1
        room += fits_into(first.needs, machine.capacity)
        yield BuildEnvironment(environment, number, machine.id)


def _free(machine: MachineState, view: TaskView) -> int:
    needs = view.needs
    return int((machine.capacity.cpus - machine.cpus_used) / needs.cpus) if needs.cpus else 1


def _refusal(state: RunState, environment: str, build: BuildState, pool: str) -> RefuseTasks:
    tasks = tuple(view.id for view in state.ready[pool].line(environment))
    delayed = tuple(
        name
        for _, _, name in state.delayed
        if state.tasks[name].pool == pool and state.tasks[name].view.environment == environment
    )
    reason = f"the environment {environment} cannot be built: {build.evidence}"
    return RefuseTasks((*tasks, *delayed), reason, build.failure or FailureClass.ENVIRONMENT)


def cancel_builds(state: RunState) -> Iterator[CancelBuild]:
    """End what is being built for nobody."""
    for (environment, number), machine in state.under_construction.items():
        if state.machines[machine].linked:
            yield CancelBuild(environment, number, machine)
