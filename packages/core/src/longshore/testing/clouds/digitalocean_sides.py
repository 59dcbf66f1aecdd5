"""Keys and firewalls of the stand-in for DigitalOcean."""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from itertools import count
from typing import Any

from longshore.testing.clouds.digitalocean_words import no, not_found, page_of
from longshore.testing.clouds.http_cloud import Answer, Request

__all__ = ["Firewalls", "Keys"]

_FIREWALL = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9.-]+")


class Keys:
    """Those of one account, which has each once."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        """By their numbers."""
        self._numbers = count(512_190)

    def known(self) -> set[Any]:
        """Give all by which one can be named."""
        return {row[word] for row in self.rows.values() for word in ("fingerprint", "id")}

    def list(self, request: Request) -> Answer:
        """List a page."""
        return page_of(request, "ssh_keys", [*self.rows.values()])

    def add(self, request: Request) -> Answer:
        """Take one in."""
        public = request.body["public_key"]
        try:
            digest = hashlib.md5(base64.b64decode(public.split()[1], validate=True), usedforsecurity=False).hexdigest()
        except (IndexError, ValueError):
            return no(422, "unprocessable_entity", "Key invalid, type not supported")
        fingerprint = ":".join(digest[place : place + 2] for place in range(0, 32, 2))
        if fingerprint in self.known():
            return no(422, "unprocessable_entity", "SSH Key is already in use on your account")
        number = next(self._numbers)
        key = {"id": number, "fingerprint": fingerprint, "public_key": public, "name": request.body["name"]}
        self.rows[number] = key
        return Answer(status=201, body={"ssh_key": key})

    def delete(self, _: Request, number: str) -> Answer:
        """Remove one."""
        return Answer(status=204) if self.rows.pop(int(number), None) else not_found()


class Firewalls:
    """Those of one account."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        """By their ids."""
        self._now = now

    def list(self, request: Request) -> Answer:
        """List a page."""
        return page_of(request, "firewalls", [*self.rows.values()])

    def make(self, request: Request) -> Answer:
        """Make one."""
        name = request.body["name"]
        if not _FIREWALL.fullmatch(name) or any(name == row["name"] for row in self.rows.values()):
            return no(422, "unprocessable_entity", "the name cannot be, or is taken")
        return Answer(status=202, body={"firewall": self.add(request.body)})

    def add(self, body: Mapping[str, Any], name: str = "") -> dict[str, Any]:
        """Let one be there, in the place of one of this id."""
        row = {
            "id": name or str(uuid.uuid4()),
            "status": "succeeded",
            "created_at": self._now().isoformat(),
            "pending_changes": [],
            "droplet_ids": [],
            **body,
        }
        self.rows[row["id"]] = row
        return row

    def change(self, request: Request, name: str) -> Answer:
        """Let one be another."""
        if name not in self.rows:
            return not_found()
        return Answer(status=200, body={"firewall": self.add(request.body, name)})

    def delete(self, _: Request, name: str) -> Answer:
        """Remove one."""
        return Answer(status=204) if self.rows.pop(name, None) else not_found()
