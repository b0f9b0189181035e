"""Every network goes through PyTorch's own tools: copies, pickles and exports give the same logits."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor

from course_lib.architecture import smallest_input
from course_lib.architecture.building import Network
from course_lib.models import create_model, entry, list_models

NAMES = list_models()


def model_and_images(name: str) -> tuple[Network, Tensor]:
    """In eval mode, with its heads, and two images of nearly the smallest size."""
    torch.manual_seed(0)
    model = create_model(name, 3, entry(name).has_heads).eval()
    height, width = smallest_input(model.architecture, heads=False)
    return model, torch.randn(2, 3, height + 1, width + 2)


@pytest.mark.parametrize("name", NAMES)
def test_copies_and_pickles(name: str) -> None:
    model, images = model_and_images(name)
    with torch.no_grad():
        logits = model(images)
        assert torch.equal(copy.deepcopy(model)(images), logits)
        assert torch.equal(pickle.loads(pickle.dumps(model))(images), logits)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_export_with_a_free_batch(name: str) -> None:
    model, images = model_and_images(name)
    with torch.no_grad():
        exported = torch.export.export(model, (images,), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)).module()
        for batch in (images[:1], torch.cat([images, images[:1]])):
            torch.testing.assert_close(exported(batch), model(batch), rtol=1e-4, atol=1e-5)
