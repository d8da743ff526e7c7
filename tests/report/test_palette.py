"""Seven colours for any number of schemes."""

from itertools import product

from accelsim.report.palette import (
    CURRENT,
    IN_HINDSIGHT,
    MOST_COLOURS,
    scheme_colours,
    scheme_markers,
    scheme_styles,
    tint,
    told_apart,
)

REALISATIONS = ("spill", "spill16", "lazy", "recompute", "resident")
MANY = [
    "in-hindsight/static",
    *map("/".join, product(("chunked", "current", "dsgc:period=9"), REALISATIONS)),
]


def test_a_scheme_has_its_colour_whatever_stands_beside_it():
    colours = scheme_colours(["a/static", "current/spill", "b/static", "in-hindsight/static"])
    assert colours["current/spill"] == CURRENT
    assert colours["in-hindsight/static"] == IN_HINDSIGHT
    assert len(set(colours.values())) == 4
    assert tint("#0072B2", 1) == "#0072B2" and tint("#0072B2", 0) == "#FFFFFF"


def test_black_is_the_colour_of_letters_on_a_terminal():
    labels = ["running/spill", "current/spill"]
    assert scheme_colours(labels)["running/spill"] == "#000000"
    assert scheme_styles(labels) == {"running/spill": "", "current/spill": CURRENT}


def test_a_scheme_keeps_its_colour_from_picture_to_picture():
    labels = ["running/spill", "current/lazy", "saturation/static", "dsgc/spill", "mine/spill"]
    for first in labels:
        own = scheme_colours([first])[first]
        for other in labels:
            both = scheme_colours([first, other])
            assert both[first] == own and (both[other] != own or first == other)


def test_as_many_schemes_as_there_are_colours_have_one_each():
    colours = scheme_colours(f"mine:x={n}/spill" for n in range(MOST_COLOURS))
    assert len(set(colours.values())) == MOST_COLOURS == 7


def test_more_schemes_than_colours_have_that_of_their_realisation():
    colours, markers = scheme_colours(MANY), scheme_markers(MANY)
    for label in MANY:
        name = label.rpartition("/")[2]
        assert told_apart(MANY)[label] == name
        same = [one for one in MANY if one.endswith(f"/{name}")]
        assert {colours[one] for one in same} == {colours[label]} == {scheme_colours([name])[name]}
        assert {markers[one] for one in same} == {markers[label]}
    assert len(set(colours.values())) == len(set(markers.values())) == 6


def test_what_is_compared_most_has_one_colour_among_few_and_among_many():
    for label in ("in-hindsight/static", *(f"current/{name}" for name in REALISATIONS)):
        assert scheme_colours([label])[label] == scheme_colours(MANY)[label]


def test_many_of_one_realisation_are_told_apart_by_their_own_names():
    names = [f"mine:x={n}/spill" for n in range(20)]
    assert told_apart(names) == {name: name for name in names}
    assert len(set(scheme_colours(names).values())) == MOST_COLOURS
