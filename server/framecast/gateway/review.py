"""Content review: of what callers ask for, of what the planner makes of their stories, and of the pictures."""

import logging

from framecast.director.video import Chunk
from framecast.errors import ContentRefused
from framecast.gateway.metrics import GatewayMetrics
from framecast.gateway.status import cut
from framecast.review.policy import REFUSE, Policy
from framecast.review.reviewer import Reviewer

logger = logging.getLogger(__name__)

REQUEST, PLAN, PICTURES = "request", "plan", "pictures"  # where something was found
_WORDS = 60  # characters of what was found that its finder is told; a status is a header, and headers are short
SAFETY_CHECKER = "safety_checker"  # the category of what the model's own finds


class ContentReview:
    """Reads texts and hears what was found in pictures; counts and logs it, never the text itself.

    Args:
        policy: to go by; None lets everything pass.
        metrics: of the gateway.
    """

    def __init__(self, policy: Policy | None, metrics: GatewayMetrics) -> None:
        self._policy = policy
        self._reviewer = Reviewer(policy) if policy is not None else None
        self._metrics = metrics
        for category in policy.categories if policy is not None else ():
            for where in (REQUEST, PLAN):
                metrics.reviews.labels(where, category.name)
        metrics.reviews.labels(PICTURES, SAFETY_CHECKER)

    def check(self, field: str, text: str, where: str = REQUEST) -> None:
        """Raises ContentRefused when the policy does not let `text`, the value of `field`, pass."""
        finding = self._reviewer.review(text) if self._reviewer is not None else None
        if finding is None:
            return
        category = finding.category
        self._metrics.reviews.labels(where, category.name).inc()
        logger.info("review where=%s category=%s action=%s field=%s", where, category.name, category.action, field)
        if finding.refused:
            words = cut(" ".join(finding.words.split()), _WORDS)
            made = "was planned as something" if where == PLAN else "is"
            raise ContentRefused(
                f"{field}: {made} about {category.about} ({words!r}), which this server does not film; "
                "leave it out, or say it in other words",
                category.name,
            )

    def check_pictures(self, chunk: Chunk) -> None:
        """Raises ContentRefused when `chunk`, which is not sent then, has pictures that are not to be shown."""
        if self._policy is None or not chunk.unsafe:
            return
        action = self._policy.pictures
        self._metrics.reviews.labels(PICTURES, SAFETY_CHECKER).inc()
        logger.info("review where=%s category=%s action=%s scene=%d", PICTURES, SAFETY_CHECKER, action, chunk.scene)
        if action == REFUSE:
            raise ContentRefused(
                f"scene {chunk.scene + 1}: its pictures are not to be shown, says the model's safety checker; "
                "ask for something else, or for the same with another seed",
                SAFETY_CHECKER,
            )
