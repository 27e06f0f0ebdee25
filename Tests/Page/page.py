# SPDX-License-Identifier: GPL-2.0-or-later
"""The status page of the real daemon, in Debian's chromium. Started by Tests/Page/run inside a network namespace."""
import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import jsonschema
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

BINARIES, WORK = sys.argv[1:3]
SCREENSHOTS = sys.argv[3] if len(sys.argv) > 3 else None
URL = "http://127.0.0.1:9780/"
HOSTILE = "<img src=x onerror=alert(1)>"

SMALL = """
daemon:
  http-listen: 127.0.0.1:9780
ftp:
  - {name: ftp, mark: 21, addresses: [203.0.113.10], passive-ports: 10000-20000, active: {real-servers: [10.11.12.0/24]}}
services:
  - name: web
    mark: 80
    addresses: [203.0.113.20, "2001:db8::20"]
    tcp: [80, 443]
"""


class Daemon:
    """fwmarkd, with its files in the test's directory."""

    def __init__(self):
        self.config = os.path.join(WORK, "etc", "fwmarkd.yaml")
        os.makedirs(os.path.join(WORK, "etc", "conf.d"), exist_ok=True)
        os.makedirs(os.path.join(WORK, "run"), exist_ok=True)
        self.process = None

    def write(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self):
        self.log = open(os.path.join(WORK, "log"), "ab")
        self.process = subprocess.Popen(
            [os.path.join(BINARIES, "fwmarkd"), "--config", self.config, "--state-directory", os.path.join(WORK, "state"),
             "--runtime-directory", os.path.join(WORK, "run")], stderr=self.log)
        until("the daemon answers", lambda: status()["state"] != "starting", 30)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)


def status():
    with urllib.request.urlopen(URL + "v1/status?limit=1", timeout=10) as answer:
        return json.load(answer)


def until(what, condition, seconds=15):
    """Waits for the condition; what it raises meanwhile counts as not yet."""
    end, error = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            if condition():
                return
            error = None
        except Exception as raised:  # The page is being built, or the daemon is not there yet.
            error = raised
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}" + (f" ({error})" if error else ""))


def iptables(*words):
    subprocess.run(["iptables-legacy", "-w", *words], check=True)


def browser():
    options = Options()
    for argument in ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server", "--hide-scrollbars"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "window.ran = []; for (const name of ['alert', 'confirm', 'prompt']) window[name] = text => window.ran.push(String(text));"})
    driver.set_page_load_timeout(30)
    return driver


class Page:
    """What a reader sees."""

    def __init__(self, driver):
        self.driver = driver

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def text(self, selector):
        return self.run("return document.querySelector(arguments[0]).innerText", selector)

    def names(self):
        return self.run("return [...document.querySelectorAll('#serviceRows .name')].map(node => node.textContent)")

    def type(self, name, value):
        self.run("const field = document.querySelector(arguments[0]); field.value = arguments[1];"
                 "field.dispatchEvent(new Event('input', { bubbles: true }))", name, value)

    def explain(self, **values):
        for name, value in values.items():
            self.type(f"#form [name={name}]", value)
        self.run("document.getElementById('answer').replaceChildren(); document.getElementById('form').requestSubmit()")
        until("explain answers", lambda: self.text("#answer") != "")
        return self.text("#answer")

    def nothing_ran(self):
        ran = self.run("return window.ran")
        assert ran == [], f"the page ran something of a name: {ran}"
        strange = self.run("return document.querySelectorAll('main img, main script, main iframe').length")
        assert strange == 0, f"{strange} elements were made of a name"

    def shot(self, name, width, theme, height=None):
        if not SCREENSHOTS:
            return
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        time.sleep(0.5)  # Only for pictures: the browser paints.
        height = height or self.run("return document.documentElement.scrollHeight")
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {
            "captureBeyondViewport": True, "clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}})
        with open(os.path.join(SCREENSHOTS, name), "wb") as file:
            file.write(base64.b64decode(picture["data"]))
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def shows_the_state(page, daemon):
    until("the banner says in sync", lambda: "In sync" in page.text("#banner"))
    until("both services are shown", lambda: page.names() == ["ftp", "web"])
    row = page.text("#serviceRows .row")
    for part in ["21", "203.0.113.10", "tcp/21", "tcp/10000-20000"]:
        assert part in row, f"{part} is not in {row!r}"
    assert "10.11.12.0/24" in page.text("#translationRows")
    assert daemon.config in page.text("#facts")
    until("the events are there", lambda: "applied" in page.text("#eventList"))


def follows_a_repair(page, _):
    before = page.run("return document.querySelectorAll('#eventList li').length")
    iptables("-t", "mangle", "-F", "fwmarkd-mark")
    until("the repair is shown", lambda: "repaired" in page.text("#eventList li:first-child"), 10)
    assert page.run("return document.querySelectorAll('#eventList li').length") > before
    until("the banner is back at in sync", lambda: "In sync" in page.text("#banner"))


def answers_explain(page, _):
    answer = page.explain(protocol="tcp", source="198.51.100.7:40000", destination="203.0.113.10:10050")
    assert "Mark 21" in answer and "fwmarkd-mark" in answer, answer
    answer = page.explain(protocol="tcp", source="10.11.12.5:20", destination="198.51.100.7:40000")
    assert "No mark" in answer and "masqueraded" in answer, answer
    answer = page.explain(protocol="bogus", source="198.51.100.7:40000", destination="203.0.113.10:21")
    assert "protocol: invalid value" in answer, answer


def executes_nothing(page, daemon):
    # A rule of another program, a file beside the configuration, and a configuration that is refused with the name in its error.
    iptables("-t", "mangle", "-I", "PREROUTING", "-p", "tcp", "--dport", "21", "-m", "comment", "--comment", HOSTILE, "-j", "MARK", "--set-mark", "7")
    answer = page.explain(protocol="tcp", source="198.51.100.7:40000", destination="203.0.113.10:21", kernel="true")
    assert "Mark 21" in answer and "onerror" in answer and "another program" in answer, answer
    conf = os.path.join(WORK, "etc", "conf.d", HOSTILE + ".yaml")
    with open(conf, "w", encoding="utf-8") as file:
        file.write("services:\n  - name: \"" + HOSTILE + "\"\n    mark: x\n")
    daemon.reload()
    until("the refusal is shown", lambda: "onerror" in page.text("#notes") and "reload-refused" in page.text("#eventList"))
    page.nothing_ran()
    os.remove(conf)
    iptables("-t", "mangle", "-D", "PREROUTING", "1")
    page.explain(protocol="tcp", source=HOSTILE, destination="203.0.113.10:21")
    page.nothing_ran()


def finds_one_of_10000(page, daemon):
    services = "".join(
        f"  - {{name: svc-{n:05}, mark: {n + 1000}, addresses: [10.{n >> 8}.{n & 255}.1], tcp: [80, 443]}}\n" for n in range(10000))
    daemon.write("daemon: {http-listen: '127.0.0.1:9780'}\nservices:\n" + services)
    daemon.reload()
    until("10,000 services are shown", lambda: "10,000 services" in page.text("#serviceCount"), 30)
    rows = page.run("return document.querySelectorAll('#serviceRows > *, #translationRows > *').length")
    assert 0 < rows <= 200, f"{rows} rows"
    for wanted in ["svc-07777", "10.30.97.1", "8777"]:
        page.type("#filter", wanted)
        until(f"{wanted} finds one service", lambda: page.names() == ["svc-07777"])
    page.type("#filter", "")
    until("all are back", lambda: len(page.names()) == 100)
    page.run("window.refreshes = []; new PerformanceObserver(list => window.refreshes.push(...list.getEntries().filter("
             "entry => entry.name === 'refresh').map(entry => entry.duration))).observe({ type: 'measure' })")
    until("three refreshes", lambda: page.run("return window.refreshes.length") >= 3, 20)
    median = sorted(page.run("return window.refreshes"))[1]
    assert median < 50, f"a refresh takes {median} ms"
    print(f"page: a refresh with 10,000 services takes {median:.1f} ms, {rows} rows in the document")
    daemon.write(SMALL)
    daemon.reload()
    until("the small configuration is back", lambda: page.names() == ["ftp", "web"], 30)


def survives_a_restart(page, daemon):
    daemon.stop()
    until("the page says that the daemon is gone", lambda: "does not answer" in page.text("#banner"))
    assert page.run("return document.getElementById('data').classList.contains('stale')")
    page.shot("gone.png", 1600, "light")
    daemon.start()
    until("the page is back by itself", lambda: "In sync" in page.text("#banner"), 20)
    until("the events of the new daemon come", lambda: page.text("#eventList li:first-child .kind") in ("applied", "started"), 20)
    iptables("-t", "mangle", "-F", "fwmarkd-mark")
    until("a repair is shown again", lambda: "repaired" in page.text("#eventList li:first-child"), 10)


def has_a_policy(page, _):
    with urllib.request.urlopen(URL, timeout=10) as answer:
        policy, size = answer.headers["Content-Security-Policy"], len(answer.read())
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy, policy
    assert size < 60_000, f"the page has {size} bytes"
    assert page.run("const frame = document.createElement('p'); frame.setAttribute('onclick', 'alert(9)'); document.body.append(frame);"
                    "frame.click(); frame.remove(); return window.ran.length") == 0, "an inline handler ran"
    for path, host, wanted in [
            ("v1/status", "rebound.example.com", 421), ("", "rebound.example.com", 421), ("v1/events", "127.0.0.1.example.com:9780", 421),
            ("", "", 421), ("metrics", "rebound.example.com", 200), ("", "localhost:9780", 200), ("v1/status", "[::1]:9780", 200),
            ("v1/status", "198.51.100.4", 200), ("", socket.gethostname(), 200)]:
        request = urllib.request.Request(URL + path, headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                code = answer.status
        except urllib.error.HTTPError as error:
            code = error.code
        assert code == wanted, f"/{path} for the Host {host!r}: {code}, not {wanted}"


def fits(page, _):
    for width in (360, 800, 1600):
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        wide = page.run("return document.documentElement.scrollWidth")
        assert wide <= width, f"at {width} pixels the page is {wide} wide"
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def can_be_read_in_both_themes(page, _):
    """WCAG 2's contrast of at least 4.5 between every piece of text and what is behind it."""
    for theme in ("light", "dark"):
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]})
        poor = page.run(CONTRAST)
        assert not poor, f"{theme}: {poor[:5]}"
        page.shot(f"real-{theme}.png", 1600, theme)
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


CONTRAST = """
const numbers = text => text.match(/[0-9.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map(c => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, index) => sum + c * [0.2126, 0.7152, 0.0722][index], 0);
const behind = node => {
  for (; node; node = node.parentElement) {
    const color = numbers(getComputedStyle(node).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
const poor = [];
for (const node of document.querySelectorAll('body *')) {
  const own = [...node.childNodes].some(child => child.nodeType === 3 && child.textContent.trim());
  if (!own || !node.getClientRects().length || node.disabled || /^(SCRIPT|STYLE|OPTION)$/.test(node.tagName)) continue;
  const [a, b] = [light(numbers(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < 4.5) poor.push(`${node.tagName}.${node.className} ${node.textContent.slice(0, 30)}: ${ratio.toFixed(2)}`);
}
return poor;
"""


def works_by_keyboard(page, _):
    page.run("document.activeElement.blur()")
    body = page.driver.find_element(By.TAG_NAME, "body")
    body.send_keys("/")
    assert page.run("return document.activeElement.id") == "filter", "/ does not go to the filter"
    page.driver.switch_to.active_element.send_keys("web")
    until("the filter is typed into", lambda: page.names() == ["web"])
    page.driver.switch_to.active_element.send_keys(Keys.CONTROL, "a", Keys.NULL, Keys.DELETE)
    until("all are back", lambda: page.names() == ["ftp", "web"])
    # From the filter by Tab to explain's form, which Enter sends.
    page.run("document.getElementById('answer').replaceChildren()")
    for _ in range(12):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        if page.run("return document.activeElement.name") == "source":
            break
    page.driver.switch_to.active_element.send_keys(Keys.CONTROL, "a", Keys.NULL, "198.51.100.7:40000", Keys.TAB)
    assert page.run("return document.activeElement.name") == "destination", "Tab does not go from source to destination"
    page.driver.switch_to.active_element.send_keys(Keys.CONTROL, "a", Keys.NULL, "203.0.113.20:443", Keys.ENTER)
    until("Enter asks", lambda: "Mark 80" in page.text("#answer"))


def speaks_to_a_screen_reader(page, _):
    nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    def value(node, key):
        return node.get(key, {}).get("value", "")
    shown = [node for node in nodes if not node.get("ignored")]
    nameless = [value(node, "role") for node in shown
                if value(node, "role") in ("textbox", "searchbox", "combobox", "button", "link", "table", "navigation", "region") and not value(node, "name")]
    assert not nameless, f"without a name: {nameless}"
    roles = [value(node, "role") for node in shown]
    for wanted in ("status", "main", "navigation", "table", "columnheader", "cell", "heading"):
        assert wanted in roles, f"there is no {wanted}"
    cells = page.run("return [...document.querySelectorAll('#serviceRows [role=row]')].map(row => row.querySelectorAll(':scope > [role=cell]').length)")
    assert all(count >= 7 for count in cells), cells


def shows_ipvs(page, _):
    """IPVS' part, for which this kernel need not have IPVS: the made-up answers of fake-daemon, which the API's description holds."""
    here = os.path.dirname(os.path.abspath(__file__))
    fake = subprocess.Popen([os.path.join(here, "fake-daemon"), "9781", "9"])
    try:
        url = "http://127.0.0.1:9781/"
        until("the made-up daemon answers", lambda: urllib.request.urlopen(url, timeout=5).status == 200)
        with open(os.path.join(here, "../../docs/openapi.json"), encoding="utf-8") as file:
            description = json.load(file)
        with urllib.request.urlopen(url + "v1/status", timeout=10) as answer:
            errors = jsonschema.Draft202012Validator({"$ref": "#/components/schemas/Status", **description}).iter_errors(json.load(answer))
            assert not (wrong := [f"{list(error.absolute_path)}: {error.message[:200]}" for error in errors]), wrong[:5]
        page.driver.get(url)
        until("the services are shown", lambda: len(page.names()) == 9)
        def row(name):
            return page.run("return [...document.querySelectorAll('#serviceRows .row')].find(row => row.querySelector('.name').textContent === arguments[0])"
                            ".querySelector('.ipvs').innerText", name)
        for part in ["IPVS IPv4", "wlc", "persistent for 300 s", "10.11.12.2", "nat, weight 1", "active", "inactive"]:
            assert part in row("ftp"), f"{part} is not in {row('ftp')!r}"
        assert "IPVS IPv6" in row("web") and "2001:db8:1::2" in row("web") and "direct, weight 1" in row("web"), row("web")
        assert "no virtual service of IPVS on mark 0x500" in row("ipsec"), row("ipsec")
        off = page.run("return [...document.querySelectorAll('.ipvs li.off')].map(node => node.innerText)")
        assert len(off) == 1 and "10.11.12.3" in off[0] and "weight 0" in off[0], off
        page.nothing_ran()
    finally:
        fake.terminate()
        fake.wait()


def shows_ipvs_of_a_director(page, _):
    """The status of a real director: what ipvs-status.json has the guest compares with its daemon's own answer (page.status there)."""
    here = os.path.dirname(os.path.abspath(__file__))
    fake = subprocess.Popen([os.path.join(here, "fake-daemon"), "9783", os.path.join(here, "ipvs-status.json")])
    try:
        url = "http://127.0.0.1:9783/"
        until("the recorded daemon answers", lambda: urllib.request.urlopen(url, timeout=5).status == 200)
        page.driver.get(url)
        until("the services are shown", lambda: page.names() == ["ftp", "web", "mail"])
        ftp, web, mail = page.run("return [...document.querySelectorAll('#serviceRows .row')].map(row => row.querySelector('.ipvs').innerText)")
        for part in ["IPVS IPv4", "rr", "persistent for 300 s, 2 connections so far", "10.11.12.11", "10.11.12.12", "nat, weight 1"]:
            assert part in ftp, f"{part} is not in {ftp!r}"
        assert "33 packets" in page.text("#serviceRows") and "6 packets" in page.text("#serviceRows"), page.text("#serviceRows")
        for part in ["IPVS IPv4", "nat, weight 0", "IPVS IPv6", "2001:db8:11:12::11", "direct, weight 1"]:
            assert part in web, f"{part} is not in {web!r}"
        assert "no virtual service of IPVS on mark 25" in mail, mail
        for theme in ("light", "dark"):
            for width in (360, 800, 1600):
                page.shot(f"ipvs-{width}-{theme}.png", width, theme)
    finally:
        fake.terminate()
        fake.wait()


def main():
    daemon = Daemon()
    daemon.write(SMALL)
    driver, failed = None, 0
    try:
        daemon.start()
        driver = browser()
        driver.get(URL)
        page = Page(driver)
        for check in [shows_the_state, follows_a_repair, answers_explain, executes_nothing, has_a_policy, fits, can_be_read_in_both_themes,
                      works_by_keyboard, speaks_to_a_screen_reader, finds_one_of_10000, survives_a_restart, shows_ipvs,
                      shows_ipvs_of_a_director]:
            try:
                check(page, daemon)
                print(f"page: {check.__name__.replace('_', ' ')}: passed", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"page: {check.__name__.replace('_', ' ')}: FAILED: {error}", flush=True)
        page.nothing_ran()
        complaints = [entry["message"] for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]]
        assert len(complaints) <= 1, complaints  # One: the inline handler that has_a_policy planted.
    finally:
        if driver:
            driver.quit()
        if sys.exc_info()[0] or failed:
            with open(os.path.join(WORK, "log"), encoding="utf-8", errors="replace") as file:
                print(file.read()[-4000:])
        daemon.stop()
    if failed:
        sys.exit(f"page: {failed} checks failed")


main()
