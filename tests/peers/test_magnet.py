"""A magnet link says which torrent, and where to ask; a stranger's link gives that or one line."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peers.magnet import Magnet, MagnetError, magnet_of, read_magnet
from peers.torrent import describe

HASH = bytes(range(20))

hosts = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,20}|\[[0-9a-f:]{2,20}\]", fullmatch=True).map(
    lambda host: host.strip("[]")
)


@given(
    info_hash=st.binary(min_size=20, max_size=20),
    name=st.text(max_size=40),
    trackers=st.lists(st.text(min_size=1, max_size=40), unique=True, max_size=4),
    peers=st.lists(st.tuples(hosts, st.integers(1, 65535)), max_size=4),
)
def test_a_link_says_what_it_was_made_of(info_hash, name, trackers, peers):
    magnet = Magnet(info_hash, name, tuple(trackers), tuple(peers))
    assert read_magnet(magnet.text) == magnet


def test_a_torrent_gives_its_link():
    torrent = describe("a b.iso", 5, 16384, [bytes(20)], "http://127.0.0.1:6969/announce")
    assert magnet_of(torrent).text == (
        f"magnet:?xt=urn:btih:{torrent.info_hash.hex()}&dn=a%20b.iso"
        "&tr=http%3A%2F%2F127.0.0.1%3A6969%2Fannounce"
    )


def test_older_links_have_the_hash_in_base_32():
    text = base64.b32encode(HASH).decode()
    for form in (text, text.lower()):
        assert read_magnet(f"magnet:?dn=x&xt=urn:btih:{form}&xl=5").info_hash == HASH


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://host/", "expected a magnet link"),
        ("magnet:?dn=x", "not 0 info hashes"),
        ("magnet:?xt=urn:btmh:1220" + "00" * 32, "not 0 info hashes"),
        (f"magnet:?xt=urn:btih:{HASH.hex()}&xt=urn:btih:{bytes(20).hex()}", "not 2 info hashes"),
        ("magnet:?xt=urn:btih:12", "not the info hash"),
        ("magnet:?xt=urn:btih:" + "g" * 40, "not the info hash"),
        ("magnet:?xt=urn:btih:" + "1" * 32, "not the info hash"),
        (f"magnet:?xt=urn:btih:{HASH.hex()}&x.pe=host", "a peer"),
        (f"magnet:?xt=urn:btih:{HASH.hex()}&x.pe=host:0", "a peer"),
        (f"magnet:?xt=urn:btih:{HASH.hex()}" + "&a=b" * 1001, "a thousand fields"),
        ("magnet:?xt=" + "a" * 9000, "expected a magnet link"),
    ],
)
def test_what_is_no_link_is_refused_in_words(text, said):
    with pytest.raises(MagnetError, match=said):
        read_magnet(text)


@given(st.text(max_size=60))
def test_any_text_gives_a_link_or_the_error(text):
    with contextlib.suppress(MagnetError):
        assert len(read_magnet("magnet:?xt=urn:btih:" + text).info_hash) == 20
