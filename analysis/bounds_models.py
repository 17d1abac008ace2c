"""The models that ``python -m analysis bounds`` knows: names, options, sources, and who computes.

Models quoted from memory of their paper are marked; whoever prints them must say "unconfirmed".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from analysis.bounds_options import Options
from analysis.bounds_tables import load, makespan, nodes
from analysis.bounds_tables.table import Table


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the command's list of models."""

    summary: str
    """For --help: what is computed, and from which options."""
    source: str
    compute: Callable[[Options], Table]
    confirmed: bool = True
    """Whether the source was read; otherwise its values are shown as unconfirmed."""


MODELS: Mapping[str, Model] = {
    "fluid": Model(
        "bounds on the makespan (default): --file-size --origin-uplink --client-uplink "
        "--client-downlink --clients [--origins] [--pieces] [--burst]",
        "Kurose & Ross, ch. 2; store-and-forward: derived",
        makespan.fluid,
    ),
    "unequal": Model(
        "bounds for unequal peers and the rates that attain them: --file-size --origin-uplink "
        "--peers [--client-downlink] [--burst]",
        "Kumar & Ross 2006; allocation: derived",
        makespan.unequal,
    ),
    "schedule": Model(
        "optimum for M whole pieces, us = u: --file-size --client-uplink --clients --pieces [--list]",
        "Mundinger, Weber & Weiss 2008",
        makespan.optimal_schedule,
    ),
    "trees": Model(
        "chain, k-ary tree, k striped trees: --file-size --client-uplink --clients --pieces --degree",
        "Biersack, Rodriguez & Felber 2004",
        makespan.tree,
        confirmed=False,
    ),
    "steady-state": Model(
        "peers arrive for ever: --file-size --client-uplink --client-downlink --arrivals "
        "--seeding-time [--patience] [--effectiveness] [--until]",
        "Qiu & Srikant 2004",
        load.open_swarm,
        confirmed=False,
    ),
    "processor-sharing": Model(
        "time in a shared server: --service-time --load; or, for recorded requests, --requests "
        "--origin-uplink [--client-downlink]",
        "textbook (M/G/1 with processor sharing)",
        load.shared_server,
    ),
    "scalability": Model(
        "fit of the scalability law: --measured", "Gunther 2008", load.scalability_law
    ),
    "free-riders": Model(
        "cost of clients that upload nothing: --origin-uplink --client-uplink --clients --share",
        "derived",
        nodes.free_riders,
    ),
    "pollution": Model("cost of bad blocks: --share [--blocks]", "derived", nodes.pollution),
    "departure": Model(
        "when the origin may leave: --file-size --origin-uplink --pieces [--leaves]",
        "derived",
        nodes.departure,
    ),
    "availability": Model(
        "chance that the file can be had: --up --copies [--pieces]", "derived", nodes.availability
    ),
    "burden": Model(
        "who uploads how many copies: --origin-uplink --client-uplink --clients",
        "derived",
        nodes.upload_burden,
    ),
    "sensitivity": Model(
        "effect of more clients or a faster origin: --origin-uplink --client-uplink --clients "
        "[--factor]",
        "derived",
        nodes.sensitivity,
    ),
}
