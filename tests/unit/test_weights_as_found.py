"""Weights as people have them: wrapped, nested, merged, of other numbers, and files that are none."""

from __future__ import annotations

import argparse
import re
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from course_lib.architecture import build, conv, seq
from course_lib.architecture.building import Network
from course_lib.models import (
    WeightsError,
    create_model,
    load_pretrained,
    merge_model,
    optimize_for_inference,
    reference_options,
)

CLASSES = 3


def small(classes: int = CLASSES, aux: bool = False) -> Network:
    return create_model("small_inception", classes, aux)


@pytest.fixture(scope="module")
def source() -> Network:
    torch.manual_seed(7)
    return small()


def compiled(model: nn.Module) -> nn.Module:
    return torch.compile(model, backend="eager")


def prefixed(prefix: str) -> Callable[[Network], dict[str, Tensor]]:
    return lambda model: {prefix + key: tensor for key, tensor in model.state_dict().items()}


@pytest.mark.parametrize(
    "weights",
    [
        *map(prefixed, ("module.", "_orig_mod.", "model.", "module._orig_mod.")),
        lambda model: {"state_dict": model.state_dict(), "epoch": 3},
        lambda model: {"model": prefixed("module.")(model), "optimizer": {}},
        lambda model: model,
        nn.DataParallel,
        compiled,
        merge_model,
        lambda model: merge_model(model).state_dict(),
    ],
)
def test_what_wrappers_and_checkpoints_add_is_taken_off(source: Network, weights: Callable[[Network], object]) -> None:
    target = small()
    load_pretrained(target, weights(source))
    assert all(torch.equal(tensor, source.state_dict()[key]) for key, tensor in target.state_dict().items())


def test_a_prefix_that_the_model_has_itself_stays() -> None:
    models = [build(seq(conv(2, 1)).named("model"), 3) for _ in range(2)]
    load_pretrained(models[0], models[1].state_dict())
    assert torch.equal(models[0].state_dict()["model.0.conv.weight"], models[1].state_dict()["model.0.conv.weight"])


@pytest.mark.parametrize("wrap", [nn.DataParallel, compiled, lambda model: nn.DataParallel(compiled(model))])
def test_wrapped_models_take_weights(source: Network, wrap: Callable[[nn.Module], nn.Module]) -> None:
    target = small()
    load_pretrained(wrap(target), source.state_dict())
    assert torch.equal(target.fc.weight, source.fc.weight)


def test_a_merged_model_takes_plain_and_merged_weights(source: Network) -> None:
    for weights in (source, merge_model(source)):
        target = create_model("small_inception", CLASSES, merged=True)
        load_pretrained(target, weights)
        wanted = merge_model(source).state_dict()
        assert all(torch.equal(tensor, wanted[key]) for key, tensor in target.state_dict().items())


def test_one_part_to_skip_may_be_a_string(source: Network) -> None:
    target = small(5)
    before = target.fc.weight.clone()
    load_pretrained(target, source, skip="fc")
    assert torch.equal(target.fc.weight, before)
    assert torch.equal(target.conv_1a_3x3.conv.weight, source.conv_1a_3x3.conv.weight)


@pytest.mark.parametrize(
    ("target", "weights", "hint"),
    [
        (lambda: small(5), lambda: small(), 'pass skip=["fc"].'),
        (lambda: small(5, aux=True), lambda: small(aux=True), 'pass skip=["fc", "aux"].'),
        (lambda: small(), lambda: small(aux=True), 'pass skip=["aux"].'),
        (lambda: small(), lambda: prefixed("backbone.")(small()), "All keys begin with 'backbone.'; strip it."),
    ],
)
def test_the_message_says_what_would_help(
    target: Callable[[], Network], weights: Callable[[], object], hint: str
) -> None:
    with pytest.raises(WeightsError, match=re.escape(hint) + "$"):
        load_pretrained(target(), weights())


def quantised(tensor: Tensor) -> Tensor:
    return torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda tensor: tensor.to(torch.int8), "of torch.int8"),
        (lambda tensor: tensor.to(torch.complex64), "of torch.complex64"),
        (lambda tensor: tensor.bool(), "of torch.bool"),
        (lambda tensor: tensor.to("meta"), "on 'meta', without values"),
        (lambda tensor: tensor.to_sparse(), "sparse"),
        (quantised, "quantised"),
    ],
)
@pytest.mark.parametrize("key", ["conv_1a_3x3.conv.weight", "fc.linear.bias"])
def test_values_that_are_no_floats_change_nothing(
    source: Network, change: Callable[[Tensor], Tensor], kind: str, key: str
) -> None:
    target = small()
    before = {name: tensor.clone() for name, tensor in target.state_dict().items()}
    weights = source.state_dict()
    weights[key] = change(weights[key])
    with pytest.raises(WeightsError, match=re.escape(f"so nothing was loaded; {key} is {kind}.")):
        load_pretrained(target, weights)
    assert all(torch.equal(tensor, before[name]) for name, tensor in target.state_dict().items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_any_float_dtype_loads(source: Network, dtype: torch.dtype) -> None:
    target = small()
    load_pretrained(target, {key: tensor.to(dtype) for key, tensor in source.state_dict().items()})
    assert target.fc.weight.dtype == torch.float32
    assert torch.equal(target.fc.weight, source.fc.weight.to(dtype).float())


def write_module(path: Path) -> None:
    torch.save(small(), path)


def write_checkpoint(path: Path) -> None:
    torch.save({"state_dict": small().state_dict(), "args": argparse.Namespace(lr=1)}, path)


def write_half(path: Path) -> None:
    torch.save(small().state_dict(), path)
    path.write_bytes(path.read_bytes()[:20_000])


@pytest.mark.parametrize(
    ("write", "what"),
    [
        (write_module, r"it holds Python objects \(course_lib.architecture.building.Network\).*model.state_dict\(\)"),
        (write_checkpoint, r"it holds Python objects \(argparse.Namespace\).*save model.state_dict\(\) instead"),
        (lambda path: path.write_text("\n<!DOCTYPE html>\n<html></html>"), "it is a web page"),
        (Path.touch, "it is empty"),
        (Path.mkdir, "it is a folder"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "it is damaged, cut off or of another kind"),
        (write_half, "it is damaged, cut off or of another kind"),
    ],
)
def test_a_file_that_is_no_state_dict_is_named_without_advice_to_run_it(
    write: Callable[[Path], object], what: str, tmp_path: Path
) -> None:
    path = tmp_path / "weights.pt"
    write(path)
    with pytest.raises(WeightsError, match=rf"weights.pt is not a readable state_dict .*: {what}") as caught:
        load_pretrained(small(), path)
    assert "weights_only" not in "".join(traceback.format_exception(caught.value))


def test_the_home_folder_may_be_written_as_a_tilde(
    source: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    torch.save(source.state_dict(), tmp_path / "w.pt")
    target = small()
    load_pretrained(target, "~/w.pt")
    assert torch.equal(target.fc.weight, source.fc.weight)


def test_a_network_for_use_takes_no_weights(source: Network) -> None:
    with pytest.raises(WeightsError, match="into the model first, and then call optimize_for_inference"):
        load_pretrained(optimize_for_inference(source), source.state_dict())


@pytest.mark.parametrize("aux", [False, True])
def test_torchvisions_weights_in_another_form_of_the_network_warn(aux: bool, recwarn: pytest.WarningsRecorder) -> None:
    reference = torchvision.models.inception_v3(num_classes=CLASSES, aux_logits=aux, init_weights=False)
    weights = reference.state_dict()
    same = create_model("inception_v3", CLASSES, aux, dropout=0.1, **reference_options("inception_v3", "torchvision"))
    load_pretrained(same, weights, "torchvision")
    assert not [warning for warning in recwarn if "logits" in str(warning.message)]
    with pytest.warns(UserWarning, match=r'reference_options\("inception_v3", "torchvision"\)\) with .*include_pad'):
        load_pretrained(create_model("inception_v3", CLASSES, aux), weights, "torchvision")


def test_weights_of_other_kernels_name_the_options() -> None:
    weights = torchvision.models.googlenet(num_classes=CLASSES, aux_logits=False, init_weights=False).state_dict()
    with pytest.raises(WeightsError, match=r'create_model\("googlenet_bn", \*\*reference_options\("googlenet_bn", "to'):
        load_pretrained(create_model("googlenet_bn", CLASSES), weights, "torchvision")
