"""Observers of the core's own: a file of events, and notices at the end of a run: mail, web hook, on the desktop."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field, fields, frozen, has
from attrs.validators import ge, in_, le, matches_re, min_len

from longshore.errors import ObserverError
from longshore.model.events import AttemptEnded, Event, RunEnded
from longshore.model.outcome import Cancelled, Exited, Lost
from longshore.plugin import API_VERSION, Observer, ObserverRecord, hookimpl

__all__ = ["Desktop", "EventLines", "Mail", "WebHook", "longshore_observers"]

_SECONDS = 20.0
"""So long an answer is waited for; the run waits for nobody."""
_MOST_NAMED = 10
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
_ALWAYS, _FAILED = "always", "failed"


@frozen(kw_only=True)
class EventLinesConfig:
    """Options of ``events-file``."""

    file: str = field(default="events.jsonl", validator=min_len(1))
    """Where the lines go, relative to the project's folder; those of later runs are put behind them."""


class EventLines:
    """Writes each event as a line of JSON: ``run``, ``kind``, and its fields."""

    def __init__(self, config: EventLinesConfig, about: Mapping[str, str]) -> None:
        """Prepare; the file is made with the first event."""
        self._run = about["run"]
        self._path = Path(about["folder"]) / Path(config.file).expanduser()
        self._handle = -1

    def notice(self, event: Event) -> None:
        """Write a line, whole or not at all, so that several runs can share the file."""
        if self._handle < 0:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._handle = os.open(self._path, flags, 0o600)
        line = json.dumps({"run": self._run, "kind": type(event).__name__, **_plain(event)}) + "\n"
        os.write(self._handle, line.encode("ascii"))

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _plain(value: Any) -> Any:
    """Make what JSON can say of a value of the model: moments as ISO 8601, durations in seconds."""
    match value:
        case Enum():
            return value.value
        case None | str() | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Exited() | Lost() | Cancelled():
            return {"kind": type(value).__name__} | _fields(value)
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item) for item in value]
        case PurePath():
            return str(value)
        case _:
            return _fields(value) if has(type(value)) else str(value)


def _fields(value: Any) -> dict[str, Any]:
    return {each.name: _plain(getattr(value, each.name)) for each in fields(type(value))}


@define
class _Tally:
    """What is known of a run when it ends."""

    run: str
    workflow: str
    began: datetime | None = None
    failed: dict[str, str] = field(factory=dict)
    """The last attempts of tasks that did not succeed, and how they ended."""

    def take(self, event: Event) -> None:
        if self.began is None:
            self.began = event.at
        if isinstance(event, AttemptEnded):
            if event.failure is None and event.outcome == Exited(0):
                self.failed.pop(event.task, None)
            else:
                self.failed[event.task] = event.failure.value if event.failure is not None else "cancelled"

    def subject(self, state: str) -> str:
        return f"{self.workflow}: run {self.run} {'has' if state in {'succeeded', 'failed'} else 'was'} {state}"

    def lines(self, ended: RunEnded) -> list[str]:
        found = [self.subject(ended.state)]
        if self.began is not None:
            found.append(f"It took {ended.at - self.began}.")
        named = sorted(self.failed)
        found += [f"{name}: {self.failed[name]}" for name in named[:_MOST_NAMED]]
        if len(named) > _MOST_NAMED:
            found.append(f"and {len(named) - _MOST_NAMED} more")
        return found


class _AtTheEnd:
    """Tells how a run ended, when it has."""

    def __init__(self, when: str, about: Mapping[str, str], tell: Callable[[_Tally, RunEnded], None]) -> None:
        self._tally = _Tally(run=about["run"], workflow=about["workflow"])
        self._when = when
        self._tell = tell

    def notice(self, event: Event) -> None:
        """Take note; at the end, tell."""
        self._tally.take(event)
        if isinstance(event, RunEnded) and (self._when == _ALWAYS or event.state == _FAILED):
            self._tell(self._tally, event)


def _when() -> Any:
    return field(default=_ALWAYS, validator=in_((_ALWAYS, _FAILED)))


def _web(_: object, attribute: Any, value: str) -> None:
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise ValueError(f"{attribute.name} {value!r} is no address of the web; it begins with https://")


@frozen(kw_only=True)
class WebHookConfig:
    """Options of ``webhook``."""

    url: str = field(default="", validator=_web)
    """Where to; for one that is a secret name the variable that has it."""
    url_env: str = field(default="", validator=matches_re(f"({_VARIABLE})?"))
    """The environment variable that has the address."""
    when: str = _when()
    """``always``, or ``failed``."""


class WebHook(_AtTheEnd):
    """Posts how a run ended as JSON: ``text`` for people, and ``run``, ``workflow``, ``state`` and ``failed``."""

    def __init__(self, config: WebHookConfig, about: Mapping[str, str]) -> None:
        """Look where to.

        Raises:
            ObserverError: when nothing says where to.
        """
        super().__init__(config.when, about, self._post)
        self._url = config.url or _variable(config.url_env, "url_env")
        _web(self, WebHookConfig.__attrs_attrs__[0], self._url)

    def _post(self, tally: _Tally, ended: RunEnded) -> None:
        from urllib.request import Request, urlopen  # noqa: PLC0415  not needed unless a run has ended

        body = {
            "text": "\n".join(tally.lines(ended)),
            "run": tally.run,
            "workflow": tally.workflow,
            "state": ended.state,
            "failed": tally.failed,
        }
        request = Request(  # noqa: S310  the scheme was checked
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json", "User-Agent": "longshore"}
        )
        try:
            with urlopen(request, timeout=_SECONDS):  # noqa: S310  as above
                return
        except OSError as error:
            # Its own words may have the address, which may be a secret.
            raise ObserverError(f"the web hook was not taken: {getattr(error, 'code', type(error).__name__)}") from None


def _variable(name: str, option: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise ObserverError(
            f"{option}: the environment variable {name} is not set" if name else f"say where to by url or {option}"
        )
    return value


@frozen(kw_only=True)
class MailConfig:
    """Options of ``email``."""

    to: str = field(validator=matches_re(r"[^\s@]+@[^\s@]+"))
    sender: str = field(default="longshore@localhost", validator=matches_re(r"[^\s@]+@[^\s@]+"))
    host: str = field(default="localhost", validator=min_len(1))
    """The server that takes mail."""
    port: int = field(default=25, validator=[ge(1), le(65535)])
    tls: str = field(default="none", validator=in_(("none", "starttls", "tls")))
    user: str = ""
    password_env: str = field(default="", validator=matches_re(f"({_VARIABLE})?"))
    """The environment variable that has the password."""
    when: str = _when()
    """``always``, or ``failed``."""


class Mail(_AtTheEnd):
    """Writes a mail when a run has ended."""

    def __init__(self, config: MailConfig, about: Mapping[str, str]) -> None:
        """Look for the password.

        Raises:
            ObserverError: when its variable is not set.
        """
        super().__init__(config.when, about, self._send)
        self._config = config
        self._password = _variable(config.password_env, "password_env") if config.user else ""

    def _send(self, tally: _Tally, ended: RunEnded) -> None:
        import smtplib  # noqa: PLC0415  not needed unless a run has ended
        import ssl  # noqa: PLC0415  as above
        from email.message import EmailMessage  # noqa: PLC0415  as above

        config = self._config
        message = EmailMessage()
        message["To"], message["From"], message["Subject"] = config.to, config.sender, tally.subject(ended.state)
        message.set_content("\n".join(tally.lines(ended)) + "\n")
        secure = ssl.create_default_context()
        try:
            server = (
                smtplib.SMTP_SSL(config.host, config.port, timeout=_SECONDS, context=secure)
                if config.tls == "tls"
                else smtplib.SMTP(config.host, config.port, timeout=_SECONDS)
            )
            with server:
                if config.tls == "starttls":
                    server.starttls(context=secure)
                if config.user:
                    server.login(config.user, self._password)
                server.send_message(message)
        except (OSError, smtplib.SMTPException) as error:
            raise ObserverError(f"no mail could be sent by {config.host}: {type(error).__name__}") from None


@frozen(kw_only=True)
class DesktopConfig:
    """Options of ``desktop``."""

    when: str = _when()
    """``always``, or ``failed``."""


class Desktop(_AtTheEnd):
    """Shows a notice on the desktop when a run has ended: by notify-send, or on macOS by osascript."""

    def __init__(self, config: DesktopConfig, about: Mapping[str, str]) -> None:
        """Look for the program.

        Raises:
            ObserverError: when there is none.
        """
        super().__init__(config.when, about, self._show)
        self._program = shutil.which("osascript" if sys.platform == "darwin" else "notify-send")
        if self._program is None:
            raise ObserverError("there is no program that shows notices; install notify-send (libnotify)")

    def _show(self, tally: _Tally, ended: RunEnded) -> None:
        assert self._program is not None
        head, *rest = tally.lines(ended)
        if sys.platform == "darwin":
            script = "on run texts\ndisplay notification (item 2 of texts) with title (item 1 of texts)\nend run"
            command = [self._program, "-e", script, head, "\n".join(rest)]
        else:
            urgency = "critical" if ended.state == _FAILED else "normal"
            command = [self._program, "--app-name=longshore", f"--urgency={urgency}", "--", head, "\n".join(rest)]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=_SECONDS)


def _record(name: str, config: type, factory: Callable[[Any, Mapping[str, str]], Observer]) -> ObserverRecord:
    return ObserverRecord(name=name, config=config, factory=factory, api=API_VERSION)


@hookimpl
def longshore_observers() -> Sequence[ObserverRecord]:
    """Announce the core's own observers."""
    return (
        _record("events-file", EventLinesConfig, EventLines),
        _record("webhook", WebHookConfig, WebHook),
        _record("email", MailConfig, Mail),
        _record("desktop", DesktopConfig, Desktop),
    )
