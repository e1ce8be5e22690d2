"""How lm-evaluation-harness comes to know this project: see docs/discovery.md."""
