"""The way to the cloud's process: it is started when somebody needs it, and stays when they have gone."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from longshore.remote.computer import clean_environment
from longshore.runtime.sockets import connect
from longshore.testing.fake_cloud import Port
from longshore.testing.fake_cloud_parts import CloudFault, CloudHabits, CloudMachine, CloudTimeout, Request
from longshore.testing.faults import Fault, Time
from longshore_sandbox.books import converter
from longshore_sandbox.config import CloudSettings, read_settings
from longshore_sandbox.errors import CloudDown

__all__ = ["DOOR", "PID", "READY", "CloudClient"]

DOOR = "door"
PID = "cloud.pid"
LOG = "cloud.log"
READY = b"ready\n"
_TROUBLE_CHARACTERS = 2000
_OPERATOR_SECONDS = 60.0


class CloudClient:
    """A sandbox by its folder: logins for accounts, and what only its operator can see and do.

    Making one does nothing; settings are read, and the cloud's process is started, when they are needed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    @cached_property
    def settings(self) -> CloudSettings:
        """What ``cloud.toml`` says.

        Raises:
            ConfigError: when it has mistakes.
        """
        return read_settings(self.folder)

    @cached_property
    def time(self) -> Time:
        """The cloud's clock."""
        self._make_folder()
        return self.settings.time(self.folder)

    @property
    def habits(self) -> CloudHabits:
        """How the cloud behaves."""
        return self.settings.habits()

    def login(self, account: str) -> Port:
        """Give the door of one account. What it raises: `CloudFault`, `CloudTimeout`, `CloudDown`."""

        def call(action: str, body: Mapping[str, Any], deadline: timedelta | None) -> dict[str, Any]:
            seconds = None if deadline is None else deadline.total_seconds()
            request = {"account": account, "action": action, "body": body, "seconds": seconds}
            return self._ask(request, seconds)

        return call

    # --- what the operator can do

    def do(self, account: str, action: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Do what an account may ask for, at once and without any mishap."""
        return self._operate("do", {"account": account, "action": action, "body": body})

    def fail(self, fault: Fault, *, on: str, times: int = 1) -> None:
        """Let the next requests of an action (``"*"`` for any) go wrong."""
        self._operate("fail", {"fault": fault, "on": on, "times": times})

    def reclaim(self, machine: str, *, after: timedelta) -> None:
        """Take one spot machine back, after so long. Unknown ids are ignored."""
        self._operate("reclaim", {"id": machine, "seconds": after.total_seconds()})

    @property
    def machines(self) -> dict[str, CloudMachine]:
        """All machines that ever were, by id."""
        rows = self._operate("machines")["machines"]
        return {row["id"]: self._converter.structure(row, CloudMachine) for row in rows}

    def living(self, account: str | None = None) -> list[CloudMachine]:
        """List the machines that cost money now, without any lag."""
        return [each for each in self.machines.values() if each.ended is None and account in {None, each.account}]

    @property
    def sides(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The side resources, by account and id."""
        return {(account, name): body for account, name, body in self._operate("sides")["sides"]}

    @property
    def requests(self) -> Sequence[Request]:
        """The requests that this process of the cloud has seen."""
        rows = self._operate("requests")["requests"]
        return [self._converter.structure(row, Request) for row in rows]

    def admitted(self, account: str) -> list[str]:
        """List the addresses that an account's firewall lets in."""
        return [str(each) for each in self._operate("admitted", {"account": account})["addresses"]]

    def reset(self) -> None:
        """End all machines and forget everything: the cloud begins anew."""
        self._operate("reset")

    def shut_down(self) -> None:
        """End the cloud's process; its machines, and what it knows, stay. Silent when there is none."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_OPERATOR_SECONDS)
            try:
                connect(connection, self.folder / DOOR)
            except (FileNotFoundError, ConnectionRefusedError):
                return
            connection.sendall(json.dumps({"operate": "shut down", "body": {}}).encode() + b"\n")
            while connection.recv(1 << 16):
                pass

    @cached_property
    def _converter(self) -> Any:
        return converter()

    def _operate(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self._ask({"operate": name, "body": body or {}}, _OPERATOR_SECONDS)

    # --- the link

    def _ask(self, request: Mapping[str, Any], seconds: float | None) -> dict[str, Any]:
        """Send one request and give its answer.

        Raises:
            CloudFault: when the cloud refuses.
            CloudTimeout: when no answer comes.
            CloudDown: when there is no cloud, and none can be started.
        """
        with self._connect() as connection:
            connection.settimeout(seconds)
            if seconds is not None and seconds <= 0:
                raise CloudTimeout("no time is left")
            try:
                connection.sendall(json.dumps(request).encode() + b"\n")
                with connection.makefile("rb") as file:
                    line = file.readline()
            except OSError as error:
                raise CloudTimeout(f"no answer: {error}") from error
        if not line.endswith(b"\n"):
            raise CloudTimeout("the cloud went away in the middle of its answer")
        answer = json.loads(line)
        if "timeout" in answer:
            raise CloudTimeout(answer["timeout"])
        if "code" in answer:
            raise CloudFault(answer["code"], answer["message"])
        body: dict[str, Any] = answer["answer"]
        return body

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        try:
            try:
                connect(connection, self.folder / DOOR)
            except (FileNotFoundError, ConnectionRefusedError):
                self._start(connection)
        except OSError as error:
            connection.close()
            raise CloudDown(f"the sandbox in {self.folder} cannot be reached: {error}") from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _start(self, connection: socket.socket) -> None:
        """Start the cloud's process, unless somebody else is doing so, and connect to it."""
        self._make_folder()
        with open(self.folder / "start.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                connect(connection, self.folder / DOOR)
            except (FileNotFoundError, ConnectionRefusedError):
                self._launch()
                connect(connection, self.folder / DOOR)

    def _launch(self) -> None:
        command = [sys.executable, "-m", "longshore_sandbox.server", str(self.folder)]
        log = self.folder / LOG
        with open(log, "ab") as errors:
            begin = errors.tell()
            with subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.folder,
                env={**clean_environment(os.environ), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            ) as process:
                assert process.stdout is not None
                ready = process.stdout.readline() == READY
        if not ready:
            said = log.read_bytes()[begin:].decode(errors="replace").strip()
            raise CloudDown(f"the sandbox in {self.folder} does not start: {said[-_TROUBLE_CHARACTERS:]}")

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CloudDown(f"the sandbox's folder {self.folder} cannot be made: {error.strerror}") from error
