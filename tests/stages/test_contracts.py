"""The checked-in Triton configs are the contracts', and errors cross Triton whole."""

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from framecast import errors
from framecast.errors import FramecastError, InvalidRequest, Overloaded
from framecast.stages.contracts import ENSEMBLES, MODELS, Ensemble, config_pbtxt
from framecast.stages.faults import tagged, untagged

REPOSITORY = Path(__file__).parents[2] / "model_repository"


@pytest.mark.parametrize("model", [*MODELS, *ENSEMBLES], ids=lambda model: model.name)
def test_config_is_generated_and_valid(model: object) -> None:
    text = config_pbtxt(model)  # type: ignore[arg-type]
    name = model.name  # type: ignore[attr-defined]
    assert (REPOSITORY / name / "config.pbtxt").read_text(encoding="utf-8") == text
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert config.name == name
    assert [tensor.name for tensor in config.input] == [tensor.name for tensor in model.inputs]  # type: ignore[attr-defined]
    assert [tensor.name for tensor in config.output] == [tensor.name for tensor in model.outputs]  # type: ignore[attr-defined]


@pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda ensemble: ensemble.name)
def test_every_output_of_an_ensemble_is_one_steps(ensemble: Ensemble) -> None:
    config = text_format.Parse(config_pbtxt(ensemble), model_config_pb2.ModelConfig())
    made = [name for step in config.ensemble_scheduling.step for name in step.output_map.values()]
    assert [made.count(tensor.name) for tensor in config.output] == [1] * len(ensemble.outputs)


def test_every_folder_of_the_repository_is_a_contract() -> None:
    assert {folder.name for folder in REPOSITORY.iterdir()} == {model.name for model in (*MODELS, *ENSEMBLES)}


def test_an_error_of_ours_comes_back_as_itself() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, FramecastError)]
    assert len(kinds) > 8
    for kind in kinds:
        error = InvalidRequest("STEPS", "is 3: no table") if kind is InvalidRequest else kind("a: sentence")
        wrapped = f"in ensemble 'text_to_video', failed: {tagged(error)}"
        back = untagged(wrapped)
        assert type(back) is kind
        assert str(back) == str(error)


def test_anything_else_is_not_ours() -> None:
    assert untagged("Failed to process the request") is None
    assert isinstance(untagged(tagged(Overloaded("full"))), Overloaded)
