"""Row classes for rows of other environments: ours where they are ours, else made from the columns."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from videoannotator.data.arrow import arrow_schema
from videoannotator.data.rows import ROWS
from videoannotator.formats.classes import class_of, class_path, made_class


@pytest.mark.parametrize("row_class", ROWS)
def test_rows_of_ours_are_of_our_class_only_with_our_columns(row_class: type[Any]) -> None:
    schema = arrow_schema(row_class)
    assert class_of(class_path(row_class), schema) is row_class
    more = schema.append(pa.field("more", pa.int64(), False))
    other = class_of(class_path(row_class), more)
    assert other is not row_class
    assert (class_path(other), arrow_schema(other)) == (class_path(row_class), more)


@pytest.mark.parametrize("row_class", ROWS)
def test_a_made_class_has_the_columns_it_was_made_from(row_class: type[Any]) -> None:
    made = made_class("some.plugin:Outer.Rows", arrow_schema(row_class))
    assert arrow_schema(made).equals(arrow_schema(row_class), check_metadata=True)
    assert class_path(made) == "some.plugin:Outer.Rows"
    assert made.__name__ == "Rows"


def test_the_same_columns_make_the_same_class_and_others_another() -> None:
    def schema(item: str, unit: str) -> pa.Schema:
        part = pa.struct([pa.field("at", pa.float64(), False, {"unit": unit})])
        return pa.schema([pa.field("parts", pa.list_(pa.field(item, part)), False)])

    first = made_class("p:Row", schema("item", "s"))
    assert made_class("p:Row", schema("element", "s")) is first, "Parquet calls the items of lists so"
    assert made_class("p:Other", schema("item", "s")) is not first
    other = made_class("p:Row", schema("item", "ms"))
    assert other is not first
    assert arrow_schema(other).field("parts").type.value_type.field(0).metadata == {b"unit": b"ms"}
