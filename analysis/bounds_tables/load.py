"""Tables of systems under load: peers that arrive for ever, a shared server, saturation."""

from __future__ import annotations

import math

from analysis.bounds_options import InputError, Options
from analysis.bounds_tables.table import Rows, Table
from analysis.theory import processor_sharing, scalability, steady_state


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
