"""Prints the table of all losses in all ways from the records of finished runs, as Markdown.

    python scripts/table_of_losses.py runs/losses > results/losses.md

The runs that it expects differ in loss and way alone; the commands that make them stand in results/README.md.
"""

import argparse
from pathlib import Path
from typing import Any

from margin_bench.config import WAYS
from margin_bench.record import FINISHED, read_records

POINT_WISE = "point-wise"
COLUMNS = (*WAYS, POINT_WISE)

Cells = dict[str, dict[str, dict[str, Any]]]


def read_cells(runs_dir: Path) -> Cells:
    """The record of each loss and way.

    Raises:
        SystemExit: a record cannot be read or is not finished, or two runs differ in more than loss and way.
    """
    records, unread = read_records(runs_dir)
    unread += [f"{record['run_id']} is {record['status']}" for record in records if record["status"] != FINISHED]
    if unread:
        raise SystemExit("\n".join(unread))
    cells: Cells = {}
    for record in records:
        loss = record["config"]["loss"]
        row, column = cells.setdefault(loss["name"], {}), loss.get("way", POINT_WISE)
        if column in row:
            raise SystemExit(f"two runs for {loss['name']} {column}: {row[column]['run_id']}, {record['run_id']}")
        row[column] = record
    budgets = {budget(record) for row in cells.values() for record in row.values()}
    if len(budgets) > 1:
        raise SystemExit("the runs differ in more than loss and way:\n" + "\n".join(sorted(budgets)))
    return cells


def budget(record: dict[str, Any]) -> str:
    """What all runs of the table share."""
    config = record["config"]
    dataset, optim = config["dataset"], config["optim"]
    return (
        f"{dataset['name']}, {dataset['num_train']} training and {dataset['num_test']} test scenes, "
        f"{config['backbone']['name']}, {config['epochs']} epochs, batch {config['batch_size']}, "
        f"bucket {config['bucket_size']}, rates {optim['head_lr']} and {optim['backbone_lr']}, seed {config['seed']}, "
        f"{config['precision']}, {record['environment']['hardware']['cpu']}"
    )


def in_cell(record: dict[str, Any] | None) -> str:
    if record is None:
        return ""
    metrics = record["metrics"]
    return f"{100 * metrics['map_class']:.1f} / {100 * metrics['map_sample']:.1f}"


def render(cells: Cells) -> str:
    shared = budget(next(iter(next(iter(cells.values())).values())))
    head = [f"mAP@class / mAP@sample in percent. {shared}.", "", f"| loss | {' | '.join(COLUMNS)} |"]
    rule = f"|---|{'---|' * len(COLUMNS)}"
    rows = [
        f"| `{name}` | {' | '.join(in_cell(cells[name].get(column)) for column in COLUMNS)} |"
        for name in sorted(cells, key=lambda name: (POINT_WISE in cells[name], name))
    ]
    return "\n".join([*head, rule, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs_dir", type=Path)
    print(render(read_cells(parser.parse_args().runs_dir)))


if __name__ == "__main__":
    main()
