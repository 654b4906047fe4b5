"""Flicker, seams and the Fréchet distance against cases whose answer is known; the judge learns and resumes."""

import numpy as np
import pytest
import torch

from framecast.train import evaluate, judge, scores
from framecast.train.world.render import render
from framecast.train.world.scene import Scene, held_out

JUDGE = judge.JudgeConfig(width=8, features=16, clips=12, steps=4, batch=4)


def test_flicker_is_zero_for_steady_change_and_counts_what_comes_and_goes() -> None:
    steady = (np.arange(10, dtype=np.uint8) * 7)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    assert scores.flicker(steady) == 0
    blinking = steady.copy()
    blinking[1::2] += 5
    assert scores.flicker(blinking) == pytest.approx(20 / 2 * 1, abs=1)
    with pytest.raises(ValueError, match="three frames"):
        scores.flicker(steady[:2])


def test_a_jump_is_a_seam_and_steady_motion_is_none() -> None:
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 3, (40, 8, 8, 3)).astype(np.uint8)
    assert scores.seam(noise, 20) == pytest.approx(1, abs=0.2)
    jump = noise.copy()
    jump[20:] += 60
    assert scores.seam(jump, 20) > 20
    with pytest.raises(ValueError, match="both sides"):
        scores.seam(noise, 39)


def test_frechet_is_that_of_two_normal_distributions() -> None:
    rng = np.random.default_rng(2)
    a = rng.normal(0, 1, (40_000, 3))
    b = rng.normal(2, 3, (40_000, 3))
    # Independent axes: Σ (Δmean² + (σa - σb)²) = 3 · (4 + 4).
    assert scores.frechet(a, b) == pytest.approx(24, rel=0.02)
    assert scores.frechet(a, a) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="two sets"):
        scores.frechet(a, b[:, :2])


def test_the_judge_learns_and_goes_on(tmp_path) -> None:
    torch.set_num_threads(1)
    whole = judge.train(JUDGE, tmp_path / "whole")
    judge.train(JUDGE, tmp_path / "parts", stop_at=2)
    parts = judge.train(JUDGE, tmp_path / "parts")
    for p, q in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-3, atol=1e-5)
    shares = judge.accuracy(whole, count=6)
    assert set(shares) == set(judge.QUESTIONS)
    assert all(0 <= share <= 1 for share in shares.values())


def test_a_published_judge_is_the_judge(tmp_path) -> None:
    model = judge.Judge(JUDGE).eval()
    judge.publish(model, {"subject": 0.5}, tmp_path / "judge")
    again, shares = judge.published(tmp_path / "judge", JUDGE)
    assert shares == {"judge_subject": 0.5}
    for p, q in zip(model.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(q, p.half().float(), rtol=0, atol=0)
    with pytest.raises(FileNotFoundError, match="framecast train judge"):
        judge.published(tmp_path / "nobody")


def test_what_is_judged_is_what_was_asked() -> None:
    """A filmer that draws the scene itself is judged on that scene's own words."""
    asked = []

    def film(scene: Scene, seconds: float, seed: int) -> np.ndarray:
        asked.append((scene, seconds))
        return render(scene, seed, round(seconds * 24))

    judged = evaluate.judge_clips(judge.Judge(JUDGE).eval(), film, count=4, long=1)
    assert judged.clips == 4
    right = 2 * (judged.seen["subject"] + judged.unseen["subject"])
    assert sum(judged.mistaken.values()) == 4 - right
    assert judged.flicker == judged.drawn_flicker
    assert judged.seam == judged.drawn_seam
    assert 0 < judged.inner_seam < 3
    assert judged.distance == pytest.approx(0, abs=1e-3)
    unseen = held_out()
    assert [scene.combination in unseen for scene, _ in asked] == [False, False, True, True, False]


def test_the_contact_sheet_shows_every_word() -> None:
    scenes = evaluate.fixed_scenes()
    assert len(scenes) == 24
    assert scenes == evaluate.fixed_scenes()
    for name, words in judge.QUESTIONS.items():
        assert {getattr(scene, name) for scene in scenes} == set(words), name
