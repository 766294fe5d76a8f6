"""Test whether ten people on a JupyterHub get and keep their results.

usage: .venv/bin/python tests/bench/room.py [--users 10] [--store]

Everybody opens Session 2's deck with the same nbgitpuller link. All users have
their own browser window and their own server, and they run all cells at the
same time. Halfway through, one user's kernel is killed, and that user runs all
cells again. The program prints the time until the last result, each user's
memory and processor time, and all failures. Before the cells run, the program
checks the first user's decks and JupyterLab. Afterwards, the user whose kernel
was killed gets an update of the series, and everything that they typed must
still be there.

Memory here means the memory of a user's Jupyter server and kernel. PSS divides
shared memory among the processes that share it, so the sum over all users is
the memory that a machine needs. RSS counts shared memory in full for each
process, so it is the memory that a user may need in a separate container. Only
Linux reports these figures. `--store` saves them in room.json, from which the
site takes them.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path

import nbformat
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from bench import line
from chromium import chromium, page_of
from decks import slides_of
from hub import SERIES, commit, hub
from playwright.sync_api import Error
from sessions import Problem, find_session, main, read_ipynb
from slides import COUNT, SMALL, wait_for_lab, wait_for_rise, walk

SESSION = find_session("2")
PAGE = f"{SERIES}/{SESSION}.ipynb"
STORED = Path(__file__).with_name("room.json")
GIB = 1.2  # the most for each user
OPENING, RUNNING, SAVING = 600, 1800, 180  # the most in seconds
TYPED = "# what I have typed so far"
NEWS = "A sentence that was added to the series later."

# This script returns the code cells of a notebook that is open in classic
# Jupyter. Only the kinds of a cell's outputs are compared, and warnings on
# stderr do not count.
CELLS = """() => Jupyter.notebook.get_cells()
  .filter((it) => it.cell_type === "code" && it.get_text().trim())
  .map((it) => ({
    done: it.input_prompt_number > 0,
    error: it.output_area.outputs
      .filter((it) => it.output_type === "error").map((it) => it.ename)[0],
    kinds: it.output_area.outputs
      .filter((it) => it.name !== "stderr")
      .map((it) => it.name ?? Object.keys(it.data ?? {}).sort().join()),
  }))"""
RUN = """Jupyter.notebook.clear_all_output();
  Jupyter.notebook.execute_all_cells()"""
# This script returns whether the kernel answers within two seconds.
ANSWERS = """new Promise((done) => {
  setTimeout(() => done(false), 2000);
  Jupyter.notebook.kernel.kernel_info(() => done(true));
})"""
ANSWER = """Jupyter.notebook.get_cells().findIndex((it) =>
  it.metadata.tags?.includes("answer-1"))"""


def failures(cells, stored):
    """Return a list of sentences, one for each cell that failed.

    `cells` is what CELLS returns after the run, and `stored` is what it
    returned before.
    """
    found = []
    for number, (cell, before) in enumerate(zip(cells, stored, strict=True)):
        missing = {*before["kinds"]} - {*cell["kinds"]}
        if cell["error"]:
            found.append(f"code cell {number} ended with {cell['error']}")
        elif not cell["done"]:
            found.append(f"code cell {number} was not run")
        elif missing:
            found.append(f"code cell {number} lacks output: {sorted(missing)}")
    return found


class Processes(threading.Thread):
    """A thread that records the memory of all users' processes."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.root = psutil.Process(process.pid)
        self.users = {}  # from processes to users
        self.peaks = {"pss": defaultdict(int), "rss": defaultdict(int)}
        self.together = 0  # the largest total PSS of all users
        self.stopped = threading.Event()

    def of(self):
        """Yield (user, process) for each process that belongs to a user."""
        for it in self.root.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if it not in self.users:
                    self.users[it] = it.environ().get("JUPYTERHUB_USER")
                if self.users[it]:
                    yield self.users[it], it

    def kernel_of(self, user):
        """Return the process of a user's kernel."""
        (kernel,) = (
            it
            for name, it in self.of()
            if name == user and "ipykernel_launcher" in it.cmdline()
        )
        return kernel

    def seconds(self):
        """Return how many seconds of processor time each user has used."""
        total = defaultdict(float)
        for user, it in self.of():
            # This sum includes child processes that have ended.
            total[user] += sum(it.cpu_times()[:4])
        return total

    def run(self):
        """Update the peak memory of each user once a second."""
        while not self.stopped.wait(1):
            now = {"pss": defaultdict(int), "rss": defaultdict(int)}
            for user, it in self.of():
                with contextlib.suppress(psutil.Error):
                    memory = it.memory_full_info()
                    now["pss"][user] += memory.pss
                    now["rss"][user] += memory.rss
            for kind, peaks in self.peaks.items():
                for user, bytes_ in now[kind].items():
                    peaks[user] = max(peaks[user], bytes_)
            self.together = max(self.together, sum(now["pss"].values()))


def faults_behind_prefix(room, user, page):
    """Return what is wrong with the decks and JupyterLab on a hub.

    All addresses on the hub start with a prefix. `page` is a page that shows
    the deck in classic RISE.
    """
    slides = len(slides_of(read_ipynb(SESSION)))
    base = f"{room.base}user/{user}"
    lab = page.context.new_page()
    faults = []
    try:
        lab.goto(f"{base}/rise/{PAGE}")
        wait_for_lab(lab)
        for name, deck in (("RISE", page), ("JupyterLab's deck", lab)):
            if (count := deck.evaluate(COUNT)) != slides:
                faults.append(
                    f"{name} has {count} slides instead of {slides}."
                )
            faults += [f"{name}: {it}" for said in walk(deck) for it in said]
        lab.goto(f"{base}/lab/tree/{PAGE}")
        lab.locator(".jp-Notebook h2").first.wait_for(timeout=60_000)
        if lab.locator(".jp-Dialog, .Toastify__toast").count():
            faults.append("JupyterLab opens with a dialog.")
    except (AssertionError, Error) as error:
        faults.append(f"behind {base}: {error}")
    lab.close()
    return faults


def type_answer(page):
    """Leave the deck, and type into the first exercise, as a learner would."""
    page.keyboard.press("Alt+r")
    page.wait_for_function(
        "!document.querySelector('.reveal .slides section')"
    )
    cell = page.locator(".cell").nth(page.evaluate(ANSWER))
    cell.locator(".CodeMirror").click()
    page.keyboard.press("Control+End")
    page.keyboard.press("Enter")
    page.keyboard.insert_text(TYPED)


def answer_on(page):
    """Return the answer to the first exercise, as shown on a page."""
    return page.evaluate(f"Jupyter.notebook.get_cell({ANSWER}).get_text()")


def answer_in(file):
    """Return the answer to the first exercise, as stored in a file."""
    nb = nbformat.read(file, as_version=4)
    nbformat.validate(nb)
    (cell,) = (
        it for it in nb.cells if "answer-1" in it.metadata.get("tags", [])
    )
    return cell.source


def run_again(page, processes, user):
    """Kill a user's kernel, click OK, and run all cells again.

    Raise Problem if the answer that was typed is gone from the page.
    """
    processes.kernel_of(user).kill()
    page.locator(".modal.in .btn-primary").click(timeout=60_000)
    while not page.evaluate(ANSWERS):
        pass
    if TYPED not in answer_on(page):
        raise Problem("The answer was lost when the kernel was killed.")
    page.evaluate(RUN)


def run_all(pages, processes, killed):
    """Run all cells for all users, and kill one kernel halfway through.

    `pages` has one page for each user, and `killed` is the user whose kernel
    is killed. Return the seconds until each user's last result, and a list of
    failures.
    """
    stored = {user: page.evaluate(CELLS) for user, page in pages.items()}
    began = time.perf_counter()
    for page in pages.values():
        page.evaluate(RUN)
    running, seconds, failed = dict(pages), {}, []
    was_killed = False
    while running:
        time.sleep(0.5)
        late = time.perf_counter() - began > RUNNING
        for user, page in list(running.items()):
            cells = page.evaluate(CELLS)
            done = [it["done"] for it in cells]
            if user == killed and not was_killed and not late:
                if sum(done) >= len(done) / 2:
                    run_again(page, processes, user)
                    was_killed = True
                continue
            if all(done) or late or any(it["error"] for it in cells):
                seconds[user] = time.perf_counter() - began
                failed += [
                    f"{user}: {it}" for it in failures(cells, stored[user])
                ]
                del running[user]
    return seconds, failed


def check_saved(page, file):
    """Wait until Jupyter has saved the typed answer, then reload the page.

    Raise Problem if the answer was not saved, or if it is gone from the page.
    """
    began = time.perf_counter()
    while TYPED not in answer_in(file):
        if time.perf_counter() - began > SAVING:
            raise Problem("The answer was not saved.")
        time.sleep(1)
    page.reload(wait_until="commit")
    wait_for_rise(page)
    if TYPED not in answer_on(page):
        raise Problem("The answer was lost when the page was reloaded.")


def check_update(room, page, user):
    """Publish an update, and raise Problem if a user's answer gets lost."""
    path = room.repository / f"{SESSION}.ipynb"
    nb = nbformat.read(path, as_version=4)
    nb.cells[1].source += f"\n\n{NEWS}"
    for cell in nb.cells:
        if "answer-1" in cell.metadata.get("tags", []):
            cell.source += "  # put better"
    nbformat.write(nb, path)
    commit(room.repository)
    page.goto(f"{room.site}{room.link(f'lab/tree/{PAGE}')}")
    page.locator(".jp-Notebook").wait_for(timeout=60_000)
    file = room.home(user) / PAGE
    if TYPED not in answer_in(file):
        raise Problem("The answer was lost when the series was updated.")
    if NEWS not in file.read_text("utf-8"):
        raise Problem("The update of the series did not arrive.")


def measure(number):
    """Simulate a room of this size; return the measurements and failures."""
    users = [f"user{it}" for it in range(number)]
    killed = users[-1]
    with contextlib.ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory())
        room = stack.enter_context(hub(Path(name).resolve()))
        browser = stack.enter_context(chromium())
        opened = {it: page_of(browser, viewport=SMALL) for it in users}
        pages = {user: page for user, (page, _) in opened.items()}
        for page in pages.values():  # agree to leave a page
            page.on("dialog", lambda it: it.accept())
        processes = Processes(room.process)
        began = time.perf_counter()
        for user, page in pages.items():
            room.login(page, user, room.link(f"nbclassic/notebooks/{PAGE}"))
        for page in pages.values():
            wait_for_rise(page, OPENING * 1000)
        opening = time.perf_counter() - began
        print(f"{number} decks were open after {opening:.0f} s.", flush=True)
        faults = faults_behind_prefix(room, users[0], pages[users[0]])
        print(
            "\n".join(
                faults or ["The decks and JupyterLab work as they should."]
            )
        )
        type_answer(pages[killed])
        before = processes.seconds()
        processes.start()
        seconds, failed = run_all(pages, processes, killed)
        failed += faults
        after = processes.seconds()
        processes.stopped.set()
        processes.join()
        check_saved(pages[killed], room.home(killed) / PAGE)
        check_update(room, pages[killed], killed)
        for user, (_, outside) in opened.items():
            failed += [f"{user}: the page requested {it}" for it in outside]
    cores = [after[it] - before[it] for it in users if it != killed]
    figures = {
        "users": number,
        "cores": os.cpu_count(),
        "machine_gib": psutil.virtual_memory().total / 2**30,
        "opening_s": opening,
        "last_s": max(seconds[it] for it in users if it != killed),
        "last_with_killed_s": max(seconds.values()),
        "pss_gib": max(processes.peaks["pss"].values()) / 2**30,
        "rss_gib": max(processes.peaks["rss"].values()) / 2**30,
        "together_gib": processes.together / 2**30,
        "core_s": statistics.median(cores),
    }
    return {name: round(it, 2) for name, it in figures.items()}, failed


def tool():
    """Simulate a room of users, and print the figures and their limits."""
    parser = argparse.ArgumentParser(description=tool.__doc__)
    parser.add_argument("--users", type=int, default=10)
    parser.add_argument("--store", action="store_true")
    asked = parser.parse_args()
    if asked.users < 2:
        raise Problem(
            "One user's kernel is killed, so use at least two users."
        )
    print(f"Starting a hub with {asked.users} users ...", flush=True)
    it, failed = measure(asked.users)
    print(f"On {it['cores']} cores and {it['machine_gib']:.0f} GiB:")
    print(f"time to the last result:      {it['last_s']:7.1f} s")
    print(f"  with the killed kernel:     {it['last_with_killed_s']:7.1f} s")
    print(f"processor time per user:      {it['core_s']:7.1f} s")
    print(f"all users' memory (PSS):      {it['together_gib']:7.2f} GiB")
    print(f"peak memory per user (RSS):   {it['rss_gib']:7.2f} GiB")
    line("peak memory per user (PSS)", it["pss_gib"], "GiB", most=GIB)
    print(f"failures:                     {len(failed):7}")
    print("The answer survived a killed kernel, a reload and an update.")
    if failed or it["pss_gib"] > GIB:
        raise Problem(
            "\n".join(
                [
                    *failed,
                    "A limit was exceeded, or something failed; the lines "
                    "above say what.",
                ]
            )
        )
    if asked.store:
        STORED.write_text(json.dumps(it, indent=2) + "\n")


if __name__ == "__main__":
    main(tool)
