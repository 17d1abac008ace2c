"""A file host or a downloader under a hand-held world: what goes in, and what comes out."""

from __future__ import annotations

from typing import Any

from servers.envelope import Envelope
from servers.files import OneFile
from servers.http1 import Body, Encoded, Request, ResponseHead
from servers.node import FileHost
from servers.reading import Reading
from testbed.node import Effect, HangUp, LinkId, LinkUp, Message, Received, Send
from testbed.storage import SharedStorage

HOST = ("Host", "origin")
CONTENT = bytes(range(256)) * 256  # 64 KiB: four blocks.


def get(target="/file", *headers: tuple[str, str], keep_alive=True, method="GET"):
    return Request(method, target, (HOST, *headers), keep_alive)


def host_of(files, *, wall_clock=None, methods=(), **options: Any):
    reading = Reading(files, None, wall_clock, b"secret")
    return FileHost({"GET": reading, "HEAD": reading, **dict(methods)}, Envelope(wall_clock), **options)


def one_file_host(content=CONTENT, **options: Any):
    return host_of(OneFile("file", SharedStorage(memoryview(content)), "v1"), **options)


def connect(node, *links: int, now=0.0):
    for link in links:
        node.handle(LinkUp(LinkId(link), ("127.0.0.1", 50_000 + link), False, "http"), now)


def ask(node, link, *requests: Message, now=0.0) -> list[Effect]:
    effects: list[Effect] = []
    for request in requests:
        effects += node.handle(Received(LinkId(link), request), now)
    return effects


def heads(effects):
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, ResponseHead)]


def encoded(effects):
    return [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, Encoded)]


def bodies(effects):
    return [(e.link, e.message) for e in effects if isinstance(e, Send) and isinstance(e.message, Body)]


def hang_ups(effects):
    return [e for e in effects if isinstance(e, HangUp)]
