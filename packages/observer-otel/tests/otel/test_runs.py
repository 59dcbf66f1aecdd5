"""Runs as a collector gets them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from longshore import Workflow, resume
from longshore.runtime.history import RunReader

from .collector import Collector, collecting

_BEGIN = """
import longshore, time
loaded = longshore.load("longshore.toml")
run = longshore.start(loaded.spec, loaded.folder)
print(run.wait(tasks=["before"]), flush=True)
time.sleep(100)
"""


def _workflow(collector: Collector) -> Workflow:
    workflow = Workflow("traced", observers={"otel": {"endpoint": collector.address}})
    workflow.shell("good", "echo yes > out.txt", outputs=["out.txt"])
    workflow.shell("bad", "exit 3")
    return workflow


def _seen(span: Span) -> dict[str, str | int]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def test_a_run_is_a_trace_and_each_attempt_a_span_of_it(tmp_path: Path) -> None:
    with collecting() as collector:
        run = _workflow(collector).run(tmp_path)

    spans = {span.name: span for span in collector.spans}
    assert set(spans) == {"run traced", "good", "bad"}
    root = spans["run traced"]
    assert root.parent_span_id == b""
    assert {span.trace_id for span in spans.values()} == {root.trace_id}
    assert {spans[name].parent_span_id for name in ("good", "bad")} == {root.span_id}
    assert [spans[name].status.code for name in ("good", "bad")] == [Status.STATUS_CODE_OK, Status.STATUS_CODE_ERROR]
    assert _seen(spans["bad"])["process.exit.code"] == 3
    assert _seen(spans["bad"])["longshore.failure"] == "user code"
    assert _seen(root)["longshore.run"] == run.id
    for span in spans.values():
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano


def test_attempts_are_counted_and_timed_and_machines_come_and_go(tmp_path: Path) -> None:
    with collecting() as collector:
        _workflow(collector).run(tmp_path)

    counted = collector.metrics["longshore.attempts"].sum.data_points
    assert sum(point.as_int for point in counted) == 2
    timed = collector.metrics["longshore.attempt.duration"].histogram.data_points
    assert sum(point.count for point in timed) == 2
    assert [point.as_int for point in collector.metrics["longshore.machines"].sum.data_points] == [0]


def test_a_controller_that_resumes_goes_on_with_the_trace(tmp_path: Path) -> None:
    with collecting() as collector:
        (tmp_path / "longshore.toml").write_text(
            f"""
            name = "traced"
            [observers.otel]
            endpoint = "{collector.address}"
            [tasks.before]
            command = "echo x > out.txt"
            outputs = ["out.txt"]
            [tasks.after]
            command = "cat workflow:///before/out.txt; until test -e {tmp_path}/go; do sleep 0.05; done"
            """
        )
        command = [sys.executable, "-c", _BEGIN]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, env=dict(os.environ)) as controller:
            assert controller.stdout is not None
            assert controller.stdout.readline() == b"running\n"
            controller.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        with resume(tmp_path) as run:
            run.wait()
        assert RunReader(run.folder).info().state == "succeeded"

    names = {span.name for span in collector.spans}
    assert {"after", "run traced"} <= names
    assert len({span.trace_id for span in collector.spans}) == 1


def test_a_run_is_not_harmed_when_nobody_takes_what_is_told(tmp_path: Path) -> None:
    workflow = Workflow("traced", observers={"otel": {"endpoint": "http://127.0.0.1:9"}})
    workflow.shell("good", "true")
    assert workflow.run(tmp_path).state == "succeeded"
