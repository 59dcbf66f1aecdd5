"""Workflows of other systems as workflows of ours: read as data, and never executed."""
