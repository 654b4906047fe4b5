"""Text as review reads it: one form for the many ways in which the same words can be written."""

import re
import unicodedata

_VOICED = "\u3099\u309a"  # marks of kana, which make another letter
_VOWELS = re.compile("[\u0900-\u0eff]")  # of India and Thailand: marks, and no accents where they follow such a letter
_SAME = str.maketrans("_\u2018\u2019\u02bc", " '''", "\u0640")  # Arabic's stretch says nothing
_DIGITS = str.maketrans("013457@$", "oieastas")  # letters that are written as what they look like
_TWINS = str.maketrans("аеорсхуіѕјһԁԛԝвкмнтАΟοαρ", "aeopcxyisjhdqwbkmhtaooap")
_WORD = re.compile(r"[^\W_]+(?:[@$][^\W_]*)*|[@$]\w+")
_SPELT = re.compile(r"(?<!\w)\w(?:[^\w\n]{1,3}\w(?!\w)){2,}")  # k i l l, k.i.l.l
_HAN = "\u2e80-\u9fff\uf900-\ufaffぁ-ヿ"
_GAPS = re.compile(rf"(?<=[{_HAN}])[ \t\u3000.·*~^|/+#-]+(?=[{_HAN}])")  # not what ends a clause


def plain(text: str) -> str:
    """`text` in one case and width, without accents and invisible characters.

    Wide letters become plain ones, ``n4ked`` becomes ``naked``, letters of another script that look like Latin ones
    in a Latin word become those, and ideographs with spaces or signs between them close up. Whole numbers stay.
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold()).translate(_SAME)
    kept: list[str] = []
    for each in decomposed:
        follows = kept and _VOWELS.match(kept[-1]) and _VOWELS.match(each)
        if each in _VOICED or follows or unicodedata.category(each) not in ("Cf", "Mn"):
            kept.append(each)
    return _WORD.sub(_letters, _GAPS.sub("", unicodedata.normalize("NFC", "".join(kept))))


def spelt(read: str) -> list[str]:
    """What is written letter by letter in a text that is `plain`: ``k i l l`` as ``kill``."""
    return [re.sub(r"\W", "", found[0]) for found in _SPELT.finditer(read)]


def _letters(word: re.Match[str]) -> str:
    found = word[0]
    if found.isdigit() or not any(map(str.isalpha, found)):
        return found
    if re.search("[a-z]", found) and re.search("[Ͱ-ӿԀ-ԯ]", found):
        found = found.translate(_TWINS)
    return found.translate(_DIGITS)
