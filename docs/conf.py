"""Configuration of Sphinx."""

from __future__ import annotations

import importlib.metadata

project = "gyaku"
author = "The gyaku developers"
copyright = "2026, The gyaku developers"
version = release = importlib.metadata.version("gyaku")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_copybutton",
]
exclude_patterns = ["_build", "jupyter_execute"]
html_theme = "furo"
html_title = f"gyaku {release}"

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120  # seconds for a cell
autodoc_typehints = "none"  # the docstrings say shapes and units, which types cannot
autosummary_generate = False
numpydoc_show_class_members = False
