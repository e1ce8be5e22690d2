# make check: what a change must pass before it is committed. make lint: the part without tests.
BIN := .venv/bin
PACKAGES := hm_models hm_metrics hm_tasks

.PHONY: check lint doctest test tools
check: lint test

lint: tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The examples of docstrings alone; `test` runs them too, by tests/test_docs.py.
doctest: tools
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest --doctest-modules --doctest-ignore-import-errors \
		-o addopts="-q --import-mode=importlib" $(PACKAGES)

test: tools
	scripts/test.sh

tools:
	@scripts/setup.sh --dev
