"""What Inspect's own reader makes of a folder of logs: run by the Python of an environment that has it.

PYTHON tests/metrics/report/read_by_inspect.py FOLDER
"""

import json
import sys

from inspect_ai.log import list_eval_logs, read_eval_log

found = []
for info in list_eval_logs(sys.argv[1]):
    log, header = read_eval_log(info.name), read_eval_log(info.name, header_only=True)
    assert header.eval == log.eval
    found.append(
        {
            "task": log.eval.task,
            "model": log.eval.model,
            "status": log.status,
            "metrics": {name: m.value for name, m in log.results.scores[0].metrics.items()},
            "samples": [
                {
                    "id": sample.id,
                    "epoch": sample.epoch,
                    "input": sample.input,
                    "said": sample.output.completion,
                    "last": sample.messages[-1].text,
                    "scores": {name: score.value for name, score in sample.scores.items()},
                }
                for sample in log.samples
            ],
        }
    )
print(json.dumps(found))
