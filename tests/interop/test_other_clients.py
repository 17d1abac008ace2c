"""Files go between our peers and clients nobody here wrote, in both directions."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.interop.programs import SECONDS, aria2, opentracker, our_seed, our_tracker, ours

pytestmark = [pytest.mark.interop, pytest.mark.sockets]


def get(torrent: object, folder: object, *options: object):
    return ours("get", torrent, "--output", folder, "--timeout", SECONDS / 4, *options)


def test_libtorrent_downloads_from_our_seed_by_our_tracker(shared, torrenter):
    with our_tracker() as url, our_seed(shared.torrent(url), shared.source) as seed:
        peer = torrenter("127.0.0.9", shared.folder / "x.torrent", shared.place("theirs"))
        peer.wait_until("is_seeding")
        seed.stop()
    assert shared.came_whole("theirs")
    assert "ended" not in seed.output  # No link ended for a fault of the remote.


def test_we_download_from_a_libtorrent_seed_by_our_tracker(shared, torrenter):
    with our_tracker() as url:
        torrent = shared.torrent(url)
        torrenter("127.0.0.9", torrent, shared.source).wait_until("is_seeding")
        with get(torrent, shared.place("ours")) as peer:
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")
    assert "ended" not in peer.output


def test_aria2_downloads_from_our_seed_by_our_tracker(shared):
    with our_tracker() as url, our_seed(shared.torrent(url), shared.source) as seed:
        with aria2(shared.folder / "x.torrent", shared.place("theirs"), "--seed-time=0") as peer:
            assert peer.exit_code() == 0, peer.output
        seed.stop()
    assert shared.came_whole("theirs")
    assert "while" not in seed.output  # Its attempt at encryption is no handshake, and that is all.


def test_we_download_from_an_aria2_seed_by_our_tracker(shared):
    with our_tracker() as url:
        torrent = shared.torrent(url)
        seeding = ("--check-integrity=true", "--seed-ratio=0.0")
        with aria2(torrent, shared.source, *seeding), get(torrent, shared.place("ours")) as peer:
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")
    assert "while" not in peer.output


def test_their_tracker_introduces_our_peers_to_each_other(shared):
    with opentracker(shared.folder, shared.info_hash) as port:
        torrent = shared.torrent(f"http://127.0.0.1:{port}/announce")
        with our_seed(torrent, shared.source), get(torrent, shared.place("ours")) as peer:
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")


def test_in_a_mixed_swarm_of_four_and_four_everybody_finishes(shared, torrenter):
    """The seed sends less than two copies, so most of what each gets comes from its neighbours."""
    with ExitStack() as stack:
        url = stack.enter_context(our_tracker())
        torrent = shared.torrent(url)
        stack.enter_context(our_seed(torrent, shared.source, "--uplink", "1 MiB/s"))
        stay = ("--seed-for", f"{SECONDS} s", "--uplink", "1 MiB/s")
        mine = [
            stack.enter_context(
                get(torrent, shared.place(f"ours {n}"), *stay, "--host", f"127.0.1.{n}")
            )
            for n in range(1, 5)
        ]
        theirs = [
            torrenter(f"127.0.2.{n}", torrent, shared.place(f"theirs {n}"), upload_rate_limit=1 << 20)
            for n in range(1, 5)
        ]
        for theirs_one in theirs:
            theirs_one.wait_until("is_seeding")
        for mine_one in mine:
            mine_one.wait_for(r"complete|100 %")
    for n in range(1, 5):
        assert shared.came_whole(f"ours {n}")
        assert shared.came_whole(f"theirs {n}")
