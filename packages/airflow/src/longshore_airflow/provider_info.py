"""What Airflow reads of this distribution."""

from __future__ import annotations

from typing import Any

__all__ = ["provider_info"]


def provider_info() -> dict[str, Any]:
    """Describe the provider, in the form that Airflow has for that."""
    return {
        "package-name": "longshore-airflow",
        "name": "Longshore",
        "description": "Workflows on hosts, rented machines and clusters, by Longshore.",
        "connection-types": [
            {"hook-class-name": "longshore_airflow.hook.LongshoreHook", "connection-type": "longshore"},
        ],
        "hooks": [{"integration-name": "Longshore", "python-modules": ["longshore_airflow.hook"]}],
        "operators": [{"integration-name": "Longshore", "python-modules": ["longshore_airflow.operators"]}],
        "sensors": [{"integration-name": "Longshore", "python-modules": ["longshore_airflow.sensor"]}],
        "triggers": [{"integration-name": "Longshore", "python-modules": ["longshore_airflow.trigger"]}],
        "extra-links": ["longshore_airflow.links.ReportLink"],
    }
