"""The ``longshore`` command: parse what was typed, ask the core, show what it says.

Nothing here decides anything about a run; ``longshore.runtime`` does. Modules of commands, and what only they need, are
imported when they are used, because ``longshore --help`` and a small run must answer at once.
"""
