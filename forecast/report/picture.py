"""A drawn figure with the words that go with it, written as PNG or as SVG for the page."""

from __future__ import annotations

import html
import io
import re
import threading
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from forecast.report.style import DPI, PALETTE

# The SVG writer takes two of its settings from matplotlib's process-wide rcParams.
_RC_LOCK = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """One figure of a report.

    Attributes:
        name: Stem of its file, `price_forecast`.
        figure: 1600 × 900 pixels.
        title: The finding, as drawn.
        alt: The finding for somebody who cannot see the picture.
        reading: How to read it.
        finding: What a test said about it, in words; put before `reading`.
    """

    name: str
    figure: Figure
    title: str
    alt: str
    reading: str
    finding: str = ""

    def png(self) -> bytes:
        """The picture on white paper, for a slide or a README."""
        canvas = FigureCanvasAgg(self.figure)
        canvas.draw()
        words = PngInfo()
        words.add_itxt("Title", self.title)
        words.add_itxt("Description", self.alt)
        buffer = io.BytesIO()
        pixels = np.asarray(canvas.buffer_rgba())
        _few_colours(pixels).save(buffer, "png", pnginfo=words, dpi=(DPI, DPI))
        return buffer.getvalue()

    def svg(self) -> str:
        """An `<svg>` element for the page: colours are CSS variables, text stays text.

        Nothing in it collides with another picture on the same page or points outside it.
        """
        buffer = io.StringIO()
        with _RC_LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": self.name}):
            FigureCanvasSVG(self.figure).print_svg(
                buffer, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
            )
        # The writer leaves it at 72: a PNG file drawn later would have a quarter of the pixels.
        self.figure.set_dpi(DPI)
        return _for_page(buffer.getvalue(), self.name, self.alt)


def _few_colours(pixels: np.ndarray) -> Image.Image:
    """128 colours are all that the palette and its blends need: a third of the size."""
    image = Image.fromarray(pixels).convert("RGB")
    image = image.quantize(128, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    # The quickest method mixes the paper with what is nearly as light: it stays what it was.
    palette = np.reshape(image.getpalette() or [], (-1, 3))
    palette[np.asarray(image)[0, 0]] = pixels[0, 0, :3]
    image.putpalette(palette.ravel().tolist())
    return image


def _for_page(text: str, name: str, alt: str) -> str:
    """The written SVG without what a page has no use for; only its tags are touched, no text."""
    body = text[text.index("<svg") :]
    # A style element would apply to the whole page; the page's own sheet says the same.
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    opening, closing = body.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', opening)
    wanted = {
        part for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', closing) for part in pair
    }

    def adapt(match: re.Match[str]) -> str:
        tag = match[0]
        tag = re.sub(r"font-family:[^;\"]*;?\s*", "", tag)
        tag = re.sub(
            r' id="([^"]+)"',
            lambda found: f' id="{name}-{found[1]}"' if found[1] in wanted else "",
            tag,
        )
        tag = tag.replace('xlink:href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
        for role, (light, _) in PALETTE.items():
            tag = tag.replace(light, f"var(--{role})")
        # A hundredth of a point is enough, and halves the page.
        return re.sub(r"(\d\.\d{2})\d+", r"\1", tag)

    drawn = re.sub(r"<[^>]+>", adapt, closing)
    drawn = re.sub(r">\s+<", "><", drawn).strip()
    return f'<svg {view[0] if view else ""} role="img" aria-label="{html.escape(alt)}">{drawn}'
