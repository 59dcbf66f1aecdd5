"""Machines for the layer's cloud: a real host for each instance, which executes the user data of its launch."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import boto3
from aws.cloud.layer import Layer
from aws.cloud.services import QUOTAS

from longshore.testing.fake_hosts import FakeHosts

__all__ = ["Hosted"]

Start = Callable[..., Any]

_CHANGES = frozenset({"RunInstances", "StartInstances", "StopInstances", "TerminateInstances"})
_UP = frozenset({"pending", "running"})


class Hosted:
    """A WSGI application in front of a layer. What is asked of instances happens to hosts before it is answered, and a
    host that powers itself off is a terminated instance.
    """

    def __init__(self, layer: Layer, folder: Path, books: str, region: str) -> None:
        """Take the layer, a folder for disks, and where moto itself answers."""
        self._layer = layer
        self._lock = threading.Lock()
        self._admin = boto3.client(
            "ec2", region_name=region, endpoint_url=books, aws_access_key_id="admin", aws_secret_access_key="admin"
        )
        self._known: set[str] = set()
        self._disks: set[str] = set()
        self._ran: list[str] = []
        self._hosts = FakeHosts(folder, off=self._ended)

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        form = dict(parse_qsl(body.decode("utf-8", "replace")))
        answer = list(self._layer(environ, start))
        if form.get("Action") in _CHANGES:
            self._follow([value for key, value in form.items() if key.startswith("InstanceId.")])
        return answer

    def control(self, what: str, body: dict[str, Any]) -> Any:
        """Do what a test asks for; what is no matter of hosts is the layer's."""
        match what:
            case "proxy":
                return self._hosts.proxy_command
            case "hosts":
                return sorted(self._hosts.living())
            case "quota":
                QUOTAS[body["code"]] = body["value"]
                return None
            case "ran":
                return [*self._ran, *(line for machine in self._disks for line in self._written(machine))]
            case "console":
                return self._hosts.console(body["machine"])
            case "off":
                return self._hosts.wait_off(body["seconds"])
            case "reset":
                with self._lock:
                    for machine in list(self._disks):
                        self._cut(machine)
                    self._known.clear()
                self._ran.clear()
                return self._layer.control(what, body)
            case "reclaim":
                timer = threading.Timer(body["after"], self._ended, [body["machine"]])
                timer.daemon = True
                timer.start()
                return self._layer.control(what, body)
            case _:
                return self._layer.control(what, body)

    def close(self) -> None:
        """End all hosts."""
        self._hosts.close()

    def _ended(self, machine: str) -> None:
        """An instance that powers itself off is terminated, as its launch has said; so is one that is reclaimed."""
        self._admin.terminate_instances(InstanceIds=[machine])
        self._follow([machine])

    def _follow(self, named: Iterable[str]) -> None:
        """Let hosts be as their instances are: those that are named, and those that were born since."""
        with self._lock:
            births: Mapping[str, Mapping[str, str]] = self._layer.control("births", {})
            born = births.keys() - self._known
            asked = sorted(born | (births.keys() & set(named)))
            if not asked:
                return
            self._known |= born
            living = set(self._hosts.living())
            pages = self._admin.get_paginator("describe_instances").paginate(InstanceIds=asked)
            for row in (row for page in pages for group in page["Reservations"] for row in group["Instances"]):
                machine, state = row["InstanceId"], row["State"]["Name"]
                if state in _UP and machine not in living:
                    self._boot(row, births[machine])
                elif state == "stopped":
                    self._hosts.cut(machine, keep=True)
                elif state not in _UP and machine in self._disks:
                    self._cut(machine)

    def _boot(self, row: Mapping[str, Any], birth: Mapping[str, str]) -> None:
        machine = row["InstanceId"]
        self._disks.add(machine)
        addresses = [row[each] for each in ("PublicIpAddress", "PrivateIpAddress") if each in row]
        self._hosts.boot(machine, addresses, base64.b64decode(birth.get("UserData", "")).decode() or None)

    def _written(self, machine: str) -> list[str]:
        """Read what tasks have written into the file ``ran`` of their home."""
        ran = self._hosts.disk(machine) / "root" / "home" / "ubuntu" / "ran"
        return ran.read_text().splitlines() if ran.exists() else []

    def _cut(self, machine: str) -> None:
        self._ran += self._written(machine)
        self._hosts.cut(machine)
        self._disks.discard(machine)
