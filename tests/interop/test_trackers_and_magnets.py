"""Trackers over UDP, magnet links and IPv6, with clients and a tracker nobody here wrote."""

from __future__ import annotations

import socket
from contextlib import AbstractContextManager

import pytest

from peers.magnet import Magnet
from tests.interop.conftest import Shared
from tests.interop.programs import (
    SECONDS,
    Program,
    aria2,
    free_port,
    opentracker,
    our_seed,
    our_tracker,
    ours,
)

pytestmark = [pytest.mark.interop, pytest.mark.sockets]


def get(source: object, folder: object, *options: object) -> AbstractContextManager[Program]:
    return ours("get", source, "--output", folder, "--timeout", SECONDS / 4, *options)


def magnet(shared: Shared, *trackers: str) -> str:
    return Magnet(shared.info_hash, "file.bin", trackers).text


def test_libtorrent_and_we_meet_by_our_tracker_over_udp(shared, torrenter):
    with our_tracker("udp") as url:
        torrent = shared.torrent(url)
        with our_seed(torrent, shared.source), get(torrent, shared.place("ours")) as peer:
            theirs = torrenter("127.0.0.9", torrent, shared.place("theirs"))
            theirs.wait_until("is_seeding")
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")
    assert shared.came_whole("theirs")


def test_aria2_finds_our_seed_by_our_tracker_over_udp(shared):
    with our_tracker("udp") as url:
        torrent = shared.torrent(url)
        # It has one socket for DHT and for trackers over UDP, so the first must be on.
        options = (f"--dht-listen-port={free_port(socket.SOCK_DGRAM)}", "--enable-dht=true")
        path = f"--dht-file-path={shared.folder / 'dht.dat'}"
        with (
            our_seed(torrent, shared.source),
            aria2(torrent, shared.place("theirs"), "--seed-time=0", *options, path) as peer,
        ):
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("theirs")


def test_their_tracker_introduces_us_over_udp(shared):
    with opentracker(shared.folder, shared.info_hash) as port:
        torrent = shared.torrent(f"udp://127.0.0.1:{port}")
        with our_seed(torrent, shared.source), get(torrent, shared.place("ours")) as peer:
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_we_get_a_magnet_link_from_libtorrent(shared, torrenter, scheme):
    with our_tracker(scheme) as url:
        torrenter("127.0.0.9", shared.torrent(url), shared.source).wait_until("is_seeding")
        with get(magnet(shared, url), shared.place("ours")) as peer:
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")
    assert "ended" not in peer.output


def test_we_get_a_magnet_link_from_aria2(shared):
    with our_tracker() as url:
        seeding = ("--check-integrity=true", "--seed-ratio=0.0")
        with (
            aria2(shared.torrent(url), shared.source, *seeding),
            get(magnet(shared, url), shared.place("ours")) as peer,
        ):
            assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")


def test_libtorrent_gets_a_magnet_link_from_us(shared, torrenter):
    with our_tracker() as url, our_seed(shared.torrent(url), shared.source):
        theirs = torrenter("127.0.0.9", magnet(shared, url), shared.place("theirs"))
        theirs.wait_until("is_seeding")
    assert shared.came_whole("theirs")


def test_aria2_gets_a_magnet_link_from_us(shared):
    with (
        our_tracker() as url,
        our_seed(shared.torrent(url), shared.source),
        aria2(magnet(shared, url), shared.place("theirs"), "--seed-time=0") as peer,
    ):
        assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("theirs")


def test_we_get_a_magnet_link_from_each_other(shared):
    with (
        our_tracker() as url,
        our_seed(shared.torrent(url), shared.source),
        get(magnet(shared, url), shared.place("ours")) as peer,
    ):
        assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")


def test_we_get_a_magnet_link_that_names_a_peer_and_no_tracker(shared, torrenter):
    theirs = torrenter("127.0.0.9", shared.torrent(""), shared.source)
    theirs.wait_until("is_seeding")
    link = Magnet(shared.info_hash, peers=(("127.0.0.9", theirs.session.listen_port()),)).text
    with get(link, shared.place("ours")) as peer:
        assert peer.exit_code() == 0, peer.output
    assert shared.came_whole("ours")


@pytest.mark.parametrize("scheme", ["http", "udp"])
def test_we_exchange_with_libtorrent_over_ipv6(shared, torrenter, scheme):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    with our_tracker(scheme, "::1") as url:
        torrent = shared.torrent(url)
        with our_seed(torrent, shared.source, "--host", "::1"):
            with get(torrent, shared.place("ours"), "--host", "::1") as peer:
                assert peer.exit_code() == 0, peer.output
            torrenter("[::1]", torrent, shared.place("theirs")).wait_until("is_seeding")
    assert shared.came_whole("ours")
    assert shared.came_whole("theirs")
