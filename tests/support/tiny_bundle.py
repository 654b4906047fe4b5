"""A bundle of the real classes with a few thousand random weights, for tests that need no pictures."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, TextToVideoSDPipeline, UNet3DConditionModel
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers import PreTrainedTokenizerFast as FastTokenizer

TEMPLATE = (
    "{% for m in messages %}<story>{{ m['content'] }}{% endfor %}{% if add_generation_prompt %}<board>{% endif %}"
)
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def write_tiny_bundle(path: Path, *, fold: dict[str, int] | None = None) -> Path:
    """Writes the bundle; `fold` as in `framecast.json`."""
    torch.manual_seed(0)
    fold = fold or {"frames": 2, "rows": 2, "columns": 2}
    channels = 3 * fold["frames"] * fold["rows"] * fold["columns"]
    vae = AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        scaling_factor=0.7,
    )
    unet = UNet3DConditionModel(
        in_channels=4,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock3D", "DownBlock3D"),
        up_block_types=("UpBlock3D", "CrossAttnUpBlock3D"),
        block_out_channels=(8, 16),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=8,
        norm_num_groups=4,
    )
    scheduler = DDIMScheduler(
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
    )
    text_encoder, tokenizer = tiny_text_encoder(path / "clip")
    bundle = path / "tiny"
    TextToVideoSDPipeline(vae, text_encoder, tokenizer, unet, scheduler).save_pretrained(bundle)
    write_tiny_planner(bundle / "planner")
    conventions = {
        "fold": fold,
        "fps": 8,
        "width": 32,
        "height": 32,
        "segment_latents": 4,
        "context_latents": 1,
        "chunk_latents": 2,
        "steps": 4,
        "guidance_scale": 3.0,
        "planner_max_scenes": 3,
        "planner_max_new_tokens": 400,
    }
    (bundle / "framecast.json").write_text(json.dumps(conventions), encoding="utf-8")
    return bundle


def tiny_text_encoder(folder: Path, *, seed: int = 4) -> tuple[CLIPTextModel, CLIPTokenizer]:
    """A CLIP text model of width 16 and its tokenizer, the same in every bundle: its graph is traced once."""
    torch.manual_seed(seed)
    tokenizer = _clip_tokenizer(folder)
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return CLIPTextModel(config), tokenizer


def _clip_tokenizer(folder: Path) -> CLIPTokenizer:
    folder.mkdir(parents=True)
    pieces = ["<|startoftext|>", "<|endoftext|>", *ALPHABET, *(piece + "</w>" for piece in ALPHABET)]
    (folder / "vocab.json").write_text(json.dumps({piece: i for i, piece in enumerate(pieces)}), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", encoding="utf-8")
    return CLIPTokenizer.from_pretrained(folder, model_max_length=16)


def write_tiny_planner(folder: Path, *, qwen: bool = False) -> None:
    """A planner of width 16, always the same: Llama, or Qwen3 with its own head width and normalised queries."""
    torch.manual_seed(5)
    special = ["<pad>", "<end>", "<story>", "<board>"]
    core = Tokenizer(models.BPE(vocab={piece: i for i, piece in enumerate([*special, *ALPHABET])}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = FastTokenizer(
        tokenizer_object=core, eos_token="<end>", pad_token="<pad>", additional_special_tokens=special[2:]
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    model = Qwen3ForCausalLM(Qwen3Config(**sizes, head_dim=8)) if qwen else LlamaForCausalLM(LlamaConfig(**sizes))
    model.save_pretrained(folder)
