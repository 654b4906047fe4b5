"""Served repositories that the tests share, kept under build/ and made again only when their source changes."""

import logging
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
GRAPH_CACHE = ROOT / "build" / "tests" / "cache"  # of traced graphs: another engine or precision need not trace again


LONGEST = (
    *("test_aoti", "test_families", "test_tensorrt_rtx", "test_embedded", "test_supervisor", "test_aot"),
    "test_interpreted",
)
"""Files that take half of the time: they begin, so that none is left to one process at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


@pytest.fixture(scope="session", autouse=True)
def _no_trace_of_torch() -> None:
    """pytest listens at every logger that does not propagate, and torch, once heard, writes out all graphs it traces.

    That took a quarter of the time of an export.
    """
    logging.getLogger("torch.__trace").propagate = True


@pytest.fixture(scope="session")
def storybook_repository() -> Path:
    """The trained storybook bundle, exported."""
    return _exported(ROOT / "bundles" / "storybook", ROOT / "build" / "served")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the real classes with random weights."""
    # With it come torch and diffusers, which most tests do without.
    from tests.support.tiny_bundle import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def tiny_repository(tiny_bundle: Path) -> Path:
    """The tiny bundle, exported."""
    return _exported(tiny_bundle, ROOT / "build" / "tests" / "tiny")


def _exported(bundle: Path, output: Path) -> Path:
    """Exports once: test processes that run side by side wait for the first."""
    from framecast.export.bundle import Bundle
    from framecast.export.cli import packaged_models
    from framecast.export.exporter import export_bundle, is_current
    from framecast.export.options import ExportOptions

    source, options = Bundle.open(bundle), ExportOptions(models=packaged_models(), cache=GRAPH_CACHE)
    output.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(output.with_name(f"{output.name}.lock")):
        if not is_current(source, output, options):
            export_bundle(source, output, options)
    return output
