"""What shell text says, read as dash reads it, without executing anything.

**References.** `references` finds ``workflow://<workflow>/<task>/<path>`` wherever a shell would hand it on: in words,
quoted or not, anywhere in the word (``--in=workflow:///a/x``), behind ``<`` and ``>``, in ``$(...)`` and backquotes, in
``${name-word}``, and in here-documents. Comments are not searched. The path goes on

* to the end of the word, as the shell sees it: through quotes (``workflow:///a/"my file".txt``), and in quotes also
  over spaces (``"workflow:///a/my file.txt"``);
* only to the closing quote, when the reference stands behind a quote that is itself part of the word
  (``python -c 'open("workflow:///a/x").read()'``);
* else, in text for another program, to white space, a quote, or one of ``; | & < > ( )`` and the backquote. Such text
  is every here-document, and every word that has white space before the reference
  (``bash -c 'sort workflow:///a/x | uniq'``). In there wildcards and variables count, though our shell leaves them;
* never over the next reference; a space, comma, colon, semicolon or equals sign between the two belongs to neither.

The prefix up to the slash behind the task must stand in one piece, without quotes, backslashes and variables inside.
What is malformed is reported with a ``problem``. ``workflow:///a`` and ``workflow:///a/`` have an empty path.

**Words.** `words` lists literal words, so that files of the project can be recognised, and tells what is read and
written by redirection. `plain_argv` says whether a command needs a shell. `problem` says what is never closed.

No function here raises on any text, and each takes time in proportion to the text.
"""

from __future__ import annotations

from collections.abc import Sequence

from longshore.model.shell.commands import Word, plain_argv, problem, words
from longshore.model.shell.parts import Role
from longshore.model.shell.references import Piece, RawReference, references

__all__ = ["Piece", "RawReference", "Role", "Word", "plain_argv", "problem", "references", "replace", "words"]


def replace(text: str, replacements: Sequence[tuple[int, int, str]]) -> str:
    """Put other text in the place of spans ``(start, end, new)``, which come in any order and do not overlap.

    Raises:
        ValueError: when two spans overlap or one lies outside of the text.
    """
    pieces: list[str] = []
    position = 0
    for start, end, new in sorted(replacements):
        if not position <= start <= end <= len(text):
            raise ValueError(f"the span {start}:{end} overlaps another one or lies outside of the text")
        pieces += [text[position:start], new]
        position = end
    return "".join([*pieces, text[position:]])
