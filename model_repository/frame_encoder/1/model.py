"""frame_encoder: YUV planes in, one encoded chunk out; of a whole scene, the ensemble's, as many as it has.

Where the bundle has a safety checker, it looks at the frames first, and what it finds is told beside them.
"""

import json
import os
import time
from pathlib import Path

import numpy as np

from framecast.errors import InvalidRequest
from framecast.media.encoder import encode_chunks
from framecast.media.mark import Mark
from framecast.media.planes import Planes
from framecast.media.view import seen_through
from framecast.review.pictures import CheckerSettings, Looked, PictureReviewer
from framecast.stages import contracts as c
from framecast.stages.backend import ServedFiles, answer, number, read, text

CHECKER = "safety_checker"


class TritonPythonModel:
    """Encodes one request at a time.

    What it keeps saves work and changes no answer: the picture that was looked at last, and the mark in sizes.
    """

    _length = 0  # frames of a chunk
    _mark = None
    _reviewer = None

    def initialize(self, args):
        files = ServedFiles(args)
        settings = files.path("settings.json")
        if CHECKER in files.manifest.graphs:
            checker = CheckerSettings.load(files.path(f"{CHECKER}.json"))
            self._reviewer = PictureReviewer(files.manifest.engine(files.root, CHECKER), checker)
        if file := os.environ.get("FRAMECAST_MARK"):
            self._mark = Mark(Path(file))
        self._length = json.loads(settings.read_text(encoding="utf-8"))["chunk_frames"]

    def execute(self, requests):
        return answer(c.FRAME_ENCODER, requests, self._encode)

    def _encode(self, request):
        sequence, frames, available = number(request, c.SEQUENCE), number(request, c.FRAMES), len(read(request, c.Y))
        if not 1 <= frames <= available:
            raise InvalidRequest(c.FRAMES.name, f"is {frames}; these latents make 1 to {available}")
        started = time.perf_counter()
        try:
            planes = Planes(read(request, c.Y), read(request, c.U), read(request, c.V))[:frames]
            looked, review_seconds = self._look(planes)
            views = read(request, c.VIEWS)
            seen = planes if views is None else seen_through(planes, views)
            chunk = encode_chunks(
                self._mark.on(seen) if self._mark else seen,
                self._length,
                codec=text(request, c.CODEC),
                fps=number(request, c.FPS),
                first_frame=number(request, c.FIRST_FRAME),
                sequence=sequence + 1,  # ISO/IEC 14496-12 counts fragments from 1
                include_header=sequence == 0,
            )
        except ValueError as error:  # the media errors that are the caller's
            raise InvalidRequest("chunk", str(error)) from error
        return {
            c.DATA: np.frombuffer(b"".join(chunk.parts), np.uint8),
            c.PART_SIZES: np.array([len(part) for part in chunk.parts]),
            c.MIME: [chunk.mime],
            c.ENGINE_SECONDS: time.perf_counter() - started - chunk.mux_seconds - review_seconds,
            c.MUX_SECONDS: chunk.mux_seconds,
            c.REVIEW_SECONDS: review_seconds,
            c.LOOKED_AT: looked.pictures,
            c.UNSAFE: looked.unsafe,
        }

    def _look(self, planes):
        """What the safety checker finds, and the seconds it takes."""
        if self._reviewer is None:
            return Looked(), 0.0
        began = time.perf_counter()
        return self._reviewer.look(planes), time.perf_counter() - began
