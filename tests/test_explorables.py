"""Test that explorables respond to sliders and also work without scripts."""

import json
import re
from urllib.parse import unquote

import pytest
from chromium import page_of
from sessions import read_ipynb
from slides import SESSIONS, SMALL

MOST = 20_000  # the most characters allowed in an output


def explorables_of(session):
    """Return the HTML of a session's outputs that contain an explorable."""
    htmls = [
        output["data"]["text/html"]
        for cell in read_ipynb(session).cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    return [html for html in htmls if 'class="explorable"' in html]


EXPLORABLES = [
    pytest.param(
        html,
        id=session.name + "-" + re.search(r'data-name="(.+?)"', html)[1],
    )
    for session in SESSIONS
    for html in explorables_of(session)
]
on_each = pytest.mark.parametrize("html", EXPLORABLES)


def open_plain(browser, html, **settings):
    """Open an output as a separate page, and return the page."""
    page, outside = page_of(browser, viewport=SMALL, **settings)
    page.set_content(f"<main>{html}</main>")
    assert not outside, (
        "An explorable tried to load something from the network."
    )
    return page


def picture(page):
    """Return the SVG that the page currently shows."""
    return unquote(page.get_attribute(".explorable img", "src"))


def moved(page, act):
    """Return whether `act` changes the picture, its alt text and its output."""

    def state():
        said = page.inner_text(".explorable output")
        return (
            picture(page),
            page.get_attribute(".explorable img", "alt"),
            said,
        )

    before = state()
    act()
    return all(a != b for a, b in zip(before, state(), strict=True))


@on_each
def test_the_picture_follows_the_keys_the_mouse_and_the_finger(browser, html):
    page = open_plain(browser, html, has_touch=True)
    slider = page.locator(".explorable input[type=range]")
    # Record the keys that the surrounding deck would receive.
    page.evaluate(
        "window.heard = []; document.addEventListener("
        "'keydown', (event) => window.heard.push(event.key))"
    )
    slider.focus()
    for key in ("ArrowRight", "ArrowLeft", "End", "Home"):
        assert moved(page, lambda key=key: page.keyboard.press(key))
    page.keyboard.press("Space")
    assert page.evaluate("window.heard") == [" "], (
        "The deck must receive the space bar, which goes to the next slide, "
        "but not the keys that move the slider."
    )

    box = slider.bounding_box()
    middle = box["y"] + box["height"] / 2

    def drag():
        page.mouse.move(box["x"] + 5, middle)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.7 * box["width"], middle, steps=5)
        page.mouse.up()

    assert moved(page, drag)
    tap = (box["x"] + 0.3 * box["width"], middle)
    assert moved(page, lambda: page.touchscreen.tap(*tap))
    page.context.close()


@on_each
def test_each_choice_has_a_picture_of_its_own(browser, html):
    page = open_plain(browser, html)
    choices = page.locator(".explorable input[type=radio]")
    seen = {picture(page)}
    for number in range(choices.count()):
        choices.nth(number).check()
        seen.add(picture(page))
    assert len(seen) == max(1, choices.count())
    page.context.close()


@on_each
def test_every_position_shows_a_picture_that_is_drawn(browser, html):
    page = open_plain(browser, html)
    slider = page.locator(".explorable input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    seen = set()
    for _ in range(int(slider.get_attribute("max")) + 1):
        page.wait_for_function("document.querySelector('img').complete")
        assert page.evaluate("document.querySelector('img').naturalWidth")
        seen.add(picture(page))
        page.keyboard.press("ArrowRight")
    assert len(seen) == int(slider.get_attribute("max")) + 1
    page.context.close()


POINTED_AT = [it for it in EXPLORABLES if '"across":' in it.values[0]]


@pytest.mark.session("4")
def test_session_4_shows_attention_where_one_points():
    assert len(POINTED_AT) == 1


@pytest.mark.parametrize("html", POINTED_AT)
def test_the_picture_follows_the_pointer_from_end_to_end(browser, html):
    page = open_plain(browser, html)
    slider = page.locator(".explorable input[type=range]")
    box = page.locator(".explorable img").bounding_box()
    ends = json.loads(re.search(r'"across":(\[.+?\])', html)[1])
    for end, said in zip(
        ends, ("0", slider.get_attribute("max")), strict=True
    ):
        across = box["x"] + end * box["width"]
        page.mouse.move(across, box["y"] + 0.7 * box["height"])
        assert slider.input_value() == said
    page.context.close()


@on_each
def test_without_scripts_the_first_state_is_shown_and_described(browser, html):
    page = open_plain(browser, html, java_script_enabled=False)
    img = page.locator(".explorable img")
    assert img.is_visible()
    assert img.bounding_box()["height"] > 200, "The picture was not drawn."
    assert len(img.get_attribute("alt")) > 40
    assert not page.locator(".explorable input").count(), (
        "A slider that does nothing must not be shown."
    )
    still = picture(page)
    page.context.close()

    page = open_plain(browser, html)
    first, drawn = (
        [float(it) for it in re.findall(r"-?\d+(?:\.\d+)?", svg)]
        for svg in (picture(page), still)
    )
    assert first == drawn, (
        "The script's first picture differs from the stored picture."
    )
    page.context.close()


@on_each
def test_an_explorable_is_small_and_looks_the_same_on_any_page(html):
    assert len(html) <= MOST, (
        f"{len(html)} characters are too many: use fewer points."
    )
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
    svg = unquote(re.search(r'src="(.+?)"', html)[1])
    assert re.search(r"<rect width='\d+' height='\d+' fill='#", svg), (
        "Give the picture a background of its own."
    )
    points = " ".join(re.findall(r"points='(.*?)'", svg))
    assert not re.search(r"\.\d\d", points), "Round the numbers in the SVG."


@pytest.mark.session("2")
def test_session_2_has_explorables():
    assert len(explorables_of(SESSIONS[1])) == 2


@pytest.mark.session("4")
def test_session_4_lets_one_choose_how_to_sample():
    names = "".join(explorables_of(SESSIONS[3]))
    assert 'data-name="sampling"' in names


@pytest.mark.session("4")
def test_each_choice_can_name_its_own_positions(browser):
    (html,) = (it for it in explorables_of(SESSIONS[3]) if '"sampling"' in it)
    page = open_plain(browser, html)
    said = set()
    for choice in page.locator(".explorable input[type=radio]").all():
        choice.check()
        said.add(page.inner_text(".explorable output"))
    assert len(said) == 3, (
        "The sliders for temperature, k and p must have different values."
    )
    page.context.close()
