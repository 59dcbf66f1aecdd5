"""Where the ``longshore`` command begins and ends: every way out of it has its exit code here."""

from __future__ import annotations

import gc
import os
import sys

import click

from longshore_cli.app import cli
from longshore_cli.invocation import Invocation

__all__ = ["main"]

_GARBAGE = (100_000, 20, 100)
"""How many new values may be made before it is looked for cycles among them, and among older ones. 100,000 tasks are
millions of values that stay, and with the usual 700 a fifth of the time goes into looking at them again and again.
"""


def main() -> None:
    """Run the command line of this process and exit with its code."""
    gc.set_threshold(*_GARBAGE)
    _tolerate_any_text()
    code = execute(sys.argv[1:])
    # At its end Python looks for cycles among all values once more, for a tenth of the time of a short run. What has to
    # be closed has been.
    gc.freeze()
    sys.exit(code)


def execute(arguments: list[str]) -> int:
    """Run one command line and give its exit code; what goes wrong is shown, and never raised."""
    invocation = Invocation(arguments)
    try:
        answer = cli.main(arguments, prog_name="longshore", standalone_mode=False, obj=invocation)
        sys.stdout.flush()
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone, as in `longshore runs | head`; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("\n".join(["Interrupted.", *getattr(error, "__notes__", ())]), err=True)
        return 130
    except Exception as error:  # noqa: BLE001  the last place where a failure can become words
        # A failure's words need the error tree, which a good run need not import early.
        from longshore_cli.failures import report

        return report(error, invocation)
    return answer if isinstance(answer, int) else 0


def _tolerate_any_text() -> None:
    """Let names that the terminal's encoding cannot show come out escaped, where Python would raise an error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
