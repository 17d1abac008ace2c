"""Lower bounds on the makespan when everybody wants one file at once.

Symbols: file F, origin uplink us, client uplink u, client downlink d, N clients, M pieces of size
p = F/M, burst b. Rates are bytes per second. A run that is faster than one of these bounds was
measured wrongly; it is never a good result.

**Bursts.** A modelled link keeps a virtual finish time, ``v = max(v, now - b) + n/rate``, and a
message leaves at ``v``. However often it idles, the bytes that have left by T are therefore at most
``rate * (T + b)``: in every term the link may be ahead by ``rate * b`` bytes, which are taken off
first. For one link F/r becomes (F - r b)/r; for all links together (NF - (us + Nu) b)/(us + Nu).
Both are the plain term less ``b`` seconds. The store-and-forward bound needs more care, because a
client's burst can be spent only after it has a piece: see there. No bound goes below zero.
"""

from __future__ import annotations

from typing import overload

import numpy as np

from analysis.theory.arrays import FloatArray, Values, at_least, divide, plain


@overload
def server_seconds(
    file_bytes: float,
    origin_uplink: float,
    client_downlink: float,
    clients: float,
    burst_seconds: float = ...,
    origins: float = ...,
) -> float: ...
@overload
def server_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_downlink: Values,
    clients: Values,
    burst_seconds: Values = ...,
    origins: Values = ...,
) -> Values: ...
def server_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_downlink: Values,
    clients: Values,
    burst_seconds: Values = 0.0,
    origins: Values = 1.0,
) -> Values:
    """Bound the makespan when a server, or m equal ones, send the file to every client.

    T >= max{N F/(m us), F/d} - b. Source: Kurose & Ross, Computer Networking, ch. 2, for one server;
    m of them have m uplinks. The burst is derived in the module's text. Arguments broadcast. Where
    each client asks one origin only, see also ``balancing.fullest_origin_seconds``.

    Args:
      file_bytes: F.
      origin_uplink: us of each server, bytes per second; may be infinite.
      client_downlink: The smallest d, bytes per second; may be infinite.
      clients: N, at least 1.
      burst_seconds: b, the time by which each link may be ahead of its rate.
      origins: m, how many servers there are, at least 1.

    Returns:
      Seconds.

    Raises:
      ValueError: a value is out of range.
    """
    file = at_least("file_bytes", file_bytes, 0)
    count = at_least("clients", clients, 1)
    origin = at_least("origin_uplink", origin_uplink, 0) * at_least("origins", origins, 1)
    downlink = at_least("client_downlink", client_downlink, 0)
    return _less_burst(np.maximum(divide(count * file, origin), divide(file, downlink)), burst_seconds)


@overload
def swarm_seconds(
    file_bytes: float,
    origin_uplink: float,
    client_uplink: float,
    client_downlink: float,
    clients: float,
    burst_seconds: float = ...,
) -> float: ...
@overload
def swarm_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_uplink: Values,
    client_downlink: Values,
    clients: Values,
    burst_seconds: Values = ...,
) -> Values: ...
def swarm_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_uplink: Values,
    client_downlink: Values,
    clients: Values,
    burst_seconds: Values = 0.0,
) -> Values:
    """Bound the makespan when clients of equal uplink pass the file on to each other.

    T >= max{F/us, F/d, N F/(us + N u)} - b. Source: Kurose & Ross, ch. 2; the burst is derived in
    the module's text. For unequal peers see ``allocation.unequal_swarm_seconds``. Arguments
    broadcast.

    Args:
      file_bytes: F.
      origin_uplink: us, bytes per second; may be infinite.
      client_uplink: u of each client, bytes per second; may be zero or infinite.
      client_downlink: The smallest d, bytes per second; may be infinite.
      clients: N, at least 1.
      burst_seconds: b, the time by which each link may be ahead of its rate.

    Returns:
      Seconds.

    Raises:
      ValueError: a value is out of range.
    """
    file = at_least("file_bytes", file_bytes, 0)
    count = at_least("clients", clients, 1)
    origin = at_least("origin_uplink", origin_uplink, 0)
    uplink = at_least("client_uplink", client_uplink, 0)
    downlink = at_least("client_downlink", client_downlink, 0)
    everything = divide(count * file, origin + count * uplink)
    one_copy = np.maximum(divide(file, origin), divide(file, downlink))
    return _less_burst(np.maximum(one_copy, everything), burst_seconds)


@overload
def store_and_forward_seconds(
    file_bytes: float,
    origin_uplink: float,
    client_uplink: float,
    clients: float,
    pieces: float,
    burst_seconds: float = ...,
) -> float: ...
@overload
def store_and_forward_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_uplink: Values,
    clients: Values,
    pieces: Values,
    burst_seconds: Values = ...,
) -> Values: ...
def store_and_forward_seconds(
    file_bytes: Values,
    origin_uplink: Values,
    client_uplink: Values,
    clients: Values,
    pieces: Values,
    burst_seconds: Values = 0.0,
) -> Values:
    """Bound the makespan of a swarm whose peers pass on only whole, verified pieces.

    T >= N(F - p)/(us + N u) + (p/u) ln(1 + N u/us). Source: derived. Let B(t) be all bytes
    received. A client uploads only while it holds a piece, and k clients with a piece have
    received k p bytes, so B' <= us + u min{N, B/p}: exponential growth until B = N p, all uplinks
    after that. This bound does not include F/us and F/d; ``swarm_seconds`` does.

    With bursts, the origin is ahead by us b from the start and a client by u b from its first piece
    on, so B <= us(t + b) + (u/p)∫B + (u b/p) B while it grows. With c = 1 - u b/p the growth ends
    at t1 = c (p/u) ln(c (1 + N u/us)), all bursts spent, and the rest takes N(F - p)/(us + N u).
    Where c <= 0 or t1 <= 0 the bursts cover the whole growth, and N F/(us + N u) - b is left.

    Args:
      file_bytes: F.
      origin_uplink: us, bytes per second; may be infinite.
      client_uplink: u of each client, bytes per second; may be zero or infinite.
      clients: N, at least 1.
      pieces: M, at least 1, of equal size.
      burst_seconds: b, the time by which each uplink may be ahead of its rate.

    Returns:
      Seconds.

    Raises:
      ValueError: a value is out of range.
    """
    file = at_least("file_bytes", file_bytes, 0)
    count = at_least("clients", clients, 1)
    origin = at_least("origin_uplink", origin_uplink, 0)
    uplink = at_least("client_uplink", client_uplink, 0)
    piece = file / at_least("pieces", pieces, 1)
    burst = at_least("burst_seconds", burst_seconds, 0)

    total_rate = origin + count * uplink
    without_growth = divide(count * file, total_rate) - burst
    rest = divide(count * (file - piece), total_rate)
    growth = _growth_seconds(piece, origin, uplink, count, burst)
    seconds = np.where(growth > 0, rest + growth, without_growth)
    return plain(np.maximum(seconds, 0.0))


def _growth_seconds(
    piece: FloatArray,
    origin: FloatArray,
    uplink: FloatArray,
    count: FloatArray,
    burst: FloatArray,
) -> FloatArray:
    """Say when N p bytes can have been received, at the earliest; <= 0 if bursts cover that."""
    piece, origin, uplink, count, burst = np.broadcast_arrays(piece, origin, uplink, count, burst)
    # Clients that never upload leave the origin alone with N pieces: the limit for u -> 0.
    seconds = divide(count * piece, origin) - burst
    grows = (uplink > 0) & np.isfinite(uplink) & (piece > 0)
    # A place where the formula does not apply is computed with 1 and thrown away.
    u, p = np.where(grows, uplink, 1.0), np.where(grows, piece, 1.0)
    spent = 1.0 - u * burst / p
    usable = np.maximum(spent, np.finfo(np.float64).tiny)
    # log1p keeps its digits where N u is far below us.
    logarithm = np.log(usable) + np.log1p(divide(count * u, origin))
    exponential = np.where(spent > 0, usable * p / u * logarithm, -1.0)
    return np.where(uplink > 0, np.where(grows, exponential, 0.0), seconds)


def _less_burst(seconds: FloatArray, burst_seconds: Values) -> Values:
    """Take the burst off a fluid bound, which stays at least zero."""
    burst = at_least("burst_seconds", burst_seconds, 0)
    return plain(np.maximum(seconds - burst, 0.0))
