"""Runs of Longshore as OpenTelemetry traces and metrics."""
