"""`python -m peers` by hand: what it says of bad input, and a file that goes between processes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from peers.__main__ import main
from peers.announce import AnnounceRequest, AnnounceResponse
from peers.content_check import held_pieces
from peers.plan import Status
from peers.progress_line import describe
from peers.torrent import Torrent
from peers.torrent_making import make

TRACKER = "http://127.0.0.1:6969/announce"
SECONDS = 120


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a file of 100,000 bytes and its torrent."""
    (tmp_path / "file").write_bytes(Random(0).randbytes(100_000))
    write_torrent(tmp_path)
    return tmp_path


def write_torrent(folder: Path, tracker: str = TRACKER) -> None:
    (folder / "x.torrent").write_bytes(make(folder / "file", 32768, tracker).encode())


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a command that is to end with exit code 2 and one line."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    assert code == 2
    assert not captured.out
    assert captured.err.count("\n") == 1
    return captured.err


# --- Input ----------------------------------------------------------------------------------


def test_make_writes_a_torrent_that_describes_the_file(folder, capsys):
    output = folder / "y.torrent"
    arguments = ["--tracker", TRACKER, "--piece-length", "16 KiB", "--output", str(output)]
    assert main(["make", str(folder / "file"), *arguments]) == 0
    torrent = Torrent.decode(output.read_bytes())
    assert (torrent.name, torrent.file_bytes, torrent.piece_bytes) == ("file", 100_000, 16384)
    assert torrent.announce == TRACKER
    assert torrent.info_hash.hex() in capsys.readouterr().out


@pytest.mark.parametrize(
    "url",
    ["udp://host/announce", "https://host/announce", "http:///announce", "http://host:99999/a", "x"],
)
def test_tracker_url_of_another_kind_is_refused(folder, capsys, url):
    line = refused(capsys, "make", folder / "file", "--tracker", url)
    assert "expected a tracker URL such as" in line


@pytest.mark.parametrize("size", ["10 KiB", "48 KiB", "32 MiB", "65536"])
def test_piece_length_that_is_no_power_of_two_in_range_is_refused(folder, capsys, size):
    refused(capsys, "make", folder / "file", "--tracker", TRACKER, "--piece-length", size)


def test_torrent_never_replaces_its_file(folder, capsys):
    refused(capsys, "make", folder / "file", "--tracker", TRACKER, "--output", folder / "file")
    assert (folder / "file").stat().st_size == 100_000


def test_make_needs_no_tracker_and_takes_more_pieces_for_a_larger_crowd(folder, capsys):
    (folder / "file").write_bytes(bytes(40 << 20))
    counts = []
    for crowd in (8, 1000):
        assert main(["make", str(folder / "file"), "--crowd", str(crowd)]) == 0
        torrent = Torrent.decode((folder / "file.torrent").read_bytes())
        assert not torrent.announce
        counts.append(torrent.piece_count)
    assert counts[0] < counts[1]


def test_get_of_an_url_says_what_it_takes(folder, capsys):
    line = refused(capsys, "get", "https://example.org/x.torrent", "--output", folder)
    assert "expected a .torrent on this machine, or for `get` a magnet link" in line


@pytest.mark.parametrize("command", ["seed", "get"])
def test_torrent_that_is_missing_or_none_is_refused_in_one_line(folder, capsys, command):
    option = "--data" if command == "seed" else "--output"
    assert "No such file" in refused(capsys, command, folder / "none", option, folder)
    assert "not bencoded" in refused(capsys, command, folder / "file", option, folder)


@pytest.mark.parametrize("rate", ["5", "0 B/s", "fast", "-1 MiB/s"])
def test_rate_without_unit_or_sense_is_refused(folder, capsys, rate):
    line = refused(capsys, "get", folder / "x.torrent", "--output", folder, f"--uplink={rate}")
    assert "rate" in line


@pytest.mark.parametrize("limit", ["half_open", "half_open=0", "halfopen=5", "ban=perhaps"])
def test_what_is_no_limit_is_refused_in_one_line(folder, capsys, limit):
    for command in (["track"], ["get", folder / "x.torrent", "--output", folder]):
        assert "--limit" in refused(capsys, *command, "--limit", limit)


def test_seed_of_wrong_data_is_refused(folder, capsys):
    content = bytearray((folder / "file").read_bytes())
    content[50_000] ^= 1
    (folder / "file").write_bytes(content)
    line = refused(capsys, "seed", folder / "x.torrent", "--data", folder)
    assert "1 pieces are wrong" in line
    (folder / "file").write_bytes(content[:-1])
    assert "99999 bytes" in refused(capsys, "seed", folder / "x.torrent", "--data", folder)


def test_get_leaves_a_longer_file_as_it_is(folder, capsys):
    (folder / "out").mkdir()
    (folder / "out" / "file").write_bytes(bytes(100_001))
    assert "longer" in refused(capsys, "get", folder / "x.torrent", "--output", folder / "out")
    assert (folder / "out" / "file").stat().st_size == 100_001


def test_only_whole_pieces_that_verify_count_as_held(folder):
    torrent = Torrent.decode((folder / "x.torrent").read_bytes())
    path = folder / "file"
    assert held_pieces(torrent, folder) == 0b11110000
    content = bytearray(path.read_bytes())
    content[40_000] ^= 1
    path.write_bytes(content)
    assert held_pieces(torrent, folder) == 0b10110000
    path.write_bytes(content[:-1])
    assert held_pieces(torrent, folder) == 0b10100000
    assert held_pieces(torrent, folder / "none") == 0


@pytest.mark.parametrize("arguments", [[], ["make"], ["show"], ["seed"], ["get"], ["track"]])
def test_help_has_an_example(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--help"])
    assert end.value.code == 0
    assert "example: python -m peers" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = "import sys, peers.__main__ as p; p.make_parser(); print('trio' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
    )


def test_progress_says_percent_amount_rate_peers_and_time_left():
    status = Status(
        held_bytes=1 << 20,
        file_bytes=4 << 20,
        peers=3,
        download_bytes_per_second=2.0**19,
        upload_bytes_per_second=0.0,
    )
    line = describe(status, 2.0**19)
    assert line == " 25 %  1 MiB of 4 MiB  down 512 KiB/s  up 0 B/s  3 peers  6 s left"


# --- Processes ------------------------------------------------------------------------------


@contextlib.contextmanager
def process(*arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Run a command; it is killed in the end if it did not end itself."""
    command = [sys.executable, "-m", "peers", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as started:
        try:
            yield started
        finally:
            started.kill()


def first_line(started: subprocess.Popen[str]) -> tuple[str, int]:
    """The address that a command says it is at."""
    assert started.stdout is not None
    line = started.stdout.readline()
    found = re.search(r"(127\.[0-9.]+):(\d+)", line)
    assert found, line
    return found[1], int(found[2])


def end(started: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str]:
    """Send a signal; the exit code and all that was said."""
    started.send_signal(number)
    out, err = started.communicate(timeout=SECONDS)
    return started.returncode, out + err


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "peers", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)


def ask_tracker(folder: Path) -> AnnounceResponse:
    """Announce a leecher to the tracker of the folder's torrent."""
    torrent = Torrent.decode((folder / "x.torrent").read_bytes())
    request = AnnounceRequest(torrent.info_hash, b"-XX0001-000000000001", port=1, left=1)
    with urllib.request.urlopen(f"{torrent.announce}?{request.to_query()}", timeout=SECONDS) as answer:
        return AnnounceResponse.decode(answer.read())


@contextlib.contextmanager
def tracked_seed(folder: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A tracker, and a seed of the folder's file; gives the seed and its port."""
    with process("track", "--port", 0) as tracker:
        host, port = first_line(tracker)
        write_torrent(folder, f"http://{host}:{port}/announce")
        with process("seed", folder / "x.torrent", "--data", folder, *options) as seed:
            yield seed, first_line(seed)[1]
        assert end(tracker, signal.SIGTERM)[0] == 0


@pytest.mark.sockets
@pytest.mark.parametrize("size_bytes", [5, 1_000_000])
def test_file_goes_from_seed_to_get(folder, size_bytes):
    content = Random(1).randbytes(size_bytes)
    (folder / "file").write_bytes(content)
    with tracked_seed(folder) as (seed, _):
        got = run("get", folder / "x.torrent", "--output", folder / "out", "--timeout", SECONDS)
        assert got.returncode == 0, got.stderr
        assert "complete and verified" in got.stdout
        assert (folder / "out" / "file").read_bytes() == content
        known = ask_tracker(folder)
        assert (known.complete, known.incomplete) == (1, 1)  # The seed and the asker: `get` has left.
        code, said = end(seed, signal.SIGTERM)
        assert code == 0
        assert "sent" in said


@pytest.mark.sockets
def test_get_asks_only_for_what_is_missing(folder):
    content = (folder / "file").read_bytes()
    (folder / "out").mkdir()
    (folder / "out" / "file").write_bytes(content[:65536] + bytes(100))
    with tracked_seed(folder):
        got = run("get", folder / "x.torrent", "--output", folder / "out", "--timeout", SECONDS)
    assert got.returncode == 0, got.stderr
    assert "2 of 4 pieces are there" in got.stdout
    assert "received 33.7 KiB" in got.stdout  # 100,000 - 65,536 bytes
    assert (folder / "out" / "file").read_bytes() == content


@pytest.mark.sockets
def test_malformed_bytes_end_only_their_own_link_and_are_counted(folder):
    (folder / "file").write_bytes(Random(1).randbytes(1_000_000))
    with tracked_seed(folder, "--uplink", "1 MiB/s") as (seed, port):
        with process("get", folder / "x.torrent", "--output", folder / "out", "--quiet") as get:
            for noise in (
                b"GET / HTTP/1.1\r\n\r\n" + bytes(80),
                b"\x13BitTorrent protocoL" + bytes(48),
            ):
                with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as stranger:
                    stranger.sendall(noise)
                    with contextlib.suppress(ConnectionResetError):
                        assert stranger.recv(1) == b""
            assert get.wait(timeout=SECONDS) == 0
        code, said = end(seed, signal.SIGTERM)
        assert code == 0
        assert "ended 2 links for: bad handshake" in said
    assert (folder / "out" / "file").read_bytes() == (folder / "file").read_bytes()


@pytest.mark.sockets
def test_get_goes_on_without_a_tracker_says_so_and_gives_up_in_time(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound and not listening: nobody answers there.
        write_torrent(folder, f"http://127.0.0.1:{taken.getsockname()[1]}/announce")
        got = run("get", folder / "x.torrent", "--output", folder / "out", "--timeout", 0.3, "--json")
    assert got.returncode == 1
    said = json.loads(got.stdout)
    assert (said["ending"], said["complete"], said["exit_code"]) == ("timed out", False, 1)
    assert "trying again" in got.stderr
    assert "not complete after 0.3 seconds" in got.stderr
    assert "Traceback" not in got.stderr


def test_a_reader_that_has_gone_is_no_traceback(folder):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "peers", "show", str(folder / "x.torrent")]
    ended = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, timeout=SECONDS)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.sockets
def test_interrupt_ends_a_command_with_130(folder):
    with tracked_seed(folder) as (seed, _):
        assert end(seed, signal.SIGINT)[0] == 130
    with process("get", folder / "x.torrent", "--output", folder / "out") as get:
        first_line(get)
        code, said = end(get, signal.SIGINT)
    assert code == 130
    assert "Traceback" not in said


@pytest.mark.sockets
@pytest.mark.parametrize("command", ["track", "seed"])
def test_port_in_use_is_refused_in_one_line(folder, capsys, command):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        arguments = [folder / "x.torrent", "--data", folder] if command == "seed" else []
        line = refused(capsys, command, *arguments, "--port", port)
    assert f"cannot listen at 127.0.0.1:{port}: {os.strerror(errno.EADDRINUSE)}" in line
