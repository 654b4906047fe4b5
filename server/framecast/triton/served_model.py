"""The served model's constants travel in the denoiser's Triton config, so that a gateway needs only an address."""

from framecast.director.model import ServedModel

KEY = "framecast"


def with_served_model(config: str, model: ServedModel) -> str:
    """The text of a `config.pbtxt` with `model` added as a parameter."""
    value = model.to_json().replace("\\", "\\\\").replace('"', '\\"')
    return f'{config}parameters {{ key: "{KEY}" value {{ string_value: "{value}" }} }}\n'
