"""Two models that answer as one, without a merge: mixed, or taking turns."""
