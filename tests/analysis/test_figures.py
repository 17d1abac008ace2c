import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from analysis import figures, figures_of_nodes
from analysis.figure_style import SERVER_COLOUR, SWARM_COLOUR, styled
from analysis.statistics import Crossover
from testbed.thresholds import Threshold

CLIENTS = (1, 4, 8, 32)


@pytest.fixture(autouse=True)
def style():
    with mpl.rc_context(styled()):
        yield


@pytest.fixture
def trials():
    rows = [
        {
            "architecture": architecture,
            "clients": clients,
            "repeat": repeat,
            "valid": clients != 4,
            "makespan_seconds": (clients if architecture == "server" else 2.0) + repeat / 10,
            "mean_completion_seconds": 1.0,
            "best_seconds": 0.9,
            "origin_copies": 1.0 + clients,
            "offload": 0.5,
            "goodput_bytes_per_second": 1e6 * clients,
            "possible_bytes_per_second": 2e6 * clients,
            "uplink_utilisation": 0.7,
            "efficiency": 0.9,
        }
        for architecture in ("server", "swarm")
        for clients in CLIENTS
        for repeat in range(3)
    ]
    return pd.DataFrame(rows)


def markers(axes):
    """Give x and y of every point drawn, by colour and whether it is filled."""
    return [
        (line.get_color(), line.get_markerfacecolor() != "none", line.get_xydata())
        for line in axes.lines
        if line.get_marker() in {"s", "o"} and line.get_linestyle() == "None"
    ]


def texts(figure):
    return " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))


def test_every_repeat_is_a_point(trials):
    axes = figures.completion_time(trials, None, "live world").axes[0]
    drawn = np.vstack([xy for _, _, xy in markers(axes)])
    assert len(drawn) == len(trials)


def test_points_that_are_not_valid_are_hollow(trials):
    axes = figures.completion_time(trials, None, "live world").axes[0]
    hollow = np.vstack([xy for _, filled, xy in markers(axes) if not filled])
    assert set(hollow[:, 0]) == {4}


def test_one_colour_means_one_architecture_in_every_figure(trials):
    ideal = pd.DataFrame(
        {"proportional_offload": [0.1, 0.5], "most_offload": [0.2, 0.6]}, index=[1, 32]
    )
    drawn = [
        figures.completion_time(trials, None, ""),
        figures.origin_traffic(trials, ideal, ""),
        figures.goodput(trials, ""),
        figures.efficiency(trials, [], ""),
    ]
    for figure in drawn:
        for axes in figure.axes:
            assert {colour for colour, _, _ in markers(axes)} == {SERVER_COLOUR, SWARM_COLOUR}


def test_axes_are_labelled_and_the_world_is_named(trials):
    figure = figures.completion_time(trials, None, "flash_crowd, live world")
    assert "live world" in texts(figure)
    assert "seconds" in figure.axes[0].get_ylabel()
    assert "N" in figure.axes[0].get_xlabel()


def test_crossover_is_marked_with_its_interval(trials):
    figure = figures.completion_time(trials, Crossover(4, 8), "")
    assert "above 4, at most 8" in texts(figure)


def test_curves_are_labelled_at_their_ends(trials):
    said = texts(figures.completion_time(trials, None, ""))
    assert "server 32.1 s" in said
    assert "swarm 2.1 s" in said


def test_threshold_is_drawn_from_its_first_n_on(trials):
    threshold = Threshold(metric="swarm_efficiency", at_least=0.8, from_clients=8)
    axes = figures.efficiency(trials, [threshold], "").axes[0]
    (line,) = [line for line in axes.lines if set(line.get_ydata()) == {0.8}]
    assert 4 < line.get_xdata()[0] < 8
    assert line.get_color() == SWARM_COLOUR


def test_burden_has_a_bar_for_every_node():
    burdens = pd.DataFrame(
        [
            {
                "architecture": architecture,
                "repeat": 1,
                "node_id": node,
                "role": "client" if node else "origin",
                "burden": burden,
            }
            for architecture, shares in (("server", (3, 0, 0, 0)), ("swarm", (1.5, 0.5, 0.5, 0.5)))
            for node, burden in enumerate(shares)
        ]
    )
    bars, lorenz = figures_of_nodes.upload_burden(burdens, "").axes
    assert sorted(bar.get_height() for bar in bars.patches) == [0, 0, 0, 0.5, 0.5, 0.5, 1.5, 3]
    assert len(lorenz.lines) == 3


def test_clients_that_never_finish_keep_the_distribution_below_all():
    done = pd.DataFrame({"architecture": "swarm", "completion_seconds": [1.0, 2.0, np.nan, np.nan]})
    first = pd.DataFrame({"architecture": "swarm", "first_byte_seconds": [0.1] * 4})
    _, whole = figures_of_nodes.completion_distribution(done, first, "").axes
    assert max(whole.lines[0].get_ydata()) == 0.5


def test_large_swarm_is_thinned_out():
    held = pd.DataFrame(
        {"node_id": range(500), "finished_seconds": 1.0, "held": 1},
    )
    diversity = pd.DataFrame(
        {"finished_seconds": [1.0], "mean_copies": [1.0], "least_copies": [1]},
    )
    progress, _ = figures_of_nodes.one_run(held, diversity, 1, "").axes
    assert 0 < len(progress.lines) <= figures_of_nodes.MOST_CLIENTS
