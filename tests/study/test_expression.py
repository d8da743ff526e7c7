"""Expressions compute what Python would, and run nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.study import Expression

FIELDS = {"a": 6, "b.c": 2.5, "b.d.e": 3, "name": "edge"}

NUMBERS = st.one_of(st.integers(-50, 50).map(str), st.sampled_from(["a", "b.c", "b.d.e", "2.5"]))
ARITHMETIC = st.recursive(
    NUMBERS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "<", ">=", "=="]), inner)
        .map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, inner, inner).map(lambda t: f"({t[0]} if {t[1]} else {t[2]})"),
        st.tuples(inner, inner).map(lambda t: f"max({t[0]}, {t[1]})"),
        st.tuples(inner, inner).map(lambda t: f"({t[0]} and not {t[1]})"),
        inner.map(lambda x: f"(-{x})"),
    ),
    max_leaves=8,
)  # fmt: skip


def value(text):
    return Expression(text).value(FIELDS.__getitem__)


@given(ARITHMETIC)
def test_an_expression_is_worth_what_python_computes(text):
    plain = text.replace("b.d.e", "3").replace("b.c", "2.5").replace("a ", "6 ")
    names = {"a": 6, "max": max}
    try:
        expected = eval(plain, {"__builtins__": {}}, names)
    except ZeroDivisionError:
        with pytest.raises(AccelsimError, match="cannot be computed"):
            value(text)
        return
    assert value(text) == expected


def test_texts_compare_and_functions_work():
    assert value("name == 'edge' or a > 100") is True
    assert value("ceil(b.c) + floor(b.c) + log2(8) + sqrt(4) + min(a, 3) + round(2.4)") == 15
    assert value("2 ** 10") == 1024
    assert value("1 < a <= 6") is True


def test_the_fields_it_reads_are_known():
    assert Expression("b.c * a + max(a, b.d.e)").names == ("b.c", "a", "b.d.e")


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "a.__class__()", "[a]", "lambda: a", "open('x')",
        "a[0]", "(x := a)", "f'{a}'", "a if a else [b for b in a]", "max(*a)", "max(a, key=b)",
        "a is a", "a in b.c", "~a", "a << 2", "b''", "None",
    ],
)  # fmt: skip
def test_what_is_not_arithmetic_is_refused_before_anything_runs(text):
    with pytest.raises(AccelsimError, match="has no meaning here"):
        Expression(text, "where")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a +", "where='a \\+': cannot be read as arithmetic"),
        ("", "must be an expression of 1 to 500"),
        (7, "where=7: must be an expression"),
        ("a" * 501, "must be an expression of 1 to 500"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(AccelsimError, match=message):
        Expression(text, "where")


@pytest.mark.parametrize("text", ["1 / (a - 6)", "9 ** 9 ** 9", "name * 3", "log2(-1)", "-name"])
def test_what_cannot_be_computed_is_one_line(text):
    with pytest.raises(AccelsimError, match="cannot be computed"):
        value(text)
