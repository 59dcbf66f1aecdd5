"""References, words and spans in shell text; what dash itself makes of such text is in test_shell_dash."""

from __future__ import annotations

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshore.model.shell import Piece, RawReference, Role, plain_argv, problem, references, replace, words
from longshore.model.shell.easy import scan_easy
from longshore.model.shell.scan import scan_fully

REFERENCE = "workflow:///A/x"
TOKENS = [
    *(
        "a",
        "1",
        " ",
        "\t",
        "\n",
        "'",
        '"',
        "\\",
        "$",
        "`",
        "(",
        ")",
        "{",
        "}",
        ";",
        "&",
        "|",
        "<",
        ">",
        "#",
        "*",
        "~",
        "=",
    ),
    *("${", "$((", "))", "<<E\n", "\nE\n", "<<-'E'\n", "\\\n", "case a in", "esac", "\0", "é", "\udc80", "[b]"),
    *("workflow://", "workflow:/", REFERENCE, "workflow://w/A/b/", "$name", "${name}", "${n-"),
]
SOUP = st.lists(st.sampled_from(TOKENS), max_size=30).map("".join)


def found(text: str) -> list[tuple[str, str]]:
    """Give what would be replaced and the path of each good reference."""
    return [(text[each.start : each.prefix_end], each.path) for each in references(text) if not each.problem]


@pytest.mark.parametrize(
    "text",
    [
        "cat {}",
        "cat '{}'",
        'cat "{}"',
        "cat {};true",
        "cat {}|wc",
        "cat {}&",
        "cat {}&& b",
        "cat {}\nb",
        "(cat {})",
        "cat <{}",
        "cat > {}",
        "cat 2>>{}",
        "fit --in={} --out=x",
        "fit -I{}",
        "A={} fit",
        "`cat {}`",
        '"`cat {}`"',
        "`echo \\`cat {}\\``",
        '"`echo \\"{}\\"`"',
        "$(cat {})",
        '"$(cat "{}")"',
        '"$(cat $(cat "{}"))"',
        "$(case a in (a) cat {};; esac)",
        "$(case a in b|a) cat {};; esac; cat)",
        "$(for case in a; do cat {}; done)",
        "${{name:-{}}}",
        '"${{name-{}}}"',
        "cat <<E\n{}\nE",
        "cat <<E\n{}",
        "cat <<'E F'\n{}\nE F\n",
        "cat <<-\\E\n\t{}\n\tE\n",
        "cat <<E <<F\nE\n{}\nF\n",
        "cat <<E\n$(cat {})\nE\n",
        "$(cat <<E\n{}\nE\n)",
        "a # comment\ncat {}",
        "a#b {}",
        "'a'#{}",
        "cat \\\n{}",
        "bash -c 'cat {} | wc'",
        "bash -c 'wc -l <{}'",
        "python -c 'open(\"{}\").read()'",
        "python -c \"open('{}')\"",
        'echo \\"{}\\"',
        "unclosed 'quote {}",
        '"unclosed $( `quote {}',
    ],
)
def test_a_reference_is_found_wherever_the_shell_hands_it_on(text: str) -> None:
    text = text.format(REFERENCE)

    (reference,) = references(text)
    assert text[reference.start : reference.end] == REFERENCE
    assert text[reference.start : reference.prefix_end] == "workflow:///A/"
    assert (reference.workflow, reference.task, reference.path) == ("", "A", "x")
    assert (reference.static, reference.glob, reference.problem) == (True, False, "")


@pytest.mark.parametrize(
    "text", [f"# {REFERENCE}", f"a;# {REFERENCE}", f"$(a # {REFERENCE}\n)", f"a <<'E' # {REFERENCE}"]
)
def test_a_comment_is_not_searched(text: str) -> None:
    assert references(text) == ()


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('workflow:///A/"my file".txt', "my file.txt"),
        ('"workflow:///A/my file.txt"', "my file.txt"),
        ("'workflow:///A/my file.txt' b", "my file.txt"),
        ("'workflow:///A/'my\\ file.txt;b", "my file.txt"),
        ("\"workflow:///A/x\"y'z'", "xyz"),
        ("workflow:///A/a\\;b", "a;b"),
        ("workflow:///A/a\\\nb", "ab"),
        ("'--in=workflow:///A/my file'", "my file"),
        ("workflow:///A/$'x'", "$x"),
        ("workflow:///A/d/", "d/"),
        ("workflow:///A/", ""),
        ("workflow:///A;", ""),
    ],
)
def test_a_path_goes_on_to_the_end_of_the_word(text: str, path: str) -> None:
    assert found(text)[0][1] == path


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("bash -c 'a workflow:///A/x;b workflow:///A/y>z'", ["x", "y"]),
        ('python -c \'f("workflow:///A/x y","workflow:///A/z")\'', ["x y", "z"]),
        ("cat <<E\nworkflow:///A/x (workflow:///A/y) 'workflow:///A/a b'\nE", ["x", "y", "a b"]),
        ("cat <<E\nit's workflow:///A/x\nE", ["x"]),
    ],
)
def test_in_text_for_another_program_a_path_ends_where_that_program_would_end_it(text: str, paths: list[str]) -> None:
    assert [path for _, path in found(text)] == paths


@pytest.mark.parametrize("sign", [",", ":", ";", "=", " "])
def test_a_path_never_goes_over_the_next_reference(sign: str) -> None:
    text = f"'workflow:///A/x{sign}workflow://w/B/y'"

    assert found(text) == [("workflow:///A/", "x"), ("workflow://w/B/", "y")]


def test_other_workflows_are_named_before_the_task() -> None:
    (reference,) = references("cat workflow://other/A/b/c")

    assert (reference.workflow, reference.task, reference.path) == ("other", "A", "b/c")


def test_a_path_with_variables_is_not_static_and_has_its_pieces() -> None:
    text = 'cat workflow:///A/$a/"b ${c}"$a$(d)${e:-f}$1'

    assert references(text) == (
        RawReference(
            start=4,
            end=len(text),
            prefix_end=18,
            task="A",
            path="${a}/b ${c}${a}$(...)$(...)$(...)",
            static=False,
            variables=("a", "c"),
            pieces=(
                Piece(18, 20, variable="a"),
                Piece(20, 21, "/"),
                Piece(22, 24, "b "),
                Piece(24, 28, variable="c"),
                Piece(29, 31, variable="a"),
                Piece(31, 35),
                Piece(35, 42),
                Piece(42, 44),
            ),
        ),
    )


def test_in_text_for_another_program_variables_and_wildcards_count() -> None:
    for text in ("bash -c 'cat workflow:///A/$y/*.csv'", "cat <<'E'\nworkflow:///A/${y}/*.csv\nE\n"):
        (reference,) = references(text)
        assert (reference.path, reference.variables, reference.glob) == ("${y}/*.csv", ("y",), True)


@pytest.mark.parametrize(
    ("text", "path", "is_glob", "matching"),
    [
        ("workflow:///A/*.csv", "*.csv", True, "a.csv"),
        ("workflow:///A/[ab]?", "[ab]?", True, "bx"),
        ("workflow:///A/'*'?", "[*]?", True, "*a"),
        ("workflow:///A/\\[*", "[[]*", True, "[a"),
        ("'workflow:///A/*'", "*", False, "*"),
        ("workflow:///A/\\*", "*", False, "*"),
    ],
)
def test_only_unquoted_wildcards_make_a_pattern(text: str, path: str, is_glob: bool, matching: str) -> None:
    (reference,) = references(text)

    assert (reference.path, reference.glob) == (path, is_glob)
    assert fnmatch.fnmatchcase(matching, reference.path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("workflow:/A/x", "one slash is missing"),
        ("workflow://A", "names no task"),
        ("workflow:///", "names no task"),
        ("workflow:////x", "names no task"),
        ("workflow://w//x", "names no task"),
        ("workflow:///$task/x", "written out"),
        ("workflow:///f*/x", "written out"),
        ("workflow://$(w)/A/x", "written out"),
        ('workflow:///"A"/x', "has a quote or a backslash inside"),
        ("workflow:///A\\/x", "has a quote or a backslash inside"),
        ("workflow:/\\\n//A/x", "has a quote or a backslash inside"),
        ("$((workflow:///A/x))", "inside $((...))"),
    ],
)
def test_a_malformed_reference_is_told_with_what_to_write(text: str, says: str) -> None:
    (reference,) = references(f"cat {text} b")

    assert says in reference.problem
    assert (reference.start, reference.task, reference.path) == (4 + text.index("work"), "", "")


@pytest.mark.parametrize("text", ["", "cat x", "the workflow: done", "a workflow;", "https://x/y", "workflow"])
def test_a_text_without_references_has_none(text: str) -> None:
    assert references(text) == ()


def test_words_are_told_with_what_becomes_of_them() -> None:
    text = "python fit.py 'raw data'.csv *.txt ~/x $y <in 2>err >>\"out\"; cat $(cat z) # end"

    assert [(word.text, word.role, word.static, word.glob) for word in words(text)] == [
        ("python", Role.ARGUMENT, True, False),
        ("fit.py", Role.ARGUMENT, True, False),
        ("raw data.csv", Role.ARGUMENT, True, False),
        ("*.txt", Role.ARGUMENT, True, True),
        ("", Role.ARGUMENT, False, False),
        ("", Role.ARGUMENT, False, False),
        ("in", Role.INPUT, True, False),
        ("err", Role.OUTPUT, True, False),
        ("out", Role.OUTPUT, True, False),
        ("cat", Role.ARGUMENT, True, False),
        ("", Role.ARGUMENT, False, False),
        ("cat", Role.ARGUMENT, True, False),
        ("z", Role.ARGUMENT, True, False),
    ]


def test_a_word_both_read_and_written_is_told_apart() -> None:
    assert [word.role for word in words("a <>b <&3 >|c")] == [Role.ARGUMENT, Role.UPDATE, Role.INPUT, Role.OUTPUT]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a 'b", "the single quote at line 1, column 3 is never closed"),
        ('a\n "b', "the double quote at line 2, column 2 is never closed"),
        ("a $(b", "the $( at line 1, column 3 is never closed"),
        ('a "$(b `c"', "the backquote at line 1, column 8 is never closed"),
        ("${a", "the ${ at line 1, column 1 is never closed"),
        ("`echo 'a`", "the single quote at line 1, column 7 is never closed"),
        ("$((1", "the $(( at line 1, column 1 is never closed"),
        ("cat <<E\nx", None),
        ("a 'b' \"c\" $(d) `e`", None),
    ],
)
def test_what_is_never_closed_is_told_with_its_place(text: str, says: str | None) -> None:
    assert problem(text) == says


@given(SOUP | st.text(st.characters(exclude_categories=())))
def test_no_text_is_too_odd(text: str) -> None:
    plain_argv(text)
    problem(text)
    for word in words(text):
        assert 0 <= word.start <= word.end <= len(text)
    position = 0
    for reference in references(text):
        assert 0 <= reference.start < reference.prefix_end <= reference.end <= len(text)
        if not reference.problem:
            prefix = f"workflow://{reference.workflow}/{reference.task}"
            assert position <= reference.start
            assert text[reference.start : reference.prefix_end].removesuffix("/") == prefix
            position = reference.prefix_end


@given(st.text("ab1 \t;&|<>$_*~=[]9", max_size=30))
def test_the_quick_way_gives_what_the_full_scan_gives(text: str) -> None:
    quick = scan_easy(text)

    assert quick is None or quick == scan_fully(text)
    assert quick is not None or "<<" in text or "$" in text


@pytest.mark.parametrize(
    "text",
    ["'", '"', "\\", "`", "(", "${a-", "$((", "<<a ", "<<a\na\n", "\n", "case a in ", '"$(', "`\\`", f"{REFERENCE},"],
)
def test_long_texts_of_any_kind_are_read(text: str) -> None:
    many = text * (100_000 // len(text)) + f" {REFERENCE}"

    assert len(words(many)) <= len(many)
    assert len(references(many)) <= len(many)


def test_a_command_of_a_megabyte_is_read() -> None:
    assert len(references(f"cat '{REFERENCE}' $(cat \"{REFERENCE} {REFERENCE}\") # x\n" * 15_000)) == 45_000


@pytest.mark.parametrize(
    ("replacements", "expected"),
    [([], "abcdef"), ([(3, 6, "x"), (0, 1, "")], "bcx"), ([(1, 1, "-"), (1, 2, "+")], "a-+cdef")],
)
def test_spans_are_replaced_in_any_order(replacements: list[tuple[int, int, str]], expected: str) -> None:
    assert replace("abcdef", replacements) == expected


@pytest.mark.parametrize("replacements", [[(0, 3, ""), (2, 4, "")], [(4, 7, "")], [(-1, 1, "")], [(3, 2, "")]])
def test_spans_that_overlap_or_lie_outside_are_refused(replacements: list[tuple[int, int, str]]) -> None:
    with pytest.raises(ValueError, match="overlaps another one or lies outside"):
        replace("abcdef", replacements)
