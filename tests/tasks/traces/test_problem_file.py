"""A user's own problems: every form that is taken, and the sentence for every line that is none."""

import gzip
import hashlib
import json

import pytest

from hm_metrics.verdict import FAIL, PASS
from hm_tasks.benchmark_file import DatasetError
from hm_tasks.sandbox.pool import check_all
from hm_tasks.traces.problem_file import load_problem_file
from tests.tasks.code_passk.benchmarks import FILES

PLAIN = {"task_id": "a", "prompt": "Add.", "entry_point": "add"}
VALUES = PLAIN | {"inputs": [[1, 2], [[1], [2]]], "outputs": [3, [1, 2]]}
ASSERTED = PLAIN | {
    "task_id": 2,
    "tests": ["assert add(1, 2) == 3", "assert add((1,), (2,)) == (1, 2)"],
}
STDIN = {
    "question": "Print the sum.",
    "input_output": json.dumps({"inputs": ["1 2\n", ["3", "4"]], "outputs": ["3 \n\n", ["7", ""]]}),
    "time_limit": "2.0 seconds",
    "starter_code": "",
}
CALLED = {
    "question": "Add.",
    "input_output": {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[3]]},
}
EVALPLUS = PLAIN | {
    "task_id": "plus",
    "canonical_solution": "def add(a, b):\n    return a + b\n",
    "prompt": '"""\nAdd.\n"""\n',
    "base_input": [[1, 2]],
    "plus_input": [[5, 6]],
}
ADD = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return a\n"
SUM = "import sys\nprint(sum(map(int, sys.stdin.read().split())))"


@pytest.fixture
def written(tmp_path):
    def write(*lines):
        file = tmp_path / "problems.jsonl"
        file.write_text(
            "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        )
        return file

    return write


def test_every_form_is_scored_right_and_wrong(written):
    file = written(VALUES, ASSERTED, STDIN, CALLED, EVALPLUS)
    problems = load_problem_file(file)
    assert [p.task_id for p in problems] == ["a", "2", "problem/3", "problem/4", "plus"]
    assert {p.dataset for p in problems} == {hashlib.sha256(file.read_bytes()).hexdigest()}
    right, wrong = [ADD, ADD, SUM, ADD, ADD], [WRONG, WRONG, "print(3)", WRONG, WRONG]
    found = check_all(
        [(p, list(programs)) for p, *programs in zip(problems, right, wrong, strict=True)],
        sanitize=False,
    )
    assert [v.base_status for v, _ in found] == [PASS] * 5
    assert [v.plus_status for v, _ in found] == [PASS] * 5
    assert [v.base_status for _, v in found] == [FAIL] * 5


def test_standard_input_has_no_entry_point_and_limits_are_read(written):
    stdin, plain = load_problem_file(written(STDIN, VALUES | {"atol": 0.5}))
    assert stdin.entry_point == ""
    assert stdin.base_input == [["1 2\n"], ["3\n4"]]
    assert stdin.expected == {"base_input": ["3", "7"], "plus_input": []}
    assert (stdin.time_limit, stdin.atol) == (2.0, 0.0)
    assert (plain.time_limit, plain.atol) == (4.0, 0.5)


def test_what_json_cannot_say_is_not_held_against_a_program(written):
    lines = [
        VALUES | {"inputs": [[1, 2]], "outputs": [[3, {"4": [5]}]]},
        CALLED | {"input_output": {"fn_name": "add", "inputs": [[1, 2]], "outputs": [[[3]]]}},
    ]
    values, called = load_problem_file(written(*lines))
    tuples = "def add(a, b):\n    return (3, {4: (5,)})\n"
    ((one,), verdicts) = check_all(
        [
            (values, [tuples]),
            (called, [f"def add(a, b): return {value}\n" for value in ("[[3]]", "(3,)", "3")]),
        ],
        sanitize=False,
    )
    assert one.base_status == PASS
    assert [v.base_status for v in verdicts] == [PASS, PASS, FAIL]


def test_floats_have_evalpluss_tolerance_or_the_problems_own(written):
    exact = {"inputs": [[1, 2]], "outputs": [0.3]}
    usual, own = load_problem_file(
        written(VALUES | exact, VALUES | exact | {"task_id": "b", "atol": 0.1})
    )
    near, far = "def add(a, b): return 0.1 + 0.2\n", "def add(a, b): return 0.35\n"
    found = check_all([(usual, [near, far]), (own, [near, far])], sanitize=False)
    assert [[v.base_status for v in of] for of in found] == [[PASS, FAIL], [PASS, PASS]]


def test_a_packed_file_has_the_hash_of_what_is_in_it(written, tmp_path):
    file = written(VALUES)
    packed = tmp_path / "problems.jsonl.gz"
    packed.write_bytes(gzip.compress(file.read_bytes()))
    assert load_problem_file(packed)[0] == load_problem_file(file)[0]


def test_mbppplus_itself_has_its_own_oracle_and_a_part_of_it_may_name_it(tmp_path):
    import os

    official = os.environ.get(FILES["mbppplus_passk"])
    if not official:
        pytest.skip("MBPP_OVERRIDE_PATH names no benchmark file")
    problems = load_problem_file(official)
    assert len(problems) == 378
    assert {p.oracle for p in problems} == {"mbpp"}
    with gzip.open(official, "rt") as file:
        records = [json.loads(next(file)) for _ in range(3)]
    part = tmp_path / "part.jsonl"
    part.write_text("\n".join(json.dumps(record | {"oracle": "mbpp"}) for record in records))
    assert [p.base_input for p in load_problem_file(part)] == [p.base_input for p in problems[:3]]


def case(**fields):
    return STDIN | {"input_output": {"inputs": ["1"], "outputs": ["1"]} | fields}


def test_functions_are_found_and_helped_as_the_public_checkers_do(written):
    """LeetCode's class, names that are not imported, and whole numbers for keys of a first dict."""
    keys = CALLED["input_output"] | {"inputs": [[{"1": 2, "-3": 4}, {"5": 6}]], "outputs": [4]}
    called, bare = load_problem_file(
        written(CALLED | {"input_output": keys}, CALLED | {"input_output": keys, "imports": "none"})
    )
    assert called.base_input == [[{1: 2, -3: 4}, {"5": 6}]]
    programs = [
        "class Solution:\n    def add(self, a: Dict[int, int], b): return a[-3]",
        "def add(a: List[int], b) -> Optional[int]: return int(sqrt(gcd(a[-3] * 4, 16)))",
        "def add(a, b): return int(np.max(list(Counter(a).values())))",
        "def add(a, b):\n    heap = [9, 4]\n    heapify(heap)\n    return heappop(heap)",
        "def add(a, b): return pow(2, 2, 10) and math.floor(4.5)",
        "from __future__ import annotations\ndef add(a: Missing, b): return 4",
        "def sub(a, b): return 4",  # `add` is among the imports
    ]
    (helped,) = check_all([(called, programs)], sanitize=False)
    assert [v.base_status for v in helped] == [PASS] * 6 + [FAIL]
    (alone,) = check_all([(bare, programs)], sanitize=False)
    assert [v.base_status for v in alone] == [FAIL] * 5 + [PASS, FAIL]


@pytest.mark.parametrize(
    ("first", "kept"),
    [({"1": 2, "a": 3}, False), ({"1.0": 2}, False), ({"01": 2}, True), ({}, True), ([1], False)],
)
def test_only_whole_numbers_become_keys(written, first, kept):
    case = {"fn_name": "add", "inputs": [[first, 1]], "outputs": [1]}
    ((given, _),) = load_problem_file(written(CALLED | {"input_output": case}))[0].base_input
    assert given == ({int(key): value for key, value in first.items()} if kept else first)


def test_a_problem_chooses_how_it_is_compared_and_what_is_imported(written):
    printed = {"inputs": ["8\n"], "outputs": ["0.50 b\na\n"]}
    lines = [
        STDIN | {"input_output": printed, "compare": rule, "imports": imports}
        for rule in ("exact", "tokens", "apps")
        for imports in ("none", "common")
    ]
    problems = load_problem_file(written(*lines))
    programs = [
        "print('0.50 b'); print('a')",
        "print(' 0.5  b a')",
        "print('a'); print('b 0.50')",
        "print('0.50 b' if sqrt(16) == 4 else 0); print('a')",
    ]
    found = check_all([(problem, programs) for problem in problems], sanitize=False)
    passed = ["".join("ny"[v.base_status == PASS] for v in verdicts) for verdicts in found]
    assert passed == ["ynnn", "ynny", "yynn", "yyny", "ynyn", "ynyy"]
    values, called = load_problem_file(
        written(VALUES | {"compare": "apps"}, CALLED | {"compare": "exact"})
    )
    assert (values.oracle, called.oracle) == ("apps", "json")


def test_numbers_of_many_digits_are_taken_in_hexadecimal_and_as_text(written):
    huge = "1" + "0" * 5000
    file = written(
        ASSERTED | {"tests": [f"assert add(1, 2) == 0x{huge}"]},
        STDIN | {"input_output": {"inputs": [huge], "outputs": [huge]}},
        EVALPLUS | {"prompt": "", "canonical_solution": "def add(a, b): return 10 ** 5000 + a"},
    )
    programs = [
        ("def add(a, b): return 16 ** 5000", "def add(a, b): return 16 ** 5000 + 1"),
        ("print(input())", "print(10 ** 5000)"),
        ("def add(a, b): return 10 ** 5000 + a", "def add(a, b): return 10 ** 5000"),
    ]
    jobs = list(zip(load_problem_file(file), programs, strict=True))
    for right, wrong in check_all(jobs, sanitize=False):
        assert (right.base_status, wrong.base_status) == (PASS, FAIL), (right.reason, wrong.reason)


BAD = [
    (f'{{"prompt": "x", "inputs": [1{"0" * 5000}]}}', "more digits than Python reads"),
    (STDIN | {"input_output": f'{{"inputs": [1{"0" * 5000}]}}'}, "more digits than Python reads"),
    (ASSERTED | {"tests": [f"assert add(1, 2) == 1{'0' * 5000}"]}, "write it in hexadecimal"),
    (
        VALUES | {"compare": "tokens"},
        "`compare` is 'tokens'. Known for this form of tests: exact, apps",
    ),
    (STDIN | {"compare": "equal"}, "Known for this form of tests: exact, tokens, apps."),
    (ASSERTED | {"compare": "apps"}, "Known for this form of tests: exact."),
    (CALLED | {"compare": ["apps"]}, "field `compare` is ['apps']"),
    (
        STDIN | {"imports": True},
        "field `imports` is True. Known for this form of tests: none, common",
    ),
    (EVALPLUS | {"compare": "apps"}, "field `compare` is for tests that the file states"),
    ("{", "is cut off"),
    ("[1]", "no record"),
    ('{"a": ' + "[" * 100_000, "nested too deeply"),
    (PLAIN, "the problem has no tests. Give one of inputs, tests, input_output, or base_input."),
    (VALUES | {"tests": ["assert add(1, 2) == 3"]}, "has tests in inputs and tests"),
    (VALUES | {"prompt": " "}, "field `prompt` is missing"),
    (VALUES | {"task_id": [1]}, "field `task_id` is [1]"),
    (VALUES | {"entry_point": "a b"}, "field `entry_point` is 'a b'. Name the function"),
    ({**VALUES, "entry_point": None}, "field `entry_point` is missing"),
    (VALUES | {"outputs": [3]}, "`inputs` has 2 items and `outputs` 1"),
    (VALUES | {"inputs": [1, 2]}, "field `inputs`, item 1 is 1. Give the list of the function's"),
    (VALUES | {"inputs": [], "outputs": []}, "the problem has no tests: `inputs` is empty"),
    (VALUES | {"outputs": None}, "field `outputs` is missing"),
    (VALUES | {"atol": "much"}, "field `atol` is 'much'. Give a number"),
    (STDIN | {"time_limit": "soon"}, "field `time_limit` is 'soon'"),
    (STDIN | {"time_limit": -1}, "field `time_limit` is -1"),
    (ASSERTED | {"tests": "assert"}, "field `tests` is 'assert'. Give a list"),
    (STDIN | {"input_output": "{"}, "field `input_output` is no valid JSON"),
    (STDIN | {"input_output": "[]"}, "field `input_output` is []. Give `inputs` and `outputs`."),
    (case(inputs=[1]), "field `inputs` of `input_output`, item 1 is 1. Give text"),
    (case(outputs=[["1", 2]]), "field `outputs` of `input_output`, item 1 is ['1', 2]"),
    (case(inputs=["\ud800"]), "half of a surrogate pair"),
    (case(inputs=["x" * (17 << 20)]), "at most 16777216 are run"),
    (case(fn_name="not this"), "field `fn_name` is 'not this'"),
    ({k: v for k, v in EVALPLUS.items() if k != "plus_input"}, "'plus_input' is missing"),
    (EVALPLUS | {"oracle": "me"}, "the field 'oracle' is 'me'. Known: none, mbpp, humaneval."),
]
NO_ASSERTIONS = [
    "add(1, 2) == 3",
    "assert add(1, 2)",
    "assert not add(1, 2)",
    "assert add(1, 2) != 3",
    "assert 3 == add(1, 2)",
    "assert add(1, 2) == 3 == 3",
    "assert add(a=1) == 3",
    "assert add(*[1, 2]) == 3",
    "assert sub(1, 2) == 3",
    "assert add(1, 2) == __import__('os').getpid()",
    "assert add(x, 2) == 3",
    "assert add(1, 2) == 3; import os",
    "assert add(1, 2) ==",
    "assert add(" + "(" * 5000 + ")" * 5000 + ") == 3",
    7,
    None,
]


@pytest.mark.parametrize(("line", "sentence"), BAD)
def test_a_bad_line_is_a_sentence_and_leaves_the_others(written, line, sentence):
    file = written(VALUES | {"task_id": "first"}, line)
    with pytest.raises(DatasetError) as refused:
        load_problem_file(file)
    assert str(refused.value).startswith(f"{file}, line 2: ")
    assert sentence in str(refused.value)
    assert len(str(refused.value)) < 400
    bad = []
    assert [p.task_id for p in load_problem_file(file, bad)] == ["first"]
    assert bad == [str(refused.value)]


@pytest.mark.parametrize("test", NO_ASSERTIONS)
def test_what_is_no_such_assertion_is_refused_by_its_item(written, test):
    file = written(PLAIN | {"tests": ["assert add(1, 1) == 2, 'why'", test]})
    with pytest.raises(DatasetError, match=r"line 1: field `tests`, item 2 .* Write `assert add\("):
        load_problem_file(file)


def test_two_problems_of_one_name_are_not_mixed_up(written):
    bad = []
    assert len(load_problem_file(written(VALUES, VALUES | {"prompt": "Other."}), bad)) == 1
    assert "line 2: the task_id 'a' is that of an earlier line" in bad[0]


def test_no_file_and_no_problems_are_sentences(written, tmp_path):
    with pytest.raises(DatasetError, match=r"none\.jsonl cannot be read .* Name a \.jsonl"):
        load_problem_file(tmp_path / "none.jsonl")
    with pytest.raises(DatasetError, match="holds no problems"):
        load_problem_file(written(""))
    with pytest.raises(DatasetError, match=r"holds no problems.*is cut off"):
        load_problem_file(written("{"), [])
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"x" * 9999)[:40])
    with pytest.raises(DatasetError, match="cannot be read"):
        load_problem_file(broken)


def test_expected_values_are_in_no_message_to_the_runner(monkeypatch, tmp_path, written):
    """All bytes that go to the process that runs programs."""
    from hm_tasks.sandbox.isolation.limits import Limits
    from hm_tasks.sandbox.judging import isolated
    from hm_tasks.sandbox.judging.judge import Judge

    sent = []
    plain = isolated.write_frame
    monkeypatch.setattr(
        isolated,
        "write_frame",
        lambda to, kind, content: sent.append(content) or plain(to, kind, content),
    )
    line = case(inputs=["a question"], outputs=["a hidden answer"])
    (problem,) = load_problem_file(written(line))
    judge = Judge("rlimit", Limits(), [], str(tmp_path))
    try:
        judge.take(problem)
        (verdict,) = judge.judge(["print('a hidden', 'answer')"])
    finally:
        judge.close()
    assert verdict.base_status == PASS
    assert any(b"a question" in content for content in sent)
    assert not any(b"a hidden answer" in content for content in sent)
