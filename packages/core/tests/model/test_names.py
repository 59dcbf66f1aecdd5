"""Names, file names made of values, near matches and relative paths."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from longshore.model.names import check_name, check_parameter, clean_relative, file_safe, member_name, near

# Also lone surrogates: a file name that is not UTF-8 is read with them.
ANY_TEXT = st.text(st.characters(exclude_categories=()))
TRICKY_TEXT = st.text("aA.-_%~,=/+@ \0\u00e9\udc80", max_size=8)
VALUES = ANY_TEXT | TRICKY_TEXT | st.text("ab.", min_size=100, max_size=140)


@pytest.mark.parametrize("name", ["a", "fit", "Fit-2.b", "_x", "2001", "0.5", "a" * 100])
def test_a_good_name_is_given_back(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "must not be empty"),
        ("a b", "'a_b' would do"),
        ("a/b", "'a_b' would do"),
        ("-x", "'x' would do"),
        (".hidden", "'hidden' would do"),
        ("a\n", "'a_' would do"),
        ("it's", "'it_s' would do"),
        ("é", "begin with a letter"),
        ("²", "begin with a letter"),
        ("a" * 101, "100 are the most"),
    ],
)
def test_a_bad_name_is_refused_with_the_rule_and_a_better_one(name: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)) as refused:
        check_name(name, "task name")

    assert "task name" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["year", "x1", "_part", "path", "Home"])
def test_a_parameter_may_have_any_variable_name_that_is_free(name: str) -> None:
    assert check_parameter(name) == name


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "IFS", "LD_PRELOAD", "LC_ALL", "LONGSHORE_INPUTS", "PWD", "_", "TMPDIR"]
)
def test_a_parameter_never_overwrites_what_programs_depend_on(name: str) -> None:
    with pytest.raises(ValueError, match="would overwrite a variable that programs depend on; use"):
        check_parameter(name)


@pytest.mark.parametrize(("name", "better"), [("a.b", "a_b"), ("a-b", "a_b"), ("2a", "_2a")])
def test_a_parameter_has_the_name_of_a_shell_variable(name: str, better: str) -> None:
    with pytest.raises(ValueError, match=f"'{better}' would do"):
        check_parameter(name)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("2001", "2001"),
        ("a+b=c@d_e-f.g", "a+b=c@d_e-f.g"),
        ("", "%empty"),
        (".", "%2E"),
        ("..", "%2E."),
        ("-rf", "%2Drf"),
        ("a b/c", "a%20b%2Fc"),
        ("50%", "50%25"),
        ("é", "%C3%A9"),
        ("\udc80", "%ED%B2%80"),
        ("a,b", "a%2Cb"),
    ],
)
def test_a_value_keeps_its_look_in_a_file_name(value: str, name: str) -> None:
    assert file_safe(value) == name


# Every name is made and removed.
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(value=VALUES)
def test_every_value_names_a_file_that_can_be_made(value: str, tmp_path: Path) -> None:
    name = file_safe(value)

    assert re.fullmatch(r"[A-Za-z0-9_+=@%][A-Za-z0-9._+=@%~-]{0,119}", name)
    (tmp_path / name).touch()
    assert [found.name for found in tmp_path.iterdir()] == [name]
    (tmp_path / name).unlink()


@given(st.lists(VALUES, min_size=2, max_size=30, unique=True))
def test_different_values_have_different_names(values: list[str]) -> None:
    assert len({file_safe(value) for value in values}) == len(values)


@given(st.lists(st.lists(VALUES, min_size=1, max_size=4).map(tuple), min_size=2, max_size=20, unique=True))
def test_different_members_have_different_names(members: list[tuple[str, ...]]) -> None:
    names = {member_name(values) for values in members}

    assert len(names) == len(members)
    assert max(map(len, names)) <= 120


def test_long_values_that_differ_only_at_the_end_stay_apart() -> None:
    long = "x" * 118

    assert len({file_safe(f"{long},b"), member_name([long, "b"]), member_name([long, "c"]), file_safe(long * 2)}) == 4


def test_a_member_of_one_parameter_is_named_as_its_value() -> None:
    assert member_name(["a b"]) == file_safe("a b")


def test_a_member_of_several_parameters_joins_them_in_order() -> None:
    assert member_name(["2001", "a,b", ""]) == "2001,a%2Cb,%empty"


def test_a_member_without_values_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        member_name([])


def test_near_names_come_first_by_likeness_and_other_capitals_before_all() -> None:
    assert near("Fit", ["fit", "fits", "report", "lift"]) == ["fit", "fits"]
    assert near("prepar", ["prepare", "compare", "repair", "fit"]) == ["prepare", "repair"]
    assert near("zzz", ["prepare", "fit"]) == []
    assert len(near("task1", ["task2", "task3", "task4"], limit=2)) == 2


@pytest.mark.parametrize("misspelt", ["Fit_77777", "fit_77777x", "fit_7777_7", "it_77777", "fti_77777", "fit-77777"])
def test_one_mistake_is_found_among_very_many(misspelt: str) -> None:
    assert near(misspelt, (f"fit_{number}" for number in range(100_000)))[0] == "fit_77777"


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("model.json", "model.json"),
        ("./a//b/./c", "a/b/c"),
        ("plots/", "plots"),
        ('it\'s "mine" (1).txt', 'it\'s "mine" (1).txt'),
        ("Ergebnisse/größe.csv", "Ergebnisse/größe.csv"),
        ("...", "..."),
        ("-x", "-x"),
    ],
)
def test_a_path_inside_the_folder_is_cleaned(path: str, clean: str) -> None:
    assert clean_relative(path) == PurePosixPath(clean)


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("//x", "is absolute"),
        ("../x", "leads out of its folder"),
        ("a/../../x", "leads out of its folder"),
        ("a/..", "leads out of its folder"),
        (".", "names the folder itself"),
        ("./", "names the folder itself"),
        ("a\0b", "control character"),
        ("a\nb", "control character"),
        ("a\x85b", "control character"),
        ("a\u2028b", "control character"),
        ("a\udc80", "not valid Unicode"),
    ],
)
def test_any_other_path_is_refused_in_one_line(path: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        clean_relative(path)

    assert str(refused.value).isprintable()


@given(ANY_TEXT | TRICKY_TEXT)
def test_a_cleaned_path_is_clean_and_stays_inside(path: str) -> None:
    try:
        clean = clean_relative(path)
    except ValueError:
        return

    assert clean_relative(str(clean)) == clean
    assert not clean.is_absolute()
    assert ".." not in clean.parts
    assert clean.parts
