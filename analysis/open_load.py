"""A server under open load: how long requests took, and would take if its uplink were shared exactly.

Requests arrive by themselves, whatever became of those before. Theory has a formula for their mean time
and no more than that: what a minute of Poisson arrivals really brings scatters by ten per cent and more
around it. So the measured times are set against exact processor sharing of the arrivals and sizes that
this very run recorded, which leaves nothing to chance: of the requests as they were made, a little
after they were meant to. Both times count from the intended start: the delay is in both, and shown.
The stricter ratio, to the arrivals as they were meant, blames the delay on the server; it is shown too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.load import RunData
from analysis.theory.processor_sharing import exact_completions, load, mean_response_seconds
from analysis.transfers import TrialKeys
from analysis.wording import number, seconds
from testbed.arrivals import FLASH_CROWD, parse_departures, poisson_rate
from testbed.load import expected_bytes
from testbed.scenario import Scenario
from testbed.sessions import UNINTERRUPTED

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Responses:
    """The requests of one trial, each from its intended start to its last byte, in one order."""

    measured_seconds: FloatArray
    ideal_seconds: FloatArray
    """Under exact processor sharing of the same arrivals and sizes, from when each was made."""
    intended_seconds: FloatArray
    """Under exact processor sharing, had each been made when it was meant to."""
    late_seconds: FloatArray
    """From the intended start until the request was made: the generator's, and dialling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLoad:
    """What the requests of one N took on average, the repeats pooled."""

    load: float | None
    """rho, as the scenario offers it; None where arrivals have no constant rate."""
    requests: int
    mean_seconds: float
    ideal_seconds: float
    intended_seconds: float
    """Under exact processor sharing of the arrivals as they were meant."""
    late_seconds: float
    """How much of both is from the intended start until the request was made."""
    formula_seconds: float | None
    """E[S]/(1 - rho); None where arrivals are not Poisson's, or more than the uplink carries."""

    @property
    def ratio(self) -> float:
        """Measured over exact processor sharing."""
        return self.mean_seconds / self.ideal_seconds

    @property
    def intended_ratio(self) -> float:
        """Measured over exact processor sharing of the arrivals as they were meant."""
        return self.mean_seconds / self.intended_seconds


def is_open(scenario: Scenario) -> bool:
    """Whether the server is one line, shared evenly by requests that come by themselves."""
    links = scenario.links
    servers = scenario.tables.get("servers", {})
    return (
        "server" in scenario.architectures
        and scenario.arrivals != FLASH_CROWD
        and not scenario.repetition.is_closed
        and not scenario.has_outages
        and not parse_departures(scenario.departures).aborts_per_second
        and scenario.sessions == UNINTERRUPTED
        # Whatever else a server is set to do is nothing that the theory knows.
        and set(servers) <= {"sharing", "origins", "choice"}
        and servers.get("sharing", "fair") == "fair"
        and servers.get("origins", 1) == 1
        and math.isfinite(links.origin_uplink_bytes_per_second)
        and not (links.classes or links.pairs or links.longest_latency_seconds or links.has_loss)
    )


def gather_responses(run: RunData, trials: Collection[TrialKeys]) -> dict[TrialKeys, Responses]:
    """Read the requests of the server's trials; nothing where the load is not open (`is_open`)."""
    if not is_open(run.scenario):
        return {}
    links = run.scenario.links
    times = ["scheduled_seconds", "started_seconds", "finished_seconds", "payload_bytes"]
    parts: dict[TrialKeys, list[FloatArray]] = {}
    wanted = {trial for trial in trials if trial[1] == "server"}
    for trial, rows in run.transfers.by_trial([*times, "outcome"], only=wanted):
        useful = rows.loc[rows["outcome"] == "ok", times]
        parts.setdefault(trial, []).append(useful.to_numpy(dtype=np.float64))
    responses = {}
    for trial, found in sorted(parts.items()):
        due, made, ends, sizes = np.concatenate(found).T
        if not len(due):
            continue
        uplink = links.origin_uplink_bytes_per_second
        downlink = links.client_downlink_bytes_per_second
        ideal, intended = (exact_completions(one, sizes, uplink, downlink) for one in (made, due))
        responses[trial] = Responses(ends - due, ideal - due, intended - due, made - due)
    return responses


def pool(responses: Sequence[Responses], scenario: Scenario, file_bytes: int) -> OpenLoad | None:
    """Average the requests of one N over its repeats; None if there are none."""
    if not responses:
        return None
    measured, ideal, intended, late = (
        np.concatenate([getattr(one, name) for one in responses])
        for name in ("measured_seconds", "ideal_seconds", "intended_seconds", "late_seconds")
    )
    rho = offered_load(scenario, file_bytes)
    formula = None
    links = scenario.links
    uplink = links.origin_uplink_bytes_per_second
    # The formula is of clients that take whatever the server gives them.
    if rho is not None and rho < 1 and links.client_downlink_bytes_per_second >= uplink:
        service = expected_bytes(scenario.sizes, file_bytes) / uplink
        formula = float(mean_response_seconds(service, rho))
    return OpenLoad(
        load=rho,
        requests=len(measured),
        mean_seconds=float(measured.mean()),
        ideal_seconds=float(ideal.mean()),
        intended_seconds=float(intended.mean()),
        late_seconds=float(late.mean()),
        formula_seconds=formula,
    )


def offered_load(scenario: Scenario, file_bytes: int) -> float | None:
    """Give rho: the share of the origin's uplink that Poisson arrivals ask for; None for others."""
    rate = poisson_rate(scenario.arrivals)
    if rate is None:
        return None
    mean = expected_bytes(scenario.sizes, file_bytes)
    return float(load(rate, mean, scenario.links.origin_uplink_bytes_per_second))


def describe(found: OpenLoad) -> str:
    """Say in a sentence how near to processor sharing requests were served."""
    sentence = (
        f"A request took {seconds(found.mean_seconds)} on average; exact processor sharing of the same "
        f"arrivals takes {seconds(found.ideal_seconds)} (ratio {number(found.ratio)})"
    )
    if found.formula_seconds is None:
        return sentence + "."
    formula = seconds(found.formula_seconds)
    return (
        f"{sentence}, the formula E[S]/(1 - rho) for a load of {number(found.load, 2)} says {formula}."
    )
