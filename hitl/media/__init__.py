"""What items refer to: pictures and clips found under a folder, opened within limits; each error is one item's.

Files are taken for hostile. Formats that run programs or point to other files are not opened, sizes are checked before
anything is decoded, and a clip is never in memory as a whole.
"""

from hitl.media.folder import MediaFolder
from hitl.media.frames import Frames, FrameSampling, sample_frames
from hitl.media.limits import Limits
from hitl.media.open import open_image

__all__ = ["FrameSampling", "Frames", "Limits", "MediaFolder", "open_image", "sample_frames"]
