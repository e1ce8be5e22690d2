"""Two models that answer as one, without a merge: mixed, or one of them for each token."""
