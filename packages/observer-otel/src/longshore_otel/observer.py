"""A run is a trace, and each of its attempts a span.

Ids follow from those of the run and of the attempt, so that a controller that resumes a run goes on with its trace, and
what is told twice is the same span.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from attrs import frozen
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from longshore.model.attempt import attempt_id
from longshore.model.events import (
    AttemptEnded,
    AttemptIntended,
    AttemptStarted,
    Event,
    MachineAdded,
    MachineGone,
    RunEnded,
)
from longshore.model.outcome import Exited, describe_outcome
from longshore_otel.config import OtelConfig

__all__ = ["Otel"]

_SCOPE = "longshore"
_SECONDS = 5.0
"""So long one answer of the collector is waited for."""
_STARTED = "%Y%m%d-%H%M%S"
"""A run's id begins with the moment in which it began."""


class _Ids(IdGenerator):
    """Gives the ids that are set."""

    def __init__(self, run: str) -> None:
        self.trace = _number(run, 16)
        self.root = _number(f"{run}/", 8)
        self.span = self.root

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


def _number(text: str, size: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:size], "big") or 1  # 0 means none


@frozen(kw_only=True)
class _Attempt:
    machine: str
    began: datetime


class Otel:
    """Tells one run."""

    def __init__(self, config: OtelConfig, about: Mapping[str, str]) -> None:
        """Prepare; nothing is sent before something happens."""
        self._about = about
        self._ids = _Ids(about["run"])
        resource = Resource.create({"service.name": config.service})
        self._traces = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        if config.traces:
            exporter = OTLPSpanExporter(endpoint=_place(config, "traces"), timeout=_SECONDS)
            self._traces.add_span_processor(BatchSpanProcessor(exporter))
        readers = [
            PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=_place(config, "metrics"), timeout=_SECONDS))
        ]
        self._meters = MeterProvider(readers if config.metrics else [], resource=resource, shutdown_on_exit=False)
        self._tracer = self._traces.get_tracer(_SCOPE)
        meter = self._meters.get_meter(_SCOPE)
        self._ended = meter.create_counter("longshore.attempts", description="attempts that have ended")
        self._took = meter.create_histogram("longshore.attempt.duration", "s", "from an attempt's start to its end")
        self._machines = meter.create_up_down_counter("longshore.machines", description="machines that take part")
        parent = SpanContext(
            self._ids.trace, self._ids.root, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)
        )
        self._within = trace.set_span_in_context(NonRecordingSpan(parent), Context())
        self._live: dict[tuple[str, int], _Attempt] = {}
        self._pools: dict[str, str] = {}

    def notice(self, event: Event) -> None:
        """Take note."""
        match event:
            case MachineAdded(machine=machine, pool=pool):
                self._come(machine, pool)
            case MachineGone(machine=machine, over_by=None):
                self._go(machine)
            case AttemptIntended(task=task, attempt=number, machine=machine):
                self._live[task, number] = _Attempt(machine=machine, began=event.at)
            case AttemptStarted(task=task, attempt=number) if (task, number) in self._live:
                self._live[task, number] = _Attempt(machine=self._live[task, number].machine, began=event.at)
            case AttemptEnded():
                self._end(event)
            case RunEnded():
                self._end_run(event)
            case _:
                return

    def close(self) -> None:
        """Send what was held back."""
        for machine in list(self._pools):
            self._go(machine)
        self._traces.shutdown()
        self._meters.shutdown()

    def _come(self, machine: str, pool: str) -> None:
        if machine not in self._pools:
            self._pools[machine] = pool
            self._machines.add(1, self._common(pool))

    def _go(self, machine: str) -> None:
        pool = self._pools.pop(machine, None)
        if pool is not None:
            self._machines.add(-1, self._common(pool))

    def _common(self, pool: str) -> dict[str, Any]:
        return {"longshore.workflow": self._about["workflow"], "longshore.pool": pool}

    def _end(self, event: AttemptEnded) -> None:
        known = self._live.pop((event.task, event.attempt), None)
        machine = known.machine if known is not None else ""
        ended = event.ended_at or event.at
        began = event.started_at or (known.began if known is not None else ended)
        what = describe_outcome(event.outcome)
        seen = self._common(self._pools.get(machine, "")) | {
            "longshore.task": event.task.partition("[")[0],
            "longshore.outcome": type(event.outcome).__name__,
            "longshore.failure": event.failure.value if event.failure is not None else "",
        }
        self._ended.add(1, seen)
        self._took.record(max(0.0, (ended - began).total_seconds()), seen)
        self._ids.span = _number(attempt_id(self._about["run"], event.task, event.attempt), 8)
        span = self._tracer.start_span(event.task, self._within, attributes=seen, start_time=_nanoseconds(began))
        span.set_attributes(
            {"longshore.run": self._about["run"], "longshore.attempt": event.attempt, "longshore.machine": machine}
        )
        if isinstance(event.outcome, Exited):
            span.set_attribute("process.exit.code", event.outcome.code)
        if event.usage is not None:
            span.set_attribute("longshore.cpu_seconds", event.usage.cpu_seconds)
            span.set_attribute("longshore.peak_memory_bytes", event.usage.peak_memory_bytes)
        good = event.outcome == Exited(0) and event.failure is None
        span.set_status(Status(StatusCode.OK) if good else Status(StatusCode.ERROR, what))
        span.end(_nanoseconds(ended))

    def _end_run(self, event: RunEnded) -> None:
        run = self._about["run"]
        self._ids.span = self._ids.root
        seen = {"longshore.workflow": self._about["workflow"], "longshore.run": run, "longshore.state": event.state}
        name = f"run {self._about['workflow']}"
        span = self._tracer.start_span(name, Context(), attributes=seen, start_time=_nanoseconds(_began(run, event.at)))
        good = event.state == "succeeded"
        span.set_status(Status(StatusCode.OK) if good else Status(StatusCode.ERROR, event.state))
        span.end(_nanoseconds(event.at))


def _place(config: OtelConfig, what: str) -> str | None:
    return f"{config.endpoint.rstrip('/')}/v1/{what}" if config.endpoint else None


def _began(run: str, ended: datetime) -> datetime:
    try:
        return datetime.strptime("-".join(run.split("-")[:2]), _STARTED).replace(tzinfo=UTC)
    except ValueError:
        return ended


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000) * 1000
