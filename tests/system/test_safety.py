"""A safety checker in a real Triton: what it knows is not sent, whatever else is on its way."""

import io
import shutil
from pathlib import Path

import numpy as np
import torch
import tritonclient.grpc as triton
from PIL import Image
from tests.conftest import GRAPH_CACHE
from tests.support import safety
from tests.system.system import System, ensemble_inputs, running

from framecast.client import Chunk, Codec, Done, Event, PermissionDenied, Scene, VideoClient, VideoOptions
from framecast.export.bundle import Bundle
from framecast.export.cli import packaged_models
from framecast.export.exporter import export_bundle
from framecast.export.options import ExportOptions

SCENES = [Scene("a white kitten", 1.0, seed=1), Scene("a red car", 1.0, seed=2)]
PNG = VideoOptions(seed=1, codec=Codec.PNG)


def pictures(events: list[Event], scene: int) -> list[np.ndarray]:
    files = [event.data for event in events if isinstance(event, Chunk) and event.scene == scene]
    return [np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]


def filmed(client: VideoClient, options: VideoOptions) -> tuple[list[Event], PermissionDenied | None]:
    """Everything that came, and how it ended."""
    events: list[Event] = []
    try:
        events.extend(client.generate(scenes=SCENES, options=options, timeout=120))
    except PermissionDenied as error:
        return events, error
    return events, None


def seen(pictures: list[np.ndarray]) -> torch.Tensor:
    return torch.as_tensor(safety.image_processor()(pictures, return_tensors="np").pixel_values)


def found_by_the_ensemble(system: System) -> tuple[int, int]:
    """Of the second scene: pictures looked at, and unsafe ones."""
    with triton.InferenceServerClient(system.triton_address) as client:
        answer = client.infer("text_to_video", ensemble_inputs(SCENES[1].prompt, seed=2, steps=4))
    looked, unsafe = (int(answer.as_numpy(name)[0]) for name in ("LOOKED_AT", "UNSAFE"))
    return looked, unsafe


def test_a_scene_that_the_checker_knows_is_not_shown(tiny_bundle: Path, tiny_system: System, tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    checker = safety.write_concept_checker(bundle)
    with VideoClient(tiny_system.address) as client:
        whole, refused = filmed(client, PNG)
        assert refused is None
    assert found_by_the_ensemble(tiny_system) == (0, 0)

    # The checker knows the second scene's first picture, and takes none of the first scene's for it.
    unsafe, safe = pictures(whole, 1), pictures(whole, 0)
    pixels = seen([unsafe[0], *safe])
    with torch.no_grad():
        states = torch.nn.functional.normalize(checker.visual_projection(checker.vision_model(pixels)[1]))
    likest = float((states[1:] @ states[0]).max())
    assert likest < 0.99
    safety.know(checker, unsafe[0], bundle, threshold=(1 + likest) / 2)

    options = ExportOptions(packaged_models(), cache=GRAPH_CACHE)
    export_bundle(Bundle.open(bundle), tmp_path / "served", options)
    with running(tmp_path / "served", tmp_path / "with.log") as system, VideoClient(system.address) as client:
        events, refused = filmed(client, PNG)
        assert refused is not None
        assert str(refused).startswith("scene 2: its pictures are not to be shown")
        assert events[1:] == whole[1 : len(events)], "what came before is what it was"
        assert len(pictures(events, 0)) == 8
        assert not pictures(events, 1)
        *_, done = client.generate(scenes=SCENES[:1], options=PNG, timeout=120)
        assert isinstance(done, Done)
        assert done.stats.engine_seconds["review"] > 0
        _, verdicts = checker(seen([unsafe[0], unsafe[4]]), [np.zeros(1)] * 2)  # half a second is four frames
        assert found_by_the_ensemble(system) == (2, sum(verdicts))
    assert any("safety checker looks at" in line for line in system.log)
