"""The director over stages that follow a script: the faults that a real Triton does not have on demand."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from framecast.director.camera import CameraPath
from framecast.director.director import Director, DirectorConfig
from framecast.director.model import ServedModel
from framecast.director.timeline import scene_seed, segment_seed
from framecast.director.video import Chunk, Done, Event, SceneStarted, StoryRequest, VideoSpec
from framecast.errors import CorruptOutput, InvalidRequest, Overloaded, StageUnavailable
from framecast.planner.storyboard import Scene
from framecast.stages.types import Encoded, Floats, Latents, Planned, TextStates

MODEL = ServedModel("x", "0", 4, 6, 2, 2, 32, 64, 64, 8, 10, 2.5, (10,), 6)  # segments of 24 frames, then 16
SPEC = VideoSpec("id", 64, 64, 8, 11, 10, 2.5, "h264")
QUICK = DirectorConfig(patience=5.0, retry_pause=0.0)


class ScriptedStages:
    """Latents count their segments up; a stage takes one of its `faults` a call and raises it, unless it is None."""

    def __init__(self) -> None:
        self.faults: dict[str, list[Exception | None]] = {"plan": [], "text": [], "denoise": [], "decode": []}
        self.denoised: list[dict[str, Any]] = []
        self.decoded: list[dict[str, Any]] = []
        self.prompts: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.cancelled = 0

    def _fault(self, stage: str) -> None:
        if self.faults[stage] and (fault := self.faults[stage].pop(0)):
            raise fault

    async def plan(self, story: str, max_scenes: int) -> AsyncGenerator[Planned, None]:
        for i in range(max_scenes):
            self._fault("plan")
            yield Planned(Scene(f"{story} {i}", 1.0), 0.5)

    async def encode_text(self, prompt: str, negative_prompt: str, *, scene: int) -> TextStates:
        self._fault("text")
        self.prompts.append(prompt)
        states = np.zeros((1, 1), np.float32)
        return TextStates(states, states, 0.25)

    async def denoise(self, states: TextStates, **request: Any) -> Latents:
        self._fault("denoise")
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.denoised.append(request)
        values = np.arange(request["latent_count"], dtype=np.float32)[:, None, None, None] + 100 * len(self.denoised)
        return Latents(np.broadcast_to(values, (request["latent_count"], 1, 1, 1)).copy(), 2.0)

    async def decode(self, latents: Floats, **request: Any) -> Encoded:
        self._fault("decode")
        self.decoded.append({**request, "latents": latents[:, 0, 0, 0].tolist()})
        parts = request["frames"] if request["codec"] == "png" else 1
        return Encoded((b"12345",) * parts, "video/mp4", 0.5, 0.25, 0.125)


async def film(stages: ScriptedStages, source: Any, spec: VideoSpec = SPEC, model: ServedModel = MODEL) -> list[Event]:
    return [event async for event in Director(stages, model, QUICK).run(spec, source)]


async def scenes(*items: Scene) -> AsyncIterator[Scene]:
    for item in items:
        yield item


async def test_order_timeline_seeds_and_bill() -> None:
    stages = ScriptedStages()
    events = await film(stages, scenes(Scene("a", 4.0), Scene("b", 1.0, seed=77)))
    chunks = [event for event in events if isinstance(event, Chunk)]
    starts = [event for event in events if isinstance(event, SceneStarted)]
    assert [(s.index, s.first_frame) for s in starts] == [(0, 0), (1, 32)]
    assert [c.index for c in chunks] == list(range(len(chunks)))
    assert sum(c.frames for c in chunks) == 40
    assert [d["first_frame"] for d in stages.decoded] == [c.first_frame for c in chunks]
    assert [d["sequence"] for d in stages.decoded] == [c.index for c in chunks]

    assert [d["seed"] for d in stages.denoised] == [SPEC.seed, segment_seed(SPEC.seed, 1), 77]
    assert [d["first_frame"] for d in stages.denoised] == [0, 24, 32]  # 0: somebody waits for the first frame
    contexts = [d["context"] for d in stages.denoised]
    assert contexts[0] is None
    assert contexts[2] is None
    assert contexts[1][:, 0, 0, 0].tolist() == [104.0, 105.0]  # the end of the segment before
    # The second segment's context is not decoded again.
    assert [d["latents"] for d in stages.decoded[:4]] == [[100, 101], [102, 103], [104, 105], [202, 203]]

    done = events[-1]
    assert isinstance(done, Done)
    assert done.stats.engine_seconds == {
        "text": 0.5,
        "denoise": 6.0,
        "decode": 0.5 * len(chunks),
        "encode": 0.25 * len(chunks),
        "mux": 0.125 * len(chunks),
    }
    assert (done.stats.scenes, done.stats.segments, done.stats.bytes) == (2, 3, 5 * len(chunks))


async def test_a_camera_is_a_view_over_the_whole_scene_or_words_as_the_bundle_says() -> None:
    scene = Scene("a", 4.0, camera="pan left")
    stages, words = ScriptedStages(), ScriptedStages()
    await film(stages, scenes(Scene("b", 1.0), scene), model=replace(MODEL, camera="view"))
    await film(words, scenes(scene), model=replace(MODEL, camera="prompt"))
    assert stages.prompts == ["b", "a"]
    assert words.prompts == ["a, pan left"]
    assert [d["views"] for d in words.decoded] == [None] * len(words.decoded)
    seen = np.concatenate([d["views"] for d in stages.decoded])
    assert [len(d["views"]) for d in stages.decoded] == [d["frames"] for d in stages.decoded]
    assert np.array_equal(seen, np.concatenate([CameraPath("static", 8, 8).views(0, 8),
                                                CameraPath("pan left", 32, 8).views(0, 32)]))  # fmt: skip


async def test_a_story_is_planned_and_pictures_come_one_a_chunk() -> None:
    events = await film(ScriptedStages(), StoryRequest("tale", 2), replace(SPEC, codec="png"))
    chunks = [event for event in events if isinstance(event, Chunk)]
    assert [event.scene.prompt for event in events if isinstance(event, SceneStarted)] == ["tale 0", "tale 1"]
    assert [(c.first_frame, c.frames) for c in chunks] == [(i, 1) for i in range(16)]


@pytest.mark.parametrize("stage", ["text", "denoise", "decode"])
async def test_a_stage_that_is_down_for_a_while_costs_nothing_but_time(stage: str) -> None:
    stages = ScriptedStages()
    stages.faults[stage] = [StageUnavailable("down"), StageUnavailable("down")]
    events = await film(stages, scenes(Scene("a", 1.0)))
    assert isinstance(events[-1], Done)
    assert len(stages.denoised) == 1


async def test_a_planner_that_dies_half_way_writes_each_scene_once() -> None:
    stages = ScriptedStages()
    stages.faults["plan"] = [None, StageUnavailable("down"), StageUnavailable("down")]
    events = await film(stages, StoryRequest("tale", 3))
    prompts = [event.scene.prompt for event in events if isinstance(event, SceneStarted)]
    assert prompts == ["tale 0", "tale 1", "tale 2"]


async def test_patience_with_a_planner_begins_anew_with_every_scene() -> None:
    stages = ScriptedStages()
    stages.faults["plan"] = [StageUnavailable("down"), None, StageUnavailable("down")]
    director = Director(stages, MODEL, DirectorConfig(patience=0.2, retry_pause=0.0))
    prompts = []
    async for scene in director.plan(StoryRequest("tale", 3)):
        prompts.append(scene.prompt)
        await asyncio.sleep(0.25)  # filming takes longer than the patience
    assert prompts == ["tale 0", "tale 1", "tale 2"]


async def test_a_full_queue_costs_an_accepted_video_nothing_but_time() -> None:
    stages = ScriptedStages()
    stages.faults["denoise"] = [Overloaded("full"), Overloaded("full")]
    assert isinstance((await film(stages, scenes(Scene("a", 1.0))))[-1], Done)


async def test_patience_counts_from_the_first_failure() -> None:
    class Slow(ScriptedStages):
        async def denoise(self, states: TextStates, **request: Any) -> Latents:
            if not self.denoised:
                await asyncio.sleep(0.05)  # longer than the patience
            return await super().denoise(states, **request)

    stages = Slow()
    stages.faults["denoise"] = [StageUnavailable("down")]
    director = Director(stages, MODEL, DirectorConfig(patience=0.02, retry_pause=0.0))
    assert isinstance([event async for event in director.run(SPEC, scenes(Scene("a", 1.0)))][-1], Done)


async def test_a_stage_that_stays_down_ends_the_video() -> None:
    stages = ScriptedStages()
    stages.faults["denoise"] = [StageUnavailable("down")] * 3
    video = Director(stages, MODEL, DirectorConfig(patience=0.0, retry_pause=0.0)).run(SPEC, scenes(Scene("a")))
    assert isinstance(await anext(video), SceneStarted)
    with pytest.raises(StageUnavailable):
        await anext(video)


async def test_a_fault_comes_after_the_chunks_before_it() -> None:
    stages, seen = ScriptedStages(), []
    stages.faults["denoise"] = [None, CorruptOutput("NaN")]

    async def watch() -> None:
        async for event in Director(stages, MODEL, QUICK).run(SPEC, scenes(Scene("a", 1.0), Scene("b", 1.0))):
            seen.append(event)

    with pytest.raises(CorruptOutput):
        await watch()
    assert [(chunk.scene, chunk.frames) for chunk in seen if isinstance(chunk, Chunk)] == [(0, 8)]


async def test_closing_cancels_the_stage_that_runs() -> None:
    stages = ScriptedStages()
    stages.gate.clear()
    video = Director(stages, MODEL, QUICK).run(SPEC, scenes(Scene("a")))
    assert isinstance(await anext(video), SceneStarted)
    for _ in range(20):
        await asyncio.sleep(0)
    await video.aclose()
    assert stages.cancelled == 1


async def test_a_slow_reader_bounds_the_work() -> None:
    stages = ScriptedStages()
    video = Director(stages, MODEL, QUICK).run(SPEC, scenes(*(Scene(str(i)) for i in range(50))))
    await anext(video)
    for _ in range(500):
        await asyncio.sleep(0)
    assert len(stages.denoised) <= 5
    await video.aclose()


async def test_scenes_may_come_while_earlier_ones_stream() -> None:
    stages, more = ScriptedStages(), asyncio.Event()

    async def pushed() -> AsyncIterator[Scene]:
        yield Scene("a", 1.0)
        await more.wait()
        yield Scene("b", 1.0)

    chunks = []
    async for event in Director(stages, MODEL, QUICK).run(SPEC, pushed()):
        if isinstance(event, Chunk):
            chunks.append(event)
            more.set()  # only after the first chunk has come
    assert {chunk.scene for chunk in chunks} == {0, 1}


async def test_no_scene_at_all_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidRequest):
        await film(ScriptedStages(), scenes())


async def test_a_model_of_still_pictures_draws_one_a_scene() -> None:
    stages = ScriptedStages()
    model = replace(MODEL, context_latents=0, still=True)
    events = await film(stages, scenes(Scene("a", 7.0), Scene("b", 1.0)), model=model)
    assert [d["seed"] for d in stages.denoised] == [scene_seed(SPEC.seed, index) for index in (0, 1)]
    assert sum(event.frames for event in events if isinstance(event, Chunk)) == 64
    assert {latents[0] // 100 for latents in (d["latents"] for d in stages.decoded)} == {1, 2}


@pytest.mark.parametrize("codec", ["h264", "png"])
async def test_what_a_safety_checker_finds_is_told_with_its_frames_and_billed(codec: str) -> None:
    class Checked(ScriptedStages):
        async def decode(self, latents: Floats, **request: Any) -> Encoded:
            encoded = await super().decode(latents, **request)
            found = len(self.decoded) == 2
            return replace(encoded, review_seconds=0.5, looked_at=2, unsafe=int(found))

    stages = Checked()
    events = await film(stages, scenes(Scene("a", 2.0)), replace(SPEC, codec=codec))
    chunks = [event for event in events if isinstance(event, Chunk)]
    first, second = (request["frames"] for request in stages.decoded[:2])
    assert second
    assert [chunk.first_frame for chunk in chunks if chunk.unsafe] == [first], "once, though every picture is a chunk"
    done = events[-1]
    assert isinstance(done, Done)
    assert done.stats.engine_seconds["review"] == 0.5 * len(stages.decoded)
