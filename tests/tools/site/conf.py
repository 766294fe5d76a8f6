"""Configure Sphinx, which tests/tools/pages.py runs to build the site."""

from sphinx.addnodes import index
from sphinx.domains.std import StandardDomain

project = "Intuitive AI"
author = "The Intuitive AI authors"
copyright = f"2026, {author}"
language = "en"

extensions = ["myst_nb", "sphinx.ext.mathjax"]
exclude_patterns = ["static"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"  # this parser understands formulas
nb_ipywidgets_js = {}  # their scripts would come from a CDN
myst_enable_extensions = ["attrs_inline", "deflist", "dollarmath"]

html_theme = "furo"
html_title = project
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_permalinks_icon = "#"
html_css_files = ["site.css"]
html_js_files = ["site.js"]
pygments_style = "a11y-high-contrast-light"

INK, PAPER, DEEP = "#1f2933", "#fdfcf9", "#0b4a6f"
FONTS = {
    "font-stack": '"Atkinson Hyperlegible Next", system-ui, sans-serif',
    "font-stack--monospace": '"Atkinson Hyperlegible Mono", monospace',
}
html_theme_options = {
    "light_css_variables": {
        **FONTS,
        "color-foreground-primary": INK,
        "color-foreground-secondary": "#52606d",
        "color-foreground-muted": "#52606d",
        "color-background-primary": PAPER,
        "color-background-secondary": "#f3f0e9",
        "color-brand-primary": DEEP,
        "color-brand-content": "#0b5c8a",
        "color-brand-visited": "#6b21a8",
    },
    "dark_css_variables": {
        **FONTS,
        "color-foreground-secondary": "#b6bec7",
        "color-foreground-muted": "#b6bec7",
        "color-brand-primary": "#8fc7ea",
        "color-brand-content": "#8fc7ea",
        "color-brand-visited": "#d3a9f5",
    },
    "navigation_with_keys": False,  # our sliders use the arrow keys
}
pygments_dark_style = "a11y-high-contrast-dark"

# The pages use the same MathJax as the decks, from the site's own files.
mathjax_path = "mathjax/MathJax.js?config=TeX-AMS_SVG"
mathjax2_config = {
    "showMathMenu": False,
    "messageStyle": "none",
    "tex2jax": {
        "inlineMath": [["\\(", "\\)"]],
        "displayMath": [["\\[", "\\]"]],
        "ignoreClass": "content",
        "processClass": "math",
    },
    # By default, each letter has an outline, which looks bold in a PDF.
    "SVG": {"blacker": 0, "linebreaks": {"automatic": True}},
    # A mistake in a formula must be visible, because a test looks for it.
    "TeX": {"noErrors": {"disabled": True}, "noUndefined": {"disabled": True}},
}
myst_update_mathjax = False


def mend(app, page, template, context, doctree):
    """Remove a role from the theme's captions, because they are not headings."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(' role="heading"', "")
    # The 404 page needs a base address, because a missing page may be
    # requested in any folder.
    if page == "404" and app.config.html_baseurl:
        context["metatags"] += f'<base href="{app.config.html_baseurl}">'


def forget(app, doctree, page):
    """Remove the index entries, so that a search finds each term only once."""
    for node in list(doctree.findall(index)):
        node.parent.remove(node)


def setup(app):
    """Run `mend` after the theme, and let searches find glossary terms."""
    StandardDomain.object_types["term"].attrs["searchprio"] = 0
    app.connect("html-page-context", mend, priority=900)
    app.connect("doctree-resolved", forget)
