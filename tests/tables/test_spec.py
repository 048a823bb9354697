"""Tables as their YAML files say."""

from pathlib import Path

import pytest
import yaml

from margin_bench.config.sources import Sources, configs_dir
from margin_bench.config.yaml_files import read_yaml
from margin_bench.errors import ConfigError
from margin_bench.tables.spec import read_table

SOURCES = Sources()
PAPER = [f"table{number}" for number in range(1, 8)]
COLUMNS = "caption: a\ncolumns: {name: x, key: y, values: [1, 2]}\n"


def write_table(folder: Path, text: str, name: str = "mine") -> Sources:
    (folder / "table").mkdir(exist_ok=True)
    (folder / "table" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return Sources(folder)


def mistake(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read_table("mine", write_table(folder, text))
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def words(name: str) -> list[str]:
    """The overrides of every cell of a table."""
    return [
        " ".join(block.words_of(row, column))
        for block in read_table(name, SOURCES).blocks
        for row, column in block.pairs()
    ]


@pytest.mark.parametrize(
    ("name", "num_cells", "num_published", "num_unknown"),
    [
        ("table1", 20, 40, 0),
        ("table2", 5, 4, 6),
        ("table3", 6, 11, 1),
        ("table4", 6, 12, 0),
        ("table5", 6, 2, 10),
        ("table6", 6, 24, 0),
        ("table7", 120, 240, 0),
    ],
)
def test_the_papers_tables_have_their_cells_and_what_is_known_of_them(name, num_cells, num_published, num_unknown):
    published = [number for block in read_table(name, SOURCES).blocks for number in block.published.values()]
    assert len(words(name)) == num_cells
    assert sum(number is not None for number in published) == num_published
    assert published.count(None) == num_unknown


@pytest.mark.parametrize(
    ("name", "block", "cell", "number"),
    [
        ("table1", 0, ("map_class", "0", "0.5"), 71.03),
        ("table1", 0, ("map_sample", "4", "2"), 86.66),
        ("table2", 0, ("map_class", "", "4"), 73.44),
        ("table3", 1, ("map_sample", "", "class"), 69.15),
        ("table4", 1, ("map_class", "", "2"), 71.71),
        ("table5", 0, ("map_sample", "", "128"), 86.66),
        ("table6", 0, ("num_train", "", "vaw"), 229076),
        ("table7", 0, ("map_class", "two-way", "resnet50"), 74.11),
        ("table7", 5, ("map_sample", "bce", "regnet_y_32gf"), 94.05),
    ],
)
def test_published_numbers_stand_at_their_cells(name, block, cell, number):
    assert read_table(name, SOURCES).blocks[block].published[cell] == number


def test_every_word_of_the_papers_tables_is_a_known_choice():
    for name in PAPER:
        for word in {word for cell in words(name) for word in cell.split() if "." not in word.partition("=")[0]}:
            key, _, option = word.partition("=")
            if key != "bucket_size":
                assert (configs_dir() / key / f"{option}.yaml").is_file(), word


def test_the_table_of_ways_finds_all_losses_by_itself():
    files = (configs_dir() / "loss").glob("*.yaml")
    kinds = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["about"]["kind"] for path in files}
    relative, point_wise = read_table("ways", SOURCES).blocks
    assert [row.label for row in relative.rows.entries] == sorted(n for n, kind in kinds.items() if kind == "relative")
    assert [row.label for row in point_wise.rows.entries] == sorted(n for n, k in kinds.items() if k == "point-wise")


def test_a_table_may_give_a_loss_of_the_users_own_a_parameter(tmp_path):
    sources = write_table(tmp_path, "caption: Mine\nbase: loss=own loss._target_=mine.Loss +loss.gamma=2.0\n")
    (block,) = read_table("mine", sources).blocks
    assert block.words == ("loss=own", "loss._target_=mine.Loss", "+loss.gamma=2.0")


def test_a_table_of_the_users_own_is_one_file(tmp_path):
    sources = write_table(
        tmp_path, "caption: Mine\nrows: {name: gamma, key: loss.gamma, values: [0.5, 1e-5, null, true]}\n"
    )
    (block,) = read_table("mine", sources).blocks
    assert [(row.label, row.words) for row in block.rows.entries] == [
        ("0.5", ("loss.gamma=0.5",)),
        ("1e-05", ("loss.gamma=1e-05",)),
        ("null", ("loss.gamma=null",)),
        ("true", ("loss.gamma=true",)),
    ]
    assert {"mine", *PAPER} <= set(sources.options("table"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("base: loss=bce\n", "caption is missing"),
        ("caption: a\nrow: {}\n", "there is no key row; did you mean rows?"),
        ("caption: a\nrows: {name: x, values: [1]}\n", "key is missing"),
        ("caption: a\nrows: {name: x, key: loss, values: relatve}\n", "there is no loss of the kind relatve"),
        ("caption: a\nbase: loss\n", "loss: expected key=value"),
        ("caption: a\nbase: ~loss.way=1\n", "~loss.way=1: expected key=value, or +key=value of a key"),
        ("caption: a\nbase: +seed=1\n", "+seed=1: a table says what is trained"),
        ("caption: a\nmeasures: [map_class, num_train]\n", "measures: expected some of map_class"),
        ("caption: a\nrows: {name: x, key: y}\n", "rows: values is missing"),
        ("caption: a\nrows: {name: x, key: y, values: []}\n", "rows.values: expected one or more"),
        ("caption: a\nrows: {name: x, values: {}}\n", "rows.values: expected one or more"),
        ("caption: a\nrows: {name: x, key: y, values: [[1, 2]]}\n", "rows.values: expected numbers or names"),
        ("caption: a\nrows: {name: x, values: {b: {y: 1}}}\n", "rows.values: expected key=value, got {'y': 1}"),
        ("caption: a\nrows: {name: x, key: y, values: [4, 4.0]}\n", "rows.values: 4 is there twice"),
        ("caption: a\nrows: {name: x, values: {b: y=1, b: y=2}}\n", "b is there twice"),
        ("caption: a\nrows: {name: x, key: y, values: ['1,2']}\n", "rows.values: y=1,2: expected one value"),
        ("caption: a\nrows: [1]\n", "rows: expected keys with values"),
        ("caption: a\nbase: loss=a,b\n", "base: loss=a,b: expected one value"),
        ("caption: a\nbase: epochs=range(3)\n", "base: epochs=range(3): expected one value"),
        ("caption: a\nbase: loss=[a\n", "base: loss=[a: expected key=value"),
        ("caption: a\nbase: {loss: bce}\n", "base: expected key=value, got {'loss': 'bce'}"),
        ("caption: a\nbase: loss=bce seed=1\n", "base: seed=1: a table says what is trained"),
        ("caption: a\nbase: runs_dir=/tmp\n", "runs_dir is for the command line"),
        ("caption: a\nbase: hydra/launcher=basic\n", "hydra/launcher is for the command line"),
        ("caption: a\nrows: {name: x, key: devices, values: [1, 2]}\n", "rows.values: devices=1: a table says"),
        ("caption: a\ncolumns: {name: x, values: {b: dataset.root=/data}}\n", "dataset.root is for the command line"),
        ("caption: a\nblocks: {b: {base: loss.about.kind=relative}}\n", "loss.about.kind is for the command line"),
        ("caption: a\nblocks: {}\n", "blocks: expected one or more"),
        ("caption: a\nblocks: [b]\n", "blocks: expected keys with values"),
        ("caption: a\nblocks: {b: loss=bce}\n", "blocks.b: expected keys with values"),
        ("caption: a\nblocks: {b: {row: {}}}\n", "blocks.b: there is no key row; did you mean rows?"),
        ("caption: a\nmeasures: 3\n", "measures: expected some of map_class"),
        ("caption: a\nmeasures: []\n", "measures: expected some of map_class"),
        ("caption: a\nmeasures: [num_train]\n", "measures: facts are about data sets: say dataset=NAME"),
        ("caption: a\npublished: {map_clas: 1}\n", "published: there is no key map_clas; did you mean map_class"),
        ("caption: a\npublished: [1]\n", "published: expected keys with values"),
        ("caption: a\npublished: {map_class: '1'}\n", "published.map_class: expected numbers"),
        (f"{COLUMNS}published: {{map_class: [1]}}\n", "published.map_class: expected something for each of 1, 2"),
        (f"{COLUMNS}published: {{map_class: 1}}\n", "published.map_class: expected something for each of 1, 2"),
        (f"{COLUMNS}published: {{map_class: [1, [2]]}}\n", "published.map_class: expected numbers"),
        (f"{COLUMNS}published: {{map_class: {{1: 3, 3: 4}}}}\n", "expected something for each of 1, 2"),
        ("caption: [a\n", "mine.yaml"),
        ("- a\n", "mine.yaml: expected keys with values"),
        ("", "caption is missing"),
    ],
)
def test_a_file_that_is_no_table_is_told(text, said, tmp_path):
    told = mistake(tmp_path, text)
    assert said in told
    assert "mine.yaml" in told


def test_a_file_that_is_not_in_utf_8_is_told(tmp_path):
    sources = write_table(tmp_path, "")
    (tmp_path / "table" / "mine.yaml").write_bytes("caption: größer\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"mine\.yaml cannot be read: 'utf-8' codec"):
        read_table("mine", sources)


def test_published_numbers_are_given_by_labels_or_in_order(tmp_path):
    by_label = write_table(tmp_path, f"{COLUMNS}published: {{map_class: {{2: 4, 1: 3}}}}\n", "by_label")
    in_order = write_table(tmp_path, f"{COLUMNS}published: {{map_class: [3, 4]}}\n", "in_order")
    (one,), (other,) = read_table("by_label", by_label).blocks, read_table("in_order", in_order).blocks
    assert one.published == other.published == {("map_class", "", "1"): 3, ("map_class", "", "2"): 4}


def test_a_table_that_is_not_there_is_told_with_near_ones():
    with pytest.raises(ConfigError, match="there is no table tabel3; did you mean table3"):
        read_table("tabel3", SOURCES)


def test_numbers_are_read_as_hydra_reads_them(tmp_path):
    (tmp_path / "a.yaml").write_text("rate: 1e-4\nname: on\n", encoding="utf-8")
    assert read_yaml(tmp_path / "a.yaml")["rate"] == 1e-4
