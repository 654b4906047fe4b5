"""The served model's constants travel in the denoiser's Triton config, so that a gateway needs only an address."""

from tritonclient.grpc.aio import InferenceServerClient

from framecast.director.model import ServedModel
from framecast.errors import InvalidRepository
from framecast.stages.contracts import DENOISER

KEY = "framecast"


def with_served_model(config: str, model: ServedModel) -> str:
    """The text of a `config.pbtxt` with `model` added as a parameter."""
    value = model.to_json().replace("\\", "\\\\").replace('"', '\\"')
    return f'{config}parameters {{ key: "{KEY}" value {{ string_value: "{value}" }} }}\n'


async def read_served_model(client: InferenceServerClient) -> ServedModel:
    """The constants of the repository that a running Triton serves.

    Raises:
        InvalidRepository: it was not written by `framecast export`.
    """
    config = (await client.get_model_config(DENOISER.name)).config
    if KEY not in config.parameters:
        raise InvalidRepository("Triton's denoiser has no framecast parameter; serve a repository that was exported.")
    try:
        return ServedModel.from_json(config.parameters[KEY].string_value)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidRepository("Triton serves a repository of another Framecast version; export it again.") from error
