"""Tables state numbers so that a class can read them, and agreement with a paper is computed."""

import math

import pandas as pd
import pytest

from course_lib.reporting.records import Record
from course_lib.reporting.tables import Claim, MeanClaim, paper_beside_measured, table
from course_lib.reporting.verdicts import difference_of

CLAIM = Claim("saves", 28, 28.4, (27.5, 28.5), "the paper rounds", "{:.0f} %")


@pytest.mark.parametrize(
    ("here", "agrees"), [(27.5, True), (28.5, True), (27.49, False), (28.51, False), (math.nan, False)]
)
def test_agreement_is_computed_from_the_band(here: float, agrees: bool) -> None:
    table = paper_beside_measured([Claim("saves", 28, here, (27.5, 28.5), "the paper rounds")])
    assert table.agrees == [agrees]
    assert table.frame["agrees?"].tolist() == ["✓ yes" if agrees else "✗ no"]


def test_a_row_names_numbers_band_and_reason() -> None:
    row = paper_beside_measured([CLAIM], measured="recorded run").frame.iloc[0]
    assert row.to_dict() == {
        "claim": "saves",
        "paper": "28 %",
        "recorded run": "28 %",
        "agrees?": "✓ yes",
        "agrees means": "27.5 to 28.5: the paper rounds",
    }


@pytest.mark.parametrize(
    ("band", "ends"),
    [
        ((0, math.inf), "at least 0"),
        ((-math.inf, 1e6), "at most 1,000,000"),
        ((24.5e6, 25.5e6), "24,500,000 to 25,500,000"),
    ],
)
def test_bands_are_written_in_full(band: tuple[float, float], ends: str) -> None:
    claim = Claim("grows", max(band[0], 1), 1, band, "the sign is the claim")
    assert paper_beside_measured([claim]).frame["agrees means"][0] == f"{ends}: the sign is the claim"


def test_a_table_is_the_same_on_every_run_and_cuts_no_text() -> None:
    claims = [CLAIM, Claim("long " * 40 + "& <end>", 1, 1, (0, 2), "why")]
    first, second = (paper_beside_measured(claims)._repr_mimebundle_() for _ in range(2))
    assert first == second
    assert "&amp; &lt;end&gt;" in first["text/html"]
    assert "long long & <end>" in first["text/plain"]


def test_claims_that_prove_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the band \(29, 30\) does not hold the paper's own 28"):
        Claim("saves", 28, 29, (29, 30), "seeds")
    with pytest.raises(ValueError, match="say why the band is"):
        Claim("saves", 28, 28, (27, 29), "")
    with pytest.raises(ValueError, match="at least one claim"):
        paper_beside_measured([])


def test_numbers_are_written_for_a_class_to_read() -> None:
    frame = pd.DataFrame(
        {"macs": [125440000, 9], "share": [0.72, 100 / 3], "out_shape": [(64, 35, 35), (10,)], "operation": ["a", "b"]},
        index=["first", "second"],
    )
    shown = table(frame, {"share": "{:.1%}"}).frame
    assert shown.loc["first"].tolist() == ["125,440,000", "72.0%", "64×35×35", "a"]
    assert table(frame).frame["share"].tolist() == ["0.72", "33.3"]
    assert "second" in table(frame)._repr_mimebundle_()["text/html"]


def test_a_format_for_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(KeyError, match=r"formats names \['mac'\], but the table's columns are \['macs'\]"):
        table(pd.DataFrame({"macs": [1]}), {"mac": "{}"})


RECORD = Record("python make.py", "ten images", {"processor": "a <CPU>"}, pd.DataFrame({"seed": [0]}))


def test_means_are_judged_in_three_ways() -> None:
    claims = [
        MeanClaim("gains", 1.0, difference_of([0.9, 1.0, 1.1])),
        MeanClaim("gains", 1.0, difference_of([0.1, 0.2, 0.3])),
        MeanClaim("gains", 1.0, difference_of([-1.0, 0.5, 2.0])),
        MeanClaim("nothing", 0.0, difference_of([-0.1, 0.0, 0.1]), margin=0.5),
        MeanClaim("gains", 4.0, difference_of([0.9, 1.0, 1.1]), sign_only=True),
    ]
    shown = paper_beside_measured(claims)
    assert shown.agrees == [True, False, False, True, True]
    assert shown.verdicts == ["✓ yes", "✗ no", "? cannot tell at this scale", "✓ yes", "✓ yes"]
    reasons = shown.frame["agrees means"]
    assert reasons[0] == "95 % interval of 3 runs: +0.75 to +1.25"
    assert reasons[2].startswith("95 % interval of 3 runs: -3.23 to +4.23; about ")
    assert reasons[2].endswith(" runs would tell")
    assert reasons[3].endswith("; within 0.5 counts as the same")
    assert reasons[4].endswith("; only the sign is claimed")
    assert shown.frame["here"][0] == "+1.00"


def test_a_claim_of_no_difference_needs_a_margin() -> None:
    with pytest.raises(ValueError, match="needs a margin"):
        MeanClaim("nothing", 0.0, difference_of([0.0, 0.1]))


def test_recorded_numbers_have_their_source_below() -> None:
    shown = paper_beside_measured([CLAIM], record=RECORD)
    assert list(shown.frame)[2] == "recorded run"
    for each in (shown, table(pd.DataFrame({"a": [1]}), record=RECORD)):
        bundle = each._repr_mimebundle_()
        assert bundle["text/plain"].endswith("\nRecorded by `python make.py` on ten images (processor a <CPU>).")
        assert "(processor a &lt;CPU&gt;).</p>" in bundle["text/html"]
    assert "Recorded" not in repr(table(pd.DataFrame({"a": [1]})))
