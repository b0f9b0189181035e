"""A trained network of the family in one file, with all that is needed to ask it about an image."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from course_lib.architecture.building import Network
from course_lib.datasets import ImageData
from course_lib.models import create_model
from course_lib.training.checkpoint import CheckpointError, load_hashed, save_hashed


@dataclass(frozen=True, eq=False)
class SavedModel:
    """A network, its weights, and what it was trained on.

    Attributes:
        name, aux, options: as `create_model` takes them.
        weights: the state of the network.
        classes: names of the classes, in the order of the logits.
        image_shape: (channels, height, width) of the training images.
        mean, std: float32, shape (channels,), of the training images, in units of [0, 1] pixel values.
    """

    name: str
    aux: bool
    options: dict[str, Any]
    weights: dict[str, Tensor]
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: Tensor
    std: Tensor

    @classmethod
    def of(cls, model: Network, aux: bool, options: dict[str, Any], data: ImageData) -> SavedModel:
        """What `create_model` built with these arguments and `fit` trained on these images."""
        shape = tuple(data.train.images.shape[1:])
        return cls(model.name, aux, options, model.state_dict(), tuple(data.classes), shape, data.mean, data.std)

    def network(self) -> Network:
        """The network in eval mode, on PyTorch's default device."""
        channels = self.image_shape[0]
        model = create_model(self.name, len(self.classes), self.aux, in_channels=channels, **self.options)
        model.load_state_dict(self.weights)
        return model.eval()

    def save(self, path: Path) -> None:
        """Write it whole, with its SHA-256 beside it; OSError where that fails."""
        save_hashed(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> SavedModel:
        """What `save` wrote, its tensors on the CPU.

        Raises:
            CheckpointError: the file is missing or altered, or holds something else; the message names it.
        """
        content = load_hashed(path)
        try:
            return cls(**content)
        except TypeError as error:
            raise CheckpointError(f"{path} is not a model that `train` has saved.") from error
