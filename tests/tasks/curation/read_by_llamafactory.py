"""What LLaMA-Factory makes of a data folder: run by the Python of an environment that has it.

    PYTHON tests/tasks/curation/read_by_llamafactory.py DATASET_DIR TOKENIZER DATASET

Prints JSON: for each example of the set the text that it trains on, prompt and answer apart.
"""

import json
import os
import sys

os.environ |= {"DISABLE_VERSION_CHECK": "1", "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}


def main(dataset_dir: str, tokenizer_path: str, dataset: str) -> None:
    from llamafactory.data import get_dataset, get_template_and_fix_tokenizer
    from llamafactory.hparams import get_train_args
    from llamafactory.model import load_tokenizer

    model_args, data_args, training_args, _, _ = get_train_args(
        {
            "stage": "sft",
            "do_train": True,
            "model_name_or_path": tokenizer_path,
            "dataset": dataset,
            "dataset_dir": dataset_dir,
            "template": "qwen",
            "cutoff_len": 65536,
            "overwrite_cache": True,
            "output_dir": os.path.join(tokenizer_path, "out"),
            "use_cpu": True,
            "bf16": False,
            "fp16": False,
        }
    )
    tokenizer = load_tokenizer(model_args)["tokenizer"]
    template = get_template_and_fix_tokenizer(tokenizer, data_args)
    module = get_dataset(template, model_args, data_args, training_args, "sft", tokenizer)
    rows = []
    for example in module["train_dataset"]:
        trained = [label != -100 for label in example["labels"]]
        ids = example["input_ids"]
        rows.append(
            [
                tokenizer.decode([one for one, on in zip(ids, trained, strict=True) if on is kept])
                for kept in (False, True)
            ]
        )
    print("\n" + json.dumps(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
