// The page on trainings: their curves side by side, and the details of one of them.

import { Chart, short } from "./watch_chart.js";

// Colours with a contrast of 3:1 and more on light and dark paper; also told apart by line and name.
const COLORS = ["#2f81d6", "#d9660a", "#1a9660", "#c2589a", "#8f7d12", "#7a7a7a"];
const SOON = 1000, SLOW = 4000, LATER = 2500, HIDDEN = 6000; // milliseconds between two questions
const SHARE = 0.02; // of the time, which belongs to the training, that the page takes
const STEP = "step/", VAL = "val_";
const NAMED = new Set(["loss", "accuracy", "learning_rate"]); // that have a word in both languages

const PAGE = `
<p class="watch-none" hidden data-t="watch-none"></p>
<div class="watch-all" hidden>
  <section class="card watch-wide"><h2 data-t="watch-runs"></h2><div class="watch-scroll">
    <table class="watch-runs"><thead><tr>
      <th scope="col" data-t="watch-shown"></th><th scope="col" data-t="watch-run"></th>
      <th scope="col" data-t="watch-state"></th><th scope="col" data-t="watch-epoch"></th>
      <th scope="col" data-t="watch-last-loss"></th><th scope="col" data-t="watch-last-val"></th>
    </tr></thead><tbody></tbody></table></div></section>
  <section class="card watch-one watch-wide"><h2></h2>
    <progress max="1" value="0" data-t-label="watch-progress"></progress>
    <dl class="watch-numbers"></dl>
    <p class="watch-act"><button type="button" class="watch-pause"></button>
      <button type="button" class="watch-stop"></button></p></section>
  <section class="card watch-wide"><h2 data-t="watch-charts"></h2>
    <p><label><input type="checkbox" class="watch-log"> <span data-t="watch-log"></span></label></p>
    <p class="watch-quiet" data-t="watch-hint"></p>
    <div class="watch-charts"></div>
    <details class="watch-values"><summary data-t="watch-values"></summary>
      <div class="watch-scroll" tabindex="0" role="region" data-t-label="watch-values"></div>
    </details></section>
  <section class="card watch-wide"><h2 data-t="watch-wrong"></h2><p class="watch-wrong-note"></p>
    <ul class="watch-wrong"></ul></section>
  <section class="card"><h2 data-t="watch-findings"></h2><ul class="watch-findings"></ul></section>
  <section class="card"><h2 data-t="watch-layers"></h2>
    <p class="watch-quiet" data-t="watch-layers-note"></p>
    <div class="watch-scroll" tabindex="0" role="region" data-t-label="watch-layers">
      <table class="watch-layers"><thead><tr>
      <th scope="col" data-t="watch-layer"></th><th scope="col" data-t="watch-gradient"></th>
      <th scope="col" data-t="watch-weights"></th><th scope="col" data-t="watch-update"></th>
    </tr></thead><tbody></tbody></table></div></section>
  <section class="card"><h2 data-t="watch-settings"></h2>
    <div class="watch-scroll" tabindex="0" role="region" data-t-label="watch-settings">
    <table class="watch-settings"><tbody></tbody></table></div></section>
</div>`;

export function mount(root, lab) {
  root.innerHTML = PAGE;
  const page = new Page(root, lab);
  page.begin();
  return () => page.end();
}

// An element with text and attributes; all texts of others come through here.
function element(kind, text = "", attributes = {}, ...children) {
  const made = document.createElement(kind);
  if (text !== "") made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

class Page {
  constructor(root, lab) {
    this.root = root;
    this.lab = lab;
    this.runs = new Map();
    this.shown = new Set();
    this.chosen = null;
    this.place = "";
    this.charts = new Map();
    this.find = (what) => root.querySelector(what);
  }

  begin() {
    this.find(".watch-pause").addEventListener("click", () => this.pause());
    this.find(".watch-stop").addEventListener("click", () => this.stop());
    this.find(".watch-log").addEventListener("change", () => this.draw());
    this.find(".watch-values").addEventListener("toggle", () => this.drawValues());
    this.lab.onlanguage(() => this.redraw());
    this.lab.ontheme(() => this.draw());
    this.seen = () => {
      if (document.hidden) return;
      this.draw();
      this.soon(0);
    };
    document.addEventListener("visibilitychange", this.seen);
    this.lab.fill(this.root);
    this.ask();
  }

  end() {
    this.ended = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
    for (const chart of this.charts.values()) chart.close();
  }

  soon(wait) {
    clearTimeout(this.timer);
    if (!this.ended) this.timer = setTimeout(() => this.ask(), wait);
  }

  async ask() {
    let news = null;
    try {
      news = await this.lab.get(`/api/watch/news?since=${this.place}`);
    } catch (error) {
      if (!this.ended) this.lab.say(error.message);
    }
    if (this.ended) return;
    if (news && this.lost) {
      this.lab.say("");
      this.lab.announce(this.lab.t("watch-back"));
    }
    this.lost = news === null;
    const began = performance.now();
    if (news) this.take(news);
    await painted();
    const wait = Math.min(SLOW, Math.max(SOON, (performance.now() - began) / SHARE));
    const busy = [...this.runs.values()].some((run) => run.state.name !== "ended");
    this.soon(document.hidden ? HIDDEN : busy && news ? wait : LATER);
  }

  take(news) {
    if (this.session !== news.session) {
      this.runs.clear();
      this.shown.clear();
      this.chosen = null;
    }
    this.session = news.session;
    this.place = `${news.session}:${news.change}`;
    const kept = new Set(news.kept);
    for (const number of this.runs.keys()) {
      if (!kept.has(number)) {
        this.runs.delete(number);
        this.shown.delete(number);
      }
    }
    const fresh = news.runs.map((each) => this.merge(each));
    if (this.chosen === null || !this.runs.has(this.chosen)) {
      this.chosen = Math.max(...this.runs.keys());
    }
    if (fresh.length || this.drawn === undefined) this.redraw(new Set(fresh));
  }

  merge(each) {
    let run = this.runs.get(each.run);
    if (!run) {
      run = { number: each.run, series: new Map(), numbers: null, findings: null };
      this.runs.set(each.run, run);
      this.shown.add(each.run);
      this.chosen = each.run;
    }
    const before = run.state?.name;
    const { series, ...parts } = each;
    Object.assign(run, parts);
    if (before && before !== run.state.name) this.lab.announce(this.titled(run, this.stateOf(run)));
    for (const [name, { replace, points }] of Object.entries(series)) {
      const known = replace ? [] : run.series.get(name) ?? [];
      for (const point of points) known.push(point);
      run.series.set(name, known);
    }
    return each.run;
  }

  titled(run, text) {
    return `${run.facts.title}: ${text}`;
  }

  stateOf(run) {
    const { name, reason } = run.state;
    const key = name === "ended" && reason ? "watch-reason" : `state-${name}`;
    const names = run.facts.names?.[this.lab.lang] ?? {};
    return this.lab.t(key, { reason: names[reason] ?? reason });
  }

  colorOf(run, next = false) {
    return COLORS[(run.number - (next ? 0 : 1)) % COLORS.length];
  }

  nameOf(series) {
    return NAMED.has(series) ? this.lab.t(`name-${series}`) : series;
  }

  redraw(fresh = null) {
    this.drawn = true;
    this.find(".watch-none").hidden = this.runs.size > 0;
    this.find(".watch-all").hidden = this.runs.size === 0;
    if (!this.runs.size) return;
    this.drawRuns();
    if (fresh === null || fresh.has(this.chosen)) this.drawOne();
    if (fresh === null || [...fresh].some((number) => this.shown.has(number))) this.draw();
  }

  drawRuns() {
    const body = this.find(".watch-runs tbody");
    for (const run of this.runs.values()) {
      let row = body.querySelector(`[data-run="${run.number}"]`);
      if (!row) body.append((row = this.rowOf(run)));
      row.toggleAttribute("data-chosen", run.number === this.chosen);
      const [, , state, epoch, loss, val] = row.cells;
      row.querySelector("button").setAttribute("aria-pressed", run.number === this.chosen);
      const texts = [this.stateOf(run), this.epochOf(run), last(run, "loss"), last(run, "val_loss")];
      [state, epoch, loss, val].forEach((cell, at) => {
        if (cell.textContent !== texts[at]) cell.textContent = texts[at];
      });
    }
    for (const row of [...body.rows]) {
      if (!this.runs.has(Number(row.dataset.run))) row.remove();
    }
  }

  rowOf(run) {
    const box = element("input", "", { type: "checkbox", "aria-label": run.facts.title });
    box.checked = true;
    box.addEventListener("change", () => {
      if (box.checked) this.shown.add(run.number);
      else this.shown.delete(run.number);
      this.draw();
    });
    const mark = element("span", "", { class: "watch-swatch" });
    mark.style.backgroundColor = this.colorOf(run);
    const button = element("button", `${run.number}. ${run.facts.title}`, { type: "button" });
    button.addEventListener("click", () => {
      this.chosen = run.number;
      this.redraw();
    });
    const cells = ["", "", "", ""].map(() => element("td"));
    const row = element("tr", "", { "data-run": run.number });
    row.append(element("td", "", {}, box, mark), element("th", "", { scope: "row" }, button), ...cells);
    return row;
  }

  epochOf(run) {
    if (!run.numbers) return "—";
    const epoch = short(Math.floor(run.numbers.epoch * 10) / 10);
    return this.lab.t("watch-of", { epoch, epochs: run.numbers.epochs });
  }

  drawOne() {
    const run = this.runs.get(this.chosen), { lab } = this;
    this.find(".watch-one h2").textContent = this.titled(run, this.stateOf(run));
    const ended = run.state.name === "ended", n = run.numbers;
    this.find("progress").value = n ? Math.min(1, n.epoch / n.epochs) : 0;
    showNumbers(this.find(".watch-numbers"), n === null ? [] : [
      ["watch-epoch", this.epochOf(run)],
      ["watch-left", ended ? "—" : time(n.left)],
      ["watch-seconds", time(n.seconds)],
      ["watch-speed", n.speed === null ? "—" : Math.round(n.speed).toLocaleString(lab.lang)],
      ["watch-rate", short(n.rate)],
    ].map(([key, value]) => [lab.t(key), value]));
    const pause = this.find(".watch-pause"), stop = this.find(".watch-stop");
    pause.disabled = stop.disabled = ended;
    pause.textContent = lab.t(run.state.name === "paused" ? "watch-go" : "watch-pause");
    stop.textContent = lab.t(this.asked ? "watch-sure" : "watch-stop");
    this.drawFindings(run);
    this.drawWrong(run);
    this.drawLayers(run);
    this.drawSettings(run);
  }

  drawFindings(run) {
    const list = this.find(".watch-findings"), { lab } = this;
    if (same(list, [run.findings, lab.lang])) return;
    const found = run.findings ?? [];
    const items = found.map((finding) => {
      const said = finding[lab.lang] ?? finding.en;
      return element("li", "", {}, element("strong", said.title), element("p", said.sentence),
        element("p", lab.t("watch-remedy", { remedy: said.remedy })));
    });
    const none = lab.t(run.findings ? "watch-nothing" : "watch-waiting");
    list.replaceChildren(...(items.length ? items : [element("li", none)]));
  }

  drawWrong(run) {
    const list = this.find(".watch-wrong"), { lab } = this, { wrong } = run;
    if (same(list, [wrong, lab.lang])) return;
    const key = wrong ? `wrong-${wrong.of}` : wrong === null ? "watch-no-classes" : "watch-waiting";
    this.find(".watch-wrong-note").textContent = lab.t(key, wrong ?? {});
    list.replaceChildren(...(wrong?.items ?? []).map((item) => {
      const label = element("span", `${item.true} → ${item.found}`);
      if (!item.pixels) return element("li", lab.t("watch-sample", item));
      const canvas = element("canvas", "", { role: "img", "aria-label": lab.t("watch-sample", item) });
      paint(canvas, item.pixels, wrong.shape);
      return element("li", "", {}, canvas, label);
    }));
  }

  drawLayers(run) {
    const body = this.find(".watch-layers tbody"), layers = run.layers ?? [];
    if (same(body, [run.layers])) return;
    const norms = layers.map((each) => each.gradient).filter((norm) => norm > 0);
    const high = Math.max(...norms), low = Math.min(...norms, high / 1000);
    body.replaceChildren(...layers.map((each) => {
      const bar = element("span", "", { class: "watch-bar" });
      const part = each.gradient > 0 ? Math.log(each.gradient / low) / Math.log(high / low) : 0;
      bar.style.width = `${(2 + 98 * Math.max(0, Math.min(1, part || 0))) / 16}rem`;
      const ratio = each.update === null || !each.weights ? null : each.update / each.weights;
      return element("tr", "", {}, element("th", each.layer, { scope: "row" }),
        element("td", "", {}, bar, element("span", short(each.gradient))),
        element("td", short(each.weights)), element("td", short(ratio)));
    }));
  }

  drawSettings(run) {
    const body = this.find(".watch-settings tbody"), { lab } = this;
    if (same(body, [run.facts, lab.lang])) return;
    const known = { ...run.facts.settings, [lab.t("watch-parameters")]: run.facts.parameters };
    const names = run.facts.names?.[lab.lang] ?? {};
    const rows = Object.entries(known).filter(([, value]) => value !== null);
    body.replaceChildren(...rows.map(([name, value]) =>
      element("tr", "", {}, element("th", names[name] ?? name, { scope: "row" }),
        element("td", String(value)))));
  }

  // Names of what the shown runs have curves of: the loss, metrics, the learning rate.
  quantities() {
    const found = new Set();
    for (const run of this.runs.values()) {
      if (!this.shown.has(run.number)) continue;
      for (const name of run.series.keys()) found.add(name.replace(STEP, "").replace(/^val_/, ""));
    }
    const first = (name) => (name === "loss" ? 0 : name === "learning_rate" ? 2 : 1);
    return [...found].sort((a, b) => first(a) - first(b));
  }

  draw() {
    if (document.hidden) return;
    const names = this.quantities(), box = this.find(".watch-charts");
    for (const [name, chart] of this.charts) {
      if (!names.includes(name)) {
        chart.close();
        chart.root.remove();
        this.charts.delete(name);
      }
    }
    const log = this.find(".watch-log").checked;
    for (const name of names) {
      if (!this.charts.has(name)) {
        const chart = new Chart(this.lab, name);
        this.charts.set(name, chart);
        box.append(chart.root);
      }
      const scaled = log && (name === "loss" || name.endsWith("_loss"));
      const epochs = Math.max(...this.runsShown().map((run) => run.numbers?.epochs ?? Infinity));
      const chart = this.charts.get(name);
      chart.show(this.nameOf(name), this.linesOf(name), this.legendOf(name), scaled, epochs);
    }
    this.drawValues();
  }

  // The series of a quantity: its name, the kind of its line, and its word.
  kindsOf(name) {
    if (name === "learning_rate") return [[name, "plain", this.nameOf(name)]];
    return [[STEP + name, "thin", this.lab.t("watch-within")],
      [name, "plain", this.lab.t("watch-training")],
      [VAL + name, "dashed", this.lab.t("watch-validation")]];
  }

  runsShown() {
    return [...this.runs.values()].filter((run) => this.shown.has(run.number));
  }

  linesOf(name) {
    const runs = this.runsShown();
    return runs.flatMap((run) => this.kindsOf(name).map(([series, kind, word]) => ({
      name: runs.length > 1 ? `${run.number}. ${run.facts.title}, ${word}` : word,
      color: this.colorOf(run, runs.length === 1 && kind === "dashed"),
      kind,
      points: run.series.get(series) ?? [],
    })));
  }

  // Of one run, its lines; of several, a colour for each run, and the kinds of lines.
  legendOf(name) {
    const runs = this.runsShown(), one = runs.length === 1 ? runs[0] : null;
    const kinds = this.kindsOf(name).map(([, kind, word]) => ({
      name: word, kind, color: one ? this.colorOf(one, kind === "dashed") : this.lab.color("--ink"),
    }));
    if (one) return kinds;
    const colors = runs.map((run) => ({
      name: `${run.number}. ${run.facts.title}`, kind: "plain", color: this.colorOf(run), always: true,
    }));
    return kinds.length > 1 ? [...colors, ...kinds] : colors;
  }

  // The epochs of the chosen run as a table, when it is open.
  drawValues() {
    const details = this.find(".watch-values"), run = this.runs.get(this.chosen);
    if (!details.open || !run) return;
    const names = [...run.series.keys()].filter((name) => !name.startsWith(STEP) && name !== "learning_rate");
    const all = names.map((name) => run.series.get(name));
    const known = [run, this.lab.lang, ...all, ...all.map((points) => points.length)];
    if (same(details, known)) return;
    const rows = new Map();
    for (const name of names) {
      for (const [x, y] of run.series.get(name)) {
        if (!rows.has(x)) rows.set(x, {});
        rows.get(x)[name] = y;
      }
    }
    const title = (name) => name.startsWith(VAL)
      ? `${this.lab.t("watch-validation")} ${this.nameOf(name.slice(VAL.length))}` : this.nameOf(name);
    const head = [this.lab.t("watch-epoch"), ...names.map(title)]
      .map((text) => element("th", text, { scope: "col" }));
    const body = [...rows].sort(([a], [b]) => b - a).slice(0, 200).map(([x, of]) =>
      element("tr", "", {}, element("th", short(x), { scope: "row" }),
        ...names.map((name) => element("td", short(of[name])))));
    details.querySelector("div").replaceChildren(element("table", "", {},
      element("thead", "", {}, element("tr", "", {}, ...head)), element("tbody", "", {}, ...body)));
  }

  async act(action) {
    try {
      this.lab.say("");
      await this.lab.post(`/api/watch/run/${this.chosen}/${action}`, {});
      this.soon(0);
    } catch (error) {
      this.lab.say(error.message);
    }
  }

  pause() {
    this.act(this.runs.get(this.chosen).state.name === "paused" ? "go" : "pause");
  }

  // The first click asks, and the second one within four seconds stops the training.
  stop() {
    clearTimeout(this.calm);
    if (this.asked === this.chosen) {
      this.asked = null;
      this.act("stop");
    } else {
      this.asked = this.chosen;
      this.lab.announce(this.lab.t("watch-sure"));
      this.calm = setTimeout(() => {
        this.asked = null;
        if (!this.ended) this.drawOne();
      }, 4000);
    }
    this.drawOne();
  }
}

// Whether an element shows these values already; if not, it will.
function same(shown, values) {
  const { watched } = shown;
  shown.watched = values;
  return watched !== undefined && values.every((value, at) => value === watched[at]);
}

// Names and values, of which few change.
function showNumbers(list, numbers) {
  const items = list.children;
  if (items.length !== numbers.length) {
    list.replaceChildren(...numbers.map(() =>
      element("div", "", {}, element("dt"), element("dd"))));
  }
  numbers.forEach((texts, at) => texts.forEach((text, part) => {
    const shown = items[at].children[part];
    if (shown.textContent !== text) shown.textContent = text;
  }));
}

// Resolves when the page has been painted.
function painted() {
  if (document.hidden) return Promise.resolve();
  return new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
}

function last(run, name) {
  const points = run.series.get(name) ?? run.series.get(STEP + name);
  return points?.length ? short(points[points.length - 1][1]) : "—";
}

function time(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60), rest = String(Math.floor(seconds % 60)).padStart(2, "0");
  if (minutes < 60) return `${minutes}:${rest} min`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
}

// Bytes of a picture in grey or three colours, onto a canvas.
function paint(canvas, encoded, [height, width, channels = 1]) {
  const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d"), image = pen.createImageData(width, height);
  for (let at = 0; at < width * height; at++) {
    for (let c = 0; c < 3; c++) image.data[4 * at + c] = bytes[at * channels + (channels === 3 ? c : 0)];
    image.data[4 * at + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
}
