"""A run goes on only as the run it was: network, number format, images and normalisation; old checkpoints still do."""

from dataclasses import replace

import pytest
import torch
from tiny_training import small_network, two_classes
from torch import nn

from course_lib.datasets import ImageData, Split
from course_lib.models import create_model
from course_lib.training import CheckpointError, Checkpoints, Recipe, fit
from course_lib.training.checkpoint import save_hashed

RECIPE = Recipe(epochs=2, batch_size=32, pad=1, optimizer="adam", learning_rate=0.01)
NEW = ("content of", "mean of", "standard deviation of", "layers", "network's", "number format")


def train(folder, model=None, data=None, **options):
    return fit(model or small_network(), data or two_classes(), RECIPE, checkpoints=folder, progress=False, **options)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    train(folder, bf16=False)
    return folder


def refused(folder, says, **options):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(CheckpointError, match=rf"another run: the {says}.*; train into another folder, or as then"):
        train(folder, **{"bf16": False, **options})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def with_dropout(rate: float) -> nn.Module:
    model = small_network()
    model[5].p = rate
    return model


def other_layer() -> nn.Module:
    model = small_network()
    model[2] = nn.GELU()
    return model


def darker(data: ImageData) -> ImageData:
    images = data.train.images // 2
    return ImageData.from_splits(data.name, data.classes, Split(images, data.train.labels), data.test)


def relabelled(data: ImageData) -> ImageData:
    return replace(data, test=Split(data.test.images, data.test.labels.flip(0)))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"model": lambda: with_dropout(0.5)}, r"network's 5\.p differs \(0\.2 there, 0\.5 here\)"),
        ({"model": other_layer}, r"network's layer 2 differs \('ReLU' there, 'GELU' here\)"),
        ({"bf16": lambda: True}, r"number format differs \('float32' there, 'bfloat16' here\)"),
        ({"data": lambda: darker(two_classes())}, "content of the training images differs"),
        ({"data": lambda: relabelled(two_classes())}, "content of the test images differs"),
        ({"data": lambda: replace(two_classes(), mean=torch.zeros(1))}, r"mean of the channels differs \(\[0\..*, \[0"),
        ({"data": lambda: replace(two_classes(), std=torch.ones(1))}, "standard deviation of the channels differs"),
    ],
)
def test_another_network_number_format_or_data_is_named_and_nothing_changed(finished, changed, says):
    refused(finished, says, **{name: make() for name, make in changed.items()})


def test_an_option_of_the_network_without_weights_is_named(tmp_path):
    def network(pool4: int):
        return create_model("googlenet_bn", 2, in_channels=1, pool4=pool4)

    images = torch.randint(256, (4, 1, 32, 32), dtype=torch.uint8)
    split = Split(images, torch.arange(4) % 2)
    data = ImageData.from_splits("four", ("a", "b"), split, split)
    recipe = Recipe(epochs=1, batch_size=4)
    fit(network(3), data, recipe, checkpoints=tmp_path, progress=False)
    with pytest.raises(CheckpointError, match=r"pool4\.kernel_size differs \(\[3, 3\] there, \[2, 2\] here\)"):
        fit(network(2), data, recipe, checkpoints=tmp_path, progress=False)


def test_memory_formats_and_a_second_reading_are_the_same_images(finished):
    data = two_classes()
    images = data.train.images.contiguous(memory_format=torch.channels_last)
    assert len(train(finished, data=replace(data, train=Split(images, data.train.labels)), bf16=False)) == 2


def test_a_checkpoint_from_before_there_was_all_this_still_goes_on(finished, tmp_path):
    state = Checkpoints(finished).latest()
    run = {what: value for what, value in state["run"].items() if not what.startswith(NEW)}
    run["recipe's epsilon"] = run.pop("recipe's optimizer_epsilon")
    save_hashed(tmp_path / "epoch_0002_step_000000.pt", {**state, "run": run})
    assert train(tmp_path, bf16=False).equals(train(finished, bf16=False))
    run["recipe's epsilon"] = 0.1
    save_hashed(tmp_path / "epoch_0002_step_000000.pt", {**state, "run": run})
    with pytest.raises(CheckpointError, match=r"recipe's optimizer_epsilon differs \(0\.1 there, 1e-08 here\)"):
        train(tmp_path)
