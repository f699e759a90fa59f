"""Downloads: whole under the final name or absent, one request, by https alone."""

import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests

from datamodules.files.archives import extract
from datamodules.files.download import RemoteFile, adopt, fetch
from tests.conftest import ROOT, refused
from tests.corpora.conftest import (
    CONTENT,
    LIMITS,
    TREE,
    contents,
    leftovers,
    remote,
    write_zip,
)

SHA256 = hashlib.sha256(CONTENT).hexdigest()


NAME = "corpus/raw/rows.bin"


Answer = Callable[[BaseHTTPRequestHandler], None]


class Mirror:
    """A server on this machine that answers each path as it is told, and remembers the GETs."""

    def __init__(self):
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.over = threading.Event()
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.requests.append(self.path)
                with suppress(ConnectionError):
                    mirror.answers[self.path](self)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def file(self, *answers: Answer) -> RemoteFile:
        """The file, from one mirror an answer."""
        self.answers = {f"/{number}": answer for number, answer in enumerate(answers)}
        return RemoteFile(NAME, tuple(self.url + path for path in self.answers), SHA256, 100_000)

    def slow(self, start: int) -> Answer:
        """Says nothing more after `start` bytes."""

        def answer(request: BaseHTTPRequestHandler):
            body(CONTENT[:start], length=len(CONTENT))(request)
            request.wfile.flush()
            self.over.wait(20)

        return answer


def body(content: bytes, length: int | None = None, **headers: str) -> Answer:
    """A body under a Content-Length that may be wrong; none where it is negative."""

    def answer(request: BaseHTTPRequestHandler):
        request.send_response(200)
        claim = len(content) if length is None else length
        if claim >= 0:
            request.send_header("Content-Length", str(claim))
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def redirect(url: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler):
        request.send_response(302)
        request.send_header("Location", url)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def missing(request: BaseHTTPRequestHandler):
    request.send_error(404)


good = body(CONTENT)


corrupt = body(CONTENT[:50_000] + bytes([CONTENT[50_000] ^ 1]) + CONTENT[50_001:])


@pytest.fixture(scope="module")
def _mirror():
    mirror = Mirror()
    yield mirror
    mirror.over.set()
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def mirror(_mirror, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    _mirror.requests.clear()
    return _mirror


# fetch


def test_a_server_is_asked_for_the_bytes_as_they_lie(mirror, root):
    """Some compress what they send, and say nothing of the length that is checked."""
    wanted = []

    def answer(request):
        wanted.append(request.headers["Accept-Encoding"])
        good(request)

    fetch(mirror.file(answer), root)
    assert wanted == ["identity"]


def test_fetches_then_asks_no_more(mirror, root):
    file = mirror.file(good)
    assert fetch(file, root) == root / NAME
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests == ["/0"]
    assert fetch(file, root) == root / NAME
    assert mirror.requests == ["/0"]
    assert leftovers(root) == {NAME}


def test_a_file_that_is_right_needs_no_lock_nor_writing(mirror, root):
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).write_bytes(CONTENT)
    fetch(mirror.file(good), root)
    assert mirror.requests == []
    assert [path.name for path in (root / NAME).parent.iterdir()] == ["rows.bin"]


@pytest.mark.parametrize("found", [CONTENT[:-1], CONTENT[:-1] + b"\0", b"", CONTENT + b"\0"])
def test_a_wrong_file_is_replaced(mirror, root, found):
    assert found != CONTENT
    (root / NAME).parent.mkdir(parents=True)
    (root / NAME).write_bytes(found)
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert leftovers(root) == {NAME}


def test_a_cut_anywhere_leaves_nothing(mirror, root):
    generator = random.Random(1)
    cuts = [0, 1, 99_999, *(generator.randrange(100_000) for _ in range(30))]
    for number, cut in enumerate(cuts):
        # Every other server does not even say how long the file is.
        answer = body(CONTENT[:cut], length=(len(CONTENT), -1)[number % 2])
        message = refused(fetch, mirror.file(answer), root)
        assert NAME in message
        assert leftovers(root) == set()
    assert len(mirror.requests) == len(cuts)
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (corrupt, f"not {SHA256}"),
        (body(CONTENT + b"more"), "more than 100,000 bytes"),
        (body(CONTENT * 5, length=-1), "more than 100,000 bytes"),
        (body(CONTENT[:-1]), "99,999 bytes, not 100,000"),
        (body(CONTENT, length=200_000), "127.0.0.1: "),
        (body(CONTENT, Content_Length="many"), "127.0.0.1: "),
        (missing, "HTTP 404"),
        (redirect("/0"), "HTTP 302"),
    ],
)
def test_a_wrong_answer_is_refused_and_the_second_mirror_used(mirror, root, answer, reason):
    message = refused(fetch, mirror.file(answer), root)
    assert reason in message
    assert NAME in message
    assert str(root / NAME) in message
    assert leftovers(root) == set()
    fetch(mirror.file(answer, good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests[-2:] == ["/0", "/1"]


def test_every_mirrors_reason_is_told(mirror, root):
    message = refused(fetch, mirror.file(missing, body(b"login page"), corrupt), root)
    assert message.count("127.0.0.1: ") == 3
    assert message.index("HTTP 404") < message.index("10 bytes") < message.index("sha256")
    assert mirror.requests == ["/0", "/1", "/2"]


def test_nobody_listens_or_none_is_known(mirror, root):
    file = mirror.file(good)
    other = RemoteFile(NAME, ("http://127.0.0.1:1/gone", file.urls[0]), SHA256, 100_000)
    fetch(other, root)
    assert (root / NAME).read_bytes() == CONTENT
    alone = RemoteFile("alone", other.urls[:1], SHA256, 100_000)
    assert "(127.0.0.1: ConnectionError);" in refused(fetch, alone, root)
    none = RemoteFile("other", (), SHA256, 100_000)
    assert "none is known" in refused(fetch, none, root)


@pytest.mark.parametrize("start", [0, 70_000])
def test_a_silent_mirror_is_given_up(mirror, root, start):
    began = time.monotonic()
    fetch(mirror.file(mirror.slow(start), good), root, timeout=0.2)
    assert time.monotonic() - began < 30
    assert (root / NAME).read_bytes() == CONTENT
    assert mirror.requests == ["/0", "/1"]


def test_a_gz_that_the_server_calls_an_encoding_stays_packed(mirror, root):
    packed = gzip.compress(b"rows" * 1000)
    mirror.file(body(packed, Content_Encoding="gzip"))
    digest = hashlib.sha256(packed).hexdigest()
    path = fetch(RemoteFile("rows.gz", (f"{mirror.url}/0",), digest, len(packed)), root)
    assert path.read_bytes() == packed


def test_progress_goes_to_stderr(mirror, root, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    fetch(mirror.file(good), root, progress=True)
    captured = capsys.readouterr()
    assert "rows.bin" in captured.err
    assert captured.out == ""


@pytest.fixture
def steps(monkeypatch):
    """What reached the disk when: fsync, then one rename of the whole."""
    steps, fsync, replace = [], os.fsync, Path.replace

    def spied_fsync(number):
        steps.append(("fsync", os.fstat(number).st_size))
        fsync(number)

    def spied_replace(part, target):
        steps.append(("rename", contents(part) if part.is_dir() else part.stat().st_size))
        return replace(part, target)

    monkeypatch.setattr("os.fsync", spied_fsync)
    monkeypatch.setattr(Path, "replace", spied_replace)
    return steps


def test_the_final_name_comes_last(mirror, root, tmp_path, steps):
    file = mirror.file(corrupt, good)
    fetch(file, root)
    assert steps == [("fsync", 100_000)] * 2 + [("rename", 100_000)]
    steps.clear()
    adopt(file, root / NAME, tmp_path / "other")
    assert steps == [("fsync", 100_000), ("rename", 100_000)]
    steps.clear()
    extract(write_zip(tmp_path / "a.zip", TREE), root / "rows", **LIMITS)
    assert steps == [("rename", TREE)]


def test_a_stale_temporary_is_swept(mirror, root):
    stale = root / "corpus" / "raw" / ".rows.bin.part"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(CONTENT * 2)
    refused(fetch, mirror.file(missing), root)
    assert leftovers(root) == set()
    outside = root.parent / "outside"
    outside.write_bytes(b"mine")
    stale.symlink_to(outside)
    fetch(mirror.file(good), root)
    assert leftovers(root) == {NAME}
    assert outside.read_bytes() == b"mine"


def test_a_folder_that_cannot_be_written_is_named(mirror, root):
    root.parent.mkdir()
    root.write_bytes(b"a file where the folder should be")
    assert str(root / NAME) in refused(fetch, mirror.file(good), root)
    assert mirror.requests == []


FETCHER = """
import sys
from pathlib import Path
from datamodules.files.download import RemoteFile, fetch
name, url, sha256, root = sys.argv[1:]
file = RemoteFile(name, (url,), sha256, 100_000)
print("ready", flush=True)
sys.stdin.readline()
print(fetch(file, Path(root)))
assert "torch" not in sys.modules
"""


def fetcher(file: RemoteFile, root: Path) -> subprocess.Popen:
    """Another process, which fetches when a line is written to it."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCHER, file.name, file.urls[0], file.sha256, root],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_four_processes_make_one_request(mirror, root):
    def unhurried(request: BaseHTTPRequestHandler):
        mirror.over.wait(0.5)
        good(request)

    file = mirror.file(unhurried)
    processes = [fetcher(file, root) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.communicate(timeout=30)[0] == f"{root / NAME}\n"
        assert process.returncode == 0
    assert mirror.requests == ["/0"]
    assert (root / NAME).read_bytes() == CONTENT


def test_a_kill_in_the_middle_leaves_nothing_that_counts(mirror, root):
    process = fetcher(mirror.file(mirror.slow(70_000)), root)
    process.stdin.write("go\n")
    process.stdin.flush()
    part = root / "corpus" / "raw" / ".rows.bin.part"
    for _ in range(1000):
        if part.exists() and part.stat().st_size:
            break
        mirror.over.wait(0.02)
    process.kill()
    process.communicate()
    assert leftovers(root) == {"corpus/raw/.rows.bin.part"}
    fetch(mirror.file(good), root)
    assert (root / NAME).read_bytes() == CONTENT
    assert leftovers(root) == {NAME}


# https only


@pytest.mark.parametrize(
    "url",
    [
        "http://zoo.invalid/rows",
        "http://127.0.0.1.zoo.invalid/rows",
        "http://localhost@zoo.invalid/rows",
        "ftp://127.0.0.1/rows",
        "file:///etc/hostname",
        "rows",
    ],
)
def test_only_https_is_asked(mirror, root, url, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *args, **_: asked.append(args))
    message = refused(fetch, RemoteFile(NAME, (url,), SHA256, 100_000), root)
    assert "only https" in message
    assert asked == []
    assert leftovers(root) == set()


def test_a_redirect_to_http_is_not_followed(mirror, root):
    file = mirror.file(redirect("http://zoo.invalid/rows"))
    assert "zoo.invalid refused" in refused(fetch, file, root)
    file = mirror.file(redirect("/1"), good)
    assert fetch(file, root).read_bytes() == CONTENT


def test_https_never_becomes_http(mirror, root, monkeypatch):
    mirror.file(good)
    asked = []

    def send(adapter, request, **_):
        asked.append(request.url)
        response = requests.Response()
        response.status_code = 302
        response.url, response.request = request.url, request
        response.headers["location"] = f"{mirror.url}/0"
        response.raw = io.BytesIO()
        response.raw.headers = {}
        return response

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    file = RemoteFile(NAME, ("https://zoo.invalid/rows",), SHA256, 100_000)
    assert "only https" in refused(fetch, file, root)
    assert asked == ["https://zoo.invalid/rows"]
    assert mirror.requests == []


# adopt


def test_adopts_the_right_file(mirror, root, tmp_path):
    source = tmp_path / "Downloads (1)"
    source.write_bytes(CONTENT)
    file = mirror.file(good)
    for _ in range(2):
        assert adopt(file, source, root).read_bytes() == CONTENT
    assert source.read_bytes() == CONTENT
    assert leftovers(root) == {NAME}
    assert adopt(file, root / NAME, root) == root / NAME
    fetch(file, root)
    assert mirror.requests == []


@pytest.mark.parametrize("found", [CONTENT[:-1], CONTENT[:-1] + b"\0", b""])
def test_refuses_to_adopt_another(mirror, root, tmp_path, found):
    source = tmp_path / "rows.bin"
    source.write_bytes(found)
    message = refused(adopt, mirror.file(good), source, root)
    assert str(source) in message
    assert SHA256 in message
    assert hashlib.sha256(found).hexdigest() in message
    assert not root.exists()


def test_a_size_that_was_noted_wrong_is_noticed(root, tmp_path):
    source = tmp_path / "rows.bin"
    source.write_bytes(CONTENT)
    message = refused(adopt, RemoteFile(NAME, (), SHA256, 99_999), source, root)
    assert "100,000 bytes, not 99,999" in message
    assert leftovers(root) == set()


def test_a_source_that_is_not_there_is_named(mirror, root, tmp_path):
    for source in (tmp_path / "nowhere", tmp_path):
        assert f"{source}: cannot be read" in refused(adopt, mirror.file(good), source, root)


def test_a_sha1_binds_where_no_sha256_is_published(server, tmp_path):
    content = b"rows" * 1000
    file = remote(server, content, most=10_000)
    server.bodies["/file"] = content[:-1] + b"?"
    message = refused(fetch, file, tmp_path)
    assert f"not {file.sha1}" in message
    assert "the sha1" in message
    assert not (tmp_path / "a/b.zip").exists()
    server.bodies["/file"] = content
    assert fetch(file, tmp_path).read_bytes() == content
    fetch(file, tmp_path)
    assert server.requests == 2


def test_a_bound_stops_a_mirror_that_sends_more(server, tmp_path):
    server.bodies["/file"] = bytes(10_001)
    message = refused(fetch, remote(server, server.bodies["/file"], most=10_000), tmp_path)
    assert "more than 10,000 bytes" in message
    assert fetch(remote(server, server.bodies["/file"], most=10_001), tmp_path).is_file()


def test_adopts_by_sha1(server, tmp_path):
    source = tmp_path / "b.zip"
    source.write_bytes(b"rows")
    file = remote(server, b"rows", size=4)
    assert adopt(file, source, tmp_path / "root").read_bytes() == b"rows"
    source.write_bytes(b"sour")
    message = refused(adopt, file, source, tmp_path / "other")
    assert f"its sha1 is {hashlib.sha1(b'sour').hexdigest()}, not {file.sha1}" in message


@pytest.mark.parametrize(
    "known",
    [
        {"size": 1},
        {"sha256": "a", "sha1": "b", "size": 1},
        {"sha1": "b"},
        {"sha1": "b", "size": 1, "most": 2},
    ],
)
def test_one_digest_and_one_number_of_bytes(known):
    with pytest.raises(ValueError, match="a: wanted"):
        RemoteFile("a", (), **known)
