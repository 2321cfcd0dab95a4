"""The page of a searched scan in a real browser: wheel, keys, fingers and buttons change what is drawn, offline."""

import dataclasses

import browser
import numpy as np
import pytest
from test_scan_page import ROWS, SHAPE, made, row, view

LAYER = "layer.getContext('2d').getImageData(0, 0, layer.width, layer.height).data"
DRAWN = f"{LAYER}.filter((value, n) => n % 4 === 3 && value).length"
PAGE = "document.documentElement.scrollTop"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    path = browser.program()
    if path is None:
        pytest.skip("no browser: install Chromium (apt-get install chromium) to try the page in it")
    with browser.browser(path, tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    labels = view().labels.copy()
    labels[10, 50:53, 80:83] = 3
    rows = [*ROWS, row(3)]
    text = made(view(labels=labels), rows, warnings=["Lung 2 is cut."], facts={"networks": {"epochs": 3}})
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def page(chromium, file):
    """The page, opened anew at a desktop's size; in the end nothing was complained of, nor asked for elsewhere."""
    chromium.size(1280)
    chromium.faults.clear()
    chromium.asked.clear()
    chromium.open(file)
    shown(chromium, 6)
    yield chromium
    chromium.value("0")
    # The tests read what is drawn more often than the page does, which Chromium finds slow.
    assert [fault for fault in chromium.faults if "willReadFrequently" not in str(fault)] == []
    assert {address.split(":")[0] for address in chromium.asked} <= {"file", "data", "about"}


def shown(page, number):
    """Waits for a slice."""
    page.until(f"stage.dataset.shown === '{number}'")
    assert page.value("slider.value") == str(number)


def said(page):
    return page.value("here.textContent").split("\n")


def test_it_opens_at_the_likeliest_nodule(page):
    assert said(page) == ["slice 6 of 12, z = −187.8 mm", "probability 0.41", "nodule 1"]
    assert page.value("slider.getAttribute('aria-valuetext')") == "slice 6 of 12, z = −187.8 mm"
    page.until("live.textContent === 'slice 6 of 12, z = −187.8 mm, probability 0.41, nodule 1'")


def test_wheel_turns_slices_and_not_the_page(page):
    middle = page.middle("#stage")
    before = page.value(PAGE)
    page.mouse("mouseWheel", *middle, deltaX=0, deltaY=-120)
    shown(page, 7)
    for _ in range(10):
        page.mouse("mouseWheel", *middle, deltaX=0, deltaY=120)
    shown(page, 1)
    assert page.value(PAGE) == before
    assert said(page) == ["slice 1 of 12, z = −200.3 mm", "not searched"]
    page.wheel("#curve", 120)
    page.until(f"{PAGE} !== {before}")
    shown(page, 1)


@pytest.mark.parametrize(
    ("keys", "number"),
    [
        (["ArrowUp"], 7), (["ArrowDown"], 5), (["PageDown"], 1), (["PageUp"], 12), (["Home"], 1), (["End"], 12),
        (["Home", "ArrowUp", "ArrowUp"], 3), (["n"], 9), (["n", "n"], 11), (["n", "n", "n"], 6), (["p"], 11),
    ],
)  # fmt: skip
def test_keys(page, keys, number):
    page.click("#stage")
    for key in keys:
        page.key(key)
    shown(page, number)


def test_keys_elsewhere_are_the_pages(page):
    page.click("h1")
    page.key("End")
    page.until(f"{PAGE} > 0")
    shown(page, 6)


def test_outlines_and_map_can_be_turned_off_and_on(page):
    counts = [page.value(DRAWN)]
    for press in (lambda: page.click("#outlines"), lambda: page.click("#map"), lambda: page.click("#stage")):
        press()
        page.value("new Promise((done) => setTimeout(done, 100))")
        counts.append(page.value(DRAWN))
    with_outline, nothing, with_map, _ = counts
    assert with_outline > 100
    assert nothing == 0
    assert with_map > with_outline
    assert (
        page.value("outlines.getAttribute('aria-pressed') + map.getAttribute('aria-pressed')") == "falsetrue"
    )
    page.key("m")
    page.key("o")
    page.until(f"{DRAWN} === {with_outline}")


def test_outlines_lie_on_the_nodule(page):
    """All that is drawn over the slice with only the third is the border of its pixels and the number beside it."""
    page.click(".extents a[data-nodule='3']")
    shown(page, 11)
    low, high = page.value(
        f"(() => {{ const scale = layer.width / picture.width, data = {LAYER}, low = [999, 999], high = [0, 0];"
        " for (let n = 0; n < data.length / 4; n += 1) if (data[4 * n + 3]) {"
        " const at = [(n % layer.width) / scale, Math.floor(n / layer.width) / scale];"
        " for (const k of [0, 1]) { low[k] = Math.min(low[k], at[k]); high[k] = Math.max(high[k], at[k]); } }"
        " return [low, high]; })()"
    )
    # Columns 80 to 82 and rows 50 to 52, in a crop that begins at row 5; the lines are less than a pixel wide.
    assert 79 < low[0] < 80
    assert 48 < high[1] < 49
    assert 84 < high[0] < 90
    assert 43 < low[1] < 45.5


def test_windows_change_the_greys(page):
    own = view()
    k, y, x = 5, 5 + 40, 60
    for low, high in ((-1000, 400), (-1350, 150), (-160, 240), (-450, 1050)):
        page.click(f"[data-low='{low}']")
        page.until(f"document.querySelector('[aria-pressed=true][data-low]').dataset.low === '{low}'")
        page.value("new Promise((done) => setTimeout(done, 50))")
        hu = own.hu[k, y - 2 : y + 3, x - 2 : x + 3].mean()
        grey = page.value("picture.getContext('2d').getImageData(58, 38, 5, 5).data.filter((v, n) => n % 4 === 0)"
                          ".reduce((a, b) => a + b) / 25")  # fmt: skip
        assert abs(grey - np.clip(255 * (hu - low) / (high - low), 0, 255)) < 10
    assert grey > 60


def test_pictures_rows_and_curve_jump(page):
    page.click(".strip a[data-slice='3']")
    shown(page, 3)
    assert page.value("document.activeElement.id") == "stage"
    page.click("tbody tr:nth-child(2) td:nth-child(4)")
    shown(page, 9)
    x, y = page.middle("#curve")
    page.value("0")
    for kind in ("mousePressed", "mouseReleased"):
        page.mouse(kind, x + 2, y, button="left", clickCount=1)
    shown(page, 7)
    assert page.value("marker.style.left") == "54.1667%"
    page.click(".extents a[data-nodule='2']")
    shown(page, 9)
    page.click("#next")
    shown(page, 11)


def test_a_finger_goes_sideways_through_slices_and_up_and_down_over_the_page(page, file):
    page.size(390, 844, phone=True)
    page.open(file)
    shown(page, 6)
    assert page.value("document.documentElement.scrollWidth") == 390
    page.drag("#stage", 24)
    shown(page, 10)
    before = page.value(PAGE)
    page.drag("#stage", 0, -150)
    page.until(f"{PAGE} > {before} + 50")
    shown(page, 10)


def test_without_javascript_all_but_the_viewer_is_there(page, file):
    page.open(file, scripts=False)
    assert page.value("viewer.hidden")
    tall = "document.querySelector('{}').getBoundingClientRect().height"
    for selector, least in (("noscript", 20), ("#curve path", 30), ("table", 60), (".strip image", 100)):
        assert page.value(tall.format(selector)) > least, selector
    page.open(file)
    assert not page.value("viewer.hidden")


def test_no_other_script_runs_and_nothing_is_loaded(page):
    page.value(
        "(() => { const other = document.createElement('script'); other.textContent = 'window.ran = 1';"
        " document.body.append(other); const image = new Image(); image.src = 'http://127.0.0.1:9/x.png';"
        " return new Promise((done) => { image.onerror = () => done(); image.onload = () => done(); }); })()"
    )
    assert page.value("window.ran") is None
    assert sum("Content Security Policy" in str(fault) for fault in page.faults) == 2
    page.faults.clear()
    page.asked.clear()


@pytest.mark.parametrize("what", ["nothing", "single"])
def test_pages_with_least(page, tmp_path, what):
    path = tmp_path / "least.html"
    if what == "nothing":
        none = np.zeros(SHAPE, np.uint16)
        path.write_text(made(view(labels=none, nam=none.astype(np.float32)), []), encoding="utf-8")
    else:
        own = view()
        cut = {f.name: getattr(own, f.name) for f in dataclasses.fields(own) if f.name != "spacing"}
        path.write_text(
            made(view(**{name: array[5:6] for name, array in cut.items()}), [row(1)]), encoding="utf-8"
        )
    page.open(path)
    shown(page, 7 if what == "nothing" else 1)
    page.click("#stage")
    for key in ("n", "p", "o", "m", "End"):
        page.key(key)
    shown(page, 12 if what == "nothing" else 1)
    assert page.value("map.disabled") == (what == "nothing")


def test_long_scans_scroll_quickly_and_right(page, tmp_path):
    """More slices than stay decoded, there and back: each is drawn as it is stored."""
    path, own = tmp_path / "long.html", view()
    cut = [f.name for f in dataclasses.fields(own) if f.name != "spacing"]
    path.write_text(made(view(**{n: np.repeat(getattr(own, n), 8, axis=0) for n in cut})), encoding="utf-8")
    page.open(path)
    page.until("stage.dataset.shown")
    taken, sums = page.value(
        "(async () => { const sums = {}; const start = performance.now();"
        " for (const k of [...Array(96).keys(), ...[...Array(96).keys()].reverse()]) {"
        " slider.value = k + 1; slider.dispatchEvent(new Event('input'));"
        " while (stage.dataset.shown !== slider.value) await new Promise((done) => setTimeout(done));"
        " const own = picture.getContext('2d').getImageData(0, 0, picture.width, picture.height).data;"
        " (sums[k] ??= []).push(own.reduce((a, b) => a + b)); }"
        " return [performance.now() - start, sums]; })()"
    )
    assert taken < 30_000
    assert len(sums) == 96
    assert all(there == back for there, back in sums.values())
    assert len({there for there, _ in sums.values()}) == SHAPE[0]
