"""Text as review reads it: one form for the many ways in which the same words can be written."""

import re
import unicodedata

_DIGITS = str.maketrans("013457@$", "oieastas")  # letters that are written as what they look like
_VOICED = "\u3099\u309a"  # marks of kana, which make another letter
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]*)*|[@$]\w+")
_SPELT = re.compile(r"(?<!\w)\w(?:[\W_]{1,2}\w){2,}(?!\w)")  # k i l l, k.i.l.l
_GAPS = re.compile(r"(?<=[⺀-鿿가-힯぀-ヿ])[\s\W_]+(?=[⺀-鿿가-힯぀-ヿ])")


def plain(text: str) -> str:
    """`text` in one case and width, without accents, invisible characters and gaps inside words.

    Wide letters and such with zero-width spaces between them become plain ones, ``k.i.l.l`` becomes ``kill``,
    ``n4ked`` ``naked``, and ideographs close up. Whole numbers stay what they are.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(each for each in decomposed if each in _VOICED or unicodedata.category(each) not in ("Cf", "Mn"))
    words = _WORD.sub(_letters, _GAPS.sub("", unicodedata.normalize("NFC", kept)))
    return _SPELT.sub(lambda found: re.sub(r"[\W_]", "", found[0]), words)


def _letters(word: re.Match[str]) -> str:
    return word[0] if word[0].isdigit() or not any(map(str.isalpha, word[0])) else word[0].translate(_DIGITS)
