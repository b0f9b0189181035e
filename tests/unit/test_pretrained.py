"""Weights of torchvision's and timm's networks give the same outputs and gradients here; what does not fit changes
nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from course_lib.models import (
    WeightsError,
    create_model,
    load_pretrained,
    reference_options,
    tensorflow_normalization,
)

CLASSES = 7
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-12}
REFERENCES: dict[tuple[str, str], Callable[[bool], nn.Module]] = {
    ("googlenet_bn", "torchvision"): lambda aux: torchvision.models.googlenet(
        num_classes=CLASSES, aux_logits=aux, init_weights=False
    ),
    ("inception_v3", "torchvision"): lambda aux: torchvision.models.inception_v3(
        num_classes=CLASSES, aux_logits=aux, init_weights=False
    ),
    ("inception_v3", "timm"): lambda aux: timm.create_model("inception_v3", num_classes=CLASSES, aux_logits=aux),
    ("inception_v4", "timm"): lambda aux: timm.create_model("inception_v4", num_classes=CLASSES),
    ("inception_resnet_v2", "timm"): lambda aux: timm.create_model("inception_resnet_v2", num_classes=CLASSES),
}


def random_state(reference: nn.Module) -> dict[str, Tensor]:
    """Random weights of He's size, and random statistics, scales and shifts of every batch norm."""
    generator = torch.Generator().manual_seed(0)
    state = {}
    for key, tensor in reference.state_dict().items():
        values = torch.empty(tensor.shape, dtype=tensor.dtype)
        if not tensor.is_floating_point():
            values.fill_(3)
        elif tensor.dim() > 1:
            values.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
        elif key.endswith(("running_var", "bn.weight")):
            values.uniform_(0.5, 1.5, generator=generator)
        else:
            values.normal_(0, 0.1, generator=generator)
        state[key] = values
    return state


def pair(name: str, source: str, *, aux: bool) -> tuple[nn.Module, nn.Module]:
    """The reference and the course's network with the same random weights, batch norm and dropout in eval mode."""
    with torch.device("meta"):
        reference = REFERENCES[name, source](aux)
    state = random_state(reference)
    reference.load_state_dict(state, assign=True)
    model = create_model(name, CLASSES, aux, **reference_options(name, source))
    load_pretrained(model, state, source)
    return reference.eval(), model.eval()


def assert_equal(ours: Tensor, theirs: Tensor) -> None:
    tolerance = TOLERANCE[theirs.dtype]
    scale = theirs.abs().max().item()
    assert scale > 0
    torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance * scale)


def outputs_and_gradient(model: nn.Module, images: Tensor) -> list[Tensor]:
    """All logits, and the gradient of a fixed mix of them by the images."""
    images = images.clone().requires_grad_()
    out = model(images)
    logits = list(out) if isinstance(out, tuple) else [out]
    weights = torch.linspace(-1, 1, CLASSES, dtype=images.dtype)
    sum((i + 1) * (part * weights).sum() for i, part in enumerate(logits)).backward()
    return [*(part.detach() for part in logits), images.grad]


def check_parity(name: str, source: str, size: tuple[int, int], *, aux: bool = False) -> None:
    """Logits in float32, then logits and gradient in float64.

    In float32 two right gradients may differ: where rounding moves an activation over ReLU's kink at 0, it counts for
    one network and not for the other, on some processors and for some images.
    """
    reference, model = pair(name, source, aux=aux)
    # Heads answer in training, but statistics must stay: only the outermost module is told.
    reference.training = model.training = aux
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1))
    for dtype in TOLERANCE:
        ours = outputs_and_gradient(model.to(dtype), images.to(dtype))
        theirs = outputs_and_gradient(reference.to(dtype), images.to(dtype))
        assert len(ours) == len(theirs)
        compared = slice(None) if dtype == torch.float64 else slice(-1)  # the gradient is the last
        for mine, other in zip(ours[compared], theirs[compared], strict=True):
            assert_equal(mine, other)


@pytest.mark.parametrize(("name", "source"), REFERENCES)
def test_logits_and_input_gradients_equal_the_reference(name: str, source: str) -> None:
    check_parity(name, source, (80, 76))


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("googlenet_bn", (96, 128)),
        pytest.param("inception_v3", (299, 299), marks=pytest.mark.slow),  # its head takes no smaller grid
    ],
)
def test_auxiliary_logits_and_their_gradients_equal_torchvisions(name: str, size: tuple[int, int]) -> None:
    check_parity(name, "torchvision", size, aux=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source", "size", "aux"),
    [
        ("googlenet_bn", "torchvision", 224, True),
        ("inception_v4", "timm", 299, False),
        ("inception_resnet_v2", "timm", 299, False),
    ],
)
def test_equal_at_the_native_size(name: str, source: str, size: int, aux: bool) -> None:
    reference, model = pair(name, source, aux=aux)
    reference.training = model.training = aux
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = model(images), reference(images)
    for mine, other in zip(ours, theirs, strict=True):  # the heads' logits, or the one image's
        assert_equal(mine, other)


@pytest.mark.parametrize(
    ("name", "source", "option", "aux"),
    [
        ("googlenet_bn", "torchvision", "pool4", False),
        ("googlenet_bn", "torchvision", "head_pool", True),
        ("inception_v3", "torchvision", "count_include_pad", False),
    ],
)
def test_each_deviation_of_a_reference_shows(name: str, source: str, option: str, aux: bool) -> None:
    """The same weights without one of `reference_options` give something else."""
    reference, model = pair(name, source, aux=aux)
    options = reference_options(name, source)
    del options[option]
    other = create_model(name, CLASSES, aux, **options).eval()
    load_pretrained(other, model.state_dict())
    reference.training = other.training = aux
    images = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    ours, theirs = outputs_and_gradient(other, images), outputs_and_gradient(reference, images)
    apart = max((o - t).abs().max().item() / t.abs().max().item() for o, t in zip(ours, theirs, strict=True))
    assert apart > 0.01


def test_true_5x5_kernels_do_not_take_torchvisions_3x3() -> None:
    weights = REFERENCES["googlenet_bn", "torchvision"](False).state_dict()
    with pytest.raises(WeightsError, match=r"9 of another shape: inception3a.branch3.1.conv.weight"):
        load_pretrained(create_model("googlenet_bn", CLASSES), weights, "torchvision")


def test_tensorflow_normalization_is_torchvisions_transform_input() -> None:
    with torch.device("meta"):
        reference = torchvision.models.inception_v3(transform_input=True, init_weights=False, aux_logits=False)
    images = torch.randn(2, 3, 5, 5)
    torch.testing.assert_close(tensorflow_normalization(images), reference._transform_input(images))
    with pytest.raises(ValueError, match=r"shape \(N, 3, height, width\); got \(2, 1, 5, 5\)"):
        tensorflow_normalization(images[:, :1])


@pytest.fixture
def small() -> nn.Module:
    return create_model("small_inception", 3, aux=True)


def test_own_weights_return_from_a_file(small: nn.Module, tmp_path: Path) -> None:
    torch.save(small.state_dict(), tmp_path / "weights.pt")
    other = create_model("small_inception", 3, aux=True)
    load_pretrained(other, tmp_path / "weights.pt")
    for key, tensor in small.state_dict().items():
        assert torch.equal(other.state_dict()[key], tensor), key


def test_old_files_without_batch_counters_and_halves_load(small: nn.Module) -> None:
    weights = {k: v.half() for k, v in small.state_dict().items() if not k.endswith("num_batches_tracked")}
    other = create_model("small_inception", 3, aux=True)
    load_pretrained(other, weights)
    assert other.state_dict()["fc.linear.weight"].dtype == torch.float32
    assert torch.equal(other.state_dict()["fc.linear.weight"], weights["fc.linear.weight"].float())


def test_skipped_parts_keep_their_own_weights(small: nn.Module) -> None:
    other = create_model("small_inception", 5)  # other classes, and no head
    before = other.state_dict()["fc.linear.weight"].clone()
    load_pretrained(other, small.state_dict(), skip=("fc", "aux"))
    assert torch.equal(other.state_dict()["fc.linear.weight"], before)
    assert torch.equal(other.state_dict()["conv_1a_3x3.conv.weight"], small.state_dict()["conv_1a_3x3.conv.weight"])


def spoil(weights: dict[str, Tensor], *, drop: tuple[str, ...] = (), **new: object) -> dict[str, object]:
    return {key: tensor for key, tensor in weights.items() if key not in drop} | new


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"drop": ("fc.linear.bias",)},
            "the weights do not fit small_inception, so nothing was loaded; 1 missing: fc.linear.bias.",
        ),
        ({"a": torch.ones(1), "b": torch.ones(1)}, "nothing was loaded; 2 extra: a, b."),
        ({"a": torch.ones(1), "b": torch.ones(1), "c": torch.ones(1), "d": torch.ones(1)}, "4 extra: a, b, c, ..."),
        (
            {"drop": ("fc.linear.bias",), "fc.linear.weight": torch.ones(4, 2), "a": torch.ones(1)},
            "1 missing: fc.linear.bias; 1 extra: a; 1 of another shape: fc.linear.weight ((4, 2), wanted (3, 192)).",
        ),
        ({"epoch": 3}, "weights must be a state_dict, a mapping from key to tensor, but 'epoch' is no tensor."),
    ],
)
def test_what_does_not_fit_is_named_and_changes_nothing(small: nn.Module, change: dict, sentence: str) -> None:
    before = {key: tensor.clone() for key, tensor in small.state_dict().items()}
    weights = {key: torch.zeros_like(tensor) for key, tensor in before.items()}
    with pytest.raises(WeightsError, match=re.escape(sentence)):
        load_pretrained(small, spoil(weights, **change))
    for key, tensor in small.state_dict().items():
        assert torch.equal(tensor, before[key]), key


def test_their_spelling_names_what_is_wrong() -> None:
    model = create_model("inception_v3", CLASSES, **reference_options("inception_v3", "torchvision"))
    weights = REFERENCES["inception_v3", "torchvision"](False).state_dict()
    weights["Mixed_9z.branch1x1.conv.weight"] = torch.ones(1)
    weights["Mixed_5b.branch_pool.conv.weight"] = torch.ones(2)
    del weights["fc.bias"]
    with pytest.raises(WeightsError) as caught:
        load_pretrained(model, weights, "torchvision")
    for part in (
        "1 missing: fc.linear.bias",
        "1 extra: Mixed_9z.branch1x1.conv.weight",
        "1 of another shape: Mixed_5b.branch_pool.conv.weight ((2,), wanted (32, 192, 1, 1))",
    ):
        assert part in str(caught.value)


def test_heads_that_the_model_lacks_are_extra_unless_skipped() -> None:
    with torch.device("meta"):
        reference = REFERENCES["inception_v3", "torchvision"](True)
    weights = random_state(reference)
    model = create_model("inception_v3", CLASSES, **reference_options("inception_v3", "torchvision"))
    with pytest.raises(WeightsError, match=r"14 extra: AuxLogits.conv0.conv.weight"):
        load_pretrained(model, weights, "torchvision")
    load_pretrained(model, weights, "torchvision", skip=("aux",))
    assert torch.equal(model.state_dict()["fc.linear.weight"], weights["fc.weight"])


@pytest.mark.parametrize(
    ("name", "source", "sentence"),
    [
        (
            "small_inception",
            "timm",
            "there is no map for small_inception from 'timm'; there are googlenet_bn from torchvision",
        ),
        ("googlenet", "torchvision", "there is no map for googlenet from 'torchvision'"),
        ("inception_v3", "keras", "there is no map for inception_v3 from 'keras'"),
    ],
)
def test_an_unknown_source_is_named(name: str, source: str, sentence: str) -> None:
    with pytest.raises(WeightsError, match=sentence):
        load_pretrained(create_model(name, CLASSES), {}, source)
    with pytest.raises(WeightsError, match=sentence):
        reference_options(name, source)


def test_an_unknown_part_to_skip_is_named(small: nn.Module) -> None:
    with pytest.raises(WeightsError, match="skip names parts that neither model nor weights have: head, tail"):
        load_pretrained(small, small.state_dict(), skip=("tail", "head", "fc"))


def test_files_that_cannot_be_read(small: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no file of weights at .*nowhere\.pt"):
        load_pretrained(small, tmp_path / "nowhere.pt")
    whole = tmp_path / "whole.pt"
    torch.save(small.state_dict(), whole)
    broken = {
        "empty": b"",
        "text": b"not a file of weights",
        "cut": whole.read_bytes()[: whole.stat().st_size // 2],
    }
    for name, content in broken.items():
        path = tmp_path / f"{name}.pt"
        path.write_bytes(content)
        with pytest.raises(WeightsError, match=rf"{name}\.pt is not a readable state_dict saved by torch.save: "):
            load_pretrained(small, path)
    with pytest.raises(WeightsError, match="is not a readable state_dict"):
        load_pretrained(small, tmp_path)
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(WeightsError, match=r"weights must be a state_dict, .* but it is a list"):
        load_pretrained(small, tmp_path / "list.pt")


def test_a_file_runs_no_code(small: nn.Module, tmp_path: Path) -> None:
    torch.save(small, tmp_path / "module.pt")  # a pickled module, which only unsafe loading would run
    with pytest.raises(WeightsError, match=r"module\.pt is not a readable state_dict"):
        load_pretrained(small, tmp_path / "module.pt")
