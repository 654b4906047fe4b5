"""Queueing formulas against closed forms."""

import math

import numpy as np
import pytest
from tests.support.queues import allen_cunneen, erlang_c

from framecast.bench.capacity.queueing import mixture, occupancy


def test_erlang_c_against_its_definition() -> None:
    for servers, load in ((1, 0.3), (2, 1.0), (5, 4.2), (30, 25.0)):
        terms = [load**n / math.factorial(n) for n in range(servers)]
        last = load**servers / math.factorial(servers) * servers / (servers - load)
        assert erlang_c(servers, load) == pytest.approx(last / (sum(terms) + last), rel=1e-12)
    assert erlang_c(3, 3.0) == 1.0
    assert 0 < erlang_c(1000, 990.0) < 1  # factorials would overflow


@pytest.mark.parametrize("load", [0.2, 0.7, 0.95])
def test_allen_cunneen_is_exact_for_one_server(load: float) -> None:
    """Pollaczek–Khinchine: M/M/1 waits ρ ÷ (1 - ρ), M/D/1 half of that, in service times."""
    assert allen_cunneen(load, 1.0) == pytest.approx(load / (1 - load))
    assert allen_cunneen(load / 2, 2.0, cs2=0.0) == pytest.approx(load / (1 - load))
    assert math.isinf(allen_cunneen(1.0, 1.0))


@pytest.mark.parametrize(("servers", "load", "cs2"), [(1, 0.7, 1.0), (1, 0.9, 0.0), (4, 3.0, 1.0), (8, 7.0, 0.5)])
def test_a_long_queue_is_allen_cunneen(servers: int, load: float, cs2: float) -> None:
    found = occupancy(load, lambda live: 1.0, servers, 2000, cs2=cs2)
    assert found.wait == pytest.approx(allen_cunneen(load, 1.0, servers, cs2=cs2), rel=1e-9)
    assert found.waiting == pytest.approx(erlang_c(servers, load), rel=1e-9)
    assert found.refused < 1e-12


def test_a_finite_queue_refuses_like_m_m_1_k() -> None:
    load, room = 1.3, 9
    found = occupancy(load, lambda live: 1.0, 1, room)
    probabilities = load ** np.arange(room + 2) * (1 - load) / (1 - load ** (room + 2))
    np.testing.assert_allclose(found.probability, probabilities, rtol=1e-9)
    assert found.refused == pytest.approx(probabilities[-1])


def test_no_queue_refuses_like_erlang_b() -> None:
    found = occupancy(2.0, lambda live: 1.0, 3, 0)
    terms = [2.0**n / math.factorial(n) for n in range(4)]
    assert found.refused == pytest.approx(terms[3] / sum(terms))
    assert found.wait == 0


def test_service_that_slows_down_in_proportion_is_processor_sharing() -> None:
    """n served at 1 ÷ n of the speed each: geometric occupancy, as in M/M/1-PS."""
    found = occupancy(0.6, lambda live: float(live), 50, 0)
    np.testing.assert_allclose(found.probability[:10], 0.4 * 0.6 ** np.arange(10), rtol=1e-6)


def test_a_mixture_of_fixed_and_exponential_times() -> None:
    found = mixture([(3.0, 1.0, 0.0), (1.0, 2.0, 4.0)])
    assert found.mean == pytest.approx(0.75 * 1 + 0.25 * 6)
    assert found.above(1.5) == pytest.approx(0.25)
    assert found.above(6.0) == pytest.approx(0.25 * math.exp(-1))
    assert found.quantile(0.5) == pytest.approx(1.0, abs=1e-6)
    assert found.quantile(0.95) == pytest.approx(2 + 4 * math.log(5), rel=1e-6)
