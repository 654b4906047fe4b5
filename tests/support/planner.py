"""The planner of an exported repository in this process, without Triton."""

from dataclasses import replace
from pathlib import Path

from framecast.engines.engine import EngineOptions
from framecast.engines.manifest import Manifest
from framecast.planner.planner import PlannerSettings, ScenePlanner


def open_planner(repository: Path, *, held: bool = False) -> ScenePlanner:
    """It takes every story and writes what it likes, unless it is `held` to what its bundle knows."""
    manifest = Manifest.load(repository)
    settings = PlannerSettings.load(manifest.verified(repository, "scene_planner/1/settings.json"))
    tokenizer = manifest.verified(repository, "scene_planner/1/tokenizer.json")
    engine = manifest.engine(repository, "planner", EngineOptions(threads=1))
    return ScenePlanner(engine, tokenizer, settings if held else replace(settings, subjects={}, prompts=""))
