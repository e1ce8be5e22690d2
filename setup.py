"""Puts `hm_autoload.pth` beside the installed packages, and configs/ into one; the rest is in setup.cfg.

The line in that file runs in every interpreter of the environment and makes the plugin known to
lm-evaluation-harness (see hm_models/plugin/autoload.py). Its name sorts behind setuptools' own
`__editable__*.pth`, which must have made an editable install importable first.
"""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PTH = "hm_autoload.pth"
CONFIGS = sorted(Path("configs").rglob("*.yaml"))
# One line, as .pth files want it; it stays silent if the package is gone but the file is not.
LINE = (
    "import sys; exec('try:\\n import hm_models.plugin.autoload as a\\n"
    "except ImportError: pass\\nelse: a.install()')\n"
)


class BuildWithMore(build_py):
    def _pth(self) -> Path:
        # An editable wheel takes nothing from build_lib, only what lies in its own folder.
        install = self.get_finalized_command("install")
        return Path(install.install_purelib if self.editable_mode else self.build_lib, PTH)

    def run(self) -> None:
        super().run()
        self._pth().parent.mkdir(parents=True, exist_ok=True)
        self._pth().write_text(LINE)
        for file, copy in self._configs().items():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)

    def _configs(self) -> dict[Path, Path]:
        """Where hm_models/sweep/shipped.py looks; an editable install has the clone's own."""
        folder = Path(self.build_lib, "hm_models")
        return {} if self.editable_mode else {file: folder / file for file in CONFIGS}

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = super().get_outputs(include_bytecode)
        return (
            outputs
            if self.editable_mode
            else [*outputs, *map(str, [self._pth(), *self._configs().values()])]
        )


setup(cmdclass={"build_py": BuildWithMore})
