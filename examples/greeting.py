"""A personal greeting: somebody's favourites become a short film with a card around it.

    framecast serve -- python examples/greeting.py 小明 --likes "green car" --where beach \\
        --wish 生日快乐

Writes greeting.mp4 and greeting.html. The same words and seed always give the same film.
"""

import sys

from failures import told_of
from options import parse
from page import Card, web_vtt, write_page

from framecast.client import FramecastClientError, Scene, VideoClient, VideoOptions, save

PLACES = {
    "courtyard": "in the courtyard",
    "beach": "on the beach",
    "forest": "in the forest",
    "street": "on the street",
    "snow": "in the snow",
    "meadow": "in the meadow",
    "sea": "in the sea",
    "room": "in the living room",
    "sky": "in the starry sky",
    "desert": "in the desert",
}


def main() -> None:
    """Writes the scenes itself: the favourite comes, plays, and a balloon rises."""
    parser = parse("A personal greeting.", "greeting")
    parser.add_argument("name", nargs="?", default="小明")
    parser.add_argument("--likes", default="white kitten", help="colour and subject")
    parser.add_argument("--where", default="courtyard", choices=PLACES)
    parser.add_argument("--wish", default="生日快乐")
    asked = parser.parse_args()
    place = PLACES[asked.where]
    scenes = [
        Scene(f"a {asked.likes} moves right {place}, day", 2.0),
        Scene(f"a {asked.likes} jumps {place}, sunset", 2.0),
        Scene("a red balloon flies up in the starry sky, night", 2.0),
    ]
    film = asked.output / "greeting.mp4"
    with VideoClient(asked.address) as client:
        with told_of(asked.likes):  # a story of what cannot be drawn is refused; scenes are filmed whatever they say
            list(client.plan(f"a {asked.likes}", max_scenes=1))
        saved = save(client.generate(scenes=scenes, options=VideoOptions(seed=asked.seed, steps=asked.steps)), film)
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in asked.name + asked.wish)
    message = f"{asked.name}，{asked.wish}！" if chinese else f"{asked.name}, {asked.wish}!"
    captions = web_vtt([(3.0, sum(scene.seconds for scene in scenes), message)])
    card = Card(film.read_bytes(), "video/mp4", message, "", captions)
    write_page(film.with_suffix(".html"), message, [card], language="zh" if chinese else "und")
    print(f"{film}: {saved.frames} frames")


if __name__ == "__main__":
    try:
        main()
    except (FramecastClientError, OSError) as error:
        sys.exit(f"greeting: {error}")
