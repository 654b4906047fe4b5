"""A self-contained HTML page of films and pictures with words beside them: what the examples leave to look at."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STYLE = """
:root { color-scheme: light dark; font-family: system-ui, "Noto Sans CJK SC", sans-serif }
body { max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1.25rem }
figure { margin: 0; border: 1px solid #8884; border-radius: .6rem; overflow: hidden }
img, video { display: block; width: 100%; aspect-ratio: 1 }
figcaption { padding: .6rem .8rem; line-height: 1.45 }
small { opacity: .7 }
"""


@dataclass(frozen=True)
class Card:
    """One film or picture; `mime` is of `data`, `note` is printed small, `captions` is WebVTT."""

    data: bytes
    mime: str
    title: str
    note: str = ""
    captions: str = ""


def write_page(path: Path, title: str, cards: Sequence[Card], *, language: str = "en") -> None:
    """Writes the page; everything it shows is inside it."""
    body = "\n".join(_figure(card, language) for card in cards)
    page = f"""<!doctype html>
<html lang="{language}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{html.escape(title)}</title><style>{STYLE}</style>
<h1>{html.escape(title)}</h1>
<main>
{body}
</main>
<p><small>AI 生成 · made by a model · Framecast</small></p>
</html>
"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _figure(card: Card, language: str) -> str:
    title, note = html.escape(card.title), html.escape(card.note)
    if card.mime.startswith("image/"):
        shown = f'<img alt="{title}" src="{_inline(card.data, card.mime)}">'
    else:
        track = _inline(card.captions.encode(), "text/vtt")
        words = f'<track default srclang="{language}" src="{track}">' if card.captions else ""
        source = _inline(card.data, "video/mp4")
        shown = f'<video controls autoplay muted loop playsinline src="{source}">{words}</video>'
    return f"<figure>{shown}<figcaption>{title}<br><small>{note}</small></figcaption></figure>"


def _inline(data: bytes, mime: str) -> str:
    return f"data:{mime.partition(';')[0]};base64,{base64.b64encode(data).decode()}"


def web_vtt(lines: Sequence[tuple[float, float, str]]) -> str:
    """Captions as WebVTT (W3C) from (begin, end, text) in seconds."""

    def clock(seconds: float) -> str:
        return f"{int(seconds) // 3600:02}:{int(seconds) // 60 % 60:02}:{seconds % 60:06.3f}"

    cues = [f"{clock(begin)} --> {clock(end)}\n{html.escape(text, quote=False)}" for begin, end, text in lines]
    return "\n\n".join(["WEBVTT", *cues]) + "\n"
