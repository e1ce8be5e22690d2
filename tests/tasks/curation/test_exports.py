"""Training sets that their readers' own code reads back as the conversations that went in."""

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import pytest
import yaml
from huggingface_hub import DatasetCard
from pyarrow import parquet

from hm_tasks.code_passk.prompts import chat_prompt
from hm_tasks.curation.candidate import read_records
from hm_tasks.curation.export import EXPORTS, export
from hm_tasks.curation.export.card import Card, CardError
from hm_tasks.curation.export.conversation import conversations
from hm_tasks.curation.export.licences import licence_of_model, licence_of_problem
from hm_tasks.sandbox.extract import extract_program
from hm_tasks.traces.markers import split
from tests.tasks.curation.records import HOSTILE, LONE_SURROGATE, record, written

CARD = Card(
    "demo-0.7",
    models=("org/base", "org/instruct"),
    alphas=(0.7,),
    counts={"verify": {"wrong": 3, "correct": 9}},
    licences={"org/base": "mit", "org/instruct": "mit"},
    protocol={"temperature": 0.7, "n_samples": 11},
)
PROVENANCE = {
    "model": "hm-merged",
    "base": "org/base",
    "instruct": "org/instruct",
    "alpha": 0.7,
    "fingerprint": "f" * 16,
    "seed": 2**62,
    "prompt_sha256": "0" * 64,
    "sampling": {"temperature": 0.7},
    "source": "samples_demo.jsonl",
}


@pytest.fixture(autouse=True)
def _own_datasets_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets-cache")


@pytest.fixture
def records_file(tmp_path):
    records = [record(f"def f(x):\n    return {i} * x", provenance=PROVENANCE) for i in range(10)]
    records += [record("def f(x): return x", reasoning="Double it.\n\nThen\u2028halve it.\0")]
    records += [record(text, provenance={"model": text, "alpha": "[0.2,0.9]"}) for text in HOSTILE]
    return written(records, tmp_path / "5_selected.jsonl")


def exported(name: str, records_file: Path, folder: Path) -> Counter[str]:
    return export(read_records(records_file), {name: folder}, CARD)


def turns(records_file: Path) -> list[tuple[str, str]]:
    return [
        (user, answer) for _, user, answer in conversations(read_records(records_file), Counter())
    ]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def loaded(kind: str, file: Path) -> datasets.Dataset:
    return datasets.load_dataset(kind, data_files=str(file), split="train")


# What each reader makes of a folder: rows of (user's turn, assistant's turn).


def read_hf(folder):
    rows = datasets.load_dataset(str(folder), split="train")
    return [tuple(message["content"] for message in row["messages"]) for row in rows]


def read_openai(folder):
    return [
        tuple(message["content"] for message in row["messages"])
        for row in loaded("json", folder / "train.jsonl")
    ]


def read_alpaca(folder):
    return [
        (f"{row['instruction']}\n{row['input']}", row["output"])
        for row in loaded("json", folder / "alpaca.jsonl")
    ]


def read_sharegpt(folder):
    return [
        tuple(turn["value"] for turn in row["conversations"])
        for row in loaded("json", folder / "sharegpt.jsonl")
    ]


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("hf", read_hf),
        ("openai", read_openai),
        ("llamafactory", read_alpaca),
        ("llamafactory", read_sharegpt),
    ],
)
def test_datasets_reads_back_the_conversations_of_every_form(name, read, records_file, tmp_path):
    counts = exported(name, records_file, tmp_path / "out")
    expected = turns(records_file)
    assert read(tmp_path / "out") == expected
    assert counts["rows"] == len(expected)


@pytest.mark.parametrize("name", EXPORTS)
def test_a_repeated_export_has_the_same_bytes(name, records_file, tmp_path):
    exported(name, records_file, tmp_path / "one")
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.tasks.curation.test_exports import exported\n"
        "exported(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, name, records_file, tmp_path / "two"],
        env=os.environ | {"PYTHONHASHSEED": "5"},
        check=True,
    )
    assert contents(tmp_path / "one") == contents(tmp_path / "two") != {}


def test_all_forms_in_one_pass_are_what_each_is_alone(records_file, tmp_path):
    records = read_records(records_file)  # an iterator: a second pass would find nothing
    export(records, {name: tmp_path / "all" / name for name in EXPORTS}, CARD)
    for name in EXPORTS:
        exported(name, records_file, tmp_path / "alone" / name)
        assert contents(tmp_path / "all" / name) == contents(tmp_path / "alone" / name) != {}


@pytest.mark.parametrize("name", EXPORTS)
def test_what_cannot_be_a_training_example_is_left_out_and_counted(name, tmp_path):
    records = [
        record("x = 1"),
        record(text="no program"),
        record(f"x = '{LONE_SURROGATE}'"),
        record("x = 2", statement=LONE_SURROGATE),
        record("x = '<end_of_solution>'", reasoning="Thought."),
    ]
    file = written(records, tmp_path / "records.jsonl")
    counts = exported(name, file, tmp_path / "out")
    assert sorted(counts.values()) == [1, 1, 1, 2]
    assert counts["rows"] == 1
    readme = (tmp_path / "out" / "README.md").read_text()
    assert all(reason in readme for reason in counts if reason != "rows")


@pytest.mark.parametrize("name", EXPORTS)
def test_an_empty_selection_is_an_empty_set(name, tmp_path):
    file = written([], tmp_path / "records.jsonl")
    assert exported(name, file, tmp_path / "out") == {"rows": 0}
    if name == "hf":  # `datasets` itself refuses a split without rows
        assert parquet.read_table(tmp_path / "out" / "data").num_rows == 0


def test_the_user_asks_what_evaluation_asks(tmp_path):
    one = record("x = 1")
    asked = []

    def apply(messages, *_, **__):
        asked.extend(messages)
        return "".join(message["content"] for message in messages)

    chat_prompt(one.statement, apply, None)
    ((user, _),) = turns(written([one], tmp_path / "records.jsonl"))
    assert user == asked[0]["content"]


def test_the_program_is_found_again_in_either_form_of_answer(tmp_path):
    program = "def f(x):\n    return 2 * x"
    records = [record(program), record(program, reasoning="Double it.")]
    plain, reasoned = (a for _, a in turns(written(records, tmp_path / "records.jsonl")))
    assert split(plain) is None
    assert split(reasoned) == ("Double it.", program)
    assert extract_program(plain, "f") == extract_program(reasoned, "f") == program


def fault_of_openai(line: str) -> str:
    """Why OpenAI would refuse a line of chat data, by the rules of its guide and cookbook."""
    example = json.loads(line)
    if set(example) != {"messages"} or not example["messages"]:
        return "keys of the example"
    for message in example["messages"]:
        if set(message) != {"role", "content"}:
            return "keys of a message"
        if message["role"] not in ("system", "user", "assistant"):
            return "role"
        if not isinstance(message["content"], str) or not message["content"].strip():
            return "content"
    return "" if example["messages"][-1]["role"] == "assistant" else "last role"


def test_openai_has_nothing_to_refuse(records_file, tmp_path):
    exported("openai", records_file, tmp_path / "out")
    raw = (tmp_path / "out" / "train.jsonl").read_bytes()
    lines = raw.decode("utf-8").splitlines()  # also at U+2028, if one were there
    assert len(lines) == len(turns(records_file))
    assert {fault_of_openai(line) for line in lines} == {""}
    assert fault_of_openai(json.dumps({"messages": [{"role": "user", "content": "x"}]}))


def test_too_few_examples_for_openai_are_named_in_the_log(tmp_path, caplog):
    exported("openai", written([record("x")], tmp_path / "r.jsonl"), tmp_path / "out")
    assert "has 1 examples; OpenAI takes files from 10 on" in caplog.text


def test_each_row_says_where_it_is_from(records_file, tmp_path):
    exported("hf", records_file, tmp_path / "out")
    rows = datasets.load_dataset(str(tmp_path / "out"), split="train")
    first, last = rows[0], rows[-1]
    assert first["problem"] == "Demo/1"
    assert (first["alpha"], first["seed"], first["base"]) == (0.7, 2**62, "org/base")
    assert first["behaviour"] == "0123456789abcdef"
    assert json.loads(first["provenance"]) == PROVENANCE
    assert (last["alpha"], last["seed"], last["base"]) == (None, None, None)
    assert json.loads(last["provenance"])["alpha"] == "[0.2,0.9]"


def test_the_hub_reads_models_alpha_counts_and_licences_from_the_card(records_file, tmp_path):
    exported("hf", records_file, tmp_path / "out")
    card = DatasetCard.load(tmp_path / "out" / "README.md")
    assert card.data.license == "mit"
    facts = card.data.to_dict()["hindsight_merging"]
    assert facts["models"] == ["org/base", "org/instruct"]
    assert facts["alphas"] == [0.7]
    assert facts["counts"] == {"verify": {"correct": 9, "wrong": 3}}
    assert facts["licences"] == {"org/base": "mit", "org/instruct": "mit"}
    assert facts["rows"] == len(turns(records_file))
    for words in ("`org/base`: mit", "correct 9, wrong 3", '"temperature": 0.7'):
        assert words in card.content


@pytest.mark.parametrize(
    ("licences", "expected"),
    [
        (["mit", "mit"], "mit"),
        (["mit", "apache-2.0"], "other"),
        (["other (llama3.1)"], "other"),
        (["mit", "not known: see the model's card"], "unknown"),
        ([], "unknown"),
    ],
)
def test_a_set_has_a_licence_only_where_all_its_parts_have_it(licences, expected):
    named = {str(i): licence for i, licence in enumerate(licences)}
    assert Card("x", licences=named).licence() == expected


@pytest.mark.parametrize(
    ("readme", "expected"),
    [
        ("---\nlicense: mit\n---\n# Model", "mit"),
        ("---\r\nlicense: other\r\nlicense_name: llama3.1\r\n---\r\n", "other (llama3.1)"),
        ("---\nlicense: [mit, apache-2.0]\n---\n", "mit, apache-2.0"),
        ("---\nlicense: [\n---\n", "not known: see the model's card"),
        (
            "---\na: &a [x, x]\nb: &b [*a, *a]\nlicense: [*b, *b, mit, {a: *b}]\n---\n",
            "mit",
        ),
        ("license: mit", "not known: see the model's card"),
        (None, "not known: see the model's card"),
    ],
)
def test_a_models_licence_is_what_its_card_says_and_no_guess(
    readme, expected, tmp_path, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--org--model" / "snapshots" / "0123"
    snapshot.mkdir(parents=True)
    (tmp_path / "models--org--model" / "refs").mkdir()
    (tmp_path / "models--org--model" / "refs" / "main").write_text("0123")
    if readme is not None:
        (snapshot / "README.md").write_text(readme, newline="")
    assert licence_of_model("org/model") == expected
    # A folder's name is out of somebody's results: nothing in it is opened.
    assert licence_of_model(str(snapshot)) == "not known: see the model's card"


@pytest.mark.parametrize("name", ["org/never-downloaded", "/no/such/folder", ""])
def test_a_model_that_is_not_here_has_a_licence_that_is_not_known(name):
    assert licence_of_model(name).startswith("not known")


def test_benchmarks_have_their_own_licences():
    assert "cc-by-4.0" in licence_of_problem("Mbpp/2")
    assert "mit" in licence_of_problem("HumanEval/0")
    assert licence_of_problem("mine/1").startswith("not known")


def test_a_name_that_could_leave_its_folder_is_refused():
    with pytest.raises(CardError, match="expected letters, digits"):
        Card("../x")


PYTHON = os.environ.get("HM_LLAMAFACTORY_PYTHON")


@pytest.mark.slow
@pytest.mark.skipif(
    not PYTHON, reason="HM_LLAMAFACTORY_PYTHON names no Python that has llamafactory"
)
@pytest.mark.parametrize("form", ["alpaca", "sharegpt"])
def test_llamafactory_trains_on_the_conversations(form, records_file, tmp_path):
    out, tokenizer = tmp_path / "out", byte_tokenizer(tmp_path / "tokenizer")
    exported("llamafactory", records_file, out)
    # Its own loader, converter, template and tokenization, in the environment that has it.
    script = Path(__file__).with_name("read_by_llamafactory.py")
    result = subprocess.run(
        [PYTHON, script, out, tokenizer, f"demo-0.7_{form}"],
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        | {"HF_HOME": str(tmp_path / "hf-home")},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows = json.loads(result.stdout.splitlines()[-1])
    expected = turns(records_file)
    assert len(rows) == len(expected)
    for (prompt, answer), (user, assistant) in zip(rows, expected, strict=True):
        assert prompt.endswith(f"<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n")
        assert answer == f"{assistant}<|im_end|>\n"


def byte_tokenizer(folder: Path) -> Path:
    """A tokenizer of single bytes: what it decodes is what was encoded."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    ).save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "qwen2"}))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "evil\n---\nlicense: mit\n---\n<script>alert(1)</script>| x |\n[a](javascript:alert(1))",
        "a`b``c <img src=x>",
        "../../../../etc",
        "x" * 300_000,
    ],
)
def test_no_name_of_a_model_gets_out_of_its_place_in_a_card(name):
    card = Card("set", models=(name,), alphas=(name[:50],), licences={name: name[:50]})
    card = dataclasses.replace(card, counts={"read": {f"no problems are known for {name}": 1}})
    header, text = card.header(1, {}, "x.parquet"), card.markdown("Form.", 1, {})
    assert yaml.safe_load(header.split("---\n")[1])["license"] == card.licence()
    assert header.count("\n---") == 1
    outside = re.sub(r"(`+) ?.*? ?\1", "", text.split("## Protocol")[0])
    for markup in ("<script>", "<img", r"(?<!\\)\]\(javascript", "\n---", r"\| x \|"):
        assert not re.search(markup, outside)
