"""Tables of how long one distribution takes: bounds, the optimum, trees."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from analysis.bounds_options import MOST_LISTED, InputError, Options
from analysis.bounds_tables.table import Cell, Rows, Table
from analysis.theory import allocation, bounds, schedule, trees


def fluid(options: Options) -> Table:
    """Give both fluid bounds, and the store-and-forward bound if pieces are given."""
    file = options.size("file_size")
    origin = options.rate("origin_uplink")
    uplink = options.rate("client_uplink", zero_allowed=True)
    downlink = options.rate("client_downlink")
    burst = options.seconds("burst", 0.0, zero_allowed=True)
    origins = options.integer("origins") if options.given("origins") else 1
    columns: tuple[str, ...] = ("clients", "server_seconds", "swarm_seconds")
    pieces = options.integer("pieces") if options.given("pieces") else None
    if pieces is not None:
        columns += ("store_and_forward_seconds",)
    rows: Rows = []
    for n in options.integers("clients"):
        row: tuple[Cell, ...] = (
            n,
            bounds.server_seconds(file, origin, downlink, n, burst, origins),
            bounds.swarm_seconds(file, origin, uplink, downlink, n, burst),
        )
        if pieces is not None:
            row += (bounds.store_and_forward_seconds(file, origin, uplink, n, pieces, burst),)
        rows.append(row)
    return Table(columns, rows)


def unequal(options: Options) -> Table:
    """Give the bounds for classes of peers, and the rates that attain the swarm's."""
    file, origin = options.size("file_size"), options.rate("origin_uplink")
    classes = options.peers("peers")
    counts = [count for count, _ in classes]
    uplinks = np.repeat([rate for _, rate in classes], counts)
    downlinks = np.full(len(uplinks), options.rate("client_downlink", math.inf))
    burst = options.seconds("burst", 0.0, zero_allowed=True)
    rates = allocation.attaining_allocation(origin, uplinks, downlinks)
    server = allocation.unequal_server_seconds(file, origin, downlinks, burst)
    swarm = allocation.unequal_swarm_seconds(file, origin, uplinks, downlinks, burst)
    first_of_class = np.cumsum([0, *counts[:-1]])
    return Table(
        (
            "peers",
            "uplink_bytes_per_second",
            "copied_bytes_per_second",
            "direct_bytes_per_second",
            "server_seconds",
            "swarm_seconds",
        ),
        [
            (
                count,
                rate,
                float(rates.copied_bytes_per_second[first]),
                rates.direct_bytes_per_second,
                float(server),
                float(swarm),
            )
            for (count, rate), first in zip(classes, first_of_class, strict=True)
        ],
    )


def optimal_schedule(options: Options) -> Table:
    """Give the optimum for M whole pieces and equal uplinks, or list every transfer of it."""
    file, uplink = options.size("file_size"), options.rate("client_uplink")
    clients, pieces = options.integers("clients"), options.integer("pieces")
    if not options.given("list"):
        rows: Rows = [
            (
                n,
                pieces,
                int(schedule.optimal_rounds(n, pieces)),
                float(schedule.optimal_seconds(file, uplink, n, pieces)),
            )
            for n in clients
        ]
        return Table(("clients", "pieces", "rounds", "optimal_seconds"), rows)
    if len(clients) != 1:
        raise InputError(f"--list needs one number of --clients, not {len(clients)}")
    if clients[0] * pieces > MOST_LISTED:
        raise InputError(f"--list: expected at most {MOST_LISTED:,} transfers")
    round_seconds = file / pieces / uplink
    plan = schedule.optimal_schedule(clients[0], pieces)
    return Table(
        ("round", "source_id", "target_id", "piece", "started_seconds", "finished_seconds"),
        [
            (*transfer, transfer.round * round_seconds, (transfer.round + 1) * round_seconds)
            for transfer in plan.transfers
        ],
    )


def tree(options: Options) -> Table:
    """Give the times of a chain, of one k-ary tree and of k striped trees."""
    file, uplink = options.size("file_size"), options.rate("client_uplink")
    pieces = options.integer("pieces")
    arguments = product(options.integers("clients"), options.integers("degree"))
    return Table(
        (
            "clients",
            "degree",
            "chain_seconds",
            "tree_of_a_client_seconds",
            "tree_of_the_origin_seconds",
            "striped_trees_seconds",
        ),
        [
            (
                n,
                k,
                float(trees.chain_seconds(file, uplink, n, pieces)),
                float(trees.tree_seconds(file, uplink, n, pieces, k, "client")),
                float(trees.tree_seconds(file, uplink, n, pieces, k, "origin")),
                float(trees.striped_trees_seconds(file, uplink, n, pieces, k)),
            )
            for n, k in arguments
        ],
    )
