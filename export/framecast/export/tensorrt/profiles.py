"""Optimisation profiles: the shapes a plan takes, from what is served.

TensorRT checks the relations between axes (two inputs with the same batch, ``total = past + tokens``) at the minimum,
the optimum and the maximum. Axes are therefore ranged once, in `ServingLimits`, and every input is made from them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

Shape = tuple[int, ...]


@dataclass(frozen=True)
class ShapeRange:
    """The smallest, the most usual and the largest shape of one input."""

    min: Shape
    opt: Shape
    max: Shape

    def __post_init__(self) -> None:
        if not len(self.min) == len(self.opt) == len(self.max):
            raise ValueError(f"shapes {self.min}, {self.opt} and {self.max} have different ranks")
        if any(not 0 <= low <= usual <= high for low, usual, high in zip(self.min, self.opt, self.max, strict=True)):
            raise ValueError(f"shapes {self.min}, {self.opt} and {self.max} are not in order")

    def __iter__(self) -> Iterator[Shape]:
        return iter((self.min, self.opt, self.max))


Profile = Mapping[str, ShapeRange]  # dynamic input → shapes


@dataclass(frozen=True)
class Axis:
    """The lengths that one axis may have."""

    min: int
    opt: int
    max: int

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.opt <= self.max:
            raise ValueError(f"lengths {self.min}, {self.opt}, {self.max} are not in order")

    @classmethod
    def fixed(cls, length: int) -> "Axis":
        """One length only."""
        return cls(length, length, length)

    @classmethod
    def up_to(cls, length: int, opt: int | None = None) -> "Axis":
        """1 to `length`, usually `opt`."""
        return cls(1, min(opt or length, length), length)

    def __add__(self, other: "Axis") -> "Axis":
        return Axis(self.min + other.min, self.opt + other.opt, self.max + other.max)


@dataclass(frozen=True)
class ServingLimits:
    """What a server may ask of the four graphs.

    Attributes:
        batch: segments denoised in one step. The planner plans one story at a time.
        frames: latents of a segment.
        chunk: latents decoded together.
        height, width: of latents; multiples of what the UNet halves.
        tokens: of a prompt's text states.
        prompts: prompts encoded together.
        story: tokens of a planner's prompt.
        past: positions in the planner's cache while it writes.
    """

    batch: Axis
    frames: Axis
    chunk: Axis
    height: Axis
    width: Axis
    tokens: Axis
    prompts: Axis
    story: Axis
    past: Axis

    @classmethod
    def of(
        cls,
        *,
        max_batch: int,
        segment_latents: int,
        chunk_latents: int,
        size: tuple[int, int],
        max_side: int,
        multiple: int,
        max_tokens: int,
        context: int,
    ) -> "ServingLimits":
        """The limits of a served repository.

        Args:
            max_batch: segments in one denoise step.
            segment_latents: of a segment at most.
            chunk_latents: usually decoded together.
            size: usual (height, width) in latents.
            max_side: largest height or width in latents.
            multiple: heights and widths are multiples of it.
            max_tokens: length to which prompts are padded.
            context: positions of the planner.
        """
        largest = max_side - max_side % multiple
        height, width = (Axis(multiple, min(max(side, multiple), largest), largest) for side in size)
        return cls(
            batch=Axis.up_to(max_batch, min(2, max_batch)),
            frames=Axis.up_to(segment_latents),
            chunk=Axis.up_to(segment_latents, chunk_latents),
            height=height,
            width=width,
            tokens=Axis.up_to(max_tokens),
            prompts=Axis.up_to(2 * max_batch, 2),
            story=Axis.up_to(context - 1, min(128, context - 1)),
            past=Axis(1, min(256, context - 1), context - 1),
        )


Inputs = Mapping[str, Sequence[int]]  # graph input → shape in the ONNX file, -1 for a dynamic axis


def unet_profiles(limits: ServingLimits, inputs: Inputs) -> tuple[Profile, ...]:
    """Of the denoise step, with or without noise and memory."""
    batch, frames = limits.batch, limits.frames
    picture = {0: batch, 1: frames, 3: limits.height, 4: limits.width}
    text = {0: batch, 1: limits.tokens}
    axes = {"latents": picture, "context": picture, "noise": picture, "memory": picture}
    axes |= {"embedding": text, "negative_embedding": text}
    return (_profile(inputs, lambda name: axes.get(name, {0: batch, 1: frames})),)


def vae_profiles(limits: ServingLimits, inputs: Inputs) -> tuple[Profile, ...]:
    """Of the VAE decoder. A decoder halves nothing, so any height and width from 1 on will do."""
    height, width = (Axis(1, side.opt, side.max) for side in (limits.height, limits.width))
    return (_profile(inputs, lambda _: {0: limits.chunk, 2: height, 3: width}),)


def text_profiles(limits: ServingLimits, inputs: Inputs) -> tuple[Profile, ...]:
    """Of the text encoder, whose prompts all have the full length."""
    return (_profile(inputs, lambda _: {0: limits.prompts, 1: Axis.fixed(limits.tokens.max)}),)


def planner_profiles(limits: ServingLimits, inputs: Inputs) -> tuple[Profile, ...]:
    """Of the planner: one profile for a whole prompt and an empty cache, one for a token at a time."""
    one = Axis.fixed(1)

    def profile(new: Axis, past: Axis) -> Profile:
        return _profile(inputs, lambda name: _planner_axes(name, one, new, past))

    return profile(limits.story, Axis.fixed(0)), profile(one, limits.past)


PROFILES: Mapping[str, Callable[[ServingLimits, Inputs], tuple[Profile, ...]]] = {
    "unet": unet_profiles,
    "vae_decoder": vae_profiles,
    "text_encoder": text_profiles,
    "planner": planner_profiles,
}


def _planner_axes(name: str, batch: Axis, new: Axis, past: Axis) -> Mapping[int, Axis]:
    if name.startswith("past_"):
        return {0: batch, 2: past}
    return {0: batch, 1: past + new if name == "attention_mask" else new}


def _profile(inputs: Inputs, axes_of: Callable[[str], Mapping[int, Axis]]) -> Profile:
    """A range for every dynamic input. Fixed axes stay what the graph says."""
    profile = {}
    for name, shape in inputs.items():
        if -1 not in shape:
            continue
        axes = axes_of(name)
        unknown = [i for i, length in enumerate(shape) if length == -1 and i not in axes]
        if unknown:
            raise ValueError(f"axis {unknown[0]} of {name} is dynamic and no serving limit is known for it")
        ranges = [axes[i] if length == -1 else Axis.fixed(length) for i, length in enumerate(shape)]
        profile[name] = ShapeRange(*(tuple(getattr(r, end) for r in ranges) for end in ("min", "opt", "max")))
    return profile
