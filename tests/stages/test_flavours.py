"""The configs of the container flavours, read by Triton's own schema, and a stage over a graph in a real Triton."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import tritonclient.grpc as triton
from google.protobuf import text_format
from tests.system.system import until
from tritonclient.grpc import model_config_pb2
from tritonclient.utils import InferenceServerException

from framecast.engines.manifest import Manifest
from framecast.errors import InvalidRepository
from framecast.export.native import native_sizes, write_native_models
from framecast.stages import contracts as c
from framecast.stages.flavours import (
    BACKENDS,
    NATIVE,
    TEXT_STATES,
    VAE_GRAPH,
    NativeModel,
    NativeSizes,
    native_config,
    stage_config,
    text_sizes,
    vae_sizes,
)
from framecast.triton import embedded
from framecast.triton.embedded import EmbeddedConfig, EmbeddedTriton

REPOSITORY = Path(__file__).parents[2] / "model_repository"
SIZES = {"text_states": text_sizes(48, 16), "vae_graph": vae_sizes((16, 16, 16), 4, 12)}


def parsed(text: str) -> model_config_pb2.ModelConfig:
    """As Triton reads it; an unknown field is an error."""
    return text_format.Parse(text, model_config_pb2.ModelConfig())


@pytest.mark.parametrize("flavour", BACKENDS)
@pytest.mark.parametrize("native", NATIVE, ids=lambda native: native.name)
def test_a_stage_keeps_its_contract_and_names_its_graph(native: NativeModel, flavour: str) -> None:
    text = (REPOSITORY / native.stage.name / "configs" / f"{flavour}.pbtxt").read_text(encoding="utf-8")
    assert text == stage_config(native)
    config, default = parsed(text), parsed(c.config_pbtxt(native.stage))
    assert (config.name, config.backend) == (native.stage.name, "python")
    assert (list(config.input), list(config.output)) == (list(default.input), list(default.output))
    assert config.parameters["engine"].string_value == native.name
    assert config.instance_group[0].count > 1


@pytest.mark.parametrize("flavour", BACKENDS)
@pytest.mark.parametrize("native", NATIVE, ids=lambda native: native.name)
def test_a_graphs_config_is_whole(native: NativeModel, flavour: str) -> None:
    sizes = SIZES[native.name]
    config = parsed(native_config(native, flavour, sizes))
    assert (config.name, config.backend) == (native.name, flavour)
    assert config.default_model_filename == BACKENDS[flavour][0]
    assert config.max_batch_size == sizes.max_batch
    assert list(config.dynamic_batching.preferred_batch_size) == list(sizes.batches)
    assert config.dynamic_batching.max_queue_delay_microseconds > 0
    kind = model_config_pb2.ModelInstanceGroup.Kind.Name(config.instance_group[0].kind)
    assert (kind, config.instance_group[0].count) == (BACKENDS[flavour][1], 1)
    assert [warm.batch_size for warm in config.model_warmup] == list(sizes.batches)
    for warm in config.model_warmup:
        assert {name: tuple(given.dims) for name, given in warm.inputs.items()} == dict(sizes.shapes)
        assert [given.data_type for given in warm.inputs.values()] == [tensor.data_type for tensor in config.input]
    graphs = config.optimization.cuda
    assert graphs.graphs is (flavour == "tensorrt")
    if graphs.graphs:
        assert [spec.batch_size for spec in graphs.graph_spec] == list(sizes.batches)
        for spec in graphs.graph_spec:
            assert {name: tuple(shape.dim) for name, shape in spec.input.items()} == dict(sizes.shapes)


def test_usual_batches_are_within_the_largest() -> None:
    assert text_sizes(16, 2).batches == (2,)
    assert vae_sizes((4, 8, 8), 4, 4).batches == (4,)
    with pytest.raises(ValueError, match="must be 1 to 2"):
        NativeSizes(2, (4,), {})


def test_an_exporter_writes_what_the_configs_name(tiny_repository: Path, tmp_path: Path) -> None:
    root = repository_with_graphs(tiny_repository, tmp_path)
    for native in NATIVE:
        session = ort.InferenceSession(str(root / native.name / "1" / "model.onnx"))
        config = parsed((root / native.name / "configs" / "onnxruntime.pbtxt").read_text(encoding="utf-8"))
        for tensors, nodes in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
            assert {tensor.name: len(tensor.dims) + 1 for tensor in tensors} == {n.name: len(n.shape) for n in nodes}
        batch = config.model_warmup[0].batch_size
        inputs = {
            name: np.zeros((batch, *given.dims), np.int64 if name == "input_ids" else np.float32)
            for name, given in config.model_warmup[0].inputs.items()
        }
        assert all(len(output) == batch for output in session.run(None, inputs))  # or Triton could not batch it
    assert sorted(path.name for path in (root / "vae_graph").iterdir()) == ["1", "configs"]
    with pytest.raises(InvalidRepository, match="no flavour 'magic'"):
        write_native_models(root, "magic", {}, {}, 1)
    with pytest.raises(InvalidRepository, match="needs TensorRT"):
        write_native_models(root, "tensorrt", {}, {}, 1)


def repository_with_graphs(tiny_repository: Path, folder: Path) -> Path:
    """A copy of the tiny repository with the graphs of the onnxruntime flavour."""
    root = folder / "repository"
    shutil.copytree(tiny_repository, root)
    manifest = Manifest.load(root)
    graphs = {native.graph: root / manifest.graphs[native.graph].file for native in NATIVE}
    sizes = native_sizes(root, size=(32, 32), chunk_latents=2)
    write_native_models(root, "onnxruntime", graphs, sizes, frames=2)
    return root


STAND_IN = '''"""Stands in for the onnxruntime backend, which the embedded server lacks: one run for a whole batch."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args):
        folder = Path(args["model_repository"])
        self.session = ort.InferenceSession(str(folder / "1" / "model.onnx"))
        self.names = [output.name for output in self.session.get_outputs()]
        self.sizes = folder / "sizes"

    def execute(self, requests):
        name = self.session.get_inputs()[0].name
        inputs = [pb_utils.get_input_tensor_by_name(request, name).as_numpy() for request in requests]
        if any((array == 404).any() for array in inputs):
            raise ValueError("a secret of the runtime")
        with self.sizes.open("a") as file:
            file.write(json.dumps([len(array) for array in inputs]) + "\\n")
        ends = np.cumsum([len(array) for array in inputs])[:-1]
        outputs = [np.split(output, ends) for output in self.session.run(None, {name: np.concatenate(inputs)})]
        return [
            pb_utils.InferenceResponse([pb_utils.Tensor(n, o[i]) for n, o in zip(self.names, outputs)])
            for i in range(len(requests))
        ]
'''


@pytest.fixture
def flavoured(
    tiny_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[triton.InferenceServerClient, Path]]:
    """A real tritonserver with `--model-config-name=onnxruntime`, and the repository it serves."""
    root = repository_with_graphs(tiny_repository, tmp_path)
    for native in NATIVE:
        (root / native.name / "1" / "model.py").write_text(STAND_IN, encoding="utf-8")
        config = root / native.name / "configs" / "onnxruntime.pbtxt"
        text = config.read_text(encoding="utf-8").replace('backend: "onnxruntime"', 'backend: "python"')
        text = text.replace('default_model_filename: "model.onnx"\n', "").replace("KIND_AUTO", "KIND_CPU")
        config.write_text(text.replace("microseconds: 500", "microseconds: 200000"), encoding="utf-8")
    for model in ("denoiser", "frame_encoder", "scene_planner", "decode_frames", "text_to_video"):
        shutil.rmtree(root / model)
    server = EmbeddedTriton(EmbeddedConfig(root))
    folder = tmp_path / "backends"
    folder.mkdir()
    command = [
        *(str(server._files.server), f"--model-repository={root}", "--model-config-name=onnxruntime"),
        *(f"--backend-directory={embedded.backend_folder(server._files, folder)}", "--disable-auto-complete-config"),
        *("--allow-http=false", f"--grpc-address=unix:{folder}/grpc", "--grpc-port=1", "--allow-metrics=false"),
        f"--backend-config=python,shm-region-prefix-name={server._scratch.prefix}",
    ]
    log = tmp_path / "triton.log"
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=embedded.environment(server._files, folder), stdout=file, stderr=file)
    client = triton.InferenceServerClient(f"unix:{folder}/grpc:1")

    def ready() -> bool:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-2000:]
        try:
            return bool(client.is_server_ready())
        except InferenceServerException:
            return False

    try:
        until(ready, "tritonserver is ready", 120)
        yield client, root
    finally:
        client.close()
        process.terminate()
        process.wait(60)


def asked(client: triton.InferenceServerClient, model: c.Model, *values: np.ndarray) -> dict[str, np.ndarray]:
    """A stage's answer."""
    inputs = []
    for tensor, value in zip(model.inputs, values, strict=True):
        kind = "BYTES" if tensor.dtype == "STRING" else tensor.dtype
        inputs.append(triton.InferInput(tensor.name, list(value.shape), kind))
        inputs[-1].set_data_from_numpy(value)
    answer = client.infer(model.name, inputs)
    return {tensor.name: answer.as_numpy(tensor.name) for tensor in model.outputs}


def test_stages_over_other_models_answer_as_they_do_alone(
    flavoured: tuple[triton.InferenceServerClient, Path], tiny_repository: Path
) -> None:
    client, root = flavoured
    manifest = Manifest.load(tiny_repository)

    # The VAE: the same planes as the engine in the stage's own process, the graph's extra axis folded away.
    latents = np.random.default_rng(0).standard_normal((3, 4, 4, 4), dtype=np.float32)
    planes = asked(client, c.VAE_DECODER, latents)
    expected = manifest.engine(tiny_repository, "vae_decoder").run({"latents": latents}, ("y", "u", "v"))
    for name, plane in expected.items():
        np.testing.assert_array_equal(planes[name.upper()], plane)
    assert planes["ENGINE_SECONDS"][0] > 0

    # The text encoder: both prompts in one request.
    words = [np.array([text.encode()], np.object_) for text in ("a cat", "")]
    states = asked(client, c.TEXT_ENCODER, *words)
    assert states["EMBEDDING"].shape == states["NEGATIVE_EMBEDDING"].shape == (16, 16)
    assert not np.array_equal(states["EMBEDDING"], states["NEGATIVE_EMBEDDING"])

    # What a runtime says stays in the log.
    with pytest.raises(InferenceServerException) as error:
        asked(client, c.VAE_DECODER, np.full((1, 4, 4, 4), 404, np.float32))
    assert "vae_graph could not compute its answer" in str(error.value)
    assert "secret" not in str(error.value)

    # Requests of several callers are batched.
    futures = []
    for _ in range(4):
        tensor = triton.InferInput("LATENTS", list(latents.shape), "FP32")
        tensor.set_data_from_numpy(latents)
        done: list[object] = []
        client.async_infer("vae_decoder", [tensor], lambda result, error, done=done: done.append(error or result))
        futures.append(done)
    until(lambda: all(futures), "four answers", 60)
    for [answer] in futures:
        np.testing.assert_array_equal(answer.as_numpy("Y"), expected["y"])  # type: ignore[attr-defined]
    batches = [json.loads(line) for line in (root / "vae_graph" / "sizes").read_text(encoding="utf-8").splitlines()]
    assert any(len(batch) > 1 for batch in batches), batches


def test_every_stage_of_a_flavour_asks_for_its_engine_by_config() -> None:
    for native in NATIVE:
        source = (REPOSITORY / native.stage.name / "1" / "model.py").read_text(encoding="utf-8")
        assert re.search(rf'stage_engine\(files, args, "{native.graph}"', source), native.stage.name
    assert {TEXT_STATES.graph, VAE_GRAPH.graph} == {"text_encoder", "vae_decoder"}
