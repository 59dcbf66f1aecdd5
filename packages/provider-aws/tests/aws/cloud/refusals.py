"""How AWS refuses, in the words of its two protocols."""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ["error", "is_error", "refusal"]

Answer = tuple[str, list[tuple[str, str]], bytes]

_ERRORS: Mapping[str, tuple[str, int, str]] = {
    "capacity": ("InsufficientInstanceCapacity", 500, "We currently do not have sufficient capacity"),
    "quota": ("VcpuLimitExceeded", 400, "You have requested more vCPU capacity than your current limit"),
    "credentials": ("AuthFailure", 401, "AWS was not able to validate the provided access credentials"),
    "denied": ("UnauthorizedOperation", 403, "You are not authorized to perform this operation"),
    "throttled": ("RequestLimitExceeded", 503, "Request limit exceeded."),
    "invalid": ("InvalidParameterValue", 400, "Value () for parameter is invalid"),
    "unknown": ("SomethingNew", 400, "Nobody has heard of this"),
}
_CODE = "code:"
"""A fault that begins so is an error of AWS's with this code."""


def is_error(fault: str) -> bool:
    """Say whether a fault is an answer in words."""
    return fault in _ERRORS or fault.startswith(_CODE)


def refusal(fault: str, action: str, name: str, target: str) -> Answer:
    code, status, message = _ERRORS.get(fault) or (fault.removeprefix(_CODE), 400, "It cannot be")
    # An SDK repeats a read after a server's error; a read is never refused for want of capacity but here.
    return error(code, 400 if status == 500 and action != "create" else status, f"{message} ({name})", target)


def error(code: str, status: int, message: str, target: str = "") -> Answer:
    if target:
        content = json.dumps({"__type": code, "message": message})
        return f"{status} Error", [("Content-Type", "application/x-amz-json-1.1")], content.encode()
    text = (
        f"<?xml version='1.0' encoding='UTF-8'?><Response><Errors><Error><Code>{code}</Code>"
        f"<Message>{message}</Message></Error></Errors><RequestID>r</RequestID></Response>"
    )
    return f"{status} Error", [("Content-Type", "text/xml")], text.encode()
