"""The drawing of the house is that of the layers which imports are kept to."""

from __future__ import annotations

from benchmarks.house import DRAWING, draw, layers


def test_the_drawing_shows_the_layers_of_today():
    assert DRAWING.read_text("utf-8") == draw(layers()), (
        "run: python -m benchmarks.house"
    )


def test_each_name_has_a_box():
    drawn = draw([["top"], ["left", "<right>"]])

    assert drawn.count("<rect") == 3
    assert "&lt;right&gt;" in drawn
