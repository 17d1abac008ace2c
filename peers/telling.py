"""What `python -m peers` says at the end: lines for people, and JSON for scripts."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import TextIO

from peers.plan import Found, Outcome
from peers.torrent import Torrent
from testbed.node import Address

EXIT_FAILED = 1


def say(args: argparse.Namespace, text: str) -> None:
    """Say something, unless `--quiet`; with `--json` standard output is for that."""
    if not getattr(args, "quiet", False):
        stream = sys.stderr if getattr(args, "json", False) else sys.stdout
        try:
            print(text, file=stream, flush=True)
        except BrokenPipeError:
            hush(stream)  # Whoever read it has gone; the download goes on.


def hush(stream: TextIO) -> None:
    """Let what is still said on a stream go nowhere: its pipe has no reader any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def say_counts(
    args: argparse.Namespace, violations: Mapping[str, int], limits_hit: Mapping[str, int]
) -> None:
    """Say what strangers did that was not let pass."""
    for reason, count in sorted(violations.items()):
        say(args, f"ended {count} link{'' if count == 1 else 's'} for: {reason}")
    for reason, count in sorted(limits_hit.items()):
        say(args, f"{count} time{'' if count == 1 else 's'}: {reason}")


def say_end(
    args: argparse.Namespace, torrent: Torrent | None, outcome: Outcome | Found, code: int
) -> int:
    """Say how it went, for scripts, and give the exit code back. Without a torrent: none was found."""
    if not args.json:
        return code
    facts: dict[str, object] = {"ending": outcome.ending.value, "reason": outcome.reason}
    facts["complete"] = isinstance(outcome, Outcome) and outcome.complete
    if torrent is not None and isinstance(outcome, Outcome):
        facts |= {
            "name": torrent.name,
            "info_hash": torrent.info_hash.hex(),
            "pieces_held": outcome.held.bit_count(),
            "piece_count": torrent.piece_count,
            "uploaded_bytes": outcome.uploaded_bytes,
            "downloaded_bytes": outcome.downloaded_bytes,
            "links_ended": dict(sorted(outcome.violations.items())),
            "limits_hit": dict(sorted(outcome.limits_hit.items())),
        }
    print(json.dumps(facts | {"exit_code": code}, indent=2), flush=True)
    return code


def shown(address: Address) -> str:
    """Give an address as people write it; that of IPv6 stands in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def failed(command: str, problem: str) -> int:
    """Say what went wrong, and give the exit code for it."""
    print(f"python -m peers {command}: {problem}", file=sys.stderr)
    return EXIT_FAILED
