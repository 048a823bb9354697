"""A user's own table of images and labels."""

import json
import sys

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from margin_bench.cli import main
from margin_bench.data import tabular
from margin_bench.errors import DataError
from tests.helpers import made
from tests.helpers.tiny_run import read_record

OPTIONS = {
    "test_file": None,
    "root": None,
    "image": "image",
    "labels": None,
    "separator": "|",
    "split_column": "split",
    "boxes": None,
    "classes": None,
    "keep_empty": False,
}
BY_COLUMN = "image,cat,dog,split\na.jpg,1,0,train\nsub/b.jpg,0,1,train\nc.jpg,-1,1,test\nd.jpg,0,0,train\n"
LISTED = "image\tlabels\tsplit\na.jpg\tdog | cat\ttrain\nb.jpg\tcat\ttest\nc.jpg\t\ttrain\n"


def load(folder, content, split="train", name="labels.csv", **options):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return tabular.load(split, path, **OPTIONS | options)


def test_a_column_for_each_class(tmp_path):
    train, test = (load(tmp_path, BY_COLUMN, split) for split in ("train", "test"))
    assert train.class_names == test.class_names == ("cat", "dog")
    assert list(train.images) == [tmp_path / "a.jpg", tmp_path / "sub/b.jpg"]
    assert train.targets.tolist() == [[1, 0], [0, 1]]
    assert test.targets.tolist() == [[-1, 1]]
    assert len(load(tmp_path, BY_COLUMN, keep_empty=True)) == 3


def test_a_column_of_class_names(tmp_path):
    train, test = (load(tmp_path, LISTED, split, "labels.tsv", labels="labels") for split in ("train", "test"))
    assert train.class_names == test.class_names == ("cat", "dog")
    assert train.targets.tolist() == [[1, 1]]
    assert test.targets.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + BY_COLUMN.encode(),
        BY_COLUMN.replace("\n", "\r\n"),
        BY_COLUMN.replace(",", ";"),
        BY_COLUMN.replace("1", "1.0"),
        'image,cat,dog,split\n"a.jpg",1,0,train\nsub/b.jpg,0,1,train\n',
    ],
)
def test_dialects_of_spreadsheets_are_read(tmp_path, content):
    assert load(tmp_path, content).targets.tolist() == [[1, 0], [0, 1]]


def test_json_lines_with_lists(tmp_path):
    rows = [
        {"image": "a.jpg", "labels": ["dog", "cat"], "split": "train"},
        {"image": "b.jpg", "labels": [], "split": "train"},
        {"image": "c.jpg", "labels": ["dog"], "split": "train"},
    ]
    content = "\n".join(map(json.dumps, rows))
    assert load(tmp_path, content, name="labels.jsonl", labels="labels").targets.tolist() == [[1, 1], [0, 1]]


def test_parquet_is_read_where_pyarrow_is(tmp_path):
    table = pyarrow.table({"image": ["a.jpg", "b.jpg"], "labels": [["dog"], ["cat", "dog"]], "split": ["train"] * 2})
    parquet.write_table(table, tmp_path / "labels.parquet")
    split = tabular.load("train", tmp_path / "labels.parquet", **OPTIONS | {"labels": "labels"})
    assert split.targets.tolist() == [[0, 1], [1, 1]]


def test_parquet_without_pyarrow_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="needs pyarrow"):
        load(tmp_path, "", name="labels.parquet")


def test_two_tables(tmp_path):
    (tmp_path / "test.csv").write_text("image,cat\nc.jpg,1\n", encoding="utf-8")
    content = "image,cat\na.jpg,1\nb.jpg,1\n"
    assert len(load(tmp_path, content, test_file=tmp_path / "test.csv")) == 2
    assert len(load(tmp_path, content, "test", test_file=tmp_path / "test.csv")) == 1


def test_boxes_cut_images(tmp_path):
    content = "image,x0,y0,x1,y1,cat,split\na.jpg,0,1.5,3,4,1,train\na.jpg,2,2,9,9,1,train\n"
    split = load(tmp_path, content, boxes=["x0", "y0", "x1", "y1"])
    assert split.class_names == ("cat",)
    np.testing.assert_array_equal(split.boxes, [[0, 1.5, 3, 4], [2, 2, 9, 9]])


def test_the_order_of_classes_can_be_given(tmp_path):
    split = load(tmp_path, LISTED, name="labels.tsv", labels="labels", classes=["dog", "cow", "cat"])
    assert split.class_names == ("dog", "cow", "cat")
    assert split.targets.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("e.jpg,0.5,0,train", "cat is '0.5'; expected 1 (positive), 0 (negative) or -1 (unlabeled)"),
        ("e.jpg,yes,0,train", "cat is 'yes';"),
        ("e.jpg,,1,train", "cat is empty;"),
        (",1,1,train", "the column image is empty"),
        ("e.jpg,1,0,trian", "split is trian; expected train or test"),
        ("e.jpg,1", "split is empty; expected train or test"),
        ("a.jpg,1,0,train", "a.jpg stands there a second time"),
    ],
)
def test_a_faulty_row_is_named_with_its_line_and_left_out(tmp_path, line, fault):
    split = load(tmp_path, f"{BY_COLUMN}{line}\n")
    (found,) = split.faults
    assert found.startswith(f"labels.csv, line 6: {fault}")
    assert split.targets.tolist() == [[1, 0], [0, 1]]


def test_rows_of_a_validation_split_are_left_out(tmp_path):
    split = load(tmp_path, f"{BY_COLUMN}e.jpg,1,0,val\n")
    assert split.faults == ()
    assert len(split) == 2


def test_a_column_without_a_name_is_no_class(tmp_path):
    lines = [f"{number},{line}" for number, line in enumerate(BY_COLUMN.splitlines())]
    lines[0] = lines[0][1:]
    assert load(tmp_path, "\n".join(lines)).class_names == ("cat", "dog")


def test_a_label_with_another_separator_is_named(tmp_path):
    content = LISTED.replace(" | ", ";")
    with pytest.raises(DataError, match=r"Say \"dataset\.separator=';'\""):
        load(tmp_path, content, name="labels.tsv", labels="labels")
    assert load(tmp_path, content, name="labels.tsv", labels="labels", separator=";").class_names == ("cat", "dog")


def test_a_class_of_the_test_table_alone_is_named(tmp_path):
    (tmp_path / "test.csv").write_text("image,cat,cow\nc.jpg,1,1\n", encoding="utf-8")
    with pytest.raises(DataError, match="has the column cow"):
        load(tmp_path, "image,cat\na.jpg,1\n", test_file=tmp_path / "test.csv")


def test_a_class_that_no_training_row_has_is_a_fault(tmp_path):
    split = load(tmp_path, f"{LISTED}d.jpg\tcat|cow\ttest\n", "test", "labels.tsv", labels="labels")
    assert split.faults == (
        "labels.tsv, line 5: unknown class 'cow': not in dataset.classes, or, without that, in no training row",
    )


@pytest.mark.parametrize("box", ["0,0,0,4", "0,0,x,4", "-5,0,-1,4", "0,0,nan,4"])
def test_a_faulty_box_is_a_fault(tmp_path, box):
    content = f"image,l,t,r,b,cat,split\na.jpg,0,0,3,4,1,train\nb.jpg,{box},1,train\n"
    split = load(tmp_path, content, boxes=["l", "t", "r", "b"])
    assert len(split) == len(split.faults) == 1


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (BY_COLUMN.replace("image", "file"), {}, r"no column image, it has file, cat, dog, split"),
        (BY_COLUMN.replace("split", "part"), {}, r"dataset\.split_column=NAME, or a second table"),
        (BY_COLUMN, {"labels": "tags"}, r"dataset\.labels=NAME"),
        (BY_COLUMN, {"boxes": ["l", "t", "r", "b"]}, r"dataset\.boxes=NAME"),
        (BY_COLUMN, {"name": "labels.xlsx"}, r"expected a name that ends in \.csv"),
        ("image,cat,split\na.jpg,1,train,9\n", {}, "line 2 has more cells than the header"),
        (b"image,cat,split\n\xff.jpg,1,train\n", {}, "in UTF-8"),
        ("[1]\n", {"name": "labels.jsonl"}, "line 1 is no JSON object"),
        ("{\n", {"name": "labels.jsonl"}, "cannot be read"),
        ("", {}, "no column image"),
        ("image,cat,cat,split\na.jpg,1,0,train\n", {}, "has the column cat twice"),
        ("image,cat,split\na.jpg,1,test\n", {}, "has no row of the train split"),
        (
            "image,cat,split\na.jpg,1,yes\nb.jpg,1,no\n",
            {"split": "test"},
            "test split; dataset.split_column=split holds no, yes",
        ),
        ("image,cat,notes,split\na.jpg,1,x,train\nb.jpg,1,y,train\n", {}, "the column notes holds no label"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, content, options, said):
    with pytest.raises(DataError, match=said):
        load(tmp_path, content, **options)


def test_wrong_options_are_named(tmp_path):
    with pytest.raises(ValueError, match="boxes: expected the columns of left, top, right, bottom"):
        load(tmp_path, BY_COLUMN, boxes=["x", "y"])
    with pytest.raises(ValueError, match="separator"):
        load(tmp_path, BY_COLUMN, separator="")


def test_a_table_trains_and_counts_by_its_content(tmp_path, capsys):
    names = [f"{number}.jpg" for number in range(24)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(made.jpeg(number))
    lines = [
        f"{name},{number % 2},{1 - number % 2},{'test' if number > 15 else 'train'}\n"
        for number, name in enumerate(names)
    ]
    table = tmp_path / "labels.csv"
    table.write_text("".join(["image,odd,even,split\n", *lines]), encoding="utf-8")
    sizes = [
        "epochs=1",
        "batch_size=16",
        "bucket_size=16",
        "microbatch_size=8",
        "workers=0",
        "transforms.image_size=32",
    ]
    backbone = ["backbone=timm", "backbone.name=test_resnet", "backbone.pretrained=false"]
    command = ["train", "dataset=csv", *sizes, *backbone, f"runs_dir={tmp_path / 'runs'}"]
    assert main([*command, f"dataset.file={table}"]) == 0
    assert read_record(tmp_path / "runs")["dataset"]["class_names"] == ["odd", "even"]
    moved = table.rename(tmp_path / "moved.csv")
    assert main([*command, f"dataset.file={moved}"]) == 0
    assert len(list((tmp_path / "runs").iterdir())) == 1
    assert "finished already" in capsys.readouterr().err
    assert main([*command]) == 2
    assert "dataset.file is needed" in capsys.readouterr().err
    assert main([*command, "dataset.file=nowhere.csv"]) == 3
