"""Prompts: what a chat template makes of them, and what of them reaches the model."""
