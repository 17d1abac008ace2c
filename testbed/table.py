"""Reading a table of settings strictly: every key is taken once, and none may be left."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from testbed.errors import ScenarioError

_Read = TypeVar("_Read")

#: The largest whole number of TOML, and of the columns that record it.
WHOLE_LIMIT = 2**63 - 1


def on_one_line(key: str) -> str:
    """Write a key for a message: TOML allows line ends in one, a message is one line."""
    return key if key.isprintable() else repr(key)


class Table:
    """One table on its way to be read. `finish` refuses what nobody took.

    Args:
      values: The table as TOML has it.
      name: What it is called, for messages.
      source: In which file, for messages.

    Raises:
      ScenarioError: one line naming file, key and what was expected. So do all methods.
    """

    def __init__(self, values: Mapping[str, Any], name: str, source: str) -> None:
        self._left = dict(values)
        self._known: list[str] = []
        self._name = name
        self._source = source

    def fail(self, key: str, message: str) -> ScenarioError:
        """Make the error that says what is wrong with a key."""
        return ScenarioError(f"{self._source}: [{self._name}] {on_one_line(key)}: {message}")

    def take(self, key: str, default: Any = None) -> Any:
        """Take a value as it is."""
        self._known.append(key)
        return self._left.pop(key, default)

    def text(self, key: str, default: str | None = None) -> str:
        """Take a text that is not blank; without a default it must be there."""
        value = self.take(key, default)
        if value is None:
            raise self.fail(key, "expected a text, this key is missing")
        if not isinstance(value, str) or not value.strip():
            raise self.fail(key, f"expected a text, not {value!r}")
        return value

    def sentence(self, key: str, default: str, read: Callable[[str], object]) -> str:
        """Take a text that `read` accepts."""
        value = self.text(key, default)
        try:
            read(value)
        except ScenarioError as error:
            raise self.fail(key, str(error)) from None
        return value

    def whole(self, key: str, default: int, least: int, most: int = WHOLE_LIMIT) -> int:
        """Take a whole number of at least `least` and at most `most`."""
        value = self.take(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.fail(key, f"expected a whole number of at least {least}, not {value!r}")
        if value > most:
            raise self.fail(key, f"expected a whole number of at most {most:,}, not {value:,}")
        return value

    def truth(self, key: str, *, default: bool = False) -> bool:
        """Take a truth value."""
        value = self.take(key, default)
        if not isinstance(value, bool):
            raise self.fail(key, f"expected true or false, not {value!r}")
        return value

    def number(self, key: str) -> float | None:
        """Take a finite number, if there is one."""
        value = self.take(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.fail(key, f"expected a number, not {value!r}")
        if isinstance(value, int) and abs(value) > WHOLE_LIMIT:
            raise self.fail(key, f"expected a number of at most {WHOLE_LIMIT:,} in size")
        if not math.isfinite(value):
            raise self.fail(key, f"expected a finite number, not {value!r}")
        return value

    def quantity(
        self, key: str, read: Callable[[object], _Read], default: _Read, *, zero: bool = False
    ) -> _Read:
        """Take a quantity with its unit, read by a function of `testbed.units`.

        Args:
          key: Its name.
          read: Such as `parse_rate`.
          default: What it is when the key is not there.
          zero: Whether it may be zero.
        """
        value = self.take(key)
        if value is None:
            return default
        try:
            number = read(value)
        except ScenarioError as error:
            raise self.fail(key, str(error)) from None
        if not number and not zero:
            raise self.fail(key, f"expected more than zero, not {value!r}")
        return number

    def finish(self) -> None:
        """Refuse keys that nobody took."""
        for key in self._left:
            raise self.fail(key, f"unknown key; expected one of {', '.join(self._known)}")
