"""The full-screen view of `longshore watch`, on textual; imported by that command alone."""

__all__: list[str] = []
