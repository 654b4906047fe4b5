"""Running systems for the tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.system.system import System, running


@pytest.fixture(scope="session")
def tiny_system(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The tiny bundle, served."""
    with running(tiny_repository, tmp_path_factory.mktemp("tiny") / "triton.log") as system:
        yield system


@pytest.fixture(scope="session")
def storybook_system(storybook_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The storybook bundle, served."""
    with running(storybook_repository, tmp_path_factory.mktemp("storybook") / "triton.log") as system:
        yield system
