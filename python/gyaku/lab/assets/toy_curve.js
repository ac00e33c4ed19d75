import { ramp } from "./toy_colors.js";

// The curve of loss (logarithmic) or error (linear) over the steps, for training and test.
const MOST = 1000; // entries; beyond, every second one is left out

export function curve(canvas, lab) {
  const pen = canvas.getContext("2d");
  let entries = [], every = 1, skipped = 0, kind = "loss", colors = ramp(lab);

  function add(frame) {
    const last = entries.at(-1);
    if (last?.step > frame.step) clear();
    skipped += 1;
    if (last?.step === frame.step || skipped < every) return;
    skipped = 0;
    entries.push({ step: frame.step, loss: frame.loss, error: frame.error });
    if (entries.length > MOST) {
      entries = entries.filter((_, i) => i % 2 === 0);
      every *= 2;
    }
  }

  function scale() {
    const values = entries.flatMap((entry) => entry[kind]).filter((value) => value > 0);
    if (kind === "error") return { low: 0, high: Math.max(0.1, ...values), to: (v) => v };
    const least = Math.max(1e-8, values.reduce((a, b) => Math.min(a, b), 1));
    const most = values.reduce((a, b) => Math.max(a, b), least * 10);
    return { low: Math.floor(Math.log10(least)), high: Math.ceil(Math.log10(most)), to: Math.log10 };
  }

  function ticks({ low, high }) {
    if (kind === "error") return [0, high / 2, high].map((value) => [value, `${(100 * value).toFixed(0)} %`]);
    const stride = Math.ceil((high - low) / 4);
    const found = [];
    for (let power = low; power <= high; power += stride) {
      const value = 10 ** power;
      found.push([power, power < -3 || power > 4 ? `1e${power}` : String(Number(value.toPrecision(1)))]);
    }
    return found;
  }

  function draw() {
    const { width, height } = canvas, text = Math.round(height / 12);
    const box = { left: 3.6 * text, right: width - text, top: 1.9 * text, bottom: height - 1.5 * text };
    const axis = scale(), last = Math.max(1, entries.at(-1)?.step ?? 1);
    const x = (step) => box.left + step / last * (box.right - box.left);
    const y = (value) => box.bottom - (value - axis.low) / (axis.high - axis.low || 1) * (box.bottom - box.top);
    pen.clearRect(0, 0, width, height);
    pen.font = `${text}px system-ui, sans-serif`;
    pen.lineWidth = 1;
    pen.strokeStyle = colors.line;
    pen.fillStyle = colors.ink;
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (const [value, label] of ticks(axis)) {
      pen.beginPath();
      pen.moveTo(box.left, y(value));
      pen.lineTo(box.right, y(value));
      pen.stroke();
      pen.fillText(label, box.left - text / 2, y(value));
    }
    pen.fillText(`${last.toLocaleString(lab.lang)} ${lab.t("steps-axis")}`, box.right, height - 0.7 * text);
    pen.textAlign = "left";
    pen.fillText(lab.t(kind === "loss" ? "loss-axis" : "error-axis"), 0.2 * text, 0.8 * text);
    const lines = [
      [1, colors.dark[0], [text / 2, text / 3], lab.t("in-test")],
      [0, colors.ink, [], lab.t("in-training")],
    ];
    let right = width;
    for (const [which, color, dash, word] of lines) {
      right -= pen.measureText(word).width + 2.6 * text; // the legend, from the right
      line(which, x, y, axis, color, dash, word, right, text);
    }
  }

  function line(which, x, y, axis, color, dash, word, place, text) {
    pen.strokeStyle = pen.fillStyle = color;
    pen.lineWidth = text / 6;
    pen.setLineDash(dash);
    pen.beginPath();
    for (const entry of entries) {
      const value = entry[kind][which];
      if (!Number.isNaN(value)) {
        const height = axis.to(Math.max(value, kind === "loss" ? 1e-8 : 0));
        pen.lineTo(x(entry.step), y(Math.min(Math.max(height, axis.low), axis.high)));
      }
    }
    pen.moveTo(place, 0.8 * text);
    pen.lineTo(place + 1.4 * text, 0.8 * text);
    pen.stroke();
    pen.setLineDash([]);
    pen.fillText(word, place + 1.8 * text, 0.8 * text);
  }

  function clear() {
    entries = [];
    every = 1;
    skipped = 0;
  }

  return {
    add,
    draw,
    clear,
    recolor() {
      colors = ramp(lab);
      draw();
    },
    show(chosen) {
      kind = chosen;
      draw();
    },
  };
}
