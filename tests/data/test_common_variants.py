"""Tables and annotations as people have them: exported by spreadsheets, pandas and labelling tools."""

import json

import pytest

from margin_bench.cli import main
from tests.helpers import made

ROWS = {"a.jpg": ("cat", "dog"), "b.jpg": ("dog",), "c.jpg": ("cat",), "d.jpg": ("cat", "dog")}
SPLITS = ("train", "train", "train", "test")
COLUMNS = "image,cat,dog,split\na.jpg,1,1,train\nb.jpg,0,1,train\nc.jpg,1,0,train\nd.jpg,1,1,test\n"


@pytest.fixture
def check(tmp_path, monkeypatch, capsys):
    """Examine a data set of four images by the command; return its exit code, its report, and what it says."""
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path / "cache"))
    for number, name in enumerate(ROWS):
        (tmp_path / name).write_bytes(made.jpeg(number))

    def of(*words):
        exit_code = main(["data", "check", *words, "workers=0", "--json"])
        printed = capsys.readouterr()
        return exit_code, json.loads(printed.out) if printed.out else None, printed.err

    return of


def assert_is_cats_and_dogs(report):
    assert report["class_names"] == ["cat", "dog"]
    assert report["splits"]["train"]["positives"] == [2, 2]
    assert report["splits"]["test"]["positives"] == [1, 1]


def listed(written):
    """A table with the names of each row's classes as `written` has them."""
    lines = [f"{name}\t{written(names)}\t{split}" for (name, names), split in zip(ROWS.items(), SPLITS, strict=True)]
    return "\n".join(["image\tlabels\tsplit", *lines])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (COLUMNS.encode("utf-8-sig"), []),
        (COLUMNS.encode("utf-16"), []),
        (COLUMNS.replace("\n", "\r\n\r\n").encode(), []),
        (COLUMNS.replace(",", "; ").encode(), []),
        (COLUMNS.replace(",", "\t").encode(), []),
        (COLUMNS.replace(",", ", ").replace("image", "filename").encode(), ["dataset.image=filename"]),
        (COLUMNS.replace(",", " , ").replace(".jpg ", ".jpg").encode(), []),
        (COLUMNS.replace("1", "True").replace("0", "False").encode(), []),
        (COLUMNS.replace("1", "TRUE").replace("0", "false").encode(), []),
        (COLUMNS.replace("1", "1.0").replace(",0", ",0.00").encode(), []),
        (COLUMNS.replace("train", "Train ").encode(), []),
        (COLUMNS.replace(",0", ",").encode(), ["dataset.blank=negative"]),
        (COLUMNS.replace(",0", ",nan").encode(), ["dataset.blank=0"]),
        (
            COLUMNS.replace("split", "is_valid").replace("train", "False").replace("test", "True").encode(),
            ["dataset.split_column=is_valid"],
        ),
        (
            COLUMNS.replace("split", "is_valid").replace("train", "0").replace("test", "1").encode(),
            ["dataset.split_column=is_valid"],
        ),
        (
            COLUMNS.replace("cat,dog", "sex,cat,dog").replace(".jpg", ".jpg,F").encode(),
            ["dataset.classes=[cat,dog]"],
        ),
    ],
)
def test_a_table_with_a_column_for_each_class(check, tmp_path, content, words):
    (tmp_path / "labels.csv").write_bytes(content)
    exit_code, report, _ = check("csv", f"dataset.file={tmp_path}/labels.csv", *words)
    assert (exit_code, report["faults"]) == (0, [])
    assert_is_cats_and_dogs(report)


@pytest.mark.parametrize(
    "written",
    [
        lambda names: " | ".join(names),
        lambda names: str(list(names)),
        lambda names: str(tuple(names)),
        lambda names: str(set(names)),
        lambda names: json.dumps(names),
        lambda names: f"[{' '.join(map(repr, names))}]",
        lambda names: json.dumps({"choices": names}) if len(names) > 1 else names[0],
        lambda names: json.dumps({"choices": names[0]}) if len(names) == 1 else json.dumps(names),
    ],
)
def test_a_column_of_names(check, tmp_path, written):
    rows = [line.split("\t") for line in listed(written).split("\n")]
    quoted = "\n".join("\t".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    (tmp_path / "labels.tsv").write_text(quoted, encoding="utf-8")
    exit_code, report, _ = check("csv", f"dataset.file={tmp_path}/labels.tsv", "dataset.labels=labels")
    assert (exit_code, report["faults"]) == (0, [])
    assert_is_cats_and_dogs(report)


@pytest.mark.parametrize("separator", [" ", "#", "/", ";", ",", "&"])
def test_another_separator_is_noticed_and_its_proposal_works(check, tmp_path, separator):
    (tmp_path / "labels.tsv").write_text(listed(separator.join), encoding="utf-8")
    words = ["csv", f"dataset.file={tmp_path}/labels.tsv", "dataset.labels=labels"]
    exit_code, _, said = check(*words)
    assert exit_code == 3
    proposed = f"dataset.separator='{separator}'"
    assert f'"{proposed}"' in said
    exit_code, report, _ = check(*words, proposed)
    assert exit_code == 0
    assert_is_cats_and_dogs(report)


def test_names_with_blanks_are_no_separator(check, tmp_path):
    names = {"cat": "house cat", "dog": "hot dog"}
    (tmp_path / "labels.tsv").write_text(listed(lambda row: "|".join(names[n] for n in row)), encoding="utf-8")
    exit_code, report, _ = check("csv", f"dataset.file={tmp_path}/labels.tsv", "dataset.labels=labels")
    assert (exit_code, report["class_names"]) == (0, ["hot dog", "house cat"])


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ('["cat", null]', "found None in the list"),
        ('["cat", {"name": "dog"}]', "found {'name': 'dog'} in the list"),
        ('[["cat"], ["dog"]]', "found ['cat'] in the list"),
        ('["cat", NaN]', "found nan in the list"),
        ('{"labels": ["cat"]}', "found an object with labels"),
        ("[cat, dog]", "expected a list of classes in JSON or Python"),
    ],
)
def test_a_list_with_what_is_no_name_is_a_fault_of_its_line(check, tmp_path, cell, said):
    rows = [("image", "labels", "split"), ("a.jpg", "cat", "train"), ("b.jpg", cell, "train"), ("d.jpg", "cat", "test")]
    lines = ["\t".join('"' + each.replace('"', '""') + '"' for each in row) for row in rows]
    (tmp_path / "labels.tsv").write_text("\n".join(lines), encoding="utf-8")
    exit_code, report, _ = check("csv", f"dataset.file={tmp_path}/labels.tsv", "dataset.labels=labels")
    assert exit_code == 3
    (fault,) = report["faults"]
    assert fault.startswith("train: labels.tsv, line 3")
    assert said in fault


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        (COLUMNS.replace(",0", ","), [], "dataset.blank=negative or dataset.blank=unlabeled"),
        (COLUMNS.replace(",split", ",part"), [], "dataset.split_column=none data.holdout=0.2"),
        (COLUMNS.replace(",split", ",is_valid"), [], "is_valid looks like it"),
        ("image,cat,split,is_valid\na.jpg,1,train,0\nd.jpg,1,test,1\n", [], "dataset.split_column=is_valid"),
        (COLUMNS.replace("cat,dog", "sex,cat,dog").replace(".jpg", ".jpg,F"), [], "dataset.classes=[cat,dog]"),
        (COLUMNS.replace("a.jpg", "a\ufeff .jpg"), [], r"'a\ufeff .jpg'"),
        (COLUMNS, ["dataset.blank=positive"], "blank: expected one of negative, unlabeled"),
        (COLUMNS, ["dataset.classes=cat"], "classes: expected a list"),
        (COLUMNS, ["dataset.labels=[cat]"], "labels: expected a text or null"),
        (COLUMNS, ["dataset.boxes=bbox"], "boxes: expected a list"),
        (COLUMNS, ["dataset.file=null"], "file: expected a text"),
    ],
)
def test_a_refusal_says_what_to_do(check, tmp_path, content, words, said):
    (tmp_path / "labels.csv").write_text(content, encoding="utf-8")
    exit_code, report, told = check("csv", f"dataset.file={tmp_path}/labels.csv", *words)
    assert exit_code in (2, 3)
    assert said in told + str(report and [fault.encode().decode("unicode_escape") for fault in report["faults"]]) or (
        said in str(report and report["faults"])
    )
    assert "Traceback" not in told


def test_a_table_without_a_split_is_examined_as_it_trains(check, tmp_path):
    (tmp_path / "labels.csv").write_text("image,cat\na.jpg,1\nb.jpg,1\nc.jpg,1\nd.jpg,1\n", encoding="utf-8")
    words = [f"dataset.file={tmp_path}/labels.csv", "dataset.split_column=none", "data.holdout=0.25"]
    exit_code, report, _ = check("csv", *words)
    assert (exit_code, report["splits"]["train"]["samples"], report["splits"]["test"]["samples"]) == (0, 3, 1)


CATEGORIES = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


def coco(tmp_path, encode=lambda text: text.encode(), categories=CATEGORIES, name=lambda each: each, **more):
    """Write both annotation files of the four images; return the words that choose them."""
    for split in ("train", "test"):
        rows = [(each, names) for (each, names), of in zip(ROWS.items(), SPLITS, strict=True) if of == split]
        content = {
            "images": [{"id": number, "file_name": name(each)} for number, (each, _) in enumerate(rows)],
            "annotations": [
                {"id": 10 * number + column, "image_id": number, "category_id": column, **more}
                for number, (_, names) in enumerate(rows)
                for column, known in ((1, "cat"), (2, "dog"))
                if known in names
            ],
            "categories": categories,
        }
        (tmp_path / f"{split}.json").write_bytes(encode(json.dumps(content, ensure_ascii=False)))
    return ["folder_json", f"dataset.file={tmp_path}/train.json", f"dataset.test_file={tmp_path}/test.json"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"encode": lambda text: text.encode("utf-8-sig")},
        {"encode": lambda text: text.encode("utf-16")},
        {"name": lambda each: f"./{each}"},
        {"name": lambda each: f"sub/../{each}"},
        {"name": lambda each: f".\\{each}"},
        {"id": 5},  # of every annotation
        {"categories": [{"id": 0, "name": "pets", "supercategory": "none"}, *CATEGORIES]},
        {"categories": [{"id": 0, "name": "cat"}, *CATEGORIES]},
        {"categories": [{"id": 1, "name": " cat"}, {"id": 2, "name": "dog "}]},
    ],
)
def test_annotations_of_coco_as_tools_export_them(check, tmp_path, options):
    exit_code, report, _ = check(*coco(tmp_path, **options))
    assert (exit_code, report["faults"]) == (0, [])
    assert_is_cats_and_dogs(report)


def test_absolute_names_inside_of_the_root_are_read(check, tmp_path):
    exit_code, report, _ = check(*coco(tmp_path, name=lambda each: str(tmp_path / each)))
    assert exit_code == 0
    assert_is_cats_and_dogs(report)


def test_a_category_above_the_classes_and_doubled_ids_are_noted(check, tmp_path):
    words = coco(tmp_path, categories=[{"id": 0, "name": "pets"}, *CATEGORIES], id=5)
    _, report, _ = check(*words)
    assert "train: the category 'pets' of id 0 has no annotation and is left out" in report["notes"]
    assert any("annotation ids that stand more than once" in note for note in report["notes"])


@pytest.mark.parametrize("name", [None, float("nan"), "", "  ", True, ["cat"], {"en": "cat"}])
def test_a_category_whose_name_is_no_text_is_a_fault(check, tmp_path, name):
    exit_code, report, said = check(*coco(tmp_path, categories=[{"id": 1, "name": name}, CATEGORIES[1]]))
    assert exit_code == 3
    assert "name" in (said if report is None else report["faults"][0]) or "unhashable" in said


def test_ids_that_are_text_are_named_as_text(check, tmp_path):
    exit_code, report, _ = check(*coco(tmp_path, categories=[{"id": "1", "name": "cat"}, {"id": "2", "name": "dog"}]))
    assert exit_code == 3
    assert (
        "category 1, which is not listed: it is a number, and the id of the category is a text" in report["faults"][0]
    )


def test_each_split_may_have_a_folder_of_its_own(check, tmp_path):
    for split, names in {"train": "abc", "test": "d"}.items():
        (tmp_path / "images" / split).mkdir(parents=True)
        for name in names:
            (tmp_path / f"{name}.jpg").rename(tmp_path / "images" / split / f"{name}.jpg")
    roots = [f"dataset.root={tmp_path}/images/train", f"dataset.test_root={tmp_path}/images/test"]
    exit_code, report, _ = check(*coco(tmp_path), *roots)
    assert exit_code == 0
    assert_is_cats_and_dogs(report)


def test_a_linked_folder_is_named_and_may_be_allowed(check, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for name in ROWS:
        (tmp_path / name).rename(elsewhere / name)
    (tmp_path / "photos").symlink_to(elsewhere)
    words = coco(tmp_path, name=lambda each: f"photos/{each}")
    exit_code, report, _ = check(*words)
    assert (exit_code, len(report["faults"])) == (3, 2)
    assert report["faults"][0].startswith(f"train: '{tmp_path}/photos' is a linked folder, to {elsewhere}")
    exit_code, report, _ = check(*words, "dataset.follow_links=true")
    assert (exit_code, report["faults"]) == (0, [])
    assert_is_cats_and_dogs(report)


def test_a_wrong_root_is_told_in_a_line_for_each_split(check, tmp_path):
    (tmp_path / "none").mkdir()
    exit_code, report, _ = check(*coco(tmp_path), f"dataset.root={tmp_path}/none")
    assert exit_code == 3
    assert [fault.partition(" missing")[0] for fault in report["faults"]] == ["train: 3 of 3 are", "test: 1 of 1 are"]
