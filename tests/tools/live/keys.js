// A JupyterHub does not let a page load a font from the notebook's folder,
// because it cannot tell that the request comes from that page. So there is a
// copy of the fonts beside this script.
document.head.append(
  Object.assign(document.createElement("link"), {
    rel: "stylesheet",
    href: new URL("fonts/fonts.css", document.currentScript.src),
  }),
);

// Handle the keys of a live deck, both in classic RISE and in JupyterLab.
//
// If reveal.js does not use a key, both decks pass it on to Jupyter. In
// command mode, Jupyter treats letters as commands. For example, a remote
// blanks the screen with "b", which inserts a cell in Jupyter. So this code
// gets each key first, at the window. It passes on only the keys that run a
// cell, save, or leave the deck. The browser's own keys (zoom, copy, full
// screen) still work.
//
// The arguments are three functions. start() is called when F5 is pressed
// before the deck is shown, and returns whether it has started the deck.
// atEnd() returns whether the selected cell is the last cell, after which
// Shift-Enter would add a new cell. run() runs that cell without adding one.
function deckKeys({ start, atEnd, run }) {
  // The code that reveal.js uses for each key.
  const CODES = {
    ArrowLeft: 37,
    ArrowUp: 38,
    ArrowRight: 39,
    ArrowDown: 40,
    PageUp: 33,
    PageDown: 34,
    "Shift+ ": 33,
    " ": 32,
    Home: 36,
    End: 35,
    Escape: 27,
    b: 66, // blanks the screen or restores it
    ".": 66,
    "/": 66,
    // A remote's "start" button sends F5. The deck has already started, and
    // reloading it would lose all results.
    F5: 0,
    "Shift+F5": 0,
  };
  const FROM_REMOTE = /^(Shift\+F5|F5|PageUp|PageDown)$/;
  const OF_RISE = ["t", "w", "?"]; // notes, overview, help
  const TEXT = `textarea, select, [contenteditable=true], .modal, dialog,
    input:not([type=range], [type=radio], [type=checkbox], [type=button])`;

  const inDeck = () =>
    document.querySelector(".reveal .slides section.present");

  // Send a request to reveal.js. Every version of it accepts messages.
  const ask = (method, ...args) =>
    postMessage(JSON.stringify({ method, args }), location.origin);

  // RISE takes most keys away from reveal.js and leaves them to Jupyter. We
  // give them back to reveal.js, which also gets the keys of the speaker's
  // window. Only Escape, T and W are left to Jupyter.
  let known;
  function giveKeys() {
    const first = document.querySelector(".reveal .slides section");
    if (!inDeck() || first === known) return;
    known = first;
    ask("configure", { keyboard: { 27: null, 84: null, 87: null } });
  }
  setInterval(giveKeys, 500); // there is no event for the start of a deck

  function press(code) {
    giveKeys();
    if (code === CODES.Escape) ask("toggleOverview");
    else if (code) ask("triggerKey", code);
  }

  // Return whether Jupyter may get a key that is pressed while nobody is
  // typing.
  function isForJupyter(event, key) {
    const ctrl = event.ctrlKey || event.metaKey;
    if (event.altKey) return event.code === "KeyR" && !ctrl;
    if (key === "Enter") return ctrl !== event.shiftKey;
    if (ctrl) return key === "s" && !event.shiftKey;
    return OF_RISE.includes(key);
  }

  // Return whether a key changes the cells even while somebody is typing.
  const splitsCell = (event, key) =>
    (event.altKey && key === "Enter") ||
    (event.ctrlKey && event.shiftKey && event.code === "Minus");

  function onKey(event) {
    const { target } = event;
    const key = event.key.length > 1 ? event.key : event.key.toLowerCase();
    const shift = event.shiftKey && key !== "?" ? "Shift+" : "";
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const code = plain ? CODES[shift + key] : undefined;

    if (!inDeck()) {
      if (plain && key === "F5" && start()) event.preventDefault();
      return;
    }
    const typing = target.closest?.(TEXT);
    if (!typing && /^(Arrow|Home|End)/.test(key)) {
      if (target.matches?.("[role=slider]")) {
        // Only the widget may respond to this key.
        target.addEventListener("keydown", (it) => it.stopPropagation(), {
          once: true,
        });
        return;
      }
      if (target.matches?.("input")) {
        event.stopImmediatePropagation();
        return;
      }
    }
    if (code >= 0 && (!typing || FROM_REMOTE.test(shift + key))) {
      if (typing) target.blur();
      press(code);
      event.preventDefault();
    } else if (typing ? !splitsCell(event, key) : isForJupyter(event, key)) {
      if (key !== "Enter" || !event.shiftKey || !atEnd()) return;
      run();
      event.preventDefault();
    }
    event.stopImmediatePropagation();
  }

  // In command mode, classic Jupyter cuts and pastes whole cells.
  function onClipboard(event) {
    if (inDeck() && !event.target.closest?.(TEXT))
      event.stopImmediatePropagation();
  }

  addEventListener("keydown", onKey, true);
  for (const name of ["cut", "paste"]) addEventListener(name, onClipboard, true);
}
