"""The SDK's client, made once; with deadlines, and without retries where that matters."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from longshore.errors import CredentialsError
from longshore.plugin.deadline import Patience
from longshore_do.config import DoConfig
from longshore_do.errors import Refused, translated

if TYPE_CHECKING:
    import pydo

__all__ = ["Client"]

_PAGE = 200
_NOT_FOUND = 404

Operation = Callable[..., Any]


class Client:
    """All that is asked of DigitalOcean goes through here. Any thread may ask; nothing is sent before the first
    question.
    """

    def __init__(self, config: DoConfig, *, answer: timedelta, deadline: timedelta) -> None:
        """Take the options, how long one answer may take, and how long one call of the core's may."""
        self._config = config
        self._answer = answer.total_seconds()
        self._deadline = deadline
        self._lock = threading.Lock()
        self._made: pydo.Client | None = None

    def __repr__(self) -> str:
        """Show no token."""
        return f"<client with the token in {self._config.token_env}>"

    def ask(
        self,
        doing: str,
        operation: Callable[[Any], Operation],
        *args: Any,
        create: bool = False,
        gone: bool = False,
        **kwargs: Any,
    ) -> Mapping[str, Any]:
        """Ask one thing; ``operation`` picks the SDK's own. With ``create`` it is never repeated; with ``gone`` it is
        no error that there is no such thing, and the answer is empty.

        Raises:
            ProviderError: when it is refused, or no answer comes.
        """
        options = {
            "connection_timeout": self._answer,
            "read_timeout": self._answer,
            "retry_total": 0 if create else 1,
            "retry_backoff_max": 1,
        }
        with translated(doing):
            try:
                answer = operation(self._client())(*args, **kwargs, **options)
                # Some answers that say no come as if they said yes.
                if isinstance(answer, dict) and {"id", "message"} <= answer.keys():
                    raise Refused(_status(answer), str(answer["id"]), str(answer["message"]))
            except Exception as error:
                if gone and _is_gone(error):
                    return {}
                raise
            if answer is None:
                return {}
            if not isinstance(answer, Mapping):
                raise TypeError(f"an answer must be an object, not {type(answer).__name__}")
            return answer

    def listed(
        self, doing: str, operation: Callable[[Any], Operation], key: str, **kwargs: Any
    ) -> Iterator[Mapping[str, Any]]:
        """Give what a list has, page after page; all of it or an error.

        Raises:
            ProviderError: when a page cannot be had.
        """
        patience = Patience("DigitalOcean", self._deadline)
        page = 1
        while True:
            patience.check(doing)
            answer = self.ask(doing, operation, per_page=_PAGE, page=page, **kwargs)
            with translated(doing):
                rows = list(answer[key])
                more = bool(((answer.get("links") or {}).get("pages") or {}).get("next"))
            yield from rows
            if not more:
                return
            page += 1

    def _client(self) -> Any:
        token = os.environ.get(self._config.token_env, "")
        if not token:
            raise CredentialsError(
                f"there is no token in the environment variable {self._config.token_env}; make one in the control "
                "panel of DigitalOcean, and set it"
            )
        with self._lock:
            if self._made is None:
                import pydo  # noqa: PLC0415  it takes a second, and what is remembered needs none of it

                self._made = pydo.Client(token, endpoint=self._config.endpoint_url)
            return self._made


def _status(answer: Mapping[str, Any]) -> int:
    words = {"not_found": 404, "unauthorized": 401, "too_many_requests": 429}
    return words.get(str(answer["id"]).lower(), 500)


def _is_gone(error: Exception) -> bool:
    return getattr(error, "status", getattr(error, "status_code", None)) == _NOT_FOUND
