"""How lm-evaluation-harness comes to know this project, and what is changed in it: docs/discovery.md.

`autoload` says which file changes which of the harness's modules. Each of these files has one `change(module)`,
and says for which versions of the harness it is and what would make it unnecessary.
"""
