import json
import re
from html.parser import HTMLParser

import pytest

from analysis import charts, charts_of_one_run
from analysis.charts import drawable
from analysis.findings import State
from analysis.report import write_report
from tests.analysis.make_run import make_run, make_scenario

POINT = {
    "architecture", "clients", "repeats", "valid", "warnings", "makespan_seconds", "bound_seconds",
    "efficiency", "tightness", "goodput_bytes_per_second", "completion_seconds",
    "first_byte_seconds", "cpu_seconds_per_gigabyte", "request_latency_seconds", "origin_copies",
    "offload", "burden_mean", "burden_max", "gini", "jain", "peers_only", "wasted_fraction",
    "generator_cpu_fraction",
}  # fmt: skip
CHARTS = {
    "completion_time", "typical_client", "upload_burden", "origin_traffic", "goodput",
    "waiting_growth", "waiting", "request_latency", "request_distribution", "one_run", "pieces_when",
    "sources", "efficiency", "losses",
}  # fmt: skip
ONE_REPEAT = make_scenario(clients=(2, 6), repeats=1)


class Outline(HTMLParser):
    """Collects what a page is made of, and complains about what is not nested."""

    VOID = frozenset({"meta", "link", "br", "img", "path", "use", "rect", "hr", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    """A report of the whole synthetic run: made once, only read."""
    return write_report(make_run(tmp_path_factory.mktemp("results")))


@pytest.fixture(scope="module")
def html(reported):
    return reported.report_path.read_text()


@pytest.fixture(scope="module")
def outline(html):
    found = Outline()
    found.feed(html)
    assert found.open == []
    return found


@pytest.fixture(scope="module")
def summary(reported):
    return json.loads((reported.report_path.parent / "summary.json").read_text())


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the figures out, which take most of a report's time."""
    monkeypatch.setattr("analysis.report.make_charts", lambda *_: [])


@pytest.fixture
def few_drawn(monkeypatch):
    """Draws what a test looks at, and a picture."""

    def draw(*gathered: object):
        drawn = drawable(*gathered)
        return [charts.completion_chart(drawn), *charts_of_one_run.one_run_charts(drawn)[1:2]]

    monkeypatch.setattr("analysis.report.make_charts", draw)


def report_of(tmp_path, change, scenario=ONE_REPEAT, **options: object):
    return write_report(make_run(tmp_path, scenario, change=change, **options))


def test_page_needs_nothing_from_elsewhere(html, outline):
    """Its pictures are in it, and so is its one script."""
    without_pictures = re.sub(r"data:image/png;base64,[\w+/=\s]*", "", html)
    assert not re.search(r"https?:|//[a-z]", without_pictures)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in outline.links)
    assert not {"link", "img", "iframe"} & {tag for tag, _ in outline.tags}
    scripts = [attributes for tag, attributes in outline.tags if tag == "script"]
    assert scripts == [{}]


def test_names_in_the_page_are_unique_and_every_reference_is_met(html, outline):
    assert len(outline.ids) == len(set(outline.ids))
    referred = set(re.findall(r"url\(#([^)]+)\)", html))
    referred |= {link[1:] for link in outline.links}
    assert {one for one in referred if not one.startswith("ata:")} <= set(outline.ids)


def test_every_figure_has_a_text_and_a_table(outline):
    figures = [attrs for tag, attrs in outline.tags if tag == "svg"]
    assert len(figures) == 2 * len(CHARTS)  # For a page, and for a phone.
    assert all(one["role"] == "img" and len(one["aria-label"]) > 40 for one in figures)
    assert sum(tag == "details" for tag, _ in outline.tags) == len(CHARTS)


def test_sections_are_in_the_order_of_the_questions(outline):
    sections = [attrs["id"] for tag, attrs in outline.tags if tag == "section" and "id" in attrs]
    assert sections == [
        "time",
        "burden",
        "throughput",
        "latency",
        "one-run",
        "efficiency",
        "roles",
        "validity",
        "repeat",
    ]


def test_every_title_of_a_figure_is_a_question(html):
    titles = re.findall(r"<h3>(.*?)</h3>", html)
    assert len(titles) == len(CHARTS) + 1  # And what the origin's traffic costs.
    assert all(title.endswith("?") for title in titles)


def test_figures_follow_the_pages_colours(html):
    assert "#d55e00" not in html.partition("</style>")[2]
    assert "var(--server)" in html


def test_page_starts_with_the_answer(html, reported):
    assert "from somewhere above 4 and at most 6 clients" in reported.verdict
    body = html.partition("<main>")[2]
    assert body.index(reported.verdict) < body.index("<table")
    assert "overhead" in body


def test_figures_are_files_as_well(reported):
    folder = reported.report_path.parent / "figures"
    assert {path.name for path in folder.iterdir()} == {
        f"{name}.{kind}" for name in CHARTS for kind in ("svg", "png")
    }


def test_markdown_says_the_same_and_shows_the_figures(reported):
    text = (reported.report_path.parent / "report.md").read_text()
    assert reported.verdict in text
    for name in CHARTS:
        assert f"](figures/{name}.png)" in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert len(tables) > 40


def test_summary_has_the_shape_of_the_contract(summary):
    assert list(summary) == ["scenario", "world", "verdict", "crossover", "points"]
    assert summary["crossover"] == {"above": 4, "at_most": 6}
    assert len(summary["points"]) == 8
    for point in summary["points"]:
        assert set(point) == POINT
        assert set(point["makespan_seconds"]) == {"median", "low", "high", "interval"}
        assert set(point["peers_only"]) == {"burden_mean", "burden_max", "gini", "jain"}
        assert point["makespan_seconds"]["interval"] == "range of 3 repeats"


def test_too_small_samples_are_null(summary):
    points = {(one["architecture"], one["clients"]): one for one in summary["points"]}
    small, large = points["server", 2], points["server", 32]
    assert small["completion_seconds"]["p50"] is not None  # Six clients in three repeats.
    assert small["completion_seconds"]["p90"] is None
    assert large["completion_seconds"]["p90"] is not None
    assert large["completion_seconds"]["p99"] is None
    assert points["swarm", 32]["request_latency_seconds"]["p99"] is not None


def test_idle_clients_have_no_fairness(summary):
    server = next(one for one in summary["points"] if one["architecture"] == "server")
    assert server["peers_only"] == {
        "burden_mean": 0, "burden_max": 0, "gini": None, "jain": None
    }  # fmt: skip
    assert server["offload"] == 0


def test_summary_csv_has_a_row_for_each_point(reported):
    lines = (reported.report_path.parent / "summary.csv").read_text().splitlines()
    assert len(lines) == 9
    assert "makespan_seconds.median" in lines[0].split(",")


def test_sound_run_passes_every_check(reported):
    assert {one.name: one.state for one in reported.checks} == dict.fromkeys(
        (one.name for one in reported.checks), State.OK
    )
    assert reported.exit_code == 0


def test_report_is_replaced_whole_and_raw_files_stay(tmp_path, few_drawn):
    folder = make_run(tmp_path, ONE_REPEAT)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "report").mkdir()
    (folder / "report" / "stale.txt").write_text("old")
    first = write_report(folder)
    page = first.report_path.read_bytes()
    assert not (folder / "report" / "stale.txt").exists()
    assert write_report(folder).report_path.read_bytes() == page
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == before
    assert {p.name for p in folder.iterdir()} == {*before, "report"}


def test_lost_byte_makes_the_run_invalid(tmp_path, undrawn):
    def lose(record):
        record.trial.payload_received_bytes -= 1

    found = report_of(tmp_path, lose)
    assert (found.status, found.exit_code) == ("invalid", 3)
    page = found.report_path.read_text()
    assert 'role="alert"' in page
    assert "not valid" in page
    assert found.verdict.startswith("This run must not be trusted (Bytes conserved")
    assert not any(one.valid for one in found.points)


def test_point_below_its_bound_is_invalid_and_not_drawn(tmp_path, few_drawn):
    def hurry(record):
        if record.trial.architecture == "server" and record.trial.clients == 6:
            for node in record.nodes:
                node.finished_seconds = 0.5

    found = report_of(tmp_path, hurry)
    assert found.exit_code == 3
    (bad,) = [one for one in found.points if not one.valid]
    assert (bad.architecture, bad.clients) == ("server", 6)
    assert "Not faster than possible" in bad.warnings[0]
    svg = (found.report_path.parent / "figures" / "completion_time.svg").read_text()
    assert "server 1.28 s" in svg
    assert "500 ms" not in svg


def test_busy_load_generator_marks_its_point(tmp_path, undrawn):
    def saturate(record):
        if record.trial.clients == 6:
            record.trial.generator_cpu_fraction = 0.85

    found = report_of(tmp_path, saturate)
    assert found.exit_code == 3
    assert {one.clients for one in found.points if not one.valid} == {6}


def test_missed_threshold_is_exit_code_1(tmp_path, undrawn):
    scenario = make_scenario(
        clients=(2, 6), repeats=1, thresholds={"swarm_efficiency": {"at_least": 0.99}}
    )
    found = report_of(tmp_path, None, scenario)
    assert (found.status, found.exit_code) == ("complete", 1)
    assert "✗" in found.report_path.read_text()


def test_threshold_that_names_no_metric_is_missed(tmp_path, undrawn):
    scenario = make_scenario(clients=(2,), repeats=1, thresholds={"swarm_elegance": {"at_least": 1}})
    assert report_of(tmp_path, None, scenario).exit_code == 1


def test_failed_trial_fails_the_run_and_has_no_numbers(tmp_path):
    def fail(record):
        if record.trial.architecture == "swarm" and record.trial.clients == 6:
            record.trial.status, record.trial.reason = "failed", "1 of 6 clients did not finish"
            record.trial.files_verified -= 1
            record.nodes[1].finished_seconds, record.nodes[1].verified = None, False

    found = report_of(tmp_path, fail, status="failed")
    assert (found.status, found.exit_code) == ("failed", 1)
    assert "1 of 6 clients did not finish" in found.verdict
    (point,) = [one for one in found.points if (one.architecture, one.clients) == ("swarm", 6)]
    assert point.makespan is None
    assert point.repeats == 0


def test_partial_run_says_so_first(tmp_path, undrawn):
    def stop(record):
        if record.trial.order >= 3:
            record.nodes.clear()

    found = report_of(tmp_path, stop, status="partial", reasons=["interrupted"])
    assert found.status == "partial"
    assert found.verdict.startswith("Partial run, 3 of 4 trials were measured")
    assert 'class="banner"' in found.report_path.read_text()


def test_run_without_a_single_trial_still_has_a_report(tmp_path):
    found = report_of(tmp_path, lambda record: record.nodes.clear(), status="partial")
    assert found.verdict.startswith("No answer")
    assert found.report_path.exists()


def test_one_arm_alone_is_reported_without_comparison(tmp_path):
    found = report_of(tmp_path, None, arms=("server",))
    assert found.status == "complete"
    assert found.verdict.startswith("Only the server was measured")
    assert found.crossover is None


def test_placements_are_compared(tmp_path, undrawn):
    scenario = make_scenario(clients=(6,), placement=("origin apart", "together", "one each"))
    found = report_of(tmp_path, None, scenario)
    text = (found.report_path.parent / "report.md").read_text()
    assert "Does it matter where the processes are?" in text
    assert "| swarm origin | 6 | together |" in text
    assert len(found.points) == 6


def test_text_of_a_scenario_cannot_break_the_page(tmp_path, undrawn):
    folder = make_run(tmp_path, ONE_REPEAT)
    manifest = json.loads((folder / "run.json").read_text())
    manifest["scenario"]["question"] = "<script>alert(1)</script>"
    (folder / "run.json").write_text(json.dumps(manifest))
    page = write_report(folder).report_path.read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page
