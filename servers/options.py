"""The options of `python -m servers serve`, and the settings they make."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from servers.host import is_private
from servers.host_settings import HostSettings
from servers.limits import Limits
from servers.settings import SHARINGS
from servers.uploads_routes import SIZE_LIMIT_BYTES
from testbed.units import UnitError, parse_rate, parse_seconds, parse_size

_LIMITS = Limits()


def add_serve_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `serve`."""
    parser.add_argument("directory", metavar="DIR", type=_directory, help="what to serve")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: %(default)s)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=8080,
        help="port to listen at; 0 takes a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--uplink",
        metavar="RATE",
        type=_rate,
        default=math.inf,
        help="rate shared by all connections, such as '8 MiB/s' or '100 Mbit/s' (default: unlimited)",
    )
    parser.add_argument(
        "--sharing",
        choices=SHARINGS,
        default=SHARINGS[0],
        help="who gets a limited uplink next (default: %(default)s)",
    )
    parser.add_argument("--quiet", action="store_true", help="log no transactions")
    parser.add_argument(
        "--metrics",
        action=argparse.BooleanOptionalAction,
        help="counters at /-/metrics (default: on a loopback address only)",
    )
    parser.add_argument(
        "--tls-cert", metavar="FILE", type=_file, help="serve https with this certificate chain (PEM)"
    )
    parser.add_argument(
        "--tls-key", metavar="FILE", type=_file, help="its private key, if not in the same file (PEM)"
    )
    parser.add_argument(
        "--writable",
        action="store_true",
        help="let clients store and remove files, with PUT and DELETE; resumable (default: no)",
    )
    parser.add_argument(
        "--workers",
        metavar="K",
        type=_count,
        default=1,
        help="processes on the same port, each with 1/K of the uplink and connections (default: 1)",
    )
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--upload-limit",
        metavar="SIZE",
        type=_size,
        default=SIZE_LIMIT_BYTES,
        help="of a file that is stored; one that is larger is answered 413 (default: 16 GiB)",
    )
    limits.add_argument(
        "--connections",
        metavar="N",
        type=_count,
        default=_LIMITS.connections,
        help="in all; one more is answered 503 (default: %(default)s)",
    )
    limits.add_argument(
        "--connections-per-address",
        metavar="N",
        type=_count,
        default=_LIMITS.connections_per_address,
        help="from one address; one more is answered 429 (default: %(default)s)",
    )
    limits.add_argument(
        "--head-timeout",
        metavar="TIME",
        type=_duration,
        default=_LIMITS.head_seconds,
        help="for a whole request head; then 408 (default: 10 s)",
    )
    limits.add_argument(
        "--idle-timeout",
        metavar="TIME",
        type=_duration,
        default=_LIMITS.idle_seconds,
        help="between two requests of a connection; then it is closed (default: 60 s)",
    )
    limits.add_argument(
        "--body-rate",
        metavar="RATE",
        type=_rate,
        default=_LIMITS.body_bytes_per_second,
        help="that the body of a request must keep up after ten seconds; else 408 (default: 1 KiB/s)",
    )
    limits.add_argument(
        "--read-rate",
        metavar="RATE",
        type=_rate,
        default=_LIMITS.read_bytes_per_second,
        help="at which a client must take a response, in 30 s; else it is cut (default: 1 KiB/s)",
    )
    parser.add_argument(
        "--drain",
        metavar="TIME",
        type=_duration,
        default=10.0,
        help="for what is under way when told to stop (default: 10 s)",
    )
    parser.add_argument(
        "--service-delay",
        metavar="TIME",
        type=_delay,
        default=0.0,
        help="added to every request before it is answered, to study it (default: none)",
    )


def settings_of(args: argparse.Namespace) -> HostSettings:
    """Make the settings.

    Raises:
      ValueError: options do not fit each other; says so in one line.
    """
    if args.tls_key is not None and args.tls_cert is None:
        raise ValueError("--tls-key: expected --tls-cert with it")
    return HostSettings(
        directory=args.directory,
        host=args.host,
        port=args.port,
        uplink_bytes_per_second=args.uplink,
        sharing=args.sharing,
        limits=Limits(
            connections=args.connections,
            connections_per_address=args.connections_per_address,
            head_seconds=args.head_timeout,
            idle_seconds=args.idle_timeout,
            body_bytes_per_second=args.body_rate,
            read_bytes_per_second=args.read_rate,
        ),
        service_delay_seconds=args.service_delay,
        # Who asks what for is nobody's business but the host's.
        metrics=is_private(args.host) if args.metrics is None else args.metrics,
        log=not args.quiet,
        writable=args.writable,
        upload_limit_bytes=args.upload_limit,
        drain_seconds=args.drain,
        tls_certificate=args.tls_cert,
        tls_key=args.tls_key,
    )


def _directory(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"expected a directory, {text!r} is none")
    return path


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"expected a file, {text!r} is none")
    return path


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"expected a port in 0..65535, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"expected a number above zero, not {text!r}")
    return int(text)


def _rate(text: str) -> float:
    return _above_zero(text, _quantity(parse_rate, text), "rate")


def _size(text: str) -> int:
    return int(_above_zero(text, _quantity(parse_size, text), "size"))


def _duration(text: str) -> float:
    return _above_zero(text, _delay(text), "time")


def _delay(text: str) -> float:
    return _quantity(parse_seconds, text)


def _quantity(parse: Callable[[str], float], text: str) -> float:
    try:
        return parse(text)
    except UnitError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _above_zero(text: str, quantity: float, what: str) -> float:
    if not quantity:
        raise argparse.ArgumentTypeError(f"expected a {what} above zero, not {text!r}")
    return quantity
