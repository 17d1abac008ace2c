"""Every formula of ``analysis.theory`` as a table that ``python -m analysis bounds`` can print.

A model reads the options it needs and gives columns and rows. Models quoted from memory of their
paper are marked; whoever prints them must say "unconfirmed".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from analysis.bounds_options import InputError, Options
from analysis.theory import (
    allocation,
    attacks,
    bounds,
    burden,
    churn,
    processor_sharing,
    scalability,
    schedule,
    steady_state,
    trees,
)

Cell = int | float | str | bool
Rows = list[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """What a model computed."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the command's list of models."""

    summary: str
    """For --help: what is computed, and from which options."""
    source: str
    compute: Callable[[Options], Table]
    confirmed: bool = True
    """Whether the source was read; otherwise its values are shown as unconfirmed."""


def fluid(options: Options) -> Table:
    """Give both fluid bounds, and the store-and-forward bound if pieces are given."""
    file = options.size("file_size")
    origin, uplink = options.rate("origin_uplink"), options.rate("client_uplink")
    downlink = options.rate("client_downlink")
    burst = options.seconds("burst", 0.0)
    columns: tuple[str, ...] = ("clients", "server_seconds", "swarm_seconds")
    pieces = options.integer("pieces") if options.given("pieces") else None
    if pieces is not None:
        columns += ("store_and_forward_seconds",)
    rows: Rows = []
    for n in options.integers("clients"):
        row: tuple[Cell, ...] = (
            n,
            bounds.server_seconds(file, origin, downlink, n, burst),
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
    burst = options.seconds("burst", 0.0)
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


def open_swarm(options: Options) -> Table:
    """Give the rest state of a swarm with arrivals, or how it gets there from an empty one."""
    file = options.size("file_size")
    models = [
        steady_state.OpenSwarm(
            arrivals_per_second=float(arrivals),
            download_files_per_second=options.rate("client_downlink") / file,
            upload_files_per_second=options.rate("client_uplink") / file,
            abort_rate=1 / options.seconds("patience", math.inf),
            seed_leave_rate=1 / options.seconds("seeding_time"),
            effectiveness=float(options.numbers("effectiveness", 1.0)[0]),
        )
        for arrivals in options.numbers("arrivals")
    ]
    if options.given("until"):
        if len(models) != 1:
            raise InputError(f"--until needs one number of --arrivals, not {len(models)}")
        # The first peer needs somebody to download from.
        course = steady_state.trajectory(models[0], options.seconds("until"), downloaders=0, seeds=1)
        columns = (course.seconds, course.downloaders, course.seeds)
        rows: Rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return Table(("seconds", "downloaders", "seeds"), rows)
    return Table(
        ("arrivals_per_second", "mean_download_seconds", "downloaders", "seeds"),
        [
            (
                model.arrivals_per_second,
                float(
                    steady_state.mean_download_seconds(
                        model.download_files_per_second,
                        model.upload_files_per_second,
                        model.abort_rate,
                        model.seed_leave_rate,
                        model.effectiveness,
                    )
                ),
                *steady_state.equilibrium(model),
            )
            for model in models
        ],
    )


def shared_server(options: Options) -> Table:
    """Give mean times under processor sharing, or the exact ones of recorded requests."""
    if options.given("requests"):
        arrivals, sizes = options.requests("requests")
        ends = processor_sharing.exact_completions(
            arrivals,
            sizes,
            options.rate("origin_uplink"),
            options.rate("client_downlink", math.inf),
        )
        columns = (arrivals, sizes, ends, ends - arrivals)
        rows: Rows = list(zip(*(column.tolist() for column in columns), strict=True))
        return Table(
            ("arrival_seconds", "response_bytes", "finished_seconds", "response_seconds"), rows
        )
    service = options.seconds("service_time")
    return Table(
        ("load", "mean_response_seconds"),
        [
            (rho, float(processor_sharing.mean_response_seconds(service, rho)))
            for rho in options.numbers("load").tolist()
        ],
    )


def scalability_law(options: Options) -> Table:
    """Fit the law to measured throughputs."""
    found = scalability.fit(*options.measurements("measured"))
    rows: Rows = [
        (name, estimate.value, estimate.low, estimate.high)
        for name, estimate in (
            ("gain", found.gain),
            ("contention", found.contention),
            ("coherency", found.coherency),
        )
    ]
    rows.append(("peak_users", found.peak_users, "", ""))
    rows.append(("worst_relative_residual", found.worst_relative_residual, "", ""))
    return Table(("parameter", "value", "low_95", "high_95"), rows)


def free_riders(options: Options) -> Table:
    """Give the factor by which free riders slow a swarm down."""
    origin, uplink = options.rate("origin_uplink"), options.rate("client_uplink")
    return Table(
        ("clients", "free_riding_share", "slowdown"),
        [
            (n, share, float(attacks.free_rider_slowdown(origin, uplink, n, share)))
            for n, share in product(options.integers("clients"), options.numbers("share").tolist())
        ],
    )


def pollution(options: Options) -> Table:
    """Give the downloads per good piece."""
    blocks = options.integers("blocks") if options.given("blocks") else [1]
    return Table(
        ("bad_block_share", "blocks_hashed_together", "downloads_per_good_piece"),
        [
            (share, b, float(attacks.downloads_per_good_piece(share, b)))
            for share, b in product(options.numbers("share").tolist(), blocks)
        ],
    )


def departure(options: Options) -> Table:
    """Say when an origin may leave, and who survives if it leaves at given times."""
    file, origin = options.size("file_size"), options.rate("origin_uplink")
    pieces = options.integer("pieces")
    orderly = float(churn.injection_seconds(file, origin))
    shuffled = float(churn.random_injection_seconds(file, origin, pieces))
    if not options.given("leaves"):
        return Table(
            ("pieces", "orderly_injection_seconds", "random_injection_seconds"),
            [(pieces, orderly, shuffled)],
        )
    leaves = options.duration_list("leaves")
    # Whole pieces only; the small push keeps 5 s at 1 piece/s from counting as 4 pieces.
    sent = np.floor(leaves * origin / (file / pieces) * (1 + 1e-12)).astype(int)
    chances = churn.all_injected_probabilities(pieces, int(sent.max()))
    return Table(
        ("leaves_seconds", "orderly_origin_suffices", "random_origin_suffices_probability"),
        [
            (at, bool(churn.survives_departure(file, origin, at)), float(chances[k]))
            for at, k in zip(leaves.tolist(), sent.tolist(), strict=True)
        ],
    )


def availability(options: Options) -> Table:
    """Give the chances that a file can be had."""
    pieces = options.integer("pieces") if options.given("pieces") else 1
    return Table(
        ("up_probability", "copies", "server", "full_copies", "scattered_pieces_at_least"),
        [
            (
                up,
                r,
                float(churn.server_availability(up)),
                float(churn.replicated_availability(up, r)),
                float(churn.scattered_availability(up, r, pieces)),
            )
            for up, r in product(options.numbers("up").tolist(), options.integers("copies"))
        ],
    )


def upload_burden(options: Options) -> Table:
    """Give everybody's burden and its inequality."""
    origin, uplink = options.rate("origin_uplink"), options.rate("client_uplink")
    rows: Rows = []
    for n in options.integers("clients"):
        for architecture in burden.ARCHITECTURES:
            arguments = (origin, uplink, n, architecture)
            rows.append(
                (
                    n,
                    architecture,
                    float(burden.origin_burden(*arguments)),
                    float(burden.client_burden(*arguments)),
                    float(1 - burden.origin_share(*arguments)),
                    float(burden.gini(*arguments)),
                    float(burden.jain(*arguments)),
                )
            )
    columns = ("origin_burden", "client_burden", "offload", "gini", "jain")
    return Table(("clients", "architecture", *columns), rows)


def sensitivity(options: Options) -> Table:
    """Give what more clients, or a faster origin, would change."""
    origin, uplink = options.rate("origin_uplink"), options.rate("client_uplink")
    factors = options.numbers("factor", 2.0).tolist()
    rows: Rows = []
    for n, architecture in product(options.integers("clients"), burden.ARCHITECTURES):
        arguments = (origin, uplink, n)
        rows += [
            (
                n,
                architecture,
                float(burden.scaling_exponent(*arguments, architecture)),
                float(burden.server_elasticity(*arguments, architecture)),
                factor,
                float(burden.upgrade_ratio(*arguments, factor, architecture)),
            )
            for factor in factors
        ]
    columns = ("scaling_exponent", "server_elasticity", "origin_factor", "makespan_ratio")
    return Table(("clients", "architecture", *columns), rows)


MODELS: Mapping[str, Model] = {
    "fluid": Model(
        "bounds on the makespan (default): --file-size --origin-uplink --client-uplink "
        "--client-downlink --clients [--pieces] [--burst]",
        "Kurose & Ross, ch. 2; store-and-forward: derived",
        fluid,
    ),
    "unequal": Model(
        "bounds for unequal peers and the rates that attain them: --file-size --origin-uplink "
        "--peers [--client-downlink] [--burst]",
        "Kumar & Ross 2006; allocation: derived",
        unequal,
    ),
    "schedule": Model(
        "optimum for M whole pieces, us = u: --file-size --client-uplink --clients --pieces [--list]",
        "Mundinger, Weber & Weiss 2008",
        optimal_schedule,
    ),
    "trees": Model(
        "chain, k-ary tree, k striped trees: --file-size --client-uplink --clients --pieces --degree",
        "Biersack, Rodriguez & Felber 2004",
        tree,
        confirmed=False,
    ),
    "steady-state": Model(
        "peers arrive for ever: --file-size --client-uplink --client-downlink --arrivals "
        "--seeding-time [--patience] [--effectiveness] [--until]",
        "Qiu & Srikant 2004",
        open_swarm,
        confirmed=False,
    ),
    "processor-sharing": Model(
        "time in a shared server: --service-time --load; or, for recorded requests, --requests "
        "--origin-uplink [--client-downlink]",
        "textbook (M/G/1 with processor sharing)",
        shared_server,
    ),
    "scalability": Model("fit of the scalability law: --measured", "Gunther 2008", scalability_law),
    "free-riders": Model(
        "cost of clients that upload nothing: --origin-uplink --client-uplink --clients --share",
        "derived",
        free_riders,
    ),
    "pollution": Model("cost of bad blocks: --share [--blocks]", "derived", pollution),
    "departure": Model(
        "when the origin may leave: --file-size --origin-uplink --pieces [--leaves]",
        "derived",
        departure,
    ),
    "availability": Model(
        "chance that the file can be had: --up --copies [--pieces]", "derived", availability
    ),
    "burden": Model(
        "who uploads how many copies: --origin-uplink --client-uplink --clients",
        "derived",
        upload_burden,
    ),
    "sensitivity": Model(
        "effect of more clients or a faster origin: --origin-uplink --client-uplink --clients "
        "[--factor]",
        "derived",
        sensitivity,
    ),
}
