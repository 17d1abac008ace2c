"""Formulas that say how long a distribution must take, and what it costs whom.

Everything here is pure: numbers in, numbers out, no record, no file, no clock. Rates are bytes per
second, sizes bytes, times seconds; arguments broadcast as NumPy arrays do.
"""

from analysis.theory.bounds import server_seconds, store_and_forward_seconds, swarm_seconds

__all__ = ["server_seconds", "store_and_forward_seconds", "swarm_seconds"]
