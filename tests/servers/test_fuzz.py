"""Any bytes give HTTP answers or a closed connection: decoder, node, files and encoder together."""

from __future__ import annotations

import os
from itertools import pairwise

import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from servers.digests import Digests
from servers.envelope import Envelope
from servers.files import Directory
from servers.node import FileHost
from servers.reading import Reading
from servers.wire import Http
from testbed.node import Departed, FileSlice, HangUp, LinkId, LinkUp, Received, Send

LINK = LinkId(1)


class Host:
    """A host for one directory, spoken to in bytes."""

    def __init__(self, root) -> None:
        self.digests = Digests()
        reading = Reading(Directory(root), self.digests, lambda: 1.7e9, b"secret")
        self.wire = Http()
        self.node = FileHost(
            {"GET": reading, "HEAD": reading}, Envelope(lambda: 1.7e9), block_bytes=None, encodes=True
        )

    def talk(self, data, cuts):
        """Send bytes on a fresh connection; give what comes back, and whether the host hung up."""
        self.node.handle(LinkUp(LINK, ("127.0.0.1", 5), False, "http"), 0.0)
        decoder = self.wire.decoder(dialled=False)
        out, ended = bytearray(), False
        places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
        for start, end in pairwise(places):
            for message in decoder.feed(memoryview(data[start:end])):
                effects = list(self.node.handle(Received(LINK, message), 0.0)) if not ended else []
                for effect in effects:  # Grows while it is walked.
                    if isinstance(effect, HangUp):
                        ended = True
                    elif isinstance(effect, Send):
                        out += self.encode(effect.message)
                        if effect.message.payload_bytes:
                            effects += self.node.handle(Departed(LINK, True), 0.0)
        if not ended:
            self.node._forget(LINK)
        return bytes(out), ended

    def encode(self, message):
        parts = self.wire.encode(message)
        data = b"".join(
            os.pread(part.file, part.nbytes, part.offset)
            if isinstance(part, FileSlice)
            else bytes(part)
            for part in parts
        )
        assert len(data) == message.size_bytes
        return data


class Answers:
    """What an independent parser makes of the answers."""

    def __init__(self, data: bytes) -> None:
        self.statuses: list[int] = []
        self.closing = False
        self.whole = True
        self.parser = httptools.HttpResponseParser(self)
        self.parser.feed_data(data)

    def on_message_begin(self):
        self.whole = False

    def on_headers_complete(self):
        self.statuses.append(self.parser.get_status_code())

    def on_header(self, name, value):
        if name.lower() == b"connection":
            self.closing = value == b"close"

    def on_message_complete(self):
        self.whole = True


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    (root / "a.txt").write_bytes(b"0123456789")
    (root / "a.txt.gz").write_bytes(b"gz")
    (root / "empty").write_bytes(b"")
    (root / "sub").mkdir()
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("/etc/passwd")
    host = Host(root)
    yield host
    host.digests.close()


TARGETS = st.one_of(
    st.sampled_from(
        [
            "/a.txt",
            "/",
            "/sub",
            "/sub/",
            "/fifo",
            "/link",
            "/empty",
            "*",
            "/%2e%2e/a",
            "/a.txt%00",
            "/%ff",
        ]
    ),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=30),
)
VALUES = st.one_of(
    st.sampled_from(
        [
            *(
                "bytes=0-1",
                "bytes=0-1,4-5",
                "bytes=-0",
                "bytes=9-",
                "bytes=,,,",
                '"x"',
                "*",
                "gzip, *;q=0",
            ),
            *(
                "Sun, 06 Nov 1994 08:49:37 GMT",
                "sha-256=9",
                "application/json",
                "chunked",
                "5",
                "close",
            ),
        ]
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=20),
)
NAMES = st.sampled_from(
    [
        *("Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "Accept-Encoding"),
        *("Want-Repr-Digest", "Accept", "Prefer", "Connection", "Content-Length", "Transfer-Encoding"),
        *("Expect", "Upgrade", "X"),
    ]
)
#: HEAD is left out: whether its answers have content only their request says.
REQUESTS = st.builds(
    lambda method, target, headers: (
        f"{method} {target} HTTP/1.1\r\nHost: h\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers)
        + "\r\n"
    ).encode("latin-1"),
    st.sampled_from(["GET", "OPTIONS", "PUT", "BREW"]),
    TARGETS,
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
BYTES = st.lists(st.one_of(REQUESTS, REQUESTS, st.binary(max_size=40)), max_size=4).map(b"".join)


@given(data=BYTES, cuts=st.lists(st.integers(0, 500), max_size=4))
@example(data=b"GET /a.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=0-1,3-4\r\n\r\n" * 3, cuts=[])
@settings(deadline=None)
def test_any_bytes_give_whole_answers_and_a_close_only_if_it_was_told(host, data, cuts):
    out, ended = host.talk(data, cuts)
    answers = Answers(out)
    assert answers.whole
    assert answers.closing is ended
    assert all(status < 500 or status in (501, 505) for status in answers.statuses)
    assert b"root:" not in out


@given(data=BYTES, cuts=st.lists(st.integers(0, 500), max_size=4))
@settings(deadline=None)
def test_answers_do_not_depend_on_how_the_network_cuts_bytes(host, data, cuts):
    assert host.talk(data, cuts) == host.talk(data, [])
