"""The line of tokens adds what is counted, and says how much is not."""

from hm_models.endpoints.chat import Chat
from hm_models.endpoints.spending import Spending
from hm_models.shown.secrets import Secrets


def chat(tokens_in: int, tokens_out: int, uncounted: int = 0) -> Chat:
    made = Chat("m", [{"role": "user", "content": "Why?"}], 10, Secrets([]))
    made.tokens_in, made.tokens_out, made.uncounted = tokens_in, tokens_out, uncounted
    return made


def test_tokens_are_added_up():
    spent = Spending()
    spent.add(chat(1_000_000, 0))
    spent.add(chat(5, 2))
    assert str(spent) == "1000005 tokens in, 2 out"


def test_answers_without_counts_are_said_beside_the_sum():
    spent = Spending()
    assert str(spent) == "0 tokens in, 0 out"
    spent.add(chat(7, 3, uncounted=2))
    assert str(spent) == "7 tokens in, 3 out, and 2 answers without counts"
