"""The exporter over bundles of the real classes."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import diffusers
import numpy as np
import onnx
import pytest
import torch
from tests.support.tiny_bundle import tiny_text_encoder
from tokenizers import Tokenizer
from transformers import CLIPTokenizer

from framecast.denoiser.samplers import SamplerTable
from framecast.engines.manifest import Manifest
from framecast.errors import InvalidRepository
from framecast.export.bundle import Bundle, Fold
from framecast.export.cli import packaged_models
from framecast.export.exporter import export_bundle, is_current
from framecast.export.graphs.decode_yuv import DecodeYuv
from framecast.export.options import ExportOptions
from framecast.export.parity import ParityError, batch_independence, compare, gaussian
from framecast.export.samplers import given_noise, sampler_table
from framecast.export.source import source_digest
from framecast.export.tokenizer_files import tokenizer_json
from framecast.media.colour import rgb_to_yuv420

ZERO_SNR = {
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
    "clip_sample": False,
}


def test_the_manifest_holds_parity_and_every_file(tiny_repository: Path) -> None:
    manifest = Manifest.load(tiny_repository)
    assert set(manifest.graphs) == {"planner", "text_encoder", "unet", "vae_decoder"}
    assert all(graph.parity["max_abs_error"] <= 1e-3 for graph in manifest.graphs.values())
    assert manifest.graphs["unet"].parity["batch_difference"] <= 1e-5
    assert manifest.checks["trajectory"]["max_abs_error"] <= 1e-3
    files = {str(f.relative_to(tiny_repository)) for f in tiny_repository.rglob("*") if f.is_file()}
    # An earlier run of the tests may have served it, and Python keeps what it compiles.
    files = {name for name in files if "__pycache__" not in name}
    assert files == {*manifest.files, "manifest.json"}


def test_the_graphs_axes_are_dynamic_and_nothing_is_left_of_the_tracing(tiny_repository: Path) -> None:
    model = onnx.load(tiny_repository / "denoiser" / "1" / "unet.onnx")
    latents = next(value for value in model.graph.input if value.name == "latents")
    sizes = [d.dim_param or d.dim_value for d in latents.type.tensor_type.shape.dim]
    assert sizes[2] == 4
    assert all(isinstance(size, str) for i, size in enumerate(sizes) if i != 2)
    assert not any(node.metadata_props or node.doc_string for node in model.graph.node)


def test_the_unet_takes_any_batch_frames_and_size_of_its_multiple(tiny_repository: Path) -> None:
    engine = Manifest.load(tiny_repository).engine(tiny_repository, "unet")
    for batch, frames, height, width in ((1, 1, 2, 4), (4, 4, 8, 6), (5, 2, 4, 4)):
        shape = (batch, frames, 4, height, width)
        out = engine.run(
            {
                "latents": gaussian(0, *shape),
                "timestep": np.full(batch, 500, np.float32),
                "embedding": gaussian(1, batch, 3, 16),
                "negative_embedding": gaussian(2, batch, 3, 16),
                "guidance": np.ones(batch, np.float32),
                "coefficients": np.ones((batch, 3), np.float32),
                "context": np.zeros(shape, np.float32),
                "given": np.zeros((batch, frames), np.float32),
            }
        )["next_latents"]
        assert out.shape == shape


def test_an_export_is_relocatable_and_current_until_something_changes(
    tiny_bundle: Path, tiny_repository: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(tiny_repository, moved)
    source, options = Bundle.open(tiny_bundle), ExportOptions(models=packaged_models())
    assert is_current(source, moved, options)
    assert not is_current(source, moved, replace(options, opset=20))
    (moved / "vae_decoder" / "1" / "vae_decoder.onnx").unlink()
    assert not is_current(source, moved, options)
    with pytest.raises(InvalidRepository, match=r"vae_decoder\.onnx is missing"):
        Manifest.load(moved).verify(moved)


@pytest.mark.parametrize("missing", ["unet", "planner", "tokenizer", "model_index.json"])
def test_a_bundle_without_a_part_is_refused_by_name(tiny_bundle: Path, tmp_path: Path, missing: str) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, copy)
    part = copy / missing
    shutil.rmtree(part) if part.is_dir() else part.unlink()
    with pytest.raises(InvalidRepository, match=missing):
        Bundle.open(copy)


def test_a_folder_with_another_manifest_is_somebodys(tiny_bundle: Path, tmp_path: Path) -> None:
    options = ExportOptions(models=packaged_models())
    (tmp_path / "manifest.json").write_text('{"name": "an extension of a browser", "manifest_version": 3}')
    (tmp_path / "background.js").write_text("alert()")
    with pytest.raises(InvalidRepository, match="exists and is not a served repository; choose another --output"):
        export_bundle(Bundle.open(tiny_bundle), tmp_path, options)
    assert (tmp_path / "background.js").read_text() == "alert()"
    with pytest.raises(InvalidRepository, match="served is inside the bundle; choose another --output"):
        export_bundle(Bundle.open(tiny_bundle), tiny_bundle / "served", options)
    assert not (tiny_bundle / "served").exists()


def test_pickled_weights_are_never_loaded(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(tiny_bundle, copy)
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(InvalidRepository, match="pickled"):
        Bundle.open(copy)


def test_somebody_elses_directory_is_not_overwritten(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InvalidRepository, match="not a served repository"):
        export_bundle(Bundle.open(tiny_bundle), tmp_path, ExportOptions(models=packaged_models()))


@pytest.mark.parametrize(
    ("scheduler", "steps"),
    [
        (diffusers.DDIMScheduler(**ZERO_SNR), 10),
        (diffusers.DDIMScheduler(clip_sample=False), 25),
        (diffusers.EulerDiscreteScheduler(), 7),
        (diffusers.FlowMatchEulerDiscreteScheduler(), 4),
        (diffusers.DDIMScheduler(**{**ZERO_SNR, "prediction_type": "sample"}), 8),
        (diffusers.DPMSolverMultistepScheduler(), 6),
        (diffusers.DPMSolverMultistepScheduler(use_karras_sigmas=True), 20),
        (diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++"), 9),
        (diffusers.LCMScheduler(beta_schedule="scaled_linear"), 4),
        (diffusers.EulerAncestralDiscreteScheduler(), 12),
        (diffusers.TCDScheduler(), 5),
        (diffusers.DDPMScheduler(clip_sample=False), 10),
    ],
)
def test_a_table_walks_the_schedulers_own_path(scheduler: object, steps: int) -> None:
    """Beside the scheduler itself, with a nonlinear model in the loop and the same noise."""
    schedule = sampler_table(scheduler, [steps]).schedules[steps]
    fresh = type(scheduler).from_config(scheduler.config)  # type: ignore[attr-defined]
    fresh.set_timesteps(steps)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 2, 3, 8, generator=generator, dtype=torch.float64)
    noises = torch.randn(steps, 1, 2, 3, 8, generator=generator, dtype=torch.float64)
    expected = actual = x * schedule.initial_scale
    memory = torch.zeros_like(x)
    with given_noise(fresh, iter(noises.numpy())):
        for step, timestep in enumerate(fresh.timesteps):
            scale, a, b, c, p, q = schedule.extended(step)
            scaled = fresh.scale_model_input(expected, timestep) if hasattr(fresh, "scale_model_input") else expected
            expected = fresh.step(torch.tanh(scaled), timestep, expected, return_dict=False)[0].double()
            out = torch.tanh(scale * actual)
            actual, memory = a * actual + b * out + c * noises[step] + memory, p * actual + q * out
    torch.testing.assert_close(actual, expected, atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize(
    "scheduler",
    [
        diffusers.DDPMScheduler(),  # clips
        diffusers.DDIMScheduler(clip_sample=True),
        diffusers.DPMSolverMultistepScheduler(solver_order=3),  # looks back two steps
        diffusers.UniPCMultistepScheduler(),
        diffusers.DDIMScheduler(prediction_type="sample", clip_sample_range=5.0),  # clips what is rarely so large
        diffusers.DDIMScheduler(**{**ZERO_SNR, "prediction_type": "epsilon"}),  # 0 / 0 where there is no signal
        diffusers.HeunDiscreteScheduler(),  # calls the model twice a step
    ],
)
def test_a_sampler_that_is_no_table_is_refused_by_name(scheduler: object) -> None:
    with pytest.raises(InvalidRepository, match=type(scheduler).__name__):
        sampler_table(scheduler, [6])


def test_lengths_that_a_scheduler_has_no_schedule_for_are_left_out() -> None:
    scheduler = diffusers.LCMScheduler(original_inference_steps=25)
    assert list(sampler_table(scheduler, range(1, 51)).schedules) == list(range(1, 26))
    with pytest.raises(InvalidRepository, match=r"LCMScheduler has no schedule of any length: .*original"):
        sampler_table(scheduler, [26, 30])


def test_a_scheduler_that_its_config_breaks_is_one_sentence() -> None:
    scheduler = diffusers.EulerAncestralDiscreteScheduler(prediction_type="sample")
    with pytest.raises(
        InvalidRepository, match="EulerAncestralDiscreteScheduler cannot be walked as it is configured: "
    ):
        sampler_table(scheduler, [6])


def test_what_lies_behind_a_link_counts(tiny_bundle: Path, tmp_path: Path) -> None:
    """A cache of models has folders that are links."""
    bundle, options = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle")), ExportOptions(models=packaged_models())
    shutil.move(bundle / "planner", tmp_path / "planner")
    (bundle / "planner").symlink_to(tmp_path / "planner")
    before = source_digest(Bundle.open(bundle), options, {})
    (tmp_path / "planner" / "chat_template.jinja").write_text("{{ messages[0]['content'] }}", encoding="utf-8")
    assert source_digest(Bundle.open(bundle), options, {}) != before


def test_a_vocabulary_and_merges_are_written_as_one_file(tiny_bundle: Path, tmp_path: Path) -> None:
    """Bundles from a hub have CLIP's two files, and no third."""
    folder = tmp_path / "clip"
    tiny_text_encoder(folder)
    assert not (folder / "tokenizer.json").exists()
    written = Tokenizer.from_str(tokenizer_json(CLIPTokenizer.from_pretrained(folder), folder))
    given = Tokenizer.from_file(str(tiny_bundle / "tokenizer" / "tokenizer.json"))
    for text in ("A white cat, 猫!", "x</w> <|endoftext|>", ""):
        assert written.encode(text).ids == given.encode(text).ids
    with pytest.raises(InvalidRepository, match="a SimpleNamespace cannot be written as one"):
        tokenizer_json(SimpleNamespace(), folder)


def test_guidance_begins_above_one_as_in_diffusers(tiny_repository: Path) -> None:
    """Up to there a pipeline gives the prompt's own output, whatever the negative prompt."""
    unet = Manifest.load(tiny_repository).engine(tiny_repository, "unet")
    inputs = {
        "latents": gaussian(0, 1, 2, 4, 4, 4),
        "timestep": np.full(1, 500, np.float32),
        "embedding": 9 * gaussian(1, 1, 3, 16),
        "negative_embedding": 9 * gaussian(2, 1, 3, 16),
        "coefficients": np.ones((1, 3), np.float32),
        "context": np.zeros((1, 2, 4, 4, 4), np.float32),
        "given": np.zeros((1, 2), np.float32),
    }
    found = [unet.run({**inputs, "guidance": np.array([g], np.float32)})["next_latents"] for g in (0.0, 0.5, 1.0, 2.0)]
    other = unet.run({**inputs, "guidance": np.array([1.0], np.float32), "negative_embedding": 3 * inputs["embedding"]})
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    assert np.abs(found[0] - other["next_latents"]).max() < 1e-5
    assert np.abs(found[3] - found[2]).max() > 1e-4


def test_tables_survive_the_repository(tiny_repository: Path) -> None:
    table = SamplerTable.load(tiny_repository / "denoiser" / "1" / "samplers.json")
    assert table.scheduler == "DDIMScheduler"
    assert list(table.schedules) == list(range(1, 51))


def test_the_vae_graph_ends_in_the_planes_that_media_defines(tiny_repository: Path) -> None:
    engine = Manifest.load(tiny_repository).engine(tiny_repository, "vae_decoder")
    out = engine.run({"latents": gaussian(0, 3, 4, 8, 8)})
    assert out["rgb"].shape == (6, 3, 32, 32)
    reference = rgb_to_yuv420(np.round(out["rgb"] * 255).astype(np.uint8).transpose(0, 2, 3, 1))
    for name, plane in (("y", reference.y), ("u", reference.u), ("v", reference.v)):
        assert np.abs(out[name].astype(int) - plane).max() <= 1


class Identity(torch.nn.Module):
    """A VAE that decodes to its latents."""

    config = SimpleNamespace(scaling_factor=1.0)

    def decode(self, x: torch.Tensor, return_dict: bool) -> tuple[torch.Tensor]:
        return (x,)


def test_unfolding_is_pixel_shuffle() -> None:
    x = torch.rand(2, 48, 6, 10) * 2 - 1
    rgb = DecodeYuv(Identity(), Fold(frames=4, rows=2, columns=2))(x)[3]
    expected = torch.nn.functional.pixel_shuffle(x, 2).reshape(8, 3, 12, 20) / 2 + 0.5
    torch.testing.assert_close(rgb, expected)


@pytest.mark.parametrize("fold", [Fold(1, 1, 1), Fold(3, 1, 1), Fold(2, 4, 4), Fold(3, 2, 4), Fold(1, 4, 2)])
def test_every_pixel_is_where_its_channel_says(fold: Fold) -> None:
    x = torch.rand(2, fold.frames * 3 * fold.rows * fold.columns, 2, 3)
    rgb = DecodeYuv(Identity(), fold)(x * 2 - 1)[3]
    assert rgb.shape == (2 * fold.frames, 3, 2 * fold.rows, 3 * fold.columns)
    sizes = (2, fold.frames, 3, fold.rows, fold.columns, 2, 3)
    for n, frame, colour, row, column, i, j in itertools.product(*map(range, sizes)):
        channel = ((frame * 3 + colour) * fold.rows + row) * fold.columns + column
        pixel = rgb[n * fold.frames + frame, colour, i * fold.rows + row, j * fold.columns + column]
        assert pixel == pytest.approx(float(x[n, channel, i, j]), abs=1e-6)


def test_parity_and_independence_can_fail(tiny_repository: Path) -> None:
    engine = Manifest.load(tiny_repository).engine(tiny_repository, "text_encoder")
    case = {"input_ids": np.arange(6).reshape(2, 3)}
    states = torch.from_numpy(engine.run(case)["states"])
    compare("same", engine, lambda **inputs: [states], [case], ["states"])
    with pytest.raises(ParityError):
        compare("other", engine, lambda **inputs: [states + 0.01], [case], ["states"])

    class Mixing:
        inputs, outputs = engine.inputs, engine.outputs

        def run(self, inputs, outputs=None):  # type: ignore[no-untyped-def]
            return {"y": inputs["x"] - inputs["x"].mean()}

    with pytest.raises(ParityError):
        batch_independence(Mixing(), {"x": gaussian(0, 3, 2)}, "y")

    class Broken(Mixing):
        def run(self, inputs, outputs=None):  # type: ignore[no-untyped-def]
            return {"y": inputs["x"] if len(inputs["x"]) > 1 else inputs["x"] * np.nan}

    with pytest.raises(ParityError):
        batch_independence(Broken(), {"x": gaussian(0, 3, 2)}, "y")


def test_a_manifest_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 99}), encoding="utf-8")
    with pytest.raises(InvalidRepository, match="format 99"):
        Manifest.load(tmp_path)
    with pytest.raises(InvalidRepository, match="framecast export"):
        Manifest.load(tmp_path / "nowhere")
