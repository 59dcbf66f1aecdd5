"""The command as its users start it, and a browser, for tests of whatever stands on the command. Needs pytest."""

__all__: list[str] = []
