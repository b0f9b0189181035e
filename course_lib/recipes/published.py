"""The recipes of the papers, and a short one. Change what you like with `dataclasses.replace(quick, epochs=20)`."""

from __future__ import annotations

from course_lib.recipes.recipe import Recipe

# Szegedy et al. 2016 (arXiv:1512.00567), section 8; learning rate and batch of one of its 50 replicas. The rate falls
# and the average of the weights grows old over many epochs: a recipe for long runs. TensorFlow starts the mean of
# squared gradients at 1 and takes the root of mean plus epsilon; PyTorch starts at 0 and adds epsilon to the root.
szegedy_2016 = Recipe(
    epochs=100,
    batch_size=32,
    optimizer="rmsprop",
    learning_rate=0.045,
    momentum=0.0,
    square_decay=0.9,
    optimizer_epsilon=1.0,
    weight_decay=0.0,
    clip_norm=2.0,
    schedule="steps",
    decay=0.94,
    decay_epochs=2,
    warmup_epochs=0,
    ema_decay=0.9999,
    label_smoothing=0.1,
    pad=4,
)

# The schedule of GoogLeNet (arXiv:1409.4842, section 6), times 0.96 every 8 epochs, with Adam for small images.
adam_steps = Recipe(
    epochs=100,
    batch_size=128,
    optimizer="adam",
    learning_rate=1e-3,
    weight_decay=0.0,
    schedule="steps",
    decay=0.96,
    decay_epochs=8,
    warmup_epochs=0,
    pad=4,
)

# The usual recipe of residual networks on CIFAR, with the cosine of Loshchilov & Hutter 2017 (arXiv:1608.03983).
sgd_cosine = Recipe(
    epochs=100,
    batch_size=128,
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="cosine",
    warmup_epochs=0,
    pad=4,
)

# For small networks in few epochs, after the fastest known runs on CIFAR-10: a rate that rises fast and falls to 0 in
# a straight line, Nesterov momentum, smoothed labels, and a short average of the weights.
quick = Recipe(
    epochs=8,
    batch_size=64,
    learning_rate=0.1,
    weight_decay=5e-4,
    schedule="linear",
    warmup_epochs=0.5,
    ema_decay=0.99,
    label_smoothing=0.1,
    pad=2,
)

RECIPES = {"szegedy_2016": szegedy_2016, "adam_steps": adam_steps, "sgd_cosine": sgd_cosine, "quick": quick}
