"""Pages: what they are given is text, whatever it looks like, and charts show what is there."""

import math
import re

import pytest

from autoencoders.report.charts import Line, line_chart
from autoencoders.report.lineage import lineage_drawing
from autoencoders.report.page import render_page
from autoencoders.report.run_page import headline
from autoencoders.report.values import number, score_cell, signed

HOSTILE = "<script>alert(1)</script>"


def report(**changes):
    """The least that the page of a run shows, but for what is given."""
    rows = [{"what": "a", "found": "b"}]
    page = {
        "kind": "kind", "headline": "headline", "what": "what", "doubts": [], "remarks": [],
        "tiles": [], "images": "10", "results": rows, "result_numbers": [], "ours": [],
        "convention": "", "gallery": {"levels": [], "labels": [], "shown": 0, "caption": ""},
        "extremes": [], "extremes_caption": "", "charts": [], "classes": [], "class_numbers": [],
        "recognised": rows, "changed": [], "settings": rows, "command": "", "command_note": "",
        "work": "", "lineage_drawing": "", "lineage": rows, "environment": rows, "digests": rows,
    }  # fmt: skip
    return render_page("report", {**page, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"headline": HOSTILE}, {"doubts": [f"of `{HOSTILE}`"]}, {"command": HOSTILE},
        {"recognised": [{HOSTILE: HOSTILE}]},
        {"gallery": {"levels": [{"level": '"><script>alert(1)</script>', "rows": []}],
                     "labels": [HOSTILE], "shown": 0, "caption": HOSTILE}},
        {"lineage_drawing": lineage_drawing({HOSTILE: [HOSTILE[::-1]]}, [HOSTILE[::-1]])},
        {"charts": [{"title": HOSTILE, "caption": HOSTILE, "drawing": line_chart(
            [Line(HOSTILE, [1, 2], [1, 2])], title=f'">{HOSTILE}', x=HOSTILE, y=HOSTILE)}]},
    ],
)  # fmt: skip
def test_what_looks_like_html_is_text(changes):
    """A label, a file name, a setting: no page has more elements for what they are called."""
    html = report(**changes)

    assert html.count("<script") == 1
    assert "alert(1)" in html or "(1)trela" in html


@pytest.mark.parametrize(
    ("ends", "said"),
    [([0.5, 1.5], "1.00 dB more than"), ([-0.5, 2.5], "not told apart from"),
     (None, "not told apart from")],
)  # fmt: skip
def test_the_headline_claims_no_more_than_the_interval_says(ends, said):
    """A gain that may be chance, or of too few images to tell, is none."""
    gain = {"psnr": 1.0, "psnr_interval": ends}
    metrics = {
        "noisy": {"psnr": 9.0}, "denoiser": {"psnr": 17.0, "against": {"median": gain}},
    }  # fmt: skip

    assert headline(metrics, "median").endswith(f"{said} the best classical method, median")


def test_a_page_asks_for_nothing():
    """Neither by an address nor by leave: its policy forbids it."""
    html = report()

    assert "default-src 'none'" in html
    assert re.findall(r'(?:src|href)="(?!data:)', html) == []
    assert re.findall(r"https?:", html) == []


def test_a_page_without_warnings_says_so():
    """And one with them shows each."""
    assert "Nothing was found" in report()
    assert report(doubts=["one", "two"]).count('class="warn"') == 2


def test_a_chart_shows_every_finite_point():
    """A loss that is not a number leaves a gap, not a broken drawing."""
    drawing = line_chart(
        [Line("a", [1, 2, 3], [0.1, math.nan, 0.3]), Line("b", [1, 2, 3], [1, 2, 3])],
        title="t", x="x", y="y", logarithmic=True,
    )  # fmt: skip

    assert drawing.count("<circle") == 5
    assert "nan" not in drawing


def test_a_chart_of_nothing_says_so():
    """Where no point is finite."""
    assert "nothing to draw" in line_chart([Line("a", [1], [math.nan])], title="", x="", y="")


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [1e-9, 1e9], [-3, 12], [1, 50]])
@pytest.mark.parametrize("logarithmic", [False, True])
def test_axes_have_a_few_round_ticks(values, logarithmic):
    """Whatever the range; and one point alone is drawn too."""
    at = list(range(1, len(values) + 1))
    drawing = line_chart([Line("a", at, values)], title="", x="", y="", logarithmic=logarithmic)
    vertical = re.findall(r'text-anchor="end">([^<]+)<', drawing)

    assert 1 <= len(vertical) <= 25
    assert len(set(vertical)) == len(vertical)


def test_an_interval_is_a_band():
    """Around the line of the same colour."""
    drawing = line_chart([Line("a", [1, 2], [3, 4], low=[2, 3], high=[4, 5])], title="", x="", y="")

    assert drawing.count("<polygon") == 1


def test_a_drawing_of_steps_has_a_line_from_each_to_its_readers():
    """Each box stands to the right of all that it reads."""
    drawing = lineage_drawing(
        {"ingest": ["a.csv", "b.csv"], "train": ["ingest"], "score": ["train", "ingest"]},
        ["a.csv", "b.csv"],
    )
    left = dict(re.findall(r"<title>([^<]+)</title><rect x=\"(\d+)\"", drawing))

    assert drawing.count("<path") == 5
    assert int(left["a.csv"]) < int(left["ingest"]) < int(left["train"]) < int(left["score"])


def test_numbers_are_written_as_people_read_them():
    """With a sign where they are differences; nothing is made up for what is unknown."""
    assert number(1234.5678, 2) == "1,234.57"
    assert number(None, 2) == number(math.nan, 2) == "-"
    assert (signed(7.5), signed(-7.5), signed(None)) == ("+7.50", "\u22127.50", "-")
    assert score_cell({"psnr": 17.0, "psnr_interval": [16.9, 17.1]}, "psnr", 1) == {
        "value": 17.0, "shown": "17.0", "note": "16.9 to 17.1",
    }  # fmt: skip
