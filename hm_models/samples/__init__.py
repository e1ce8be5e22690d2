"""Answers: how one is asked for, drawn, kept and found again. See docs/sampling.md."""
