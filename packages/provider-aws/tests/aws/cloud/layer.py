"""What lies between a provider and moto: client tokens are honoured, lists lag, and requests go wrong when told to."""

from __future__ import annotations

import json
import re
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aws.cloud.clusters import Entries, action_of
from aws.cloud.refusals import error, is_error, refusal
from aws.cloud.services import NOT_MOTO, PLACEMENTS, QUOTAS, console, spot_requests, statuses

__all__ = ["Layer"]

Start = Callable[..., Any]
Answer = tuple[str, list[tuple[str, str]], bytes]

_ACTIONS = {"RunInstances": "create", "DescribeInstances": "list", "TerminateInstances": "end"}
_ACTIONS |= {"CreateCluster": "create", "ListClusters": "list", "DeleteCluster": "end"}
_HANG_SECONDS = 5.0
_CATALOGUE = frozenset({"DescribeInstanceTypes", "DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory"})
_SIZES = "nano micro small medium large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 16xlarge 18xlarge 24xlarge metal"
_FEW_TYPES = tuple(f"{family}.{size}" for family in ("t3", "c5", "c6g", "m5") for size in _SIZES.split())
_FEW_TYPES += ("g4dn.xlarge", "g4dn.12xlarge", "g5.xlarge")
"""This cloud rents some of AWS's 1,400 types: a real SDK reads the list of all of them in seconds."""
_READS = 2
"""So often does an SDK that repeats reads ask before it gives up: a cloud that hangs does so for all of them."""
_LAG = timedelta(seconds=60)
_BOOT = timedelta(seconds=90)
_NOTICE = timedelta(minutes=2)
_NAMESPACE = "{*}"
"""Whatever version of the protocol moto answers in."""
_STATE = {"name": "terminated", "code": "48"}


class Layer:
    """A WSGI application in front of another. Faults, clock and books are the tests' to use, by `control`."""

    def __init__(self, app: Callable[[dict[str, Any], Start], Iterable[bytes]], *, lag: timedelta = _LAG) -> None:
        self._app = app
        self._lag = lag
        self._lists: dict[str, Answer] = {}
        self._lock = threading.RLock()
        self._reset()

    def _reset(self) -> None:
        PLACEMENTS.clear()
        self._entries = Entries()
        self._faults: list[tuple[str, str, int]] = []
        self._seen: list[tuple[str, dict[str, str]]] = []
        self._called: list[tuple[float, str]] = []
        """When each action was asked for, in seconds of any clock, and how policies call it."""
        self._tokens: dict[str, tuple[dict[str, str], Answer]] = {}
        self._born: dict[str, datetime] = {}
        self._births: dict[str, dict[str, str]] = {}
        self._reclaims: dict[str, datetime] = {}
        """When spot machines are taken back."""
        self._taken: set[str] = set()
        """Those of them that whoever lets time pass was told of."""
        self._impaired: set[str] = set()
        self._parameters: dict[str, str] = {}
        """The account's own names of images."""
        self._offset = timedelta(0)
        self._denied: set[str] = set()

    def control(self, what: str, body: dict[str, Any]) -> Any:
        """Do what a test asks for."""
        with self._lock:
            match what:
                case "reset":
                    self._reset()
                case "fail":
                    self._fail(body["fault"], body["on"])
                case "wait":
                    self._offset += timedelta(seconds=body["seconds"])
                    due = {machine for machine, at in self._reclaims.items() if at <= self._now()} - self._taken
                    self._taken |= due
                    return sorted(due)
                case "now":
                    return self._now().isoformat()
                case "requests":
                    return self._seen
                case "called":
                    return self._called
                case "entries":
                    return self._entries.let_in
                case "births":
                    return self._births
                case "reclaim":
                    self._reclaims[body["machine"]] = self._now() + timedelta(seconds=body["after"])
                case "parameter":
                    self._parameters[body["name"]] = body["value"]
                case "impair":
                    self._impaired.add(body["machine"])
                case "deny":
                    self._denied = set(body["actions"])
                case _:
                    raise ValueError(what)
            return None

    def _fail(self, fault: str, on: str) -> None:
        times = _READS if fault == "hang" and on != "create" else 1
        self._faults.append((fault, on, times))

    def _now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        form = {} if target else dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        path, kubernetes = environ["PATH_INFO"], action_of(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if kubernetes:
            target, form = "eks", {"path": path, "body": body.decode()}
        name = kubernetes or target.partition(".")[2] or form.get("Action", "")
        action = _ACTIONS.get(name, name)
        with self._lock:
            self._seen.append((action, form))
            self._called.append((time.monotonic(), f"{_service(target, form)}:{name}"))
            fault = self._take(action)
            denied = name in self._denied
        if denied:
            answer = refusal("denied", action, name, target)
        elif is_error(fault):
            answer = refusal(fault, action, name, target)
        elif fault == "hang":
            # Of EKS nobody waits for less than this; then it is told that it is too late.
            time.sleep(1.0 if kubernetes else _HANG_SECONDS)
            answer = error("ServiceUnavailable", 503, "too late", target)
        else:
            own = self._entries.answer(kubernetes, path, body)
            answer = own or self._do(environ, name, form, body, "" if kubernetes else target, fault)
        status, headers, content = answer
        if fault == "reply lost":
            headers = [("Content-Length", "1000000"), ("Connection", "close")]
            content = b""
        start(status, headers)
        return [content]

    def _take(self, action: str) -> str:
        for place, (fault, on, times) in enumerate(self._faults):
            if on in {"*", action}:
                if times > 1:
                    self._faults[place] = (fault, on, times - 1)
                else:
                    del self._faults[place]
                return fault
        return ""

    def _do(
        self, environ: dict[str, Any], name: str, form: dict[str, str], body: bytes, target: str, fault: str
    ) -> Answer:
        own = NOT_MOTO.get(target or name)
        if own is not None:
            return own(json.loads(body) if target else form)
        if name == "DescribeSpotInstanceRequests":
            return spot_requests(form, {machine: at - _NOTICE for machine, at in self._reclaims.items()})
        if name == "DescribeInstanceStatus":
            return statuses(form, self._impaired)
        if name == "GetConsoleOutput":
            return console(
                form["InstanceId"], up=self._now() >= self._born.get(form["InstanceId"], self._now()) + _BOOT
            )
        if name in _CATALOGUE and not any(value == "instance-type" for value in form.values()):
            return self._few(environ, name, form)
        if name == "CreateImage":  # moto stumbles over tags for the snapshot
            body = urlencode({k: v for k, v in form.items() if not k.startswith("TagSpecification.2")}).encode()
        if name == "RunInstances":
            with self._lock:
                return self._run(environ, form, fault)
        if name == "TerminateInstances":
            return self._terminate(environ, form, body)
        if name == "DeleteSecurityGroup" and self._is_used(environ, form):
            return error("DependencyViolation", 400, f"resource {form['GroupId']} has a dependent object")
        answer = self._pass(environ, body)
        if name == "DescribeInstances":
            return self._lagging(self._with_reasons(answer))
        return answer

    def _pass(self, environ: dict[str, Any], body: bytes) -> Answer:
        """Ask moto."""
        inner = {**environ, "wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))}
        caught: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            caught[:] = [status, headers]

        content = b"".join(self._app(inner, start))
        status, headers = caught
        return status, [(key, value) for key, value in headers if key.lower() != "content-length"], content

    def _run(self, environ: dict[str, Any], form: dict[str, str], fault: str) -> Answer:
        """Launch once for each token; the same token with other words is refused."""
        token = form.get("ClientToken", "")
        known = self._tokens.get(token)
        if known is not None:
            asked, answer = known
            if asked != form:
                return error("IdempotentParameterMismatch", 400, "The request uses the same client token")
            return self._as_now(environ, answer)
        wanted = form.get("ImageId", "")
        image = self._parameters.get(wanted.removeprefix("resolve:ssm:")) or _image(wanted)
        if image is None:
            return error("InvalidAMIID.NotFound", 400, f"The image id '[{form.get('ImageId')}]' does not exist")
        if not self._has_room(environ, int(form["MaxCount"])):
            return refusal("quota", "create", "RunInstances", "")
        passed = {**form, "ImageId": image}
        if fault == "partial":
            passed["MinCount"] = passed["MaxCount"] = str(max(1, int(form["MaxCount"]) // 2))
        answer = self._pass(environ, urlencode(passed).encode())
        if answer[0].startswith("200"):
            if token:
                self._tokens[token] = (form, answer)
            for item in _machines(ET.fromstring(answer[2])):
                self._born[item.findtext(f"{_NAMESPACE}instanceId", "")] = self._now()
                self._births[item.findtext(f"{_NAMESPACE}instanceId", "")] = form
        return answer

    def _has_room(self, environ: dict[str, Any], count: int) -> bool:
        """Say whether the quota bears more machines of two virtual cpus each; the crowd is in another account's."""
        limit = QUOTAS["L-1216C47A"]
        return 2 * (len(self._born) + count) <= limit or self._cpus(environ) + 2 * count <= limit

    def _cpus(self, environ: dict[str, Any]) -> int:
        """Count the virtual cpus that run, two for each machine."""
        asked = {"Action": "DescribeInstances", "Version": "2016-11-15"}
        asked |= {f"InstanceId.{place}": each for place, each in enumerate(self._born, 1)}
        answer = ET.fromstring(self._pass(environ, urlencode(asked).encode())[2])
        states = [item.findtext(f"{_NAMESPACE}instanceState/{_NAMESPACE}name") for item in _machines(answer)]
        return 2 * sum(1 for state in states if state in {"pending", "running"})

    def _terminate(self, environ: dict[str, Any], form: dict[str, str], body: bytes) -> Answer:
        """End machines. AWS takes the same request twice; moto stumbles over the network interfaces that are gone."""
        answer = self._pass(environ, body)
        if b"InvalidNetworkInterfaceID.NotFound" not in answer[2]:
            return answer
        gone = '<TerminateInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
        for key, value in form.items():
            if key.startswith("InstanceId."):
                one = {**{k: v for k, v in form.items() if not k.startswith("InstanceId.")}, "InstanceId.1": value}
                self._pass(environ, urlencode(one).encode())
        return "200 OK", [("Content-Type", "text/xml")], f"{gone}<instancesSet/></TerminateInstancesResponse>".encode()

    def _is_used(self, environ: dict[str, Any], form: dict[str, str]) -> bool:
        """Say whether a living machine is in a group, which moto lets go all the same."""
        asked = {
            "Action": "DescribeNetworkInterfaces",
            "Version": "2016-11-15",
            "Filter.1.Name": "group-id",
            "Filter.1.Value.1": form["GroupId"],
        }
        tree = ET.fromstring(self._pass(environ, urlencode(asked).encode())[2])
        return tree.find(f".//{_NAMESPACE}networkInterfaceId") is not None

    def _as_now(self, environ: dict[str, Any], answer: Answer) -> Answer:
        """Repeat an answer, with the states that its machines have now."""
        tree = ET.fromstring(answer[2])
        ids = [item.findtext(f"{_NAMESPACE}instanceId", "") for item in _machines(tree)]
        asked = {"Action": "DescribeInstances", "Version": "2016-11-15"}
        asked |= {f"InstanceId.{number}": each for number, each in enumerate(ids, 1)}
        current = ET.fromstring(self._pass(environ, urlencode(asked).encode())[2])
        states = {
            item.findtext(f"{_NAMESPACE}instanceId", ""): item.find(f"{_NAMESPACE}instanceState")
            for item in _machines(current)
        }
        for item in _machines(tree):
            state = states.get(item.findtext(f"{_NAMESPACE}instanceId", ""))
            for word, default in _STATE.items():
                place = item.find(f"{_NAMESPACE}instanceState/{_NAMESPACE}{word}")
                if place is not None:
                    place.text = default if state is None else state.findtext(f"{_NAMESPACE}{word}", default)
        return answer[0], answer[1], ET.tostring(tree)

    def _few(self, environ: dict[str, Any], name: str, form: Mapping[str, str]) -> Answer:
        """List a few types only; moto's answers are always the same, and so they are asked for once."""
        mine = f"Filter.{1 + sum(key.endswith('.Name') for key in form)}"
        few = {f"{mine}.Name": "instance-type"}
        few |= {f"{mine}.Value.{place}": each for place, each in enumerate(_FEW_TYPES, 1)}
        with self._lock:
            if name not in self._lists:
                self._lists[name] = self._pass(environ, urlencode({**form, **few}).encode())
            return self._lists[name]

    def _with_reasons(self, answer: Answer) -> Answer:
        """Say of machines that were taken that they were: whoever tells moto so says that a user has ended them."""
        taken = {machine for machine, at in self._reclaims.items() if at <= self._now()}
        if not taken or not answer[0].startswith("200"):
            return answer
        tree = ET.fromstring(answer[2])
        for item in _machines(tree):
            code = item.find(f"{_NAMESPACE}stateReason/{_NAMESPACE}code")
            if item.findtext(f"{_NAMESPACE}instanceId") in taken and code is not None:
                code.text = "Server.SpotInstanceTermination"
        return answer[0], answer[1], ET.tostring(tree)

    def _lagging(self, answer: Answer) -> Answer:
        """Leave out what is too young to be listed."""
        young = {name for name, born in self._born.items() if self._now() < born + self._lag}
        if not young or not answer[0].startswith("200"):
            return answer
        tree = ET.fromstring(answer[2])
        for group in tree.iterfind(f".//{_NAMESPACE}instancesSet"):
            for item in list(group):
                if item.findtext(f"{_NAMESPACE}instanceId") in young:
                    group.remove(item)
        return answer[0], answer[1], ET.tostring(tree)


def _machines(tree: ET.Element) -> list[ET.Element]:
    return [item for group in tree.iterfind(f".//{_NAMESPACE}instancesSet") for item in group]


def _service(target: str, form: Mapping[str, str]) -> str:
    """Name a service as policies do; those of forms are told apart by the version of their protocol."""
    prefix = target.partition(".")[0]
    if prefix == "eks":
        return "eks"
    known = {
        "AmazonEC2ContainerRegistry_V20150921": "ecr",
        "AWSPriceListService": "pricing",
        "ServiceQuotasV20190624": "servicequotas",
        "AmazonSSM": "ssm",
    }
    return known[prefix] if prefix else {"2016-11-15": "ec2", "2011-06-15": "sts"}[form["Version"]]


def _image(wanted: str) -> str | None:
    """Resolve a public parameter, as AWS does; moto's own images stand for those of the makers."""
    path = wanted.removeprefix("resolve:ssm:")
    if path == wanted:
        return wanted
    known = re.fullmatch(
        r"/aws/service/(canonical/ubuntu/server/2[24]\.04/stable/current/(amd64|arm64)/hvm/ebs-gp[23]/ami-id"
        r"|debian/release/12/latest/(amd64|arm64)"
        r"|ami-amazon-linux-latest/al2023-ami-kernel-default-(x86_64|arm64))",
        path,
    )
    return "ami-03cf127a" if known else None
