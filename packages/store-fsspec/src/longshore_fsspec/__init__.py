"""Buckets and URLs as places for the data of workflows, on fsspec."""

from __future__ import annotations
