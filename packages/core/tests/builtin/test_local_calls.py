"""Python calls in workers that are kept: what travels, what goes wrong, and what does not leak into the next call."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from longshore.model.command import Call
from longshore.model.events import AttemptEnded
from longshore.model.outcome import Cancelled, Exited, FailureClass
from longshore.remote.processes import started_at

from .bench import SECONDS, Bench

MODULE = """
import os, signal, subprocess, sys, threading

def add(*numbers, start=0):
    return start + sum(numbers)

def fail(text):
    raise ValueError(text)

def leave(value):
    sys.exit(value)

def vanish(code):
    os._exit(code)

def crash():
    os.kill(os.getpid(), signal.SIGSEGV)

def hungry():
    raise MemoryError

def give(what):
    return {"set": {1}, "nan": float("nan"), "big": "x" * (2 << 20), "nested": {"a": [1, None, "\\u00fc"]}}[what]

def say(out, err):
    print(out)
    os.write(2, err.encode())

def where():
    return os.getpid()

def state():
    folder = os.path.basename(os.getcwd())
    return [os.environ.get("LEAK"), folder == "elsewhere", "/leak" in sys.path, os.environ.get("TOKEN")]

def leak():
    os.environ["LEAK"] = "x"
    os.makedirs("elsewhere")
    os.chdir("elsewhere")
    sys.path.insert(0, "/leak")

def background():
    threading.Thread(target=threading.Event().wait, daemon=True).start()

def daemon():
    return [subprocess.Popen(["sleep", "1000"]).pid, subprocess.Popen(["sleep", "1000"], start_new_session=True).pid]

def close():
    sys.stdout.close()
    os.close(1)

def fork():
    if not os.fork():
        return "child"
    return "parent"

def forever():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("here", flush=True)
    while True:
        signal.pause()

def touch(name):
    open(name, "w").write("x")
    return name
"""


@pytest.fixture
def call(bench: Bench) -> Callable[..., AttemptEnded]:
    (bench.project / "functions.py").write_text(MODULE)
    bench.open(cpus=1.0)
    count = 0

    def call(function: str, *args: Any, fields: dict[str, Any] | None = None, **kwargs: Any) -> AttemptEnded:
        nonlocal count
        count += 1
        return bench.execute(f"{function}{count}", named(function, *args, **kwargs), **(fields or {}))

    return call


def named(function: str, *args: Any, **kwargs: Any) -> Call:
    return Call(function=f"functions:{function}", arguments=json.dumps({"args": args, "kwargs": kwargs}))


Caller = Callable[..., AttemptEnded]


def test_arguments_and_results_travel_as_json(call: Caller) -> None:
    ended = call("add", 1, 2, start=3)

    assert (ended.outcome, ended.failure, ended.result) == (Exited(0), None, "6")
    assert json.loads(call("give", "nested").result or "") == {"a": [1, None, "ü"]}


def test_calls_share_a_worker(call: Caller) -> None:
    assert call("where").result == call("where").result


def test_an_exception_is_told_with_its_traceback(call: Caller, bench: Bench) -> None:
    ended = call("fail", "no wind today")

    assert (ended.outcome, ended.failure) == (Exited(1), FailureClass.USER_CODE)
    assert ended.evidence.splitlines()[-1] == "ValueError: no wind today"
    assert "worker.py" not in ended.evidence
    assert "no wind today" in (bench.logs / "fail1.1.err").read_text()


def test_a_function_that_is_not_there_is_told(call: Caller, bench: Bench) -> None:
    assert "has no attribute 'nothing'" in call("nothing").evidence
    ended = bench.execute("x", Call(function="nowhere:nothing"))
    assert ended.evidence.splitlines()[-1] == "ModuleNotFoundError: No module named 'nowhere'"


@pytest.mark.parametrize(
    ("value", "code", "evidence"),
    [(None, 0, ""), (0, 0, ""), (3, 3, "exit code 3"), ("so there", 1, "exit code 1\nso there")],
)
def test_sys_exit_ends_a_call_as_it_ends_python(call: Caller, value: Any, code: int, evidence: str) -> None:
    ended = call("leave", value)

    assert (ended.outcome, ended.evidence) == (Exited(code), evidence)


@pytest.mark.parametrize(
    ("function", "args", "code", "evidence"),
    [
        ("vanish", (3,), 3, "exit code 3"),
        ("vanish", (0,), 0, "the call ended its process before it returned; its exit code was 0"),
        ("crash", (), -signal.SIGSEGV, "signal 11 (Segmentation fault)"),
    ],
)
def test_a_call_that_ends_its_process_fails_and_the_next_one_works(
    call: Caller, function: str, args: tuple[int, ...], code: int, evidence: str
) -> None:
    ended = call(function, *args)

    assert (ended.outcome, ended.failure, ended.evidence) == (Exited(code), FailureClass.USER_CODE, evidence)
    assert call("add", 1).result == "1"


def test_want_of_memory_is_told_apart(call: Caller) -> None:
    ended = call("hungry")

    assert ended.failure is FailureClass.OUT_OF_MEMORY
    assert ended.evidence.splitlines()[-1] == "MemoryError"


@pytest.mark.parametrize(
    ("what", "evidence"), [("set", "returned a set"), ("nan", "JSON cannot carry"), ("big", "more than the 1048576")]
)
def test_a_result_that_json_cannot_carry_is_a_failure_in_words(call: Caller, what: str, evidence: str) -> None:
    ended = call("give", what)

    assert ended.failure is FailureClass.USER_CODE
    assert evidence in ended.evidence
    assert "write a file" in ended.evidence


def test_what_a_call_prints_is_in_its_own_logs(call: Caller, bench: Bench) -> None:
    call("say", "first", "one")
    call("add", 1)
    call("say", "second", "two")

    assert [(bench.logs / f"say{n}.1.out").read_text() for n in (1, 3)] == ["first\n", "second\n"]
    assert [(bench.logs / f"say{n}.1.err").read_text() for n in (1, 3)] == ["one", "two"]
    assert not (bench.logs / "add2.1.out").exists()


def test_a_worker_that_is_late_prints_into_the_logs_of_its_call_all_the_same(call: Caller, bench: Bench) -> None:
    worker = int(call("where").result or "")
    call("say", "first", "one")  # so that it has to print into other files now
    os.kill(worker, signal.SIGSTOP)
    bench.go("late", named("say", "second", "two"))
    bench.started("late")  # its logs have their own name now
    os.kill(worker, signal.SIGCONT)

    assert bench.ended("late").outcome == Exited(0)
    assert [(bench.logs / f"late.1.{stream}").read_text() for stream in ("out", "err")] == ["second\n", "two"]


def test_environment_folder_and_path_do_not_leak_into_the_next_call(call: Caller) -> None:
    with_token = call("state", fields={"private_env": {"TOKEN": "x"}})
    call("leak")
    after = call("state")

    assert with_token.result == '[null, false, false, "x"]'
    assert after.result == "[null, false, false, null]"


@pytest.mark.parametrize("function", ["background", "daemon", "close"])
def test_a_call_that_leaves_something_behind_has_its_worker_replaced(call: Caller, function: str) -> None:
    before = call("where").result
    ended = call(function)

    assert ended.outcome == Exited(0)
    assert call("where").result != before
    for pid in json.loads(ended.result or "null") or []:
        assert started_at(pid) is None


def test_a_call_that_forks_answers_once(call: Caller) -> None:
    assert call("fork").result == '"parent"'
    assert call("add", 1).result == "1"


def test_a_call_can_be_cancelled_and_timed_out(call: Caller, bench: Bench) -> None:
    identity = bench.go("long", named("forever"), grace=timedelta(seconds=0.1))
    bench.started("long")
    bench.session.cancel(identity)
    timed_out = call("forever", fields={"timeout": timedelta(seconds=0.3), "grace": timedelta(seconds=0.1)})

    assert bench.ended("long").outcome == Cancelled()
    assert (timed_out.outcome, timed_out.failure) == (Exited(-9), FailureClass.TIMEOUT)
    assert call("add", 1).result == "1"


def test_a_call_has_inputs_and_outputs_like_a_command(call: Caller) -> None:
    ended = call("touch", "out", fields={"outputs": ("out",)})

    assert [(artifact.path, artifact.size) for artifact in ended.outputs] == [("out", 1)]


def test_a_pickled_function_is_opened_in_the_worker_only(bench: Bench) -> None:
    base = 40
    opened = bench.project / "opened"

    class Trap:
        def __reduce__(self) -> Any:
            return (os.system, (f"echo $PPID >> {opened}",))

    def answer(more: int, trap: Any = Trap()) -> int:  # noqa: B008
        return base + more

    command = Call(function="answer", arguments='{"args": [2]}', pickle=cloudpickle.dumps(answer))
    bench.open(cpus=1.0)
    ends = [bench.execute(f"a{n}", command) for n in range(2)]

    assert [end.result for end in ends] == ["42", "42"]
    assert len(opened.read_text().split()) == 1
    assert int(opened.read_text()) not in (os.getpid(), bench.supervisor())


def test_a_pickle_of_another_python_is_not_opened(bench: Bench) -> None:
    opened = bench.project / "opened"

    class Trap:
        def __reduce__(self) -> Any:
            return (os.system, (f"touch {opened}",))

    def answer(trap: Any = Trap()) -> None:  # noqa: B008
        return

    bench.open(cpus=1.0)
    ended = bench.execute("a", Call(function="answer", pickle=cloudpickle.dumps(answer), python="3.4"))

    assert "a pickle of Python 3.4, which the Python 3." in ended.evidence
    assert "into a module of the project" in ended.evidence
    assert not opened.exists()


def test_calls_run_at_once_as_far_as_there_is_room(bench: Bench) -> None:
    (bench.project / "functions.py").write_text(
        "import os\n"
        "def meet(here, go_on, number):\n"
        "    os.write(os.open(here, os.O_WRONLY), b'.')\n"
        "    os.read(os.open(go_on, os.O_RDONLY), 1)\n"
        "    return number\n"
    )
    pipes = [bench.project / name for name in ("here", "go_on")]
    for pipe in pipes:
        os.mkfifo(pipe)
    here, go_on = (os.open(pipe, os.O_RDWR) for pipe in pipes)
    bench.open(cpus=3.0)
    for number in range(3):
        bench.go(f"m{number}", named("meet", *map(str, pipes), number))
    for _ in range(3):
        assert select.select([here], [], [], SECONDS)[0]
        os.read(here, 1)
    os.write(go_on, b"...")

    assert [bench.ended(f"m{number}").result for number in range(3)] == ["0", "1", "2"]


def test_a_worker_sees_no_module_of_ours(bench: Bench) -> None:
    (bench.project / "functions.py").write_text(
        "import importlib.util\n"
        "def look(): return [importlib.util.find_spec(name) is None for name in ('digest', 'watch')]\n"
    )

    assert bench.execute("a", named("look")).result == "[true, true]"


# --- many short calls

STEP = """
import os

def step(number, what, folder):
    with open(os.path.join(folder, str(number)), "a") as file:
        file.write("x")
    if what == "print":
        print("I am", number)
    elif what == "fail":
        raise ValueError(number)
    elif what == "vanish":
        os._exit(3)
    elif what == "write":
        open("left", "w").close()
    elif what == "look":
        return os.listdir(".") + [os.environ["LONGSHORE_ID"].split("/")[1], os.environ.get("OWN")]
    elif what == "wait":
        open(os.path.join(folder, "gate")).close()
    return number
"""
COUNT = 100


class Steps:
    """Calls of one function that is known to be short, so that a worker is handed many of them at once."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.folder = bench.project / "steps"
        self.folder.mkdir()
        os.mkfifo(self.gate)
        (bench.project / "functions.py").write_text(STEP)
        self.go("warm", "nothing")
        bench.ended("warm")

    def go(self, number: int | str, what: str, **fields: Any) -> str:
        call = named("step", number, what, str(self.folder))
        return self.bench.go(f"s{number}" if isinstance(number, int) else number, call, **fields)

    def go_all(self, special: dict[int, str]) -> list[str]:
        with self.bench.session.together():
            return [self.go(number, special.get(number, "nothing")) for number in range(COUNT)]

    def ended(self, number: int) -> AttemptEnded:
        return self.bench.ended(f"s{number}")

    @property
    def times(self) -> list[int]:
        """How often each was made."""
        return [len(path.read_text()) if path.exists() else 0 for path in map(self.path, range(COUNT))]

    def path(self, number: int) -> Path:
        return self.folder / str(number)

    @property
    def gate(self) -> Path:
        """A pipe; who waits does so until somebody writes into it."""
        return self.folder / "gate"


@pytest.fixture
def steps(bench: Bench) -> Steps:
    bench.open(cpus=1.0)
    return Steps(bench)


@pytest.mark.parametrize(
    ("what", "code", "failure"),
    [
        ("print", 0, None),
        ("write", 0, None),
        ("fail", 1, FailureClass.USER_CODE),
        ("vanish", 3, FailureClass.USER_CODE),
    ],
)
def test_among_many_short_calls_each_has_its_own_end(
    steps: Steps, what: str, code: int, failure: FailureClass | None
) -> None:
    special = dict.fromkeys((3, 4, 17, COUNT - 1), what)
    steps.go_all(special)

    ends = [steps.ended(number) for number in range(COUNT)]

    assert [end.outcome for end in ends] == [Exited(code if n in special else 0) for n in range(COUNT)]
    assert [end.failure for end in ends] == [failure if n in special else None for n in range(COUNT)]
    assert [end.result for end in ends if end.outcome == Exited(0)] == [
        str(n) for n in range(COUNT) if not (code and n in special)
    ]
    assert steps.times == [1] * COUNT


def test_among_many_short_calls_each_prints_into_its_own_logs(steps: Steps) -> None:
    special = dict.fromkeys((0, 5, 6, 30), "print")
    steps.go_all(special)
    for number in range(COUNT):
        steps.ended(number)

    logs = steps.bench.logs
    printed = [number for number in range(COUNT) if (logs / f"s{number}.1.out").exists()]
    assert [(logs / f"s{number}.1.out").read_text() for number in printed] == [f"I am {n}\n" for n in special]


def test_among_many_short_calls_each_finds_an_empty_workdir_and_its_own_variables(steps: Steps) -> None:
    with steps.bench.session.together():
        for number in range(COUNT):
            what = "write" if number % 3 == 0 else "look"
            steps.go(number, what, env={"OWN": str(number)} if number % 2 else {})
    ends = [steps.ended(number) for number in range(COUNT)]

    assert [json.loads(end.result or "") for number, end in enumerate(ends) if number % 3] == [
        [f"s{number}", str(number) if number % 2 else None] for number in range(COUNT) if number % 3
    ]


def test_short_calls_do_not_wait_behind_one_that_takes_long_after_all(bench: Bench) -> None:
    bench.open(cpus=2.0)
    steps = Steps(bench)
    steps.go_all({2: "wait"})

    for number in range(COUNT):
        if number != 2:
            assert steps.ended(number).outcome == Exited(0)
    bench.started("s2")
    steps.gate.write_text("")

    assert steps.ended(2).result == "2"
    assert steps.times == [1] * COUNT


def test_short_calls_that_wait_behind_others_can_be_cancelled(steps: Steps) -> None:
    ids = steps.go_all({2: "wait"})
    for identity in ids[10:20]:
        steps.bench.session.cancel(identity)
    cancelled = [steps.ended(number).outcome for number in range(10, 20)]
    steps.bench.session.cancel(ids[2])
    ends = [steps.ended(number).outcome for number in range(COUNT)]

    assert cancelled == [Cancelled()] * 10
    assert ends[2] == Cancelled()
    assert [end for number, end in enumerate(ends) if number != 2 and not 10 <= number < 20] == [Exited(0)] * (
        COUNT - 11
    )
    assert [steps.times[number] for number in range(10, 20)] == [0] * 10
    assert max(steps.times) == 1
