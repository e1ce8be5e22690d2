"""One command, many points: a pair (or several) at some alphas, each point an ordinary harness run."""
