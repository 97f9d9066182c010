"""Models of pictures, as they are exported: prepared pixels in, the image processor's settings beside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hitl.errors import ModelError
from hitl.models.encoding import ImageRows, pictures_of
from hitl.models.fitted import FittedModel
from hitl.models.neural.image_encoder import MOST_OBLONG, prepared
from hitl.models.neural.loading import load_image_processor
from hitl.models.tuned import TunedCore

PICTURES = 8
_STEPS = (
    "open a picture upright (as its EXIF orientation says) in RGB; where the processor scales by the shortest edge, "
    "take of a longer side the middle, at most most_oblong times the shorter one; then prepare it by "
    "preprocessor_config.json, e.g. transformers.AutoImageProcessor.from_pretrained(FOLDER, backend='pil')"
)


@dataclass(frozen=True, eq=False)
class PictureDeployable:
    """An image classifier, frozen or tuned; see `Deployable`."""

    fitted: FittedModel

    column: ClassVar[str] = "media"
    names: ClassVar[tuple[str, ...]] = ("pixel_values",)

    @property
    def shapes(self) -> tuple[tuple[int | str, ...], ...]:
        """As many pictures as there are, of the size that they are prepared to."""
        return (("batch", *self.example()[0].shape[1:]),)

    def example(self) -> tuple[NDArray[Any], ...]:
        """Two black pictures."""
        black = np.zeros((64, 64, 3), dtype=np.uint8)
        return (prepared(load_image_processor(self._source), [black, black]).numpy(),)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write the image processor's settings."""
        load_image_processor(self._source).save_pretrained(folder)
        pooling = "as the network classifies" if isinstance(self.fitted.core, TunedCore) else self._rows.pooling
        return {"reads": "picture", "steps": _STEPS, "most_oblong": MOST_OBLONG, "pooling": pooling}

    @contextmanager
    def invented(self) -> Iterator[tuple[PictureDeployable, list[str]]]:
        """Noise of several proportions and colours, in a folder that lasts as long as the context."""
        from PIL import Image

        rng = np.random.default_rng(0)
        names = [f"{at}.png" for at in range(PICTURES)]
        with TemporaryDirectory(prefix="hitl-") as folder:
            for name in names:
                height, width = rng.integers(40, 160, 2)
                pixels = rng.random((height, width, 3)) * 128 + rng.random(3) * 127
                Image.fromarray(pixels.astype(np.uint8)).save(Path(folder, name))
            yield self._under(folder), names

    def feeds(
        self, folder: Path, samples: Sequence[str], batches: Sequence[slice]
    ) -> Iterator[dict[str, NDArray[Any]]]:
        """Pixels by the exported settings; raises `ModelError` for a picture that cannot be opened."""
        processor = load_image_processor(folder)
        for batch in batches:
            pictures, reasons = pictures_of(self._rows.media, list(samples[batch]))
            for reason in filter(None, reasons):
                raise ModelError(f"a sample to check the exported model by cannot be read: {reason}")
            yield {"pixel_values": prepared(processor, pictures).numpy()}

    @property
    def _rows(self) -> ImageRows:
        core: Any = self.fitted.core
        reading: Any = core.reading if isinstance(core, TunedCore) else None
        rows: ImageRows = core.reader.encoder if reading is None else reading.rows
        return rows

    @property
    def _source(self) -> Path:
        """Where the image processor is."""
        core: Any = self.fitted.core
        source: Path = (core.reading if isinstance(core, TunedCore) else self._rows).checkpoint.folder
        return source

    def _under(self, root: str) -> PictureDeployable:
        """The same model with its pictures in the folder `root`."""
        core: Any = self.fitted.core
        rows = replace(self._rows, root=root)
        if isinstance(core, TunedCore):
            reading: Any = core.reading
            moved: Any = replace(core, reading=replace(reading, rows=rows))
        else:
            moved = replace(core, reader=replace(core.reader, encoder=rows))
        return PictureDeployable(replace(self.fitted, core=moved))
