"""What becomes of outputs that are only on machines: who makes again what was lost, and what nobody needs any more.

For `longshore.scheduler.apply` alone. Every function returns at once in a run whose machines all use the project's
store.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from longshore.model.outcome import FailureClass
from longshore.scheduler.building import waits_of
from longshore.scheduler.collecting import is_finished, is_result, recollect
from longshore.scheduler.queues import consider, leave_machine, unqueue
from longshore.scheduler.state import DONE, PENDING, RunState, TaskPhase, TaskState
from longshore.scheduler.whereabouts import Elsewhere

if TYPE_CHECKING:
    from longshore.model.move_events import MoveFailed, ObjectsDiscarded

__all__ = [
    "discarded",
    "doubt",
    "forget",
    "forget_all",
    "lose_home",
    "lose_object",
    "lose_store",
    "no_longer_reads",
    "require",
]


def lose_object(state: RunState, event: MoveFailed) -> list[str]:
    """Take an object off the store that it could not be had from, and name those whose only copy that was."""
    sha256 = event.artifact.sha256
    wholes = [sha256]
    if sha256 not in state.where.elsewhere:
        readers = [state.tasks[name].view.inputs for name in state.where.staging]
        origins = {each.origin for inputs in readers for each in inputs if each.sha256 == sha256 and each.origin}
        wholes = [each.sha256 for name in sorted(origins) for each in state.tasks[name].outputs]
    store = state.where.stores.get(state.store_of(event.source))
    if store is None:
        return []
    store.difference_update(wholes)
    why = f"its outputs could not be had from {event.source}: {event.reason}"
    losers = _lose(state, wholes, why)
    settling = [name for name in losers if name in state.where.settling]
    again = run_again(state, _needed(state, losers))
    return [*settling, *(name for name in again if name in losers)]


def lose_store(state: RunState, store: str, why: str) -> None:
    """Note that a store is gone; what only it had and somebody needs is made again."""
    where = state.where
    if where.stores.pop(store, None) is None:
        return
    where.garbage.pop(store, None)
    run_again(state, _needed(state, _lose(state, list(where.elsewhere), why)))


def lose_home(state: RunState, why: str) -> None:
    """Note that all is gone that was at home: results are to come there again, and what no store has is made again."""
    where = state.where
    where.arrived.clear()
    for entry in where.elsewhere.values():
        entry.listed = False
    losers = [task.task.id for task in state.tasks.values() if task.phase in DONE and _leaves_home(state, task, why)]
    for task in state.tasks.values():
        if task.phase in DONE and is_result(state, task) and not task.task.spec.results_to:
            state.undelivered[task.task.id] = None
            for garbage in where.garbage.values():
                for each in task.outputs:
                    garbage.pop(each.sha256, None)
    for group in state.groups.values():
        if group.spec.collect is not None:
            readers = group.readers if is_finished(state, group) else ()
            recollect(state, group)
            for name in readers:
                if name in state.tasks:
                    _hold(state, state.tasks[name], group.spec.name)
    where.unread.clear()
    run_again(state, _needed(state, losers))


def _leaves_home(state: RunState, task: TaskState, why: str) -> bool:
    """Note where outputs are that are not at home any more; say whether one of them is nowhere."""
    where = state.where
    for each in task.outputs:
        if each.sha256 in where.elsewhere or any(each.sha256 in store for store in where.stores.values()):
            where.elsewhere.setdefault(each.sha256, Elsewhere(each)).tasks[task.task.id] = None
        else:
            where.lost[task.task.id] = why
    return task.task.id in where.lost


def doubt(state: RunState, task: TaskState) -> None:
    """Believe less of the store of a machine where the inputs of an attempt could not be laid.

    The first time, what is at home will be sent again. When that does not help, what only this store was thought to
    have is taken for lost.
    """
    store = state.where.stores.get(state.machines[task.machine].store)
    if store is None:
        return
    first = FailureClass.STAGING not in (task.failures or {})
    digests = [each.sha256 for each in task.view.inputs]
    if first:
        store.difference_update(sha256 for sha256 in digests if sha256 not in state.where.elsewhere)
        return
    for each in task.view.inputs:
        if each.origin and each.sha256 not in state.where.elsewhere:
            digests += [output.sha256 for output in state.tasks[each.origin].outputs]
    store.difference_update(digests)
    run_again(state, _needed(state, _lose(state, digests, f"its outputs were not on {task.machine} any more")))


def _lose(state: RunState, digests: Iterable[str], why: str) -> list[str]:
    """Forget what no store has any more; name the tasks that wrote it."""
    where = state.where
    losers: dict[str, None] = {}
    for sha256 in digests:
        if sha256 in where.elsewhere and not any(sha256 in store for store in where.stores.values()):
            losers.update(where.elsewhere.pop(sha256).tasks)
    for name in losers:
        if state.tasks[name].phase in DONE:
            where.lost[name] = why
    return list(losers)


def _needed(state: RunState, names: Iterable[str]) -> list[str]:
    return [
        name
        for name in names
        if name in state.where.lost
        and (name in state.undelivered or any(_waits_for(state, reader, name) for reader in _readers(state, name)))
    ]


def _readers(state: RunState, name: str) -> Iterator[TaskState]:
    task = state.tasks[name]
    for reader in (*(task.readers or ()), *state.groups[task.view.name].readers):
        if reader in state.tasks:
            yield state.tasks[reader]


def _waits_for(state: RunState, reader: TaskState, name: str) -> bool:
    """Say whether a task still has to be given what another wrote."""
    if reader.phase in PENDING:
        return True
    if reader.task.id not in state.where.staging:
        return False
    store = state.where.stores.get(state.machines[reader.machine].store, ())
    return any(
        each.origin == name and each.sha256 not in store and (each.sha256, each.kind) not in state.where.arrived
        for each in reader.view.inputs
    )


def require(state: RunState, task: TaskState) -> None:
    """See to it that what a task reads is made again, if it was lost after nobody seemed to need it."""
    if state.where.lost:
        run_again(state, _lost_producers(state, task))


def _lost_producers(state: RunState, task: TaskState) -> list[str]:
    lost: list[str] = []
    for producer, group in waits_of(state, task.task):
        names = state.groups[group].members.values() if producer is None else (producer,)
        lost += [name for name in names if name in state.where.lost]
    return lost


def run_again(state: RunState, names: Iterable[str]) -> list[str]:
    """Put tasks that had succeeded back, and with them those whose outputs they need themselves; name them all."""
    where = state.where
    stack = list(names)
    back: list[TaskState] = []
    while stack:
        name = stack.pop()
        if name in where.lost:
            where.again[name] = where.lost.pop(name)
            _undo(state, state.tasks[name])
            back.append(state.tasks[name])
            stack += _lost_producers(state, state.tasks[name])
    for task in back:
        consider(state, task)
    where.unread.clear()
    return [task.task.id for task in back]


def _undo(state: RunState, task: TaskState) -> None:
    """Let a task that had succeeded be one that has not."""
    for artifact in task.outputs:
        entry = state.where.elsewhere.get(artifact.sha256)
        if entry is not None:
            entry.tasks.pop(task.task.id, None)
            if not entry.tasks:
                del state.where.elsewhere[artifact.sha256]
    group = state.groups[task.view.name]
    readers = list(task.readers or ())
    if is_finished(state, group):
        readers += group.readers
    recollect(state, group)
    group.unfinished += 1
    state.undelivered.pop(task.task.id, None)
    for name in readers:
        if name in state.tasks:
            _hold(state, state.tasks[name], task.task.id)
    task.outputs = ()
    task.identity = ""
    state.move(task, TaskPhase.WAITING)


def _hold(state: RunState, reader: TaskState, name: str) -> None:
    """Let a reader wait for a task once more. What runs already has what it needs."""
    if _waits_for(state, reader, name):
        if reader.phase in PENDING:
            unqueue(state, reader)
        else:
            leave_machine(state, reader)
            state.move(reader, TaskPhase.WAITING)
        reader.identity = ""
    reader.unmet += 1


def no_longer_reads(state: RunState, task: TaskState) -> None:
    """Note that a task has succeeded, and what nobody needs any more on machines by that."""
    where = state.where
    if not where.stores:
        return
    for key in waits_of(state, task.task):
        if key in where.unread:
            where.unread[key] -= 1
        if _unread(state, key) == 0:
            producer, group = key
            for name in list(state.groups[group].members.values()) if producer is None else [producer]:
                forget(state, name)


def _unread(state: RunState, key: tuple[str | None, str]) -> int:
    known = state.where.unread.get(key)
    if known is None:
        name, group = key
        readers = state.groups[group].readers if name is None else state.tasks[name].readers or ()
        # Those that have ended badly may be tried again.
        known = sum(name in state.tasks and state.tasks[name].phase not in DONE for name in readers)
        state.where.unread[key] = known
    return known


def forget(state: RunState, name: str) -> None:
    """Let machines discard what a task wrote, unless somebody needs it."""
    where = state.where
    task = state.tasks[name]
    if not where.stores or task.phase not in DONE or name in state.undelivered:
        return
    if _unread(state, (name, task.view.name)) or _unread(state, (None, task.view.name)):
        return
    digests = {each.sha256: None for each in task.outputs}
    if any(each.kind == "folder" for each in task.outputs):
        for reader in _readers(state, name):
            digests |= {each.sha256: None for each in reader.view.inputs if each.origin == name}
    for sha256 in digests:
        entry = where.elsewhere.get(sha256)
        # Another task may have written the same; then it is that one's to say whether somebody needs it.
        if entry is None or list(entry.tasks) == [name]:
            for store, has in where.stores.items():
                # A bucket is emptied when the run has ended: whoever is about to put the same there need not ask.
                if sha256 in has and store not in where.buckets:
                    where.garbage.setdefault(store, OrderedDict())[sha256] = None


def discarded(state: RunState, event: ObjectsDiscarded) -> None:
    """Note that a store will not have some objects any more."""
    where = state.where
    store = state.machines[event.machine].store
    garbage = where.garbage.get(store, OrderedDict[str, None]())
    for sha256 in event.digests:
        garbage.pop(sha256, None)
    where.stores.get(store, set()).difference_update(event.digests)
    why = "its outputs had been removed from the machine, since nobody needed them any more"
    run_again(state, _needed(state, _lose(state, event.digests, why)))


def forget_all(state: RunState) -> None:
    """Note that the run has ended for good: machines keep nothing of it."""
    where = state.where
    where.stores.clear()
    where.buckets.clear()
    where.garbage.clear()
    _lose(state, list(where.elsewhere), "its outputs had been removed from the machine when the run had ended")
