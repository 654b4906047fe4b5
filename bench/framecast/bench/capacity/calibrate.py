"""A short calibration of a running server: what the service model is fitted from."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from framecast.bench.capacity.fit import Measured, together
from framecast.bench.load import closed_loop
from framecast.bench.metrics import DenoiserCounters
from framecast.bench.workload import Ask, Generate, Workload
from framecast.client import Scene, VideoOptions
from framecast.director.model import ServedModel


@dataclass(frozen=True)
class CalibrationPlan:
    """What is measured.

    Attributes:
        videos: of each kind, or a caller where there are several; after one that is not counted. The kinds take turns,
            so that a neighbour on the machine slows all of them down alike.
        concurrencies: callers at once, for the batch curve; more than the gateway's places only queue.
        width, height: pixels; 0: the repository's own.
        prompt, story: what is asked for; an empty story leaves the planner out.
    """

    videos: int = 3
    concurrencies: tuple[int, ...] = (2, 4)
    width: int = 0
    height: int = 0
    prompt: str = "a white kitten plays in the courtyard, day"
    story: str = ""


async def calibrate(
    generate: Generate,
    served: ServedModel,
    plan: CalibrationPlan | None = None,
    counters: Callable[[], Awaitable[DenoiserCounters]] | None = None,
    progress: Callable[[str], None] = lambda message: None,
) -> list[Measured]:
    """Runs the calibration: by step count, by chunk length, over several segments, by concurrency, and a story.

    Args:
        generate: makes a video.
        served: the model's constants.
        plan: how much.
        counters: reads the denoiser's counters; None where Triton's metrics cannot be read.
        progress: told what is measured next.
    """
    plan = plan or CalibrationPlan()
    segment = served.segment_latents * served.latent_frames / served.fps
    short = served.latent_frames / served.fps  # one latent: the shortest chunk
    few = max(1, served.steps // 4)
    await _measure(generate, plan, served, (segment,), served.steps, 1, None)  # warm up
    kinds: list[tuple[tuple[float, ...], int, int]] = [
        ((segment,), served.steps, 1),
        ((segment,), few, 1),
        ((short,), few, 1),
        ((2.5 * segment,), served.steps, 1),
        *(((segment,), served.steps, concurrency) for concurrency in plan.concurrencies),
    ]
    if plan.story:
        kinds.append(((), served.steps, 1))
    found: list[list[Measured]] = [[] for _ in kinds]
    for turn in range(plan.videos):
        for (scene_seconds, steps, concurrency), runs in zip(kinds, found, strict=True):
            what = f"{sum(scene_seconds):.2f} s" if scene_seconds else "a story"
            progress(f"turn {turn + 1} of {plan.videos}: {what}, {steps} steps, {concurrency} at once")
            runs.append(await _measure(generate, plan, served, scene_seconds, steps, concurrency, counters))
    return [together(runs) for runs in found]


async def _measure(
    generate: Generate,
    plan: CalibrationPlan,
    served: ServedModel,
    scene_seconds: tuple[float, ...],
    steps: int,
    concurrency: int,
    counters: Callable[[], Awaitable[DenoiserCounters]] | None,
) -> Measured:
    scenes = tuple(Scene(plan.prompt, seconds) for seconds in scene_seconds)
    ask = Ask(VideoOptions(width=plan.width, height=plan.height, steps=steps), None if scenes else plan.story, scenes)
    before = await counters() if counters else None
    run = await closed_loop(generate, Workload((ask,)), concurrency, concurrency)
    added = (await counters()).since(before) if counters and before else None
    return Measured(
        scene_seconds,
        steps,
        concurrency,
        run.samples,
        (plan.width or served.width) * (plan.height or served.height),
        added.mean_batch if added else None,
        added.mean_step if added else None,
    )
