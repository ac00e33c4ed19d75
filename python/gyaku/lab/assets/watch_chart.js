// A chart of curves on a canvas: axes, legend, and values at a place by mouse or arrow keys.

const MARGIN = { left: 78, right: 14, top: 14, bottom: 46 };
const HEIGHT = 320;

// Round values within a range: 1, 2 or 5 times a power of ten, or powers of ten on a log scale.
export function ticks(low, high, log) {
  if (log) {
    const first = Math.floor(Math.log10(low)), last = Math.ceil(Math.log10(high));
    const every = Math.max(1, Math.floor((last - first) / 6)), found = [];
    for (let p = first; p <= last; p += every) found.push(Number(`1e${p}`));
    const inside = found.filter((v) => v >= low && v <= high);
    if (inside.length > 1) return inside;
    const fine = [];
    for (let p = first; p <= last; p++) for (const m of [1, 2, 5]) fine.push(Number(`${m}e${p}`));
    return fine.filter((v) => v >= low && v <= high);
  }
  const rough = (high - low) / 5, size = 10 ** Math.floor(Math.log10(rough));
  const step = size * [1, 2, 5, 10].find((f) => size * f >= rough * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) {
    found.push(Number((k * step).toPrecision(12)));
  }
  return found;
}

export function short(value) {
  if (value === null || value === undefined) return "—";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : String(Number(value.toPrecision(4)));
}

export class Chart {
  // name: what is shown, in the page's language; readouts go to `read`, a live region.
  constructor(lab, name) {
    this.lab = lab;
    this.name = name;
    this.lines = [];
    this.at = null;
    this.root = document.createElement("figure");
    this.root.className = "watch-chart";
    this.title = document.createElement("figcaption");
    this.legend = document.createElement("ul");
    this.canvas = document.createElement("canvas");
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "img");
    this.read = document.createElement("p");
    this.read.className = "watch-read";
    this.read.setAttribute("aria-live", "polite");
    this.root.append(this.title, this.legend, this.canvas, this.read);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.moveTo(null));
    this.canvas.addEventListener("blur", () => this.moveTo(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.root);
  }

  // lines: [{name, color, kind: "plain" | "thin" | "dashed", points: [[x, y], ...]}]; legend: the
  // same without points. Thin lines are within epochs: where an epoch has one point, there is none.
  show(name, lines, legend, log) {
    this.name = name;
    this.lines = lines.filter(({ kind, points }) =>
      kind === "thin" ? points.some(([x], at) => at && near(points[at - 1][0], x)) : points.length);
    this.log = log && this.lines.every((line) => line.points.every(([, y]) => y > 0));
    this.title.textContent = name;
    const kinds = new Set(this.lines.map((line) => line.kind));
    const shown = legend.filter((entry) => entry.always || kinds.has(entry.kind));
    this.legend.replaceChildren(...shown.map((entry) => this.entry(entry)));
    this.draw();
  }

  entry(line) {
    const item = document.createElement("li"), mark = document.createElement("span");
    mark.className = `watch-mark watch-${line.kind}`;
    mark.style.borderTopColor = line.color;
    item.append(mark, document.createTextNode(line.name));
    return item;
  }

  range() {
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const { points } of this.lines) {
      for (const [x, y] of points) {
        if (x < x0) x0 = x;
        if (x > x1) x1 = x;
        if (y < y0) y0 = y;
        if (y > y1) y1 = y;
      }
    }
    if (x1 - x0 <= 0) [x0, x1] = [x0 - 0.5, x1 + 0.5];
    if (this.log) return [x0, x1, y0 / 1.1, y1 * 1.1];
    const room = (y1 - y0) * 0.05 || Math.abs(y1) * 0.5 || 1;
    return [x0, x1, y0 - room, y1 + room];
  }

  draw() {
    const width = this.canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width || !this.lines.length) return;
    const [w, h] = [Math.round(width * ratio), Math.round(HEIGHT * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      [this.canvas.width, this.canvas.height] = [w, h];
    }
    const pen = this.canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    const [x0, x1, y0, y1] = this.range();
    const across = width - MARGIN.left - MARGIN.right, up = HEIGHT - MARGIN.top - MARGIN.bottom;
    const scale = this.log ? Math.log : (v) => v;
    this.placeX = (x) => MARGIN.left + ((x - x0) / (x1 - x0)) * across;
    this.placeY = (y) =>
      HEIGHT - MARGIN.bottom - ((scale(y) - scale(y0)) / (scale(y1) - scale(y0))) * up;
    this.valueX = (at) => x0 + ((at - MARGIN.left) / across) * (x1 - x0);
    this.axes(pen, width, [x0, x1, y0, y1]);
    for (const line of this.lines) this.curve(pen, line);
    if (this.at !== null) this.cursor(pen);
    this.describe();
  }

  axes(pen, width, [x0, x1, y0, y1]) {
    const ink = this.lab.color("--ink"), grid = this.lab.color("--line");
    pen.font = "15px system-ui, sans-serif";
    pen.fillStyle = ink;
    pen.lineWidth = 1;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const value of ticks(y0, y1, this.log)) {
      const y = this.placeY(value);
      pen.strokeStyle = grid;
      pen.beginPath();
      pen.moveTo(MARGIN.left, y);
      pen.lineTo(width - MARGIN.right, y);
      pen.stroke();
      pen.fillText(short(value), MARGIN.left - 8, y);
    }
    const bottom = HEIGHT - MARGIN.bottom;
    pen.strokeStyle = ink;
    pen.beginPath();
    pen.moveTo(MARGIN.left, bottom);
    pen.lineTo(width - MARGIN.right, bottom);
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const value of ticks(x0, x1, false)) {
      const x = this.placeX(value);
      pen.moveTo(x, bottom);
      pen.lineTo(x, bottom + 5);
      pen.fillText(short(value), x, bottom + 8);
    }
    pen.stroke();
    pen.fillText(this.lab.t("watch-epoch"), (MARGIN.left + width - MARGIN.right) / 2, HEIGHT - 18);
  }

  curve(pen, line) {
    pen.strokeStyle = pen.fillStyle = line.color;
    pen.globalAlpha = line.kind === "thin" ? 0.5 : 1;
    pen.lineWidth = line.kind === "thin" ? 1.2 : 2.5;
    pen.setLineDash(line.kind === "dashed" ? [8, 5] : []);
    pen.beginPath();
    let before = -Infinity;
    for (const [x, y] of line.points) {
      const goes = line.kind !== "thin" || near(before, x);
      pen[goes ? "lineTo" : "moveTo"](this.placeX(x), this.placeY(y));
      before = x;
    }
    pen.stroke();
    if (line.kind !== "thin" && line.points.length <= 30) {
      for (const [x, y] of line.points) {
        pen.beginPath();
        pen.arc(this.placeX(x), this.placeY(y), 3.5, 0, 2 * Math.PI);
        pen.fill();
      }
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  cursor(pen) {
    const x = this.placeX(this.at);
    pen.strokeStyle = this.lab.color("--quiet");
    pen.beginPath();
    pen.moveTo(x, MARGIN.top);
    pen.lineTo(x, HEIGHT - MARGIN.bottom);
    pen.stroke();
  }

  // All places of points, in order.
  places() {
    const all = new Set();
    for (const { points, kind } of this.lines) {
      if (kind !== "thin" || this.lines.every((line) => line.kind === "thin")) {
        for (const [x] of points) all.add(x);
      }
    }
    return [...all].sort((a, b) => a - b);
  }

  point(event) {
    if (!this.valueX) return;
    const wanted = this.valueX(event.offsetX), places = this.places();
    let best = places[0];
    for (const x of places) if (Math.abs(x - wanted) < Math.abs(best - wanted)) best = x;
    this.moveTo(best ?? null);
  }

  key(event) {
    const places = this.places(), last = places.length - 1;
    if (last < 0) return;
    const here = this.at === null ? -1 : places.findIndex((x) => x >= this.at);
    const steps = {
      ArrowRight: Math.min(here + 1, last),
      ArrowLeft: here < 0 ? last : Math.max(here - 1, 0),
      Home: 0,
      End: last,
    };
    if (!(event.key in steps)) return;
    event.preventDefault();
    this.moveTo(places[steps[event.key]]);
  }

  moveTo(x) {
    if (x === this.at) return;
    this.at = x;
    this.draw();
  }

  describe() {
    const values = [];
    for (const line of this.lines) {
      const found = nearest(line.points, this.at ?? Infinity);
      if (found) values.push(`${line.name} ${short(found[1])}`);
    }
    const places = this.places(), x = this.at ?? places[places.length - 1];
    const text = this.lab.t("watch-at", { x: short(x), values: values.join(", ") });
    this.canvas.setAttribute(
      "aria-label", this.lab.t("watch-chart", { name: this.name, readout: text }));
    const shown = this.at === null ? "" : text;
    if (this.read.textContent !== shown) this.read.textContent = shown;
  }

  close() {
    this.observer.disconnect();
  }
}

// Whether two points within epochs belong to one line.
function near(before, x) {
  return x - before <= 1;
}

// The last point that is not behind x.
function nearest(points, x) {
  let low = 0, high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle][0] <= x) low = middle + 1;
    else high = middle;
  }
  return points[low - 1] ?? points[0];
}
