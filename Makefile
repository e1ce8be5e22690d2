# make check: what a change must pass before it is committed.
BIN := .venv/bin

.PHONY: check
check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	scripts/test.sh
