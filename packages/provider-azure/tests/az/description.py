"""The models of Azure's own library (generated from the description of its API), and who is held to them."""

from __future__ import annotations

import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import cache, reduce
from operator import or_
from typing import Any

from azure.mgmt.compute import models as compute
from azure.mgmt.network import models as network
from azure.mgmt.resource.resources import models as resources

from longshore.testing.clouds import Answer, Request

__all__ = ["check"]

_BAD = 400
_MODELS: Mapping[str, type] = {
    "virtualmachines": compute.VirtualMachine,
    "disks": compute.Disk,
    "sshpublickeys": compute.SshPublicKeyResource,
    "skus": compute.ResourceSku,
    "usages": compute.Usage,
    "networkinterfaces": network.NetworkInterface,
    "publicipaddresses": network.PublicIPAddress,
    "networksecuritygroups": network.NetworkSecurityGroup,
    "virtualnetworks": network.VirtualNetwork,
    "securityrules": network.SecurityRule,
    "resourcegroups": resources.ResourceGroup,
    "roleassignments": resources.GenericResource,
    "resources": resources.GenericResourceExpanded,
}
_OTHER = re.compile(r"/api/retail/prices|.*/(?:operations/[^/]+|deallocate|start)")
"""What the library has no models for, or sends no body to."""


def check(request: Request, answer: Answer | None) -> str:
    """Say what the models have against a request, or against the answer to it."""
    path = request.path.lower()
    if _OTHER.fullmatch(path):
        return "" if request.body is None else "there is a body, and the API takes none"
    parts = path.split("/")
    listed = parts[-1] in _MODELS
    model = _MODELS.get(parts[-1] if listed else parts[-2])
    if model is None:
        return "the library has no model for it"
    if answer is None:
        return "" if request.body is None else "; ".join(_against(model, request.body, "", sent=True))
    if answer.body is None:
        return ""
    if answer.status >= _BAD:
        return "; ".join(_against(compute.CloudError, answer.body, "", sent=False))
    if not listed:
        return "; ".join(_against(model, answer.body, "", sent=False))
    rows = answer.body["value"]
    return "; ".join(wrong for row in rows for wrong in _against(model, row, "", sent=False))


def _against(kind: Any, value: Any, where: str, *, sent: bool) -> Iterator[str]:
    origin, given = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        problems = [list(_against(each, value, where, sent=sent)) for each in given]
        if all(problems):
            yield from min(problems, key=len)
    elif origin is list:
        if isinstance(value, list):
            for place, each in enumerate(value):
                yield from _against(given[0], each, f"{where}[{place}]", sent=sent)
        else:
            yield f"{where}: {value!r} is no list"
    elif origin is dict:
        if not isinstance(value, dict) or not all(isinstance(each, str) for each in value):
            yield f"{where}: {value!r} is no object"
    elif origin is typing.Literal:
        if value not in given:
            yield f"{where}: {value!r} is none of {given}"
    elif hasattr(kind, "_deserialize"):
        yield from _of_model(kind, value, where, sent=sent)
    elif not _fits(kind, value):
        yield f"{where}: {value!r} is no {kind}"


def _of_model(model: Any, value: Any, where: str, *, sent: bool) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no {model.__name__}"
        return
    fields = _fields(model)
    for name, each in value.items():
        if name not in fields:
            yield f"{where}.{name}: {model.__name__} has no such field"
        elif sent and fields[name][1]:
            yield f"{where}.{name}: only Azure writes it"
        else:
            yield from _against(fields[name][0], each, f"{where}.{name}", sent=sent)


@cache
def _fields(model: Any) -> dict[str, tuple[Any, bool]]:
    """Give the kind of each field by its name in the API, and whether only Azure writes it."""
    hints: dict[str, Any] = {}
    for each in reversed(inspect.getmro(model)):
        if not each.__module__.endswith("._models"):
            continue
        module = sys.modules[each.__module__]
        known = {"_models": sys.modules[each.__module__.rpartition(".")[0]], "datetime": sys.modules["datetime"]}
        for name, note in vars(each).get("__annotations__", {}).items():
            if not name.startswith("_"):
                hints[name] = eval(note, {**vars(module), **known}) if isinstance(note, str) else note
    model.__new__(model)  # before the first one is made, the library does not know its fields
    fields = model._attr_to_rest_field
    return {
        field._rest_name: (_named(hints[name], model), field._visibility == ["read"]) for name, field in fields.items()
    }


def _named(kind: Any, model: Any) -> Any:
    """Find the classes that the library names by words within other kinds."""
    if isinstance(kind, typing.ForwardRef):
        return _named(kind.__forward_arg__, model)
    if isinstance(kind, str):
        package = sys.modules[model.__module__.rpartition(".")[0]]
        return getattr(package, kind.rpartition(".")[2])
    given = typing.get_args(kind)
    origin = typing.get_origin(kind)
    if not given or origin is typing.Literal:
        return kind
    named = tuple(_named(each, model) for each in given)
    if origin in (typing.Union, types.UnionType):
        return reduce(or_, named)
    return origin[named if len(named) > 1 else named[0]]


def _fits(kind: Any, value: Any) -> bool:
    if kind is Any:
        return True
    if kind is type(None):
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if inspect.isclass(kind) and issubclass(kind, Enum):
        return value in {each.value for each in kind}
    if kind is datetime:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    return isinstance(value, kind)
