"""What goes wrong with a cluster, in the words of Longshore: translated once, here, with the cause kept."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import urllib3
from kubernetes.client import ApiException
from kubernetes.config import ConfigException

from longshore.errors import DiskFull, ExecutorError, LongshoreError, MachineUnreachable, StagingError
from longshore.model.outcome import FailureClass

__all__ = [
    "AlreadyThere",
    "Denied",
    "ImageLacks",
    "NotTheCluster",
    "NotThere",
    "PodGone",
    "PolicyDenied",
    "QuotaExceeded",
    "failure_of",
    "message_of",
    "of_api",
    "plain_text",
    "translated",
]

_SHOWN = 600
_POLICIES = ("admission webhook", "violates PodSecurity", "ValidatingAdmissionPolicy")


class NotThere(ExecutorError):
    """The cluster has no such object."""


class NotTheCluster(ExecutorError):
    """What answers is not the server that the kubeconfig trusts; nothing was sent to it."""


class AlreadyThere(ExecutorError):
    """The cluster has an object of that name, or it has changed since it was read."""


class QuotaExceeded(MachineUnreachable):
    """The quota of the namespace is used up for now."""


class Denied(ExecutorError):
    """We may not do that; who runs the cluster can allow it."""


class PolicyDenied(ExecutorError):
    """The cluster's own rules do not admit what we have asked for."""


class ImageLacks(ExecutorError):
    """An image has not what the shim needs."""


class PodGone(MachineUnreachable):
    """A pod has ended, or cannot begin: no waiting helps."""


_CLASSES: Mapping[type[LongshoreError], FailureClass] = {
    DiskFull: FailureClass.DISK_FULL,
    StagingError: FailureClass.STAGING,
    Denied: FailureClass.CREDENTIALS,
    PolicyDenied: FailureClass.ENVIRONMENT,
    ImageLacks: FailureClass.ENVIRONMENT,
}


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Raise what the client and the network raise within as Longshore's own errors; ``doing`` says what was tried."""
    try:
        yield
    except LongshoreError:
        raise
    except ApiException as error:
        raise of_api(error, doing) from error
    except ConfigException as error:
        raise ExecutorError(f"no cluster to be found: {plain_text(str(error))}") from error
    except ValueError as error:
        raise ExecutorError(f"{doing}: the client does not take it: {plain_text(str(error))}") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        if _is_refused_proof(getattr(error, "reason", error)):
            raise NotTheCluster(
                f"{doing}: what answers cannot prove to be the cluster that is meant: {plain_text(str(error))}"
            ) from error
        raise MachineUnreachable(f"the cluster does not answer while {doing}: {plain_text(str(error))}") from error


def _is_refused_proof(error: object) -> bool:
    """Say whether a handshake has failed, and not just been cut."""
    if isinstance(error, urllib3.exceptions.SSLError) and error.args:
        error = error.args[0]
    return isinstance(error, urllib3.exceptions.SSLError | ssl.SSLError) and not isinstance(
        error, ssl.SSLEOFError | ssl.SSLZeroReturnError
    )


def of_api(error: ApiException, doing: str) -> LongshoreError:
    """Translate what the cluster has answered; ``doing`` says what was tried."""
    said = message_of(error)
    match error.status:
        case 401:
            return Denied(f"{doing}: the cluster does not know us; the login may have expired ({said})")
        case 403 if "exceeded quota" in said:
            return QuotaExceeded(f"{doing}: the quota of the namespace is used up: {said}")
        case _ if any(words in said for words in _POLICIES):
            return PolicyDenied(f"{doing}: a rule of the cluster forbids it: {said}")
        case 403:
            return Denied(f"{doing} is not allowed: {said}")
        case 404:
            return NotThere(f"{doing}: {said}")
        case 409:
            return AlreadyThere(f"{doing}: {said}")
        case 400 | 422:
            return ExecutorError(f"{doing}: the cluster does not take it: {said}")
        case _:  # 0 is a stream that did not open; 429 and 5xx were repeated already
            return MachineUnreachable(f"{doing}: {said}")


def failure_of(error: LongshoreError) -> FailureClass:
    """Say to which class it belongs that an attempt cannot begin for this reason."""
    for kind, failure in _CLASSES.items():
        if isinstance(error, kind):
            return failure
    return FailureClass.MACHINE_LOST


def message_of(error: ApiException) -> str:
    """Give what the cluster says, fit for a terminal."""
    try:
        said = str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        said = str(error.reason or error.body or error.status)
    return plain_text(said)


def plain_text(text: str, most: int = _SHOWN) -> str:
    """Make what a stranger has sent fit for a terminal: one line, no control characters, not too long."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return words if len(words) <= most else words[: most - 3] + "..."
