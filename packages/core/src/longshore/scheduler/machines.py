"""What attempts take of the machines that they are on."""

from __future__ import annotations

from longshore.model.events import MachineAdded
from longshore.scheduler.state import MachineState, RunState, TaskState

__all__ = ["add_machine", "leave", "occupy"]


def add_machine(state: RunState, event: MachineAdded) -> None:
    """Let a machine take attempts, for the first time or again."""
    machine = state.machines[event.machine] = MachineState(
        id=event.machine,
        pool=event.pool,
        capacity=event.resources,
        slots=event.slots,
        price_per_hour=event.price_per_hour,
        alone=event.alone,
        store=event.store,
        vanishes=event.vanishes,
    )
    state.parted.pop(event.machine, None)
    if event.store:
        state.where.stores.setdefault(event.store, set())
        machine.bucket = next((each.store for each in state.workflow.pools if each.name == event.pool), "")
    if machine.bucket:
        state.where.buckets[machine.bucket] = None
        state.where.stores.setdefault(machine.bucket, set())
    # A controller that continues a run says again which machines there are; what is live on them still is.
    for name in state.live:
        task = state.tasks[name]
        if task.machine == event.machine:
            _take(machine, task)
    machine.attempts += sum(1 for name in state.under_construction.values() if name == event.machine)


def occupy(state: RunState, task: TaskState) -> None:
    """Count what a task takes of the machine that it has been given."""
    _take(state.machines[task.machine], task)


def leave(state: RunState, task: TaskState) -> None:
    """Give back what a task had of its machine."""
    needs = task.view.needs
    machine = state.machines[task.machine]
    machine.attempts -= 1
    # Fractional cpus leave dust behind; an empty machine is exactly empty.
    machine.cpus_used = max(0.0, machine.cpus_used - needs.cpus) if machine.attempts else 0.0
    machine.memory_used -= needs.memory_bytes
    machine.gpus_used -= needs.gpus
    machine.disk_used -= needs.disk_bytes


def _take(machine: MachineState, task: TaskState) -> None:
    needs = task.view.needs
    machine.attempts += 1
    machine.cpus_used += needs.cpus
    machine.memory_used += needs.memory_bytes
    machine.gpus_used += needs.gpus
    machine.disk_used += needs.disk_bytes
