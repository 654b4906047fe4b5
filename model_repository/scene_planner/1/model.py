"""scene_planner: a story in, scenes out, one response each as soon as it is written."""

import logging
import queue
import threading

from framecast.engines.engine import EngineOptions
from framecast.errors import FramecastError, StageFailed
from framecast.planner.planner import PlannerSettings, ScenePlanner
from framecast.planner.storyboard import scene_to_json
from framecast.stages import contracts as c
from framecast.stages.backend import Reply, ServedFiles, number, text

STORY, MAX_SCENES = c.SCENE_PLANNER.inputs
SCENE, ENGINE_SECONDS = c.SCENE_PLANNER.outputs


class TritonPythonModel:
    """Plans one story at a time on a thread of its own, and streams."""

    def initialize(self, args):
        files = ServedFiles(args)
        engine = files.manifest.engine(files.root, "planner", EngineOptions(threads=1))
        settings = PlannerSettings.load(files.path("settings.json"))
        self._planner = ScenePlanner(engine, files.path("tokenizer.json"), settings)
        self._jobs = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._thread.start()

    def execute(self, requests):
        for request in requests:
            reply = Reply(request)
            try:
                self._jobs.put((text(request, STORY), number(request, MAX_SCENES), reply))
            except FramecastError as error:
                reply.fail(error)

    def finalize(self):
        self._jobs.put(None)
        self._thread.join()

    def _run(self):
        while (job := self._jobs.get()) is not None:
            self._plan(*job)

    def _plan(self, story, max_scenes, reply):
        try:
            for planned in self._planner.plan(story, max_scenes, reply.cancelled):
                reply.part({SCENE: [scene_to_json(planned.scene)], ENGINE_SECONDS: planned.seconds})
            reply.finish()
        except FramecastError as error:
            reply.fail(error)
        except Exception:
            logging.getLogger(__name__).exception("planning failed")
            reply.fail(StageFailed("The stage scene_planner could not plan."))
