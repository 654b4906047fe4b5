"""What can be known of a bundle from its JSON files: checked in seconds, before any weight is read."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from framecast.errors import InvalidRepository

# Kept apart from `families`, which needs torch: pipeline class → the UNet classes it may hold.
PIPELINES: Mapping[str, tuple[str, ...]] = {
    "TextToVideoSDPipeline": ("UNet3DConditionModel",),
    "AnimateDiffPipeline": ("UNetMotionModel", "UNet2DConditionModel"),
    "StableDiffusionPipeline": ("UNet2DConditionModel",),
}
ADAPTER = "motion_adapter"
_GROWING_ROPE = ("dynamic", "longrope", "su")
WEIGHTS = ("unet", "vae", "text_encoder", "planner")
LORAS = ("*lora*.safetensors", "*lora*.bin", "adapter_config.json")  # diffusers', and peft's
PARTS = (*WEIGHTS, "tokenizer", "scheduler")


def check_parts(path: Path) -> None:
    """Every part is there, of a class we serve, and fits its neighbours.

    Raises:
        InvalidRepository: one sentence that says what is wrong, and where.
    """
    if not path.is_dir():
        raise InvalidRepository(f"The bundle {path} is not a directory.")
    for part in ("model_index.json", *PARTS):
        if not (path / part).exists():
            raise InvalidRepository(f"The bundle {path} has no {part}.")
    index = read_json(path / "model_index.json")
    pipeline = index.get("_class_name")
    if pipeline not in PIPELINES:
        raise InvalidRepository(f"{path / 'model_index.json'} is of a {pipeline}; served are {', '.join(PIPELINES)}.")
    unet, vae, text, planner = (read_json(path / part / "config.json") for part in WEIGHTS)
    _check_unet(path, str(pipeline), unet)
    _check_class(path / "vae", vae.get("_class_name"), "AutoencoderKL")
    _check_class(path / "text_encoder", architecture(text), "CLIPTextModel")
    _check_planner(path / "planner", planner)
    _check_scheduler(path, index)
    if text.get("use_attention_mask"):
        raise InvalidRepository(
            f"{path / 'text_encoder'} has use_attention_mask, which is not served; prompts are filled up."
        )
    folders = (path, *(path / part for part in WEIGHTS))
    loras = (file for folder in folders for name in LORAS for file in folder.glob(name))
    if lora := next(loras, None):
        raise InvalidRepository(f"{lora} is a LoRA, which is not read; fuse it into its model first.")
    _check_same(path, "unet", "in_channels", unet, "vae", "latent_channels", vae)
    _check_same(path, "unet", "out_channels", unet, "unet", "in_channels", unet)
    _check_same(path, "unet", "cross_attention_dim", unet, "text_encoder", "hidden_size", text)
    adapter = [ADAPTER] if (path / ADAPTER).is_dir() else []
    for part in adapter:
        config = read_json(path / part / "config.json")
        _check_class(path / part, config.get("_class_name"), "MotionAdapter")
        _check_same(path, part, "block_out_channels", config, "unet", "block_out_channels", unet)
    for part in (*WEIGHTS, *adapter):
        check_weights(path / part)


def check_fold(path: Path, channels: int) -> None:
    """The VAE decodes to as many channels as `framecast.json` unfolds. Raises InvalidRepository."""
    decoded = read_json(path / "vae" / "config.json").get("out_channels")
    if decoded != channels:
        raise InvalidRepository(
            f"{path / 'vae'} decodes to {decoded} channels, but fold in {path / 'framecast.json'} needs {channels}."
        )


def check_length(path: Path, segment_latents: int) -> None:
    """A motion module takes segments of this length. Raises InvalidRepository."""
    for part in (ADAPTER, "unet"):
        config = path / part / "config.json"
        longest = read_json(config).get("motion_max_seq_length") if config.is_file() else None
        if isinstance(longest, int) and segment_latents > longest:
            raise InvalidRepository(
                f"segment_latents is {segment_latents}, but {path / part} was trained for {longest} at most; "
                "lower it in framecast.json."
            )


def native_sides(path: Path) -> tuple[int, int] | None:
    """Height and width of the VAE's pictures at the UNet's own `sample_size`, down to what it can halve at each of its
    levels; None where it names none.
    """
    unet, vae = (read_json(path / part / "config.json") for part in ("unet", "vae"))
    size, levels, enlarged = unet.get("sample_size"), unet.get("block_out_channels"), vae.get("block_out_channels")
    sides = (size, size) if isinstance(size, int) else tuple(size) if isinstance(size, list) else ()
    if len(sides) != 2 or not all(isinstance(side, int) for side in sides) or not levels or not enlarged:
        return None
    multiple = 2 ** (len(levels) - 1)
    height, width = (side // multiple * multiple * 2 ** (len(enlarged) - 1) for side in sides)
    return (height, width) if height > 0 and width > 0 else None


def _check_scheduler(path: Path, index: Mapping[str, Any]) -> None:
    """diffusers loads the class that the index names, whatever the config beside it is of."""
    named, config = index.get("scheduler"), path / "scheduler" / "scheduler_config.json"
    found = read_json(config).get("_class_name")
    if isinstance(named, list) and found is not None and named[-1] != found:
        raise InvalidRepository(
            f"{config} is of a {found}, but model_index.json names {named[-1]}; write the same in both."
        )


def _check_unet(path: Path, pipeline: str, config: Mapping[str, Any]) -> None:
    found = config.get("_class_name")
    if found not in PIPELINES[pipeline]:
        raise InvalidRepository(
            f"{path / 'unet'} holds a {found}; a {pipeline} needs a {' or '.join(PIPELINES[pipeline])}."
        )
    if pipeline == "AnimateDiffPipeline" and found == "UNet2DConditionModel" and not (path / ADAPTER).is_dir():
        raise InvalidRepository(f"The bundle {path} has no {ADAPTER}, which an image UNet needs to make clips.")


def _check_planner(path: Path, config: Mapping[str, Any]) -> None:
    """Every layer keeps keys and values of everything before."""
    found = architecture(config)
    if not found.endswith("ForCausalLM"):
        raise InvalidRepository(f"{path} holds a {found}; served is a causal LM whose class ends in ForCausalLM.")
    kinds = set(config.get("layer_types") or ["full_attention"])
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if (rope_kind := rope.get("rope_type", rope.get("type"))) in _GROWING_ROPE:
        raise InvalidRepository(
            f"{path} has {rope_kind} rotary positions, whose frequencies depend on how long a text is; only fixed ones "
            "are served, as default, linear, llama3 or yarn."
        )
    if "num_attention_heads" not in config or kinds != {"full_attention"}:
        other = ", ".join(sorted(kinds - {"full_attention"})) or "no num_attention_heads in its config.json"
        raise InvalidRepository(
            f"{path} holds a {found} with {other}; only full attention is served, as in Llama or Qwen3."
        )


def _check_class(path: Path, found: str | None, needed: str) -> None:
    if found != needed:
        raise InvalidRepository(f"{path} holds a {found}; a {needed} is needed.")


def _check_same(
    path: Path, part: str, key: str, config: Mapping[str, Any], other: str, other_key: str, others: Mapping[str, Any]
) -> None:
    here, there = config.get(key), others.get(other_key)
    if here is not None and there is not None and here != there:
        raise InvalidRepository(
            f"{path / part} has {key} {here}, but {path / other} has {other_key} {there}: they do not fit together."
        )


def check_weights(path: Path) -> None:
    """The weights are there, whole, in safetensors. Raises InvalidRepository."""
    files = sorted(path.glob("*.safetensors"))
    for index in path.glob("*.safetensors.index.json"):
        missing = sorted(set(read_json(index).get("weight_map", {}).values()) - {file.name for file in files})
        if missing:
            raise InvalidRepository(f"{path} has no {missing[0]}, which {index.name} names; fetch it again.")
    if not files:
        raise InvalidRepository(
            f"{path} has no .safetensors weights; pickled weights are never loaded, convert them first."
        )
    if all("." in file.stem.partition("-")[0] for file in files):
        raise InvalidRepository(f"{path} has {files[0].name} only, a variant; save the weights without one.")
    for file in files:
        # The header says how long the file must be: a download that broke off is found without reading it.
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            size = file.stat().st_size
            header = opened.read(length) if length < size else b""
        try:
            tensors = json.loads(header)
            end = max((t["data_offsets"][1] for name, t in tensors.items() if name != "__metadata__"), default=0)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InvalidRepository(f"{file} is not a safetensors file, or is cut short; fetch it again.") from None
        if size != 8 + length + end:
            raise InvalidRepository(f"{file} has {size} bytes, its header says {8 + length + end}; fetch it again.")


def architecture(config: Mapping[str, Any]) -> str:
    """The class that the config of a transformers model names."""
    return str((config.get("architectures") or ["model without a class"])[0])


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object at `path`. Raises InvalidRepository."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidRepository(f"{path} is missing.") from None
    except (OSError, ValueError) as error:
        raise InvalidRepository(f"{path} is not JSON: {error}.") from error
    if not isinstance(fields, dict):
        raise InvalidRepository(f"{path} is not a JSON object.")
    return fields
