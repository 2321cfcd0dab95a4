"use strict";
(() => {
  const KEPT = 40; // slices that stay decoded: some 10 MB, whatever the scan's length
  const AHEAD = 3;
  const byId = (id) => document.getElementById(id);
  const block = byId("scan-data");
  const data = JSON.parse(block.textContent);
  block.remove(); // the text is as large as what was read from it
  const { width, height } = data;
  const count = data.slices.length;
  const [viewer, stage, picture, layer, slider] = ["viewer", "stage", "picture", "layer", "slider"].map(byId);
  const marker = byId("marker");
  const canvas = picture.getContext("2d");
  const over = layer.getContext("2d");
  const frame = canvas.createImageData(width, height);
  const pixels = new Uint32Array(frame.data.buffer);
  const scratch = Object.assign(document.createElement("canvas"), { width, height });
  const reader = scratch.getContext("2d", { willReadFrequently: true });
  const plane = new Uint16Array(width * height);
  const state = { slice: 0, nodule: 0, outlines: data.nodules.length > 0, map: false, way: 1 };
  let shades = new Uint32Array(256);
  let busy = false;
  let asked = 0; // how often something else was to be drawn, and which of these was
  let drawn = 0;
  let spoken = 0;

  /** Keeps what `make` returns, by slice; what was used longest ago goes first. */
  function keeping(make) {
    const kept = new Map();
    return async (slice) => {
      const found = kept.has(slice) ? kept.get(slice) : await make(slice);
      kept.delete(slice);
      kept.set(slice, found);
      if (kept.size > KEPT) kept.delete(kept.keys().next().value);
      return found;
    };
  }

  async function decoded(kind, text) {
    const image = new Image();
    image.src = `data:image/${kind};base64,${text}`;
    await image.decode();
    return image;
  }

  const greys = keeping(async (slice) => {
    reader.drawImage(await decoded("jpeg", data.slices[slice]), 0, 0);
    const rgba = reader.getImageData(0, 0, width, height).data;
    const found = new Uint8Array(width * height);
    for (let n = 0; n < found.length; n += 1) found[n] = rgba[4 * n];
    return found;
  });

  const maps = keeping(async (slice) => (data.maps[slice] ? decoded("png", data.maps[slice]) : null));

  /** The borders of a slice's nodules along their pixels, and where their numbers go. */
  const outlines = keeping(async (slice) => {
    const runs = data.runs[slice] || [];
    const found = new Map();
    const each = (act) => {
      for (let n = 0; n < runs.length; n += 3) {
        for (let at = runs[n + 1]; at < runs[n + 1] + runs[n + 2]; at += 1) act(at, runs[n]);
      }
    };
    each((at, number) => { plane[at] = number; });
    each((at, number) => {
      const x = at % width;
      const y = (at - x) / width;
      if (!found.has(number)) found.set(number, { path: new Path2D(), right: 0, left: width, top: y });
      const own = found.get(number);
      own.right = Math.max(own.right, x + 1);
      own.left = Math.min(own.left, x);
      const edge = (here, x0, y0, x1, y1) => {
        if (here) { own.path.moveTo(x0, y0); own.path.lineTo(x1, y1); }
      };
      edge(y === 0 || plane[at - width] !== number, x, y, x + 1, y);
      edge(y === height - 1 || plane[at + width] !== number, x, y + 1, x + 1, y + 1);
      edge(x === 0 || plane[at - 1] !== number, x, y, x, y + 1);
      edge(x === width - 1 || plane[at + 1] !== number, x + 1, y, x + 1, y + 1);
    });
    each((at) => { plane[at] = 0; });
    return found;
  });

  function paint(levels) {
    for (let n = 0; n < pixels.length; n += 1) pixels[n] = shades[levels[n]];
    canvas.putImageData(frame, 0, 0);
  }

  /** Draws map and outlines as finely as the screen can show them. */
  function cover(map, found) {
    const fine = window.devicePixelRatio || 1;
    const size = [Math.round(stage.clientWidth * fine), Math.round(stage.clientHeight * fine)];
    if (layer.width !== size[0] || layer.height !== size[1]) [layer.width, layer.height] = size;
    const scale = size[0] / width;
    over.setTransform(1, 0, 0, 1, 0, 0);
    over.clearRect(0, 0, ...size);
    over.setTransform(scale, 0, 0, size[1] / height, 0, 0);
    if (map) over.drawImage(map, 0, 0, map.width * data.step, map.height * data.step);
    if (!found) return;
    over.font = `600 ${(15 * fine) / scale}px system-ui, sans-serif`;
    over.lineJoin = "round";
    for (const [number, own] of found) {
      const { colour, ink } = data.nodules.find((nodule) => nodule.number === number);
      const words = String(number);
      const gap = (4 * fine) / scale;
      const wide = over.measureText(words).width;
      const x = own.right + gap + wide < width ? own.right + gap : own.left - gap - wide;
      const y = Math.max(own.top + gap, (16 * fine) / scale);
      for (const [style, line] of [[ink, 3.5], [colour, 1.7]]) {
        over.strokeStyle = style;
        over.lineWidth = (line * fine) / scale;
        over.stroke(own.path);
      }
      over.strokeStyle = ink;
      over.lineWidth = (3.5 * fine) / scale;
      over.strokeText(words, x, y);
      over.fillStyle = colour;
      over.fillText(words, x, y);
    }
  }

  const signed = (value) => value.toFixed(1).replace("-", "−");
  const named = (slice) => `slice ${slice + 1} of ${count}, z = ${signed(data.z[slice])} mm`;

  function likely(slice) {
    const value = data.probability[slice];
    return value === null ? "not searched" : `probability ${value.toFixed(2)}`;
  }

  function say(slice) {
    const numbers = [...new Set((data.runs[slice] || []).filter((_, n) => n % 3 === 0))].sort((a, b) => a - b);
    const there = numbers.length ? `nodule${numbers.length > 1 ? "s" : ""} ${numbers.join(", ")}` : "";
    byId("here").textContent = [named(slice), likely(slice), there].filter(Boolean).join("\n");
    stage.dataset.shown = slice + 1;
    slider.setAttribute("aria-valuetext", named(slice));
    if (marker) {
      marker.hidden = false;
      marker.style.left = `${(100 * (slice + 0.5)) / count}%`;
    }
    // Not each slice that passes by, only where one stops.
    clearTimeout(spoken);
    spoken = setTimeout(() => {
      byId("live").textContent = [named(slice), likely(slice), there].filter(Boolean).join(", ");
    }, 600);
  }

  /** Draws what is wanted, one slice at a time, then decodes what will be wanted next. */
  async function run() {
    if (busy) return;
    busy = true;
    let slice = 0;
    try {
      while (drawn !== asked) {
        const now = asked;
        slice = state.slice;
        const levels = await greys(slice);
        const map = state.map ? await maps(slice) : null;
        const found = state.outlines ? await outlines(slice) : null;
        paint(levels);
        cover(map, found);
        say(slice);
        drawn = now;
      }
      for (let n = 1; n <= AHEAD && drawn === asked; n += 1) {
        const next = slice + n * state.way;
        if (next >= 0 && next < count) await greys(next);
      }
    } catch (error) {
      drawn = asked;
      byId("here").textContent = `slice ${slice + 1} can't be shown: ${error.message}`;
    } finally {
      busy = false;
    }
    if (drawn !== asked) run();
  }

  function again() {
    asked += 1;
    run();
  }

  function show(slice) {
    const next = Math.min(count - 1, Math.max(0, slice));
    if (next !== state.slice) state.way = Math.sign(next - state.slice);
    state.slice = next;
    slider.value = next + 1;
    again();
  }

  function look(button) {
    const [low, high] = [Number(button.dataset.low), Number(button.dataset.high)];
    shades = Uint32Array.from(data.tones, (hu) => {
      const grey = Math.round(255 * Math.min(1, Math.max(0, (hu - low) / (high - low))));
      return (255 << 24) | (grey << 16) | (grey << 8) | grey;
    });
    for (const other of viewer.querySelectorAll("[data-low]")) other.setAttribute("aria-pressed", other === button);
    again();
  }

  function toggle(name) {
    const button = byId(name);
    if (button.disabled) return;
    state[name] = !state[name];
    button.setAttribute("aria-pressed", state[name]);
    again();
  }

  /** Goes on by so many nodules, in the order of their numbers, round and round. */
  function step(by) {
    const total = data.nodules.length;
    if (!total) return;
    const at = data.nodules.findIndex((nodule) => nodule.number === state.nodule);
    const next = data.nodules[at < 0 ? (by > 0 ? 0 : total - 1) : (at + by + total) % total];
    state.nodule = next.number;
    show(next.slice);
  }

  const keys = {
    ArrowUp: () => show(state.slice + 1),
    ArrowDown: () => show(state.slice - 1),
    PageUp: () => show(state.slice + 10),
    PageDown: () => show(state.slice - 10),
    Home: () => show(0),
    End: () => show(count - 1),
    n: () => step(1),
    p: () => step(-1),
    o: () => toggle("outlines"),
    m: () => toggle("map"),
  };
  viewer.addEventListener("keydown", (event) => {
    const act = keys[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  });

  let turned = 0;
  stage.addEventListener("wheel", (event) => {
    if (event.ctrlKey) return; // the browser's zoom
    event.preventDefault();
    const notch = event.deltaMode !== 0 || Math.abs(event.deltaY) >= 80;
    // A wheel's notch is a slice; a touchpad sends many small steps.
    turned = notch ? Math.sign(event.deltaY) : turned + event.deltaY / 40;
    const slices = Math.trunc(turned);
    turned = notch ? 0 : turned - slices;
    if (slices) show(state.slice - slices);
  }, { passive: false });

  // Sideways only: up and down a finger moves the page, as everywhere.
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    from = { x: event.clientX, slice: state.slice };
    stage.focus({ preventScroll: true });
    if (event.pointerType === "mouse") stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (from) show(from.slice + Math.round((event.clientX - from.x) / 6));
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { from = null; });

  slider.addEventListener("input", () => show(Number(slider.value) - 1));
  byId("outlines").addEventListener("click", () => toggle("outlines"));
  byId("map").addEventListener("click", () => toggle("map"));
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  for (const button of viewer.querySelectorAll("[data-low]")) button.addEventListener("click", () => look(button));

  document.addEventListener("click", (event) => {
    const row = event.target.closest("tbody tr");
    const link = event.target.closest("a[data-slice]") || (row && row.querySelector("a[data-slice]"));
    if (!link) return;
    event.preventDefault();
    state.nodule = Number(link.dataset.nodule);
    show(Number(link.dataset.slice) - 1);
    viewer.scrollIntoView({ block: "nearest" });
    stage.focus({ preventScroll: true });
  });

  const curve = byId("curve");
  if (curve) {
    curve.addEventListener("click", (event) => {
      const box = curve.getBoundingClientRect();
      show(Math.floor((count * (event.clientX - box.left)) / box.width));
    });
  }

  /** Some browsers that guard against being recognised hand out other pixels than were drawn. */
  function trusted() {
    reader.fillStyle = "#646464";
    reader.fillRect(0, 0, 1, 1);
    return Math.abs(reader.getImageData(0, 0, 1, 1).data[0] - 100) < 4;
  }

  viewer.hidden = false;
  document.body.classList.add("has-script");
  if (!Object.keys(data.maps).length) {
    byId("map").disabled = true;
    byId("map-note").textContent = "The map is nowhere positive.";
  }
  if (!trusted()) {
    byId("map-note").textContent =
      "This browser keeps pages from reading pictures, against being recognised: what is shown here is wrong. Allow it for this page, or use another browser.";
  }
  new ResizeObserver(again).observe(stage);
  state.slice = data.nodules.length ? data.nodules[0].slice : count >> 1;
  state.nodule = data.nodules.length ? data.nodules[0].number : 0;
  slider.value = state.slice + 1;
  look(viewer.querySelector("[data-low]"));
})();
