"""Makes Python calls, one after the other, in a process that is kept for the next one.

Started by the supervisor as a program: it imports nothing of Longshore, so that user code meets no module of ours, and
its standard library modules as late as possible. On descriptor 3 it reads one JSON object a line: orders (a batch: each
with function, arguments, pickle, cwd, env), and streams (1, 2) when it must print into other files. Those come with the
line as descriptors, since they may have other names by the time it opens them. It answers each order with a line (code,
started, seconds, cpu, memory, and where there is something to tell: result, failure, dirty, last), takes a byte from
descriptor 4 before each but the first of a batch, and rings with its process id on descriptor 5.

Between two calls the working folder, the environment and the module search path are put back. What cannot be put back
(threads or processes left running, replaced or closed standard streams, memory used up) makes the worker *dirty*: the
supervisor ends it and starts a new one. Modules stay loaded with whatever state the user's code gives them, which is
what a kept worker is for.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import os
import sys

# The folder of this file is no place for user code to import from.
if sys.path and os.path.abspath(sys.path[0]) == os.path.dirname(os.path.abspath(__file__)):
    del sys.path[0]

import _thread
import importlib
import json
import resource
import socket
import time
from json.encoder import c_make_encoder  # type: ignore[attr-defined]  # there in CPython, None elsewhere

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Dict

    Message = Dict[str, Any]

_encode = json.JSONEncoder(allow_nan=False).encode
# To make an encoder for each answer takes longer than the answer itself.
_pieces = (
    c_make_encoder(None, None, json.encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True)
    if c_make_encoder is not None
    else None
)
_CONNECTION = 3
_TOKENS = 4
_BELL = 5
_RING_SECONDS = 0.002
_CONTROL_BYTES = socket.CMSG_SPACE(2 * 4)
_MAX_RESULT = 1 << 20
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Variables:
    """The environment: as the process was born, with what the present call adds."""

    def __init__(self) -> None:
        self._born = dict(os.environ)
        self._added: dict[str, str] = {}
        self._expected = self._look()

    @staticmethod
    def _look() -> dict[Any, Any]:
        # The mapping behind os.environ: to compare that takes a hundredth of the time.
        return dict(getattr(os.environ, "_data", os.environ))

    def set(self, added: dict[str, str]) -> None:
        """Put back what the last call has changed, and add what this one needs."""
        if getattr(os.environ, "_data", os.environ) != self._expected:
            os.environ.clear()
            os.environ.update(self._born)
            self._added = {}
        for name in self._added.keys() - added.keys():
            if name in self._born:
                os.environ[name] = self._born[name]
            else:
                os.environ.pop(name, None)
        for name, value in added.items():
            if self._added.get(name) != value:
                os.environ[name] = value
        self._added = added
        self._expected = self._look()


class Worker:
    """Everything that outlives one call."""

    def __init__(self, project: str) -> None:
        self._socket = socket.socket(fileno=_CONNECTION)
        for handle in (_CONNECTION, _TOKENS, _BELL):
            os.set_inheritable(handle, False)
        self._files: list[int] = []
        self._pid = os.getpid()
        self._parent = os.getppid()
        self._functions: dict[str, Callable[..., Any]] = {}
        if project not in sys.path:
            sys.path.insert(0, project)
        self._path = list(sys.path)
        self._variables = Variables()
        self._streams = (sys.stdout, sys.stderr)
        self._threads = _thread._count()
        self._seconds = 0.0
        streams: tuple[Any, Any] = self._streams
        for stream in streams:
            stream.reconfigure(line_buffering=True, errors="backslashreplace")

    def serve(self) -> None:
        """Make calls until the supervisor hangs up."""
        rest = b""
        while True:
            content, control, _, _ = self._socket.recvmsg(1 << 16, _CONTROL_BYTES)
            for _, _, files in control:
                self._files += memoryview(files).cast("i").tolist()
            if not content:
                return
            *lines, rest = (rest + content).split(b"\n")
            for line in lines:
                self._make(json.loads(line.decode("ascii")))

    def _make(self, message: Message) -> None:
        """Make the calls of a batch, as far as it is clean and nobody takes them back; answer each, and ring."""
        for number in message.get("streams", ()):
            handle = self._files.pop(0)
            os.dup2(handle, number)
            os.close(handle)
        orders = message["orders"]
        rung = time.monotonic()
        for index, order in enumerate(orders):
            answer = self._answer(order)
            if index == len(orders) - 1 or not _left_nothing(answer, order["cwd"]) or not self._claim():
                answer["last"] = True
            text = json.dumps(answer) if _pieces is None else "".join(_pieces(answer, 0))
            self._socket.sendall(text.encode("ascii") + b"\n")
            if "last" in answer or time.monotonic() - rung > _RING_SECONDS:
                os.write(_BELL, b"%8d" % self._pid)
                rung = time.monotonic()
            if "last" in answer:
                return

    def _claim(self) -> bool:
        """Claim the next call of the batch; False when it was taken back, or the supervisor is no more."""
        try:
            return os.getppid() == self._parent and bool(os.read(_TOKENS, 1))
        except BlockingIOError:
            return False

    def _answer(self, order: Message) -> Message:
        os.chdir(order["cwd"])
        self._variables.set(order["env"])
        sys.path[:] = self._path
        began, start = time.time(), time.perf_counter()
        answer = self._call(order)
        if os.getpid() != self._pid:
            os._exit(0)  # the call has forked, and this is the child: the answer is its parent's
        answer["started"] = began
        answer["seconds"] = time.perf_counter() - start
        self._restore(answer)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        seconds = usage.ru_utime + usage.ru_stime
        answer["cpu"] = round(seconds - self._seconds, 6)
        answer["memory"] = usage.ru_maxrss * _RSS_UNIT
        self._seconds = seconds
        return answer

    def _call(self, order: Message) -> Message:
        try:
            function = self._function(order)
            arguments = json.loads(order["arguments"])
            return _carry(function(*arguments.get("args", ()), **arguments.get("kwargs", {})))
        except SystemExit as stop:
            return _exit(stop.code)
        except BaseException as error:  # noqa: BLE001  whatever the user's code raises is the attempt's end, not the worker's
            _print_traceback(error)
            if isinstance(error, MemoryError):
                return {"code": 1, "failure": "out of memory", "dirty": True}
            return {"code": 1}

    def _function(self, order: Message) -> Callable[..., Any]:
        key = order.get("pickle") or order["function"]
        function = self._functions.get(key)
        if function is None:
            function = _unpickle(key, order.get("python", "")) if order.get("pickle") else _find(key)
            self._functions[key] = function
        return function

    def _restore(self, answer: Message) -> None:
        """Put back what the call has changed, and tell when that is impossible."""
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for number in (1, 2):
                os.fstat(number)
        except (AttributeError, OSError, ValueError):
            answer["dirty"] = True
        if (sys.stdout, sys.stderr) != self._streams or _thread._count() > self._threads or _has_children():
            answer["dirty"] = True


def _left_nothing(answer: Message, workdir: str) -> bool:
    """Say whether the next call finds workdir and logs as this one found them."""
    if answer["code"] != 0 or "dirty" in answer:
        return False
    return not (os.fstat(1).st_size or os.fstat(2).st_size or os.listdir(workdir))


def _has_children() -> bool:
    """Say whether processes that the call has started still live; reap those that do not."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _find(label: str) -> Callable[..., Any]:
    module, _, name = label.partition(":")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def _unpickle(path: str, version: str) -> Callable[..., Any]:
    import pickle  # noqa: PLC0415  most calls name their function

    own = "%d.%d" % sys.version_info[:2]
    if version not in ("", own):
        raise RuntimeError(
            "this function travels as a pickle of Python %s, which the Python %s that must run it (%s) cannot open: "
            'put the function into a module of the project, or have python = "%s" in its environment'
            % (version, own, sys.executable, version)
        )
    with open(path, "rb") as file:
        try:
            return pickle.load(file)  # type: ignore[no-any-return]  # noqa: S301  the user's own function
        except ModuleNotFoundError as error:
            if error.name == "cloudpickle":
                raise ModuleNotFoundError(
                    "this function travels by cloudpickle, which the Python that must run it (%s) does not have: "
                    "install it there, or put the function into a module of the project" % sys.executable,
                    name=error.name,
                ) from None
            raise


def _carry(result: Any) -> Message:
    """Write a result as JSON, or say why that is impossible."""
    remedy = "return numbers, texts, lists, dicts, True, False or None, or write a file and name it in outputs"
    try:
        text = _encode(result)
    except (TypeError, ValueError, RecursionError) as error:
        return _refuse(
            "the function returned a %s that JSON cannot carry (%s): %s" % (type(result).__name__, error, remedy)
        )
    if len(text) > _MAX_RESULT:
        return _refuse(
            "the function returned %d bytes of JSON, more than the %d that a result may have: %s"
            % (len(text), _MAX_RESULT, remedy)
        )
    return {"code": 0, "result": text}


def _refuse(text: str) -> Message:
    os.write(2, text.encode("utf-8", "backslashreplace") + b"\n")
    return {"code": 1}


def _exit(code: object) -> Message:
    """Do as Python does at its end: None is success, a number is the exit code, and anything else is printed."""
    if code is None:
        return {"code": 0, "result": "null"}
    if isinstance(code, int):
        return {"code": code & 0xFF, "result": "null"} if not code & 0xFF else {"code": code & 0xFF}
    return _refuse(str(code))


def _print_traceback(error: BaseException) -> None:
    import traceback  # noqa: PLC0415  most calls do not fail

    # The first frame is ours.
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, trace))
    os.write(2, text.encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    Worker(sys.argv[1]).serve()
