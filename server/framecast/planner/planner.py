"""Story to scenes: the LLM decoding loop, each scene handed over as soon as it is written."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import llguidance
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream

from framecast.engines.engine import Engine
from framecast.errors import Cancelled, InvalidRepository, InvalidRequest, PlanningFailed
from framecast.planner.decoder import CachedDecoder
from framecast.planner.grammar import Constraint
from framecast.planner.prompts import prompts_about
from framecast.planner.storyboard import Scene, StoryboardReader
from framecast.planner.subjects import Subjects


@dataclass(frozen=True)
class PlannerSettings:
    """What the exporter stores beside the planner's graph.

    Attributes:
        prefix, suffix: the chat template around the story.
        eos_token: id of the token that ends an answer.
        vocabulary: size of the model's logits.
        context: the most tokens the model can hold, prompt and answer together.
        max_new_tokens: of an answer.
        max_scenes: of a storyboard.
        subjects: subject → nouns that stories may use for it; a story without any is refused. None: all are welcome.
        prompts: a regular expression of the prompts it may write, with `SUBJECTS` of the grammar's where a subject
            stands that the story names; empty: whatever it writes.
    """

    prefix: str
    suffix: str
    eos_token: int
    vocabulary: int
    context: int
    max_new_tokens: int
    max_scenes: int
    subjects: dict[str, list[str]] = field(default_factory=dict)
    prompts: str = ""

    @classmethod
    def load(cls, path: Path) -> "PlannerSettings":
        """Reads JSON. Raises InvalidRepository."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (TypeError, ValueError) as error:
            raise InvalidRepository(f"{path} does not hold planner settings; export the bundle again.") from error


@dataclass(frozen=True)
class PlannedScene:
    """A scene and the seconds the model took for it."""

    scene: Scene
    seconds: float


class ScenePlanner:
    """Plans stories with a causal language model under the storyboard grammar, greedily: same story, same scenes.

    Args:
        engine: the language model's graph.
        tokenizer: path of its ``tokenizer.json``.
        settings: see `PlannerSettings`.
    """

    def __init__(self, engine: Engine, tokenizer: Path, settings: PlannerSettings) -> None:
        self._engine = engine
        self._settings = settings
        text = tokenizer.read_text(encoding="utf-8")
        self._tokenizer = Tokenizer.from_str(text)
        self._tokenizer.no_truncation()  # a story that is too long is refused, not cut with the template's end
        self._tokenizer.no_padding()
        self._special = {id for id, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        self._subjects = Subjects(settings.subjects)
        self._grammar_tokens = llguidance.LLTokenizer(text, n_vocab=settings.vocabulary, eos_token=settings.eos_token)

    def plan(
        self, story: str, max_scenes: int, cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[PlannedScene]:
        """Yields the scenes of `story`, at least one and at most `max_scenes`.

        Raises:
            InvalidRequest: the story does not fit into the model's context or names nothing that it has learnt, or
                `max_scenes` is below 1.
            PlanningFailed: the token limit was reached before one scene was complete.
            Cancelled: `cancelled()` became true; it is asked at every token.
        """
        settings = self._settings
        if max_scenes < 1:
            raise InvalidRequest("max_scenes", f"is {max_scenes}; it must be at least 1")
        story = story.strip()  # as templates do that trim
        prompts = prompts_about(settings.prompts, self._subjects.named(story))
        prompt = self._prompt(story)
        budget = min(settings.max_new_tokens, settings.context - len(prompt))
        if budget < settings.max_new_tokens // 4:
            room = settings.context - settings.max_new_tokens // 4
            raise InvalidRequest("text", f"is {len(prompt)} tokens long; the planner reads up to {room}")

        decoder = CachedDecoder(self._engine)
        constraint = Constraint(self._grammar_tokens, min(max_scenes, settings.max_scenes), prompts)
        reader, stream = StoryboardReader(), DecodeStream(skip_special_tokens=True)
        planned, started, tokens = 0, time.perf_counter(), prompt
        for _ in range(budget):
            if cancelled():
                raise Cancelled("The caller cancelled the plan.")
            token = constraint.choose(decoder.feed(tokens))
            tokens = [token]
            for scene in reader.feed(stream.step(self._tokenizer, token) or ""):
                now = time.perf_counter()
                yield PlannedScene(scene, now - started)
                planned, started = planned + 1, now
            if constraint.complete:
                break
        if not planned:
            raise PlanningFailed("The planner wrote no scene within its token limit; shorten the story.")

    def _prompt(self, story: str) -> list[int]:
        """Token ids of the template with the story in it, in which special tokens are plain text.

        All of it is read in one piece, as transformers does: a blank before the story may belong to its first word, and
        ``] [`` to one token.
        """
        prefix, suffix = self._settings.prefix, self._settings.suffix
        whole = self._tokenizer.encode(f"{prefix}{story}{suffix}", add_special_tokens=False)
        inside = (len(prefix), len(prefix) + len(story))
        tokens = zip(whole.offsets, whole.ids, strict=True)
        if not any(_within(offsets, inside) for offsets, token in tokens if token in self._special):
            return list(whole.ids)
        # A caller's special token must not end the message; the gaps beside the story are read with it as well.
        before, after = prefix.rstrip(), suffix.lstrip()
        text = prefix[len(before) :] + story + suffix[: len(suffix) - len(after)]
        return [*self._ids(before), *self._ids(text, plain=True), *self._ids(after)]

    def _ids(self, text: str, *, plain: bool = False) -> list[int]:
        self._tokenizer.encode_special_tokens = plain
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        self._tokenizer.encode_special_tokens = False
        return ids


def _within(offsets: tuple[int, int], inside: tuple[int, int]) -> bool:
    return offsets[0] < inside[1] and offsets[1] > inside[0]
