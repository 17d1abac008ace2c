"""Reads the options of ``python -m analysis bounds``: strings in, checked quantities out.

The options arrive as text, so that a fault is one line that names the option, and so that a model
can say which options it needs. Options that were given and that no model read are a fault as well:
otherwise a misspelt intention would go unnoticed.
"""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np

from analysis.theory.arrays import FloatArray
from testbed.units import parse_rate, parse_seconds, parse_size

Value = TypeVar("Value")

#: Peers or transfers that are held one by one; more would fill the memory of a small machine.
MOST_LISTED = 10_000_000


class InputError(ValueError):
    """What the user typed is wrong; the message is one line that names the option."""


class Options:
    """The options of one call, read on demand."""

    def __init__(self, arguments: argparse.Namespace, names: Iterable[str], model: str) -> None:
        """Look at the options ``names`` of ``arguments``, on behalf of ``model``."""
        self._texts: dict[str, str | None] = {name: getattr(arguments, name) for name in names}
        self._model = model
        self._read: set[str] = set()

    def given(self, name: str) -> bool:
        """Say whether the option is there, and count it as read."""
        self._read.add(name)
        return self._texts[name] is not None

    def size(self, name: str) -> float:
        """Read a size in bytes, above zero. Like all readers it raises InputError."""
        return self._convert(name, self._text(name), lambda text: _positive(text, parse_size))

    def rate(self, name: str, default: float | None = None, *, zero_allowed: bool = False) -> float:
        """Read a rate in bytes per second, or ``unlimited``; zero only where it has a meaning."""
        if default is not None and not self.given(name):
            return default
        if zero_allowed:
            return self._convert(name, self._text(name), parse_rate)
        return self._convert(name, self._text(name), lambda text: _positive(text, parse_rate))

    def seconds(self, name: str, default: float | None = None, *, zero_allowed: bool = False) -> float:
        """Read a duration in seconds; zero only where it has a meaning."""
        if default is not None and not self.given(name):
            return default
        if zero_allowed:
            return self._convert(name, self._text(name), parse_seconds)
        return self._convert(name, self._text(name), lambda text: _positive(text, parse_seconds))

    def duration_list(self, name: str) -> FloatArray:
        """Read durations with commas between them, in seconds."""
        parts = self._text(name).split(",")
        return np.array([self._convert(name, part.strip(), parse_seconds) for part in parts])

    def integers(self, name: str) -> list[int]:
        """Read whole numbers of at least 1 with commas between them."""
        return [self._convert(name, part.strip(), _count) for part in self._text(name).split(",")]

    def integer(self, name: str) -> int:
        """Read one whole number of at least 1."""
        return self._convert(name, self._text(name), _count)

    def numbers(self, name: str, default: float | None = None) -> FloatArray:
        """Read plain numbers with commas between them."""
        if default is not None and not self.given(name):
            return np.array([default])
        parts = self._text(name).split(",")
        return np.array([self._convert(name, part.strip(), _number) for part in parts])

    def peers(self, name: str) -> list[tuple[int, float]]:
        """Read classes of peers, ``13 x 20 kB/s, 14 x 50 kB/s``, as (count, bytes per second)."""
        classes = []
        for part in self._text(name).split(","):
            count, cross, rate = part.partition("x")
            if not cross:
                raise InputError(f'{_flag(name)}: expected "COUNT x RATE", not {part.strip()!r}')
            classes.append(
                (
                    self._convert(name, count.strip(), _count),
                    self._convert(name, rate.strip(), parse_rate),
                )
            )
        if sum(count for count, _ in classes) > MOST_LISTED:
            raise InputError(f"{_flag(name)}: expected at most {MOST_LISTED:,} peers in all")
        return classes

    def measurements(self, name: str) -> tuple[list[float], list[float]]:
        """Read pairs ``1:10,2:19`` as two lists."""
        pairs = []
        for part in self._text(name).split(","):
            load, colon, value = part.partition(":")
            if not colon:
                raise InputError(f"{_flag(name)}: expected USERS:THROUGHPUT, not {part.strip()!r}")
            pairs.append([self._convert(name, text.strip(), _number) for text in (load, value)])
        return [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def requests(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Read a CSV file of two columns with a header line: arrival_seconds,response_bytes."""
        path = Path(self._text(name))
        wanted = "arrival_seconds,response_bytes"
        try:
            header, *lines = path.read_text(encoding="utf-8").splitlines()
            if header.strip() != wanted:
                raise InputError(f"{path}: the first line must be {wanted}, not {header.strip()!r}")
            rows = [[float(cell) for cell in line.split(",")] for line in lines if line.strip()]
            table = np.array(rows, dtype=np.float64).reshape(len(rows), 2)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        except InputError:
            raise
        except ValueError as error:
            raise InputError(f"{path}: expected two numbers a line, {wanted}: {error}") from error
        return table[:, 0], table[:, 1]

    def refuse_unread(self) -> None:
        """Raise InputError if an option was given that the model did not read."""
        unread = [
            name for name, text in self._texts.items() if text is not None and name not in self._read
        ]
        if unread:
            raise InputError(f"{_flag(unread[0])} is not used by --model {self._model}")

    def _text(self, name: str) -> str:
        self._read.add(name)
        text = self._texts[name]
        if text is None:
            raise InputError(f"--model {self._model} needs {_flag(name)}")
        return text

    def _convert(self, name: str, text: str, convert: Callable[[str], Value]) -> Value:
        try:
            return convert(text)
        except ValueError as error:
            raise InputError(f"{_flag(name)}: {error}") from error


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _positive(text: str, parse: Callable[[str], float]) -> float:
    quantity = parse(text)
    if not quantity > 0:
        raise ValueError(f"expected more than zero, not {text!r}")
    return quantity


def _count(text: str) -> int:
    # Fifteen digits are exact as a float, which is what the formulas compute with.
    if not re.fullmatch(r"[0-9]{1,15}", text) or int(text) < 1:
        raise ValueError(f"expected a whole number from 1 to 15 digits, not {text!r}")
    return int(text)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"expected a finite number, not {text!r}")
    return number
