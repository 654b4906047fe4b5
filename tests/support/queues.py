"""Queues in closed form that others are compared with: Erlang C for M/M/k, Allen–Cunneen for G/G/k."""

import math


def erlang_c(servers: int, load: float) -> float:
    """P(an arrival must wait) in M/M/k. `load` in erlangs; 1 when it is the servers' number or more."""
    if load >= servers:
        return 1.0
    blocked = 1.0
    for k in range(1, servers + 1):  # Erlang B, recursively: no factorials to overflow
        blocked = load * blocked / (k + load * blocked)
    return blocked / (1 - load / servers * (1 - blocked))


def allen_cunneen(rate: float, service: float, servers: int = 1, *, ca2: float = 1.0, cs2: float = 1.0) -> float:
    """Mean wait in G/G/k, seconds; infinite when the load is too much.

    Args:
        rate: arrivals a second.
        service: mean seconds.
        servers: k.
        ca2, cs2: squared coefficients of variation of the times between arrivals and of service.
    """
    load = rate * service
    if load >= servers:
        return math.inf
    return (ca2 + cs2) / 2 * erlang_c(servers, load) * service / (servers - load)
