"""What a denoise step costs by batch size, learnt while serving."""

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
    """

    trials: int = 3
    window: int = 128
    retry: int = 32
    buckets: int = 64


class StepCosts:
    """Seconds of a step by bucket and batch size: the fastest of the latest, for whatever else runs only adds to it."""

    def __init__(self, rules: LearningRules | None = None) -> None:
        self._rules = rules or LearningRules()
        self._buckets: dict[Hashable, _Bucket] = {}

    def measured(self, bucket: Hashable, batch: int, seconds: float) -> None:
        """One step has been run."""
        if bucket not in self._buckets:
            if len(self._buckets) >= self._rules.buckets:
                del self._buckets[next(iter(self._buckets))]
            self._buckets[bucket] = _Bucket()
        found = self._buckets[bucket]
        found.steps += 1
        found.seconds.setdefault(batch, deque(maxlen=self._rules.window)).append(seconds)

    def seconds(self, bucket: Hashable, batch: int) -> float | None:
        """Of a step; None: it should be tried."""
        found = self._buckets.get(bucket)
        if found is None or len(found.seconds.get(batch, ())) < self._rules.trials:
            return None
        round_, step = divmod(found.steps, self._rules.retry)
        if step == self._rules.retry - 1 and round_ % len(found.seconds) == batch - 1:
            return None
        return min(found.seconds[batch])


@dataclass
class _Bucket:
    steps: int = 0
    seconds: dict[int, deque[float]] = field(default_factory=dict)
