"""Experiment E19: a transaction of a file host is no database transaction, nothing like ACID.

A host that is killed leaves half a file at its client, and a client that fetches a file in two ranges
can get half of one version and half of another. What HTTP has against the second is If-Range, which
a client must use. A swarm refuses both by its hashes.
"""

from __future__ import annotations

import http.client
import math
import os

import pytest
import trio

from peers.torrent_making import make
from servers.build import ServerCast
from testbed.content import made_up
from testbed.link import Pacer
from testbed.links import Links
from testbed.live import LiveWorld
from testbed.replacement import new_version, parse_replacement, state_of
from testbed.scenario import Scenario
from testbed.sockets import loopback_host
from testbed.storage import FileStorage
from tests.servers.running import HostProcess, fetch

pytestmark = pytest.mark.sockets

PIECE_BYTES = 64 * 1024
OLD = os.urandom(20 * PIECE_BYTES)
NEW = os.urandom(20 * PIECE_BYTES)
HALF = len(OLD) // 2


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_bytes(OLD)
    return root


@pytest.fixture
def start_host(root):
    hosts = []

    def start(*options: str):
        hosts.append(HostProcess(root, "--quiet", *options))
        return hosts[-1]

    yield start
    for host in hosts:
        host.close()


@pytest.fixture
def torrent(root):
    return make(root / "file", PIECE_BYTES, "")


def accepted(torrent, content):
    """How many pieces of this a peer of the swarm would keep."""
    pieces = [content[at : at + PIECE_BYTES] for at in range(0, len(content), PIECE_BYTES)]
    return sum(torrent.verify(number, [piece]) for number, piece in enumerate(pieces))


def replace(root, content):
    """Put another version in the place of the file, as a release does."""
    (root / "new").write_bytes(content)
    (root / "new").replace(root / "file")


def test_killed_host_leaves_half_a_file_which_a_swarm_does_not_take_for_whole(
    start_host, tmp_path, torrent
):
    host = start_host("--uplink", "2 MB/s")
    connection = http.client.HTTPConnection(*host.address, timeout=120)
    connection.request("GET", "/file")
    response = connection.getresponse()
    begun = response.read(5 * PIECE_BYTES + 1)
    host.process.kill()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as caught:
        response.read()
    connection.close()
    rest = caught.value.partial if isinstance(caught.value, http.client.IncompleteRead) else b""
    copy = tmp_path / "copy"
    copy.write_bytes(begun + rest)
    # It is there, it has the right name, and nothing in it says that it is not all.
    assert 0 < copy.stat().st_size < len(OLD)
    assert OLD.startswith(copy.read_bytes())
    whole_pieces = copy.stat().st_size // PIECE_BYTES
    assert accepted(torrent, copy.read_bytes()) == whole_pieces < torrent.piece_count


def test_download_that_was_cut_goes_on_at_another_host_with_if_range(start_host):
    host = start_host()
    status, headers, begun = fetch(host.address, "/file", Range=f"bytes=0-{HALF - 1}")
    host.process.kill()
    again = start_host()
    status, headers, rest = fetch(
        again.address, "/file", Range=f"bytes={HALF}-", If_Range=headers["ETag"]
    )
    assert (status, begun + rest) == (206, OLD)


def test_file_replaced_between_two_ranges_is_mixed_without_if_range(start_host, root, torrent):
    host = start_host()
    _, _, first = fetch(host.address, "/file", Range=f"bytes=0-{HALF - 1}")
    replace(root, NEW)
    status, _, second = fetch(host.address, "/file", Range=f"bytes={HALF}-")
    mixture = first + second
    # Both requests succeeded, the size is right, and the result is no version there ever was.
    assert status == 206
    assert len(mixture) == len(OLD)
    assert mixture == OLD[:HALF] + NEW[HALF:]
    assert accepted(torrent, mixture) == torrent.piece_count // 2


@pytest.mark.parametrize("validator", ["ETag", "Last-Modified"])
def test_file_replaced_between_two_ranges_starts_cleanly_with_if_range(start_host, root, validator):
    os.utime(root / "file", (1e9, 1e9))
    host = start_host()
    _, headers, _ = fetch(host.address, "/file", Range=f"bytes=0-{HALF - 1}")
    replace(root, NEW)
    status, _, content = fetch(
        host.address, "/file", Range=f"bytes={HALF}-", If_Range=headers[validator]
    )
    assert (status, content) == (200, NEW)


def test_digest_tells_the_versions_apart_where_a_client_compares_it(start_host, root):
    host = start_host()
    wish = {"Range": "bytes=0-0", "Want_Repr_Digest": "sha-256=10"}
    _, before, _ = fetch(host.address, "/file", **wish)
    replace(root, NEW)
    _, after, _ = fetch(host.address, "/file", **wish)
    assert before["Repr-Digest"].startswith("sha-256=:")
    assert before["Repr-Digest"] != after["Repr-Digest"]


def test_response_under_way_is_of_the_version_that_was_opened(start_host, root):
    """What the host does promise: one response is one version, if files are replaced, not written."""
    host = start_host("--uplink", "2 MB/s")
    connection = http.client.HTTPConnection(*host.address, timeout=120)
    connection.request("GET", "/file")
    response = connection.getresponse()
    begun = response.read(PIECE_BYTES)
    replace(root, NEW)
    assert begun + response.read() == OLD
    connection.close()


# --- The same in a trial: the suite's own client, and what is then on its disk --------------


@pytest.mark.trio
@pytest.mark.parametrize(
    ("sentence", "servers", "found"),
    [
        ("after 1 copies", {"range_size": "64 KiB", "if_range": False}, "mixed"),
        ("after 1 copies", {"range_size": "64 KiB"}, "replaced"),
        ("after 1 copies, in place", {}, "mixed"),
        ("after 1 copies", {}, "whole"),
    ],
)
async def test_client_of_a_trial_ends_with(nursery, tmp_path, sentence, servers, found):
    content = made_up(tmp_path, 512 * 1024, seed=3)
    rate = 4.0 * 1024 * 1024
    scenario = Scenario(
        name="x",
        clients=(1,),
        seed=5,
        links=Links(origin_uplink_bytes_per_second=rate, burst_seconds=0.002),
        tables={"servers": servers, "peers": {}},
        worlds=("live",),
        origin_replaces_file=sentence,
    )
    cast = ServerCast(scenario, content, clients=1, seed=1)
    origin, client = cast.places
    path = tmp_path / "origin" / content.name
    path.parent.mkdir()
    path.write_bytes(content.path.read_bytes())
    ours, theirs = FileStorage.empty(tmp_path / "copy", content.size_bytes), FileStorage.of(path)
    world = LiveWorld()
    await nursery.start(world.run)
    host = world.add(
        cast.node(origin, {}, theirs),
        (loopback_host(origin.node_id), 0),
        cast.wires,
        accepts=origin.accepts,
        uplink=Pacer(rate, 0.002),
        downlink=Pacer(math.inf),
    )
    station = world.add(
        cast.node(client, {"origin": [host.address]}, ours),
        (loopback_host(client.node_id), 0),
        cast.wires,
        accepts=None,
        uplink=Pacer(math.inf),
        downlink=Pacer(math.inf),
    )
    replacement = parse_replacement(sentence)
    assert replacement is not None
    version = new_version(content.size_bytes, scenario.seed)
    done, replaced = trio.Event(), trio.Event()

    def replace_when_some_has_arrived():
        if station.ledger.downloaded_payload_bytes < 130_000:
            world.call_at(world.now() + 0.001, replace_when_some_has_arrived)
            return
        replacement.carry_out(path, version)
        replaced.set()

    station.on_finished = lambda _: done.set()
    host.start(0.0)
    station.start(0.0)
    replace_when_some_has_arrived()
    with trio.fail_after(120):
        await done.wait()
        assert await world.drain(10)
    assert replaced.is_set()
    assert state_of(tmp_path / "copy", content.path, version) == found
    assert station.ledger.verified is (found != "mixed")
    assert station.transfers[0].outcome == ("mixed" if found == "mixed" else "ok")
    ours.close()
    theirs.close()
