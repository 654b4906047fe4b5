"""A segment that goes on from an earlier one begins where that one ended.

The network sees the last latents of the earlier segment and answers with what it takes them for, which is not quite
what they are; the new latents follow from its answer. Without a correction the picture would jump by that difference.
So the difference at the last given latent is added to the new ones too, less and less with time.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SETTLING = 4
"""New latents over which the difference fades out, evenly: 1, ¾, ½, ¼."""


def joined(answer: Floats, context: Floats) -> Floats:
    """The segment's latents [F, C, h, w].

    Args:
        answer: [F, C, h, w], the network's own for all latents, the given ones too.
        context: [k, C, h, w], 0 < k < F, the given ones.
    """
    known = len(context)
    latents: Floats = np.concatenate([context, answer[known:]])
    difference = context[-1] - answer[known - 1]
    for index, latent in enumerate(latents[known : known + SETTLING]):
        latent += np.float32(1 - index / SETTLING) * difference
    return latents
