"""The report in a real browser: what a reader sees, at the width of a desk and of a telephone."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from numpy.typing import NDArray
from tests.bench.test_report import RECORDS

from framecast.bench.report.page import page

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--proxy-server=http://127.0.0.1:9",  # nobody is there: what it fetched would be missing
    *("--enable-logging=stderr", "--log-level=0"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def screenshot(html: str, folder: Path, width: int, height: int) -> tuple[NDArray[np.uint8], str]:
    """(pixels [H, W, 3], what the browser logged) of a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.fail("no browser is installed; Debian: apt-get install chromium")
    folder.mkdir()
    (folder / "page.html").write_text(html, encoding="utf-8")
    with (folder / "log").open("wb") as log:  # a pipe would be held open by the browser's helpers
        subprocess.run(
            [
                *(browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"),
                *(f"--screenshot={folder / 'page.png'}", (folder / "page.html").as_uri()),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            timeout=180,
            check=True,
        )
    return (255 * imread(folder / "page.png")[:, :, :3]).round().astype(np.uint8), (folder / "log").read_text()


def near(pixels: NDArray[np.uint8], color: tuple[int, int, int], within: int = 12) -> Any:
    return (np.abs(pixels.astype(int) - color) <= within).all(axis=2)


@pytest.mark.parametrize(("width", "height", "columns"), [(1280, 3400, 2), (500, 5200, 1)])
def test_every_chart_shows_its_data(tmp_path: Path, width: int, height: int, columns: int) -> None:
    """Each chart's heading gets a colour of its own; below it, as wide, is the chart."""
    html = page(RECORDS)
    charts = html.count("<figure>")
    number = iter(range(charts))
    html = re.sub("<figure><h3>", lambda _: f'<figure><h3 style="background: rgb(1, {40 * next(number)}, 255)">', html)
    pixels, log = screenshot(html, tmp_path / "desk", width, height)
    assert not re.search(r"CONSOLE|Uncaught|ERR_", log)
    assert pixels.shape[1] == width

    lefts = set()
    for index in range(charts):
        rows, across = np.nonzero(near(pixels, (1, 40 * index, 255), within=2))
        assert rows.size, f"chart {index} is not on the page"
        left, right, top = across.min(), across.max(), rows.max()
        assert right < width - 10, "the page is wider than the window"
        lefts.add(int(left))
        chart = pixels[top + 1 : top + 1 + int(0.55 * (right - left)), left:right]
        red, blue = chart[:, :, 0].astype(int), chart[:, :, 2].astype(int)
        ink = np.abs(blue - red) > 60  # lines are blue and orange, text and grid grey
        assert ink.sum() > 100, f"chart {index} shows no data"
        assert 0.01 < 1 - near(chart, (255, 255, 255)).mean() < 0.6
    assert len(lefts) == columns
