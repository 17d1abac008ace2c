"""Answers of the file host before httplint, which nobody here wrote: it finds nothing bad in them."""

from __future__ import annotations

import socket

import pytest

from servers.host_settings import HostSettings
from tests.servers.running import in_thread, running

httplint = pytest.importorskip("httplint", reason="httplint is not installed")

pytestmark = [pytest.mark.sockets, pytest.mark.trio]

IF_NONE = ("If-None-Match", "*")
KNOWN = ("If-Modified-Since", "Wed, 15 Nov 2090 00:00:00 GMT")
#: What httplint warns of and is meant so, with the reason.
MEANT = {
    # How long a file stays as it is only its owner knows.
    "FRESHNESS_HEURISTIC",
    # Not in the head of several parts: each has its own (RFC 9110 section 15.3.7.2).
    "PARTIAL_WITHOUT_RANGE",
}

CASES = [
    ("GET", "/a.txt", ()),
    ("HEAD", "/a.txt", ()),
    ("GET", "/a.txt", (("Accept-Encoding", "gzip"),)),
    ("GET", "/a.txt", (("Want-Repr-Digest", "sha-256=10"), ("Prefer", "server-timing"))),
    ("GET", "/a.txt", (("Range", "bytes=0-1"),)),
    ("GET", "/a.txt", (("Range", "bytes=0-1,4-5"),)),
    ("GET", "/a.txt", (("Range", "bytes=-0"),)),
    ("GET", "/a.txt", (("Range", "bytes=5-"), ("If-Range", '"other"'))),
    ("GET", "/a.txt", (IF_NONE,)),
    ("GET", "/a.txt", (KNOWN,)),
    ("GET", "/a.txt", (("If-Match", '"other"'),)),
    ("GET", "/empty", ()),
    ("GET", "/plain", ()),
    ("GET", "/", ()),
    ("GET", "/", (("Accept", "application/json"),)),
    ("GET", "/sub", ()),
    ("GET", "/sub/", ()),
    ("GET", "/none", ()),
    ("GET", "/-/metrics", ()),
    ("OPTIONS", "/a.txt", ()),
    ("OPTIONS", "*", ()),
    ("DELETE", "/a.txt", ()),
    ("GET", "/a.txt", (("Connection", "close"),)),
]


def ask(address, method, target, headers):
    """Ask over a socket of its own, and give the parts of the answer as bytes."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if ("Connection", "close") not in headers:
        lines.append("Connection: close")
    with socket.create_connection(address, timeout=120) as sock:
        sock.sendall("\r\n".join([*lines, "", ""]).encode())
        received = b""
        while part := sock.recv(65536):
            received += part
    head, _, content = received.partition(b"\r\n\r\n")
    start, *fields = head.split(b"\r\n")
    version, status, phrase = start.split(b" ", 2)
    return version, status, phrase, [tuple(field.split(b": ", 1)) for field in fields], content


def notes_on(address, method, target, headers, answer):
    """What httplint has to say, as names of its notes."""
    version, status, phrase, fields, content = answer
    request = httplint.HttpRequestLinter()
    url = f"http://{address[0]}:{address[1]}{target if target != '*' else '/'}"
    request.process_request_topline(method.encode(), url.encode(), b"HTTP/1.1")
    sent = [("Host", f"{address[0]}:{address[1]}"), ("Connection", "close"), *headers]
    request.process_headers([(name.encode(), value.encode()) for name, value in dict(sent).items()])
    request.finish_content(True)
    response = httplint.HttpResponseLinter(_related=request, no_content=method == "HEAD")
    response.process_response_topline(version.removeprefix(b"HTTP/"), status, phrase)
    response.process_headers(fields)
    response.feed_content(content)
    response.finish_content(True)
    wrong = (httplint.levels.BAD, httplint.levels.WARN)
    return {type(note).__name__: note.summary for note in response.notes if note.level in wrong}


@pytest.mark.parametrize(("method", "target", "headers"), CASES)
async def test_httplint_finds_nothing_bad(tmp_path, method, target, headers):
    (tmp_path / "a.txt").write_bytes(b"0123456789" * 100)
    (tmp_path / "a.txt.gz").write_bytes(
        bytes.fromhex("1f8b080000000000000333303432363135b3b034301825878400") + b""
    )
    (tmp_path / "plain").write_bytes(b"no suffix")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_bytes(b"<!doctype html><title>x</title>")
    async with running(HostSettings(directory=tmp_path, metrics=True)) as (host, _):
        address = host.station.address
        answer = await in_thread(ask, address, method, target, headers)
        notes = notes_on(address, method, target, headers, answer)
    assert {name: text for name, text in notes.items() if name not in MEANT} == {}
