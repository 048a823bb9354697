"""What a check has found, as it is printed."""

import pytest

from margin_bench.data.faults import Report
from margin_bench.data.report import print_report

PUBLISHED = {"classes": 80, "train": 82081, "test": None, "labels_per_sample": 2.9}


def counts(samples, positives, left_out=0, unlabeled_share=0.0):
    return {
        "samples": samples,
        "left_out": left_out,
        "labels_per_sample": sum(positives) / samples,
        "unlabeled_share": unlabeled_share,
        "positives": positives,
    }


@pytest.fixture
def report():
    train, test = counts(12345, [3, 9, 1], left_out=1000, unlabeled_share=0.25), counts(4, [1, 2, 0])
    return Report(("cat", "dog", "cow"), {"train": train, "test": test}, [("cat", "cow", 7)], ["one", "two"], [])


def printed(report, capsys, published=PUBLISHED):
    print_report("mine", published, report)
    return capsys.readouterr().out.splitlines()


def test_sizes_stand_beside_the_published_ones(report, capsys):
    lines = [line.split() for line in printed(report, capsys)]
    assert lines[:5] == [
        ["mine", "measured", "published"],
        ["classes", "3", "80"],
        ["train", "12,345", "82,081"],
        ["test", "4", "-"],
        ["labels", "per", "sample", "0.0", "2.9"],
    ]


def test_what_is_left_out_and_unlabeled_is_told_of_each_split(report, capsys):
    lines = printed(report, capsys)
    assert "train: 1,000 samples without a label left out, 25.0% of the entries unlabeled" in lines
    assert "test: 0 samples without a label left out, 0.0% of the entries unlabeled" in lines


def test_classes_stand_by_frequency_with_their_place(report, capsys):
    lines = printed(report, capsys)
    start = lines.index("positives (train, test) by class, with its place in the order of classes:") + 1
    assert [line.split() for line in lines[start : start + 3]] == [
        ["9", "2", "dog", "(2)"],
        ["3", "1", "cat", "(1)"],
        ["1", "0", "cow", "(3)"],
    ]


def test_of_many_classes_the_most_and_the_least_frequent_are_shown(capsys):
    names = tuple(f"class{number}" for number in range(25))
    splits = {name: counts(100, list(range(25))) for name in ("train", "test")}
    lines = [line.split() for line in printed(Report(names, splits, [], [], []), capsys)]
    shown = [line[2] for line in lines if len(line) == 4 and line[2].startswith("class")]
    assert shown == [f"class{number}" for number in [*range(24, 14, -1), *range(9, -1, -1)]]
    assert ["..."] in lines


def test_pairs_and_faults_stand_at_the_end(report, capsys):
    assert printed(report, capsys)[-7:] == [
        "",
        "classes that are most often together (training samples):",
        "        7  cat, cow",
        "",
        "2 faults",
        "  one",
        "  two",
    ]


@pytest.mark.parametrize(("faults", "said"), [([], ["no faults"]), (["one"], ["1 fault", "  one"])])
def test_faults_are_counted(report, capsys, faults, said):
    lines = printed(Report(report.class_names, report.splits, [], faults, []), capsys)
    assert lines[-len(said) :] == said
    assert not any("most often together" in line for line in lines)
