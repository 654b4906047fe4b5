"""The served model's constants travel in the denoiser's Triton config, so that a gateway needs only an address."""

from typing import Any

from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from framecast.director.model import ServedModel
from framecast.errors import InvalidRepository, StageUnavailable
from framecast.stages.contracts import DECODE_FRAMES, DENOISER, SERVED_MODEL


async def read_served_model(client: InferenceServerClient) -> ServedModel:
    """The constants of the repository that a running Triton serves.

    Raises:
        InvalidRepository: it was not written by `framecast export`.
        StageUnavailable: Triton does not say.
    """
    config = await _config(client, DENOISER.name)
    if SERVED_MODEL not in config.parameters:
        raise InvalidRepository("Triton's denoiser has no framecast parameter; serve a repository that was exported.")
    known = {output.name for output in (await _config(client, DECODE_FRAMES.name)).output}
    if missing := [tensor.name for tensor in DECODE_FRAMES.outputs if tensor.name not in known]:
        raise InvalidRepository(
            f"Triton serves a repository of another Framecast version ({DECODE_FRAMES.name} gives no {missing[0]}); "
            "export it again."
        )
    try:
        return ServedModel.from_json(config.parameters[SERVED_MODEL].string_value)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRepository("Triton serves a repository of another Framecast version; export it again.") from error


async def _config(client: InferenceServerClient, model: str) -> Any:
    try:
        return (await client.get_model_config(model)).config
    except InferenceServerException as error:
        raise StageUnavailable(f"Triton does not say what it serves as {model}: {error.message()}") from error
