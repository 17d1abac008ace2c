"""``python -m analysis bounds`` prints every model, and refuses wrong input in one line."""

import argparse
import csv
import io
import subprocess
import sys

import numpy as np
import pytest

from analysis import bounds_command
from analysis.bounds_models import MODELS

EXERCISE = (
    "--file-size=15 Gbit",
    "--origin-uplink=30 Mbit/s",
    "--client-uplink=500 kbit/s",
    "--client-downlink=2 Mbit/s",
    "--clients=10,100,1000",
)
PAPER_SWARM = (
    "--model=steady-state",
    "--file-size=1 MB",
    "--client-uplink=1250 B/s",
    "--client-downlink=2000 B/s",
    "--seeding-time=200 s",
    "--patience=1000 s",
)

#: A call of every model that must work.
CALLS = {
    "fluid": EXERCISE,
    "unequal": (
        "--file-size=118751232 B",
        "--origin-uplink=100 kB/s",
        "--peers=13 x 20 kB/s, 14 x 50 kB/s, 13 x 200 kB/s",
    ),
    "schedule": ("--file-size=4 MB", "--client-uplink=1 MB/s", "--clients=6,8", "--pieces=4"),
    "trees": (
        "--file-size=4 MB",
        "--client-uplink=1 MB/s",
        "--clients=10",
        "--pieces=8",
        "--degree=2,3",
    ),
    "steady-state": (*PAPER_SWARM[1:], "--arrivals=0.04,0.4"),
    "processor-sharing": ("--service-time=31.25 ms", "--load=.3,.5,.7,.8,.9"),
    "scalability": ("--measured=1:10,2:19,4:36,8:60,16:85,32:90",),
    "free-riders": (
        "--origin-uplink=10 MB/s",
        "--client-uplink=1 MB/s",
        "--clients=30",
        "--share=.5,1",
    ),
    "pollution": ("--share=.1", "--blocks=1,16"),
    "departure": ("--file-size=100 MB", "--origin-uplink=20 MB/s", "--pieces=10"),
    "availability": ("--up=.9", "--copies=1,2", "--pieces=10"),
    "burden": ("--origin-uplink=10 MB/s", "--client-uplink=1 MB/s", "--clients=30"),
    "sensitivity": (
        "--origin-uplink=10 MB/s",
        "--client-uplink=1 MB/s",
        "--clients=30,1000",
        "--factor=2,10",
    ),
}


def parse(arguments):
    parser = argparse.ArgumentParser()
    bounds_command.register(parser.add_subparsers(required=True))
    return parser.parse_args(["bounds", *arguments])


@pytest.fixture
def call(capsys):
    """Runs the command; gives its exit code, standard output and standard error."""

    def call(*arguments: str):
        args = parse(arguments)
        code = args.run(args)
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def rows(call):
    """Runs the command with --csv and gives the rows as dictionaries of text."""

    def rows(*arguments: str):
        code, out, err = call(*arguments, "--csv")
        assert (code, err) == (0, "")
        return list(csv.DictReader(io.StringIO(out)))

    return rows


def column(table, name):
    return [float(row[name]) for row in table]


def test_fluid_rows_have_the_promised_header_and_the_textbook_numbers(call, rows):
    _, out, _ = call(*EXERCISE, "--csv")
    assert out.splitlines()[0] == "clients,server_seconds,swarm_seconds"
    table = rows(*EXERCISE)
    assert column(table, "server_seconds") == [7500, 50_000, 500_000]
    assert column(table, "swarm_seconds") == pytest.approx([7500, 18_750, 28_302], abs=0.5)


def test_pieces_add_the_store_and_forward_column(call):
    _, out, _ = call(*EXERCISE, "--pieces=100", "--csv")
    expected = "clients,server_seconds,swarm_seconds,store_and_forward_seconds"
    assert out.splitlines()[0] == expected


def test_bursts_come_off_the_bounds(rows):
    table = rows(*EXERCISE, "--burst=20 ms")
    assert column(table, "server_seconds")[0] == pytest.approx(7499.98)


def test_without_csv_columns_are_aligned_and_the_source_is_named(call):
    code, out, _ = call(*EXERCISE)
    *lines, source = out.splitlines()
    assert code == 0
    assert len({len(line) for line in lines}) == 1
    assert source.startswith("source: Kurose & Ross")


@pytest.mark.parametrize("model", MODELS)
def test_every_model_can_be_reached(model, call):
    code, out, err = call(f"--model={model}", *CALLS[model])
    assert (code, err) == (0, "")
    assert len(out.splitlines()) >= 3
    assert ("unconfirmed" in out) == (not MODELS[model].confirmed)


@pytest.mark.parametrize("model", [name for name, model in MODELS.items() if not model.confirmed])
def test_values_from_memory_are_marked_in_csv_too(model, rows):
    assert {row["status"] for row in rows(f"--model={model}", *CALLS[model])} == {"unconfirmed"}


def test_unequal_peers_have_the_published_bound(rows):
    table = rows("--model=unequal", *CALLS["unequal"])
    assert column(table, "swarm_seconds") == pytest.approx([1298] * 3, abs=0.5)
    assert column(table, "peers") == [13, 14, 13]


def test_listed_schedule_has_every_transfer(rows):
    table = rows(
        "--model=schedule",
        "--file-size=4 MB",
        "--client-uplink=1 MB/s",
        "--clients=6",
        "--pieces=4",
        "--list",
    )
    assert len(table) == 6 * 4
    assert max(column(table, "finished_seconds")) == 4 * (1 + 2 / 4)


def test_steady_state_does_not_depend_on_arrivals(rows):
    table = rows("--model=steady-state", *CALLS["steady-state"])
    assert column(table, "mean_download_seconds") == pytest.approx([375, 375])
    course = rows(*PAPER_SWARM, "--arrivals=0.04", "--until=20000 s")
    assert column(course, "downloaders")[-1] == pytest.approx(15, rel=1e-3)


def test_recorded_requests_get_their_exact_times(rows, tmp_path):
    path = tmp_path / "requests.csv"
    path.write_text("arrival_seconds,response_bytes\n0,40\n2,10\n", encoding="utf-8")
    table = rows("--model=processor-sharing", f"--requests={path}", "--origin-uplink=10 B/s")
    assert column(table, "response_seconds") == [5, 2]


def test_departure_gives_chances_for_given_times(rows):
    table = rows("--model=departure", *CALLS["departure"], "--leaves=4 s,5 s,10 h")
    assert [row["orderly_origin_suffices"] for row in table] == ["False", "True", "True"]
    chances = column(table, "random_origin_suffices_probability")
    assert chances == pytest.approx([0, np.prod(np.arange(1, 11) / 10), 1])


def test_an_unlimited_origin_injects_at_once(rows):
    table = rows(
        "--model=departure",
        "--file-size=1 MB",
        "--origin-uplink=unlimited",
        "--pieces=10",
        "--leaves=1 s",
    )
    assert column(table, "random_origin_suffices_probability") == [1]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--model=nope",), "--model: expected one of fluid, unequal"),
        (("--clients=3",), "--model fluid needs --file-size"),
        (("--file-size=15",), "--file-size: expected a size"),
        (("--file-size=0 B",), "--file-size: expected more than zero"),
        ((*EXERCISE, "--clients=0"), "--clients: expected a whole number"),
        ((*EXERCISE, "--clients=1,,2"), "--clients: expected a whole number"),
        ((*EXERCISE, "--clients=" + "9" * 400), "--clients: expected a whole number"),
        ((*EXERCISE, "--origin-uplink=0 B/s"), "--origin-uplink: expected more than zero"),
        ((*EXERCISE, "--degree=2"), "--degree is not used by --model fluid"),
        ((*EXERCISE, "--list"), "--list is not used by --model fluid"),
        (("--model=pollution", "--share=2"), "bad_block_share must be at most 1"),
        (("--model=pollution", "--share=nan"), "--share: expected a finite number"),
        (("--model=scalability", "--measured=1:2"), "at least 6 load levels"),
        (("--model=scalability", "--measured=1"), "--measured: expected USERS:THROUGHPUT"),
        ((*PAPER_SWARM, "--arrivals=1,2", "--until=1 s"), "--until needs one number of --arrivals"),
        (
            ("--model=unequal", "--file-size=1 B", "--origin-uplink=1 B/s", "--peers=3"),
            '--peers: expected "COUNT x RATE"',
        ),
        (
            ("--model=schedule", *CALLS["schedule"], "--list"),
            "--list needs one number of --clients",
        ),
        (
            ("--model=schedule", *CALLS["schedule"], "--clients=100000000", "--list"),
            "--list: expected at most",
        ),
        (
            ("--model=processor-sharing", "--requests=/no/such.csv", "--origin-uplink=1 B/s"),
            "/no/such.csv: No such file",
        ),
    ],
)
def test_wrong_input_is_refused_in_one_line(call, arguments, expected):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.startswith("bounds: ")
    assert expected in err


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "arrival_seconds,response_bytes\n1\n", "arrival_seconds,response_bytes\nx,y\n"],
)
def test_an_unreadable_request_file_is_named(call, tmp_path, text):
    path = tmp_path / "requests.csv"
    path.write_text(text, encoding="utf-8")
    code, _, err = call("--model=processor-sharing", f"--requests={path}", "--origin-uplink=1 B/s")
    assert code == 2
    assert err.startswith(f"bounds: {path}: ")
    assert err.count("\n") == 1


def test_help_names_every_model_and_option_with_an_example(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    assert 'bounds --file-size "15 Gbit"' in text
    assert all(f"\n  {name}\n" in text for name in MODELS)
    assert all("--" + name.replace("_", "-") in text for name, _, _ in bounds_command.OPTIONS)


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "analysis", "bounds", *EXERCISE, "--csv"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1] == "10,7500,7500"
