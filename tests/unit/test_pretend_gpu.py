"""Training, judging, predicting and going on, on a pretend GPU: no tensor is left on the wrong device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

REFUSED = """
import torch
from torch import nn
for meet in (lambda a, b: a + b, lambda a, b: b @ a, lambda a, b: torch.cat([a, b]), lambda a, b: b[a.long()]):
    a, b = torch.zeros(3, 3, device="cuda"), torch.zeros(3, 3)
    try:
        meet(a, b)
    except RuntimeError as error:
        assert "at least two devices" in str(error)
    else:
        raise AssertionError("not refused")
try:
    nn.Linear(3, 2).to("cuda")(torch.zeros(1, 3))
except RuntimeError:
    pass
else:
    raise AssertionError("not refused")
assert (torch.zeros(3, device="cuda") + torch.tensor(1.0)).sum().item() == 3
assert torch.arange(3).to("cuda")[torch.tensor([2])].tolist() == [2]
x = torch.ones(2, requires_grad=True)
(2 * x.to("cuda")).sum().cpu().backward()
assert x.grad.tolist() == [2, 2] and x.grad.device.type == "cpu"
"""

TRAINED = """
import sys, torch
from pathlib import Path
from tiny_training import two_classes, small_network
from course_lib.training import Recipe, evaluate, fit, predict_logits
data = two_classes()
recipe = Recipe(epochs=3, batch_size=16, pad=1, ema_decay=0.9, clip_norm=1.0, label_smoothing=0.1)
model = small_network()
history = fit(model, data, recipe, progress=False, bf16=False)
assert next(model.parameters()).device.type == "cuda", "the model was not trained on the GPU"
assert history.test_accuracy.iloc[-1] > 0.9, history
assert evaluate(model, data.test, data, bf16=False).accuracy > 0.9
logits = predict_logits(model, data.test.images[:3], data, bf16=False)
assert logits.shape == (3, 2) and logits.device.type == "cpu"
"""

RESUMED = """
import sys
from dataclasses import replace
from pathlib import Path
from tiny_training import two_classes, small_network
from course_lib.training import Recipe, fit
import torch
folder = Path(sys.argv[1])
data, recipe = two_classes(), Recipe(epochs=3, batch_size=16, ema_decay=0.9)
whole = small_network()
wanted = fit(whole, data, recipe, progress=False, bf16=False)
class Stop(Exception): ...
model, steps = small_network(), []
def stop(module, *_):
    steps.append(1)
    if len(steps) == 15: raise Stop
handle = model.register_forward_hook(stop)
try:
    fit(model, data, recipe, progress=False, bf16=False, checkpoints=folder)
except Stop: pass
again = small_network(seed=5)
got = fit(again, data, recipe, progress=False, bf16=False, checkpoints=folder)
assert len(got) == 3
for a, b in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
    assert a.is_cuda and b.is_cuda
    torch.testing.assert_close(a.cpu().float(), b.cpu().float())
"""

FAMILY = """
import torch
from course_lib.models import create_model, optimize_for_inference
from course_lib.training import LabelSmoothingLoss, auxiliary_loss, head_weights
model = create_model("small_inception", 4, aux=True).to("cuda")
images, labels = torch.rand(4, 3, 32, 32, device="cuda"), torch.arange(4, device="cuda")
loss = auxiliary_loss(model(images), labels, LabelSmoothingLoss(4, 0.1).to("cuda"), head_weights(model))
loss.backward()
assert all(p.grad is not None and p.grad.is_cuda for p in model.parameters())
assert optimize_for_inference(model.eval())(images).is_cuda
"""


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    start = f"import sys; sys.path.insert(0, {str(TESTS)!r})\nimport pretend_gpu; pretend_gpu.install()\n"
    command = [sys.executable, "-c", start + code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("code", [REFUSED, TRAINED, FAMILY], ids=["refused", "trained", "family"])
def test_on_the_pretend_gpu(code: str) -> None:
    finished = run(code)
    assert finished.returncode == 0, finished.stderr[-3000:]


def test_a_run_goes_on_on_the_pretend_gpu(tmp_path: Path) -> None:
    finished = run(RESUMED, str(tmp_path))
    assert finished.returncode == 0, finished.stderr[-3000:]
