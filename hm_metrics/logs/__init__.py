"""The one reader of the harness's results_*.json and samples_*.jsonl."""
