"""Quantities: what people write is read exactly, and what cannot be meant is refused in one line."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import ScenarioError
from testbed.units import (
    format_bytes,
    format_rate,
    format_seconds,
    parse_rate,
    parse_seconds,
    parse_size,
)

PARSERS = (parse_size, parse_rate, parse_seconds)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1 B", 1),
        ("2.5 MiB", 2_621_440),
        ("16MiB", 16 * 1024**2),
        ("4.35 kB", 4350),
        ("15 Gbit", 1_875_000_000),
        ("8 bit", 1),
        ("1e3 B", 1000),
        (" 1 GiB ", 1024**3),
        ("0 B", 0),
    ],
)
def test_a_size_is_read_in_bytes(text, size_bytes):
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "bytes_per_second"),
    [
        ("256 KiB/s", 262_144),
        ("10 Gbit/s", 1.25e9),
        ("500 kbit/s", 62_500),
        ("30 Mbit/s", 3.75e6),
        ("0.75 MiB/s", 786_432),
        ("unlimited", math.inf),
    ],
)
def test_a_rate_is_read_in_bytes_per_second(text, bytes_per_second):
    assert parse_rate(text) == bytes_per_second


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30 s", 30), ("20 ms", 0.02), ("5 us", 5e-6), ("2 min", 120), ("1.5 h", 5400), ("0 s", 0)],
)
def test_a_duration_is_read_in_seconds(text, seconds):
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("bare", [5, 2.5, "5", "2.5", True, None, ["5 s"]])
def test_a_number_without_its_unit_is_refused_and_told_so(parse, bare):
    with pytest.raises(ScenarioError, match="with its unit, not the bare"):
        parse(bare)


@pytest.mark.parametrize("parse", PARSERS)
@pytest.mark.parametrize("text", ["", "MiB", "nan s", "inf B/s", "ten MiB", "1,5 MiB", "1e999 B"])
def test_what_is_no_number_is_refused(parse, text):
    with pytest.raises(ScenarioError, match=r"^expected a "):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text"), [(parse_size, "-1 B"), (parse_rate, "-8 MiB/s"), (parse_seconds, "-20 ms")]
)
def test_a_negative_quantity_is_refused(parse, text):
    with pytest.raises(ScenarioError, match=f"not negative, not '{text}'"):
        parse(text)


@pytest.mark.parametrize(
    ("parse", "text", "unit"),
    [
        (parse_size, "5 mb", "mb"),
        (parse_size, "5 Mb", "Mb"),
        (parse_size, "5 MiB/s", "MiB/s"),
        (parse_rate, "5 MiB", "MiB"),
        (parse_rate, "5 Mbps", "Mbps"),
        (parse_seconds, "5 sec", "sec"),
    ],
)
def test_an_unknown_unit_is_named_beside_those_that_are_known(parse, text, unit):
    with pytest.raises(ScenarioError, match=re.escape(f"'{unit}' in '{text}' is none of ")):
        parse(text)


def test_part_of_a_byte_is_no_size():
    with pytest.raises(ScenarioError, match="whole number of bytes"):
        parse_size("1.5 B")


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_one_line(text):
    for parse in PARSERS:
        try:
            value = parse(text)
        except ScenarioError as error:
            refusal = str(error)
            assert len(refusal.splitlines()) == 1, refusal
        else:
            assert value >= 0


@given(st.integers(0, 10**12), st.sampled_from([("B", 1), ("kB", 1000), ("MiB", 1024**2)]))
def test_whole_numbers_of_a_unit_are_exact(count, unit):
    name, factor = unit
    assert parse_size(f"{count} {name}") == count * factor
    assert parse_rate(f"{count} {name}/s") == float(count * factor)


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_decimals_are_exact_where_they_come_out_whole(thousandths, power):
    text = f"{thousandths // 1000}.{thousandths % 1000:03d} {'kMG'[power - 1]}B"
    assert parse_size(text) == thousandths * 1000 ** (power - 1)


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1000 * 1024, "1000 KiB"),
        (1023.9 * 1024, "1 MiB"),
        (2_621_440, "2.5 MiB"),
        (1.875e9, "1.75 GiB"),
        (5e15, "4547 TiB"),
    ],
)
def test_sizes_are_written_for_people(size_bytes, text):
    assert format_bytes(size_bytes) == text


def test_rates_are_written_for_people():
    assert format_rate(8 * 1024**2) == "8 MiB/s"
    assert format_rate(math.inf) == "unlimited"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.000277, "0.277 ms"),
        (0.02, "20 ms"),
        (0.9997, "1 s"),
        (1.25, "1.25 s"),
        (10.04, "10 s"),
        (99.4, "99.4 s"),
        (125, "2 min 05 s"),
        (7199.7, "2 h 00 min"),
        (50_000, "13 h 53 min"),
    ],
)
def test_durations_are_written_for_people(seconds, text):
    assert format_seconds(seconds) == text


@given(st.floats(1, 1e15))
def test_a_written_size_is_the_size_to_three_digits(size_bytes):
    written = format_bytes(size_bytes)
    assert "e" not in written.removesuffix("B")
    assert float(parse_rate(f"{written}/s")) == pytest.approx(size_bytes, rel=5.1e-3)
