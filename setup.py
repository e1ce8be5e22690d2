"""Puts `hm_autoload.pth` beside the installed packages; everything else is in setup.cfg.

The line in that file runs in every interpreter of the environment and makes the plugin known to
lm-evaluation-harness (see hm_models/plugin/autoload.py). Its name sorts behind setuptools' own
`__editable__*.pth`, which must have made an editable install importable first.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

PTH = "hm_autoload.pth"
# One line, as .pth files want it; it stays silent if the package is gone but the file is not.
LINE = (
    "import sys; exec('try:\\n import hm_models.plugin.autoload as a\\n"
    "except ImportError: pass\\nelse: a.install()')\n"
)


class BuildWithAutoload(build_py):
    def _pth(self) -> Path:
        # An editable wheel takes nothing from build_lib, only what lies in its own folder.
        install = self.get_finalized_command("install")
        return Path(install.install_purelib if self.editable_mode else self.build_lib, PTH)

    def run(self) -> None:
        super().run()
        self._pth().parent.mkdir(parents=True, exist_ok=True)
        self._pth().write_text(LINE)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = super().get_outputs(include_bytecode)
        return outputs if self.editable_mode else [*outputs, str(self._pth())]


setup(cmdclass={"build_py": BuildWithAutoload})
