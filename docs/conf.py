"""The documentation site: Sphinx, MyST and furo, built without the network (`make docs`)."""

import os
import sys
from pathlib import Path

# Kernels are documented as the plain functions that they are written as.
os.environ["NUMBA_DISABLE_JIT"] = "1"
os.environ["EXCHANGE_ROUTER_LANG"] = "en"
sys.path.insert(0, str(Path(__file__).parent / "site"))

project = "exchange-router"
author = "the exchange-router authors"
html_title = "exchange-router"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "exact_names",
    "help_text",
    "room_pages",
    "search_words",
    "two_languages",
]
exclude_patterns = ["site"]
source_suffix = {".md": "markdown"}

myst_enable_extensions = ["attrs_block", "attrs_inline", "colon_fence"]
myst_heading_anchors = 4

autodoc_default_options = {"members": True, "exclude-members": "model_config", "member-order": "bysource"}
# Docstrings have types with shapes and units; those of signatures spell out all that numpy would take for an array.
autodoc_typehints = "none"
autodoc_use_type_comments = False
toc_object_entries = False
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
# `name` in a docstring is code, as in all other texts of this project.
default_role = "code"
add_module_names = False
maximum_signature_line_length = 100

smartquotes_action = "D"
html_theme = "furo"
html_static_path = ["site/static"]
html_css_files = ["site.css"]
html_copy_source = False
# Summaries of hits are fetched, which a browser forbids to pages that were opened from a disk.
html_show_search_summary = False
html_show_sphinx = False
html_show_copyright = False
html_last_updated_fmt = None
html_search_language = "en-zh"
html_theme_options = {"top_of_page_buttons": [], "footer_icons": []}
# A block that names no language is what one types, or what is printed.
highlight_language = "text"
pygments_style = "friendly"
pygments_dark_style = "github-dark"
