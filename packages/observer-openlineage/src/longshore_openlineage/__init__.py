"""Runs of Longshore as OpenLineage events."""
