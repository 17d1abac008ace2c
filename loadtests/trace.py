"""Traces: one JSON line for each event that a node was told, with the effects it ordered.

Two simulated runs of one scenario give equal trace files. Live ones show what really happened, in
the order in which it happened in one process.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import IO

import msgspec

from testbed.cast import Place
from testbed.node import Effect, Event, FileSlice, Node, Tally


class Tracer:
    """Writes the trace of all nodes of one process."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8")

    def wrap(self, place: Place, node: Node) -> Node:
        """Put a node under observation."""
        return _Traced(int(place.node_id), node, self._file)

    def flush(self) -> None:
        """Let the file have what was written so far."""
        self._file.flush()

    def close(self) -> None:
        """End the trace."""
        self._file.close()


class _Traced:
    """A node that writes down what it is told and what it orders."""

    def __init__(self, node_id: int, node: Node, file: IO[str]) -> None:
        self._node_id = node_id
        self._node = node
        self._file = file
        self.tally: Tally = node.tally

    @property
    def deadline(self) -> float | None:
        return self._node.deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        effects = self._node.handle(event, now)
        line = {
            "node": self._node_id,
            "now": now,
            "event": _plain(event),
            "effects": [_plain(effect) for effect in effects],
        }
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
        return effects


def _plain(value: object) -> object:
    """Make JSON of what messages are made of; file content becomes its length."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, FileSlice):
        return {"offset": value.offset, "nbytes": value.nbytes}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"nbytes": len(value)}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        names: tuple[str, ...] = value.__struct_fields__
    elif dataclasses.is_dataclass(value):
        names = tuple(field.name for field in dataclasses.fields(value))
    else:
        return str(value)
    return {"is": type(value).__name__} | {name: _plain(getattr(value, name)) for name in names}
