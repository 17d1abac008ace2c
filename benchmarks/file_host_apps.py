"""Two hosts of the Python world, on an inherited socket: `python -m benchmarks.file_host_apps NAME …`.

Each as its own documentation says static files are served: aiohttp's static route on uvloop (sendfile);
for hypercorn, which serves ASGI applications only, one that reads a file in parts of 1 MiB.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio

PART_BYTES = 1 << 20


def run_aiohttp(directory: Path, descriptor: int) -> None:
    """Serve with aiohttp on uvloop until SIGTERM."""
    import uvloop
    from aiohttp import web

    app = web.Application()
    app.router.add_static("/", directory)
    loop = uvloop.new_event_loop()
    web.run_app(app, sock=socket.socket(fileno=descriptor), access_log=None, print=None, loop=loop)


def run_hypercorn(directory: Path, descriptor: int) -> None:
    """Serve with hypercorn on trio until SIGTERM."""
    from hypercorn.config import Config
    from hypercorn.trio import serve

    async def app(
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            raise NotImplementedError("this application knows requests only")
        path = directory / scope["path"].removeprefix("/")
        size = path.stat().st_size
        headers = [
            (b"content-length", str(size).encode()),
            (b"content-type", b"application/octet-stream"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "GET":
            async with await trio.open_file(path, "rb", buffering=0) as file:
                while part := await file.read(PART_BYTES):
                    await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    config = Config()
    config.bind = [f"fd://{descriptor}"]
    config.accesslog = None
    config.keep_alive_max_requests = 10**9
    trio.run(serve, app, config)


if __name__ == "__main__":
    runner = {"aiohttp": run_aiohttp, "hypercorn": run_hypercorn}[sys.argv[1]]
    runner(Path(sys.argv[2]), int(sys.argv[3]))
