"""Images are built once for their content, pushed, and removed when they were for the run alone. With buildah."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest

from longshore.errors import EnvironmentBuildError, ExecutorError
from longshore.plugin.clusters import RegistryLogin
from longshore_k8s.builders import find_builder
from longshore_k8s.config import ImageBuild
from longshore_k8s.contexts import frozen_context
from longshore_k8s.images import Images
from longshore_k8s.registries import stored_login

from .clusters import IMAGE
from .project import Project
from .registry import Registry, context, serving, tokens
from .standin import StandIn

BUILD = ImageBuild(context=".")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with serving(tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return context(tmp_path, monkeypatch)


def images(registry: Registry, project: Path, run: str = "r1", build: ImageBuild = BUILD) -> Images:
    return Images(
        build, f"{registry.host}/team/tool", lambda: None, lambda _: False, project / ".longshore" / "runs" / run
    )


def logs(project: Path) -> list[str]:
    return sorted(path.read_text() for path in project.glob(".longshore/runs/*/images/*.log"))


def test_an_image_is_built_once_for_its_content_whatever_run_asks_for_it(registry: Registry, project: Path) -> None:
    first = images(registry, project, "r1").reference(project, "r1", remove=False)
    second = images(registry, project, "r2").reference(project, "r2", remove=False)

    assert first == second
    assert registry.repository().digest(first.partition("@")[2]) == first.partition("@")[2]
    assert len(logs(project)) == 1


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("tool", True),
        ("notes/a.txt", True),
        ("kept.log", True),
        ("x.log", False),
        ("scratch/b", False),
        (".git/c", False),
    ],
)
def test_what_ignore_files_leave_out_is_no_part_of_an_image(project: Path, path: str, *, counts: bool) -> None:
    (project / ".gitignore").write_text("*.log\n!kept.log\n")
    (project / ".dockerignore").write_text("**/scratch\n")
    before = tag(project)

    (project / path).parent.mkdir(exist_ok=True)
    (project / path).write_text("changed")

    assert (tag(project) != before) is counts


def test_an_image_for_the_run_alone_is_deleted_and_that_of_others_stays(registry: Registry, project: Path) -> None:
    kept = images(registry, project, "r1").reference(project, "r1", remove=False)
    mine = images(registry, project, "r2").reference(project, "r2", remove=True)
    assert mine != kept

    images(registry, project, "r2").remove()
    images(registry, project, "r2").remove()

    assert registry.repository().digest(mine.partition("@")[2]) is None
    assert registry.repository().digest(kept.partition("@")[2]) == kept.partition("@")[2]
    assert not images(registry, project, "r2").left()


def test_a_run_has_one_image_also_when_its_context_has_changed_or_it_was_deleted(
    registry: Registry, project: Path
) -> None:
    before = images(registry, project).reference(project, "r1", remove=True)
    (project / "tool").write_text("exit 1\n")
    assert images(registry, project).reference(project, "r1", remove=True) == before

    images(registry, project).remove()

    assert images(registry, project).reference(project, "r1", remove=True) == before


def test_what_was_pushed_before_it_could_be_noted_is_found_and_deleted(registry: Registry, project: Path) -> None:
    made = images(registry, project).reference(project, "r1", remove=True)
    [note] = (project / ".longshore/runs/r1/images").glob("*.json")
    intent = {key: value for key, value in json.loads(note.read_text()).items() if key != "digest"}
    note.write_text(json.dumps(intent))

    assert images(registry, project).left()
    images(registry, project).remove()

    assert registry.repository().digest(made.partition("@")[2]) is None


def test_a_build_that_fails_names_its_step_and_what_was_said(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = context(tmp_path, monkeypatch, "echo no such library; exit 3\n")

    with pytest.raises(EnvironmentBuildError, match=r"STEP 4/4: RUN .*no such library"):
        images(registry, project).reference(project, "r1", remove=False)


def test_a_registry_that_lets_nothing_be_deleted_is_told_of(tmp_path: Path, project: Path) -> None:
    with serving(tmp_path / "stubborn", delete=False) as registry:
        images(registry, project).reference(project, "r1", remove=True)

        with pytest.raises(ExecutorError, match="does not allow that"):
            images(registry, project).remove()


def test_what_cannot_be_built_is_told_at_once(registry: Registry, project: Path) -> None:
    with pytest.raises(EnvironmentBuildError, match="there is no elsewhere in"):
        images(registry, project, build=ImageBuild(dockerfile="elsewhere")).reference(project, "r1", remove=False)
    with pytest.raises(EnvironmentBuildError, match="nothing here can build images"):
        find_builder("/nowhere")


def test_a_registry_that_wants_a_login_gets_it_and_nobody_else_sees_it(tmp_path: Path, project: Path) -> None:
    with tokens() as (auth, shown), serving(tmp_path / "closed", auth=auth) as registry:
        login = RegistryLogin(host=registry.host, user="ada", password="hunter2-hunter2")
        folder = project / ".longshore/runs/r1"
        mine = Images(BUILD, f"{registry.host}/team/tool", lambda: login, lambda _: False, folder)

        mine.reference(project, "r1", remove=True)
        mine.remove()

    assert set(shown) == {"ada:hunter2-hunter2"}
    assert "hunter2" not in repr(login)
    assert not [path for path in folder.rglob("*") if path.is_file() and "hunter2" in path.read_text()]


def test_logins_are_those_that_the_programs_keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-vault"
    helper.write_text('#!/bin/sh\nhost=$(cat)\necho "{\\"Username\\": \\"$host\\", \\"Secret\\": \\"s\\"}"\n')
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    auth = b64encode(b"ada:secret:word").decode()
    told = {"auths": {"a.example": {"auth": auth}}, "credHelpers": {"b.example": "vault"}}
    (tmp_path / "config.json").write_text(json.dumps(told))
    settings = {"DOCKER_CONFIG": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path), "HOME": str(tmp_path)}

    kept, helped = stored_login("a.example", settings), stored_login("b.example", settings)

    assert (kept and (kept.user, kept.password)) == ("ada", "secret:word")
    assert (helped and (helped.user, helped.password)) == ("b.example", "s")
    assert stored_login("c.example", settings) is None


def test_a_run_builds_its_image_uses_it_by_digest_and_leaves_none(
    standin: StandIn, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project(tmp_path, standin, "")
    context(tmp_path, monkeypatch)
    project.settings["CONTAINERS_STORAGE_CONF"] = os.environ["CONTAINERS_STORAGE_CONF"]
    file = project.folder / "longshore.toml"
    built = f'build = {{ context = "." }}\nregistry = "{registry.host}/team/tool"\nremove_image = true'
    file.write_text(file.read_text().replace(f'image = "{IMAGE}"', built))

    said = project.say("run", "-v")

    assert "STEP 4/5: RUN" in said
    [image] = standin.images
    name, _, digest = image.partition("@")
    assert name == f"{registry.host}/team/tool"
    assert digest.startswith("sha256:")
    assert registry.repository().digest(digest) is None


def tag(project: Path) -> str:
    with frozen_context(BUILD, project, project / ".longshore") as found:
        return found.tag
