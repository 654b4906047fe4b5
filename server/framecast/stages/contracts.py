"""Every tensor that crosses a Triton boundary: name, type and shape, once.

`model_repository/*/config.pbtxt` is generated from here (`python -m framecast.stages.contracts`), and so are the
typed calls in `framecast.stages`. Sizes that depend on the bundle are -1: one repository serves any bundle.

Axes: F frames, f latents, k context latents, C latent channels, h w latent size, H W picture size, T tokens,
D text width.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Tensor:
    """A tensor at a Triton boundary. `dtype` is Triton's name without ``TYPE_``; -1 is an axis of any length."""

    name: str
    dtype: str
    shape: tuple[int, ...] = (1,)
    optional: bool = False


@dataclass(frozen=True)
class Model:
    """A Triton model of the python backend."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    decoupled: bool = False


@dataclass(frozen=True)
class Step:
    """One step of an ensemble: `model`, and ensemble tensor names for those of its tensors named differently."""

    model: Model
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ensemble:
    """A Triton ensemble."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    steps: tuple[Step, ...]


ENGINE_SECONDS = Tensor("ENGINE_SECONDS", "FP32")  # time inside the stage's engine
PROMPT = Tensor("PROMPT", "STRING")
NEGATIVE_PROMPT = Tensor("NEGATIVE_PROMPT", "STRING")
EMBEDDING = Tensor("EMBEDDING", "FP32", (-1, -1))  # [T, D]
NEGATIVE_EMBEDDING = Tensor("NEGATIVE_EMBEDDING", "FP32", (-1, -1))  # [T, D]
SEED = Tensor("SEED", "INT64")
STEPS = Tensor("STEPS", "INT32")
GUIDANCE = Tensor("GUIDANCE", "FP32")
SIZE = Tensor("SIZE", "INT32", (2,))  # height, width in pixels
LATENT_COUNT = Tensor("LATENT_COUNT", "INT32")  # f, of the whole segment
CONTEXT = Tensor("CONTEXT", "FP32", (-1, -1, -1, -1), optional=True)  # [k, C, h, w]; none: a scene's first segment
LATENTS = Tensor("LATENTS", "FP32", (-1, -1, -1, -1))  # [f, C, h, w]
Y = Tensor("Y", "UINT8", (-1, -1, -1))  # [F, H, W]
U = Tensor("U", "UINT8", (-1, -1, -1))  # [F, H/2, W/2]
V = Tensor("V", "UINT8", (-1, -1, -1))  # [F, H/2, W/2]
FRAMES = Tensor("FRAMES", "INT32")  # frames to keep, from the first
FPS = Tensor("FPS", "INT32")
FIRST_FRAME = Tensor("FIRST_FRAME", "INT64", optional=True)  # of segment or chunk, on the video's timeline; none: 0
SEQUENCE = Tensor("SEQUENCE", "INT32", optional=True)  # of the chunk; 0 or none carries the init segment
CODEC = Tensor("CODEC", "STRING")
VIEWS = Tensor("VIEWS", "FP32", (-1, 4), optional=True)  # of each kept frame, see `CameraPath`; none: all
DATA = Tensor("DATA", "UINT8", (-1,))  # the parts, joined
PART_SIZES = Tensor("PART_SIZES", "INT64", (-1,))  # one part for a video codec, one a frame for pictures
MIME = Tensor("MIME", "STRING")
DECODE_SECONDS = Tensor("DECODE_SECONDS", "FP32")
ENCODE_SECONDS = Tensor("ENCODE_SECONDS", "FP32")
MUX_SECONDS = Tensor("MUX_SECONDS", "FP32")  # 0 for pictures; the frame encoder's ENGINE_SECONDS leave them out
REVIEW_SECONDS = Tensor("REVIEW_SECONDS", "FP32")  # of the safety checker; not in ENGINE_SECONDS either
LOOKED_AT = Tensor("LOOKED_AT", "INT32")  # frames that the model's safety checker has seen; 0: it has none
UNSAFE = Tensor("UNSAFE", "INT32")  # of those, not to be shown

SCENE_PLANNER = Model(
    "scene_planner",
    inputs=(Tensor("STORY", "STRING"), Tensor("MAX_SCENES", "INT32")),
    outputs=(Tensor("SCENE", "STRING"), ENGINE_SECONDS),  # one scene's JSON a response; time since the last
    decoupled=True,
)
TEXT_ENCODER = Model(
    "text_encoder", inputs=(PROMPT, NEGATIVE_PROMPT), outputs=(EMBEDDING, NEGATIVE_EMBEDDING, ENGINE_SECONDS)
)
DENOISER = Model(
    "denoiser",
    inputs=(EMBEDDING, NEGATIVE_EMBEDDING, SEED, STEPS, GUIDANCE, SIZE, LATENT_COUNT, CONTEXT, FIRST_FRAME),
    outputs=(LATENTS, ENGINE_SECONDS),
)
VAE_DECODER = Model("vae_decoder", inputs=(LATENTS,), outputs=(Y, U, V, ENGINE_SECONDS))
FRAME_ENCODER = Model(
    "frame_encoder",
    inputs=(Y, U, V, FRAMES, FPS, FIRST_FRAME, SEQUENCE, CODEC, VIEWS),
    outputs=(DATA, PART_SIZES, MIME, ENGINE_SECONDS, MUX_SECONDS, REVIEW_SECONDS, LOOKED_AT, UNSAFE),
)
DECODE_FRAMES = Ensemble(
    "decode_frames",
    inputs=(LATENTS, FRAMES, FPS, FIRST_FRAME, SEQUENCE, CODEC, VIEWS),
    outputs=(
        *(DATA, PART_SIZES, MIME, LOOKED_AT, UNSAFE),
        *(DECODE_SECONDS, REVIEW_SECONDS, ENCODE_SECONDS, MUX_SECONDS),
    ),
    steps=(
        Step(VAE_DECODER, outputs={"ENGINE_SECONDS": "DECODE_SECONDS"}),
        Step(FRAME_ENCODER, outputs={"ENGINE_SECONDS": "ENCODE_SECONDS"}),
    ),
)
TEXT_SECONDS = Tensor("TEXT_SECONDS", "FP32")
DENOISE_SECONDS = Tensor("DENOISE_SECONDS", "FP32")
TEXT_TO_VIDEO = Ensemble(
    "text_to_video",
    inputs=(
        *(PROMPT, NEGATIVE_PROMPT, SEED, STEPS, GUIDANCE, SIZE, LATENT_COUNT),
        *(FRAMES, FPS, CODEC),
    ),
    outputs=(
        *(DATA, PART_SIZES, MIME, LOOKED_AT, UNSAFE),
        *(TEXT_SECONDS, DENOISE_SECONDS, DECODE_SECONDS, REVIEW_SECONDS, ENCODE_SECONDS, MUX_SECONDS),
    ),
    steps=(
        Step(TEXT_ENCODER, outputs={"ENGINE_SECONDS": "TEXT_SECONDS"}),
        Step(DENOISER, outputs={"ENGINE_SECONDS": "DENOISE_SECONDS"}),
        *DECODE_FRAMES.steps,
    ),
)

SERVED_MODEL = "framecast"  # the parameter of the denoiser's config that holds the served model's constants

MODELS = (SCENE_PLANNER, TEXT_ENCODER, DENOISER, VAE_DECODER, FRAME_ENCODER)
ENSEMBLES = (DECODE_FRAMES, TEXT_TO_VIDEO)


def needed_models(model: Model | Ensemble) -> frozenset[str]:
    """Names of the models that a call to `model` runs."""
    return frozenset({model.name} if isinstance(model, Model) else {step.model.name for step in model.steps})


def config_pbtxt(model: Model | Ensemble) -> str:
    """The model's `config.pbtxt`."""
    lines = ["# Generated from framecast.stages.contracts; edit there.", f'name: "{model.name}"']
    lines.append('backend: "python"' if isinstance(model, Model) else 'platform: "ensemble"')
    lines.append("max_batch_size: 0")
    lines += [described("input", tensor) for tensor in model.inputs]
    lines += [described("output", tensor) for tensor in model.outputs]
    if isinstance(model, Ensemble):
        known = {tensor.name for tensor in model.inputs}
        lines += ["ensemble_scheduling {", *(_step(step, known) for step in model.steps), "}"]
    else:
        lines.append("instance_group { kind: KIND_CPU count: 1 }")
        if model.decoupled:
            lines.append("model_transaction_policy { decoupled: true }")
    return "\n".join(lines) + "\n"


def described(kind: str, tensor: Tensor) -> str:
    """A tensor in a model's configuration; `kind` is input or output."""
    optional = " optional: true" if kind == "input" and tensor.optional else ""
    return f'{kind} {{ name: "{tensor.name}" data_type: TYPE_{tensor.dtype} dims: {list(tensor.shape)}{optional} }}'


def _step(step: Step, known: set[str]) -> str:
    """One scheduling step; an optional input is left out when no tensor of that name is `known` to the ensemble."""
    taken = [t for t in step.model.inputs if not t.optional or t.name in known]
    lines = [f'  step {{ model_name: "{step.model.name}" model_version: -1']
    lines += [f'    input_map {{ key: "{t.name}" value: "{step.inputs.get(t.name, t.name)}" }}' for t in taken]
    lines += [
        f'    output_map {{ key: "{t.name}" value: "{step.outputs.get(t.name, t.name)}" }}' for t in step.model.outputs
    ]
    return "\n".join([*lines, "  }"])


def with_served_model(config: str, constants: str) -> str:
    """The text of a `config.pbtxt` with the served model's constants (JSON) added as a parameter."""
    value = constants.replace("\\", "\\\\").replace('"', '\\"')
    return f'{config}parameters {{ key: "{SERVED_MODEL}" value {{ string_value: "{value}" }} }}\n'


def write_configs(repository: Path) -> None:
    """Writes every model's `config.pbtxt` under `repository`."""
    for model in (*MODELS, *ENSEMBLES):
        folder = repository / model.name
        (folder / "1").mkdir(parents=True, exist_ok=True)
        (folder / "config.pbtxt").write_text(config_pbtxt(model), encoding="utf-8")


if __name__ == "__main__":
    write_configs(Path("model_repository"))
