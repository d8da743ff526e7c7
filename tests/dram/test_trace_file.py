"""Trace files, read in blocks: the fast way gives what reading line by line gives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accelsim.errors import AccelsimError
from accelsim.hardware.dram import read_trace, trace_file


def read(tmp_path, text, **options):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    traffic = read_trace(path, **options)
    return list(zip(traffic.addresses.tolist(), traffic.writes.tolist(), strict=True))


@pytest.mark.parametrize(
    "line",
    ["0x1f40,R", "R,0x1F40", "8000,read", "READ , 8000", " r ,\t0X1f40 # why", "0x1f40, R\r"],
)
def test_request_is_read_however_it_is_written(tmp_path, line):
    assert read(tmp_path, line) == [(8000, False)]
    assert read(tmp_path, f"0,W\n{line}\n") == [(0, True), (8000, False)]


@pytest.mark.parametrize(
    "heading", ["address,op", "op, address", "Address,direction", "# notes\n\naddress,rw"]
)
def test_heading_names_the_address(tmp_path, heading):
    assert read(tmp_path, f"{heading}\n64,W\n") == [(64, True)]
    assert read(tmp_path, b"\xef\xbb\xbf" + f"{heading}\r\n64,W\r\n".encode()) == [(64, True)]


def test_request_moves_the_64_bytes_around_its_address(tmp_path):
    assert read(tmp_path, "127,R\n128,R\n") == [(64, False), (128, False)]


@pytest.mark.parametrize(
    "line",
    [
        "R", "0x40", "X,0", "0,X", "R,-64", "R,+64", "R,1_0", "R,010", "R,0x", "R,1f40", "R,1.5",
        "R,1,2", ",", "R,", ",R", "R,W", "64,64", "address,op", "R 64", "ead,64", "reed,64",
        "R,0b1", "r\x00,64", "é,64", "R,9" + "0" * 30,
    ],
)  # fmt: skip
def test_malformed_line_is_named_by_file_and_number(tmp_path, line):
    for before in (3, 4000):
        with pytest.raises(AccelsimError) as caught:
            read(tmp_path, "0x40,R\n" * before + line + "\n" + "0x40,R\n", capacity_bytes=1 << 33)
        assert f"t.csv: line {before + 1}: " in str(caught.value)
        assert "\n" not in str(caught.value)


def test_first_of_several_mistakes_is_named(tmp_path):
    with pytest.raises(AccelsimError, match=r"line 2: address=0x80: must be < 0x80, the capacity"):
        read(tmp_path, "64,R\n128,R\nnonsense\n", capacity_bytes=128)


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "address,op\n"])
def test_file_without_requests_is_refused(tmp_path, text):
    with pytest.raises(AccelsimError, match="no requests"):
        read(tmp_path, text)


def test_line_without_an_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_file, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(trace_file, "_LONGEST_LINE", 32)
    with pytest.raises(AccelsimError, match="line 3: must be a request, not a line of more than"):
        read(tmp_path, "64,R\n64,W\n" + "0" * 1000)


def test_file_that_cannot_be_read_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "none.csv", "nul\0.csv"):
        with pytest.raises(AccelsimError, match="cannot be read"):
            read_trace(path)


LINES = st.lists(
    st.tuples(
        st.integers(0, (1 << 62) - 1),
        st.booleans(),
        st.sampled_from(["{a},{d}", "{d},{a}", "{a:#x},{d}", "{d}, {a:#x}", "#\n{a} , {d}  # x"]),
    ),
    min_size=1,
)


@given(lines=LINES, block=st.integers(1, 40), end=st.sampled_from(["\n", ""]))
def test_blocks_change_nothing(tmp_path_factory, lines, block, end):
    texts = [form.format(a=a, d="W" if write else "R") for a, write, form in lines]
    path = tmp_path_factory.mktemp("trace") / "t.csv"
    path.write_text("\n".join(texts) + end)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_file, "_BLOCK_BYTES", block)
        traffic = read_trace(path)
    assert traffic.addresses.tolist() == [a - a % 64 for a, _, _ in lines]
    assert traffic.writes.tolist() == [write for _, write, _ in lines]


def test_many_lines_are_read_in_more_than_one_block(tmp_path):
    addresses = np.arange(600_000) * 64
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{a:#x},W\n" for a in addresses.tolist()))
    assert path.stat().st_size > trace_file._BLOCK_BYTES
    traffic = read_trace(path)
    assert (traffic.addresses == addresses).all() and traffic.writes.all()
