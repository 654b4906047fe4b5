"""A news clip: each headline becomes one scene of one film, with the headline as its caption.

    framecast serve -- python examples/news.py                       # examples/news.txt
    framecast serve -- python examples/news.py --headlines today.txt

Writes news.mp4, its captions news.vtt, and news.html, which shows both.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from failures import told_of
from options import parse
from page import Card, web_vtt, write_page

from framecast.client import (
    Accepted,
    Done,
    FramecastClientError,
    Scene,
    SceneStarted,
    VideoClient,
    VideoOptions,
    VideoWriter,
)


def planned(client: VideoClient, headlines: list[str]) -> Iterator[Scene]:
    """One scene a headline."""
    for line in headlines:
        with told_of(line):
            yield from client.plan(line, max_scenes=1)


def main() -> None:
    """Plans every headline, films them as one video, and writes the captions at the scenes' own times."""
    parser = parse("A news clip of headlines.", "news")
    parser.add_argument("--headlines", type=Path, default=Path(__file__).with_name("news.txt"), help="one a line")
    asked = parser.parse_args()
    headlines = [line.strip() for line in asked.headlines.read_text(encoding="utf-8").splitlines() if line.strip()]
    film = asked.output / "news.mp4"

    with VideoClient(asked.address) as client, VideoWriter(film) as writer:
        # A scene is handed over as soon as it is planned; the film begins while later headlines are being read.
        scenes = planned(client, headlines)
        starts, fps, frames = [], 24, 0
        for event in client.generate(scenes=scenes, options=VideoOptions(seed=asked.seed, steps=asked.steps)):
            writer.write(event)
            if isinstance(event, Accepted):
                fps = event.options.fps
            elif isinstance(event, SceneStarted):
                starts.append(event.first_frame)
                print(f"{headlines[event.index]}\n    {event.scene.prompt}")
            elif isinstance(event, Done):
                frames = event.stats.frames

    ends = [*starts[1:], frames]
    captions = web_vtt([(a / fps, b / fps, line) for a, b, line in zip(starts, ends, headlines, strict=True)])
    film.with_suffix(".vtt").write_text(captions, encoding="utf-8")
    card = Card(film.read_bytes(), "video/mp4", " · ".join(headlines), f"{frames / fps:.1f} s", captions)
    write_page(film.with_suffix(".html"), "News · 新闻", [card], language="zh")
    print(film.with_suffix(".html"))


if __name__ == "__main__":
    try:
        main()
    except (FramecastClientError, OSError) as error:
        sys.exit(f"news: {error}")
