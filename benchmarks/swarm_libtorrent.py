"""libtorrent's peers as contestants of `benchmarks.swarm`: one session a peer, a full mesh.

Peers on loopback are exempt from its rate limits and unchoke slots until they are put into the global
class. `crowd.tuned` takes the best settings that were found for such a crowd; otherwise its defaults.
"""

from __future__ import annotations

import math
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

import libtorrent as lt
import msgspec

from benchmarks.swarm_crowd import Crowd, NodeCount, ProcessCount, RateProof
from peers.torrent_making import make
from testbed.node import NodeId
from testbed.sockets import loopback_host, raise_open_file_limit

ALONE = {
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "allow_multiple_connections_per_ip": True,
}
"""What makes it a peer on this machine and nothing more; in both variants."""

TUNED = {
    "rate_limit_ip_overhead": False,
    "tick_interval": 100,
    "unchoke_slots_limit": -1,
    "connection_speed": 500,
    "torrent_connect_boost": 200,
    "mixed_mode_algorithm": 0,
    "out_enc_policy": 2,
    "in_enc_policy": 2,
    "request_queue_time": 1,
    "send_buffer_watermark": 65536,
    "send_buffer_low_watermark": 16384,
    "initial_picker_threshold": 1,
    "smooth_connects": False,
    "min_reconnect_time": 1,
    "peer_turnover": 0,
    "whole_pieces_threshold": 1,
}

POLL_SECONDS = 0.005
OPEN_FILES = 16_384


class Peer:
    """One session and its torrent, paused."""

    def __init__(self, crowd: Crowd, node_id: int, torrent: Any) -> None:
        settings: dict[str, Any] = {
            **ALONE,
            **(TUNED if crowd.tuned else {}),
            "listen_interfaces": f"{loopback_host(NodeId(node_id))}:{crowd.port}",
            "outgoing_interfaces": loopback_host(NodeId(node_id)),
            "alert_mask": lt.alert.category_t.status_notification,
        }
        if crowd.tuned and crowd.clients <= 4:
            settings["predictive_piece_announce"] = 200
        self.rate = crowd.uplink if node_id else crowd.origin_uplink
        for name, rate in (("upload_rate_limit", self.rate), ("download_rate_limit", crowd.downlink)):
            if rate is not None:
                settings[name] = int(rate)
        self.node_id = node_id
        self.session = lt.session(settings)
        everybody = lt.ip_filter()
        everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lt.session.global_peer_class_id)
        self.session.set_peer_class_filter(everybody)
        parameters = lt.add_torrent_params()
        parameters.ti = torrent
        folder = Path(crowd.file).parent if node_id == 0 else Path(crowd.folder, str(node_id))
        parameters.save_path = str(folder)
        parameters.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        if node_id:
            parameters.flags |= lt.torrent_flags.paused
        else:
            parameters.flags |= lt.torrent_flags.seed_mode
        self.handle = self.session.add_torrent(parameters)
        self._proof = RateProof(math.inf if self.rate is None else self.rate)

    def sample(self, since_start: float) -> None:
        """Compare what was uploaded with the rate."""
        if self.rate is not None:
            self._proof.sample(self.handle.status().total_upload, since_start)

    def count(self) -> NodeCount:
        """What it has counted."""
        status = self.handle.status()
        redundant = status.total_redundant_bytes + status.total_failed_bytes
        return NodeCount(self.node_id, status.total_payload_upload, redundant, *self._proof.found)


def make_torrent(crowd: Crowd) -> Any:
    """Describe the file with pieces of the crowd's size."""
    return lt.torrent_info(lt.bdecode(make(Path(crowd.file), crowd.piece_bytes, "").encode()))


def earlier_peers(crowd: Crowd, node_id: int) -> list[int]:
    """Say whom a peer dials: all that came before it, or half as many as it is to have links."""
    earlier = range(node_id)
    if crowd.neighbours is None or node_id <= crowd.neighbours // 2:
        return list(earlier)
    return random.Random(node_id).sample(earlier, crowd.neighbours // 2)


def main(crowd: Crowd, part: int, parts: int) -> None:
    """Be one process of the crowd: all of it, or with two the seed or the others."""
    raise_open_file_limit(OPEN_FILES)
    torrent = make_torrent(crowd)
    everybody = range(crowd.clients + 1)
    here = [node for node in everybody if parts == 1 or (node == 0) == (part == 0)]
    peers = [Peer(crowd, node_id, torrent) for node_id in here]
    print("ready", flush=True)
    at_monotonic = float(sys.stdin.readline().split()[1])
    time.sleep(max(0.0, at_monotonic - time.monotonic()))
    busy = time.process_time()
    for peer in peers:
        if peer.node_id:
            peer.handle.resume()
            for other in earlier_peers(crowd, peer.node_id):
                peer.handle.connect_peer((loopback_host(NodeId(other)), crowd.port))
    stopped = threading.Event()

    def wait_for_stop() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=wait_for_stop, daemon=True).start()
    missing = {peer.node_id: peer for peer in peers if peer.node_id}
    next_sample = 0.0
    while not stopped.wait(POLL_SECONDS):
        now = time.monotonic() - at_monotonic
        for node_id, peer in list(missing.items()):
            if any(isinstance(alert, lt.torrent_finished_alert) for alert in peer.session.pop_alerts()):
                del missing[node_id]
                print(f"finished {node_id} {now:.6f}", flush=True)
        if now >= next_sample:
            next_sample = now + 0.25
            for peer in peers:
                peer.sample(now)
    count = ProcessCount([peer.count() for peer in peers], time.process_time() - busy)
    print(msgspec.json.encode(count).decode(), flush=True)


if __name__ == "__main__":
    main(msgspec.json.decode(sys.argv[1], type=Crowd), int(sys.argv[2]), int(sys.argv[3]))
