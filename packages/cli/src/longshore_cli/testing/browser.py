"""A real browser, Debian's chromium, steered through its debugging pipe: pages as they are seen and read aloud."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

__all__ = ["Tab", "browser"]

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 120.0
_LEFT = "Inspected target navigated or closed"
"""What the browser says when the page went away while it was asked something."""


class _PageLeft(Exception):
    """The page went away while it was asked something."""


class Tab:
    """One page in the browser."""

    def __init__(self, write: int, read: int) -> None:
        self._write = write
        self._read = read
        self._held = b""
        self._number = 0
        self._session = ""
        self.problems: list[str] = []
        """What the page has logged as a warning or an error, and what its policy has forbidden."""
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.ask(f"{domain}.enable")
        # As if somebody looked at it: keys go nowhere in a window that nobody has chosen.
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        self.requests: list[str] = []
        """What was loaded, the page itself included."""

    def ask(self, method: str, **params: Any) -> Any:
        """Call a method of the browser's debugging protocol and give its answer."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": params}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._write, json.dumps(call).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                if message.get("error", {}).get("message") == _LEFT:
                    raise _PageLeft
                assert "error" not in message, f"{method}: {message['error']}"
                return message["result"]
            self._note(message)

    def _next(self) -> Any:
        deadline = time.monotonic() + _SECONDS
        while b"\0" not in self._held:
            ready, _, _ = select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(self._read, 1 << 20) if ready else b""
            assert data, "the browser does not answer"
            self._held += data
        text, _, self._held = self._held.partition(b"\0")
        return json.loads(text)

    def _note(self, message: Any) -> None:
        match message.get("method"):
            case "Log.entryAdded":
                self.problems.append(message["params"]["entry"]["text"])
            case "Runtime.exceptionThrown":
                self.problems.append(json.dumps(message["params"]["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if message["params"]["type"] in {"warning", "error"}:
                self.problems.append(json.dumps(message["params"]["args"]))
            case "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            case _:
                return

    def screen(self, width: int, height: int, *, dark: bool) -> None:
        """Show pages on a screen of this size, by day or by night."""
        phone = width < 600
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = "dark" if dark else "light"
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, url: str) -> None:
        """Open a page, and wait until all that it names is loaded."""
        # Marked, so that the page before it is not taken for it.
        self.ask("Runtime.evaluate", expression="globalThis.before = true")
        answer = self.ask("Page.navigate", url=url)
        assert "errorText" not in answer, f"{url}: {answer['errorText']}"
        self.until("!globalThis.before && document.readyState === 'complete'")

    def scripts(self, on: bool) -> None:
        """Let pages that are opened from now on execute scripts, or none."""
        self.ask("Emulation.setScriptExecutionDisabled", value=not on)

    def until(self, condition: str) -> None:
        """Wait until something holds in the page."""
        deadline = time.monotonic() + _SECONDS
        while not self._holds(condition):
            assert time.monotonic() < deadline, f"{condition} never held; {self.problems}"
            select.select([self._read], [], [], 0.05)

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self.value(condition))
        except _PageLeft:
            return False  # the next page is asked then

    def value(self, expression: str) -> Any:
        """Evaluate an expression in the page; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press one key."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=_CODES[key])

    def press_until(self, key: str, condition: str) -> None:
        """Press one key again and again until something holds in the page."""
        deadline = time.monotonic() + _SECONDS
        while not self.value(condition):
            assert time.monotonic() < deadline, f"{condition} never held; {self.problems}"
            self.press(key)

    def named(self, role: str) -> list[str]:
        """List the names of everything of a role, as a screen reader is told them."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return [
            node.get("name", {}).get("value", "")
            for node in nodes
            if not node["ignored"] and node["role"]["value"] == role
        ]

    def picture(self, to: Path, *, whole: bool = False) -> None:
        """Take a picture of the screen, or of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        to.write_bytes(base64.b64decode(shot["data"]))


_CODES = {"Tab": 9, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, "Enter": 13}


@contextmanager
def browser(folder: Path) -> Iterator[Tab]:
    """Start a browser with a profile in ``folder``; skip the test visibly where there is none."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("chromium is not installed here; tools/system-packages brings it")
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    flags = [
        "--headless=new",
        "--remote-debugging-pipe",
        f"--user-data-dir={folder / 'profile'}",
        "--no-first-run",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        *(["--no-sandbox"] if os.getuid() == 0 else []),
    ]
    # It reads from descriptor 3 and writes to 4.
    process = subprocess.Popen(
        ["bash", "-c", f'exec 3<&{theirs_in} 4>&{theirs_out}; exec "$@"', "bash", program, *flags],
        pass_fds=[theirs_in, theirs_out],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Tab(ours_out, ours_in)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=_SECONDS)
        os.close(ours_out)
        os.close(ours_in)
