"""A lesson: flash cards of words in two languages, each with a clip; several clips are made at once.

    framecast serve -- python examples/lesson.py                   # examples/lesson.txt
    framecast serve -- python examples/lesson.py --words mine.txt

A line of the word list is `sentence = translation`; the sentence is filmed. Writes one clip a line and lesson.html.
"""

import asyncio
import sys
from pathlib import Path

from failures import told_of
from options import parse
from page import Card, write_page

from framecast.client import AsyncVideoClient, FramecastClientError, VideoOptions, save_async

AT_ONCE = 2


async def film(
    client: AsyncVideoClient, sentence: str, path: Path, options: VideoOptions, turns: asyncio.Semaphore
) -> None:
    """One card's clip."""
    async with turns:
        with told_of(sentence):
            await save_async(client.generate(sentence, options=options, max_scenes=1), path)
        print(f"{path}: {sentence}")


async def main() -> None:
    """Films all sentences, at most `AT_ONCE` at a time: the server batches their denoising steps."""
    parser = parse("A lesson of words in two languages.", "lesson")
    parser.add_argument("--words", type=Path, default=Path(__file__).with_name("lesson.txt"))
    asked = parser.parse_args()
    lines = [line for line in asked.words.read_text(encoding="utf-8").splitlines() if line.strip()]
    pairs = [tuple(part.strip() for part in line.split("=", 1)) for line in lines]
    if wrong := [line for line, pair in zip(lines, pairs, strict=True) if len(pair) != 2]:
        sys.exit(f"lesson: {asked.words}: expected 'sentence = translation', got {wrong[0]!r}")
    if not pairs:
        sys.exit(f"lesson: {asked.words} has no line")
    options = VideoOptions(seed=asked.seed, steps=asked.steps)
    paths = [asked.output / f"card-{number}.mp4" for number in range(1, len(pairs) + 1)]

    turns = asyncio.Semaphore(AT_ONCE)
    async with AsyncVideoClient(asked.address) as client:
        films = [
            asyncio.create_task(film(client, pair[0], path, options, turns))
            for pair, path in zip(pairs, paths, strict=True)
        ]
        try:
            await asyncio.gather(*films)
        finally:  # of several that fail the first is told; the others end before the client does
            for task in films:
                task.cancel()
            await asyncio.gather(*films, return_exceptions=True)
    cards = [Card(path.read_bytes(), "video/mp4", *pair) for pair, path in zip(pairs, paths, strict=True)]
    write_page(asked.output / "lesson.html", "Words · 生词", cards)
    print(asked.output / "lesson.html")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except (FramecastClientError, OSError) as error:
        sys.exit(f"lesson: {error}")
