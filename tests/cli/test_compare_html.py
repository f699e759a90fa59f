"""compare --html: what the page holds, and how it behaves in a real browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import RECORD, lines, settings, write_csv, write_run
from tests.conftest import ROOT
from zoo.cli.compare_runs import compare
from zoo.cli.main import main

pytestmark = pytest.mark.usefixtures("undrawn")

HOSTILE = "<img src=x onerror='window.hit=1'>"


def page(*runs):
    compare(runs or ["runs"], files={"html": Path("page.html")})
    return Path("page.html").read_text(encoding="utf-8")


def add_picture(run, name, size=(40, 30), noise=False):
    (run / "pictures").mkdir(exist_ok=True)
    picture = Image.effect_noise(size, 90) if noise else Image.new("RGB", size, "teal")
    picture.save(run / "pictures" / name)


def write_runs():
    """Four runs, of which the last is not finished with its first epoch."""
    for number, (lr, accuracy) in enumerate([(9, 0.5), (10, 0.75), (0.5, 0.25)], 1):
        rows = lines([accuracy / 2, accuracy])
        run = write_run(f"runs/lenet/{number}", rows, settings(lr=lr), record=RECORD)
        add_picture(run, "validation_confusion.png")
    write_run("runs/lenet/4", lines([0.5])[:2], settings(lr=1e-5))


# Without a browser


def test_nothing_is_outside_the_page():
    write_runs()
    text = page()
    assert set(re.findall(r'(?:src|href)="([^"]{5})', text)) == {"data:"}
    assert not re.search(r"https?://|url\(|@import|<link(?! rel=\"icon\")", text)
    assert "default-src 'none'" in text


def test_pictures_of_a_name_stand_side_by_side_and_bad_ones_are_told():
    write_runs()
    Path("runs/lenet/1/pictures/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n no more")
    Path("runs/lenet/1/pictures/huge.png").write_bytes(b"")
    text = page()
    alternatives = re.findall(r'alt="([^"]*)"', text)
    assert alternatives == [f"validation_confusion of {number}" for number in (1, 2, 3)]
    assert "1: torn.png is no picture" in text
    assert "1: huge.png is no picture" in text


def test_pictures_are_made_smaller_and_a_full_page_takes_no_more(monkeypatch):
    run = write_run("runs/lenet/1")
    for number in range(3):
        add_picture(run, f"{number}.png", (1100, 900), noise=True)
    text = page()
    sizes = [path.stat().st_size for path in run.glob("pictures/*")]
    assert min(sizes) > 600_000
    assert len(text) < sum(sizes)
    assert text.count("data:image/webp") == 3
    monkeypatch.setattr("zoo.runs.comparison.pictures.BUDGET", len(text) // 3)
    text = page()
    assert 0 < text.count("data:image/webp") < 3
    assert "more are left out" in text


def test_a_picture_of_too_many_pixels_is_not_opened():
    add_picture(write_run("runs/lenet/1"), "wide.png", (5001, 5000))
    assert "wide.png is no picture that can be shown" in page()


def test_everything_from_the_runs_is_escaped():
    names = ["</script><script>window.hit=1</script>", "<b>&amp;", '" onclick="x']
    runs = []
    for name in names:
        config = settings(augment=name) | {name: name}
        folder = "runs/" + name.replace("/", "!")
        runs.append(write_run(folder, [], config))
        metric = f"val/{name}"
        rows = [{"epoch": 0, "step": 99, metric: 0.5}, {"epoch": 1, "step": 199, metric: 0.25}]
        write_csv(runs[-1] / "metrics.csv", rows, ["epoch", "step", metric])
        add_picture(runs[-1], f"{name.replace('/', '!')}.png")
    text = page(*runs)
    assert text.count("<script>") == 1
    assert len(re.findall(r"<script\b", text)) == 1 + len(names)  # and the values of each panel
    assert "<b>" not in text
    assert 'onclick="x' not in text
    for told in re.findall(r'<script type="application/json">(.*?)</script>', text):
        assert json.loads(told)["unit"] in ("epoch", "step")


@pytest.mark.parametrize("values", [[float("nan")] * 2, [1e-9, 3e4], [0.0, 0.0], [-1e6, 1e6]])
def test_curves_of_any_values_lie_inside_their_panel(values):
    write_run("runs/lenet/1", lines([0.5, 0.5], losses=values))
    (loss, _) = re.findall(r"<svg.*?</svg>", page())
    numbers = re.findall(
        r'(?:[MLx12yc]="?|,| )(-?[\d.]+)', " ".join(re.findall(r' d="[^"]*"', loss))
    )
    assert all(0 <= float(number) <= 560 for number in numbers)
    assert "nan" not in loss.replace("nanosecond", "")
    assert loss.count('class="y"') >= 2


# In a browser


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    names = ("chromium", "chromium-browser", "google-chrome")
    binary = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("no chromium with its chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    arguments = ["--headless=new", "--disable-gpu", "--disable-background-networking"]
    for argument in arguments + ["--no-sandbox"] * (os.geteuid() == 0):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(executable_path=driver)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "localhost,127.0.0.1")
        found = webdriver.Chrome(options=options, service=service)
        yield found
        found.quit()


@pytest.fixture
def opened(browser):
    """Opens the page of runs; at the end the console is clean and nothing was fetched."""

    def _opened(*runs, width=1400, scheme="light"):
        page(*runs)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        for kind in ("browser", "performance"):
            browser.get_log(kind)
        browser.get(Path("page.html").resolve().as_uri())
        return browser

    yield _opened
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    ]
    assert addresses[0].startswith("file://")
    assert all(address.startswith("data:") for address in addresses[1:])


def click(browser, label, table=0):
    """Clicks on a header of a table; what it is sorted by then."""
    (header,) = [
        th
        for th in browser.find_elements("css selector", f"#table{table} thead tr:last-child th")
        if th.text.startswith(label)
    ]
    header.find_element("tag name", "button").click()
    return header.get_attribute("aria-sort")


def rows(browser, table=0):
    """The names of the runs from above."""
    found = browser.find_elements("css selector", f"#table{table} tbody th")
    return [header.text for header in found]


def test_a_click_sorts_the_table(opened):
    write_runs()
    browser = opened()
    assert rows(browser) == ["1", "2", "3", "4"]
    assert click(browser, "lr") == "ascending"
    assert rows(browser) == ["4", "3", "1", "2"]  # as numbers: 10 after 9
    assert click(browser, "lr") == "descending"
    assert rows(browser) == ["2", "1", "3", "4"]
    assert click(browser, "accuracy (best)") == "ascending"
    assert rows(browser) == ["3", "1", "2", "4"]  # what is missing is last
    assert click(browser, "accuracy (best)") == "descending"
    assert rows(browser) == ["2", "1", "3", "4"]
    headers = browser.find_elements("css selector", "#table0 thead tr:last-child th")
    sorts = [header.get_attribute("aria-sort") for header in headers]
    assert sorts.count("none") == len(sorts) - 1


def test_words_sort_by_the_alphabet_and_tables_alone(opened):
    for number, optimizer in enumerate(["SGD", "Adam", "RMSprop"], 1):
        for seed in (0, 1):
            config = settings(seed=seed, name=optimizer)
            write_run(f"runs/lenet/{2 * number + seed}", lines([number / 10]), config)
    browser = opened()
    assert click(browser, "name", table=1) == "ascending"
    assert rows(browser, 1) == ["4, 5 (2 seeds)", "6, 7 (2 seeds)", "2, 3 (2 seeds)"]
    assert rows(browser) == ["2", "3", "4", "5", "6", "7"]
    assert click(browser, "run") == "ascending"
    assert click(browser, "run") == "descending"
    assert rows(browser) == ["7", "6", "5", "4", "3", "2"]


def test_a_hostile_name_does_nothing(opened):
    folder = write_run(f"runs/{HOSTILE}", config=settings(augment=HOSTILE))
    other = write_run("runs/<script>window.hit=1<", config=settings(augment="[1]"))
    for run in (folder, other):
        write_csv(run / "metrics.csv", [{"step": 9, "val/<i>": 0.5}], ["step", "val/<i>"])
        add_picture(run, f"{HOSTILE}.png")
    browser = opened(folder, other)
    assert rows(browser) == [HOSTILE, "<script>window.hit=1<"]
    assert HOSTILE in browser.find_element("css selector", "td.setting").text
    assert browser.execute_script("return window.hit") is None
    browser.execute_script("arguments[0].innerHTML = arguments[1]", *_tip(browser))
    assert browser.execute_script("return window.hit") is None
    violations = browser.get_log("browser")  # the policy would stop even what is not escaped
    assert violations
    assert all("Content Security Policy" in entry["message"] for entry in violations)


def _tip(browser):
    return browser.find_element("css selector", ".tip"), "<img src='data:,' onerror='window.hit=1'>"


def test_pictures_are_shown_and_grow_by_a_click(opened):
    write_runs()
    browser = opened()
    pictures = browser.find_elements("css selector", ".picture img")
    for picture in pictures:
        browser.execute_script("arguments[0].scrollIntoView()", picture)
    widths = [
        browser.execute_async_script(
            "const [image, done] = arguments; image.decode().then(() => done(image.naturalWidth))",
            picture,
        )
        for picture in pictures
    ]
    assert widths == [40, 40, 40]
    pictures[0].click()
    assert browser.execute_script("return document.querySelector('dialog').open")
    browser.find_element("css selector", "dialog").click()
    assert not browser.execute_script("return document.querySelector('dialog').open")


def test_a_curve_says_what_it_is(opened):
    write_runs()
    shutil.rmtree("runs/lenet/4")
    browser = opened()
    dot = browser.find_elements("css selector", ".panel:nth-child(2) .dot.s1")[-1]
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", dot)
    at = browser.execute_script("return arguments[0].getBoundingClientRect().toJSON()", dot)
    move = {"type": "mouseMoved", "x": at["x"] + 3, "y": at["y"] + 3}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", move)
    assert browser.find_element("css selector", ".tip").text == "2: validation 0.75 (epoch 2)"
    dimmed = browser.find_elements("css selector", "path.dim")
    assert dimmed
    assert not any("s1" in path.get_attribute("class").split() for path in dimmed)
    browser.find_elements("css selector", ".chip")[0].click()
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": 2, "y": 2})
    bright = browser.find_elements("css selector", "svg path:not(.dim)")
    assert {path.get_attribute("class").split()[-1] for path in bright} == {"s0"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_well_on_any_screen(scheme, opened):
    write_runs()
    browser = opened(width=600, scheme=scheme)
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width <= 600, "the page scrolls sideways"
    channels = browser.execute_script(
        "return ['.card', 'h1'].map((name) => getComputedStyle(document.querySelector(name)))"
        ".map((style, i) => (i ? style.color : style.backgroundColor).match(/\\d+/g).map(Number))"
    )
    card, ink = (_luminance(rgb) for rgb in channels)
    assert (max(card, ink) + 0.05) / (min(card, ink) + 0.05) > 12
    assert (card > ink) == (scheme == "light")
    colors = browser.execute_script(
        "return [...document.querySelectorAll('.chip .swatch')]"
        ".map((dot) => getComputedStyle(dot).color.match(/\\d+/g).map(Number))"
    )
    assert len({tuple(color) for color in colors}) == 4
    for color in map(_luminance, colors):  # what WCAG asks of graphics
        assert (max(card, color) + 0.05) / (min(card, color) + 0.05) > 3


def _luminance(rgb):
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (v / 255 for v in rgb[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.slow
def test_the_page_of_a_sweep_that_was_killed_and_resumed(opened):
    sweep = ["sweep", str(ROOT / "scripts/sweeps/lenet_grid.yaml"), "--jobs", "2"]
    process = subprocess.Popen([sys.executable, "-m", "zoo.cli", *sweep], start_new_session=True)
    half = Path("runs/lenet-grid/6/checkpoints/last.ckpt")
    while not half.exists():
        assert process.poll() is None
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert main(sweep) == 0
    browser = opened("runs/lenet-grid")
    assert len(rows(browser)) == 12
    assert click(browser, "accuracy (best)") == "ascending"
    before = rows(browser)
    assert click(browser, "accuracy (best)") == "descending"
    assert rows(browser) != before
    assert sorted(rows(browser)) == sorted(before)
