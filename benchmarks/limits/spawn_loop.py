"""Start and reap /bin/true, a few at a time: the most that one Python thread can do.

Usage: spawn_loop.py TASKS WIDTH
"""

from __future__ import annotations

import os
import select
import sys


def run(tasks: int, width: int, program: str = "/bin/true") -> int:
    """Run the program that many times, `width` at once; give how many ended with 0."""
    poller = select.epoll()
    children: dict[int, int] = {}
    started = succeeded = 0
    while started < tasks or children:
        while started < tasks and len(children) < width:
            pid = os.posix_spawn(program, [program], os.environ)
            handle = os.pidfd_open(pid)
            children[handle] = pid
            poller.register(handle, select.EPOLLIN)
            started += 1
        for handle, _ in poller.poll():
            poller.unregister(handle)
            os.close(handle)
            _, status = os.waitpid(children.pop(handle), 0)
            succeeded += os.waitstatus_to_exitcode(status) == 0
    return succeeded


if __name__ == "__main__":
    wanted = int(sys.argv[1])
    sys.exit(0 if run(wanted, int(sys.argv[2])) == wanted else 1)
