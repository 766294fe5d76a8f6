// Makes a picture move. Its elements of class "moves" become, in their order,
// what a frame lists: the points of a line, or words. There is a frame for each
// choice and each position of the slider. `values` names the positions, in one
// list, or in a list for each choice. With `across`, pointing at the picture
// moves the slider: these two shares of its width stand for the slider's ends.
// Without scripts the picture stays.
function explorable(name, { slider, values, start, choice, choices = [""], chosen = 0, frames, across }) {
  for (const figure of document.querySelectorAll(`.explorable[data-name="${name}"]`)) {
    if (figure.querySelector("input")) continue; // it moves already
    const img = figure.querySelector("img");
    const svg = new DOMParser().parseFromString(
      decodeURIComponent(img.getAttribute("src").replace(/^.*?,/, "")), "image/svg+xml");
    const moves = [...svg.querySelectorAll(".moves")];
    const description = img.alt;
    const named = Array.isArray(values[0]) ? values : choices.map(() => values);

    const controls = document.createElement("div");
    controls.style = "align-items: center; background: #fdfcf9; color: #1f2933; display: flex; flex: none; flex-wrap: wrap; gap: 0 0.8em; padding: 0.2em 0.5em";
    figure.append(controls);
    // A deck or a notebook around it must not take these moves and keys.
    controls.dataset.preventSwipe = "true";
    for (const type of ["keydown", "keyup", "mousedown", "click", "dblclick", "focusin",
      "pointerdown", "pointermove", "touchstart", "touchmove", "touchend"])
      controls.addEventListener(type, (event) => {
        if (!event.key || /^(Arrow|Page|Home|End)/.test(event.key)) event.stopPropagation();
      });

    function control(words, settings, style) {
      const label = controls.appendChild(document.createElement("label"));
      const input = Object.assign(document.createElement("input"), settings);
      label.style = `align-items: center; font: inherit; display: flex; gap: 0.4em; margin: 0; ${style}`;
      input.style = "accent-color: #0b4a6f; flex: 1; height: 1.8em; margin: 0; min-width: 1.2em";
      label.append(words, input);
      input.dataset.lmSuppressShortcuts = "true"; // what JupyterLab asks for
      input.addEventListener("input", show);
      return input;
    }

    const range = control(slider, { type: "range", min: 0, max: named[0].length - 1, value: start }, `flex: 1 1 ${choice ? 25 : 40}%`);
    const said = controls.appendChild(document.createElement("output"));
    said.style = "color: inherit; font: inherit; min-width: 3.5em; padding: 0";
    if (choice) controls.append(`${choice}:`);
    const group = `${name}-${Math.random()}`;
    const options = choice ? choices.map((it, at) =>
      control(it, { type: "radio", name: group, checked: at === chosen }, "")) : [];

    function show() {
      const at = Math.max(options.findIndex((it) => it.checked), 0);
      const frame = frames[at][range.value], value = named[at][range.value];
      moves.forEach((it, i) => {
        if (Array.isArray(frame[i])) it.setAttribute("points", frame[i].join(" "));
        else it.textContent = frame[i];
      });
      const words = frame.filter((it) => !Array.isArray(it)).join(", ");
      said.textContent = value;
      range.setAttribute("aria-valuetext", `${value}: ${words}`);
      img.alt = `${description} Now: ${words}.`;
      img.src = "data:image/svg+xml," + encodeURIComponent(new XMLSerializer().serializeToString(svg));
    }
    if (across) img.addEventListener("pointermove", ({ clientX }) => {
      const { left, width, height } = img.getBoundingClientRect();
      const drawn = Math.min(width, (height * img.naturalWidth) / img.naturalHeight);
      const part = (clientX - left - (width - drawn) / 2) / drawn;
      range.value = ((part - across[0]) / (across[1] - across[0])) * range.max;
      show();
    });
    show();
  }
}
