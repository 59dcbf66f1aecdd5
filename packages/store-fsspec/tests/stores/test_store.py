"""Buckets keep the laws of stores, and say in words what is wrong."""

from __future__ import annotations

import hashlib
import http.server
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from longshore.errors import InputMissing, StagingError
from longshore.testing import StoreContract
from longshore_fsspec.buckets import Bucket
from longshore_fsspec.web import Web

MIB = 1 << 20


class TestBucket(StoreContract):
    """All laws."""

    @pytest.fixture
    def base(self, bucket: str) -> str:
        return f"s3://{bucket}/below"


def fill(cloud: Any, bucket: str, *keys: str, body: bytes = b"x") -> None:
    for key in keys:
        cloud.put_object(Bucket=bucket, Key=key, Body=body)


def test_a_glob_means_what_it_means_in_the_project(store: Bucket, cloud: Any, bucket: str) -> None:
    fill(cloud, bucket, "a.csv", "d/a.csv", "d/b.csv", "d/e/c.csv", "d/", "d/b.txt", "dd/a.csv", "d/odd [x] ?#+ é.csv")

    def found(glob: str) -> list[str]:
        return [url.removeprefix(f"s3://{bucket}/") for url in store.list(f"s3://{bucket}/{glob}")]

    assert found("*.csv") == ["a.csv"]
    assert found("d/*") == ["d/a.csv", "d/b.csv", "d/b.txt", "d/odd [x] ?#+ é.csv"]
    assert found("d*/a.csv") == ["d/a.csv", "dd/a.csv"]
    assert found("d/?.csv") == ["d/a.csv", "d/b.csv"]
    assert found("d/**/*.csv") == ["d/a.csv", "d/b.csv", "d/e/c.csv", "d/odd [x] ?#+ é.csv"]
    assert found("nothing/*") == []


def test_a_listing_has_more_than_one_page(store: Bucket, cloud: Any, bucket: str) -> None:
    keys = [f"many/{number:05}" for number in range(1234)]
    with ThreadPoolExecutor(8) as crew:
        list(crew.map(lambda key: fill(cloud, bucket, key), keys))

    assert store.list(f"s3://{bucket}/many/*") == [f"s3://{bucket}/{key}" for key in keys]


def test_odd_names_are_names_like_others(store: Bucket, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "ours").write_bytes(b"content")
    for name in ("a b", "a?versionId=1", "a#b", "a%20b", "[x]", "*", "é", "a+b&c=d"):
        store.put(tmp_path / "ours", f"s3://{bucket}/{name}")
        store.fetch(f"s3://{bucket}/{name}", tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == b"content"
        (tmp_path / "again").unlink()


@pytest.mark.parametrize("act", ["fetch", "put", "list", "stamp"])
def test_a_bucket_that_is_not_there_is_said(store: Bucket, tmp_path: Path, act: str) -> None:
    (tmp_path / "ours").write_bytes(b"x")
    url = "s3://no-such-bucket-here/x"
    acts: Mapping[str, Callable[[], object]] = {
        "fetch": lambda: store.fetch(url, tmp_path / "again"),
        "put": lambda: store.put(tmp_path / "ours", url),
        "list": lambda: store.list(f"{url}/*"),
        "stamp": lambda: store.stamp(url),
    }

    with pytest.raises(InputMissing, match="there is no bucket s3://no-such-bucket-here"):
        acts[act]()


def test_an_object_that_is_not_there_is_said(store: Bucket, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match=f"s3://{bucket}/x: there is no such object"):
        store.fetch(f"s3://{bucket}/x", tmp_path / "again")

    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_object(store: Bucket, cloud: Any, bucket: str, tmp_path: Path) -> None:
    fill(cloud, bucket, "d/a")

    with pytest.raises(InputMissing, match=r"is a folder, not an object; write a glob such as .*/d/\*"):
        store.fetch(f"s3://{bucket}/d", tmp_path / "again")


def test_a_glob_names_its_bucket(store: Bucket) -> None:
    with pytest.raises(StagingError, match="has to name the bucket"):
        store.list("s3://*/x")


def test_a_stamp_changes_with_the_object_and_not_else(store: Bucket, cloud: Any, bucket: str) -> None:
    url = f"s3://{bucket}/x"
    fill(cloud, bucket, "x", body=b"one")
    first = store.stamp(url)

    assert store.stamp(url) == first
    fill(cloud, bucket, "x", body=b"two")
    assert store.stamp(url) != first


def test_a_large_object_goes_and_comes_in_pieces(store: Bucket, cloud: Any, bucket: str, tmp_path: Path) -> None:
    content = os.urandom(MIB) * 40
    (tmp_path / "ours").write_bytes(content)

    store.put(tmp_path / "ours", f"s3://{bucket}/big")
    store.fetch(f"s3://{bucket}/big", tmp_path / "again")

    assert cloud.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-3"'), "it did not go in pieces"
    assert hashlib.sha256((tmp_path / "again").read_bytes()).digest() == hashlib.sha256(content).digest()


def test_the_beginning_of_an_object_costs_no_more_than_that(store: Bucket, cloud: Any, bucket: str) -> None:
    fill(cloud, bucket, "x", body=b"a,b\n1,2\n")
    fill(cloud, bucket, "empty", body=b"")

    assert store.peek(f"s3://{bucket}/x", 4) == b"a,b\n"
    assert store.peek(f"s3://{bucket}/x", 1000) == b"a,b\n1,2\n"
    assert store.peek(f"s3://{bucket}/empty", 1000) == b""
    with pytest.raises(InputMissing, match="no such object"):
        store.peek(f"s3://{bucket}/gone", 4)


# --- servers that misbehave


class Server:
    """A web server in front of one object that can be told to fail."""

    def __init__(self, content: bytes, *, ranges: bool = True) -> None:
        self.content = content
        self.breaks: list[int] = []
        """How many bytes come before the connection breaks, of the next answers."""
        self.asked: list[str] = []
        self.status = 200
        self.tag = '"one"'
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self._answer(head=True)

            def do_GET(self) -> None:
                self._answer(head=False)

            def log_message(self, *_: object) -> None:
                return

            def _answer(self, *, head: bool) -> None:
                begin, end = 0, len(outer.content)
                wanted = self.headers.get("Range")
                if self.headers.get("If-Range") not in (None, outer.tag):
                    wanted = None
                if outer.status != 200:
                    self.send_response(outer.status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if wanted and ranges:
                    first, _, last = wanted.removeprefix("bytes=").partition("-")
                    begin, end = int(first), min(int(last) + 1, end) if last else end
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(outer.content)}")
                else:
                    self.send_response(200)
                if ranges:
                    self.send_header("Accept-Ranges", "bytes")
                self.send_header("ETag", outer.tag)
                self.send_header("Content-Length", str(end - begin))
                self.end_headers()
                if head:
                    return
                outer.asked.append(wanted or "all")
                if outer.breaks:
                    self.wfile.write(outer.content[begin : begin + outer.breaks.pop(0)])
                    self.close_connection = True
                else:
                    self.wfile.write(outer.content[begin:end])

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/path/x.bin"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with closing(Server(os.urandom(3 * MIB))) as server:
        yield server


def test_what_breaks_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.breaks = [1000, 2000]

    Web().fetch(server.url, tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == server.content
    assert server.asked == ["all", "bytes=1000-", "bytes=3000-"]


def test_what_was_given_up_goes_on_the_next_time(server: Server, tmp_path: Path) -> None:
    server.breaks = [MIB, 0, 0, 0]
    with pytest.raises(StagingError):
        Web().fetch(server.url, tmp_path / "again")
    server.asked.clear()

    Web().fetch(server.url, tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == server.content
    assert server.asked == [f"bytes={MIB}-"]


def test_what_has_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.breaks = [MIB, 0, 0, 0]
    with pytest.raises(StagingError):
        Web().fetch(server.url, tmp_path / "again")
    server.tag, server.content = '"two"', os.urandom(2 * MIB)

    Web().fetch(server.url, tmp_path / "again")

    assert (tmp_path / "again").read_bytes() == server.content


def test_a_server_without_ranges_gives_all_at_once(tmp_path: Path) -> None:
    with closing(Server(b"content" * 1000, ranges=False)) as server:
        Web().fetch(server.url, tmp_path / "again")

        assert (tmp_path / "again").read_bytes() == server.content


@pytest.mark.parametrize(("status", "kind"), [(404, InputMissing), (403, StagingError), (500, StagingError)])
def test_what_a_server_refuses_is_said(tmp_path: Path, status: int, kind: type[Exception]) -> None:
    with closing(Server(b"content")) as server:
        server.status = status
        with pytest.raises(kind, match=server.url) as refused:
            Web().fetch(server.url, tmp_path / "again")

    assert (kind is InputMissing) == isinstance(refused.value, InputMissing)
    assert list(tmp_path.iterdir()) == []


def test_nobody_who_answers_is_said(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match=r"http://127\.0\.0\.1:9/x: nobody answers"):
        Web().fetch("http://127.0.0.1:9/x", tmp_path / "again")


def test_a_web_server_is_not_written_to_and_cannot_be_listed(tmp_path: Path) -> None:
    with pytest.raises(StagingError, match="use a bucket"):
        Web().put(tmp_path / "x", "https://host/x")
    with pytest.raises(StagingError, match="one by one"):
        Web().list("https://host/*")
