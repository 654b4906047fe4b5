"""A model that says itself that it is not worth much."""

from dataclasses import replace

from framecast.bench.capacity.fitted import Fitted
from framecast.bench.capacity.service import ServiceModel, StepCurve
from framecast.director.model import ServedModel

SERVED = ServedModel("x", "0", 4, 12, 3, 4, 32, 256, 256, 24, 10, 2.5, (10,), 6)


def test_what_is_off_and_steps_that_fall_with_the_batch_are_doubts() -> None:
    sound = Fitted(ServiceModel(StepCurve(((1.0, 0.5), (2.0, 0.9), (4.0, 1.7)))), SERVED, {"denoise": 0.05})
    assert sound.doubts == []
    noisy = replace(sound, residuals={"denoise": 0.304, "decode": 0.5, "latency": 0.2})
    assert noisy.doubts == ["denoise is off by 30%", "decode is off by 50%"]
    falling = replace(sound, service=ServiceModel(StepCurve(((1.0, 0.578), (2.0, 0.493), (4.0, 1.193)))))
    assert falling.doubts == ["a step of 2 takes less than one of 1"]
    assert Fitted.from_json(falling.to_json()).doubts == falling.doubts
