"""Rent machines of the institute's rack."""
