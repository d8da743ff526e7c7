def test_a_saved_comparison_becomes_a_page(answer, tiny, tmp_path):
    saved, page = tmp_path / "compare.json", tmp_path / "report.html"
    answer("compare", tiny, "--json", "-o", saved)
    assert answer("report", saved, "-o", page) == ""
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and f"accelsim compare {tiny}" in text


def test_what_cannot_be_reported_is_refused(refusal, tmp_path):
    (tmp_path / "x.json").write_text("[]")
    out = tmp_path / "report.html"
    assert "must be a JSON object" in refusal("report", tmp_path / "x.json", "-o", out)
    assert "there is no folder" in refusal(
        "report", tmp_path / "x.json", "-o", tmp_path / "no" / "x.html"
    )
    assert not out.exists()
