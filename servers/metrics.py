"""Counters of a file host, in the Prometheus text format (version 0.0.4)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from servers.files import Files, Found, Page, Resource, path_of
from servers.transaction import Transaction

METRICS_PATH = "/-/metrics"

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Upper bounds of the histogram's buckets, in seconds: from a small file on loopback to a large one on
#: a slow line.
BUCKETS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)

STEPS = ("received", "found", "sent", "drained")

#: What is not one of these is counted as `other`: a client must not be able to make up series.
_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"})


class Metrics:
    """Counts transactions. A microsecond each; the text is made when it is asked for.

    Args:
      connections: How many are open now.
      refusals: Links that were ended for a fault of the client, by reason.
    """

    def __init__(
        self, connections: Callable[[], int], refusals: Callable[[], Mapping[str, int]]
    ) -> None:
        self._connections = connections
        self._refusals = refusals
        self._requests: Counter[tuple[str, int, bool]] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._steps = [0.0] * len(STEPS)
        self._total_seconds = 0.0
        self._received_bytes = 0
        self._sent_bytes = 0
        self._payload_bytes = 0

    def count(self, transaction: Transaction, method: str, *, complete: bool) -> None:
        """Count one that ended."""
        t = transaction
        self._requests[method if method in _METHODS else "other", t.status, complete] += 1
        steps = self._steps
        steps[0] += t.received - t.begun
        steps[1] += t.found - t.received
        steps[2] += t.sent - t.found
        steps[3] += t.drained - t.sent
        total = t.drained - t.begun
        self._total_seconds += total
        self._buckets[bisect_left(BUCKETS, total)] += 1
        self._received_bytes += t.received_bytes
        self._sent_bytes += t.sent_bytes
        self._payload_bytes += t.payload_bytes

    def count_quick(
        self,
        method: str,
        status: int,
        received_bytes: int,
        sent_bytes: int,
        payload_bytes: int,
        times: Sequence[tuple[object, float, float, float, float]],
    ) -> None:
        """Count complete transactions that differ in their times alone.

        Args:
          times: Of each, who asked, and when it was received (which took no time), its answer found,
            sent, and drained.
        """
        count = len(times)
        self._requests[method, status, True] += count
        found_seconds = sent_seconds = total_seconds = 0.0
        buckets = self._buckets
        for _, received, found, sent, drained in times:
            total = drained - received
            found_seconds += found - received
            sent_seconds += sent - found
            total_seconds += total
            buckets[bisect_left(BUCKETS, total)] += 1
        self._steps[1] += found_seconds
        self._steps[2] += sent_seconds
        self._steps[3] += total_seconds - found_seconds - sent_seconds
        self._total_seconds += total_seconds
        self._received_bytes += count * received_bytes
        self._sent_bytes += count * sent_bytes
        self._payload_bytes += count * payload_bytes

    def text(self) -> str:
        """All counters, as Prometheus reads them."""
        lines = _head("file_host_requests_total", "counter", "Transactions, by how they ended.")
        for (method, status, complete), count in sorted(self._requests.items()):
            labels = f'method="{method}",status="{status}",complete="{str(complete).lower()}"'
            lines.append(f"file_host_requests_total{{{labels}}} {count}")
        lines += _head("file_host_step_seconds_total", "counter", "Time spent in each step.")
        for step, seconds in zip(STEPS, self._steps, strict=True):
            lines.append(f'file_host_step_seconds_total{{step="{step}"}} {seconds:.9g}')
        lines += self._histogram()
        for name, value, meaning in (
            ("received_bytes", self._received_bytes, "Bytes of requests."),
            ("sent_bytes", self._sent_bytes, "Bytes of responses, heads included."),
            ("sent_payload_bytes", self._payload_bytes, "File content in responses."),
        ):
            lines += _head(f"file_host_{name}_total", "counter", meaning)
            lines.append(f"file_host_{name}_total {value}")
        lines += _head("file_host_refused_total", "counter", "Connections ended for a client's fault.")
        for reason, count in sorted(self._refusals().items()):
            lines.append(f'file_host_refused_total{{reason="{reason}"}} {count}')
        lines += _head("file_host_connections", "gauge", "Connections open now.")
        lines.append(f"file_host_connections {self._connections()}")
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        name = "file_host_request_seconds"
        meaning = "From a request's first byte to its answer's last, acknowledged."
        lines = _head(name, "histogram", meaning)
        passed = 0
        for bound, count in zip((*BUCKETS, "+Inf"), self._buckets, strict=True):
            passed += count
            lines.append(f'{name}_bucket{{le="{bound}"}} {passed}')
        return [*lines, f"{name}_sum {self._total_seconds:.9g}", f"{name}_count {passed}"]


def _head(name: str, kind: str, meaning: str) -> list[str]:
    return [f"# HELP {name} {meaning}", f"# TYPE {name} {kind}"]


class WithMetrics:
    """Files, and the page of counters among them."""

    def __init__(self, files: Files, metrics: Metrics) -> None:
        self._files = files
        self._metrics = metrics

    def find(self, target: str) -> Found | None:
        """The page, or whatever else there is."""
        if path_of(target) == METRICS_PATH:
            return Page(self._metrics.text().encode(), CONTENT_TYPE)
        return self._files.find(target)

    def is_current(self, resource: Resource) -> bool:
        """As the files say."""
        return self._files.is_current(resource)

    def encoded(self, resource: Resource, suffix: str, coding: str) -> Resource | None:
        """As the files say."""
        return self._files.encoded(resource, suffix, coding)

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()
