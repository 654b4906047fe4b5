"""What a denoise step costs by batch size, learnt while serving."""

import math
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LearningRules:
    """How costs are learnt.

    Attributes:
        trials: steps of each size before it is judged; the first of a size may compile or allocate.
        window: latest steps of each size that count: more than a busy neighbour's spell, or whichever size ran in a
            quiet moment is taken for the cheap one.
        retry: every so many steps of a bucket one more of some size is tried, for the device may have been busy.
        buckets: that are remembered; the one met first is forgotten first.
        forgive: steps of a bucket after which a size that failed may be tried again, for memory may have been short.
    """

    trials: int = 3
    window: int = 128
    retry: int = 32
    buckets: int = 64
    forgive: int = 1024


class StepCosts:
    """Seconds of a step by bucket and batch size: the fastest of the latest, for whatever else runs only adds to it."""

    def __init__(self, rules: LearningRules | None = None) -> None:
        self._rules = rules or LearningRules()
        self._buckets: dict[Hashable, _Bucket] = {}

    def measured(self, bucket: Hashable, batch: int, seconds: float) -> None:
        """One step has been run."""
        found = self._bucket(bucket)
        found.steps += 1
        found.seconds.setdefault(batch, deque(maxlen=self._rules.window)).append(seconds)

    def failed(self, bucket: Hashable, batch: int) -> None:
        """A step could not be run: this size and larger ones cost more than anything, for a while."""
        found = self._bucket(bucket)
        found.too_many, found.failed_at = batch, found.steps

    def seconds(self, bucket: Hashable, batch: int) -> float | None:
        """Of a step; None: it should be tried. Infinite: it cannot be run."""
        found = self._buckets.get(bucket)
        if found and found.too_many and batch >= found.too_many and found.steps - found.failed_at < self._rules.forgive:
            return math.inf
        if found is None or len(found.seconds.get(batch, ())) < self._rules.trials:
            return None
        round_, step = divmod(found.steps, self._rules.retry)
        if step == self._rules.retry - 1 and round_ % len(found.seconds) == batch - 1:
            return None
        return min(found.seconds[batch])

    def _bucket(self, bucket: Hashable) -> "_Bucket":
        if bucket not in self._buckets:
            if len(self._buckets) >= self._rules.buckets:
                del self._buckets[next(iter(self._buckets))]
            self._buckets[bucket] = _Bucket()
        return self._buckets[bucket]


@dataclass
class _Bucket:
    steps: int = 0
    seconds: dict[int, deque[float]] = field(default_factory=dict)
    too_many: int = 0  # the batch size that failed last; 0: none has
    failed_at: int = 0
