"""The memories as the DRAM interface drives them."""

from accelsim.hardware import Hardware
from accelsim.hardware.dram import CommandDram
from accelsim.machine.memory import LOAD, STORE, CommandMemory
from accelsim.program import Region


def region(address):
    return Region(address, 64, (1, 1, 1), (0, 0, 0))


def test_name_is_not_given_anew_before_its_completion_was_told():
    """The DRAM's clock is the slower one: it is done before the cycle in which that is heard."""
    hardware = Hardware(clock_mhz=3000)
    for late in range(50, 120):
        memory = CommandMemory(hardware, CommandDram())
        first = memory.start(LOAD, region(0), 0)
        now, told = 0, []
        while now < late:
            now = memory.advance(now, late)
            told += memory.news(now)
        second = memory.start(STORE, region(1 << 20), now)
        assert second != first
        while sum(news.complete for news in told) < 2:
            now = memory.advance(now, now + 1000)
            told += memory.news(now)
        for name in (first, second):
            assert [news.complete for news in told if news.slot == name] == [False, True]
