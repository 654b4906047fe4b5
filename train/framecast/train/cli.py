"""`framecast train …`: every step of the recipe as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from framecast.client.report import fail, one_sentence_errors
from framecast.train.options import (
    ClipBatch,
    Device,
    Jump,
    Rate,
    Runs,
    Seed,
    Steps,
    StopAt,
    Threads,
    given,
    own_data,
    practised,
    require_bundle,
    require_one_process,
    require_untrained,
    use_threads,
)
from framecast.train.showing import evaluate, judge, sheet


class _OneSentence(TyperGroup):
    """What a command cannot find, or finds in its way, is told in one sentence."""

    def invoke(self, ctx: Any) -> Any:
        with one_sentence_errors():
            try:
                return super().invoke(ctx)
            except ValueError as error:
                fail(str(error), 2)


app = typer.Typer(
    no_args_is_help=True,
    help="Trains the storybook family. Ctrl-C keeps a checkpoint: the same command goes on from there.",
    cls=_OneSentence,
)


@app.command()
def vae(
    runs: Runs = Path("runs"),
    steps: Steps = None,
    adversarial: Annotated[
        float | None, typer.Option(min=0, help="Weight of the adversarial term, 0 for none; the recipe's own else.")
    ] = None,
    adversarial_start: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of the steps after which that term sets in.")
    ] = None,
    stop_at: StopAt = None,
    threads: Threads = 1,
) -> None:
    """Trains the folded VAE on pictures that are drawn as it goes, and on the denoiser's drafts where there are any."""
    from dataclasses import replace

    from framecast.train import vae as recipe
    from framecast.train.drafts import Drafts
    from framecast.train.parallel import Crew

    use_threads(threads)
    config = recipe.VaeConfig()
    term = replace(config.adversarial, **given(weight=adversarial, start=adversarial_start))
    config = replace(config, adversarial=term, **given(steps=steps))
    crew = Crew()
    drafts, own = Drafts(runs / "drafts") if (runs / "drafts").exists() else None, own_data(runs)
    model = recipe.train(config, runs / "vae", stop_at=stop_at, crew=crew, drafts=drafts, data=own)
    if crew.leads and own is None:
        typer.echo(str(recipe.measure(model)))


@app.command()
def drafts(
    runs: Runs = Path("runs"),
    clips: Annotated[int | None, typer.Option(min=1, help="How many; the recipe's own when not given.")] = None,
    threads: Threads = 1,
) -> None:
    """Samples what the denoiser makes of known clips: the decoder learns from it. Under torchrun workers share it."""
    from dataclasses import replace

    from framecast.train import bundle as recipe
    from framecast.train import drafts as drafting
    from framecast.train.latents import LatentCache
    from framecast.train.parallel import Crew
    from framecast.train.quick import quicken

    use_threads(threads)
    serving = recipe.BundleConfig()
    config = drafting.DraftConfig(
        steps=serving.steps, guidance_scale=serving.guidance_scale, context=serving.diffusion.context
    )
    unet, encoder, tokenizer = recipe.load_diffusion(runs, serving.diffusion, serving.vae.latent_channels)
    quicken(unet)
    drafting.build(
        replace(config, clips=clips or config.clips),
        LatentCache(runs / "cache"),
        (unet, encoder, tokenizer),
        serving.diffusion.scale,
        runs / "drafts",
        crew=Crew(),
    )


@app.command()
def begin(
    bundle: Annotated[Path, typer.Argument(help="A written bundle.")] = Path("bundles/storybook"),
    runs: Runs = Path("runs"),
) -> None:
    """Unpacks a bundle: training then goes on from the weights that ship instead of from random ones."""
    from framecast.train import begin as recipe
    from framecast.train.bundle import BundleConfig

    require_bundle(bundle)
    recipe.begin(bundle, runs, BundleConfig())
    typer.echo(f"{bundle} is unpacked in {runs}")


@app.command()
def data(
    folder: Annotated[
        Path,
        typer.Argument(
            help='clips.jsonl, a line {"file": "…", "caption": "…"} a clip or picture; stories.jsonl, a line '
            '{"story": "…", "scenes": [{"prompt": "…", "seconds": 2, "camera": "static"}]} a story; perhaps corpus.txt.'
        ),
    ],
    runs: Runs = Path("runs"),
) -> None:
    """Has every recipe in --runs learn from your own clips and stories in the place of the world's."""
    from framecast.train.own import OwnData

    found = OwnData(folder, whole=True)
    found.note(runs)
    typer.echo(f"{runs} learns from {len(found.clips)} clips and {len(found.stories)} stories in {folder}")


@app.command()
def held_out() -> None:
    """Writes the list of combinations that training never sees."""
    from framecast.train.world.scene import HELD_OUT_FILE, write_held_out

    typer.echo(f"{write_held_out()} combinations in {HELD_OUT_FILE}")


@app.command()
def tokenizers(runs: Runs = Path("runs")) -> None:
    """Trains both tokenizers."""
    from framecast.train import tokenizers as recipe

    require_untrained(runs)
    own = own_data(runs)
    planner_tokenizer = recipe.train_planner_tokenizer(runs / "tokenizers" / "planner", data=own)
    text_tokenizer = recipe.train_text_tokenizer(runs / "tokenizers" / "text", data=own)
    typer.echo(f"planner {len(planner_tokenizer)} tokens, text encoder {len(text_tokenizer)} tokens")


@app.command()
def planner(
    runs: Runs = Path("runs"),
    pretrain_steps: Annotated[
        int | None, typer.Option(min=0, help="Next-token steps; the recipe's own when not given.")
    ] = None,
    finetune_steps: Annotated[int | None, typer.Option(min=1, help="Steps of story → storyboard.")] = None,
    rate: Rate = None,
    seed: Seed = None,
    stop_at: StopAt = None,
    threads: Threads = 1,
) -> None:
    """Pre-trains and fine-tunes the planner, then scores it on held-out stories."""
    from dataclasses import replace

    from framecast.train import everyday
    from framecast.train import planner as recipe
    from framecast.train.tokenizers import planner_tokenizer

    require_one_process()
    use_threads(threads)
    config = recipe.PlannerConfig()
    config = replace(
        config,
        **given(pretrain_steps=pretrain_steps, finetune_steps=finetune_steps, rate=rate, seed=seed),
    )
    tokenizer = planner_tokenizer(runs)
    own = own_data(runs)
    model = recipe.train(config, tokenizer, runs / "planner", stop_at=stop_at, data=own)
    if own:
        planned = f", and planned {recipe.exact_own(model, tokenizer, own):.3f} exactly" if own.held else ""
        typer.echo(f"{len(own.held)} of {len(own.stories)} stories were kept from training{planned}")
        return
    for language in ("en", "zh"):
        typer.echo(f"{language}: exact storyboards {recipe.exact(model, tokenizer, language):.3f}")
    share, wrong = everyday.score(model, tokenizer)
    typer.echo(f"everyday stories: {share:.3f}; {len(wrong)} are planned otherwise")


@app.command()
def cache(
    runs: Runs = Path("runs"),
    samples: Annotated[int, typer.Option(min=1, help="Clips of two seconds.")] = 6000,
    practise: Annotated[
        list[str] | None,
        typer.Option(help="A word of the world, as kitten or play, to draw three times as often; may be repeated."),
    ] = None,
    moving_camera: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share whose camera moves; the recipe's own when not given."),
    ] = None,
    seed: Seed = None,
    threads: Threads = 1,
) -> None:
    """Draws and encodes the training clips; under torchrun each worker draws its share. Goes on where it stopped."""
    from dataclasses import replace

    from framecast.train import latents, vae
    from framecast.train.parallel import Crew

    use_threads(threads)
    own = own_data(runs)
    config = latents.CacheConfig(samples=samples, practised=practised(practise or []), data=own.identity if own else "")
    config = replace(config, **given(seed=seed, moving_camera=moving_camera))
    code = vae.linear_code(vae.VaeConfig(), runs / "vae", own)
    latents.build(config, code, runs / "cache", crew=Crew(), data=own)


@app.command()
def unet(
    runs: Runs = Path("runs"),
    stop_at: StopAt = None,
    image_steps: Annotated[
        int | None, typer.Option(min=0, help="Image steps; the recipe's own when not given.")
    ] = None,
    clip_steps: Annotated[int | None, typer.Option(min=1, help="Clip steps; more than the recipe's go on.")] = None,
    clip_batch: ClipBatch = None,
    clip_rate: Rate = None,
    short_until: Annotated[float | None, typer.Option(min=0, max=1, help="Share of them on short windows.")] = None,
    jump: Jump = None,
    served: Annotated[int | None, typer.Option(min=1, help="Steps at whose times most of the training is.")] = None,
    astray: Annotated[float | None, typer.Option(min=0, max=1, help="Share of it at any other time.")] = None,
    finest: Annotated[
        float | None, typer.Option(min=0.01, max=1, help="Noise below which errors count no more.")
    ] = None,
    seed: Seed = None,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Trains UNet and text encoder; under torchrun each batch is shared among the workers."""
    from dataclasses import replace

    from framecast.train import diffusion, vae
    from framecast.train.latents import LatentCache
    from framecast.train.measure import Measure
    from framecast.train.parallel import Crew
    from framecast.train.tokenizers import text_tokenizer

    use_threads(threads)
    tokenizer = text_tokenizer(runs)
    code = vae.kept_code(runs / "vae")
    config = replace(
        diffusion.DiffusionConfig(),
        **given(
            image_steps=image_steps,
            clip_steps=clip_steps,
            clip_batch=clip_batch,
            clip_rate=clip_rate,
            short_until=short_until,
            jump=jump,
            served=served,
            astray=astray,
            finest=finest,
            seed=seed,
        ),
    )
    cache = LatentCache(runs / "cache")
    measure = Measure.of(code)
    diffusion.train(config, cache, tokenizer, measure, runs / "unet", stop_at=stop_at, crew=Crew(), device=device)


@app.command()
def tune(
    runs: Runs = Path("runs"),
    stories: Annotated[int | None, typer.Option(min=1, help="Clips told and planned; the recipe's own else.")] = None,
    steps: Steps = None,
    rate: Rate = None,
    clip_batch: ClipBatch = None,
    jump: Jump = None,
    threads: Threads = 1,
    device: Device = "cpu",
) -> None:
    """Tunes UNet and text encoder together on captions that the planner writes; needs both trained. Under torchrun
    the workers share stories and batches.
    """
    from dataclasses import replace

    from framecast.train import bundle as recipe
    from framecast.train import tune as tuning
    from framecast.train import vae
    from framecast.train.latents import LatentCache
    from framecast.train.measure import Measure
    from framecast.train.parallel import Crew

    use_threads(threads)
    config = recipe.BundleConfig()
    unet, encoder, tokenizer = recipe.load_diffusion(runs, config.diffusion, config.vae.latent_channels, tuned=False)
    model, story_tokenizer = recipe.load_planner(runs, config.planner)
    measure = Measure.of(vae.kept_code(runs / "vae"))
    crew = Crew()
    tuning.train(
        replace(tuning.TuneConfig(), **given(stories=stories, steps=steps, rate=rate)),
        replace(config.diffusion, **given(clip_batch=clip_batch, jump=jump)),
        {"unet": unet, "text_encoder": encoder},
        LatentCache(runs / "cache"),
        (tokenizer, story_tokenizer),
        model,
        measure,
        runs / "tune",
        crew=crew,
        device=device,
    )
    if crew.leads:
        typer.echo((runs / "tune" / "tune.json").read_text(encoding="utf-8"))


@app.command()
def bundle(
    out: Annotated[
        Path | None, typer.Option(help="The bundle's directory; bundles/storybook where the world was learnt.")
    ] = None,
    runs: Runs = Path("runs"),
    commit: Annotated[str, typer.Option(help="Commit that trained it; asked of git when not given.")] = "",
    command: Annotated[str, typer.Option(help="Commands that trained it, for its history.")] = "not recorded",
) -> None:
    """Writes the bundle from the latest checkpoints."""
    import subprocess
    from datetime import datetime, timezone

    from framecast.train import bundle as recipe
    from framecast.train.own import noted

    if out is None and noted(runs):
        raise typer.BadParameter("--out: name a folder for your bundle; without your data it is bundles/storybook")
    out = out or Path("bundles/storybook")
    if not commit:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
        commit = asked.stdout.strip() if asked.returncode == 0 else "uncommitted"
    made_by = {
        "commit": commit,
        "command": command,
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    size = recipe.write(runs, out, recipe.BundleConfig(), made_by)
    typer.echo(f"{out}: {size / 1e6:.1f} MB of weights")


for _command in (sheet, judge, evaluate):
    app.command()(_command)
