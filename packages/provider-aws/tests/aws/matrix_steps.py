"""Where the controller is killed: what writes the ledger, what is asked of AWS, and what is done on machines."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["LATER", "STEPS"]

_CALLS = (
    "ImportKeyPair",
    "CreateSecurityGroup",
    "AuthorizeSecurityGroupIngress",
    "RunInstances",
    "DescribeInstances",
    "TerminateInstances",
    "DeleteSecurityGroup",
    "DeleteKeyPair",
)
_OWN = (
    "Ledger.intend",
    "Ledger.request",
    "SideResources.use",
    "Ledger.confirm",
    "Ledger.advance",
    "Ledger.missed",
    "Ledger.absent",
    "SideResources.forget",
    "SshExecutor.open",
    "RemoteSession.put",
    "SupervisorSession.go",
    "RemoteSession.get",
    "RemoteSession.adopt",
)
STEPS: Mapping[str, str] = {
    **{name: name for name in _OWN},
    # Whatever is asked of AWS goes through this function of its SDK.
    **{f"BaseClient._make_api_call?operation_name={call}": f"EC2 {call}" for call in _CALLS},
}
LATER: Mapping[str, str] = {"RemoteSession.adopt": "after SupervisorSession.go 1"}
"""Steps of a controller that takes over: one before it has been killed, too."""
