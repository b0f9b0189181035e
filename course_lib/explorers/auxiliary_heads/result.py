"""How far the gradients of the main loss and of an auxiliary head reach, from the recorded run: the pure part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import sqrt
from statistics import median

from course_lib.architecture import ArchitectureError
from course_lib.experiments.auxiliary_network import MODULES, STAGES
from course_lib.reporting.record_files import read_record

RECORD = "auxiliary_gradients"
BATCH_SIZE = 128
"""Images of each recorded gradient."""
INITS = {"pytorch": "PyTorch's first weights", "he": "He's first weights"}
BATCH_NORM = {"none": (False, False), "trunk": (True, False), "trunk and head": (True, True)}
"""Whether the trunk and whether the head has batch normalisation, for each choice."""

Norms = Sequence[float]
"""A number for each stage, from the stem up."""


@dataclass(frozen=True)
class GradientProfile:
    """Gradients before the first step by the convolutions' weights, stage by stage from the stem up.

    Norms are Euclidean, of the mean loss of a batch in nats; each is the median over the recorded seeds.

    Attributes:
        head_after: the module after which the head stands.
        weight: of the head's loss.
        main: norms of the main loss's gradient.
        head: norms of `weight` times the gradient of the head's loss; 0 in the stages above it.
        together: norms of the sum of both, the gradient that training follows.
        lowest, highest: of `together`, over the seeds.
        cosines: of the angle between the two gradients; None in the stages above the head.
    """

    head_after: int
    weight: float
    batch_norm: str
    init: str
    main: tuple[float, ...]
    head: tuple[float, ...]
    together: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    cosines: tuple[float | None, ...]

    @property
    def stages_below(self) -> int:
        """How many stages the head's gradient reaches."""
        return len(self.cosines) - self.cosines.count(None)

    @property
    def gain(self) -> float:
        """How many times larger the stem's gradient is with the head than without."""
        return self.together[0] / self.main[0]

    @property
    def summary(self) -> str:
        """The result in a few sentences."""
        where = {"none": "no batch norm", "trunk": "batch norm in the trunk", "trunk and head": "batch norm everywhere"}
        return (
            f"Head after module {self.head_after}, weight {self.weight:g}, {INITS[self.init]}, "
            f"{where[self.batch_norm]}. Gradient at the stem: {self.main[0]:.1e} from the main loss, "
            f"{self.head[0]:.1e} from the head, {self.together[0]:.1e} together: {self.gain:.3g} times as much. "
            f"At module {MODULES}, the last: {self.main[-1]:.1e}."
        )


def profile_gradients(head_after: int, weight: float, batch_norm: str, init: str) -> GradientProfile:
    """The gradients that one head adds, read from the recorded run.

    Args:
        head_after: module after which the head stands, 1 to `MODULES`.
        weight: of the head's loss, not negative. The gradients of both losses were recorded apart, so the sum is exact
            for any weight.
        batch_norm: a key of `BATCH_NORM`.
        init: a key of `INITS`.

    Raises:
        ArchitectureError: an argument is none of these.
        RecordError: the recorded run is missing or damaged.
    """
    if weight < 0:
        raise ArchitectureError(f"a head's weight is 0 or more, such as 0.3; got {weight}.")
    recorded = _recorded()
    if (head_after, batch_norm, init) not in recorded:
        raise ArchitectureError(
            f"no gradients are recorded for head_after={head_after!r}, batch_norm={batch_norm!r}, init={init!r}; "
            f"head_after is 1 to {MODULES}, batch_norm one of {', '.join(BATCH_NORM)}, init one of {', '.join(INITS)}."
        )
    main, unweighted, cosine = recorded[head_after, batch_norm, init]
    below = len(unweighted[0])
    head = [[weight * norm for norm in seed] + [0.0] * (len(STAGES) - below) for seed in unweighted]
    together = [_norms_of_sum(*seed) for seed in zip(main, head, cosine, strict=True)]
    profiles = [_by_stage(median, norms) for norms in (main, head, together)]
    cosines = (*_by_stage(median, cosine), *[None] * (len(STAGES) - below))
    ends = _by_stage(min, together), _by_stage(max, together)
    return GradientProfile(head_after, weight, batch_norm, init, *profiles, *ends, cosines)


def _norms_of_sum(main: Norms, head: Norms, cosines: Norms) -> Norms:
    """Of each stage: the norm of the sum of two vectors, by the law of cosines; above the head it is `main`."""
    below = zip(main, head, cosines, strict=False)
    return [*(sqrt(m * m + h * h + 2 * m * h * cosine) for m, h, cosine in below), *main[len(cosines) :]]


def _by_stage(summarize: Callable[[Norms], float], of_seeds: Sequence[Norms]) -> tuple[float, ...]:
    return tuple(summarize(stage) for stage in zip(*of_seeds, strict=True))


@lru_cache(maxsize=1)
def _recorded() -> dict[tuple[int, str, str], tuple[list[Norms], list[Norms], list[Norms]]]:
    """What was recorded for each (head_after, batch_norm, init): norms of the main loss's gradient, of the head's,
    unweighted, and the cosines between them; of each a list for each seed with a number for each stage it reaches."""
    recorded: dict[tuple[int, str, str], tuple[list[Norms], list[Norms], list[Norms]]] = {}
    for row in read_record(RECORD)["rows"]:
        of_seeds = recorded.setdefault((row["head_after"], row["batch_norm"], row["init"]), ([], [], []))
        for values, name in zip(of_seeds, ("main", "head", "cosine"), strict=True):
            values.append(row[name])
    return recorded
