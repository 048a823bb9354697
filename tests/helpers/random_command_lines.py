"""Give the command line random words: mutations of valid lines, drawn by a seed.

    python -m tests.helpers.random_command_lines --num 300 --seed 0

Each line runs in this process, in a folder of its own. What must never come: a traceback, an exit code that is not in
the list, more than 20 seconds.
"""

import argparse
import contextlib
import io
import os
import random
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from margin_bench.cli import main
from margin_bench.errors import ExitCode

START_SECONDS, LIMIT_SECONDS = 10, 20
TINY = [
    *("dataset.num_train=16", "dataset.num_test=8", "batch_size=8", "bucket_size=8", "microbatch_size=8"),
    *("epochs=1", "workers=0", "precision=fp32"),
]
VALID = [
    ["train", *TINY],
    ["train", "--cfg", "job"],
    ["train", "--cfg", "job", "loss=asl", "loss.gamma_negative=4", "seed=3"],
    ["train", "loss=softmax", "loss.way=sample", "optim.head_lr=0.1", "--cfg", "job"],
    ["train", "dataset=csv", "dataset.file=labels.csv", "dataset.labels=labels", "--cfg", "job"],
    ["train", "-m", "loss.way=both,class", "seed=0,1", *TINY],
    ["train", "--help"],
    ["evaluate", "run=none", "metric.names=all", "recompute=true"],
    ["compare", "a", "b", "--json", "resamples=100"],
    ["data", "list"],
    ["data", "check", "digits", "dataset.num_train=16", "dataset.num_test=8", "workers=0"],
    ["data", "check", "csv", "dataset.file=labels.csv", "dataset.labels=labels", "workers=0", "--json"],
    ["reproduce", "table3", "dataset=digits", "seeds=1", "--dry-run", *TINY],
    ["tables", "table1", "dataset=digits", "--format", "csv"],
    ["tables"],
    ["losses", "twoway"],
    ["losses", "--markdown"],
    ["--help"],
    ["--version"],
]
ODD = [
    *(
        "",
        " ",
        "=",
        "a=",
        "=a",
        "[",
        "]",
        "{",
        "}",
        "[[a]]",
        "[1]",
        "{a:1}",
        "null",
        "???",
        "${x}",
        "${",
        "~",
        "+",
        "++a=1",
    ),
    *("-1", "0", "1e20", "1e400", "nan", "inf", "-inf", "1e-320", "true", "99999999999999999999", "0x10", "1_000"),
    *(
        "\u00e4",
        "\u202e",
        "\x1b[31m",
        "a\nb",
        "a\tb",
        "\udcff",
        "'",
        '"',
        "\\",
        "a" * 300,
        "../../x",
        "/dev/null",
        "/etc",
    ),
    *("-m", "-c", "--cfg", "--help", "--json", "--", "-", "--multirun", "--config-dir", "--config-dir=none", "-sc"),
    *("range(3)", "range(100000000)", "choice(1,2)", "glob(*)", "1,2,3", "loss=twoway,bce", "seed=range(10)"),
]


def mutated(line: list[str], draw: random.Random) -> list[str]:
    """Change a line in one to three places: drop, double, swap or replace a word, a key or a value."""
    line = list(line)
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        place = draw.randrange(len(line)) if line else 0
        match draw.choice(["drop", "double", "swap", "replace", "insert", "value", "value", "key", "cut"]):
            case "drop" if line:
                del line[place]
            case "double" if line:
                line.insert(place, line[place])
            case "swap" if line:
                other = draw.randrange(len(line))
                line[place], line[other] = line[other], line[place]
            case "replace" if line:
                line[place] = draw.choice(ODD)
            case "value" if line:
                line[place] = f"{line[place].partition('=')[0]}={draw.choice(ODD)}"
            case "key" if line:
                line[place] = f"{draw.choice(ODD)}={line[place].partition('=')[2]}"
            case "cut" if line:
                line[place] = line[place][: draw.randrange(len(line[place]) + 1)]
            case _:
                line.insert(place, draw.choice(ODD))
    return line


class TooLongError(BaseException):
    """A line took longer than LIMIT_SECONDS."""


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Ask for an end of this block after START_SECONDS, as a run may go on for long; later raise TooLongError."""

    def stop(number: int, frame: object) -> None:
        if signal.getsignal(signal.SIGTERM) in (signal.SIG_DFL, signal.SIG_IGN, None):
            raise TooLongError
        signal.signal(signal.SIGALRM, too_long)
        signal.alarm(LIMIT_SECONDS - START_SECONDS)
        signal.raise_signal(signal.SIGTERM)

    def too_long(number: int, frame: object) -> None:
        raise TooLongError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(START_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def what_is_wrong(line: list[str]) -> tuple[int | None, str]:
    """Run a line; return its exit code, and what is wrong with how it ended, or an empty text."""
    out, err = io.StringIO(), io.StringIO()
    environment, words = dict(os.environ), list(sys.argv)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), limited():
            code = main(line)
    except TooLongError:
        return None, f"more than {LIMIT_SECONDS} seconds"
    except SystemExit as ended:
        return None, f"SystemExit {ended.code}"
    except BaseException:
        return None, traceback.format_exc()
    finally:
        os.environ.clear()
        os.environ.update(environment)
        sys.argv[:] = words
    if code not in set(ExitCode):
        return code, f"exit code {code}"
    if "Traceback" in err.getvalue():
        return code, err.getvalue()
    return code, ""


def run(num: int, seed: int) -> tuple[Counter[int | None], list[tuple[list[str], str]]]:
    """Run `num` lines; return how often each exit code came, and the lines that ended in a wrong way."""
    draw = random.Random(seed)
    codes, wrong = Counter[int | None](), []
    for _ in range(num):
        line = mutated(draw.choice(VALID), draw)
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            Path("labels.csv").write_text("image,labels,split\na.jpg,cat,train\nb.jpg,cat,test\n", encoding="utf-8")
            code, fault = what_is_wrong(line)
        codes[code] += 1
        if fault:
            wrong.append((line, fault))
    return codes, wrong


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--num", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    codes, wrong = run(options.num, options.seed)
    print("exit codes:", ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str)))
    for line, fault in wrong:
        print(f"\n{line!r}\n{fault}")
    print(f"{options.num} lines, {len(wrong)} wrong")
    sys.exit(bool(wrong))
