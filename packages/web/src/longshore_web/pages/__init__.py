"""The pages: each makes what stands in it from what was read. Pure functions."""

__all__: list[str] = []
