// A chart of curves on a canvas: axes, legend, and values at a place by mouse or arrow keys. It is
// drawn while it can be seen; as long as the axes stay, only what is new is drawn.

const MARGIN = { left: 78, right: 14, top: 14, bottom: 46 };
const HEIGHT = 320;
const FEW = 30; // points of a line up to which each has a dot

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
  if (size >= 1e5 || size < 1e-4) return Number(value.toPrecision(3)).toExponential();
  return String(Number(value.toPrecision(4)));
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
    this.cursor = document.createElement("span");
    this.cursor.className = "watch-cursor";
    this.cursor.hidden = true;
    const box = document.createElement("div");
    box.className = "watch-canvas";
    box.append(this.canvas, this.cursor);
    this.read = document.createElement("p");
    this.read.className = "watch-read";
    this.read.setAttribute("aria-live", "polite");
    this.root.append(this.title, this.legend, box, this.read);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerleave", () => this.moveTo(null));
    this.canvas.addEventListener("blur", () => this.moveTo(null));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.canvas);
    this.views = new IntersectionObserver((found) => {
      this.isSeen = found[found.length - 1].isIntersecting;
      this.draw();
    }, { rootMargin: "200px" });
    this.views.observe(this.root);
  }

  // lines: [{name, color, kind: "plain" | "thin" | "dashed", points: [[x, y], ...]}]; legend: the
  // same without points; epochs: those that there will be. Thin lines are within epochs: where an
  // epoch has one point, there is none.
  show(name, lines, legend, log, epochs) {
    this.name = name;
    this.epochs = epochs;
    this.lines = lines.filter(({ kind, points }) =>
      kind === "thin" ? points.some(([x], at) => at && near(points[at - 1][0], x)) : points.length);
    this.log = log && this.lines.every((line) => line.points.every(([, y]) => y > 0));
    if (this.title.textContent !== name) this.title.textContent = name;
    const kinds = new Set(this.lines.map((line) => line.kind));
    const shown = legend.filter((entry) => entry.always || kinds.has(entry.kind));
    const key = JSON.stringify(shown);
    if (key !== this.legendOf) this.legend.replaceChildren(...shown.map((each) => this.entry(each)));
    this.legendOf = key;
    this.draw();
    this.describe();
  }

  entry(line) {
    const item = document.createElement("li"), mark = document.createElement("span");
    mark.className = `watch-mark watch-${line.kind}`;
    mark.style.borderTopColor = line.color;
    item.append(mark, document.createTextNode(line.name));
    return item;
  }

  // Ends of the axes: round ones, so that they stay for a while.
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
    x0 = Math.max(0, Math.ceil(x0) - 1);
    const wide = above(x1 - x0 || 1, [1, 2, 3, 4, 5, 6, 8]);
    x1 = Math.max(x1, Math.min(x0 + wide, this.epochs), x0 + 1e-3);
    if (this.log) return [x0, x1, 1 / above(1.05 / y0, [1, 2, 5]), above(y1 * 1.05, [1, 2, 5])];
    const room = (y1 - y0) * 0.03 || Math.abs(y1) * 0.5 || 1;
    const step = above((y1 - y0 + 2 * room) / 5, [1, 2, 5]);
    const low = y0 < 0 ? y0 - room : Math.max(0, y0 - room);
    return [x0, x1, Math.floor(low / step) * step, Math.ceil((y1 + room) / step) * step];
  }

  draw() {
    const width = this.canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!this.isSeen || !width || !this.lines.length) return;
    const ends = this.range();
    const style = this.lines.map(({ color, kind, points }) => [color, kind, points.length <= FEW]);
    const { lang, theme } = this.lab;
    const key = JSON.stringify([width, ratio, ends, this.log, lang, theme, style]);
    const goesOn = key === this.drawn?.key && this.lines.every(({ points }, at) =>
      points === this.drawn.lines[at].points);
    const pen = this.canvas.getContext("2d");
    if (!goesOn) this.begin(pen, width, ratio, ends, key);
    this.lines.forEach((line, at) => this.curve(pen, line, this.drawn.lines[at]));
    this.moveCursor();
  }

  // Clear the canvas and draw the axes, in front of all curves.
  begin(pen, width, ratio, [x0, x1, y0, y1], key) {
    [this.canvas.width, this.canvas.height] = [width * ratio, HEIGHT * ratio].map(Math.round);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    const across = width - MARGIN.left - MARGIN.right, up = HEIGHT - MARGIN.top - MARGIN.bottom;
    const scale = this.log ? Math.log : (v) => v;
    this.placeX = (x) => MARGIN.left + ((x - x0) / (x1 - x0)) * across;
    this.placeY = (y) =>
      HEIGHT - MARGIN.bottom - ((scale(y) - scale(y0)) / (scale(y1) - scale(y0))) * up;
    this.valueX = (at) => x0 + ((at - MARGIN.left) / across) * (x1 - x0);
    this.axes(pen, width, [x0, x1, y0, y1]);
    const lines = this.lines.map(({ points }) => ({ points, count: 0, length: 0 }));
    this.drawn = { key, lines };
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

  // Draw the points of a line that are new.
  curve(pen, line, drawn) {
    const { points } = line;
    if (drawn.count === points.length) return;
    pen.strokeStyle = pen.fillStyle = line.color;
    pen.globalAlpha = line.kind === "thin" ? 0.5 : 1;
    pen.lineWidth = line.kind === "thin" ? 1.2 : 2.5;
    pen.setLineDash(line.kind === "dashed" ? [8, 5] : []);
    pen.lineDashOffset = drawn.length;
    pen.beginPath();
    let before = null;
    for (const [x, y] of points.slice(Math.max(0, drawn.count - 1))) {
      const at = [this.placeX(x), this.placeY(y)];
      const goes = before && (line.kind !== "thin" || near(before.x, x));
      pen[goes ? "lineTo" : "moveTo"](...at);
      if (goes) drawn.length += Math.hypot(at[0] - before.at[0], at[1] - before.at[1]);
      before = { x, at };
    }
    pen.stroke();
    if (line.kind !== "thin" && points.length <= FEW) {
      for (const [x, y] of points.slice(drawn.count)) {
        pen.beginPath();
        pen.arc(this.placeX(x), this.placeY(y), 3.5, 0, 2 * Math.PI);
        pen.fill();
      }
    }
    pen.setLineDash([]);
    pen.globalAlpha = 1;
    drawn.count = points.length;
  }

  moveCursor() {
    this.cursor.hidden = this.at === null;
    if (this.at !== null) this.cursor.style.left = `${this.placeX(this.at)}px`;
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
    if (this.drawn) this.moveCursor();
    this.describe();
  }

  describe() {
    const values = [];
    for (const line of this.lines) {
      const found = nearest(line.points, this.at ?? Infinity);
      if (found) values.push(`${line.name} ${short(found[1])}`);
    }
    const places = this.places(), x = this.at ?? places[places.length - 1];
    const text = this.lab.t("watch-at", { x: short(x), values: values.join("; ") });
    this.canvas.setAttribute(
      "aria-label", this.lab.t("watch-chart", { name: this.name, readout: text }));
    const shown = this.at === null ? "" : text;
    if (this.read.textContent !== shown) this.read.textContent = shown;
  }

  close() {
    this.sizes.disconnect();
    this.views.disconnect();
  }
}

// The smallest product of a power of ten and one of these numbers that is not below a value.
function above(value, numbers) {
  const size = 10 ** Math.floor(Math.log10(value) + 1e-9);
  return size * (numbers.find((number) => number * size >= value * (1 - 1e-9)) ?? 10);
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
