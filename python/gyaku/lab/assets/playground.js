// The playground: a socket to a training of its own, settings out, pictures in.
import { boundary } from "./toy_boundary.js";
import { controls, LABELS, make } from "./toy_controls.js";
import { curve } from "./toy_curve.js";
import { decode } from "./toy_frame.js";
import { network } from "./toy_network.js";

const CORNERS = [[-1.5, -1.5, 0], [1.5, 1.5, 0], [-1.5, 1.5, 1], [1.5, -1.5, 1]]; // of XOR
const SLOW = 100; // milliseconds between changes of text and curve
let kept = null; // settings for the next visit of the page

export function mount(root, lab) {
  const { t } = lab;
  const settings = {};
  const socket = lab.socket("/api/playground/socket");
  let ui = null, state = null, frame = null, waits = false, owes = false, isLeft = false;
  let drawn = 0, since = performance.now(), textAt = 0, pictures = 0;

  const tell = (message) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(message));

  function send(changes) {
    if (changes.data === "own" && !settings.points.length)
      changes = { ...changes, points: CORNERS, test: 0 };
    Object.assign(settings, changes);
    kept = { ...settings };
    tell({ do: "set", settings: changes });
    show();
  }

  function show() {
    ui.controls.show();
    const isOwn = settings.data === "own";
    ui.own.hidden = !isOwn;
    ui.boundary.set({ isOwn, own: settings.points });
  }

  function place(canvas, height) {
    // As many pixels as are seen, up to a beamer's; more cost time.
    const density = Math.min(2, window.devicePixelRatio || 1), width = canvas.clientWidth;
    if (!width) return;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round((height ?? width) * density);
  }

  function resize() {
    if (!ui) return;
    place(ui.square);
    place(ui.net, Math.max(260, Math.min(ui.net.clientWidth * 0.75, 440)));
    place(ui.graph, 190);
    ui.boundary.set({});
    ui.network.draw();
    ui.curve.draw();
  }

  function button(key, act, attributes = {}) {
    return make("button", { type: "button", "data-t": key, ...attributes, onclick: act });
  }

  function build({ choices, settings: first }) {
    Object.assign(settings, first, { points: first.points ?? [] });
    const square = make("canvas", { class: "toy-square", role: "img" });
    const net = make("canvas", { class: "toy-net", role: "img" });
    const graph = make("canvas", { class: "toy-graph", role: "img" });
    const run = button("run", () => tell({ do: state?.running ? "pause" : "run" }), { class: "main", id: "toy-run" });
    const parts = controls(lab, choices, settings, send);
    const texts = Object.fromEntries(["step", "epoch", "speed", "pictures", "loss0", "error0", "loss1", "error1"]
      .map((name) => [name, make("span", { id: `toy-${name}-text` })]));
    const counter = (name) => make("span", {}, make("span", { class: "quiet", "data-t": name }), " ", texts[name]);
    const result = (which, word) => make("tr", {},
      make("th", { scope: "row", "data-t": word }),
      make("td", {}, texts[`loss${which}`]), make("td", {}, texts[`error${which}`]));
    const note = make("p", { class: "toy-note", role: "alert", hidden: true });
    const code = make("code", { tabindex: "0" });
    const script = make("section", { class: "card toy-script", hidden: true },
      make("h3", { "data-t": "script" }), make("p", { class: "quiet", "data-t": "script-note" }),
      make("pre", {}, code),
      make("div", { class: "row" },
        navigator.clipboard ? button("copy", () => navigator.clipboard.writeText(code.textContent)
          .then(() => lab.announce(t("copied")))) : "",
        button("close", () => {
          script.hidden = true;
          ui.python.focus();
        })));
    const python = button("python", () => tell({ do: "script" }), { id: "toy-python" });
    const kinds = [1, 0].map((kind) => {
      const radio = make("input", { type: "radio", name: "toy-class", value: kind, checked: kind === 1 });
      radio.addEventListener("change", () => ui.boundary.set({ chosen: kind }));
      return make("label", {}, radio, make("span", { "data-t": `class-${kind}` }));
    });
    const own = make("div", { class: "toy-own", hidden: true },
      make("div", { class: "row", role: "group", "data-t-label": "click-class" }, ...kinds,
        button("clear", () => send({ points: [] }))),
      make("p", { class: "quiet", "data-t": "own-help" }));
    const shown = make("select", { id: "toy-shown" },
      ...["loss", "error"].map((each) => make("option", { value: each, "data-t": each })));
    shown.addEventListener("change", () => ui.curve.show(shown.value));

    root.append(
      make("h2", { class: "unseen", "data-t": "tab-playground" }),
      make("section", { class: "toy-bar", "data-t-label": "training-bar" },
        make("div", { class: "row" }, run, button("step-one", () => tell({ do: "step" })),
          button("epoch-one", () => tell({ do: "epoch" })),
          button("reset", () => tell({ do: "reset" })),
          button("new-seed", () => send({ seed: Math.floor(Math.random() * 10000) }))),
        make("div", { class: "row toy-counters" }, ...["step", "epoch", "speed", "pictures"].map(counter))),
      note,
      make("section", { class: "card toy-settings", "data-t-label": "settings-training" },
        ...["activation", "optimizer", "rate", "batch", "dropout", "decay", "speed"].map((n) => parts.field(n))),
      make("div", { class: "toy-rooms" },
        make("section", { class: "card toy-data" }, make("h3", { "data-t": "points" }),
          ...["data", "noise", "samples", "test"].map((name) => parts.field(name)), parts.seed, parts.features),
        make("section", { class: "card" },
          make("div", { class: "row toy-head" }, make("h3", { "data-t": "network" }), parts.depth),
          parts.columns, net, make("p", { class: "quiet toy-legend", "data-t": "network-legend" }), python),
        make("section", { class: "card" }, make("h3", { "data-t": "result" }), square,
          make("p", { class: "quiet toy-legend", "data-t": "square-legend" }), own,
          make("table", {}, make("thead", {}, make("tr", {}, make("td", {}),
            make("th", { scope: "col", "data-t": "loss" }), make("th", { scope: "col", "data-t": "error" }))),
          make("tbody", {}, result(0, "in-training"), result(1, "in-test"))),
          make("label", { for: "toy-shown", class: "row" }, make("span", { "data-t": "curve" }), shown), graph)),
      script,
    );
    ui = {
      controls: parts, square, net, graph, run, texts, note, script, code, python, own,
      boundary: boundary(square, lab, (points) => send({ points })),
      network: network(net, lab),
      curve: curve(graph, lab),
    };
    ui.boundary.set({ limit: choices.limit });
    lab.fill(root);
    if (kept) send(kept);
    else show();
    resize();
  }

  function hear(message) {
    if (message.kind === "welcome") build(message);
    else if (message.kind === "state") update(message);
    else if (message.kind === "error") {
      // Back to what the engine has; it counts the points, and shows its own.
      const points = state?.settings.data === "own" ? state.points.map((point) => point.slice(0, 3)) : [];
      Object.assign(settings, { ...state?.settings, points });
      kept = { ...settings };
      note(message.text);
      show();
    } else if (message.kind === "script") {
      ui.code.textContent = message.text;
      ui.script.hidden = false;
      ui.code.focus();
    } else if (message.kind === "full") {
      isLeft = true;
      lab.say(t("full", { most: message.most }));
    }
  }

  function note(text) {
    ui.note.hidden = !text;
    ui.note.textContent = text;
  }

  function noteStop() {
    note(t(`stopped-${state.stopped.reason}`, state.stopped));
  }

  function update(news) {
    const wasRunning = state?.running;
    state = { ...state, ...news };
    ui.run.dataset.t = state.running ? "pause" : "run";
    ui.run.textContent = t(ui.run.dataset.t);
    if (news.began) ui.curve.clear();
    if (news.points) ui.boundary.set({ points: news.points });
    ui.network.set(state.layers, state.settings.features.map((name) => LABELS[name]));
    if (state.stopped) noteStop();
    else note("");
    if (wasRunning !== state.running && wasRunning !== undefined)
      lab.announce(t(state.running ? "runs" : "rests"));
    describe();
  }

  function describe() {
    ui.net.setAttribute("aria-label", t("network-alt", {
      inputs: settings.features.map((name) => LABELS[name]).join(", "),
      hidden: settings.hidden.join(", ") || t("none"),
    }));
    if (!frame) return;
    const texts = Object.fromEntries(Object.entries(ui.texts).map(([name, each]) => [name, each.textContent]));
    ui.square.setAttribute("aria-label", t(settings.data === "own" ? "square-own-alt" : "square-alt", texts));
    ui.graph.setAttribute("aria-label", t("curve-alt", texts));
  }

  function percent(value) {
    return Number.isNaN(value) ? "–" : `${(100 * value).toFixed(1)} %`;
  }

  function small(value) {
    if (Number.isNaN(value)) return "–";
    return value !== 0 && value < 0.001 ? value.toExponential(1) : value.toPrecision(3);
  }

  function write(now) {
    const { texts } = ui, round = (value) => Math.round(value).toLocaleString(lab.lang);
    texts.step.textContent = round(frame.step);
    texts.epoch.textContent = frame.epoch < 10 ? frame.epoch.toFixed(1) : round(frame.epoch);
    texts.speed.textContent = round(frame.speed);
    if (now - since >= 1000) {
      pictures = Math.round(1000 * drawn / (now - since));
      [drawn, since] = [0, now];
    }
    texts.pictures.textContent = state.running ? pictures : 0;
    for (const which of [0, 1]) {
      texts[`loss${which}`].textContent = small(frame.loss[which]);
      texts[`error${which}`].textContent = percent(frame.error[which]);
    }
    describe();
  }

  function draw(now) {
    waits = false;
    if (isLeft) return;
    if (frame.version === state?.version) {
      drawn += 1;
      root.dataset.pictures = Number(root.dataset.pictures ?? 0) + 1;
      ui.boundary.draw(frame);
      ui.network.draw(frame);
      ui.curve.add(frame);
      if (!state.running || now - textAt > SLOW) {
        textAt = now;
        write(now);
        ui.curve.draw();
      }
    }
    if (owes) tell({ do: "seen" });
    owes = false;
  }

  socket.addEventListener("message", ({ data }) => {
    if (isLeft) return;
    if (typeof data === "string") {
      hear(JSON.parse(data));
      return;
    }
    frame = decode(data);
    owes = document.hidden; // the engine makes no further ones until the page is shown again
    if (!owes) tell({ do: "seen" });
    if (!waits) requestAnimationFrame(draw);
    waits = true;
  });
  socket.addEventListener("close", () => !isLeft && lab.say(t("gone")));

  const sizes = new ResizeObserver(resize);
  sizes.observe(root);
  lab.onlanguage(() => {
    if (!ui) return;
    ui.controls.refill();
    if (frame) write(performance.now());
    ui.network.draw();
    ui.curve.draw();
    if (state?.stopped) noteStop();
    else note("");
  });
  lab.ontheme(() => {
    for (const part of ui ? [ui.boundary, ui.network, ui.curve] : []) part.recolor();
  });

  return () => {
    isLeft = true;
    sizes.disconnect();
    socket.close();
    delete root.dataset.pictures;
  };
}
