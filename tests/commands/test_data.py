"""`margin-bench data`: what is listed, and what a check finds."""

import io
import json
import subprocess
import sys

import pytest
from PIL import Image

from margin_bench.cli import main
from tests.helpers import made

formats = pytest.mark.parametrize("name", list(made.FORMATS))
NUM_SAMPLES = 300  # of each split


def check(overrides, capsys, *options):
    """The exit code and the report of `margin-bench data check --json`."""
    name = overrides[0].removeprefix("dataset=")
    exit_code = main(["data", "check", name, *overrides[1:], "workers=0", "--json", *options])
    return exit_code, json.loads(capsys.readouterr().out)


def first_image(written, suffix):
    return min(path for path in written.root.rglob("*.jpg") if suffix in str(path))


def spoil_coco(root):
    def change(content):
        content["images"].append({"id": 1, "file_name": "../../passwd"})
        content["annotations"].append({"id": 99999, "image_id": 1, "category_id": 3})

    made.edit_json(root / "annotations/instances_train2014.json", change)


def spoil_voc(root):
    (path,) = root.glob("VOCdevkit/*/ImageSets/Main/dog_train*.txt")
    path.write_text(f"{path.read_text(encoding='utf-8')}dog 1 1\n", encoding="utf-8")


def spoil_wider(root):
    def change(content):
        content["images"][-1]["targets"][0].update(bbox=[30, 30, 9, 9])

    made.edit_json(root / "wider_attribute_annotation/wider_attribute_test.json", change)


def spoil_vispr(root):
    made.edit_json(root / "test2017/2017_00001005.json", lambda content: content["labels"].append("a99_new"))


def spoil_vaw(root):
    made.edit_json(root / "train_part2.json", lambda objects: objects[0]["positive_attributes"].append("shiny"))


# For each format how to spoil its annotations, and what is said of it.
ANNOTATION_FAULTS = {
    "coco": (spoil_coco, "train: 'train2014/../../passwd': this file name leads out of the data set"),
    "voc2007": (spoil_voc, "train: dog_trainval.txt, line 301: expected an image and 1, -1 or 0, found 'dog 1 1'"),
    "voc2012": (spoil_voc, "train: dog_train.txt, line 301: expected an image and 1, -1 or 0, found 'dog 1 1'"),
    "wider": (spoil_wider, "24 x 24 pixels, and a box at 30, 30, 39, 39"),
    "vispr": (spoil_vispr, "test: test2017/2017_00001005.json: unknown label a99_new"),
    "vaw": (spoil_vaw, "train: instance 100: unknown attribute shiny"),
}


@formats
def test_a_sound_data_set_has_no_faults(tmp_path, capsys, name):
    written = made.FORMATS[name](tmp_path, NUM_SAMPLES)
    exit_code, report = check(written.overrides, capsys)
    assert exit_code == 0
    assert report["faults"] == []
    assert report["class_names"] == list(written.class_names)
    for split, targets in written.targets.items():
        assert report["splits"][split]["samples"] == len(targets)
        assert report["splits"][split]["positives"] == (targets == 1).sum(0).tolist()
        assert report["splits"][split]["unlabeled_share"] == pytest.approx((targets == -1).mean())
        assert report["splits"][split]["samples"] + report["splits"][split]["left_out"] == NUM_SAMPLES


@formats
def test_every_fault_is_found_and_nothing_else(tmp_path, capsys, name):
    written = made.FORMATS[name](tmp_path, NUM_SAMPLES)
    images = sorted(path for path in tmp_path.rglob("*.jpg"))
    taken = images[:: len(images) // 20]
    expected = []
    for (spoil, said), path in zip(made.IMAGE_FAULTS.values(), taken, strict=False):
        content = spoil(path.read_bytes())
        path.unlink() if content is None else path.write_bytes(content)
        expected.append((path.name, said))
    spoil, said = ANNOTATION_FAULTS[name]
    spoil(tmp_path)
    expected.append(("", said))
    exit_code, report = check(written.overrides, capsys)
    assert exit_code == 3
    unexplained = [fault for fault in report["faults"] if not any(a in fault and b in fault for a, b in expected)]
    assert unexplained == []
    unfound = [(a, b) for a, b in expected if not any(a in fault and b in fault for fault in report["faults"])]
    assert unfound == []


def test_an_image_that_train_and_test_share_is_a_fault(tmp_path, capsys):
    written = made.vispr(tmp_path)
    train, test = first_image(written, "train2017"), first_image(written, "test2017")
    test.write_bytes(train.read_bytes())
    exit_code, report = check(written.overrides, capsys)
    assert (exit_code, report["faults"]) == (3, [f"train and test share an image: '{train}' and '{test}'"])


def test_a_link_out_of_the_data_set_is_a_fault_and_is_not_read(tmp_path, capsys):
    written = made.voc2007(tmp_path / "data")
    image = first_image(written, "JPEGImages")
    image.rename(tmp_path / "elsewhere.jpg")
    image.symlink_to(tmp_path / "elsewhere.jpg")
    exit_code, report = check(written.overrides, capsys)
    assert (exit_code, report["faults"]) == (
        3,
        [f"train: {str(image)!r} is a linked file, to {tmp_path}/elsewhere.jpg, out of {tmp_path}/data"],
    )


def test_signs_in_the_place_of_labels_are_a_fault(tmp_path, capsys):
    for number in range(4):
        (tmp_path / f"{number}.jpg").write_bytes(made.jpeg(number))
    rows = ["image,cat,dog,split", "0.jpg,1,-1,train", "1.jpg,-1,1,train", "2.jpg,1,-1,test", "3.jpg,-1,1,test"]
    (tmp_path / "signs.csv").write_text("\n".join(rows), encoding="utf-8")
    exit_code, report = check(["dataset=csv", f"dataset.file={tmp_path}/signs.csv"], capsys)
    assert exit_code == 3
    assert [fault.partition(",")[0] for fault in report["faults"]] == [
        f"{split}: Targets: expected 1 (positive)" for split in ("train", "test")
    ]


def test_grey_and_rotated_images_are_no_faults(tmp_path, capsys):
    written = made.voc2007(tmp_path)
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (20, 30)).save(buffer, "JPEG", exif=exif)
    paths = sorted(tmp_path.rglob("*.jpg"))
    paths[0].write_bytes(made.encoded("L", "JPEG"))
    paths[1].write_bytes(buffer.getvalue())
    assert check(written.overrides, capsys)[0] == 0


def test_the_text_shows_sizes_beside_the_published_ones(tmp_path, capsys):
    written = made.coco(tmp_path)
    assert main(["data", "check", "coco", *written.overrides[1:], "workers=1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["classes", "3", "80"] in lines
    assert ["train", "29", "82,081"] in lines
    assert ["no", "faults"] in lines


def test_sizes_of_another_year_have_none_beside_them(tmp_path, capsys):
    written = made.coco(tmp_path)
    for folder, year in (("train2014", "train2017"), ("val2014", "val2017")):
        (tmp_path / folder).rename(tmp_path / year)
        for path in (tmp_path / "annotations").glob(f"*{folder}.json"):
            path.rename(path.with_name(path.name.replace("2014", "2017")))
    assert main(["data", "check", "coco", *written.overrides[1:], "dataset.year=2017", "workers=1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["classes", "3", "-"] in lines
    assert ["train", "29", "-"] in lines


def test_a_sheet_shows_samples(tmp_path, capsys):
    written = made.wider(tmp_path)
    assert check(written.overrides, capsys, "--sheet", str(tmp_path / "sheet.png"))[0] == 0
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (1136, 992)
        assert len(sheet.getcolors(1 << 20)) > 1000


def test_digits_can_be_checked_too(capsys):
    exit_code, report = check(["dataset=digits", "dataset.num_train=20", "dataset.num_test=10"], capsys)
    assert exit_code == 0
    assert report["splits"]["train"]["samples"] == 20
    assert report["published"] == {"classes": None, "train": None, "test": None, "labels_per_sample": None}


def test_the_list_says_what_is_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MARGIN_BENCH_DATA", str(tmp_path))
    made.vaw(tmp_path / "vaw")
    assert main(["data", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"vaw           there: {tmp_path}/vaw" in lines
    assert f"coco          not there: {tmp_path}/coco" in lines


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check"], "needs the name of one data set"),
        (["check", "cooco"], "did you mean coco"),
        (["check", "coco", "dataset.yaer=2017"], "did you mean dataset.year"),
        ([], "which action? list, prepare, check"),
        (["chekc", "coco"], "there is no action chekc; did you mean check?"),
        (["check", "coco", "voc2007"], "needs the name of one data set"),
        (["list", "coco"], "takes no more words, got coco"),
        (["prepare", "coco", "--json"], "are for margin-bench data check"),
        (["check", "coco", "--jsno"], "unknown option --jsno; did you mean --json?"),
    ],
)
def test_a_wrong_word_is_named(words, said, capsys):
    assert main(["data", *words]) == 2
    assert said in capsys.readouterr().err


def test_torch_is_not_needed(tmp_path):
    made.voc2007(tmp_path)
    code = (
        "import sys; from margin_bench.cli import main; "
        f"code = main(['data', 'check', 'voc2007', 'dataset.root={tmp_path}', 'workers=0']); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
