import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from accelsim.report.format import kib, percent
from accelsim.report.paper_table import table5_text
from accelsim.report.text import comparison_text, result_text
from accelsim.result import (
    Amortised,
    Comparison,
    Consumer,
    Movement,
    Phase,
    StepCost,
    Table5,
    Table5Row,
)
from tests.report.conftest import STATIC, make_result, make_trace


def printed(content, width=80):
    buffer = StringIO()
    Console(file=buffer, width=width, color_system=None, highlight=False).print(content)
    text = buffer.getvalue()
    assert max(map(len, text.splitlines())) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in text, "nothing is cut off"
    return text


def row(text, name):
    """The cells of the first line that starts with `name`."""
    line = next(line for line in text.splitlines() if line.strip().startswith(name))
    return re.split(r"\s{2,}", line.strip())[1:]


def test_bytes_in_the_table_are_those_of_the_results(comparison):
    text = printed(comparison_text(comparison))
    assert row(text, "input load") == ["196.0", "196.0"]
    assert row(text, "weights load") == ["36.0", "36.0"]
    assert row(text, "accumulators store") == ["-", "784.0"]
    assert row(text, "accumulators load") == ["-", "784.0"]
    assert row(text, "output store") == ["196.0", "196.0"]
    assert row(text, "total") == ["428.0", "1,996.0", "4.66"]
    assert row(text, "total in bytes") == ["438,272", "2,043,904", "4.66"]


def update_steps():
    search = (Phase("product", 900, 90), Phase("search", 6144, 700), Phase("requantize", 256, 25))
    update = StepCost("spill", 7300, 815, search)
    plain = StepCost("static", 500, 100, (Phase("product", 500, 100),))
    return Amortised(10, 4, update, plain, bytes_per_step=2048.0, cycles_per_step=171.5)


def test_the_price_at_the_consumer_is_shown_where_there_is_one(static):
    assert "Consumer" not in printed(comparison_text(Comparison((static,))))
    read, plain = StepCost("static", 500, 90, ()), StepCost("static", 200, 100, ())
    price = Consumer.of("1x1", read, (plain,))
    lazy = make_result("current/lazy", consumer=price)
    refused = make_result("block-householder", consumer=Consumer("1x1", None, (), 0, 0, "why"))
    text = printed(comparison_text(Comparison((static, lazy, refused))))
    section = text[text.index("Consumer, beyond") :]
    assert row(section, "bytes") == ["-", "+300", "refused"]
    assert row(section, "cycles") == ["-", "-10", "refused"]
    assert row(section, "energy in uJ, accelergy-45nm") == ["-", "+0.00", "refused"]


def test_the_price_at_the_consumer_of_updates_is_shown_per_step(static):
    read, plain = StepCost("static", 500, 90, ()), StepCost("static", 200, 100, ())
    steps = update_steps()
    update = replace(steps.update, consumer=Consumer.of("1x1", read, (plain,)))
    lazy = make_result("dsgc:period=10/lazy", amortised=replace(steps, update=update))
    text = printed(comparison_text(Comparison((static, lazy))))
    section = text[text.index("Consumer, beyond") :]
    assert row(section, "bytes") == ["-", "+30"]
    assert row(section, "cycles") == ["-", "-1"]


def test_update_steps_stand_beside_a_plain_step(static):
    plain = make_result("dsgc:period=10/spill", realisation="static", amortised=update_steps())
    text = printed(comparison_text(Comparison((static, plain))))
    assert row(text, "one in so many steps") == ["-", "10"]
    assert row(text, "reads of the tensor") == ["-", "4"]
    section = text[text.index("Update steps") :]
    assert row(section, "of these, search") == ["-", "6.0"]
    assert row(section, "cycles") == ["-", "815"]
    assert row(section, "KB per step, amortised") == ["-", "2.0"]
    assert row(section, "cycles per step, amortised") == ["-", "171.5"]
    per_step = 171.5 / static.total_cycles
    assert f"takes {per_step:.2f} times the cycles of in-hindsight/static per step" in " ".join(
        text.split()
    )
    assert "Under dsgc:period=10/spill it is a plain step." in text
    assert "bootstrap of in-hindsight/static:" in text


def test_an_update_step_shows_the_cycles_of_its_phases():
    update = make_result(
        "dsgc/spill", amortised=update_steps(), phases=update_steps().update.phases
    )
    text = printed(result_text(update))
    assert [row(text, phase) for phase in ("product", "search", "requantize")] == [
        ["90"], ["700"], ["25"],
    ]  # fmt: skip
    assert "Under dsgc/spill it is an update step." in text


def test_times_in_the_table_are_those_of_the_results(comparison):
    text = printed(comparison_text(comparison))
    assert row(text, "cycles") == ["116,240", "179,968", "1.55"]
    assert row(text, "latency, us at 800 MHz") == ["145.30", "224.96", "1.55"]
    assert row(text, "array utilisation") == ["97.1%", "62.7%"]
    assert row(text, "memory bound, cycles") == ["27,392", "127,744"]


def test_values_in_the_table_are_those_of_the_results(static):
    better = make_result("current/spill", numerics=None)
    text = printed(comparison_text(Comparison((static, better))))
    assert row(text, "SQNR, dB") == ["37.68", "-"]
    assert row(text, "cosine") == ["0.999915", "-"]
    assert row(text, "saturated outputs") == ["0.005%", "-"]
    assert row(text, "accumulator overflows") == ["7", "-"]
    assert row(text, "range used, minimum") == ["-4.225", "-"]
    assert row(text, "range observed, maximum") == ["4.877", "-"]


def test_shares_of_each_unit_are_of_the_total_cycles(comparison):
    text = printed(comparison_text(comparison))
    assert row(text, "load  ") == [
        "in-hindsight/static", "16,740", "14.4%", "0.0%", "55.9%", "29.7%"
    ]  # fmt: skip
    assert row(text, "array  ")[1:] == ["112,928", "97.2%", "2.4%", "0.0%", "0.4%"]


def test_the_bootstrap_and_the_tile_are_stated(comparison):
    text = " ".join(printed(comparison_text(comparison, notes=["A note."])).split())
    assert "Step 1 is measured. Step 0 was the bootstrap of in-hindsight/static" in text
    assert "Tile: 1 x 1 x 56 outputs" in text and "2,016 folds" in text
    assert "current/spill moves 4.66 times the bytes" in text
    assert text.endswith("A note.")


def test_a_static_run_that_knew_its_range_had_no_bootstrap():
    known = make_result(trace=make_trace(2), calibration_batches=3)
    text = " ".join(printed(result_text(known)).split())
    assert "Before step 0 each estimator saw 3 batches, which are in no figure." in text
    assert "bootstrap" not in text


def test_a_dynamic_run_alone_speaks_of_no_bootstrap(spill):
    text = printed(result_text(spill))
    assert "bootstrap" not in text and "Step 1 is measured." in text


def test_phases_are_told_apart_where_a_tensor_moves_in_two():
    twice = (*STATIC, ("output", "store", "requantize", 1024))
    text = printed(result_text(make_result(traffic=twice)))
    assert row(text, "output store, product") == ["196.0"]
    assert row(text, "output store, requantize") == ["1.0"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_many_schemes_with_long_names_fit_80_columns(count):
    names = [f"in-hindsight:momentum=0.{n}12345/static" for n in range(count)]
    text = printed(comparison_text(Comparison(tuple(make_result(name) for name in names))))
    assert all(f"momentum=0.{n}12345" in text for n in range(count))


def test_timing_only_says_so_and_has_no_values(static):
    text = printed(result_text(make_result(data="none", numerics=None)))
    assert "Timing only" in text and "SQNR" not in text


def test_a_small_share_does_not_look_like_none():
    assert [percent(share) for share in (0, 1e-6, 0.0005, 0.001, 0.5, 1)] == [
        "0.0%", "0.0001%", "0.05%", "0.1%", "50.0%", "100.0%"
    ]  # fmt: skip


def test_a_few_bytes_do_not_look_like_none():
    assert [kib(count) for count in (0, 1, 40, 1023, 1024, 2_043_904)] == [
        "0.0", "0.000977", "0.0391", "0.999", "1.0", "1,996.0"
    ]  # fmt: skip


def test_table5_marks_what_is_equal_and_what_the_source_got_wrong():
    closed = Movement("closed form", 2048, 4096)
    rows = (
        Table5Row("a", "first layer", 2, 4, 100, (closed, Movement("m", 2048, 4097))),
        Table5Row("b", "second layer", 1, 9, 100, (closed, Movement("m", 2048, 4096))),
    )
    text = printed(table5_text(Table5("source", 8, 8, 8, 32, rows, ("fault " * 40,))))
    lines = [line.split() for line in text.splitlines()]
    assert ["first", "layer", "static", "2", "2.0", "2.0", "="] in lines
    assert ["dynamic", "4", "4.0", "4.0"] in lines
    assert ["second", "layer", "static", "1", "!", "2.0", "2.0", "="] in lines
    assert ["dynamic", "9", "!", "4.0", "4.0", "="] in lines


def test_a_long_sequence_is_summed_up_scheme_by_scheme():
    names = ("in-hindsight:momentum=0.95/static", "current/spill")
    results = tuple(make_result(name, trace=make_trace(4)) for name in names)
    text = printed(comparison_text(Comparison(results)))
    assert "All 4 steps" in text
    flat = [" ".join(line.split()) for line in text.splitlines()]
    assert "in-hindsight: 1,712.0 428.0 464,960 116,240" in flat
    assert "current/spill 37.01 35.68 2 0.99991 <0.1% 0.3% 251 0.903" in flat


def test_two_steps_are_not_summed_up():
    text = printed(result_text(make_result(trace=make_trace(2))))
    assert "All 2 steps" not in text


def test_recovery_from_a_disturbance_is_told_scheme_by_scheme():
    trace = replace(make_trace(6), disturbances=(2,))
    results = tuple(make_result(name, trace=trace) for name in ("a/static", "current/spill"))
    flat = [
        " ".join(line.split())
        for line in printed(comparison_text(Comparison(results))).splitlines()
    ]
    assert "a/static 2 37.43 35.68 1 0.903 0" in flat
    assert "current/spill 2 37.43 35.68 1 0.903 0" in flat
    lasting = replace(make_trace(3), disturbances=(2,))
    flat = " ".join(printed(result_text(make_result(trace=lasting))).split())
    assert "2 37.43 35.68 not yet 0.903 not yet" in flat, "one step shows nothing"
