"""Models that run: vLLM and transformers with a merge in place of a checkpoint."""
