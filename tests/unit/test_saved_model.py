"""Saved models: written and read again; files that hold something else are refused before anything is built."""

from dataclasses import asdict

import pytest
import torch
from tiny_training import two_classes

from course_lib.models import create_model
from course_lib.training import CheckpointError
from course_lib.training.checkpoint import save_hashed
from course_lib.training.saved_model import SavedModel


@pytest.fixture(scope="module")
def saved() -> SavedModel:
    return SavedModel.of(create_model("small_inception", 2, in_channels=1), False, {}, two_classes())


def test_what_is_saved_is_loaded(saved, tmp_path):
    saved.save(tmp_path / "model.pt")
    again = SavedModel.load(tmp_path / "model.pt")
    images = torch.rand(2, 1, 8, 8)
    model = saved.network()
    assert torch.equal(again.network()(images), model(images))
    assert (again.classes, again.image_shape) == (("upper", "lower"), (1, 8, 8))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"options": {"width": 16_000_000}}, "its weights .* are not those of small_inception with its options"),
        ({"name": "googlenet_cifar", "options": {"width": 16e6}}, "no googlenet_cifar can be built with its options"),
        ({"name": "googlenet_cifar", "options": {"width": 1e300}}, "no googlenet_cifar can be built"),
        ({"name": "googlenet_cifar", "options": {"width": 200}}, "its weights .* are not those of googlenet_cifar"),
        ({"options": {"depth": 10**9}}, "option depth must be one of"),
        ({"options": {"depth": []}}, "option depth must be"),
        ({"options": 3}, "its options is of the wrong kind"),
        ({"name": "inception_v9"}, "there is no network 'inception_v9'"),
        ({"name": 7}, "its name is of the wrong kind"),
        ({"aux": True}, "its weights aux"),
        ({"classes": ("one",)}, r"its weights fc\.linear\.weight"),
        ({"classes": "ab"}, "its classes is of the wrong kind"),
        ({"image_shape": (1, 10**9, 10**9)}, "its image_shape is of the wrong kind"),
        ({"image_shape": (1, 8)}, "its image_shape is of the wrong kind"),
        ({"mean": torch.zeros(3)}, "its mean is not one float32 number a channel"),
        ({"std": None}, "its std is not one float32 number a channel"),
        ({"weights": {}}, "its weights conv_1a_3x3"),
        ({"weights": {"a": 1}}, "its weights is of the wrong kind"),
        ({"more": 1}, "it has not the parts"),
    ],
)
def test_a_file_with_a_fitting_hash_and_other_content_is_refused_in_one_sentence(saved, tmp_path, change, says):
    path = tmp_path / "model.pt"
    save_hashed(path, {**asdict(saved), **change})
    with pytest.raises(CheckpointError, match=rf"{path} is not a model that `train` has saved: {says}") as error:
        SavedModel.load(path)
    assert "\n" not in str(error.value)
