"""What this package refuses, and how.

    MediaError
    ├── InvalidPlanes      (ValueError)    arrays that are not pictures in YUV 4:2:0
    ├── InvalidViews       (ValueError)    views that do not lie in their pictures, or are not one a picture
    ├── InvalidTiming      (ValueError)    frame rate, first frame or sequence number out of range
    ├── UnknownCodec       (ValueError)    a name that is not in the registry
    ├── MalformedMovie     (ValueError)    bytes that are not the fragmented MP4 they should be
    └── EncodingFailed     (RuntimeError)  the encoder gave up on valid input

Every message is one sentence.
"""


class MediaError(Exception):
    """Base of the tree above."""


class InvalidPlanes(MediaError, ValueError):
    """The arrays are not pictures in YUV 4:2:0; the message names the plane and what it should be."""


class InvalidViews(MediaError, ValueError):
    """A view does not lie in its picture or is too small, or there is not one a picture."""


class InvalidTiming(MediaError, ValueError):
    """A frame rate, a frame number or a sequence number is out of range."""


class UnknownCodec(MediaError, ValueError):
    """No codec has this name; the message lists those that exist."""


class MalformedMovie(MediaError, ValueError):
    """The bytes are not the fragmented MP4 they should be."""


class EncodingFailed(MediaError, RuntimeError):
    """The encoder or the muxer gave up; its own error is the cause (`__cause__`)."""
