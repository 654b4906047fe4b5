"""Running systems for the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.otlp import Collector, collecting
from tests.system.system import System, running


@pytest.fixture(scope="session")
def otlp() -> Iterator[Collector]:
    """Where `tiny_system` sends its spans."""
    with collecting() as collector:
        yield collector


@pytest.fixture(scope="session")
def tiny_system(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory, otlp: Collector) -> Iterator[System]:
    """The tiny bundle, served with a metrics page; calls are traced where the client's is."""
    tracing = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url,
        "OTEL_TRACES_SAMPLER": "parentbased_always_off",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    log = tmp_path_factory.mktemp("tiny") / "triton.log"
    with running(tiny_repository, log, "--metrics-address", "0", environment=tracing) as system:
        yield system


@pytest.fixture(scope="session")
def storybook_system(storybook_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The storybook bundle, served."""
    with running(storybook_repository, tmp_path_factory.mktemp("storybook") / "triton.log") as system:
        yield system
