"""The commands that show and score what was trained: contact sheets, the judge, the evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from framecast.train.options import Runs, StopAt, Threads, own_data, require_bundle, require_one_process, use_threads


def sheet(
    kind: Annotated[str, typer.Argument(help="world, vae or clips.")],
    out: Annotated[Path | None, typer.Option(help="The PNG; sheet.png in --runs when not given.")] = None,
    runs: Runs = Path("runs"),
    steps: Annotated[int, typer.Option(help="Denoising steps; 0: as many as are served.")] = 0,
    guidance: Annotated[float | None, typer.Option(help="As it is served when not given.")] = None,
    latents: int = 12,
    threads: Threads = 1,
) -> None:
    """Draws a contact sheet of the world, of reconstructions or of generated clips; your own, where --runs has data."""
    import random

    from framecast.train import bundle as recipe
    from framecast.train import sheet as sheets
    from framecast.train.world.render import render
    from framecast.train.world.scene import sample_scene

    use_threads(threads)
    rng, own, out = random.Random(3), own_data(runs), out or runs / "sheet.png"
    scenes = [sample_scene(rng, seen=False) for _ in range(6)]
    if kind == "world":
        sheets.world_sheet(scenes, out)
    elif kind == "vae":
        drawn = [(str(scene), render(scene, seed, 4, start=0.4)) for seed, scene in enumerate(scenes)]
        shown = [(clip.caption, clip.frames(0.0, 4)) for clip in own.clips[: len(scenes)]] if own else drawn
        sheets.vae_sheet(recipe.load_vae(runs, recipe.BundleConfig().vae), shown, out)
    elif kind == "clips":
        prompts = tuple(dict.fromkeys(clip.caption for clip in own.clips))[:8] if own else sheets.PROMPTS
        config = recipe.BundleConfig()
        pipe, guided = recipe.pipeline(runs, config), config.guidance_scale if guidance is None else guidance
        sheets.clip_sheet(pipe, out, prompts=prompts, steps=steps or config.steps, guidance=guided, latents=latents)
    else:
        raise typer.BadParameter(f"expected world, vae or clips, got {kind!r}")
    typer.echo(str(out))


def judge(
    runs: Runs = Path("runs"),
    stop_at: StopAt = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to publish the judge in, once it is trained to its end.")
    ] = None,
    threads: Threads = 1,
) -> None:
    """Trains the judge on renders and says how often it is right on combinations no model has seen."""
    from framecast.train import judge as recipe

    require_one_process()
    use_threads(threads)
    config = recipe.JudgeConfig()
    model = recipe.train(config, runs / "judge", stop_at=stop_at)
    shares = recipe.accuracy(model)
    typer.echo(str(shares))
    if out is not None and stop_at is not None and stop_at < config.steps:
        typer.echo(f"not published in {out}: the judge has {stop_at} of {config.steps} steps")
    elif out is not None:
        recipe.publish(model, shares, out)


def evaluate(
    bundle: Annotated[Path, typer.Option(help="The bundle that is scored.")] = Path("bundles/storybook"),
    clips: Annotated[
        int, typer.Option(min=4, help="Generated clips to judge; half of them of unseen combinations.")
    ] = 240,
    stories: Annotated[int, typer.Option(min=1, help="Held-out stories for each language.")] = 128,
    address: Annotated[
        str, typer.Option(envvar="FRAMECAST_ADDRESS", help="Server that films; the diffusers pipeline when empty.")
    ] = "",
    referee: Annotated[Path, typer.Option(help="The judge's folder.")] = Path("bundles/judge"),
    out: Annotated[
        Path,
        typer.Option(
            help="Folder for evaluation.json and the contact sheet; the page is beside it. Its remarks.md is kept."
        ),
    ] = Path("docs/storybook"),
    planner_only: Annotated[
        bool, typer.Option(help="Score the planner anew and keep the other figures: nothing else has changed.")
    ] = False,
    threads: Threads = 1,
) -> None:
    """Scores planner, VAE and generated clips on what training never saw; writes the page and the contact sheet."""
    import json

    import torch

    from framecast.train import evaluate as scoring
    from framecast.train import judge as judging
    from framecast.train import vae as autoencoders
    from framecast.train.bundle import BundleConfig
    from framecast.train.models import read_pipeline, read_vae
    from framecast.train.quick import quicken
    from framecast.train.report import page
    from framecast.train.sheet import draw_sheet

    use_threads(threads)
    require_bundle(bundle)
    kept = out / "evaluation.json"
    if planner_only:
        figures = json.loads(kept.read_text(encoding="utf-8")) | _planner_figures(bundle, stories)
        scoring.keep(figures, kept)
    else:
        model, figures = judging.published(referee)
        plain = {"dtype": torch.float32, "local_files_only": True}
        if address:
            scoring.require_served(address, bundle)
            film = scoring.served(address)
        else:
            pipe = read_pipeline(bundle, **plain)
            quicken(pipe.unet)
            film = scoring.piped(pipe, BundleConfig())
        draw_sheet(scoring.captioned(film, scoring.fixed_scenes()), out / "sheet.png", tile=128)
        judged = scoring.judge_clips(model, film, count=clips)
        figures.update(autoencoders.measure(read_vae(bundle / "vae", **plain)))
        figures.update(_planner_figures(bundle, stories))
        scoring.write(
            judged, {**figures, "filmed_by": "a running server" if address else "the diffusers pipeline"}, kept
        )
    written = json.loads(kept.read_text(encoding="utf-8"))
    trained = json.loads((bundle / "framecast.json").read_text(encoding="utf-8"))["trained"]
    seen = out / "remarks.md"
    remarks = seen.read_text(encoding="utf-8") if seen.exists() else ""
    told = page(written, trained, f"{out.name}/sheet.png", remarks)
    out.with_suffix(".md").write_text(told, encoding="utf-8")
    typer.echo(told)


def _planner_figures(bundle: Path, stories: int) -> dict[str, float]:
    import torch
    from transformers import PreTrainedTokenizerFast

    from framecast.train import everyday
    from framecast.train import planner as plans
    from framecast.train.models import read_planner

    planner = read_planner(bundle / "planner", dtype=torch.float32, local_files_only=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(bundle / "planner")
    return {
        "planner_en": plans.exact(planner, tokenizer, "en", count=stories),
        "planner_zh": plans.exact(planner, tokenizer, "zh", count=stories),
        "planner_everyday": everyday.score(planner, tokenizer)[0],
    }
