"""Longshore on Kubernetes: see `longshore_k8s.plugin`."""

