"""What waits for a run while its task takes no worker."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from longshore_airflow.following import Following

__all__ = ["RunTrigger"]


class RunTrigger(BaseTrigger):
    """Tells in the task's log what happens in a run, and fires when it is over, or nobody keeps it any more.

    It has to see the project's folder: the triggerer runs on the worker's computer, or both have the folder.
    """

    def __init__(self, folder: str, run: str) -> None:
        """Name the run."""
        super().__init__()
        self.folder = folder
        self.run_id = run

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Say how it is made again."""
        return f"{type(self).__module__}.{type(self).__qualname__}", {"folder": self.folder, "run": self.run_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, in a thread that is left when this is cancelled."""
        following = Following(self.folder, self.run_id, self.log.info)
        loop = asyncio.get_running_loop()
        over: asyncio.Future[str] = loop.create_future()

        def wait() -> None:
            try:
                state = following.wait()
            except Exception as error:  # noqa: BLE001  whatever it is, whoever waits hears of it
                loop.call_soon_threadsafe(_fail, over, error)
            else:
                loop.call_soon_threadsafe(_end, over, state)
            following.close()

        threading.Thread(target=wait, name=f"longshore-{self.run_id}", daemon=True).start()
        try:
            state = await over
        except asyncio.CancelledError:
            following.leave()
            raise
        yield TriggerEvent({"run": self.run_id, "state": state})


def _end(over: asyncio.Future[str], state: str) -> None:
    if not over.done():
        over.set_result(state)


def _fail(over: asyncio.Future[str], error: Exception) -> None:
    if not over.done():
        over.set_exception(error)
