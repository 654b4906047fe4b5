"""The storyboard: what the planner writes and the director films.

A storyboard is the JSON object ``{"scenes": [{"prompt": …, "seconds": …, "camera": …}, …]}``, minified, keys in
that order. `schema` gives its JSON Schema, from which the decoding grammar is made.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CAMERAS = ("static", "pan left", "pan right", "zoom in", "zoom out")
MAX_PROMPT_CHARACTERS = 300
MIN_SCENE_SECONDS = 0.5
MAX_SCENE_SECONDS = 8.0


@dataclass(frozen=True)
class Scene:
    """One scene.

    Attributes:
        prompt: what is seen, in the wording the text encoder was trained on.
        seconds: length; 0 means one segment of the served model.
        camera: one of `CAMERAS`.
        negative_prompt: what must not be seen.
        seed: of the scene's noise, or None to derive it from the video's.
    """

    prompt: str
    seconds: float = 0.0
    camera: str = "static"
    negative_prompt: str = ""
    seed: int | None = None


def lengths() -> list[int | float]:
    """The seconds that a scene of a story may have: tenths, whole ones without a point.

    A number without such a list has no end to its digits, and a model may write them for ever.
    """
    tenths = range(round(10 * MIN_SCENE_SECONDS), round(10 * MAX_SCENE_SECONDS) + 1)
    return [tenth / 10 if tenth % 10 else tenth // 10 for tenth in tenths]


def schema(max_scenes: int, prompts: str = "") -> dict[str, Any]:
    """JSON Schema of a storyboard of 1 to `max_scenes` scenes; `prompts` is a regular expression of theirs."""
    prompt: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": MAX_PROMPT_CHARACTERS}
    scene = {
        "type": "object",
        "properties": {
            "prompt": prompt | ({"pattern": prompts} if prompts else {}),
            "seconds": {"enum": lengths()},
            "camera": {"enum": list(CAMERAS)},
        },
        "required": ["prompt", "seconds", "camera"],
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"scenes": {"type": "array", "items": scene, "minItems": 1, "maxItems": max_scenes}},
        "required": ["scenes"],
        "additionalProperties": False,
    }


def scene_from_json(fields: Mapping[str, Any]) -> Scene:
    """A scene object of the schema above as a `Scene`. Raises KeyError or ValueError when it is not one."""
    return Scene(prompt=str(fields["prompt"]), seconds=float(fields["seconds"]), camera=str(fields["camera"]))


def scene_to_json(scene: Scene) -> str:
    """The inverse of `scene_from_json`, minified."""
    fields = {"prompt": scene.prompt, "seconds": scene.seconds, "camera": scene.camera}
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))


class StoryboardReader:
    """Reads a storyboard as it is written and yields each scene the moment its brace closes."""

    def __init__(self) -> None:
        self._text = ""
        self._next = 0  # where the next scene object begins; 0 before the array has begun
        self._decoder = json.JSONDecoder()

    def feed(self, text: str) -> Iterator[Scene]:
        """Appends `text` and yields the scenes it completed."""
        self._text += text
        if not self._next:
            self._next = self._text.find("[") + 1
        while self._next and self._text[self._next : self._next + 1] in ("{", ","):
            start = self._next + (self._text[self._next] == ",")
            try:
                fields, self._next = self._decoder.raw_decode(self._text, start)
            except json.JSONDecodeError:  # the scene is not complete yet
                return
            yield scene_from_json(fields)
