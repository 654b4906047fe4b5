"""A script becomes a storyboard: one picture a shot, laid out on a page, before anything is filmed.

    framecast serve -- python examples/storyboard.py                      # examples/script.txt
    framecast serve -- python examples/storyboard.py --script mine.txt --film

The script is a story. Writes one picture a shot and storyboard.html; `--film` films the shots as storyboard.mp4 too.
"""

import sys
from pathlib import Path

from options import parse
from page import Card, write_page

from framecast.client import Chunk, Codec, FramecastClientError, Scene, VideoClient, VideoOptions, save


def key_frame(client: VideoClient, scene: Scene, options: VideoOptions) -> Chunk:
    """The middle picture of a shot."""
    pictures = [event for event in client.generate(scenes=[scene], options=options) if isinstance(event, Chunk)]
    return pictures[len(pictures) // 2]


def main() -> None:
    """Plans the script, then draws each shot in the codec for single pictures."""
    parser = parse("A storyboard of a script.", "storyboard")
    parser.add_argument("--script", type=Path, default=Path(__file__).with_name("script.txt"))
    parser.add_argument("--film", action="store_true", help="film the shots as well")
    asked = parser.parse_args()
    stills = VideoOptions(seed=asked.seed, steps=asked.steps, codec=Codec.PNG)

    with VideoClient(asked.address) as client:
        shots = list(client.plan(asked.script.read_text(encoding="utf-8").strip()))
        cards = []
        for number, shot in enumerate(shots, start=1):
            picture = key_frame(client, shot, stills)
            note = f"{shot.seconds:g} s · camera: {shot.camera.value}"
            cards.append(Card(picture.data, picture.mime, f"{number}. {shot.prompt}", note))
            asked.output.mkdir(parents=True, exist_ok=True)
            (asked.output / f"shot-{number}.png").write_bytes(picture.data)
            print(f"{number}. {shot.prompt} ({note})")
        write_page(asked.output / "storyboard.html", asked.script.stem.title(), cards)
        if asked.film:
            options = VideoOptions(seed=asked.seed, steps=asked.steps)
            save(client.generate(scenes=shots, options=options), asked.output / "storyboard.mp4")
    print(asked.output / "storyboard.html")


if __name__ == "__main__":
    try:
        main()
    except (FramecastClientError, OSError) as error:
        sys.exit(f"storyboard: {error}")
