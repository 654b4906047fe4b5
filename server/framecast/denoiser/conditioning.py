"""Prompts to the text states that condition the denoiser."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from framecast.engines.engine import Engine
from framecast.errors import CorruptOutput, InvalidRepository


class TextEncoder:
    """Tokenises prompts as the bundle's tokenizer does, padded to its full length, and encodes them.

    Args:
        engine: the text graph, ``input_ids`` int64 [B, T] → ``states`` float32 [B, T, D].
        tokenizer: path of ``tokenizer.json``.
        settings: path of the JSON with ``length`` (T) and ``pad_token``.

    Raises:
        InvalidRepository: the settings are not such JSON.
    """

    def __init__(self, engine: Engine, tokenizer: Path, settings: Path) -> None:
        self._engine = engine
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        try:
            fields = json.loads(settings.read_text(encoding="utf-8"))
            length, pad = int(fields["length"]), str(fields["pad_token"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidRepository(f"{settings} does not hold tokenizer settings; export again.") from error
        self._tokenizer.enable_truncation(length)
        self._tokenizer.enable_padding(length=length, pad_id=self._tokenizer.token_to_id(pad), pad_token=pad)

    def encode(self, prompts: list[str]) -> NDArray[np.float32]:
        """States [B, T, D] of B prompts. Raises CorruptOutput when they hold NaN or Inf."""
        ids = np.array([encoding.ids for encoding in self._tokenizer.encode_batch(prompts)], np.int64)
        states: NDArray[np.float32] = self._engine.run({"input_ids": ids})["states"].astype(np.float32)
        if not np.isfinite(states).all():
            raise CorruptOutput("The text encoder produced NaN or Inf.")
        return states
