"""A magnet link becomes a torrent: from the first honest source, whatever the others do."""

from random import Random

from peers import messages as m
from peers.core.introduction import PEER_WIRE
from peers.core.state import PeerConfig
from peers.extension import METADATA, OUR_IDS, RESERVED, ExtensionHandshake
from peers.magnet import magnet_of
from peers.metadata import MetadataKind, MetadataMessage, answer
from peers.metadata_node import MAX_SOURCES, PATIENCE_SECONDS, MetadataNode
from peers.torrent import describe
from testbed.node import Dial, Finished, HangUp, LinkId, LinkUp, Received, Send, Started, Woken

THEIR_ID = 9
TORRENT = describe("file", 3000 * 16384, 16384, [Random(0).randbytes(20)] * 3000)
"""Its info dictionary has four parts."""


class Table:
    """The node, and everybody else played by the test."""

    def __init__(self, *, peers: tuple[tuple[str, int], ...] = ()) -> None:
        config = PeerConfig(peer_id=b"-SO0001-000000000000", known_peers=peers)
        self.node = MetadataNode(config, magnet_of(TORRENT))
        self.now = 0.0
        self.links = 0
        self.first = self.feed(Started(("10.0.0.9", 6881)))

    def feed(self, event):
        return self.node.handle(event, self.now)

    def say(self, link: LinkId, *messages: object):
        return [effect for one in messages for effect in self.feed(Received(link, one))]

    def source(self, *, size: int | None = None, reserved: bytes = RESERVED):
        """Let a peer come that says it has a dictionary of this size."""
        self.links += 1
        link = LinkId(self.links)
        self.feed(LinkUp(link, ("10.0.1.1", self.links), False, PEER_WIRE))
        hello = m.Handshake(TORRENT.info_hash, b"-XX0001-%012d" % self.links, reserved)
        said = ExtensionHandshake({METADATA: THEIR_ID}, size or len(TORRENT.info)).encode()
        return link, self.say(link, hello, said)

    def wait(self, seconds: float):
        effects = []
        until = self.now + seconds
        while (deadline := self.node.deadline) is not None and deadline <= until:
            self.now = deadline
            effects += self.feed(Woken())
        self.now = until
        return effects


def requests(effects, link):
    """What was asked of a source."""
    return [
        MetadataMessage.decode(effect.message.payload)
        for effect in effects
        if isinstance(effect, Send)
        and effect.link == link
        and isinstance(effect.message, m.Extended)
        and effect.message.kind == THEIR_ID
    ]


def data(message: MetadataMessage) -> m.Extended:
    return m.Extended(OUR_IDS[METADATA], message.encode())


def faults(effects):
    return [effect.reason for effect in effects if isinstance(effect, HangUp) and effect.violation]


def serve(table: Table, link: LinkId, effects):
    """Answer honestly until nothing more is asked."""
    seen = list(effects)
    waiting = requests(effects, link)
    while waiting:
        more = table.say(link, data(answer(TORRENT.info, waiting.pop(0))))
        seen += more
        waiting += requests(more, link)
    return seen


def test_an_honest_source_gives_the_torrent():
    table = Table()
    link, effects = table.source()
    assert Finished(True) in serve(table, link, effects)
    assert table.node.torrent == TORRENT
    assert table.node.deadline is None


def test_peers_that_the_link_names_are_dialled():
    table = Table(peers=(("10.0.0.3", 7),))
    assert Dial(("10.0.0.3", 7), PEER_WIRE) in table.first


def test_a_liar_ends_its_own_link_and_the_next_source_is_believed():
    table = Table()
    liar, asked = table.source()
    honest, also = table.source()
    effects = []
    for request in requests(asked, liar):
        part = answer(TORRENT.info, request)
        wrong = MetadataMessage(part.kind, part.part, bytes(len(part.data)), part.total_bytes)
        effects += table.say(liar, data(wrong))
    assert faults(effects) == ["wrong metadata"]
    assert Finished(True) in serve(table, honest, also)


def test_a_silent_source_is_given_up_and_another_takes_its_turn():
    table = Table()
    silent = [table.source() for _ in range(MAX_SOURCES)]
    assert all(requests(effects, link) for link, effects in silent)
    spare, effects = table.source()
    assert not requests(effects, spare)
    effects = table.wait(PATIENCE_SECONDS + 1.0)
    assert sum(isinstance(effect, HangUp) for effect in effects) == MAX_SOURCES
    assert Finished(True) in serve(table, spare, effects)


def test_a_source_that_refuses_or_speaks_no_extensions_is_left():
    table = Table()
    link, _ = table.source()
    [refused] = table.say(link, data(MetadataMessage(MetadataKind.REJECT, 0)))
    assert refused == HangUp(link, "metadata refused")
    link, effects = table.source(reserved=m.FAST_RESERVED)
    assert HangUp(link, "no extensions") in effects


def test_messages_before_the_handshake_or_of_another_torrent_are_violations():
    table = Table()
    table.feed(LinkUp(LinkId(50), ("10.0.1.1", 1), False, PEER_WIRE))
    assert faults(table.say(LinkId(50), m.HAVE_ALL)) == ["no handshake"]
    table.feed(LinkUp(LinkId(51), ("10.0.1.1", 1), False, PEER_WIRE))
    other = m.Handshake(b"o" * 20, b"-XX0001-000000000009", RESERVED)
    assert faults(table.say(LinkId(51), other)) == ["another torrent"]


def test_a_link_to_a_torrent_of_no_use_says_so():
    table = Table()
    table.node._found(b"d4:name1:xe", out := [])
    [finished] = out
    assert isinstance(finished, Finished)
    assert not finished.verified
    assert "piece length" in finished.reason
