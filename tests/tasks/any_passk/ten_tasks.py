"""Ten tasks of the harness with invented rows in the form of their data sets, and answers of every kind.

    >>> [case.task for case in CASES][:3]
    ['gsm8k_cot', 'gsm8k_cot_zeroshot', 'minerva_math500']

Prompts, filters and `process_results` are the harness's own: a YAML that includes its YAML says where the rows
come from, and nothing else.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import lm_eval.tasks
from lm_eval.api.registry import get_model

THEIRS = Path(lm_eval.tasks.__file__).parent
# Said to every question beside its own answers: nothing, blanks, a stop string, characters of all sorts.
ODD = [
    "",
    " \n\t ",
    "[invalid]",
    "Ответ: ４２ ٤ 十 ½ 🧮\u2028\u0085\u200b\ufeff e\u0301 \u202e$\\boxed{}$",
    "The answer is \x00.",
]


@dataclasses.dataclass(frozen=True)
class Case:
    """A task of the harness, rows for it, and what is answered to each row.

    Attributes:
        file: the harness's YAML of it, below its `tasks`.
        splits: the names under which it looks for rows; each gets all of them.
        answers: for each row, without ODD.
    """

    task: str
    file: str
    splits: tuple[str, ...]
    rows: list[dict[str, Any]]
    answers: list[list[str]]

    def yaml_in(self, folder: Path) -> Path:
        """Write the rows there, and a YAML that is the harness's but for where its rows come from."""
        rows = folder / self.task
        rows.mkdir()
        text = "".join(json.dumps(row) + "\n" for row in self.rows)
        for split in self.splits:
            (rows / f"{split}.jsonl").write_text(text, encoding="utf-8")
        theirs = {
            "include": str(THEIRS / self.file),
            "dataset_path": str(rows),
            "dataset_name": None,
            "dataset_kwargs": {"cache_dir": str(folder / "cache")},
        }
        file = folder / f"{self.task}.yaml"
        file.write_text(json.dumps(theirs | {"task": self.task}), encoding="utf-8")
        return file

    def given(self) -> list[list[str]]:
        """What is answered to each row, equally often to each: some answers come twice."""
        most = max(map(len, self.answers))
        return [[*islice(cycle(answers), most), *ODD] for answers in self.answers]


class Saying(get_model("dummy")):
    """Says what it is given: one text after the other for each question."""

    def __init__(self, given: list[list[str]]) -> None:
        super().__init__()
        self.given = given

    def generate_until(self, requests, disable_tqdm=False):
        asked: Counter = Counter()
        texts = []
        for request in requests:
            texts.append(self.given[request.doc_id][asked[request.doc_id]])
            asked[request.doc_id] += 1
        return texts


def _gsm8k(question: str, working: str, answer: str) -> dict[str, str]:
    return {"question": question, "answer": f"{working}\n#### {answer}"}


GSM8K = [
    _gsm8k("Mo packs 4 crates with 12 figs each. How many figs?", "4*12 = <<4*12=48>>48", "48"),
    _gsm8k("A boat costs $1,500, its motor $250. Both?", "1500 + 250 = 1750", "1,750"),
]
SUMS = [
    ["4 times 12 is 48. The answer is 48.", "#### 48", "So 48 figs", "The answer is 49.", "$48.00",
     "The answer is 12. No: the answer is 48.", "The answer is forty-eight.", "-48", "48."],
    ["The answer is $1,750.", "The answer is 1750.", "1.750", "It is $1750", "1500 + 250",
     "The answer is 1,750. Q: And then? 3", "1,7,5,0", "#### 1,750 dollars.", "The answer is -1750."],
]  # fmt: skip
MATH = [
    {"problem": "What is a half of $\\frac{2}{3}$?", "solution": "It is $\\boxed{\\frac{1}{3}}$."},
    {"problem": "Solve $x^2 = 2$ for $x > 0$.", "solution": "Thus $x = \\boxed{\\sqrt{2}}$."},
    {"problem": "Where is $\\sqrt{1-x}$ real?", "solution": "For $x \\in \\boxed{(-\\infty,1]}$."},
]
FINAL = "Final Answer: The final answer is ${}$. I hope it is correct."
FORMULAS = [
    [FINAL.format("\\frac{1}{3}"), "$\\frac13$", "\\boxed{1/3}", "$\\dfrac{2}{6}$", "one third",
     FINAL.format("2/6"), "1/3", "$0.333$", "$\\boxed{\\frac{1}{4}}$", "\\boxed{\\frac{1}{3"],
    [FINAL.format("\\sqrt2"), "$x=\\sqrt{2}$", "$\\boxed{2^{1/2}}$", "1.41421356", "\\sqrt",
     FINAL.format("\\sqrt{8}/2"), "$\\sqrt{2}$ or $-\\sqrt{2}$", "\\fbox{\\sqrt{2}}", "$-\\sqrt{2}$"],
    [FINAL.format("(-\\infty,1]"), "$x \\le 1$", "$(-\\infty,1]$", "$(-\\infty,1)$", "]1",
     "$\\boxed{(-\\infty, 1]}$", "\\boxed{[1,-\\infty)}", "$\\text{ all }\\text{ below }$", "$1$"],
]  # fmt: skip
AIME = [
    {"ID": "invented-1", "Problem": "How many pairs of digits are there?", "Answer": 100},
    {"ID": "invented-2", "Problem": "Find the remainder of $7^2$ by $12$.", "Answer": 1},
]
INTEGERS = [
    ["100", "$100$", "So \\boxed{100}.", "\\boxed{ 100 }", "\\boxed{99}", "$10^2$", "100.0", "\\boxed 100"],
    ["$49 = 4 \\cdot 12 + 1$, so $1$", "\\boxed{1}", "\\boxed{01}", "r = 1", "1", "\\boxed{\\boxed{1}}",
     "\\boxed{"],
]  # fmt: skip
GPQA = [
    {
        "Question": f"Which of these invented metals melts {how}?",
        "Correct Answer": f"{right} at noon ",
        "Incorrect Answer 1": "zimium",
        "Incorrect Answer 2": "zimium [title] of old",
        "Incorrect Answer 3": f"none, {right} least of all",
    }
    for how, right in (("first", "orvium"), ("last", "talvium"))
]
LETTERS = [
    [*(f"The answer is ({letter})." for letter in "ABCD"), f"{right} at noon", "(a)", "Answer: B"]
    for right in ("orvium", "talvium")
]
NO_DATE = {"day": "", "month": "", "year": ""}
DROP = [
    {
        "query_id": "invented-1",
        "passage": "The Larks won 21 games in May and the red Owls and the Hens won 9.",
        "question": "How many more games did the Larks win?",
        "answer": {"number": "12", "date": NO_DATE, "spans": []},
        "validated_answers": {"number": ["", "12"], "date": [NO_DATE] * 2, "spans": [["twelve"], []]},
    },
    {
        "query_id": "invented-2",
        "passage": "The Larks won 21 games in May and the red Owls and the Hens won 9.",
        "question": "Who won 9 games?",
        "answer": {"number": "", "date": NO_DATE, "spans": ["the red Owls", "the Hens"]},
        "validated_answers": {"number": [""], "date": [NO_DATE], "spans": [["red Owls"]]},
    },
    {
        "query_id": "invented-3",
        "passage": "The hall was opened on 3 May 1907.",
        "question": "When was it opened?",
        "answer": {"number": "", "date": {"day": "3", "month": "May", "year": "1907"}, "spans": []},
        "validated_answers": {"number": [], "date": [], "spans": []},
    },
]  # fmt: skip
SPANS = [
    ["12", " 12 more games", "twelve", "12.0", "The twelve", "21", "1,2"],
    ["the red Owls", "the red Owls and the Hens", "Red owls", "Owls", "hens", "a red, red owl"],
    ["3 May 1907", "May 1907", "on 3-May-1907", "1907", "3"],
]
TRIVIA = [
    {"question": "Which invented river runs through Orv", "answer": {"aliases": ["Tal", "River Tal"]}},
    {"question": "Who wrote the invented book of tides", "answer": {"aliases": ["Ö. Mårt'n", "Mart"]}},
]  # fmt: skip
NAMES = [
    [" Tal", "the Tal", "river tal", "River-Tal", "TAL!", "Tal or Orv", "T al"],
    ["Ö. Mårt'n", "O. Martn", "ö mårtn", "MART", "Mart\n", "'Mart'", "O\u0308. Mårt'n"],
]
BBH = [
    {"input": "I have two figs, a cat, and three plums. How many fruits do I have?", "target": "5"},
    {"input": "I have a drum, and four chairs. How many chairs do I have?", "target": "4"},
]
COUNTS = [
    ["So the answer is 5.", "the answer is 5", "The answer is 5.", "so the answer is five.", "5",
     "the answer is 4. No, the answer is 5.", "the answer is 5..", "the answer is  5 ."],
    ["the answer is 4.", "the answer is 4 chairs.", "the answer is 4.\n\nQ: and", "the answer is **4**."],
]  # fmt: skip


def _instructions(*asked: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    kinds, kwargs = zip(*asked, strict=True)
    return {"prompt": "Write as told.", "instruction_id_list": list(kinds), "kwargs": list(kwargs)}


# None of these needs NLTK's sentence model, which does not come with it.
IFEVAL = [
    {"key": key} | row
    for key, row in enumerate(
        [
            _instructions(("punctuation:no_comma", {})),
            _instructions(
                ("keywords:existence", {"keywords": ["tide", "moon"]}),
                ("detectable_format:number_bullet_lists", {"num_bullets": 2}),
                ("startend:quotation", {}),
            ),
            _instructions(
                ("length_constraints:number_words", {"relation": "at least", "num_words": 4}),
                ("detectable_format:json_format", {}),
            ),
            _instructions(("language:response_language", {"language": "fr"})),
            _instructions(
                ("change_case:english_lowercase", {}),
                ("keywords:frequency", {"keyword": "tide", "relation": "at least", "frequency": 2}),
            ),
        ]
    )
]
SENTENCES = [
    {"key": key} | row
    for key, row in enumerate(
        [
            _instructions(
                (
                    "length_constraints:number_sentences",
                    {"relation": "at least", "num_sentences": 2},
                )
            ),
            _instructions(
                (
                    "change_case:capital_word_frequency",
                    {"capital_relation": "at least", "capital_frequency": 2},
                )
            ),
        ]
    )
]
DEEDS = [
    ["No comma here", "One, two", "Preface, as always:\nNo comma here", "*,*\nfine\n,"],
    ['"* tide\n* moon"', "* tide\n* moon", '"The moon and the tide"', "tide", "Sure:\n* moon\n* tide"],
    ['{"a": "one two three four"}', "one two three four", "```json\n[1, 2, 3, 4]\n```", "{", "[1]"],
    ["La marée monte avec la lune et redescend le soir sur la plage.", "The tide comes in at night."],
    ["the tide comes in and then the tide goes out again", "The TIDE", "tide tide", "the tide once"],
]  # fmt: skip

CASES = (
    Case("gsm8k_cot", "gsm8k/gsm8k-cot.yaml", ("test",), GSM8K, SUMS),
    Case("gsm8k_cot_zeroshot", "gsm8k/gsm8k-cot-zeroshot.yaml", ("train", "test"), GSM8K, SUMS),
    Case("minerva_math500", "minerva_math/minerva_math500.yaml", ("test",), MATH, FORMULAS),
    Case("hendrycks_math500", "hendrycks_math/hendrycks_math500.yaml", ("test",), MATH, FORMULAS),
    Case("aime24", "aime/aime24.yaml", ("train",), AIME, INTEGERS),
    Case(
        "gpqa_diamond_generative_n_shot",
        "gpqa/generative/gpqa_diamond_generative_n_shot.yaml",
        ("train",),
        GPQA,
        LETTERS,
    ),
    Case("drop", "drop/default.yaml", ("train", "validation"), DROP, SPANS),
    Case("triviaqa", "triviaqa/default.yaml", ("train", "validation"), TRIVIA, NAMES),
    Case("ifeval", "ifeval/ifeval.yaml", ("train",), IFEVAL, DEEDS),
    Case(
        "bbh_cot_fewshot_object_counting",
        "bbh/cot_fewshot/object_counting.yaml",
        ("test",),
        BBH,
        COUNTS,
    ),
)
IFEVAL_WITH_SENTENCES = Case(
    "ifeval",
    "ifeval/ifeval.yaml",
    ("train",),
    SENTENCES,
    [["One. Two.", "One, two.", "Mr. Orv came. He left."], ["THE TIDE", "The TIDE", "A B C"]],
)
# Not of the ten, but wrapped by tasks that come along.
AIME_25 = Case(
    "aime25",
    "aime/aime25.yaml",
    ("test",),
    [{"problem": row["Problem"], "answer": str(row["Answer"])} for row in AIME],
    INTEGERS,
)
GPQA_COT = Case(
    "gpqa_diamond_cot_zeroshot",
    "gpqa/cot_zeroshot/gpqa_diamond_cot_zeroshot.yaml",
    ("train",),
    GPQA,
    LETTERS,
)
