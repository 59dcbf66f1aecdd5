"""What the operator of a cloud can see and do, and no account can: the other side of `CloudClient`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from longshore.testing.faults import Fault
from longshore_sandbox.books import converter
from longshore_sandbox.door import DOOR

if TYPE_CHECKING:
    from longshore_sandbox.server import Server

__all__ = ["OPERATIONS"]

Answer = dict[str, Any]


def _do(server: Server, account: str, action: str, body: Mapping[str, Any]) -> Answer:
    return server.cloud.do(account, action, body)


def _fail(server: Server, fault: str, on: str, times: int) -> Answer:
    server.cloud.fail(Fault(fault), on=on, times=times)
    return {}


def _reclaim(server: Server, id: str, seconds: float) -> Answer:  # noqa: A002 - the word in requests
    server.cloud.reclaim(id, after=timedelta(seconds=seconds))
    return {}


def _machines(server: Server) -> Answer:
    server.cloud.elapse()
    return {"machines": [converter().unstructure(each) for each in server.cloud.machines.values()]}


def _sides(server: Server) -> Answer:
    return {"sides": [[*pair, body] for pair, body in server.cloud.sides.items()]}


def _requests(server: Server) -> Answer:
    return {"requests": converter().unstructure(list(server.cloud.requests))}


def _admitted(server: Server, account: str) -> Answer:
    return {"addresses": server.cloud.admitted(account)}


def _reset(server: Server) -> Answer:
    server.cloud.reset()
    return {}


def _shut_down(server: Server) -> Answer:
    """End at once: what we know is written down. Whoever asked hears the end of the connection."""
    (server.folder / DOOR).unlink(missing_ok=True)
    os._exit(0)


OPERATIONS: Mapping[str, Callable[..., Answer]] = MappingProxyType(
    {
        "admitted": _admitted,
        "do": _do,
        "fail": _fail,
        "machines": _machines,
        "reclaim": _reclaim,
        "requests": _requests,
        "reset": _reset,
        "shut down": _shut_down,
        "sides": _sides,
    }
)
