"""The desk keeps nobody out: axe finds nothing serious at any size, in forced colours and in the dark."""

import pytest
from desk_page import DeskPage
from desk_rig import Asked, Rig
from playwright.sync_api import expect

pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(200)]
SIZES = ((1280, 800), (768, 1024), (390, 844))
LOOKS = [{}, {"forced_colors": "active"}, {"color_scheme": "dark"}]


def test_nobody_is_kept_out(rig: Rig, chromium, serious) -> None:
    rig.ask_for([Asked() for _ in range(3 * len(LOOKS))])
    for look in LOOKS:
        desk = DeskPage(rig, chromium, "anna", bypass_csp=True, **look)
        desk.open()
        desk.see("zebra-quartz-canary")
        for width, height in SIZES:
            desk.page.set_viewport_size({"width": width, "height": height})
            assert serious(desk.page) == [], f"{look} at {width}"
        desk.close()
    stranger = chromium.new_page(bypass_csp=True)
    stranger.goto(f"{rig.url}/login")
    expect(stranger.get_by_label("Token")).to_be_visible()
    for width, height in SIZES:
        stranger.set_viewport_size({"width": width, "height": height})
        assert serious(stranger) == [], f"login at {width}"
    stranger.close()
