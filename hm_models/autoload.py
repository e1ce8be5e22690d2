"""The path of `hm_models.plugin.autoload` up to 0.1: an editable install of then starts here."""

from hm_models.plugin.autoload import install

__all__ = ["install"]
