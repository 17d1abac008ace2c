"""The peer-to-peer side of the comparison: a BitTorrent swarm (BEP 3, 6, 10, 23)."""
