// Walk through a deck from the current slide to the last one, and measure each
// slide as the audience sees it.
//
// On each slide, we show all fragments, measure the slide, and press the space
// bar. The deck cannot distinguish these key events from a person's.
//
// `width` and `height` are the viewport in px. `text`, `code` and `label` are
// the smallest font sizes that are allowed, in px at 1280x720. `labels` is the
// font size in plots, in px of the stored picture. At most `slides` slides are
// measured. The result has one list for each of these slides, with a sentence
// for each thing that does not fit. The sentence names the element and says
// what is wrong and by how many px.
async ({ width, height, text, code, label, labels, slides = Infinity }) => {
  const NEVER_SEEN =
    "script, style, aside.notes, .MJX_Assistive_MathML, mjx-assistive-mml, " +
    ".MathJax_Preview, .CodeMirror-measure, .CodeMirror-cursors, .cm-layer, " +
    ".cm-announced, textarea, .reveal-skip";
  const MATHS = ".MathJax, .MathJax_SVG, mjx-container";
  const BLOCK = "p, li, th, td, h1, h2, h3, pre, .cm-line";
  const CODE =
    "pre, code, .CodeMirror, .cm-editor, table.dataframe, .output_area, .jp-OutputArea";
  const screen = Math.min(width / 1280, height / 720);
  let slide, edge, folded, found, frames;

  function named(element) {
    const block = element.closest(BLOCK) ?? element;
    const words = (block.alt ?? block.textContent).trim().replace(/\s+/g, " ");
    return `<${block.localName}> "${words.slice(0, 50)}"`;
  }

  function say(element, what, px) {
    if (px <= 1.5) return; // rounding
    const key = `${named(element)} ${what}`;
    if (px > (found.get(key) ?? 0)) found.set(key, px);
  }

  function seen(element) {
    return (
      !element.closest(NEVER_SEEN) &&
      element.checkVisibility({ opacityProperty: true, visibilityProperty: true })
    );
  }

  function check(element, box) {
    if (box.width < 0.5 || box.height < 0.5) return;
    say(element, "is beyond the right edge", box.right - width);
    say(element, "is beyond the left edge", -box.left);
    say(element, "is beyond the lower edge", box.bottom - height);
    say(element, "is beyond the upper edge", -box.top);
    for (const [, it] of edge) {
      if (box.right > it.left && box.left < it.right)
        say(element, "overlaps the footer", box.bottom - it.top);
    }
    for (const [it, word] of folded) {
      const across = Math.min(box.right - word.left, word.right - box.left);
      const down = Math.min(box.bottom - word.top, word.bottom - box.top);
      if (!it.contains(element))
        say(element, "is covered by the link to the code", Math.min(across, down));
    }
    for (const { x, y, frame } of clipping(element)) {
      if (x) {
        say(element, "is clipped on the right", box.right - frame.right);
        say(element, "is clipped on the left", frame.left - box.left);
      }
      if (y) {
        say(element, "is clipped at the bottom", box.bottom - frame.bottom);
        say(element, "is clipped at the top", frame.top - box.top);
      }
    }
  }

  // Return the frames that can cut off an element. Many boxes share these
  // frames, so we store them.
  function clipping(element) {
    if (element === slide) return [];
    if (!frames.has(element)) {
      const { overflowX, overflowY } = getComputedStyle(element);
      const [x, y] = [overflowX !== "visible", overflowY !== "visible"];
      const outer = clipping(element.parentElement);
      const frame = element.getBoundingClientRect();
      frames.set(element, x || y ? [{ x, y, frame }, ...outer] : outer);
    }
    return frames.get(element);
  }

  function measure() {
    found = new Map();
    frames = new Map();
    edge = [...document.querySelectorAll(".reveal > .slide-number, #rise-footer, .reveal > .deck-footer")]
      .filter((it) => it.checkVisibility())
      .map((it) => [it, it.getBoundingClientRect()]);
    // The code of a picture is folded into a word, which has its own corner.
    folded = [...slide.querySelectorAll(".input, .jp-Cell-inputWrapper")]
      .filter((it) => getComputedStyle(it).position === "absolute" && it.checkVisibility())
      .map((it) => [it, it.getBoundingClientRect()]);
    const scale = slide.getBoundingClientRect().width / slide.offsetWidth;
    for (const [it, { x, y, width: across, height: down }] of edge) {
      if (!it.contains(document.elementFromPoint(x + across / 2, y + down / 4)))
        found.set(`${named(it)} is covered`, down);
    }
    for (const it of slide.querySelectorAll("details > :not(summary)")) {
      if (it.parentElement.checkVisibility() && !it.checkVisibility())
        found.set(`${named(it)} is folded away`, 0);
    }
    for (const it of slide.querySelectorAll(".reveal-skip, .reveal-notes")) {
      if (it.checkVisibility()) found.set(`${named(it)} is shown, but should not be`, 0);
    }
    for (const it of slide.querySelectorAll(".CodeMirror")) {
      if (seen(it) && it.CodeMirror.getValue() && !it.innerText.trim())
        found.set(`<pre> "${it.CodeMirror.getValue().slice(0, 50)}" is not drawn`, 0);
    }
    const words = document.createTreeWalker(slide, NodeFilter.SHOW_TEXT);
    for (let node = words.nextNode(); node; node = words.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || !seen(element) || element.closest(MATHS)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const box of range.getClientRects()) check(element, box);
      const least = (element.closest(CODE) ? code : text) * screen;
      const size = parseFloat(getComputedStyle(element).fontSize) * scale;
      if (size < least - 0.1)
        found.set(`${named(element)} is too small`, least - size);
    }
    for (const element of slide.querySelectorAll(MATHS)) {
      if (seen(element)) check(element, element.getBoundingClientRect());
    }
    for (const element of slide.querySelectorAll("img, svg, canvas, video, iframe")) {
      if (!seen(element) || element.closest(MATHS)) continue;
      const box = element.getBoundingClientRect();
      check(element, box);
      if (!element.naturalWidth || /^data:image.svg|\.svg($|\?)/.test(element.src)) continue;
      const drawn = Math.min(box.width / element.naturalWidth, box.height / element.naturalHeight);
      const letters = drawn * labels;
      if (letters < label * screen)
        found.set(`${named(element)} has letters that are too small`, label * screen - letters);
    }
    const heading = slide.querySelector("h1, h2, h3")?.textContent.replace("¶", "").trim();
    const number = document.querySelector(".reveal .slide-number")?.textContent.replace(/\s+/g, "");
    return [...found].map(
      ([what, px]) => `slide ${number} "${heading ?? "without a heading"}": ${what}, by ${px.toFixed(0)} px`,
    );
  }

  function shown() {
    return [...document.querySelectorAll(".reveal .slides section.present")]
      .filter((section) => !section.matches(".stack") && section.checkVisibility())
      .at(-1);
  }

  // Our live decks pass the key on as a message, so the slide changes a little
  // later. If it hasn't changed after a fifth of a second, it won't.
  async function press() {
    const space = { key: " ", code: "Space", keyCode: 32, bubbles: true, cancelable: true };
    document.activeElement.dispatchEvent(new KeyboardEvent("keydown", space));
    for (let wait = 0; wait < 50 && shown() === slide; wait++)
      await new Promise((done) => setTimeout(done, 4));
  }

  // On the last slide, the space bar changes nothing, and the walk ends.
  const problems = new Map();
  while (problems.size < slides && !problems.has((slide = shown()))) {
    slide.querySelectorAll(".fragment").forEach((it) => it.classList.add("visible"));
    // JupyterLab lays out its editors only in the next frame.
    if (slide.querySelector(".cm-editor")) await new Promise(requestAnimationFrame);
    problems.set(slide, measure());
    if (problems.size < slides) await press();
  }
  return [...problems.values()];
};
