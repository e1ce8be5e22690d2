"""The pair, the endpoint and the earlier runs that the readers of all pages share."""

import json
import shlex
import shutil

import nltk
import pytest

from tests.documented import Shown
from tests.documents.answering import answering
from tests.documents.reader import Reader
from tests.documents.speaking import speaking_pair
from tests.models.endpoints.endpoint import Endpoint

MANY = json.dumps({"n_samples": 16, "k": [1, 10, 16]})
MERGE = "lm_eval run --model hm-merged --model_args base=B,instruct=I,alpha="
SWEEP = "hm-sweep --base runs/demo_pair/base --instruct runs/demo_pair/instruct --name demo"
EARLIER = (
    *(
        f"{MERGE}{alpha} --tasks {tasks} --log_samples --output_path OUT"
        for alpha in (0.7, 1)
        for tasks in (
            f"mbppplus_passk,gsm8k_passk,ifeval_passk --metadata '{MANY}'",
            "xstest,sorry_bench --limit 16",
        )
    ),
    f"{SWEEP} --tasks demo_passk --output_path runs/sweep",
    f"{SWEEP} --tasks demo_passk sorry_bench --output_path runs/judged",
    "hm-sweep --base B --instruct I --alphas 0.7 1 --tasks demo_passk --output_path runs/other",
)


@pytest.fixture(scope="session")
def url():
    with Endpoint(chat=answering) as server:
        yield server.url


@pytest.fixture(scope="session")
def pair(made_once):
    return made_once("speaking_pair", speaking_pair)


@pytest.fixture(autouse=True, scope="module")
def nothing_is_fetched(our_tasks_alone, tmp_path_factory):
    """IFEval's module downloads NLTK's sentence model at its import, unless there is a folder of that name."""
    folder = tmp_path_factory.mktemp("nltk")
    (folder / "tokenizers" / "punkt_tab").mkdir(parents=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nltk.data, "path", [*nltk.data.path, str(folder)])
        patch.setenv("NLTK_DATA", str(folder))
        yield


@pytest.fixture(scope="module")
def kept(made_once, pair, url, nothing_is_fetched):
    """What earlier pages have left: OUT, a sweep, one with a judge, and a log."""

    def make(folder):
        reader = Reader(folder, pair, folder / "nothing", url, "README.md")
        for command in EARLIER:
            reader.types(Shown(0, shlex.split(command)))
        (log,) = folder.glob("OUT/*alpha0.7/samples_sorry_bench_*.jsonl")
        shutil.copy(log, folder / "LOG.jsonl")

    return made_once("kept_runs", make)


@pytest.fixture
def reader_of(tmp_path, pair, kept, url):
    """`reader_of("docs/sweeps.md")` begins to read a page in an empty folder."""
    return lambda page: Reader(tmp_path, pair, kept, url, page)
