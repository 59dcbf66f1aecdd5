"""Machines that bring data to a bucket and get it from there, by requests that were signed for them."""

from __future__ import annotations

import base64
import hashlib
import http.server
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme
from attrs import evolve

from longshore.errors import DigestMismatch, InputMissing, MachineUnreachable, PeerOutOfReach, StagingError
from longshore.model.artifact import Artifact
from longshore.plugin.areas import Request, Unread, Upload
from longshore.remote.bundle import build_bundle
from longshore.remote.digest import digest_bytes, digest_folder
from longshore.remote.packing import Broken
from longshore.remote.shim_session import shim_program
from longshore.remote.shim_transfers import ShimTransfers
from longshore.remote.staged import StagedTransfers
from longshore.remote.store import object_path, put_bytes, put_folder

SECRET = "the-signature-that-nobody-sees"
PART_BYTES = 100_000


class Bucket:
    """A web server that keeps what it is sent by those who have the signature."""

    def __init__(self, ca: trustme.CA) -> None:
        self.objects: dict[str, bytes] = {}
        self.pieces: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []
        self.trouble: list[Callable[[http.server.BaseHTTPRequestHandler], bool]] = []
        """What goes wrong with the next requests: each says whether it has answered."""
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._serve(self, outer._get)

            def do_PUT(self) -> None:
                outer._serve(self, outer._put)

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("localhost").configure_cert(context)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _serve(
        self, handler: http.server.BaseHTTPRequestHandler, work: Callable[..., tuple[int, bytes, dict[str, str]]]
    ) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        self.asked.append(f"{handler.command} {parts.path[1:5]} {handler.headers.get('Range', '')}".strip())
        content = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        if self.trouble and self.trouble.pop(0)(handler):
            return
        if query.get("signature") != [SECRET]:
            work = _refuse
        status, body, headers = work(parts.path[1:], query, content, handler.headers)
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _get(
        self, name: str, _query: object, _content: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        if name not in self.objects:
            return 404, b"", {}
        begin = re.fullmatch("bytes=([0-9]+)-", headers.get("Range", ""))
        content = self.objects[name]
        return (206, content[int(begin[1]) :], {}) if begin else (200, content, {})

    def _put(
        self, name: str, query: dict[str, list[str]], content: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, dict[str, str]]:
        md5 = hashlib.md5(content, usedforsecurity=False)
        if headers["Content-MD5"] != base64.b64encode(md5.digest()).decode() or headers["X-Needed"] != 'a "b" \\c':
            return 400, b"", {}
        if "part" in query:
            self.pieces.setdefault(name, {})[int(query["part"][0])] = content
        else:
            self.objects[name] = content
        return 200, b"", {"ETag": f'"{md5.hexdigest()}"'}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _refuse(*_: object) -> tuple[int, bytes, dict[str, str]]:
    return 403, b"", {}


class Folder:
    """A `longshore.plugin.areas.Area` in that bucket; large objects go in parts."""

    def __init__(self, bucket: Bucket) -> None:
        self.bucket = bucket
        self.signature = SECRET

    def to_read(self, sha256: str) -> Request:
        return Request(url=f"{self.bucket.url}/{sha256}?signature={self.signature}")

    def to_write(self, sha256: str, size: int) -> Upload:
        one = Request(url=f"{self.to_read(sha256).url}", headers={"X-Needed": 'a "b" \\c'}, size=size)
        if size <= PART_BYTES:
            return Upload(url=sha256, size=size, requests=(one,))
        there = {str(number): "" for number in self.bucket.pieces.get(sha256, {})}
        parts = [
            evolve(one, url=f"{one.url}&part={number}", start=start, size=min(PART_BYTES, size - start))
            for number, start in enumerate(range(0, size, PART_BYTES), start=1)
            if str(number) not in there
        ]
        return Upload(url=sha256, size=size, requests=tuple(parts), token="t", parts=there)

    def written(self, upload: Upload, tags: Sequence[str]) -> None:
        assert len(tags) == len(upload.requests)
        if upload.token:
            pieces = self.bucket.pieces.pop(upload.url)
            sums = {hashlib.md5(piece, usedforsecurity=False).hexdigest() for piece in pieces.values()}
            assert set(tags) <= sums
            self.bucket.objects[upload.url] = b"".join(piece for _, piece in sorted(pieces.items()))


class Stream:
    """A program on the machine, and the stream to it."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._link, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(command, stdin=theirs.fileno(), stdout=theirs.fileno(), env=env, cwd="/")

    def send(self, content: bytes | memoryview) -> None:
        try:
            self._link.sendall(content)
        except OSError as error:
            raise Broken(str(error)) from error

    def receive(self, size: int) -> bytes:
        return self._link.recv(size)

    def close(self) -> None:
        self._link.close()
        self.process.wait(120)


class Machine:
    """A store that is reached by a program, of Python or for sh."""

    def __init__(self, folder: Path, kind: str, trusted: Path | None) -> None:
        self.store = folder / "there" / "runs" / "r" / "store"
        self.home = folder / "home"
        program = folder / "program"
        program.write_bytes(build_bundle() if kind == "python" else shim_program())
        python = [sys.executable, "-I", "-S", "-X", "utf8"]
        self._command = [*(python if kind == "python" else ["sh"]), str(program), "exchange", str(self.store)]
        self.env = {"PATH": os.environ["PATH"]}
        if trusted is not None:
            self.env |= {"SSL_CERT_FILE": str(trusted), "CURL_CA_BUNDLE": str(trusted)}
        self.transfers = (StagedTransfers if kind == "python" else ShimTransfers)(self._open, self.home)
        (self.store / "tmp").mkdir(parents=True)

    def _open(self) -> Stream:
        return Stream(self._command, self.env)

    def write(self, content: bytes, path: str = "made") -> Artifact:
        sha256 = digest_bytes(content)
        put_bytes(str(self.store), content, sha256)
        return Artifact(path=path, sha256=sha256, size=len(content))

    def read(self, sha256: str) -> bytes:
        return Path(object_path(str(self.store), sha256)).read_bytes()

    def has(self, sha256: str) -> bool:
        return Path(object_path(str(self.store), sha256)).exists()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def bucket(ca: trustme.CA) -> Iterator[Bucket]:
    bucket = Bucket(ca)
    yield bucket
    bucket.close()


@pytest.fixture
def area(bucket: Bucket) -> Folder:
    return Folder(bucket)


@pytest.fixture(params=["python", "shim"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def machine(tmp_path: Path, ca: trustme.CA, kind: str) -> Iterator[Machine]:
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    machine = Machine(tmp_path, kind, tmp_path / "ca.pem")
    yield machine
    machine.transfers.close()


def forget(machine: Machine) -> None:
    shutil.rmtree(machine.store / "objects")


@pytest.mark.parametrize("size", [0, 10, PART_BYTES, 2 * PART_BYTES + 1])
def test_what_a_machine_has_sent_another_one_gets_and_it_is_the_same(machine: Machine, area: Folder, size: int) -> None:
    content = os.urandom(size)
    made = machine.write(content)

    machine.transfers.stage_out([made], area)

    assert area.bucket.objects == {made.sha256: content}
    forget(machine)
    machine.transfers.stage_in([made], area)
    assert machine.read(made.sha256) == content
    assert not list((machine.store / "tmp").iterdir())


def test_a_folder_goes_with_all_that_is_in_it(machine: Machine, area: Folder, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "e" / "empty").mkdir(parents=True)
    (tree / "x").write_text("x")
    (tree / "e" / "y").write_text("y")
    digest = digest_folder(str(tree))
    put_folder(str(machine.store), str(tree), digest)
    made = Artifact(path="tree", sha256=digest.sha256, size=digest.size, kind="folder")
    machine.transfers.stage_out([made], area)
    assert set(area.bucket.objects) == {digest.sha256, digest_bytes(b"x"), digest_bytes(b"y")}
    forget(machine)

    with pytest.raises(PeerOutOfReach, match="what is in it is not known here"):
        machine.transfers.stage_in([made], area)
    put_bytes(str(machine.home), digest.listing, digest.sha256)
    machine.transfers.stage_in([made], area)

    assert machine.read(digest.sha256) == digest.listing
    assert machine.read(digest_bytes(b"y")) == b"y"


def test_parts_that_are_there_are_not_sent_again(machine: Machine, area: Folder) -> None:
    content = os.urandom(3 * PART_BYTES)
    made = machine.write(content)
    area.bucket.pieces[made.sha256] = {2: content[PART_BYTES : 2 * PART_BYTES]}

    machine.transfers.stage_out([made], area)

    assert area.bucket.objects == {made.sha256: content}
    assert len(area.bucket.asked) == 2


def test_what_is_not_what_its_digest_says_is_not_kept(machine: Machine, area: Folder) -> None:
    made = machine.write(b"content")
    forget(machine)
    area.bucket.objects[made.sha256] = b"another"

    with pytest.raises(DigestMismatch):
        machine.transfers.stage_in([made], area)

    assert not machine.has(made.sha256)


def test_what_is_not_there_any_more_is_said_on_either_side(machine: Machine, area: Folder) -> None:
    made = machine.write(b"content", path="a/made")
    forget(machine)

    with pytest.raises(InputMissing, match=f"a/made: the bucket does not have {made.sha256}"):
        machine.transfers.stage_in([made], area)
    with pytest.raises(InputMissing, match=f"a/made: the machine does not have {made.sha256}"):
        machine.transfers.stage_out([made], area)


def test_a_machine_that_may_not_says_so_without_the_signature(machine: Machine, area: Folder) -> None:
    made = machine.write(b"content")
    area.signature = "no-such-signature"

    for act in (machine.transfers.stage_out, machine.transfers.stage_in):
        if act == machine.transfers.stage_in:
            forget(machine)
        with pytest.raises(PeerOutOfReach) as refused:
            act([made], area)
        assert "no-such-signature" not in str(refused.value)


def test_a_server_that_cannot_prove_who_it_is_gets_and_gives_nothing(tmp_path: Path, area: Folder, kind: str) -> None:
    machine = Machine(tmp_path, kind, None)
    made = machine.write(b"content")

    with pytest.raises(PeerOutOfReach, match=r"(?i)certificate"):
        machine.transfers.stage_out([made], area)
    machine.transfers.close()

    assert area.bucket.asked == []


def test_a_redirection_is_not_followed(machine: Machine, area: Folder) -> None:
    def redirect(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(307)
        handler.send_header("Location", f"{area.bucket.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    made = machine.write(b"content")
    area.bucket.trouble = [redirect]

    with pytest.raises((PeerOutOfReach, StagingError)):
        machine.transfers.stage_out([made], area)

    assert len(area.bucket.asked) == 1


def test_a_server_that_is_busy_is_asked_again(machine: Machine, area: Folder) -> None:
    def busy(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    made = machine.write(b"content")
    area.bucket.trouble = [busy]

    machine.transfers.stage_out([made], area)

    assert area.bucket.objects == {made.sha256: b"content"}


@pytest.mark.parametrize("kind", ["python"])
def test_what_breaks_off_goes_on_where_it_was(machine: Machine, area: Folder) -> None:
    content = os.urandom(3 << 20)

    def half(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[: 2 << 20])
        handler.close_connection = True
        return True

    made = machine.write(content)
    forget(machine)
    area.bucket.objects[made.sha256] = content
    area.bucket.trouble = [half]

    machine.transfers.stage_in([made], area)

    assert machine.read(made.sha256) == content
    assert area.bucket.asked[1].endswith(f"bytes={2 << 20}-")


def unread(area: Folder, name: str) -> Unread:
    return Unread(address=f"s3://b/{name}", key=digest_bytes(name.encode()), request=area.to_read(name))


@pytest.mark.parametrize("size", [0, 10, 3 << 20])
def test_what_nobody_has_read_is_kept_by_its_digest_which_is_told(machine: Machine, area: Folder, size: int) -> None:
    contents = {"one": os.urandom(size), "two": b"two"}
    area.bucket.objects.update(contents)

    read = machine.transfers.read([unread(area, name) for name in contents])

    assert [(each.path, each.sha256, each.size) for each in read] == [
        (f"s3://b/{name}", digest_bytes(content), len(content)) for name, content in contents.items()
    ]
    assert [machine.read(each.sha256) for each in read] == list(contents.values())
    assert not list((machine.store / "tmp").iterdir())


def test_what_nobody_has_read_and_is_gone_is_named(machine: Machine, area: Folder) -> None:
    area.bucket.objects["one"] = b"one"

    with pytest.raises(InputMissing, match="s3://b/two was there a moment ago, and is gone"):
        machine.transfers.read([unread(area, "one"), unread(area, "two")])


def test_half_of_what_nobody_has_read_is_not_taken_for_the_whole(machine: Machine, area: Folder) -> None:
    def half(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "2000")
        handler.end_headers()
        handler.wfile.write(b"x" * 1000)
        handler.close_connection = True
        return True

    area.bucket.objects["one"] = b"x" * 2000
    area.bucket.trouble = [half]

    with suppress(PeerOutOfReach):  # curl does not ask again
        machine.transfers.read([unread(area, "one")])

    assert area.bucket.trouble == []
    assert not machine.has(digest_bytes(b"x" * 1000))


@pytest.mark.parametrize("kind", ["python"])
def test_an_answer_of_unknown_length_is_not_taken_for_the_whole(machine: Machine, area: Folder) -> None:
    def endless(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.close_connection = True
        return True

    area.bucket.trouble = [endless]

    with pytest.raises(PeerOutOfReach, match="how long"):
        machine.transfers.read([unread(area, "one")])


@pytest.mark.parametrize("kind", ["python"])
def test_what_nobody_has_read_goes_on_where_it_broke_off(machine: Machine, area: Folder) -> None:
    content = os.urandom(3 << 20)
    area.bucket.objects["one"] = content
    part = machine.store / "tmp" / f"{unread(area, 'one').key}.part"
    part.write_bytes(content[: 2 << 20])

    [read] = machine.transfers.read([unread(area, "one")])

    assert machine.read(read.sha256) == content
    assert area.bucket.asked == [f"GET one bytes={2 << 20}-"]


@pytest.mark.parametrize("kind", ["python"])
def test_what_is_longer_than_the_object_is_read_from_its_beginning(machine: Machine, area: Folder) -> None:
    def beyond(handler: http.server.BaseHTTPRequestHandler) -> bool:
        handler.send_response(416)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    area.bucket.objects["one"] = b"one"
    (machine.store / "tmp" / f"{unread(area, 'one').key}.part").write_bytes(bytes(2 << 20))
    area.bucket.trouble = [beyond]

    [read] = machine.transfers.read([unread(area, "one")])

    assert machine.read(read.sha256) == b"one"


def test_no_process_has_a_signature_among_its_arguments(machine: Machine, area: Folder) -> None:
    seen: list[bytes] = []

    def look(_handler: http.server.BaseHTTPRequestHandler) -> bool:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                seen.append((process / "cmdline").read_bytes())
            except OSError:
                continue
        return False

    made = machine.write(b"content")
    area.bucket.trouble = [look, look, look]

    machine.transfers.stage_out([made], area)
    forget(machine)
    machine.transfers.stage_in([made], area)
    machine.transfers.read([unread(area, made.sha256)])

    assert area.bucket.trouble == []
    assert len(seen) > 2
    assert not any(SECRET.encode() in each for each in seen)


def test_a_stream_that_is_opened_while_the_link_is_closed_is_closed_too(machine: Machine) -> None:
    opened: list[Stream] = []

    def open_late() -> Stream:
        opened.append(machine._open())
        transfers.close()
        return opened[0]

    transfers = StagedTransfers(open_late, machine.home)

    with pytest.raises(MachineUnreachable):
        transfers.clear()

    assert opened[0].process.returncode == 0


@pytest.mark.parametrize("kind", ["shim"])
def test_without_curl_a_shim_says_so(machine: Machine, area: Folder, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in ("/usr/bin", "/bin"):
        for program in Path(folder).iterdir():
            if program.name != "curl" and not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    machine.env["PATH"] = str(programs)
    made = machine.write(b"content")

    with pytest.raises(PeerOutOfReach, match="curl is not there"):
        machine.transfers.stage_out([made], area)
