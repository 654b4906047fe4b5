"""Checkpoints without pickle: tensors in safetensors, everything else in json, replaced in one rename."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
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
        """Writes everything; whenever it is killed, `load` finds this checkpoint or the one before it, whole."""
        fresh, last, old = (self.directory / name for name in ("fresh", "last", "old"))
        self._mend()
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        state: dict[str, Any] = {"step": step, "extra": extra, "optimizers": {}}
        for name, module in self.modules.items():
            weights = {k: v.contiguous().clone() for k, v in module.state_dict().items()}
            save_file(weights, fresh / f"{name}.safetensors")
        for name, optimizer in self.optimizers.items():
            tensors, rest = _split(optimizer.state_dict())
            save_file(tensors, fresh / f"{name}.optimizer.safetensors")
            state["optimizers"][name] = rest
        save_file({"torch": torch.get_rng_state()}, fresh / "random.safetensors")
        (fresh / "state.json").write_text(json.dumps(state), encoding="utf-8")
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
            RuntimeError: the checkpoint is of another architecture.
        """
        last = self.directory / "last"
        self._mend()
        if not (last / "state.json").exists():
            for name, module in self.modules.items():
                if (last / f"{name}.safetensors").exists():
                    module.load_state_dict(load_file(last / f"{name}.safetensors"))
            return 0, {}
        state = json.loads((last / "state.json").read_text(encoding="utf-8"))
        for name, module in self.modules.items():
            module.load_state_dict(load_file(last / f"{name}.safetensors"))
        for name, optimizer in self.optimizers.items():
            if name in state["optimizers"]:
                tensors = load_file(last / f"{name}.optimizer.safetensors")
                optimizer.load_state_dict(_join(tensors, state["optimizers"][name]))
        torch.set_rng_state(load_file(last / "random.safetensors")["torch"])
        return int(state["step"]), dict(state["extra"])


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
