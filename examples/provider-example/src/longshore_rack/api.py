"""The rack's HTTP service: one request, one answer, no retries."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

__all__ = ["NoAnswer", "RackApi", "Refused"]


class Refused(Exception):
    """The service has answered, and said no."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class NoAnswer(Exception):
    """The service has not answered; what was asked may have been done."""


class RackApi:
    """The service at a URL. The login is read when it is used, and shown nowhere."""

    def __init__(self, url: str, login: Mapping[str, str], variable: str) -> None:
        self._url = url.rstrip("/")
        self._login = login
        self._variable = variable

    def __repr__(self) -> str:
        return f"<RackApi {self._url}>"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None, *, seconds: float) -> Any:
        """Send one request.

        Raises:
            Refused: when the service says no.
            NoAnswer: when no whole answer has come within so many seconds.
        """
        if seconds <= 0:
            raise NoAnswer("no time is left")
        headers = {
            "Authorization": f"Bearer {self._login.get(self._variable, '')}",
            "Content-Type": "application/json",
            "Prefer": f"wait={seconds:.3f}",
        }
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, content, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 504:
                    raise NoAnswer("the service did not get an answer itself") from error
                raise Refused(error.code, error.read().decode(errors="replace")) from error
        except (OSError, ValueError) as error:
            raise NoAnswer(f"{method} {path}: {error}") from error
