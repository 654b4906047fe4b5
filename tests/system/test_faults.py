"""Cancelling, refusing, dying: nothing is lost, nothing hangs, nothing leaks."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import grpc
import psutil
import pytest
import tritonclient.grpc as triton
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.system.system import System, ensemble_inputs, running, until
from tritonclient.utils import InferenceServerException

from framecast.client import (
    Chunk,
    Done,
    InvalidArgument,
    Overloaded,
    RetryPolicy,
    Scene,
    ServerError,
    VideoClient,
    VideoOptions,
)

LARGE = VideoOptions(width=128, height=128, steps=12)  # a step takes long enough to be counted
SHARED_MEMORY = Path("/dev/shm")
ONCE = RetryPolicy(attempts=1)


def steps(system: System) -> float:
    return system.metric("framecast_denoiser_steps_total")


def idle(system: System) -> bool:
    metrics = system.metrics()
    return metrics["framecast_denoiser_running_requests"] + metrics["framecast_denoiser_queue_requests"] == 0


def movie(client: VideoClient) -> bytes:
    events = client.generate(scenes=[Scene("a", 1.0)], options=VideoOptions(seed=1), timeout=60)
    return b"".join(event.data for event in events if isinstance(event, Chunk))


def health(system: System) -> int:
    with grpc.insecure_channel(system.address) as channel:
        return int(health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5).status)


def test_a_cancelled_an_errored_and_a_finished_video_leave_nothing_behind(
    tiny_repository: Path, tmp_path: Path
) -> None:
    shared_memory = set(SHARED_MEMORY.iterdir())
    log = tmp_path / "triton.log"
    with running(tiny_repository, log, "--max-live-videos", "1", "--max-queued-videos", "0") as system:
        with VideoClient(system.address, retry=ONCE) as client:
            finished = list(client.generate(scenes=[Scene("a", 0.5)], timeout=60))
            assert isinstance(finished[-1], Done)
            with pytest.raises(InvalidArgument):
                list(client.generate(scenes=[Scene("a", -1)], timeout=60))
            with (
                triton.InferenceServerClient(system.triton_address) as direct,
                pytest.raises(InferenceServerException, match="STEPS: is 0"),
            ):
                direct.infer("text_to_video", ensemble_inputs("a", steps=0))

            # Cancelled after the first chunk of twenty scenes.
            many = client.generate(scenes=[Scene(f"scene {i}", 0.5) for i in range(20)], options=LARGE, timeout=120)
            next(event for event in many if isinstance(event, Chunk))
            before = steps(system)
            many.close()
            cancelled = time.monotonic()
            one_step, admitted = VideoOptions(steps=1), 0.0
            while not admitted:
                try:
                    for _ in client.generate(scenes=[Scene("b", 0.5)], options=one_step, timeout=60):
                        admitted = admitted or time.monotonic()
                except Overloaded:
                    time.sleep(0.01)
            assert admitted - cancelled < 0.5
            until(lambda: idle(system), "an idle denoiser")
            assert steps(system) - before <= 1 + 1  # one of the cancelled video, one of the next

        stubs = [child.pid for child in system.triton.children()]
        started = time.monotonic()
        assert system.stop() == 0
        assert time.monotonic() - started < 10
    assert "Found 0 model versions that have in-flight inferences" in log.read_text(encoding="utf-8")
    until(lambda: not any(psutil.pid_exists(pid) for pid in stubs), "stubs to end")
    assert set(SHARED_MEMORY.iterdir()) <= shared_memory


def test_too_many_videos_are_refused_at_once_with_a_pushback(tiny_repository: Path, tmp_path: Path) -> None:
    with (
        running(tiny_repository, tmp_path / "log", "--max-live-videos", "1", "--max-queued-videos", "0") as system,
        VideoClient(system.address, retry=ONCE) as client,
    ):
        first = client.generate(scenes=[Scene("a", 8.0)], options=LARGE, timeout=60)
        next(first)
        with pytest.raises(Overloaded) as refusal:
            list(client.generate(scenes=[Scene("b")], timeout=60))
        assert refusal.value.retry_after
        first.close()


def test_a_killed_denoiser_comes_back(tiny_system: System) -> None:
    assert health(tiny_system) == health_pb2.HealthCheckResponse.SERVING
    with VideoClient(tiny_system.address) as client:
        expected = movie(client)
        scenes = [Scene(f"scene {i}", 1.0, seed=i) for i in range(3)]
        victim = client.generate(scenes=scenes, options=LARGE, timeout=120)
        next(event for event in victim if isinstance(event, Chunk))
        stub = tiny_system.stub("denoiser")
        stub.kill()
        until(lambda: health(tiny_system) == health_pb2.HealthCheckResponse.NOT_SERVING, "NOT_SERVING", 2)
        until(lambda: health(tiny_system) == health_pb2.HealthCheckResponse.SERVING, "SERVING again", 30)
        assert tiny_system.stub("denoiser").pid != stub.pid
        # The stream that was hit goes on with the same seed, and the next video is what it was before.
        assert isinstance(list(victim)[-1], Done)
        assert movie(client) == expected


def test_a_planner_killed_in_the_middle_of_a_plan_goes_on(storybook_system: System) -> None:
    """Told again, it writes the same; the caller has every scene once."""
    story = "A white kitten plays in the courtyard. A red car moves left on the street. A black dog jumps in the snow."
    with VideoClient(storybook_system.address, retry=ONCE) as client:
        expected = list(client.plan(story, timeout=60))
        assert len(expected) == 3
        plan = client.plan(story, timeout=60)
        scenes = [next(plan)]
        storybook_system.stub("scene_planner").kill()
        assert [*scenes, *plan] == expected


def test_a_killed_planner_comes_back(tiny_system: System) -> None:
    stub = tiny_system.stub("scene_planner")
    stub.kill()
    until(lambda: health(tiny_system) == health_pb2.HealthCheckResponse.NOT_SERVING, "NOT_SERVING", 2)
    until(lambda: health(tiny_system) == health_pb2.HealthCheckResponse.SERVING, "SERVING again", 30)
    with VideoClient(tiny_system.address) as client, pytest.raises(ServerError, match="no scene"):
        list(client.plan("A cat.", timeout=60))  # random weights write until they are stopped


def test_a_killed_tritonserver_comes_back_and_the_stream_goes_on(tiny_repository: Path, tmp_path: Path) -> None:
    with running(tiny_repository, tmp_path / "log") as system, VideoClient(system.address) as client:
        scenes = [Scene(f"scene {i}", 1.0) for i in range(3)]
        victim = client.generate(scenes=scenes, options=LARGE, timeout=120)
        next(event for event in victim if isinstance(event, Chunk))
        system.triton.kill()
        until(lambda: health(system) == health_pb2.HealthCheckResponse.NOT_SERVING, "NOT_SERVING", 2)
        until(lambda: health(system) == health_pb2.HealthCheckResponse.SERVING, "SERVING again", 60)
        assert isinstance(list(victim)[-1], Done)
        assert isinstance(list(client.generate(scenes=[Scene("a", 1.0)], timeout=60))[-1], Done)


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):  # it may end between the two questions
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def test_killing_the_gateway_leaves_no_orphans(tiny_repository: Path, tmp_path: Path) -> None:
    with running(tiny_repository, tmp_path / "log") as system:
        triton = system.triton
        family = [triton, *triton.children()]
        system.process.kill()
        until(lambda: not any(map(_runs, family)), "no orphans")
    killed = system.process.pid
    with running(tiny_repository, tmp_path / "log"):  # the next one tidies up
        left = [*Path(tempfile.gettempdir()).glob("framecast-triton-*"), *SHARED_MEMORY.glob("framecast_*")]
        assert left
        assert not [path for path in left if re.match(rf"framecast(-triton-|_){killed}\D", path.name)]


def test_a_changed_file_is_not_served(tiny_repository: Path, tmp_path: Path) -> None:
    copy = tmp_path / "served"
    shutil.copytree(tiny_repository, copy)
    with (copy / "denoiser" / "1" / "unet.onnx").open("ab") as file:
        file.write(b"x")
    serve = [sys.executable, "-m", "framecast.client", "serve", "--repository", str(copy), "--address", "127.0.0.1:0"]
    result = subprocess.run(serve, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert re.search(r"unet\.onnx.*SHA-256", result.stderr)
