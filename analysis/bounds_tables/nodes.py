"""Tables of what nodes cost and bear: attackers, departures, burdens, a faster origin."""

from __future__ import annotations

import math
from itertools import product

import numpy as np

from analysis.bounds_options import InputError, Options
from analysis.bounds_tables.table import Rows, Table
from analysis.theory import attacks, burden, churn

#: The chances of a random origin take M^2 (ln M + 40) steps: a few seconds at this M.
MOST_COUPONS = 5_000


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
    if pieces > MOST_COUPONS:
        raise InputError(f"--leaves: expected at most {MOST_COUPONS:,} --pieces, not {pieces:,}")
    # The chance that one is missing is below M exp(-k/M); past this k it is 1e-17 and no float.
    enough = math.ceil(pieces * (math.log(pieces) + 40))
    # Whole pieces only; the small push keeps 5 s at 1 piece/s from counting as 4 pieces.
    sent = np.minimum(leaves * (origin / (file / pieces)) * (1 + 1e-12), enough).astype(int)
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
    origin = options.rate("origin_uplink")
    uplink = options.rate("client_uplink", zero_allowed=True)
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
