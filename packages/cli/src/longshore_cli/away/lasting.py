"""There: that runs go on after the machine has been started anew, and none begins on one that is ending itself."""

from __future__ import annotations

import os
from pathlib import Path

from longshore.errors import LongshoreError, UsageError
from longshore.plugin.boot import OVER_FILE
from longshore_cli.output import say
from longshore_cli.scheduling.entry import KEPT, Entry
from longshore_cli.scheduling.timers import all_timers, alone, usable_timers
from longshore_cli.scheduling.when import parse_when

__all__ = ["check_that_it_stays", "last", "last_no_more"]

_NAME = "away"


def last(home: Path) -> bool:
    """See to it that `longshore away wake` is executed when this machine starts; say whether there is a way.

    Without one, whoever asks for the run has it go on after a reboot.
    """
    environment = {key: os.environ[key] for key in KEPT if os.environ.get(key)}
    entry = Entry(name=_NAME, when=parse_when("at boot"), words=("away", "wake"), folder=home, environment=environment)
    try:
        entry.check()
        with alone():
            usable_timers().add(entry)
    except LongshoreError as error:
        say(f"longshore: after a reboot the run waits for `longshore resume`: {error}")
        return False
    return True


def last_no_more() -> None:
    """Leave the machine's starts alone again."""
    with alone():
        for timers in all_timers():
            if _NAME in {entry.name for entry in timers.entries()}:
                timers.remove(_NAME)


def check_that_it_stays() -> None:
    """Refuse what begins on a machine that is ending itself.

    Raises:
        UsageError: when it is.
    """
    if Path(OVER_FILE).exists():
        raise UsageError("this machine is ending itself, since all that it was rented for is done; choose another one")
