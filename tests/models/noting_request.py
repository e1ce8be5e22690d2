"""A request of the contract between model and task that keeps its prompt and notes its samples."""

from lm_eval.api.instance import Instance


class NotingRequest(Instance):
    measure_tokens = None

    def __post_init__(self):
        super().__post_init__()
        self.taken = []

    def use_prompt_style(self, style, apply_chat_template):
        """Asked as it is in either style."""

    def take_sample(self, index, sample):
        self.taken.append((index, sample))
