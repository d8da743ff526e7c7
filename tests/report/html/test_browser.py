"""The report in a real browser: it is silent, sorts, filters, fits a phone and turns dark."""

import pytest

from tests.report.html.browser import Browser, find

PHONE = 390


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    path = find()
    if path is None:
        pytest.skip("no Chromium here: install the package chromium to run these")
    running = Browser(path, tmp_path_factory.mktemp("browser"))
    yield running
    running.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page in the browser; afterwards nothing may have gone wrong or been fetched."""

    def open_page(text, **how):
        path = tmp_path / "report.html"
        path.write_text(text, encoding="utf-8")
        browser.open(path, **how)
        return browser

    yield open_page
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("file:")] == []


def column(browser, table, number):
    return browser.run(
        f"[...document.querySelectorAll('table')].find(t => t.caption.textContent == '{table}')"
        f".tBodies[0].innerText.trim().split('\\n').map(line => line.split('\\t')[{number}])"
    )


def click_heading(browser, table, number):
    browser.run(
        f"[...document.querySelectorAll('table')].find(t => t.caption.textContent == '{table}')"
        f".tHead.rows[0].cells[{number}].querySelector('button').click()"
    )


def shown(browser):
    """Points of the chart, with what is told of each."""
    return browser.run(
        "[...document.querySelectorAll('#chart .point')].map(p => p.getAttribute('aria-label'))"
    )


def told(browser):
    return browser.run("document.getElementById('told').textContent")


def tick(browser, axis, value):
    browser.run(f'document.querySelector(\'input[data-axis="{axis}"][value="{value}"]\').click()')


def test_numbers_and_names_are_sorted_both_ways(show, page):
    browser = show(page)
    table = "DRAM traffic by tensor"
    given = column(browser, table, 5)
    numbers = [int(text.replace(",", "")) for text in given]
    click_heading(browser, table, 5)
    rising = [int(text.replace(",", "")) for text in column(browser, table, 5)]
    assert rising == sorted(numbers) != numbers
    click_heading(browser, table, 5)
    falling = [int(text.replace(",", "")) for text in column(browser, table, 5)]
    assert falling == sorted(numbers, reverse=True)
    click_heading(browser, table, 2)
    assert column(browser, table, 2) == sorted(column(browser, table, 2))
    by = "document.querySelectorAll('th[aria-sort]:not([aria-sort=none])').length"
    assert browser.run(by) == 1


def test_words_find_lines_of_a_long_table(show):
    from accelsim.lowering import TrainingOptions
    from accelsim.network.graph_file import parse_network
    from accelsim.report.html import report_html
    from accelsim.simulation import compare
    from tests.report.html.conftest import saved
    from tests.simulation.test_networks import TINY

    step = compare(
        parse_network(TINY, "tiny"), schemes=["in-hindsight", "current"], data=None,
        training=TrainingOptions(),
    )  # fmt: skip
    browser = show(report_html([saved(step)], "1"), width=PHONE)
    assert browser.run("document.documentElement.scrollWidth") <= PHONE
    type_in = (
        "const box = document.querySelector('input[type=search]'); box.value = '{}';"
        "box.dispatchEvent(new Event('input', {{bubbles: true}}))"
    )
    shown = (
        "[...document.querySelector('.long').querySelectorAll('tbody tr:not([hidden])')]"
        ".map(r => r.innerText)"
    )
    told = "document.querySelector('.find output').textContent"
    count = sum(len(result.operations) for result in step.results)
    assert len(browser.run(shown)) == count and browser.run(told) == f"{count} lines"
    browser.run(f"{{ {type_in.format('grad-weight SPILL')} }}")
    wanted = [r for r in step.results[1].operations if r.phase == "grad-weight"]
    found = browser.run(shown)
    assert [line.split()[0] for line in found if "current/spill" in line] == [
        row.node for row in wanted
    ]
    assert browser.run(told) == f"{len(found)} of {count} lines"
    click_heading(browser, "Operations", 0)
    assert sorted(browser.run(shown)) == sorted(found)
    browser.run(f"{{ {type_in.format('')} }}")
    assert len(browser.run(shown)) == count


def test_the_chart_shows_every_point_and_its_front(show, study_page):
    browser = show(study_page)
    assert len(shown(browser)) == 6
    assert told(browser) == "6 of 6 points, 3 on the front"
    assert browser.run("document.querySelectorAll('#pointtable tr.front').length") == 3
    browser.run("document.querySelector('#chart .point').dispatchEvent(new Event('pointerenter'))")
    assert told(browser) == (
        "scheme in-hindsight/static, array.rows 8, DRAM traffic (KB of 1024 bytes) 8, "
        "latency (us) 400"
    )


def test_filters_take_points_out_of_the_chart_and_the_table(show, study_page):
    browser = show(study_page)
    tick(browser, "scheme", "in-hindsight/static")
    assert told(browser) == "3 of 6 points, 3 on the front"
    assert all("current/spill" in label for label in shown(browser))
    tick(browser, "array.rows", "16")
    assert len(shown(browser)) == 2
    lines = "document.querySelectorAll('#pointtable tbody tr:not([hidden])').length"
    assert browser.run(lines) == 2
    for rows in (8, 32):
        tick(browser, "array.rows", rows)
    assert told(browser) == "0 of 6 points, 0 on the front"
    tick(browser, "array.rows", "32")
    assert len(shown(browser)) == 1


def test_axes_can_be_chosen_and_more_of_a_good_thing_is_better(show, study_page):
    browser = show(study_page)
    browser.run(
        "for (const [id, value] of [['x', 'latency_us'], ['y', 'sqnr_db']]) {"
        "  const box = document.getElementById(id); box.value = value;"
        "  box.dispatchEvent(new Event('change')); }"
    )
    assert "SQNR (dB)" in browser.run("document.querySelector('#chart').textContent")
    assert told(browser) == "6 of 6 points, 3 on the front"
    lines = "[...document.querySelectorAll('#pointtable tr.front')].map(r => r.innerText)"
    front = browser.run(lines)
    assert all(line.startswith("in-hindsight/static") for line in front)


def test_a_phone_shows_it_without_scrolling_sideways(show, page, study_page):
    for text in (page, study_page):
        browser = show(text, width=PHONE)
        assert browser.run("document.documentElement.scrollWidth") <= PHONE
        assert browser.run("window.innerWidth") == PHONE
        size = "parseFloat(getComputedStyle(document.querySelector('td, th')).fontSize)"
        assert browser.run(size) >= 14
        wide = (
            "[...document.querySelectorAll('main *')].filter(e => !e.closest('.wide, #chart, svg')"
            f" && e.getBoundingClientRect().right > {PHONE + 1}).map(e => e.outerHTML.slice(0, 80))"
        )
        assert browser.run(wide) == []


def test_it_is_dark_where_dark_is_preferred(show, page):
    def light_of(browser, element, field):
        value = browser.run(f"getComputedStyle(document.querySelector('{element}')).{field}")
        return sum(int(part) for part in value[4:-1].split(",")[:3]) / 765

    for dark in (False, True):
        browser = show(page, dark=dark)
        paper = light_of(browser, "body", "backgroundColor")
        inks = [
            light_of(browser, "body", "color"),
            light_of(browser, "#plot-latency svg text", "fill"),
        ]
        assert (paper < 0.2) == dark
        assert all(abs(ink - paper) > 0.6 for ink in inks)


def test_hostile_names_do_nothing(show):
    from accelsim.report.html import report_html
    from tests.report.html.conftest import HOSTILE, comparison, saved

    fields = {"layer": HOSTILE, "hardware": HOSTILE, "machine": {HOSTILE: HOSTILE}}
    browser = show(report_html([saved(comparison(**fields), HOSTILE)], "1"))
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert HOSTILE in browser.run("document.querySelector('td, tbody th').textContent")
