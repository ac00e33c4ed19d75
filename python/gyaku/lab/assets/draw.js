// The page on which a digit is drawn: strokes, what the model answers, and why.
import { board } from "./draw_board.js";
import { paintPicture, paintTiles, tileAt } from "./draw_pixels.js";

const LOOK = `
<div class="row draw-models">
  <label><span data-t="model"></span> <select id="draw-model"></select></label>
  <label class="button"><span data-t="own"></span>
    <input type="file" id="draw-file" class="unseen" accept=".safetensors"></label>
  <label id="draw-scale" hidden><span data-t="pixels"></span>
    <select id="draw-pixels">
      <option value="unit" data-t="pixels-unit"></option>
      <option value="bytes" data-t="pixels-bytes"></option>
    </select></label>
</div>
<div class="draw">
  <section>
    <h2 data-t="title"></h2>
    <div id="draw-board"></div>
    <div class="row">
      <button type="button" id="draw-clear" class="main" data-t="clear"></button>
      <button type="button" id="draw-undo" data-t="undo"></button>
    </div>
    <p id="draw-hint" class="quiet" data-t="hint"></p>
  </section>
  <section>
    <div id="draw-answer"><strong></strong> <span></span></div>
    <table id="draw-bars"><caption class="unseen" data-t="bars"></caption><tbody></tbody></table>
  </section>
  <section>
    <h3 data-t="input"></h3>
    <canvas id="draw-picture" role="img" width="224" height="224"></canvas>
    <label><span data-t="decide"></span>
      <select id="draw-why">
        <option value="none" data-t="decide-none"></option>
        <option value="gradient" data-t="decide-gradient"></option>
        <option value="occlusion" data-t="decide-occlusion"></option>
      </select></label>
    <p id="draw-legend" class="quiet" hidden><span class="for"></span> <span class="against"></span>
      <span class="about"></span></p>
  </section>
</div>
<section class="draw-layers">
  <div class="row"><h3 data-t="layers"></h3>
    <button type="button" id="draw-look" aria-pressed="false" data-t="layers-show"></button></div>
  <p id="draw-layers-hint" class="quiet" data-t="layers-hint" hidden></p>
  <div id="draw-layers"></div>
</section>`;

export function mount(root, lab) {
  root.innerHTML = LOOK;
  const find = (name) => root.querySelector(`#draw-${name}`);
  const models = new Map();
  let model = ""; // the chosen one
  let answer = null; // of the model, for what is drawn
  let reasons = null; // which pixels decide
  let busy = false;
  let oldest; // time of the first movement that is not answered yet
  let wanted = false;
  const cards = new Map(); // of the layers

  const canvas = board(find("board"), lab, {
    moved(time) {
      oldest ??= time;
      read();
    },
    ended: explain,
  });

  const percent = (share) =>
    (share > 0.9995 && share < 1 ? "> 99.9" : (100 * share).toFixed(1)) + " %";

  function options() {
    const known = models.get(model);
    return `model=${encodeURIComponent(model)}&pixels=${known?.unscaled ? find("pixels").value : "own"}`;
  }

  async function read() {
    wanted = true;
    if (busy || !model) return;
    busy = true;
    while (wanted) {
      wanted = false;
      const since = oldest;
      oldest = undefined;
      try {
        answer = await lab.post(`/api/draw/read?${options()}`, canvas.bytes());
        lab.say("");
        reasons = null;
        show();
        if (since !== undefined)
          performance.measure("stroke", { start: since, end: performance.now() });
      } catch (error) {
        lab.say(error.message);
      }
    }
    busy = false;
    if (!canvas.drawing()) explain();
  }

  // Behind a stroke: what takes longer than bars may.
  async function explain() {
    if (busy || canvas.drawing()) return;
    if (answer?.probabilities) {
      const [label] = ranked();
      lab.announce(lab.t("said", { label, percent: percent(answer.probabilities[order()[0]]) }));
    }
    await Promise.all([why(), look()]).catch((error) => lab.say(error.message));
  }

  const order = () => answer.probabilities.map((_, i) => i)
    .sort((a, b) => answer.probabilities[b] - answer.probabilities[a]);
  const ranked = () => order().map((i) => models.get(model).classes[i]);

  function show() {
    const [large, small] = find("answer").children;
    const read = answer?.probabilities;
    const classes = models.get(model)?.classes ?? [];
    const rows = find("bars").tBodies[0].rows;
    for (let i = 0; i < rows.length; i++) {
      const share = read ? read[i] : 0;
      rows[i].cells[1].firstChild.style.width = `${100 * share}%`;
      rows[i].cells[2].textContent = read ? percent(share) : "";
      rows[i].classList.toggle("best", Boolean(read) && share === Math.max(...read));
    }
    if (!read) {
      large.textContent = "";
      small.textContent = lab.t("empty");
    } else if (answer.doubt) {
      const [first, second] = ranked();
      large.textContent = "?";
      small.textContent = lab.t("doubt", { first, second });
    } else {
      large.textContent = classes[order()[0]];
      small.textContent = lab.t("answer", { percent: percent(Math.max(...read)) });
    }
    picture();
  }

  function picture() {
    const side = models.get(model)?.side ?? 28;
    const label = reasons ? models.get(model).classes[reasons.label] : "";
    const shown = find("picture");
    paintPicture(shown, side, answer?.picture, reasons?.values, lab);
    shown.setAttribute("aria-label", reasons ? lab.t("decided", { label }) : lab.t("picture", { side }));
    const legend = find("legend");
    legend.hidden = !reasons;
    if (!reasons) return;
    const [pro, con, about] = legend.children;
    pro.textContent = lab.t("for", { label });
    con.textContent = lab.t("against", { label });
    about.textContent = lab.t(`about-${reasons.by}`, { label, window: reasons.window });
  }

  async function why() {
    const by = find("why").value;
    const asked = answer;
    const found = by === "none" || !answer?.probabilities ? null
      : await lab.post(`/api/draw/why?by=${by}&${options()}`, canvas.bytes());
    if (answer !== asked) return; // the drawing has changed meanwhile
    reasons = found;
    picture();
  }

  async function look() {
    const isOn = find("look").getAttribute("aria-pressed") === "true";
    find("layers").hidden = !isOn;
    find("layers-hint").hidden = !isOn;
    if (!isOn) return;
    const asked = answer;
    const layers = answer?.probabilities
      ? (await lab.post(`/api/draw/maps?${options()}`, canvas.bytes())).layers : [];
    if (answer !== asked) return;
    if (layers.map((each) => each.name).join() !== [...cards.keys()].join()) rebuild(layers);
    for (const layer of layers) cards.get(layer.name).show(layer);
  }

  function rebuild(layers) {
    cards.clear();
    find("layers").replaceChildren();
    for (const layer of layers) cards.set(layer.name, card(layer));
  }

  // The card of a layer: its maps, and the filter behind the chosen one.
  function card(layer) {
    const box = document.createElement("article");
    box.className = "card";
    box.innerHTML = `<h4></h4><p class="quiet"></p><canvas class="maps" role="img"></canvas>
      <div class="filter" hidden><label><span></span> <input type="range" min="1" value="1">
      <output></output></label><canvas role="img"></canvas></div>`;
    find("layers").append(box);
    const [title, size, maps, filter] = box.children;
    const slider = filter.querySelector("input");
    const picked = filter.querySelector("canvas");
    let last = layer;
    let kernels = null;
    slider.max = Math.max(1, Math.min(layer.channels, layer.shown));

    function words() {
      title.textContent = `${last.name}: ${last.kind}`;
      const { channels: count, height, width } = last;
      size.textContent = lab.t(height ? "maps" : "units", { count, height, width })
        + (last.shown < count ? `, ${lab.t("first", { count: last.shown })}` : "");
      maps.setAttribute("aria-label", `${last.name}: ${size.textContent}`);
      filter.querySelector("span").textContent = lab.t(height ? "filter" : "unit");
      slider.nextElementSibling.textContent = slider.value;
      if (!kernels) return;
      picked.setAttribute("aria-label", lab.t(height ? "filter-shown" : "unit-shown", {
        number: slider.value, name: last.name, count: kernels.count,
        height: kernels.height, width: kernels.width }));
    }

    function paint() {
      paintTiles(maps, last, lab, filter.hidden ? -1 : Number(slider.value) - 1);
      if (kernels) paintTiles(picked, kernels, lab, -1);
      words();
    }

    async function pick() {
      const number = Number(slider.value) - 1;
      paint();
      try {
        const path = `/api/draw/filter?${options()}&layer=${encodeURIComponent(last.name)}`;
        const found = await lab.get(`${path}&number=${number}`);
        if (number !== Number(slider.value) - 1) return;
        kernels = found;
        paint();
      } catch (error) {
        lab.say(error.message);
      }
    }

    slider.addEventListener("input", pick);
    maps.addEventListener("click", (event) => {
      const tile = tileAt(maps, last, event);
      if (filter.hidden || tile < 0) return;
      slider.value = tile + 1;
      pick();
    });
    filter.hidden = !layer.filters;
    if (layer.filters) pick();
    return {
      paint,
      show(found) {
        last = found;
        paint();
      },
    };
  }

  function choose(name) {
    model = name;
    const known = models.get(name);
    find("model").value = name;
    find("scale").hidden = !known.unscaled;
    rebuild([]);
    answer = reasons = null;
    const body = find("bars").tBodies[0];
    body.replaceChildren();
    for (const label of known.classes) {
      const row = body.insertRow();
      const head = document.createElement("th");
      head.scope = "row";
      head.textContent = label;
      row.append(head);
      const bar = document.createElement("div");
      row.insertCell().append(bar);
      row.insertCell();
    }
    find("bars").classList.toggle("many", known.classes.length > 12);
    show();
    read();
  }

  function add(known) {
    models.set(known.id, known);
    const option = document.createElement("option");
    option.value = known.id;
    option.textContent = known.title;
    find("model").append(option);
  }

  async function upload() {
    const [file] = find("file").files;
    if (!file) return;
    lab.announce(lab.t("loading", { name: file.name }));
    try {
      const path = `/api/draw/upload?title=${encodeURIComponent(file.name.slice(0, 80))}`;
      const known = await lab.post(path, file);
      lab.say("");
      add(known);
      choose(known.id);
      lab.announce(lab.t("loaded", { name: file.name }));
    } catch (error) {
      lab.say(error.message);
    }
    find("file").value = "";
  }

  function repaint() {
    canvas.paint();
    show();
    for (const each of cards.values()) each.paint();
  }

  find("clear").addEventListener("click", () => canvas.clear());
  find("undo").addEventListener("click", () => canvas.undo());
  find("model").addEventListener("change", () => choose(find("model").value));
  find("pixels").addEventListener("change", read);
  find("file").addEventListener("change", upload);
  find("why").addEventListener("change", explain);
  find("look").addEventListener("click", () => {
    const isOn = find("look").getAttribute("aria-pressed") === "true";
    find("look").setAttribute("aria-pressed", String(!isOn));
    explain();
  });
  lab.onlanguage(repaint);
  lab.ontheme(repaint);
  show();
  lab.get("/api/draw/models").then((listed) => {
    for (const known of listed) add(known);
    choose(listed[0].id);
  }).catch((error) => lab.say(error.message));
  return () => canvas.end();
}
