"""A matplotlib figure as an inline SVG that is inert, themed by the page and the same to the byte each time."""

from __future__ import annotations

import io
import re
import warnings
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup

from hitl.markup import visible
from hitl.report.drawing import STYLE, THEME, TIP, told

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DRAWN = {"svg", "g", "path", "text", "tspan", "use", "defs", "clipPath", "rect"}
_FAMILY = re.compile(r"font-family: [^;]*; ?")
_REFERENCE = re.compile(r"url\(#([^)]*)\)")


def to_svg(figure: Figure, key: str, label: str, css: str = "") -> Markup:
    """The figure as an SVG element with `label` read aloud, and points that tell their words when pointed at.

    Text stays text, in the page's own font; ids begin with `key`; colours of `drawing.THEME` become CSS variables; only
    drawing elements and references to within the element remain. Words in it are escaped. `css` names its class.
    """
    pointed = figure.findobj(lambda artist: str(artist.get_gid() or "").startswith(TIP))
    for index, artist in enumerate(pointed):
        artist.set_gid(f"{TIP}{index}")
    root = ElementTree.fromstring(_written(figure, key))
    _tidy(root, key, {f"{TIP}{index}": told(artist) for index, artist in enumerate(pointed)})
    view = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-label": visible(label, 500), "stroke-linejoin": "round"})
    if css:
        root.set("class", css)
    return Markup(_themed(ElementTree.tostring(root, encoding="unicode")))


def _written(figure: Figure, key: str) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    file = io.StringIO()
    with rc_context({**STYLE, "svg.hashsalt": key}), warnings.catch_warnings():
        # the browser draws the text; that matplotlib's own font lacks a sign does not matter
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(file, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return file.getvalue()


def _tidy(element: ElementTree.Element, key: str, words: dict[str, str]) -> None:
    element.tag = _local(element.tag)
    element.tail = None
    if element.tag not in ("text", "tspan"):
        element.text = None
    for child in [child for child in element if _local(child.tag) not in _DRAWN]:
        element.remove(child)
    for name, value in list(element.attrib.items()):
        del element.attrib[name]
        local = _local(name)
        if local == "id" and value in words:
            title = ElementTree.Element("title")
            title.text = visible(words[value], 300)
            element.insert(0, title)
        elif local == "id" and element.tag in ("path", "clipPath"):
            element.set("id", f"{key}-{value}")
        elif local == "href" and value.startswith("#"):
            element.set("href", f"#{key}-{value[1:]}")
        elif local not in ("id", "href"):
            element.set(local, _REFERENCE.sub(rf"url(#{key}-\1)", _FAMILY.sub("", value)))
    for child in element:
        if child.tag != "title":
            _tidy(child, key, words)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _themed(svg: str) -> str:
    for colour, variable in THEME.items():
        svg = svg.replace(colour, f"var(--{variable}, {colour})")
    return svg
