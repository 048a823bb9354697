"""`margin-bench tables`, as a user types it."""

import gc
import re
from pathlib import Path

import pytest

from margin_bench.cli import main
from tests.helpers.cli import run_cli
from tests.helpers.synthetic_runs import write_run


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(2):
        write_run(folder, "dataset=digits loss=twoway", seed)
        write_run(folder, "dataset=digits loss=hinge", seed)
    write_run(folder, "dataset=coco loss=asl")
    return folder


def test_tables_are_shown_without_torch(runs_dir):
    done = run_cli("tables", "table3", "dataset=digits", f"runs_dir={runs_dir}", check_modules="torch numpy sklearn")
    assert done.returncode == 0, done.stderr
    assert "| mAP@class  | 50.00 ± 0.00 (2) | missing | missing |" in done.stdout
    assert (
        f"margin-bench train runs_dir={runs_dir} -m dataset=digits loss=softmax loss.way=class precision=fp32 seed=0,1"
        in done.stdout
    )


def test_without_a_name_every_table_that_has_a_record_is_shown(runs_dir, capsys):
    assert main(["tables", f"runs_dir={runs_dir}"]) == 0
    titles = [line for line in capsys.readouterr().out.splitlines() if line.startswith("## ")]
    assert titles == [
        "## table1 dataset=digits",
        "## table3 dataset=digits",
        "## table5 dataset=digits",
        "## table6",
        "## table6 dataset=digits",
        "## table7",
        "## table7 dataset=digits backbone=digits",
        "## ways",
        "## ways dataset=digits",
    ]


def test_without_a_name_a_table_that_has_no_place_for_a_data_set_is_not_shown_on_it(runs_dir, tmp_path, capsys):
    values = "{a: dataset=coco epochs=1, b: dataset=vaw epochs=2}"
    (tmp_path / "table").mkdir()
    (tmp_path / "table" / "mine.yaml").write_text(
        f"caption: a\nrows: {{name: data, values: {values}}}\n", encoding="utf-8"
    )
    assert main(["tables", f"runs_dir={runs_dir}", "--config-dir", str(tmp_path)]) == 0
    assert "## mine" not in capsys.readouterr().out


def test_each_table_is_a_file_where_a_folder_is_given(runs_dir, tmp_path, capsys):
    words = [
        "table3",
        "table6",
        "dataset=digits",
        f"runs_dir={runs_dir}",
        "--output",
        str(tmp_path),
        "--format",
        "html",
    ]
    assert main(["tables", *words]) == 0
    assert capsys.readouterr().out.split() == [str(tmp_path / f"{name}-digits.html") for name in ("table3", "table6")]
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert main(["tables", *words]) == 0
    assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ([], "table3"),
        (["backbone=digits", "dataset=digits"], "table3-digits-digits"),
        (["backbone=digits"], "table3--backbone-digits"),
        (["optim.head_lr=0.1", "dataset=digits", "epochs=6"], "table3-digits--epochs-6--optim.head_lr-0.1"),
        (["optim.weight_decay=1e-4"], "table3--optim.weight_decay-1e-4"),
        (["dataset=digits", "search.lr=[0.2,0.1]"], "table3-digits--search.lr-0.1-0.2"),
        (["seeds=3", "workers=2", "dataset.root=/data"], "table3"),
        (["+dataset.note=a b"], "table3--dataset.note-a_b-********"),
        (["+dataset.note=a_b"], "table3--dataset.note-a_b"),
        (["+dataset.note=a--b"], "table3--dataset.note-a--b-********"),
        (["+dataset.note=[a,b]"], "table3--dataset.note-_a_b_-********"),
    ],
)
def test_a_file_is_named_by_all_that_decides_the_runs(words, name, tmp_path, capsys):
    assert main(["tables", "table3", *words, f"runs_dir={tmp_path}", "--output", str(tmp_path)]) == 0
    written = Path(capsys.readouterr().out.strip())
    assert re.sub(r"-[0-9a-f]{8}\.md$", "-********.md", written.name) == f"{name}.md"


def test_words_that_would_make_one_name_make_two(tmp_path, capsys):
    words = ("+dataset.note=a-b", "+dataset.note=a_b", "+dataset.note=a b", "+dataset.note=[a,b]")
    for word in words:
        assert main(["tables", "table3", word, f"runs_dir={tmp_path}", "--output", str(tmp_path)]) == 0
    assert len(set(capsys.readouterr().out.split())) == len(words)


def test_a_very_long_name_is_cut(tmp_path, capsys):
    words = [f"optim.{key}=0.00000000000000000000001" for key in ("head_lr", "backbone_lr", "weight_decay")]
    assert main(["tables", "table3", *words, f"runs_dir={tmp_path}", "--output", str(tmp_path)]) == 0
    (path,) = tmp_path.iterdir()
    assert len(path.name) < 140


def test_without_a_record_nothing_is_shown(tmp_path, capsys):
    assert main(["tables", f"runs_dir={tmp_path}"]) == 0
    assert "no record in" in capsys.readouterr().out
    assert main(["tables", "table2", f"runs_dir={tmp_path}"]) == 0
    assert "| mAP@class  | missing [unknown] |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tabel1"], "did you mean table1"),
        (["table1", "datset=digits"], "there is no key datset"),
        (["datset=digits"], "there is no key datset; did you mean dataset"),
        (["table1", "dataset=digitz"], "there is no dataset digitz; did you mean digits?"),
        (["table1", "epochs=x"], "epochs=x: expected"),
        (
            ["table7", "backbone=digits", "loss.gama=2"],
            "loss.gama=2: there is no key loss.gama",
        ),
        (
            ["table1", "loss=hinge"],
            "table1 does not go together with loss=hinge: loss.way=both: hinge is point-wise",
        ),
        (["table7", "loss=hinge"], "along loss, table7 varies more than loss alone"),
        (["table1", "epochs=1,2"], "epochs=1,2: expected one value"),
        (["table1", "epochs=[1"], "epochs=[1: expected key=value"),
        (["table1", "~epochs=1"], "a table cannot take a key away"),
        (["table1", "hydra/launcher=basic"], "hydra/launcher=basic is for runs"),
        (["table1", "--multirun"], "unknown option --multirun"),
        (["table1", "seed=3"], "a table takes several seeds: seeds=3"),
        (["table1", "seeds=0"], "expected how many"),
        (["table1", "search.lr=[0.1]"], "expected two rates or more"),
        (["table1", "--format", "word"], "invalid choice"),
        (["table1", "--dry-run"], "--dry-run"),
        (["table1", "--config-dir", "nowhere"], "is no folder"),
    ],
)
def test_mistakes_are_told(words, said, tmp_path, capsys):
    assert main(["tables", *words, f"runs_dir={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) <= 3


def test_a_folder_of_records_that_is_not_there_is_told(tmp_path, capsys):
    assert main(["tables", "table1", f"runs_dir={tmp_path}/runz"]) == 2
    assert f"runs_dir={tmp_path}/runz is no folder" in capsys.readouterr().err


def test_garbage_is_collected_again_afterwards(tmp_path):
    assert main(["tables", f"runs_dir={tmp_path}"]) == 0
    assert gc.isenabled()


def test_without_a_name_tables_that_have_no_place_for_a_word_are_not_shown(tmp_path, capsys):
    write_run(tmp_path, "dataset=digits loss=twoway loss.way=class")
    assert main(["tables", "loss.way=class", f"runs_dir={tmp_path}"]) == 0
    shown = capsys.readouterr().out
    assert "## table3" in shown
    assert "## table4" not in shown


def test_without_a_name_a_table_is_called_as_by_its_name(tmp_path, capsys):
    write_run(tmp_path, "dataset=digits loss=twoway epochs=3")
    assert main(["tables", "table3", "dataset=digits", "epochs=3", f"runs_dir={tmp_path}"]) == 0
    by_name = capsys.readouterr().out
    for words in (["epochs=3"], ["dataset=digits", "epochs=3"]):
        assert main(["tables", *words, f"runs_dir={tmp_path}"]) == 0
        assert by_name.strip() in capsys.readouterr().out


def test_runs_that_are_in_no_table_are_counted(tmp_path, capsys):
    write_run(tmp_path, "dataset=digits")
    assert main(["tables", f"runs_dir={tmp_path}"]) == 0
    assert "in none of these tables" not in capsys.readouterr().err
    write_run(tmp_path, f"dataset=csv dataset.name=birds dataset.file={__file__} backbone=digits loss=bce")
    assert main(["tables", f"runs_dir={tmp_path}"]) == 0
    assert "1 finished run on birds in none of these tables" in capsys.readouterr().err
