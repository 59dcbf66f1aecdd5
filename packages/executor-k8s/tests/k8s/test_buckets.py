"""Workers bring what they have made to a bucket themselves, by requests that are lent to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from longshore.errors import DigestMismatch
from longshore.model.command import Shell
from longshore.plugin.areas import Request, Stages, Upload

from .standin import StandIn
from .test_contract import bench_of


class Bucket:
    """A `longshore.plugin.areas.Area` that a web server of this computer keeps."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        kept = self.objects

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                kept[self.path[1:]] = self.rfile.read(int(self.headers["Content-Length"]))
                self._answer(200, b"")

            def do_GET(self) -> None:
                self._answer(200 if self.path[1:] in kept else 404, kept.get(self.path[1:], b""))

            def _answer(self, code: int, content: bytes) -> None:
                self.send_response(code)
                self.send_header("ETag", '"tag"')
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def to_read(self, sha256: str) -> Request:
        return Request(url=self._at(sha256))

    def to_write(self, sha256: str, size: int) -> Upload:
        url = self._at(sha256)
        return Upload(url=url, size=size, requests=(Request(url=url, size=size),))

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        assert (len(upload.requests), len(tags)) == (1, 1)

    def _at(self, sha256: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{sha256}"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    with bucket.server:
        thread = threading.Thread(target=bucket.server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield bucket
        bucket.server.shutdown()
        thread.join()


@pytest.mark.parametrize("image", ["python:3", "curl:8"])
def test_what_a_worker_has_made_goes_to_a_bucket_and_comes_from_there_by_itself(
    standin: StandIn, bucket: Bucket, tmp_path: Path, image: str
) -> None:
    bench = bench_of(standin, tmp_path / "bench", image=image)
    ended = bench.execute("a", Shell("echo made > made"), outputs=("made",))
    [made] = ended.outputs
    session: object = bench.session
    assert isinstance(session, Stages)

    session.stage_out([made], bucket)
    assert bucket.objects == {made.sha256: b"made\n"}
    assert not list(bench.store.rglob(made.sha256)), "it came by way of here"

    bench.session.release("r/a/1")
    bench.session.discard([made.sha256])
    bucket.objects[made.sha256] = b"fade\n"
    with pytest.raises(DigestMismatch):
        session.stage_in([made], bucket)
    bucket.objects[made.sha256] = b"made\n"
    session.stage_in([made], bucket)
    bench.session.get([made])
    assert list(bench.store.rglob(made.sha256))
    bench.close()
