"""Pods of Kubernetes, as machines of Longshore."""

__all__: list[str] = []
