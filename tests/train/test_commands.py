"""What the commands say of mistakes, and what a run that was killed leaves."""

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from framecast.train import judge, latents
from framecast.train.checkpoint import Checkpoint
from framecast.train.cli import app
from framecast.train.latents import CacheConfig, LatentCache
from framecast.train.parallel import Crew
from framecast.train.principal import Principal


def code(channels: int) -> Principal:
    return Principal(torch.zeros(3072), torch.eye(3072, channels), torch.ones(channels), torch.tensor(0.1))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["unet"], "no tokenizer in"),
        (["planner"], "no tokenizer in"),
        (["drafts"], "no tokenizer in"),
        (["tune"], "no tokenizer in"),
        (["bundle", "--out", "never"], "no VAE in|no tokenizer in"),
        (["begin", "nowhere"], "nowhere is no bundle: it has no framecast.json"),
        (["evaluate", "--bundle", "nowhere"], "nowhere is no bundle"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_is_missing_is_named_in_one_sentence(arguments: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "vae").mkdir()  # with the code of the latents, which takes its time
    save_file(asdict(code(80)), tmp_path / "vae" / "principal.safetensors")
    runs = [] if arguments[0] == "evaluate" else ["--runs", str(tmp_path)]
    found = CliRunner().invoke(app, [*arguments, *runs])
    assert found.exit_code == 1, found.output
    assert found.stderr.startswith("framecast: ")
    assert any(words in found.stderr for words in said.split("|"))
    assert found.stderr.count("\n") == 1
    assert not Path("never").exists()


@pytest.mark.parametrize(
    "arguments",
    [["cache", "--samples", "0"], ["vae", "--steps", "0"], ["unet", "--stop-at", "-1"], ["evaluate", "--clips", "0"]],
    ids=lambda value: value[0],
)
def test_numbers_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 2
    assert "greater than or equal to" in " ".join(found.stderr.split())


@pytest.mark.parametrize("killed", ["as it wrote", "before the old one went", "before the new one came", "after"])
def test_a_checkpoint_survives_being_killed_anywhere(tmp_path: Path, killed: str) -> None:
    layer = nn.Linear(2, 1)
    keeper = Checkpoint(tmp_path, {"layer": layer}, {"adam": torch.optim.AdamW(layer.parameters())})
    keeper.save(1)
    first = layer.weight.detach().clone()
    last, old, fresh, second = (tmp_path / name for name in ("last", "old", "fresh", "second"))
    os.replace(last, tmp_path / "first")
    nn.init.constant_(layer.weight, 7.0)
    keeper.save(2)
    os.replace(last, second)
    late = killed in ("before the new one came", "after")
    shutil.copytree(tmp_path / "first", old if late else last)
    shutil.copytree(second, last if killed == "after" else fresh)
    if killed == "as it wrote":
        (fresh / "state.json").unlink()
    step, _ = keeper.load()
    assert step == (2 if late else 1)
    torch.testing.assert_close(layer.weight.detach(), torch.full((1, 2), 7.0) if late else first)
    keeper.save(3)
    assert keeper.load()[0] == 3
    assert not old.exists()


def test_a_checkpoint_that_does_not_fit_is_told(tmp_path: Path) -> None:
    Checkpoint(tmp_path, {"layer": nn.Linear(2, 1)}).save(1)
    with pytest.raises(ValueError, match=r"layer.safetensors is of another architecture or vocabulary: move its run"):
        Checkpoint(tmp_path, {"layer": nn.Linear(3, 1)}).load()
    weights = tmp_path / "last" / "layer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"layer.safetensors is damaged \("):
        Checkpoint(tmp_path, {"layer": nn.Linear(2, 1)}).load()


def test_a_checkpoint_on_a_full_disk_is_an_os_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("framecast.train.checkpoint.save_file", full)
    with pytest.raises(OSError, match=r"cannot write .*layer.safetensors: .*No space left"):
        Checkpoint(tmp_path, {"layer": nn.Linear(2, 1)}).save(1)


def test_a_cache_has_its_place_on_the_disk_from_the_start(tmp_path: Path) -> None:
    """Where a file has none, a disk that is full later on ends the process without a word."""
    path = tmp_path / "latents.npy"
    array = latents.rows(path, np.float16, (4, 1000, 1000), 0)
    assert array.shape == (4, 1000, 1000)
    assert path.stat().st_blocks * 512 >= 8_000_000


def test_a_cache_grows_and_refuses_what_was_drawn_otherwise(tmp_path: Path) -> None:
    config = CacheConfig(samples=1, latents=1)
    latents.build(config, code(4), tmp_path, crew=Crew())
    before = LatentCache(tmp_path).clip(0)[0]
    reader = LatentCache(tmp_path)
    latents.build(replace(config, samples=3), code(4), tmp_path, crew=Crew())
    reader.refresh()
    assert float(reader.clip(2)[0].abs().sum()) > 0, "who reads sees it grow"
    grown = LatentCache(tmp_path)
    assert len(grown) == 3
    np.testing.assert_array_equal(grown.clip(0)[0], before)
    assert float(grown.clip(2)[0].abs().sum()) > 0
    latents.build(replace(config, samples=2), code(4), tmp_path, crew=Crew())
    assert len(LatentCache(tmp_path)) == 3, "fewer take nothing away"
    for other, named in (
        (replace(config, seed=5), "seed 31"),
        (replace(config, practised=frozenset({"kitten"})), r"practised \[\]"),
    ):
        with pytest.raises(ValueError, match=f"was drawn with {named}"):
            latents.build(other, code(4), tmp_path, crew=Crew())


def test_a_judge_that_is_not_finished_is_not_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judge, "train", lambda config, folder, stop_at=None: judge.Judge(config))
    monkeypatch.setattr(judge, "accuracy", lambda model: {"subject": 0.1})
    out = tmp_path / "judge"
    arguments = ["judge", "--runs", str(tmp_path), "--out", str(out)]
    halted = CliRunner().invoke(app, [*arguments, "--stop-at", "2"])
    assert "not published" in halted.stdout
    assert not out.exists()
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert (out / "judge.safetensors").exists()


@pytest.mark.parametrize("rate", ["nan", "-0.1", "0", "inf"])
def test_a_learning_rate_that_is_none_is_refused(rate: str) -> None:
    for command, option in (("planner", "--rate"), ("unet", "--clip-rate"), ("tune", "--rate")):
        found = CliRunner().invoke(app, [command, option, rate])
        assert found.exit_code == 2
        assert "is no learning rate" in found.stderr
