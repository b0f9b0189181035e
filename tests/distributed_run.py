"""What `torchrun` starts in a test: one process's part of two short runs, the second of which goes on from the first.

    torchrun --standalone --nproc-per-node 2 distributed_run.py FOLDER

Process 0 leaves the history and weights in FOLDER/result.pt.
"""

import sys
from pathlib import Path

import torch
from tiny_training import small_network, two_classes
from torch import nn

from course_lib.training import Recipe, fit
from course_lib.training.distributed import gather, process_group, rank

# 97 images make batches of 33, 32 and 32: shares differ in size.
RECIPE = Recipe(epochs=4, batch_size=33, pad=1, ema_decay=0.5, clip_norm=1.0, learning_rate=0.05)


def without_chance() -> nn.Sequential:
    """No batch norm and no dropout: what processes share is then all there is."""
    layers = [layer for layer in small_network() if not isinstance(layer, nn.BatchNorm2d | nn.Dropout)]
    return nn.Sequential(*layers)


def run(folder: Path) -> dict:
    """Train for two epochs, stop in the third, and go on with another model from the checkpoint."""
    data, stopped, model = two_classes(train=97, test=41), without_chance(), without_chance()
    steps = iter(range(6))

    def stop(module: nn.Module, _) -> None:
        if module.training and next(steps, None) is None:
            raise KeyboardInterrupt

    stopped.register_forward_pre_hook(stop)
    first = fit(stopped, data, RECIPE, bf16=False, progress=False, checkpoints=folder)
    assert len(first) == 2
    history = fit(model, data, RECIPE, bf16=False, progress=False, checkpoints=folder)
    return {"history": history.to_dict("list"), "weights": model.state_dict()}


def models_agree() -> bool:
    """Whether all processes end with one and the same network, batch norm's running statistics included."""
    model = small_network()
    fit(model, two_classes(), RECIPE, bf16=False, progress=False)
    states = gather({name: value.tolist() for name, value in model.state_dict().items()})
    return all(state == states[0] for state in states)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with process_group():
        result = {**run(Path(sys.argv[1])), "models agree": models_agree()}
        if rank() == 0:
            torch.save(result, Path(sys.argv[1]) / "result.pt")
