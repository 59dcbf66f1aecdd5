"""Files of an attempt before and after it: inputs and secrets in, outputs out; small things at once, big ones in a
thread.

Standard library only, Python 3.8: this file is sent to other computers.
"""

from __future__ import annotations

import binascii
import os

from longshore.remote.collecting import OutputProblem, collect_outputs, find_outputs
from longshore.remote.laid import SpareFolders
from longshore.remote.laying import Piece, lay_items, write_secret
from longshore.remote.store import StagingProblem, remove_tree, translate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any, List

    from longshore.remote.attempt import Attempt
    from longshore.remote.helpers import Helpers
    from longshore.remote.laid import Laid

    Job = Callable[[], Any]
    Then = Callable[[Any, "BaseException | None"], None]

__all__ = ["Staging"]

# What takes about a millisecond is done at once; a thread would cost more, and the loop can spare that.
_SMALL_BYTES = 256 << 10
_SMALL_COUNT = 16


class Staging:
    """Lays and collects for attempts."""

    def __init__(self, helpers: Helpers, workdirs: str) -> None:
        """Begin; ``workdirs`` is the folder of the workdirs."""
        self._helpers = helpers
        self._spare = SpareFolders(workdirs)
        self._verified: dict[tuple[int, int, int, int, int], str] = {}
        self.store = ""
        self.modules = ""
        """The folder that has, by their digests, the folders that calls import the project's modules from."""

    def lay(self, attempt: Attempt, then: Callable[[Attempt], None]) -> None:
        """Lay inputs and secrets into the workdir, then go on; what goes wrong is noted on the attempt."""
        pieces = [Piece(*row) for row in attempt.order.get("inputs", ())]
        secrets = attempt.order.pop("secrets", ())  # they are in memory no longer than needed
        modules = attempt.order.get("modules", "")
        new_modules = bool(modules) and not os.path.exists(os.path.join(self.modules, modules))

        def job() -> List[Laid]:
            if new_modules:
                self._lay_modules(modules)
            laid = lay_items(pieces, self.store, attempt.workdir, self._verified, self._spare)
            for path, content in secrets:
                write_secret(attempt.workdir, path, binascii.a2b_base64(content))
            return laid

        def done(laid: Any, error: BaseException | None) -> None:
            if error is not None:
                _note(attempt, error)
            else:
                attempt.laid = laid
            then(attempt)
            self._remove_useless()

        small = len(pieces) <= _SMALL_COUNT and sum(piece.size for piece in pieces) <= _SMALL_BYTES
        small = small and not new_modules and not any(piece.kind == "folder" for piece in pieces)
        self._do(job, done, small=small)

    def _lay_modules(self, sha256: str) -> None:
        """Lay a folder of modules where all calls that import from it find it; whole, or not at all."""
        os.makedirs(self.modules, exist_ok=True)
        new = "%s.%s" % (sha256, os.urandom(6).hex())
        place = os.path.join(self.modules, new)
        try:
            lay_items([Piece(new, sha256, 0, 0o755, "folder")], self.store, self.modules, {})
            os.rename(place, os.path.join(self.modules, sha256))
        except OSError:
            # Another call of the same function may have been faster.
            if not os.path.isdir(os.path.join(self.modules, sha256)):
                raise
        finally:
            remove_tree(place)

    def collect(self, attempt: Attempt, then: Callable[[Attempt], None]) -> None:
        """Bring the declared outputs into the store, then go on; what goes wrong is noted on the attempt."""

        def done(rows: Any, error: BaseException | None) -> None:
            if error is not None:
                _note(attempt, error)
            else:
                attempt.outputs = rows
            then(attempt)

        try:
            found = find_outputs(attempt.workdir, attempt.order["outputs"])
        except (OutputProblem, OSError) as error:
            done(None, error)
            return
        move = not attempt.order.get("keep")
        small = found.file_bytes <= _SMALL_BYTES and len(found.paths) <= _SMALL_COUNT and not found.has_folder
        self._do(lambda: collect_outputs(attempt.workdir, found, self.store, move=move), done, small=small)

    def take_back(self, attempt: Attempt) -> None:
        """Take folders out of the workdir of an attempt that is over, for the next one that reads the same."""
        laid, attempt.laid = attempt.laid, []
        for folder in laid:
            self._spare.take(folder, attempt.workdir)
        self._remove_useless()

    def forget(self, digests: Collection[str]) -> None:
        """Keep no spare folders of these digests."""
        self._spare.forget(digests)
        self._remove_useless()

    def close(self) -> None:
        """Remove what is spare."""
        for path in self._spare.close():
            try:
                remove_tree(path)
            except OSError:
                continue

    def _remove_useless(self) -> None:
        for path in self._spare.useless():
            self.remove(path)

    def remove(self, path: str) -> None:
        """Remove a folder that nobody needs, sooner or later."""
        try:
            with os.scandir(path) as entries:
                small = sum(1 + _SMALL_COUNT * entry.is_dir(follow_symlinks=False) for entry in entries) <= _SMALL_COUNT
        except OSError:
            small = False
        # What cannot be removed is in nobody's way; whoever cleans the run's folder will see it.
        self._do(lambda: remove_tree(path), lambda _nothing, _error: None, small=small)

    def _do(self, job: Job, then: Then, *, small: bool) -> None:
        if not small:
            self._helpers.do(job, then)
            return
        try:
            result = job()
        except Exception as error:  # noqa: BLE001  as in a thread: whoever asked is told
            then(None, error)
            return
        then(result, None)


def _note(attempt: Attempt, error: BaseException) -> None:
    if isinstance(error, OutputProblem):
        attempt.fail("user code", str(error))
        return
    problem = translate(error, "staging") if isinstance(error, OSError) else error
    full = isinstance(problem, StagingProblem) and problem.full
    attempt.fail("disk full" if full else "staging", str(problem) or repr(problem))
