"""How a machine of Azure ends itself for good, where the config names a role for that: one that has powered itself off
goes on costing. It has an identity of its own, which may do with this machine what the role says, and nothing else.
"""

from __future__ import annotations

import textwrap
import uuid
from collections.abc import Collection, Mapping
from typing import Any

from longshore.errors import ProviderError
from longshore_azure.clients import Clients
from longshore_azure.config import AzureConfig
from longshore_azure.errors import is_taken, translated
from longshore_azure.machines import VMS, place_of

__all__ = ["Ending", "finally_of", "identity_of"]

_DOING = "letting a machine end itself"
_API = "2022-04-01"
_AUTHORIZATION = "providers/Microsoft.Authorization"
_NAMES = uuid.UUID("0b6c5c3e-54c1-4e3f-9a33-6c27a4d1f6aa")
"""Names of role assignments are made in this space."""

_FINALLY = textwrap.dedent("""\
    #!/usr/bin/env python3
    # Has Azure delete this machine, or switch it off for good if that is denied: in the machine's own name.
    import json
    from urllib.parse import quote
    from urllib.request import Request, urlopen

    AZURE = {endpoint!r}
    HERE = "http://169.254.169.254/metadata"

    def ask(url, headers, method="GET"):
        data = b"" if method == "POST" else None
        with urlopen(Request(url, data, headers, method=method), timeout=20) as answer:
            return answer.read().decode()

    local = {{"Metadata": "true"}}
    said = ask(HERE + "/identity/oauth2/token?api-version=2018-02-01&resource=" + quote(AZURE, safe=""), local)
    own = {{"Authorization": "Bearer " + json.loads(said)["access_token"]}}
    me = AZURE + ask(HERE + "/instance/compute/resourceId?api-version=2021-02-01&format=text", local)
    try:
        ask(me + "?api-version=2024-07-01", own, "DELETE")
    except OSError:
        ask(me + "/deallocate?api-version=2024-07-01", own, "POST")
    """)
"""For the watch of `longshore.plugin.boot`. The metadata service is described at
https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service; all images of ours have Python, which
Azure's own agent needs.
"""


def finally_of(config: AzureConfig) -> str:
    """Write the program that a machine executes last; empty when it has no right to end itself."""
    return _FINALLY.format(endpoint=config.endpoint_url.rstrip("/")) if config.end_role else ""


def identity_of(config: AzureConfig) -> Mapping[str, Any]:
    """Give what the body of a launch says of the machine's identities."""
    kinds = [*(["SystemAssigned"] if config.end_role else []), *(["UserAssigned"] if config.identity else [])]
    if not kinds:
        return {}
    given: Mapping[str, Any] = {"userAssignedIdentities": {config.identity: {}}} if config.identity else {}
    return {"identity": {"type": ", ".join(kinds), **given}}


class Ending:
    """Gives machines the right to end themselves."""

    def __init__(self, clients: Clients, config: AzureConfig) -> None:
        """Give none when the config names no role."""
        self._clients = clients
        self._role = config.end_role

    def allow(self, machine_ids: Collection[str]) -> None:
        """Give it to machines, each to itself. Repeatable; silent for one that is gone.

        Raises:
            ProviderError: when Azure does not take it.
        """
        if self._role:
            for each in machine_ids:
                self._allow(each)

    def _allow(self, machine_id: str) -> None:
        row = self._clients.look(_DOING, VMS, *place_of(machine_id))
        with translated(_DOING):
            if row is None or row.identity is None:  # gone, or asked for before the config named the role
                return
            where, who = row.id, row.identity.principal_id
        name = uuid.uuid5(_NAMES, f"{where.lower()} {who}")
        roles = f"/subscriptions/{self._clients.subscription()}/{_AUTHORIZATION}/roleDefinitions"
        # Said to be no person, it need not be known everywhere yet.
        said = {"roleDefinitionId": f"{roles}/{self._role}", "principalId": who, "principalType": "ServicePrincipal"}
        assignment = f"{where.removeprefix('/')}/{_AUTHORIZATION}/roleAssignments/{name}"
        try:
            self._clients.ask(
                _DOING,
                "resource.resources",
                "begin_create_or_update_by_id",
                assignment,
                {"properties": said},
                api_version=_API,
                polling=False,
            )
        except ProviderError as error:
            if not is_taken(error):  # else an earlier call under this token has given it
                raise
