"""A trained network of the family in one file, with all that is needed to ask it about an image."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_lib.architecture import build
from course_lib.architecture.building import Network
from course_lib.datasets import ImageData
from course_lib.errors import CourseError
from course_lib.models import create_model, network
from course_lib.training.checkpoint import CheckpointError, load_hashed, save_hashed
from course_lib.whole_numbers import whole_number

MOST_PIXELS = 2**26  # of an image that a model file may ask for


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
            CheckpointError: the file is missing or altered, or holds something else, such as weights of other shapes
                than its network's; the message names it. Nothing larger than the file is made to find that out.
        """
        content = load_hashed(path)
        problem = _problem(content)
        if problem:
            raise CheckpointError(f"{path} is not a model that `train` has saved: {problem}.")
        return cls(**content)


def _problem(content: dict[str, Any]) -> str | None:
    """What is wrong with a file's content; None where nothing is."""
    names = [field.name for field in fields(SavedModel)]
    if set(content) != set(names):
        return f"it has not the parts {', '.join(names)}, and no others"
    checks = {
        "name": isinstance(content["name"], str),
        "aux": isinstance(content["aux"], bool),
        "options": isinstance(content["options"], dict) and all(isinstance(key, str) for key in content["options"]),
        "weights": isinstance(content["weights"], dict) and all(map(torch.is_tensor, content["weights"].values())),
        "classes": isinstance(content["classes"], tuple) and all(isinstance(each, str) for each in content["classes"]),
        "image_shape": _is_image_shape(content["image_shape"]),
    }
    if not all(checks.values()):
        return f"its {next(name for name, holds in checks.items() if not holds)} is of the wrong kind"
    for name in ("mean", "std"):
        value = content[name]
        if not (torch.is_tensor(value) and value.dtype == torch.float32 and value.shape == content["image_shape"][:1]):
            return f"its {name} is not one float32 number a channel"
    return _misfit(content)


def _is_image_shape(shape: object) -> bool:
    if not isinstance(shape, tuple) or len(shape) != 3:
        return False
    return all((whole_number(size) or 0) >= 1 for size in shape) and math.prod(shape) <= MOST_PIXELS


def _misfit(content: dict[str, Any]) -> str | None:
    """How the weights differ from those of the network that is named; found without memory for any."""
    try:
        value = network(content["name"], len(content["classes"]), content["aux"], **content["options"])
        with torch.device("meta"):
            model = build(value, content["image_shape"][0])
    except CourseError as error:
        return str(error).rstrip(".")
    except (OverflowError, RuntimeError, TypeError, ValueError):  # torch's, of sizes beyond 64 bits
        return f"no {content['name']} can be built with its options"
    wanted = {name: (weights.shape, weights.dtype) for name, weights in model.state_dict().items()}
    given = {name: (weights.shape, weights.dtype) for name, weights in content["weights"].items()}
    if wanted != given:
        name = next(name for name in {**wanted, **given} if wanted.get(name) != given.get(name))
        return f"its weights {name} are not those of {content['name']} with its options"
    return None
