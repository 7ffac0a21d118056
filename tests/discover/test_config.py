"""Settings: checked before anything is loaded, with the path and the nearest right name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import attrs
import jsonschema
import pytest

import videoannotator as va
from videoannotator.discover.config import config_of, config_schema, models_of, needs_of, plain_config
from videoannotator.errors import ConfigError, PluginLoadError


@attrs.frozen
class Inner:
    depth: Annotated[int, va.Range(ge=1)] = 2


@attrs.frozen
class Config:
    threshold: Annotated[float, va.Range(gt=0, le=1)] = attrs.field(default=0.5, metadata={"help": "least score"})
    rate: Annotated[float, va.Range(gt=0), va.Unit("Hz")] | None = None
    mode: Literal["fast", "exact"] = "exact"
    classes: tuple[int, ...] = (0,)
    inner: Inner = attrs.field(factory=Inner)
    many: tuple[Inner, ...] = ()

    def needs(self) -> tuple[Any, ...]:
        return (va.Frames(rate=self.rate),)


SPEC = va.PipelineSpec(
    name="thing",
    version="1",
    needs=[va.Frames()],
    gives={"x": "videoannotator.data.rows:Signal"},
    pipeline="nowhere:Nothing",
    config=f"{__name__}:Config",
    licence="MIT",
)


def test_defaults_and_overrides() -> None:
    assert config_of(SPEC) == Config()
    made = config_of(SPEC, {"threshold": 1, "inner": {"depth": 4}, "classes": [1, 2]})
    assert made == Config(threshold=1.0, inner=Inner(4), classes=(1, 2))
    assert config_of(SPEC, made) is made
    assert plain_config(made)["inner"] == {"depth": 4}


def test_a_list_of_groups() -> None:
    made = config_of(SPEC, {"many": [{"depth": 3}, Inner(4), {}]})
    assert made.many == (Inner(3), Inner(4), Inner(2))
    assert config_of(SPEC, plain_config(made)) == made
    jsonschema.validate({"many": [{"depth": 3}]}, config_schema(Config))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"treshold": 0.4}, r"thing\.treshold: no such setting \(did you mean 'threshold'\?\)"),
        ({"threshold": 0}, r"thing\.threshold must be in \(0, 1\], got 0"),
        ({"threshold": "high"}, r"thing\.threshold must be float in \(0, 1\], got 'high'"),
        ({"mode": "quick"}, r"thing\.mode must be one of 'fast', 'exact', got 'quick'"),
        ({"inner": {"dept": 1}}, r"thing\.inner\.dept: no such setting \(did you mean 'depth'\?\)"),
        ({"inner": {"depth": 0}}, r"thing\.inner\.depth must be in \[1, inf\), got 0"),
        ({"inner": 3}, r"thing\.inner must be a group of settings, got 3"),
        ({"many": [{"depth": 1}, {"dept": 1}]}, r"thing\.many\[1\]\.dept: no such setting \(did you mean 'depth'\?\)"),
        ({"many": [{"depth": 0}]}, r"thing\.many\[0\]\.depth must be in \[1, inf\), got 0"),
        ({"many": [3]}, r"thing\.many\[0\] must be a group of settings, got 3"),
        ({"many": {"depth": 1}}, r"thing\.many must be a list of Inner, got \{'depth': 1\}"),
        ({"classes": ["a"]}, r"thing\.classes must be a list of int, got \['a'\]"),
        ({"rate": -1.0}, r"thing\.rate must be in \(0, inf\), got -1\.0"),
        ({"rate": float("nan")}, r"thing\.rate must be in"),
        (Config(threshold=7.0), r"thing\.threshold must be in \(0, 1\], got 7\.0"),
        ("fast", r"settings are a mapping or a Config, got 'fast'"),
    ],
)
def test_wrong_settings_are_refused_by_path(given: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        config_of(SPEC, given)


def test_a_pipeline_without_settings_takes_none() -> None:
    bare = attrs.evolve(SPEC, config=None)
    assert config_of(bare) is None
    with pytest.raises(ConfigError, match="thing has no settings"):
        config_of(bare, {"a": 1})


def test_the_schema_accepts_what_we_accept_and_refuses_what_we_refuse() -> None:
    schema = config_schema(Config)
    jsonschema.Draft202012Validator.check_schema(schema)
    checker = jsonschema.Draft202012Validator(schema)
    assert checker.is_valid(plain_config(Config()))
    assert checker.is_valid({"rate": None, "inner": {"depth": 3}})
    for wrong in ({"treshold": 1}, {"threshold": 0}, {"mode": "quick"}, {"inner": {"depth": 0}}, {"classes": ["a"]}):
        assert not checker.is_valid(wrong), wrong
    assert schema["properties"]["threshold"]["description"] == "least score"
    assert schema["properties"]["threshold"]["default"] == 0.5
    assert schema["properties"]["rate"]["anyOf"][0]["unit"] == "Hz"


def test_settings_can_change_the_needs() -> None:
    assert needs_of(SPEC, Config(rate=2.0)) == (va.Frames(rate=2.0),)
    assert needs_of(attrs.evolve(SPEC, config=None), None) == (va.Frames(),)


def test_a_plugin_that_asks_for_nonsense_is_told() -> None:
    twice = attrs.evolve(SPEC, config=None, needs=[va.Frames(), va.Frames(rate=1.0)])
    with pytest.raises(PluginLoadError, match="more than once"):
        needs_of(twice, None)
    with pytest.raises(PluginLoadError, match="asks for 'frames'"):
        needs_of(attrs.evolve(SPEC, config=None, needs=["frames"]), None)


def test_settings_name_their_models() -> None:
    @attrs.frozen
    class One:
        weights: Any = "a.onnx"

    @attrs.frozen
    class Several:
        given: Any

        def models(self) -> Any:
            return self.given

    assert models_of(None) == models_of(Config()) == models_of(One(None)) == ()
    assert models_of(One()) == ("a.onnx",)
    assert models_of(Several(["a", "b", "a"])) == ("a", "b")
    for wrong in ("a.onnx", ["a", None]):
        with pytest.raises(PluginLoadError, match="must give a tuple of names"):
            models_of(Several(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Bad Name"},
        {"gives": {}},
        {"gives": {"x": "no colon"}},
        {"pipeline": "module"},
        {"licence": " "},
    ],
)
def test_specs_are_checked_where_they_are_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(PluginLoadError):
        attrs.evolve(SPEC, **wrong)
