import pytest

from analysis import wording


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1.75, "1.75"),
        (0.5, "0.500"),
        (1234.4, "1,234"),
        (9.999, "10.0"),
        (0, "0"),
        (0.01234, "0.0123"),
    ],
)
def test_three_digits_without_powers_of_ten(value, written):
    assert wording.plain_number(value) == written


def test_times_below_a_tenth_are_milliseconds():
    assert wording.seconds(0.0163) == "16.3 ms"
    assert wording.seconds(1.75) == "1.75 s"


def test_unknown_is_a_dash():
    assert wording.seconds(None) == wording.percent(float("nan")) == wording.size(None) == "—"


def test_sizes_are_in_the_units_of_scenario_files():
    assert wording.size(2621440) == "2.50 MiB"
    assert wording.rate(8 * 1024 * 1024) == "8.00 MiB/s"
    assert wording.rate(float("inf")) == "unlimited"


def test_range_has_the_digits_that_keep_its_ends_apart():
    assert wording.low_to_high(4.51, 4.68) == "4.5-4.7"
    assert wording.low_to_high(10.21, 10.39) == "10.2-10.4"


def test_short_numbers_have_no_powers_of_ten_and_no_zeros_behind():
    values = (2.1, 31_236.0, 100_000.0, 0.000131)
    assert [wording.short_number(value) for value in values] == ["2.1", "31,200", "100,000", "0.000131"]
