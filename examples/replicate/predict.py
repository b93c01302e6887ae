"""Frames a picture. It stands for a model: it loads something once, takes a file and parameters, and gives a file back."""

import os
import tempfile

from cog import BasePredictor, Input, Path
from PIL import Image, ImageFilter, ImageOps

FILTERS = {"none": None, "blur": ImageFilter.GaussianBlur(4), "edges": ImageFilter.FIND_EDGES}


class Predictor(BasePredictor):
    def setup(self) -> None:
        """Loaded once for each runner."""
        self.frame = os.environ["POSTER_FRAME"]

    def predict(
        self,
        image: Path = Input(description="The picture to frame"),
        size: int = Input(description="Its longer side", default=256, ge=16, le=2048),
        filter: str = Input(description="What to do to it", default="none", choices=list(FILTERS)),
        border: int = Input(description="How wide the frame is", default=8, ge=0, le=100),
    ) -> Path:
        """Frames a picture"""
        picture = ImageOps.contain(Image.open(image).convert("RGB"), (size, size))
        if FILTERS[filter] is not None:
            picture = picture.filter(FILTERS[filter])
        print(f"framing {picture.width} × {picture.height} in {self.frame}")
        framed = ImageOps.expand(picture, border, self.frame)
        path = Path(tempfile.mkdtemp()) / "poster.png"
        framed.save(path)
        return path
