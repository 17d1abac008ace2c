import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from analysis import (
    figures,
    figures_of_capacity,
    figures_of_nodes,
    figures_of_one_run,
    figures_of_waiting,
)
from analysis.figure_style import SERVER_COLOUR, SWARM_COLOUR, Form, styled, title
from analysis.losses import CAUSES
from analysis.statistics import Crossover
from analysis.theory.scalability import fit, throughput
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
            "median_completion_seconds": 1.1,
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
        figures.typical_client(trials, ""),
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


def test_the_last_client_stands_beside_the_mean_and_the_median_one(trials):
    mean, median = figures.typical_client(trials, "").axes
    for axes, height in ((mean, 1.0), (median, 1.1)):
        drawn = np.vstack([xy for _, _, xy in markers(axes)])
        assert len(drawn) == len(trials)
        assert set(drawn[:, 1]) == {height}
        assert any(line.get_linestyle() == ":" for line in axes.lines)


@pytest.mark.parametrize("form", list(Form))
def test_panels_stand_side_by_side_on_a_page_and_below_each_other_on_a_phone(trials, form):
    figure = figures.goodput(trials, "", form=form)
    figure.draw_without_rendering()
    first, second = (axes.get_position() for axes in figure.axes)
    assert (first.x1 <= second.x0) == (form is Form.WIDE)
    assert (first.y0 >= second.y1) == (form is Form.NARROW)


@pytest.mark.parametrize("form", list(Form))
def test_a_key_above_the_panels_touches_neither_them_nor_the_title(trials, form):
    rows = [("server", 1, 0.1, 0.2, 0.3), ("swarm", 1, 0.1, 0.2, np.nan)]
    points = pd.DataFrame(rows, columns=["architecture", "clients", "p50", "p90", "p99"])
    figure = figures_of_waiting.waiting_growth(points, points, "", form=form)
    if form is Form.WIDE:
        title(figure, "A question?")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    (key,) = (legend.get_window_extent(renderer) for legend in figure.legends)
    for axes in figure.axes:
        assert not key.overlaps(axes.get_tightbbox(renderer))
    for text in figure.texts:
        assert not key.overlaps(text.get_window_extent(renderer))


def test_quantiles_that_are_not_known_are_not_drawn():
    rows = [("swarm", 1, 0.1, 0.2, np.nan), ("swarm", 8, 0.1, 0.3, 0.4)]
    points = pd.DataFrame(rows, columns=["architecture", "clients", "p50", "p90", "p99"])
    axes, _ = figures_of_waiting.waiting_growth(points, points, "").axes
    assert [len(line.get_xdata()) for line in axes.lines] == [2, 2, 1]
    assert [line.get_linestyle() for line in axes.lines] == ["-", "--", ":"]


def test_a_distribution_of_many_values_is_thinned_without_moving_its_ends():
    values = np.random.default_rng(1).exponential(size=10_000)
    ordered, shares = figures_of_waiting.thinned(values)
    assert len(ordered) == figures_of_waiting.MOST_STEPS
    assert (ordered[0], ordered[-1], shares[-1]) == (values.min(), values.max(), 1.0)
    assert ordered.tolist() == sorted(ordered)
    middle = ordered[np.searchsorted(shares, 0.5)]
    assert middle == pytest.approx(np.median(values), rel=0.02)


def test_each_loss_has_a_bar_as_long_as_its_share():
    index = pd.MultiIndex.from_tuples([("swarm", 4)], names=["architecture", "clients"])
    lost = pd.DataFrame([dict(zip(CAUSES, (0.01, 0.02, 0.0, 0.03, 0.04), strict=True))], index)
    (axes,) = figures_of_capacity.where_the_rest_went(lost, "").axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([0.01, 0.02, 0.0, 0.03, 0.04])
    assert "10.0%" in texts(axes.get_figure())


def test_law_is_drawn_through_what_it_was_fitted_to():
    clients = np.array([1, 2, 4, 8, 16, 32])
    found = fit(clients, throughput(clients, 2e6, 0.05, 1e-3))
    trials = pd.DataFrame(
        {
            "clients": clients,
            "valid": True,
            "throughput_bytes_per_second": throughput(clients, 2e6, 0.05, 1e-3),
        }
    )
    (axes,) = figures_of_capacity.saturation(trials, found, "").axes
    law = max(
        (line for line in axes.lines if line.get_linestyle() == "-"),
        key=lambda one: len(one.get_xdata()),
    )
    drawn = np.interp(8, law.get_xdata(), law.get_ydata())
    assert drawn == pytest.approx(throughput(8, 2e6, 0.05, 1e-3) / 2**20, rel=1e-3)


def test_sources_and_pieces_are_pictures_with_a_cell_for_each_client_and_piece():
    arrivals = np.array([[0.1, 0.2, 0.3], [0.4, np.nan, 0.6]])
    diversity = pd.DataFrame({"finished_seconds": [0.1, 0.6], "evenness": [0.5, 1.0]})
    grid = figures_of_one_run.pieces_when(arrivals, 2, 3, diversity, "").axes[0]
    assert grid.images[0].get_array().shape == (2, 3)
    assert grid.images[0].get_array().mask.sum() == 1
    received = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0]])
    bars, who, *_ = figures_of_one_run.sources(received, 2, "").axes
    assert "62% came from the origin" in texts(bars.get_figure())
    assert who.images[0].get_array().mask.sum() == 3


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
                "nodes": 1,
                "burden": burden,
            }
            for architecture, shares in (("server", (3, 0, 0, 0)), ("swarm", (1.5, 0.5, 0.5, 0.5)))
            for node, burden in enumerate(shares)
        ]
    )
    bars, lorenz = figures_of_nodes.upload_burden(burdens, "").axes
    assert sorted(bar.get_height() for bar in bars.patches) == [0, 0, 0, 0.5, 0.5, 0.5, 1.5, 3]
    assert len(lorenz.lines) == 3
    assert "server: Gini 0.750, Jain 0.250" in texts(lorenz.get_figure())


def test_clients_that_never_finish_keep_the_distribution_below_all():
    done = pd.DataFrame({"architecture": "swarm", "completion_seconds": [1.0, 2.0, np.nan, np.nan]})
    first = pd.DataFrame({"architecture": "swarm", "first_byte_seconds": [0.1] * 4})
    _, whole = figures_of_waiting.completion_distribution(done, first, "").axes
    assert max(whole.lines[0].get_ydata()) == 0.5


def test_large_swarm_is_thinned_out():
    held = pd.DataFrame(
        {"node_id": range(500), "finished_seconds": 1.0, "held": 1},
    )
    diversity = pd.DataFrame(
        {"finished_seconds": [1.0], "mean_copies": [1.0], "least_copies": [1]},
    )
    progress, _ = figures_of_one_run.one_run(held, diversity, 1, "").axes
    assert 0 < len(progress.lines) <= figures_of_one_run.MOST_CLIENTS


def test_a_world_without_requests_has_no_panel_for_them():
    rows = [("swarm", 1, 0.1, 0.2, 0.3), ("swarm", 8, 0.1, 0.3, 0.4)]
    whole = pd.DataFrame(rows, columns=["architecture", "clients", "p50", "p90", "p99"])
    none = whole.assign(p50=np.nan, p90=np.nan, p99=np.nan)
    assert len(figures_of_waiting.waiting_growth(none, whole, "").axes) == 1
    done = pd.DataFrame({"architecture": "swarm", "completion_seconds": [1.0, 2.0]})
    never = pd.DataFrame({"architecture": "swarm", "first_byte_seconds": [np.nan] * 2})
    assert len(figures_of_waiting.completion_distribution(done, never, "").axes) == 1
