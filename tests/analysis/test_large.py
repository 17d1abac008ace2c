import pytest

from benchmarks.large_report import report_on, write_run


@pytest.mark.slow
def test_the_run_that_large_reports_are_measured_with_can_be_reported(tmp_path):
    """Ten million rows are `python -m benchmarks.large_report`: 23 s and 877 MiB on two cores."""
    rows = write_run(tmp_path / "run", 20_000)
    assert rows == 20_020
    _, _, code = report_on(tmp_path / "run")
    assert code == 0
    assert (tmp_path / "run" / "report" / "figures" / "sources.svg").exists()
