"""The constants of the served model that the director and the gateway reckon with."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class ServedModel:
    """Read from the served repository (`from_json`), written there by the exporter (`to_json`).

    Attributes:
        bundle: name of the bundle.
        version: of Framecast, when it was exported.
        latent_frames: frames that one latent stands for.
        segment_latents: latents denoised together, the length the model was trained on.
        context_latents: latents of the segment before that the next one is conditioned on.
        chunk_latents: latents decoded and encoded together.
        size_multiple: width and height must be multiples of this, pixels.
        width, height, fps, steps, guidance_scale: defaults.
        step_counts: the numbers of denoising steps that have a sampler table.
        max_scenes: the planner's limit.
        source: digest of the bundle, the exporter and its options; empty: exported before that was kept.
        max_side: largest width or height, pixels.
        camera: how a scene's camera is heard, one of `framecast.director.camera.WAYS`; an export that says nothing is
            from before there were views.
        safety_checker: the model's own looks at what is drawn.
        still: a scene is one picture, which is held however long the scene is.
    """

    bundle: str
    version: str
    latent_frames: int
    segment_latents: int
    context_latents: int
    chunk_latents: int
    size_multiple: int
    width: int
    height: int
    fps: int
    steps: int
    guidance_scale: float
    step_counts: tuple[int, ...]
    max_scenes: int
    source: str = ""
    max_side: int = 1024
    camera: str = "prompt"
    still: bool = False
    safety_checker: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.context_latents < self.segment_latents or min(self.chunk_latents, self.latent_frames) < 1:
            raise ValueError("segments must be longer than their context, and chunks and latents not empty")

    def to_json(self) -> str:
        """Minified JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "ServedModel":
        """The inverse of `to_json`. Raises TypeError or ValueError when `text` is not one."""
        fields = json.loads(text)
        return cls(**{**fields, "step_counts": tuple(fields["step_counts"])})

    @property
    def segment_frames(self) -> int:
        """Frames of a whole segment."""
        return self.segment_latents * self.latent_frames
