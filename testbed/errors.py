"""Errors by who is at fault: the input, the remote, the data on disk, or our own code."""

from __future__ import annotations


class ScenarioError(Exception):
    """The input is wrong. One line naming file, key and what was expected; exit code 2."""


class SchemaError(Exception):
    """Data on disk is not what this version of the suite reads or may mix; exit code 2."""


class LocalMisuse(Exception):
    """Our own code broke a rule. It ends the run: it is a bug."""


class ProtocolViolation(Exception):
    """The remote broke the protocol: its link ends and is counted by `reason`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
