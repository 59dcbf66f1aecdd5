"""What may stand below ``[environments.NAME]``, and by what an environment is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from longshore import ConfigError, load
from longshore.config.environments import environment, read_environment
from longshore.config.problems import Mistakes, Problems
from longshore.config.resolve import resolve
from longshore.model.command import Shell
from longshore.model.environment import EnvironmentSpec, Requirement, Script
from longshore.model.task import FileInput

Read = Callable[..., EnvironmentSpec]

NAMES = st.sampled_from(["numpy", "scipy==1.2", "pandas>=2,<3", "a[b] ; python_version > '3.8'", "--no-index"])
LINES = st.lists(NAMES, max_size=5)


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def do(files: dict[str, str] | None = None, **words: object) -> EnvironmentSpec:
        for name, content in (files or {}).items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        problems = Problems(lambda _: "")
        spec = read_environment(environment("sci", words), tmp_path, problems)
        problems.check()
        return spec

    return do


def test_scripts_and_requirements_come_from_files_or_stand_in_place(read: Read) -> None:
    files = {"prepare.sh": "make all\n", "requirements.txt": "numpy==2.0  # fast\n\n# nothing\nscipy \\\n  >= 1\n"}

    spec = read(files, before="prepare.sh", pip="requirements.txt", python="3.11", after="echo done")

    assert spec.before == Script(name="prepare.sh", text="make all\n")
    assert spec.after == Script(name="after", text="echo done")
    assert spec.pip == (
        Requirement("numpy==2.0", "requirements.txt line 1"),
        Requirement("scipy >= 1", "requirements.txt line 4"),
    )
    assert spec.python == "3.11"


def test_requirements_include_others_and_constraints(read: Read) -> None:
    files = {"req/a.txt": "-r b.txt\n-c ../bounds.txt\n", "req/b.txt": "numpy\n", "bounds.txt": "numpy<3\n"}

    spec = read(files, pip="req/a.txt")

    assert spec.pip == (Requirement("numpy", "req/b.txt line 1"),)
    assert spec.constraints == (Requirement("numpy<3", "bounds.txt line 1"),)


@pytest.mark.parametrize(
    ("words", "says", "remedy"),
    [
        ({"pip": ["./wheels/x.whl"]}, "no other machine has", "absolute path"),
        ({"pip": ["x.whl"]}, "no other machine has", "absolute path"),
        ({"pip": ["-e ."]}, "no other machine has", "absolute path"),
        ({"pip": ["--find-links wheels"]}, "no other machine has", "absolute path"),
        ({"pip": ["-r requirements.txt"]}, "names a file", 'pip = "requirements.txt"'),
        ({"pip": 3}, "where a list is needed", "in brackets"),
        ({"pip": "../outside.txt"}, "'../outside.txt'", ""),
        ({"pip": "missing.txt"}, "no file 'missing.txt'", "write it"),
        ({"pip": "loop.txt"}, "includes itself", "take one"),
        ({"pip": "web.txt"}, "web.txt line 2 includes http://x/y.txt", "a copy"),
        ({"pip": "binary.txt"}, "not UTF-8", "readable text"),
        ({"before": "missing.sh"}, "no file 'missing.sh'", "write it"),
        ({"before": "/etc/passwd"}, "/etc/passwd", "one word names a file of the project"),
        ({"before": ""}, "the text is empty", "leave the key out"),
        ({"python": 3.11}, "3.11", '"3.11"'),
        ({"python": "2.7"}, "'2.7'", '"3.11"'),
        ({"pips": ["numpy"]}, "no key 'pips'", "'pip'"),
        ({"apt": ["gdal; rm -rf /"]}, "'gdal; rm -rf /' names no package", '"gdal-bin"'),
        ({"apt": ["--reinstall"]}, "names no package", '"gdal-bin"'),
        ({"conda": ["-c evil"]}, "names no package", '"gdal=3.9"'),
        ({"conda": ["gdal"], "channels": ["--json"]}, "no channel", '"conda-forge"'),
        ({"channels": ["conda-forge"]}, "channels go with a list", 'conda = ["PACKAGE"]'),
        ({"conda": "sci.yml", "channels": ["conda-forge"]}, "channels go with a list", "name them in its file"),
        ({"conda": "sci.yml", "python": "3.11"}, "stands in conda's file", "- python=3.11"),
        ({"conda": "sci.yml"}, "'- -r requirements.txt' is a path of this computer", "pip = "),
        ({"conda": "empty.yml"}, "describes no environment", "dependencies:"),
        ({"julia": ["CSV --x"]}, "names no package", '"DataFrames@1.6"'),
        ({"julia": "sim.jl"}, "no project of Julia", "Project.toml"),
        ({"image": "--privileged"}, "no name of an image", "debian:12"),
        ({"path": "nowhere"}, "'nowhere' is no conda environment and no venv", "bin in it"),
        ({"path": ".venv", "pip": ["numpy"]}, "no 'pip' of its own", "take one of them out"),
    ],
)
def test_a_mistake_is_told_with_its_remedy(
    read: Read, tmp_path: Path, words: dict[str, object], says: str, remedy: str
) -> None:
    (tmp_path / "loop.txt").write_text("-r loop.txt\n")
    (tmp_path / "web.txt").write_text("numpy\n-r http://x/y.txt\n")
    (tmp_path / "sci.yml").write_text("dependencies:\n  - pip:\n    - -r requirements.txt\n")
    (tmp_path / "empty.yml").write_text("# nothing\nname: x\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00\x01")

    with pytest.raises((Mistakes, ConfigError)) as caught:
        read(**words)

    match caught.value:
        case Mistakes(mistakes=(mistake,)) | ConfigError(problems=(mistake,)):
            assert says in mistake.message
            assert remedy in mistake.remedy
        case error:
            raise error


def test_all_mistakes_are_told_at_once_with_their_keys(tmp_path: Path) -> None:
    (tmp_path / "longshore.toml").write_text(
        'name = "w"\n[environments.sci]\nbefore = "no.sh"\npip = "no.txt"\nafter = "neither.sh"\n'
        '[tasks.a]\ncommand = "true"\n'
    )
    loaded = load(tmp_path / "longshore.toml")

    with pytest.raises(ConfigError) as caught:
        resolve(loaded.spec, loaded.folder)

    keys = [problem.key for problem in caught.value.problems]
    assert sorted(keys) == ["environments.sci.after", "environments.sci.before", "environments.sci.pip"]


@given(LINES, st.data())
def test_equal_requirements_are_one_environment_wherever_they_stand(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("project")
    cut = data.draw(st.integers(0, len(lines)))
    noise = data.draw(st.sampled_from(["", "\n", "# a comment\n", "   \n\n"]))
    (folder / "all.txt").write_text("".join(line + "\n" for line in lines))
    (folder / "rest.txt").write_text("".join(f"  {line}  # why\n" for line in lines[cut:]))
    (folder / "first.txt").write_text("".join(line + "\n" + noise for line in lines[:cut]) + "-r rest.txt\n")
    problems = Problems(lambda _: "")

    digests = {
        read_environment(environment(name, words), folder, problems).digest
        for name, words in (("a", {"pip": "all.txt"}), ("b", {"pip": "first.txt"}), ("c", {"pip": lines}))
    }

    assert len(digests) == 1


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
SPECS = st.builds(
    EnvironmentSpec,
    name=st.just("sci"),
    before=st.none() | st.builds(Script, name=st.just("x"), text=TEXTS),
    pip=st.lists(st.builds(Requirement, TEXTS, st.just("p")), max_size=2).map(tuple),
    constraints=st.lists(st.builds(Requirement, TEXTS, st.just("p")), max_size=2).map(tuple),
    python=st.sampled_from(["", "3.11"]),
    after=st.none() | st.builds(Script, name=st.just("x"), text=TEXTS),
)


@given(SPECS, SPECS)
def test_two_environments_have_one_digest_only_when_all_their_content_is_equal(
    one: EnvironmentSpec, other: EnvironmentSpec
) -> None:
    assert (one.digest == other.digest) == (one == other)


@given(SPECS)
def test_neither_its_name_nor_the_place_of_a_line_is_part_of_its_digest(spec: EnvironmentSpec) -> None:
    moved = evolve(
        spec,
        name="other",
        before=spec.before and evolve(spec.before, name="elsewhere.sh"),
        pip=tuple(Requirement(each.text, "elsewhere") for each in spec.pip),
    )

    assert moved.digest == spec.digest


# --- what is on this computer


def _venv(folder: Path, *, editable: str = "") -> None:
    """Write what of a venv says what is installed."""
    site = folder / "lib" / "python3.11" / "site-packages"
    packages = {"numpy": ("2.1.0", "uv", ""), "pip": ("24.0", "pip", "")}
    packages["tool"] = (
        "1.0",
        "pip",
        editable or '{"url": "https://h/r.git", "vcs_info": {"vcs": "git", "commit_id": "ab"}}',
    )
    for name, (version, installer, origin) in packages.items():
        info = site / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "INSTALLER").write_text(f"{installer}\n")
        if origin:
            (info / "direct_url.json").write_text(origin)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.7\n")


def test_a_venv_of_this_computer_is_its_python_and_exact_versions(read: Read, tmp_path: Path) -> None:
    _venv(tmp_path / ".venv")

    spec = read(path=".venv", after="echo done")

    assert [each.text for each in spec.pip] == ["numpy==2.1.0", "tool @ git+https://h/r.git@ab"]
    assert (spec.python, spec.path, spec.after and spec.after.text) == ("3.11", "", "echo done")


def test_what_comes_from_a_folder_of_this_computer_cannot_be_made_anew_elsewhere(read: Read, tmp_path: Path) -> None:
    _venv(tmp_path / ".venv", editable='{"url": "file:///home/me/tool", "dir_info": {"editable": true}}')

    with pytest.raises(ConfigError, match="tool in it comes from /home/me/tool"):
        read(path=".venv")


def test_an_environment_of_conda_is_its_exact_packages_and_what_pip_added(read: Read, tmp_path: Path) -> None:
    _venv(tmp_path / "env")
    (tmp_path / "env" / "pyvenv.cfg").unlink()
    (tmp_path / "env" / "conda-meta").mkdir()
    told = '{"url": "https://c/linux-64/gdal-3.9-0.conda", "md5": "ab12"}'
    (tmp_path / "env" / "conda-meta" / "gdal-3.9-0.json").write_text(told)
    [info] = tmp_path.glob("env/lib/python3.11/site-packages/numpy*")
    (info / "INSTALLER").write_text("conda\n")

    spec = read(path=str(tmp_path / "env"))

    assert spec.conda_file == Script(name="env", text="@EXPLICIT\nhttps://c/linux-64/gdal-3.9-0.conda#ab12\n")
    assert [each.text for each in spec.pip] == ["tool @ git+https://h/r.git@ab"]


# --- scripts of tasks


@pytest.mark.parametrize(
    ("file", "program"), [("fit.py", "python3"), ("sim.jl", "julia"), ("plot.R", "Rscript"), ("all.sh", "sh")]
)
def test_a_script_is_executed_by_what_its_ending_says_and_is_an_input(tmp_path: Path, file: str, program: str) -> None:
    (tmp_path / file).touch()
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n[tasks.a]\nscript = "{file} 1 10"\n')

    [task] = load(tmp_path / "longshore.toml").spec.tasks

    assert task.command == Shell(f"{program} {file} 1 10")
    assert task.inputs == (FileInput(file),)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ('script = "fit.exe 1"', "nobody knows what executes 'fit.exe'"),
        ('script = "fit 1"', "nobody knows what executes 'fit'"),
        ('script = "$x.py"', "has signs in it that a shell would read"),
        ('script = "/usr/bin/x.py"', "'/usr/bin/x.py' is no file of the project"),
        ('script = "gone.py"', "gone.py"),
        ('script = "fit.py"\ncommand = "true"', "the task has a command and a script"),
        ('script = "fit.py"\ncall = "a:b"', "the task has a call and a script"),
        (
            'call = "m:f"\nenvironment = "box"\n[environments.box]\nimage = "debian:12"',
            "into which Python calls do not go",
        ),
    ],
)
def test_a_mistake_about_scripts_is_told(tmp_path: Path, words: str, says: str) -> None:
    (tmp_path / "fit.py").touch()
    (tmp_path / "m.py").write_text("def f(): ...\n")
    (tmp_path / "longshore.toml").write_text(f'name = "w"\n[tasks.a]\n{words}\n')

    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "longshore.toml")

    assert any(says in problem.message for problem in caught.value.problems), caught.value.problems
