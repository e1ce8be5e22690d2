"""What tasks with a judge share: rubric and prompt, the asking, verdicts that are kept, and who is unscored."""
