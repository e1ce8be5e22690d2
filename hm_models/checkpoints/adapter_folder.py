"""A folder for what is made of an adapter and its base: config, tokenizer and chat template, without weights.

Engines and tokenizers read a checkpoint's folder by themselves. An adapter's has no config.json, and may have
no tokenizer; its base's has the base's. So the files that count lie together in the cache, by their content.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from hm_models.files.places import cache_folder, kept_in
from hm_models.files.text_files import write_text

CONFIG = "config.json"


def folder_of(config: Mapping[str, Any], files: Iterable[Path]) -> Path:
    """A folder with this config.json and copies of these files; of one name, the last one counts.

    Raises:
        CacheError: it cannot be made.
    """
    chosen = {file.name: file for file in files if file.name != CONFIG}
    text = json.dumps(config, indent=2) + "\n"
    digest = hashlib.sha256(text.encode())
    for name, file in sorted(chosen.items()):
        digest.update(f"\0{name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}".encode())
    folder = cache_folder("adapted") / digest.hexdigest()[:32]
    if folder.is_dir():
        return folder
    with kept_in(folder):
        draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            for name, file in chosen.items():
                shutil.copyfile(file, draft / name)
            write_text(draft / CONFIG, text)
            draft.chmod(0o755)
            if not folder.is_dir():
                draft.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process has made the same
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return folder
