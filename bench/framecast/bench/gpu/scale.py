"""How large everything is: as people run it on a GPU, or as small as it can be on a CPU."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Sizes of one run.

    Attributes:
        name: ``full`` or ``tiny``.
        device: of torch.
        dtype: of models and kernels, a name in torch.
        side: of a picture, pixels.
        frames: of a clip.
        steps: denoising steps of the clips.
        prompt, tokens: of the planner.
        seconds: that a time is sampled for, and energy ten times as long.
        compile: whether torch.compile compiles; where it does not, its call is made and does nothing.
        shapes: heaviest shapes of an op and family in the suite; 0 leaves out none.
        jobs: of the section on models, by name; none leaves out none.
    """

    name: str
    device: str
    dtype: str
    side: int
    frames: int
    steps: tuple[int, ...]
    prompt: int
    tokens: int
    seconds: float
    compile: bool
    shapes: int
    jobs: tuple[str, ...] = ()

    @property
    def latent_side(self) -> int:
        """Of the VAE's code: an eighth, of the tiny VAE half."""
        return self.side // (8 if self.name == "full" else 2)


FULL = Scale("full", "cuda", "bfloat16", 512, 16, (4, 25), 64, 128, 0.25, True, 2)
TINY = Scale("tiny", "cpu", "float32", 16, 4, (2,), 4, 3, 0.0, False, 1)
SCALES = {scale.name: scale for scale in (FULL, TINY)}
