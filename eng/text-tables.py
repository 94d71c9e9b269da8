#!/usr/bin/env python3
"""Writes the two tables that the text cleaner embeds, from the data of Python's own standard library.

The library is built with invariant globalization, where string.Normalize leaves text unchanged and
WebUtility.HtmlDecode knows only HTML 4. Run it from anywhere: eng/text-tables.py
"""

import html.entities
import itertools
import pathlib
import sys
import unicodedata

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src" / "MvAdapter.Clip" / "Text"
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)


def code_points(text):
    return " ".join(f"{ord(c):X}" for c in text)


def write(name, header, lines):
    text = "".join(f"# {line}\n" for line in header) + "".join(f"{line}\n" for line in lines)
    (FOLDER / name).write_text(text, encoding="ascii", newline="\n")


def decompositions():
    for code in range(sys.maxunicode + 1):
        mapping = unicodedata.decomposition(chr(code))
        if mapping and not mapping.startswith("<") and code not in HANGUL_SYLLABLES:
            parts = " ".join(f"{int(part, 16):X}" for part in mapping.split())
            composes = unicodedata.normalize("NFC", chr(code)) == chr(code)
            yield f"{'=' if composes else '>'} {code:X} {parts}"


def combining_classes():
    numbered = ((code, unicodedata.combining(chr(code))) for code in range(sys.maxunicode + 1))
    for kind, run in itertools.groupby(numbered, key=lambda pair: pair[1]):
        codes = [code for code, _ in run]
        if kind:
            yield f"c {codes[0]:X} {codes[-1]:X} {kind}"


write(
    "CanonicalForms.txt",
    [
        f"Unicode {unicodedata.unidata_version}, written by eng/text-tables.py.",
        "= X A B: X decomposes to A B and A B compose to X;  > X A [B]: X only decomposes;",
        "c FIRST LAST N: the combining class of a range.",
    ],
    itertools.chain(decompositions(), combining_classes()),
)
write(
    "HtmlEntities.txt",
    ["The named characters of HTML 5 (name, code points), written by eng/text-tables.py."],
    (f"{name} {code_points(text)}" for name, text in sorted(html.entities.html5.items())),
)
