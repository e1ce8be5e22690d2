"""What tests of wrapped tasks share."""

import nltk
import pytest


@pytest.fixture
def no_download(monkeypatch, tmp_path):
    """IFEval's module downloads NLTK's sentence model at its import, unless there is a folder of that name."""
    folder = tmp_path / "nltk"
    (folder / "tokenizers" / "punkt_tab").mkdir(parents=True)
    monkeypatch.setattr(nltk.data, "path", [*nltk.data.path, str(folder)])
    monkeypatch.setenv("NLTK_DATA", str(folder))
