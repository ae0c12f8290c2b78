"""Sphinx's settings. `python -m book site` calls it with the pages that book/pages.py has written."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from book import links  # noqa: E402

project = "Hierarchical Attentive Memory"
author = "the authors of hamlib"
extensions = ["myst_nb"]
nb_execution_mode = "off"  # the outputs are those in the notebooks
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3

mathjax_path = "mathjax/tex-svg.js"  # MathJax 3.2.2, shipped; its menu would load from elsewhere
mathjax3_config = {"options": {"enableMenu": False}}

html_theme = "sphinx_book_theme"
html_title = "Hierarchical Attentive Memory: a book that runs"
html_static_path = [str(HERE / "_static")]
html_css_files = ["site.css"]
html_js_files = ["print.js"]
html_copy_source = False
html_show_copyright = False
html_show_search_summary = False  # a browser fetches nothing from file://
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system says, until the button is pressed
html_theme_options = {
    "navbar_persistent": [],  # the search field stands in the sidebar
    "repository_url": f"https://github.com/{links.slug()}",
    "use_repository_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
}
