// hamPlayer(root, data) draws one tree as SVG in `root` and steps through its frames. data: n, the number of leaves;
// name, what stands in them; frames: [{title, alt, leaf, labels, nodes, mass, shade}]. `leaf` ends the path; the
// last four hold pairs [index, value], what has changed since the frame before, of leaves or of rows 1 to 2n - 1.
(() => {
  const CSS = `
.ham-player{--bg:var(--pst-color-background,var(--jp-layout-color0,#fff));color:var(--ink);background:var(--bg);
 --ink:var(--pst-color-text-base,var(--jp-content-font-color0,#222));--edge:#8a8a8a;--path:#d55e00;--mass:#009e73;
 padding:.5em;margin-bottom:.8em;border:1px solid var(--edge);border-radius:6px;max-width:60em;
 font:14px/1.4 system-ui,sans-serif}
.ham-player:focus-visible{outline:3px solid #0b62c4;outline-offset:2px}
.ham-player .scroll{overflow-x:auto}
.ham-player svg{display:block;width:100%;height:auto;margin:auto}
.ham-player svg *{transition:stroke .25s,fill .25s,stroke-width .25s}
.ham-player line{stroke:var(--edge);stroke-width:1.2;stroke-linecap:round}
.ham-player line.mass{stroke:var(--mass)}
.ham-player rect{fill:var(--bg);stroke:var(--edge);stroke-width:1.2}
.ham-player .shade{fill:#0b4f9e;stroke:none}
.ham-player .bar{fill:var(--mass);stroke:none}
.ham-player line.on,.ham-player rect.on{stroke:var(--path);stroke-width:3.5}
.ham-player text{fill:var(--ink);text-anchor:middle;dominant-baseline:central;stroke:none}
.ham-player text.dark{fill:#fff}
.ham-player .bar-row{display:flex;flex-wrap:wrap;gap:.4em;align-items:center;margin-top:.4em}
.ham-player button{font:inherit;color:var(--ink);background:var(--bg);border:1px solid var(--edge);border-radius:4px;
 padding:.25em .7em;min-width:4.6em;cursor:pointer}
.ham-player input{flex:1 1 8em;min-width:6em;accent-color:#0b62c4}
.ham-player p{margin:.4em 0 0;min-height:2.8em;color:var(--ink)}
@media (prefers-reduced-motion:reduce){.ham-player svg *{transition:none}}
@media print{.ham-player .bar-row{display:none}}`;
  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const make = (name, attributes, parent, text) => {
    const svg = /^(svg|line|rect|text)$/.test(name);
    const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return parent.appendChild(element);
  };

  // The tree itself: returns what a frame changes, by row of the heap.
  const drawTree = (parent, data) => {
    const n = data.n, depth = Math.log2(n), wide = n <= 16 ? 46 : n <= 32 ? 34 : 26, high = 44, box = wide - 10;
    const soft = data.frames.some((frame) => frame.mass), foot = soft ? 50 : 10;
    const longest = Math.max(1, ...data.frames.flatMap((f) => [...(f.labels || []), ...(f.nodes || [])].map((c) => c[1].length)));
    const named = data.frames.some((frame) => frame.nodes), inner = named ? [box, Math.min(26, box)] : [13, 13];
    const font = Math.min(15, (1.5 * box) / longest, 0.55 * box);
    const size = [n * wide + 8, depth * high + 40 + foot];
    const svg = make("svg", { viewBox: `0 0 ${size[0]} ${size[1]}`, role: "img" }, parent);
    svg.style.maxWidth = `${size[0] * 1.5}px`;
    svg.style.minWidth = `${Math.min(size[0], n * 24)}px`;
    const at = (row) => {
      const level = Math.floor(Math.log2(row)), span = n >> level;
      return [4 + wide * ((row - (1 << level)) * span + span / 2), 18 + high * level];
    };
    const rows = [];
    for (let row = 2; row < 2 * n; row++) {
      const [x, y] = at(row), [u, v] = at(row >> 1);
      rows[row] = { edge: make("line", { x1: u, y1: v + inner[1] / 2, x2: x, y2: y - (row < n ? inner[1] : 26) / 2 }, svg) };
    }
    for (let row = 1; row < 2 * n; row++) {
      const [x, y] = at(row), [width, height] = row < n ? inner : [box, 26];
      const shape = { x: x - width / 2, y: y - height / 2, width, height, rx: row < n ? height / 2 : 3 };
      rows[row] = { ...rows[row], box: make("rect", shape, svg) };
      rows[row].shade = make("rect", { ...shape, class: "shade", opacity: 0 }, svg);
      rows[row].text = make("text", { x, y, "font-size": font }, svg, "");
      if (row < n) continue;
      if (soft) rows[row].bar = make("rect", { x: x - box / 2, width: box, y: y + 32, height: 0, class: "bar" }, svg);
      make("text", { x, y: y + 22, "font-size": wide > 30 ? 10 : 9 }, svg, row - n);
    }
    return { svg, rows };
  };

  window.hamPlayer = (root, data) => {
    root.hamStop?.();
    root.replaceChildren();
    if (!document.getElementById("ham-player-style")) make("style", { id: "ham-player-style" }, document.head, CSS);
    root.tabIndex = 0;
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", "Player. Arrow keys step, Home and End jump, the space bar plays and pauses.");
    const { n, frames } = data, last = frames.length - 1;
    const view = make("div", { class: "scroll" }, root), { svg, rows } = drawTree(view, data);
    const controls = make("div", { class: "bar-row" }, root);
    const button = (text, action) => {
      const element = make("button", { type: "button" }, controls, text);
      element.addEventListener("click", action);
      return element;
    };
    let now = 0, timer = null;
    const show = (frame) => {
      now = Math.max(0, Math.min(last, frame));
      const state = { labels: {}, nodes: {}, mass: {}, shade: {} };
      for (const one of frames.slice(0, now + 1))
        for (const key of Object.keys(state)) for (const [k, value] of one[key] || []) state[key][k] = value;
      const { title, alt, leaf } = frames[now], end = leaf === undefined ? 0 : n + leaf;
      for (let row = 1; row < 2 * n; row++) {
        const level = Math.floor(Math.log2(row)), on = end >> (Math.log2(n) - level) === row;
        const { edge, box, shade, text, bar } = rows[row], mass = state.mass[row - 1] || 0, tint = state.shade[row - 1] || 0;
        box.setAttribute("class", on ? "on" : "");
        edge?.setAttribute("class", on ? "on" : mass >= 0.01 ? "mass" : "");
        if (edge) edge.style.strokeWidth = !on && mass >= 0.01 ? 1 + 7 * mass : "";
        shade.setAttribute("opacity", tint);
        text.setAttribute("class", tint > 0.5 ? "dark" : "");
        text.textContent = state.nodes[row - 1] || (row < n ? "" : state.labels[row - n]) || "";
        bar?.setAttribute("height", 34 * mass);
      }
      if (end) view.scrollLeft = ((leaf + 0.5) / n) * view.scrollWidth - view.clientWidth / 2;
      svg.setAttribute("aria-label", alt);
      slider.value = now;
      slider.setAttribute("aria-valuetext", title);
      caption.textContent = `${now + 1} of ${last + 1}: ${alt}`;
      root.dataset.frame = now;
    };
    const pause = () => {
      clearInterval(timer);
      timer = null;
      playing.textContent = "Play";
      caption.setAttribute("aria-live", "polite");
    };
    const play = () => {
      if (now === last) show(0);
      playing.textContent = "Pause";
      caption.setAttribute("aria-live", "off");
      timer = setInterval(() => (root.isConnected && now < last ? show(now + 1) : pause()), 1100);
    };
    const step = (by) => (pause(), show(now + by));
    const toggle = () => (timer ? pause() : play());
    button("Back", () => step(-1));
    const playing = button("Play", toggle);
    button("Step", () => step(1));
    const slider = make("input", { type: "range", min: 0, max: last, step: 1, "aria-label": "Frame" }, controls);
    slider.addEventListener("input", () => (pause(), show(Number(slider.value))));
    const caption = make("p", { "aria-live": "polite" }, root);
    root.onkeydown = (event) => {
      const keys = { ArrowRight: () => step(1), ArrowLeft: () => step(-1), Home: () => step(-last), End: () => step(last) };
      if (event.target.tagName !== "BUTTON") keys[" "] = toggle; // a button has its own
      if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
      keys[event.key]();
      event.preventDefault();
      event.stopPropagation();
    };
    root.hamStop = pause;
    show(0);
    if (data.autoplay && !still()) play();
  };

  for (const root of document.querySelectorAll(".ham-player:not([data-frame])")) {
    const data = root.querySelector('script[type="application/json"]');
    if (data) window.hamPlayer(root, JSON.parse(data.textContent));
  }
})();
