"""Checkpoints without pickle: tensors in safetensors, everything else in json, replaced in one rename."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn


class Checkpoint:
    """Keeps named modules, their optimizers and the random state of one training run in `directory/last`."""

    def __init__(
        self,
        directory: Path,
        modules: dict[str, nn.Module],
        optimizers: dict[str, torch.optim.Optimizer] | None = None,
    ) -> None:
        self.directory = directory
        self.modules = modules
        self.optimizers = optimizers or {}

    def save(self, step: int, **extra: Any) -> None:
        """Writes everything; whenever it is killed, `load` finds this checkpoint or the one before it, whole.

        Raises:
            OSError: it cannot be written.
        """
        fresh, last, old = (self.directory / name for name in ("fresh", "last", "old"))
        self._mend()
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        state: dict[str, Any] = {"step": step, "extra": extra, "optimizers": {}}
        for name, module in self.modules.items():
            weights = {k: v.contiguous().clone() for k, v in module.state_dict().items()}
            _save(weights, fresh / f"{name}.safetensors")
        for name, optimizer in self.optimizers.items():
            tensors, rest = _split(optimizer.state_dict())
            _save(tensors, fresh / f"{name}.optimizer.safetensors")
            state["optimizers"][name] = rest
        _save({"torch": torch.get_rng_state()}, fresh / "random.safetensors")
        (fresh / "state.part").write_text(json.dumps(state), encoding="utf-8")
        os.replace(fresh / "state.part", fresh / "state.json")  # what is there is whole
        if last.exists():
            os.replace(last, old)
        os.replace(fresh, last)
        shutil.rmtree(old, ignore_errors=True)

    def _mend(self) -> None:
        """Puts a checkpoint in the place of `last` where a run was killed between taking the old one away and that."""
        fresh, last, old = (self.directory / name for name in ("fresh", "last", "old"))
        if not last.exists():
            whole = (fresh / "state.json").exists()  # which is written last
            with suppress(FileNotFoundError):  # nothing is there, or another worker has done it
                os.replace(fresh if whole else old, last)
        shutil.rmtree(old, ignore_errors=True)

    def load(self) -> tuple[int, dict[str, Any]]:
        """Restores the run; returns (step, extra), (0, {}) when there is nothing to go on from.

        Weights alone, as `framecast train begin` leaves them, are a start at step 0.

        Raises:
            ValueError: the checkpoint is damaged, or of another architecture or vocabulary.
        """
        last = self.directory / "last"
        self._mend()
        if not (last / "state.json").exists():
            for name, module in self.modules.items():
                if (last / f"{name}.safetensors").exists():
                    restore(module, last / f"{name}.safetensors")
            return 0, {}
        state = json.loads((last / "state.json").read_text(encoding="utf-8"))
        for name, module in self.modules.items():
            restore(module, last / f"{name}.safetensors")
        for name, optimizer in self.optimizers.items():
            if name in state["optimizers"]:
                tensors = _load(last / f"{name}.optimizer.safetensors")
                optimizer.load_state_dict(_join(tensors, state["optimizers"][name]))
        torch.set_rng_state(_load(last / "random.safetensors")["torch"])
        return int(state["step"]), dict(state["extra"])


def restore(module: nn.Module, path: Path) -> None:
    """Loads a module's weights. Raises ValueError where they are damaged, or not its own."""
    try:
        module.load_state_dict(_load(path))
    except RuntimeError as error:
        raise ValueError(f"{path} is of another architecture or vocabulary: move its run away to begin anew") from error


def reached(directory: Path) -> int:
    """Steps of the run's checkpoint; 0 without one."""
    state = directory / "last" / "state.json"
    return int(json.loads(state.read_text(encoding="utf-8"))["step"]) if state.exists() else 0


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): move it away, or bring a whole one") from error


def _save(tensors: dict[str, torch.Tensor], path: Path) -> None:
    try:
        save_file(tensors, path)
    except SafetensorError as error:  # a full disk, and no OSError
        raise OSError(f"cannot write {path}: {error}") from error


def _split(state: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors: dict[str, torch.Tensor] = {}
    slots: dict[str, dict[str, Any]] = {}
    for index, slot in state["state"].items():
        slots[str(index)] = {}
        for key, value in slot.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{key}"] = value.contiguous().clone()
            else:
                slots[str(index)][key] = value
    return tensors, {"slots": slots, "groups": state["param_groups"]}


def _join(tensors: dict[str, torch.Tensor], rest: dict[str, Any]) -> dict[str, Any]:
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in rest["slots"].items()}
    for name, tensor in tensors.items():
        index, key = name.split(".", 1)
        state[int(index)][key] = tensor
    return {"state": state, "param_groups": rest["groups"]}
