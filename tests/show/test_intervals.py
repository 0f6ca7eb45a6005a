"""Charts of error rates: every group and condition, intervals, and what is infinite."""

from __future__ import annotations

import math
import re

from ctcasr.show.intervals import Condition, Estimate, Look, interval_chart

GROUPS = ["-5 to 0 dB", "0 to 5 dB"]


def test_every_estimate_is_a_point_with_its_numbers() -> None:
    noisy = Condition("noisy", [Estimate(0, 0.5, 0.4, 0.6), Estimate(1, 0.2, 0.1, 0.3)])
    better = Condition("<enhanced>", [Estimate(1, 0.1, 0.05, 0.15)])
    html = interval_chart(GROUPS, [noisy, better])
    titles = re.findall("<title>(.*?)</title>", html)
    assert titles == [
        "noisy: 50.00 % [40.00, 60.00]",
        "noisy: 20.00 % [10.00, 30.00]",
        "&lt;enhanced&gt;: 10.00 % [5.00, 15.00]",
    ]
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', html)]
    assert heights[0] < heights[1] < heights[2], "fewer errors lie lower"
    places = [float(x) for x in re.findall(r'cx="([\d.]+)"', html)]
    assert places[0] < places[1] < places[2]


def test_an_infinite_interval_is_left_out_of_the_picture() -> None:
    one = Condition("noisy", [Estimate(0, 0.5, -math.inf, math.inf)])
    html = interval_chart(GROUPS, [one], joined=False)
    assert "noisy: 50.00 %<" in html and 'class="curve' not in html


def test_rates_beyond_the_top_stay_inside() -> None:
    one = Condition("noisy", [Estimate(0, 30.0, 20.0, 40.0)])
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', interval_chart(GROUPS, [one]))]
    assert heights and min(heights) >= 0


def test_nothing_to_draw_is_no_chart() -> None:
    assert interval_chart(GROUPS, []) == ""
    assert interval_chart(GROUPS, [Condition("noisy", [])]) == ""


def test_twenty_conditions_look_different_and_numbered_ones_keep_their_look() -> None:
    looks = {(Look.of(number).colour, Look.of(number).hollow) for number in range(20)}
    assert len(looks) == 20
    one = Condition("late", [Estimate(0, 0.5, 0.4, 0.6)], look=12)
    assert f'class="{Look.of(12).css(hollow=True)}"' in interval_chart(GROUPS, [one])


def test_a_signed_chart_reaches_below_its_zero_line() -> None:
    harmed = Estimate(1, 0.1, 0.05, 0.2, open=True)
    helped = Condition("enhanced", [Estimate(0, -0.2, -0.3, -0.1), harmed])
    html = interval_chart(GROUPS, [helped], signed=True)
    (zero,) = re.findall(r'class="mark grey" d="M\d+ ([\d.]+)H', html)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', html)]
    assert heights[0] > float(zero) > heights[1]
    titles = re.findall("<title>(.*?)</title>", html)
    assert titles[0] == "enhanced: -20.00 [-30.00, -10.00] points"
    looks = re.findall('<circle class="(.*?)"', html)
    assert looks == ["grey", "grey hollow"], "what is not decided is hollow"
    assert "above the line: harms; below: helps" in html


def test_points_without_intervals_stand_at_one_place_where_they_are_joined() -> None:
    conditions = [
        Condition("first", [Estimate(0, 0.5, 0.5, 0.5)]),
        Condition("second", [Estimate(0, 0.4, 0.4, 0.4)]),
    ]
    joined = set(re.findall(r'cx="([\d.]+)"', interval_chart(GROUPS, conditions)))
    apart = set(re.findall(r'cx="([\d.]+)"', interval_chart(GROUPS, conditions, joined=False)))
    assert len(joined) == 1 and len(apart) == 2
