"""Where the controller is killed: the names of functions of the product, and of the kit that the sandbox is made of."""

from __future__ import annotations

__all__ = ["EFFECTS", "STEPS", "WRITES"]

WRITES = (
    "Journal.commit",
    "Journal.sync",
    "Journal.write",
    "Ledger.absent",
    "Ledger.advance",
    "Ledger.beat",
    "Ledger.confirm",
    "Ledger.intend",
    "Ledger.missed",
    "Ledger.request",
    "SideResources.forget",
    "SideResources.use",
)
"""What writes the journal or the ledger."""
EFFECTS = (
    "Crew.perform",
    "FakeProvider.find",
    "FakeProvider.launch",
    "FakeProvider.sweep",
    "FakeProvider.terminate",
    "FakeRemoteExecutor.open",
    "RemoteSession.get",
    "RemoteSession.put",
    "SupervisorSession.adopt",
    "SupervisorSession.go",
    "SupervisorSession.release",
)
"""What acts on the world outside."""
STEPS = (*WRITES, *EFFECTS)
