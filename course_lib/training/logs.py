"""The history of a run, kept up on disk while it trains: a CSV, and scalars for TensorBoard."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from course_lib.files import check_writable, expand_home, write_whole

HISTORY_COLUMNS = (
    *("epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy"),
    *("learning_rate", "seconds", "images_per_second"),
)
SCALARS = {
    "loss/train": "train_loss",
    "loss/test": "test_loss",
    "accuracy/train": "train_accuracy",
    "accuracy/test": "test_accuracy",
    "learning_rate": "learning_rate",
    "images_per_second": "images_per_second",
}
Row = dict[str, float]


def epoch_table(rows: list[Row]) -> pd.DataFrame:
    """One row an epoch."""
    return pd.DataFrame(rows, columns=HISTORY_COLUMNS)


class HistoryLog:
    """Writes each epoch where it was asked for. What cannot be written is a RuntimeWarning; training goes on.

    Args:
        csv: file, written whole after each epoch; None writes none.
        tensorboard: folder of event files; None writes none.
    """

    def __init__(self, csv: str | Path | None, tensorboard: str | Path | None) -> None:
        self.csv, self.tensorboard = csv and expand_home(csv), tensorboard and expand_home(tensorboard)
        self.writer = None

    def check(self) -> None:
        """CourseError where the files cannot be written, before there is anything to write."""
        if self.csv:
            check_writable(self.csv.parent)
        if self.tensorboard:
            check_writable(self.tensorboard)

    def write(self, rows: list[Row]) -> None:
        """Log the last of these rows; the CSV gets all of them."""
        try:
            if self.csv:
                write_whole(self.csv, epoch_table(rows).to_csv(index=False).encode())
            if self.tensorboard:
                self._write_scalars(rows[-1])
        except OSError as error:
            where = error.filename or self.csv or self.tensorboard
            warnings.warn(
                f"Cannot write the log {where}: {error.strerror}; training goes on. Free space there, or "
                "make it writable.",
                RuntimeWarning,
                stacklevel=2,
            )

    def _write_scalars(self, row: Row) -> None:
        # Imported when needed: it takes seconds.
        from torch.utils.tensorboard import SummaryWriter

        if self.writer is None:
            # A run that was killed may have logged this epoch and later ones; TensorBoard drops those.
            self.writer = SummaryWriter(str(self.tensorboard), purge_step=row["epoch"])
        for tag, column in SCALARS.items():
            self.writer.add_scalar(tag, row[column], row["epoch"])
        self.writer.flush()

    def close(self) -> None:
        """Close TensorBoard's file."""
        if self.writer:
            self.writer.close()
