"""The little grammar that a tokeniser of shell text needs: what does the next ``)`` close?

Inside ``$(...)`` a ``)`` may end a subshell, a pattern of ``case``, or the substitution, and only keywords tell, which
are keywords only where a command begins.
"""

from __future__ import annotations

from enum import Enum

from attrs import define

__all__ = ["Grammar"]

_BEFORE_COMMAND = frozenset({"if", "then", "elif", "else", "fi", "do", "done", "while", "until", "!", "{", "}", "time"})


class _Open(Enum):
    PAREN = "("
    SUBJECT = "case"
    IN = "case word"
    PATTERN = "case word in"
    BODY = "case word in pattern)"


@define
class Grammar:
    """Follows the tokens of one list of commands. Broken grammar is no error: dash will say so, and where."""

    head: bool = True
    """The next word may be a keyword."""
    naming: bool = False
    """The next word is the variable of ``for``."""
    # A chain of pairs, not a list: most lists of commands have none, and a text may nest a million deep.
    nest: tuple[_Open, object] | None = None

    def word(self, text: str | None) -> None:
        """Take the next word; None when it is quoted or not literal, and so never a keyword."""
        top = self._top
        if self.naming:
            self.naming, self.head = False, True  # `for x do` has its keyword right behind the name
        elif top is _Open.SUBJECT:
            self._become(_Open.IN)
        elif top is _Open.IN:
            self._become(_Open.PATTERN)
            self.head = True
        elif not self.head:
            return
        elif top is _Open.PATTERN or text == "esac":
            self.head = False
            if text == "esac" and top in {_Open.PATTERN, _Open.BODY}:
                self._pop()
                self.head = True
        elif text == "case":
            self._push(_Open.SUBJECT)
            self.head = False
        else:
            self.naming = text == "for"
            self.head = text in _BEFORE_COMMAND

    def separator(self, token: str) -> None:
        """Take an operator that ends a command, or a newline."""
        top = self._top
        if token == ";;" and top is _Open.BODY:
            self._become(_Open.PATTERN)
            self.head = True
        elif top is _Open.PATTERN:
            self.head = self.head and token == "\n"
        elif top not in {_Open.SUBJECT, _Open.IN}:
            self.head, self.naming = True, False

    def opening(self) -> None:
        """Take a ``(``."""
        if self._top is _Open.PATTERN:
            self.head = False
        else:
            self._push(_Open.PAREN)
            self.head = True

    def closing(self) -> bool:
        """Take a ``)``; say whether it closes something in here."""
        top = self._top
        if top is _Open.PATTERN:
            self._become(_Open.BODY)
        elif top is _Open.PAREN:
            self._pop()
        else:
            return False
        self.head = True
        return True

    @property
    def _top(self) -> _Open | None:
        return self.nest[0] if self.nest is not None else None

    def _push(self, opened: _Open) -> None:
        self.nest = (opened, self.nest)

    def _pop(self) -> None:
        assert self.nest is not None
        rest = self.nest[1]
        self.nest = rest if isinstance(rest, tuple) else None

    def _become(self, opened: _Open) -> None:
        self._pop()
        self._push(opened)
