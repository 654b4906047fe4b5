"""Token-by-token decoding of a causal language model with an explicit key-value cache."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from framecast.engines.engine import Array, Engine


class CachedDecoder:
    """One sequence in a causal LM graph (`framecast.export.graphs.causal_lm` names its tensors).

    The same graph prefills (empty cache, many tokens) and decodes (one token).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._length = 0
        self._cache: dict[str, Array] = {}
        for info in engine.inputs:
            if info.name.startswith("past_"):
                _, heads, _, width = info.shape  # [1, heads, past, width]
                self._cache[info.name] = np.zeros((1, int(heads), 0, int(width)), info.dtype)

    def feed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Appends `tokens` and returns the logits [V] of the token that follows."""
        positions = np.arange(self._length, self._length + len(tokens), dtype=np.int64)[None]
        self._length += len(tokens)
        outputs = self._engine.run(
            {
                "input_ids": np.asarray([tokens], np.int64),
                "attention_mask": np.ones((1, self._length), np.int64),
                "position_ids": positions,
                **self._cache,
            }
        )
        self._cache = {name: outputs[name.replace("past_", "present_", 1)] for name in self._cache}
        logits: NDArray[np.float32] = outputs["logits"][0, -1].astype(np.float32)
        return logits
