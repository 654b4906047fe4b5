"""Other families than our own: exported, compared with their pipelines, served, and seen by a client."""

import io
import json
import shutil
from itertools import pairwise
from pathlib import Path

import av
import diffusers
import numpy as np
import pytest
from tests.conftest import GRAPH_CACHE, ROOT
from tests.support.tiny_families import write_animate_diff, write_stable_diffusion
from tests.system.system import running

from framecast.client import Chunk, Scene, VideoClient, VideoOptions
from framecast.denoiser.samplers import SamplerTable
from framecast.engines.manifest import Manifest
from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle
from framecast.export.cli import packaged_models
from framecast.export.exporter import export_bundle, is_current
from framecast.export.families import family_of
from framecast.export.options import ExportOptions


@pytest.fixture(scope="module")
def animated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_animate_diff(tmp_path_factory.mktemp("animated"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("pictures"))


def exported(bundle: Path) -> Path:
    output = ROOT / "build" / "tests" / bundle.name
    source, options = Bundle.open(bundle), ExportOptions(models=packaged_models(), cache=GRAPH_CACHE)
    if not is_current(source, output, options):
        export_bundle(source, output, options)
    return output


def filmed(repository: Path, log: Path, scenes: list[Scene]) -> list[np.ndarray]:
    with running(repository, log) as system, VideoClient(system.address) as client:
        events = client.generate(scenes=scenes, options=VideoOptions(seed=3), timeout=120)
        data = b"".join(event.data for event in events if isinstance(event, Chunk))
    with av.open(io.BytesIO(data)) as movie:
        return [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]


def test_animate_diff_is_served_as_its_pipeline_draws(animated: Path, tmp_path: Path) -> None:
    repository = exported(animated)
    manifest = Manifest.load(repository)
    assert manifest.checks["trajectory"]["max_abs_error"] <= 1e-3
    assert all(graph.parity["max_abs_error"] <= 1e-3 for graph in manifest.graphs.values())
    table = SamplerTable.load(repository / "denoiser" / "1" / "samplers.json")
    assert table.scheduler == "LCMScheduler"
    assert table.schedules[4].noise, "LCM draws noise at every step but the last"
    assert table.schedules[4].noise[-1] == 0
    frames = filmed(repository, tmp_path / "triton.log", [Scene("a kitten", 2.0)])
    assert len(frames) == 16
    assert frames[0].shape == (32, 32, 3)


def test_stable_diffusion_is_a_slide_show(pictures: Path, tmp_path: Path) -> None:
    repository = exported(pictures)
    manifest = Manifest.load(repository)
    assert manifest.checks["trajectory"]["max_abs_error"] <= 1e-3
    table = SamplerTable.load(repository / "denoiser" / "1" / "samplers.json")
    assert table.schedules[6].memory, "DPM++ 2M looks back"
    frames = filmed(repository, tmp_path / "triton.log", [Scene("a kitten", 5.0), Scene("a dog", 1.0)])
    assert len(frames) == 24  # 4 fps; a segment is 16 of them
    still = [np.abs(a.astype(int) - b).mean() for a, b in pairwise(frames)]
    assert sum(change > 0.5 for change in still[:19] + still[20:]) <= 1, "a scene is one picture, but for a new chunk's"
    assert max(still[:19] + still[20:]) < 3
    assert still[19] > 2 * max(still[:19] + still[20:]), "and the next scene another"


def test_a_motion_adapter_beside_an_image_pipeline_makes_animate_diff(
    animated: Path, pictures: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both"
    shutil.copytree(pictures, both)
    shutil.copytree(animated / "motion_adapter", both / "motion_adapter")
    from framecast.export.models import load_models

    settings = json.loads((both / "framecast.json").read_text())
    (both / "framecast.json").write_text(json.dumps({**settings, "segment_latents": 8}))
    pipeline, _, _ = load_models(Bundle.open(both))
    assert family_of(pipeline.unet).name == "AnimateDiff"
    (both / "framecast.json").write_text(json.dumps({**settings, "segment_latents": 17}))
    with pytest.raises(InvalidRepository, match=r"segment_latents is 17, .* was trained for 16"):
        Bundle.open(both)


def edited(bundle: Path, tmp_path: Path, file: str, **changes: object) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    path = copy / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return copy


@pytest.mark.parametrize(
    ("sample_size", "named", "sides"),
    [
        (8, {}, (16, 16)),
        ([12, 8], {}, (24, 16)),
        (8, {"width": 64}, (16, 64)),
        (9, {}, (16, 16)),
        (64, {"max_side": 32}, (32, 32)),
        (1, {}, (512, 512)),
        (None, {}, (512, 512)),
    ],
    ids=[
        "square",
        "height and width",
        "one named",
        "odd",
        "more than is drawn well",
        "less than can be halved",
        "none",
    ],
)
def test_the_usual_size_is_the_unets_own(
    pictures: Path, tmp_path: Path, sample_size: object, named: dict[str, int], sides: tuple[int, int]
) -> None:
    copy = edited(pictures, tmp_path, "unet/config.json", sample_size=sample_size)
    (copy / "framecast.json").write_text(json.dumps(named))
    conventions = Bundle.open(copy).conventions
    assert (conventions.height, conventions.width) == sides


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("model_index.json", {"_class_name": "FluxPipeline"}, "of a FluxPipeline; served are"),
        ("unet/config.json", {"_class_name": "UNet1DModel"}, "unet holds a UNet1DModel; a StableDiffusionPipeline"),
        ("unet/config.json", {"cross_attention_dim": 24}, "cross_attention_dim 24, .* hidden_size 16"),
        ("unet/config.json", {"in_channels": 9}, "in_channels 9, .* latent_channels 4"),
        ("vae/config.json", {"_class_name": "VQModel"}, "vae holds a VQModel; a AutoencoderKL is needed"),
        ("vae/config.json", {"out_channels": 4}, "decodes to 4 channels, but fold .* needs 3"),
        ("planner/config.json", {"architectures": ["T5Model"]}, "holds a T5Model; served is a causal LM"),
        ("planner/config.json", {"layer_types": ["full_attention", "linear_attention"]}, "with linear_attention; only"),
        ("framecast.json", {"guidance_rescale": 2}, "guidance_rescale is 2"),
    ],
)
def test_a_wrong_directory_is_refused_in_one_sentence(
    pictures: Path, tmp_path: Path, file: str, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidRepository, match=message) as caught:
        Bundle.open(edited(pictures, tmp_path, file, **changes))
    assert "\n" not in str(caught.value)


def test_a_file_that_broke_off_is_found_without_reading_it(pictures: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pictures, copy)
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InvalidRepository, match=r"its header says .*; fetch it again"):
        Bundle.open(copy)
    weights.write_bytes(b"<html>404</html>")
    with pytest.raises(InvalidRepository, match="not a safetensors file"):
        Bundle.open(copy)


def test_a_shard_or_an_adapter_that_does_not_fit_is_named(animated: Path, tmp_path: Path) -> None:
    copy = edited(animated, tmp_path, "model_index.json")
    index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model.safetensors"}}
    (copy / "planner" / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(InvalidRepository, match=r"planner has no model-00001-of-00002\.safetensors, which"):
        Bundle.open(copy)
    (copy / "planner" / "model.safetensors.index.json").unlink()
    config = copy / "motion_adapter" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "block_out_channels": [8, 24]}))
    with pytest.raises(InvalidRepository, match=r"motion_adapter has block_out_channels \[8, 24\], but .*unet"):
        Bundle.open(copy)


def test_a_unet_that_wants_more_than_a_story_is_refused() -> None:
    config = {
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
        "block_out_channels": (8,),
        "norm_num_groups": 4,
    }
    unet = diffusers.UNet2DConditionModel(**config, time_cond_proj_dim=8)
    with pytest.raises(InvalidRepository, match="time_cond_proj_dim = 8"):
        family_of(unet)
    with pytest.raises(InvalidRepository, match="is a UNet2DModel"):
        family_of(diffusers.UNet2DModel())
