"""Container flavours: the text encoder's and the VAE's graphs on Triton's own backends.

A flavour is chosen with tritonserver's `--model-config-name`. The stages `text_encoder` and `vae_decoder` stay python
models with the contracts they have, since they tokenise, check and measure, but their engine is then another Triton
model: `text_states` or `vae_graph`, on the `tensorrt` or `onnxruntime` backend, with dynamic batching. The stage calls
it from inside Triton (`framecast.stages.bls`).

The stages' configs are the same for every bundle and checked in (`python -m framecast.stages.flavours`). The graphs'
configs hold the bundle's sizes, for warm-up and CUDA graphs, and are written by the exporter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from framecast.stages.contracts import TEXT_ENCODER, VAE_DECODER, Model, Tensor, config_pbtxt, described

ENGINE = "engine"  # the parameter of a stage's config that names the Triton model with its graph
STAGE_INSTANCES = 4  # a python stage holds one call to its graph at a time, so these are what can be batched
QUEUE_DELAY = 500  # microseconds that a request waits for others to share its batch

BACKENDS: Mapping[str, tuple[str, str]] = {  # flavour → the model's file, kind of instance
    "tensorrt": ("model.plan", "KIND_GPU"),
    "onnxruntime": ("model.onnx", "KIND_AUTO"),
}


@dataclass(frozen=True)
class NativeModel:
    """A graph as a Triton model of a native backend. Shapes are without the batch, Triton's first axis.

    Attributes:
        name: of the Triton model.
        stage: the python model that calls it.
        graph: its name in the manifest.
        inputs, outputs: as the graph names them.
        folded: every output has one more axis after the batch, which the stage's own graph folds into it.
    """

    name: str
    stage: Model
    graph: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    folded: bool = False


TEXT_STATES = NativeModel(
    "text_states",
    TEXT_ENCODER,
    "text_encoder",
    inputs=(Tensor("input_ids", "INT64", (-1,)),),  # [T]
    outputs=(Tensor("states", "FP32", (-1, -1)),),  # [T, D]
)
VAE_GRAPH = NativeModel(
    "vae_graph",
    VAE_DECODER,
    "vae_decoder",
    inputs=(Tensor("latents", "FP32", (-1, -1, -1)),),  # [C, h, w]
    outputs=tuple(Tensor(name, "UINT8", (-1, -1, -1)) for name in ("y", "u", "v")),  # [frames of a latent, H, W]
    folded=True,
)
NATIVE = (TEXT_STATES, VAE_GRAPH)


@dataclass(frozen=True)
class NativeSizes:
    """The sizes of one bundle that a graph's config needs.

    Attributes:
        max_batch: largest batch, that of the plan's profile.
        batches: batches that are usual: warmed up, and captured as CUDA graphs.
        shapes: usual shape of each input, without the batch.
    """

    max_batch: int
    batches: tuple[int, ...]
    shapes: Mapping[str, Sequence[int]]

    def __post_init__(self) -> None:
        if not all(1 <= batch <= self.max_batch for batch in self.batches):
            raise ValueError(f"batches {list(self.batches)} must be 1 to {self.max_batch}")


def text_sizes(tokens: int, max_prompts: int) -> NativeSizes:
    """Of `text_states`: prompts are padded to `tokens`, and come two to a request."""
    return NativeSizes(max_prompts, tuple(n for n in (2, 4, 8) if n <= max_prompts), {"input_ids": (tokens,)})


def vae_sizes(latent: Sequence[int], chunk: int, max_latents: int) -> NativeSizes:
    """Of `vae_graph`: `latent` is the usual (C, h, w), `chunk` latents come in a request."""
    return NativeSizes(max_latents, tuple(sorted({chunk, min(2 * chunk, max_latents)})), {"latents": tuple(latent)})


def stage_config(native: NativeModel) -> str:
    """The stage's config in every flavour: its own contract, several instances, and the graph's name."""
    text = config_pbtxt(native.stage).replace("framecast.stages.contracts", "framecast.stages.flavours", 1)
    one = "instance_group { kind: KIND_CPU count: 1 }"
    if one not in text:
        raise ValueError(f"the config of {native.stage.name} has no such line: {one}")
    text = text.replace(one, one.replace("count: 1", f"count: {STAGE_INSTANCES}"))
    return f'{text}parameters {{ key: "{ENGINE}" value {{ string_value: "{native.name}" }} }}\n'


def native_config(native: NativeModel, flavour: str, sizes: NativeSizes) -> str:
    """The graph's config. Only TensorRT has CUDA graphs: ONNX Runtime's want one shape a session."""
    file, kind = BACKENDS[flavour]
    lines = [
        "# Written by framecast export from framecast.stages.flavours.",
        f'name: "{native.name}"',
        f'backend: "{flavour}"',
        f'default_model_filename: "{file}"',
        f"max_batch_size: {sizes.max_batch}",
        *(described("input", tensor) for tensor in native.inputs),
        *(described("output", tensor) for tensor in native.outputs),
        f"dynamic_batching {{ preferred_batch_size: {list(sizes.batches)} "
        f"max_queue_delay_microseconds: {QUEUE_DELAY} }}",
        f"instance_group {{ kind: {kind} count: 1 }}",
    ]
    if flavour == "tensorrt":
        specs = [f"    graph_spec {{ batch_size: {batch} {_shapes(sizes)} }}" for batch in sizes.batches]
        lines += ["optimization {", "  cuda {", "    graphs: true", "    output_copy_stream: true", *specs, "  }", "}"]
    lines += [_warmup(native, sizes, batch) for batch in sizes.batches]
    return "\n".join(lines) + "\n"


def write_stage_configs(repository: Path) -> None:
    """Writes `configs/<flavour>.pbtxt` of both stages under `repository`."""
    for native in NATIVE:
        for flavour in BACKENDS:
            path = repository / native.stage.name / "configs" / f"{flavour}.pbtxt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(stage_config(native), encoding="utf-8")


def _shapes(sizes: NativeSizes) -> str:
    pairs = sizes.shapes.items()
    return " ".join(f'input {{ key: "{name}" value {{ dim: {list(shape)} }} }}' for name, shape in pairs)


def _warmup(native: NativeModel, sizes: NativeSizes, batch: int) -> str:
    inputs = " ".join(
        f'inputs {{ key: "{tensor.name}" value {{ data_type: TYPE_{tensor.dtype} '
        f"dims: {list(sizes.shapes[tensor.name])} zero_data: true }} }}"
        for tensor in native.inputs
    )
    return f'model_warmup {{ name: "batch of {batch}" batch_size: {batch} {inputs} }}'


if __name__ == "__main__":
    write_stage_configs(Path("model_repository"))
