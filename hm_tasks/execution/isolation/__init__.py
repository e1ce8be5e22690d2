"""The path of `hm_tasks.sandbox` up to 0.1: what the README named is still found here."""
