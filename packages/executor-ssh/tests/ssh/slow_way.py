"""A ProxyCommand: ``slow_way.py SECONDS HOST PORT`` carries bytes both ways, each of them so much later."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue


def carry(take: Callable[[], bytes], give: Callable[[bytes], object], seconds: float) -> None:
    """Give what is taken, when its time has come, until there is nothing more."""
    on_its_way: SimpleQueue[tuple[float, bytes]] = SimpleQueue()

    def arrive() -> None:
        while True:
            due, content = on_its_way.get()
            time.sleep(max(0.0, due - time.monotonic()))
            if not content:
                os._exit(0)
            give(content)

    threading.Thread(target=arrive, daemon=True).start()
    while True:
        content = take()
        on_its_way.put((time.monotonic() + seconds, content))
        if not content:
            return


def main(seconds: str, host: str, port: str) -> None:
    """Be the way to a host."""
    link = socket.create_connection((host, int(port)))
    back = threading.Thread(
        target=carry, args=(lambda: link.recv(1 << 16), lambda content: os.write(1, content), float(seconds))
    )
    back.start()
    carry(lambda: os.read(0, 1 << 16), link.sendall, float(seconds))
    back.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
