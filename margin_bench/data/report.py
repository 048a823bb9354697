"""Print what a check of a data set has found."""

from collections.abc import Mapping, Sequence
from typing import Any

from margin_bench.data.faults import Report
from margin_bench.runtime.console import counted, say

LINES_SHOWN = 50  # of the faults, and of the notes
NUM_CLASSES_SHOWN = 10  # of the most and of the least frequent


def print_report(name: str, published: Mapping[str, Any], report: Report) -> None:
    """Print sizes beside the published ones (Table 6), the frequencies of classes, frequent pairs, and the faults.

    Args:
        name: of the data set.
        published: `classes`, `train`, `test` and `labels_per_sample`; None where nothing is published.
        report: of `examine`.
    """
    train, test = report.splits["train"], report.splits["test"]
    measured = {
        "classes": len(report.class_names),
        "train": train["samples"],
        "test": test["samples"],
        "labels_per_sample": round(train["labels_per_sample"], 2),
    }
    say(f"{name:<20}{'measured':>12}{'published':>12}")
    for key, value in measured.items():
        known = published[key]
        say(f"{key.replace('_', ' '):<20}{value:>12,}{'-' if known is None else format(known, ','):>12}")
    for split_name, split in report.splits.items():
        say(
            f"{split_name}: {split['left_out']:,} samples without a label left out, "
            f"{split['unlabeled_share']:.1%} of the entries unlabeled"
        )
    _print_histogram(report)
    if report.pairs:
        say("\nclasses that are most often together (training samples):")
        for first, second, count in report.pairs:
            say(f"{count:>9,}  {first}, {second}")
    if report.notes:
        say(f"\n{counted(len(report.notes), 'note')}, which no run minds")
        _print_some(report.notes)
    say(f"\n{counted(len(report.faults), 'fault') if report.faults else 'no faults'}")
    _print_some(report.faults)


def _print_some(lines: Sequence[str]) -> None:
    for line in lines[:LINES_SHOWN]:
        say(f"  {line}")
    if len(lines) > LINES_SHOWN:
        say(f"  and {len(lines) - LINES_SHOWN:,} more; --json shows all")


def _print_histogram(report: Report) -> None:
    counts = report.splits["train"]["positives"]
    order = sorted(range(len(counts)), key=lambda column: (-counts[column], column))
    say("\npositives (train, test) by class, with its place in the order of classes:")
    if len(order) > 2 * NUM_CLASSES_SHOWN:
        shown = [*order[:NUM_CLASSES_SHOWN], None, *order[-NUM_CLASSES_SHOWN:]]
    else:
        shown = [*order]
    for column in shown:
        if column is None:
            say(f"{'...':>9}")
        else:
            test = report.splits["test"]["positives"][column]
            say(f"{counts[column]:>9,}{test:>9,}  {report.class_names[column]} ({column + 1})")
