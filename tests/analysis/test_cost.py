import json

from analysis.cost import EXAMPLE_PRICE, Cost, CostRow
from analysis.wording import number
from tests.analysis.make_run import FILE_BYTES, make_run, make_scenario

ROWS = [CostRow(1, 1.0, 1.0), CostRow(8, 8.0, 4.0), CostRow(16, None, 5.0)]


def test_cost_is_copies_times_file_times_price():
    rows = Cost(2_000_000_000, ROWS, price_per_gigabyte=0.25).table.rows
    assert rows[1] == ("8", "4.00", "2.00", "50%", "0.250")


def test_what_was_not_measured_has_no_cost():
    assert Cost(2_000_000_000, ROWS).table.rows[2][1:4] == ("—", "0.500", "—")


def test_page_gets_the_copies_that_its_fields_multiply():
    assert json.loads(Cost(1, ROWS).copies_json) == [[1, 1.0, 1.0], [8, 8.0, 4.0], [16, None, 5.0]]


def test_page_and_markdown_show_the_example(tmp_path, monkeypatch):
    from analysis.report import write_report

    monkeypatch.setattr("analysis.report.make_charts", lambda *_: [])
    folder = make_run(tmp_path, make_scenario(clients=(4,), repeats=1))
    report = write_report(folder).report_path.parent
    cost = number(4 * FILE_BYTES / 1e9 * EXAMPLE_PRICE)
    assert f"| 4 | {cost} |" in (report / "report.md").read_text()
    page = (report / "report.html").read_text()
    assert 'name="price"' in page
    assert f'value="{EXAMPLE_PRICE}"' in page
