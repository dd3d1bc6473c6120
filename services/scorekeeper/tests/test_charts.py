import re
from zoneinfo import ZoneInfo

import pytest
from scorekeeper.http.charts import timeline

NOW_MS = 1_795_000_000_000


@pytest.mark.parametrize("minutes", [2, 5, 7, 90, 60 * 30])
def test_no_two_ticks_of_the_time_line_say_the_same(minutes):
    drawn = timeline([], [], NOW_MS - minutes * 60_000, NOW_MS, zone=ZoneInfo("Asia/Kolkata"))
    ticks = re.findall(r'class="tick"[^>]*>([^<]+)<', drawn)
    assert len(ticks) > 3
    assert len(set(ticks)) == len(ticks)
