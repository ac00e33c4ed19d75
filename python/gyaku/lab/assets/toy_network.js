// The network: units as little pictures of their outputs, weights as lines.
import { ramp, scaled } from "./toy_colors.js";
import { layersOf } from "./toy_frame.js";

const WIDEST = 9; // of a line, at the width of a unit / 44

export function network(canvas, lab) {
  const pen = canvas.getContext("2d"), cells = document.createElement("canvas");
  let colors = ramp(lab), sizes = [2, 1], labels = [], frame = null;

  // The columns of the canvas are those of the buttons above it.
  function places() {
    const most = Math.max(...sizes, 4), column = canvas.width / sizes.length;
    const size = Math.min(0.48 * column, 0.8 * canvas.height / most);
    const at = (layer, unit) => [
      (layer + 0.5) * column,
      canvas.height * (unit + 0.5 + (most - sizes[layer]) / 2) / most,
    ];
    const wide = Math.min(1.6 * size, Math.max(size, 0.75 * column)); // of an input, for its name
    return { size, wide, at };
  }

  function lines({ at, size, wide }) {
    const layers = layersOf(sizes, frame.weights);
    layers.forEach(({ inputs, units, weight }, layer) => {
      // The widest line of a layer is its largest weight; below a fiftieth there is none.
      const most = weight.reduce((best, value) => Math.max(best, Math.abs(value)), 1);
      for (const sign of [1, 0]) {
        pen.strokeStyle = colors.dark[sign];
        pen.setLineDash(sign ? [] : [size / 6, size / 9]);
        for (let input = 0; input < inputs; input += 1) {
          for (let unit = 0; unit < units; unit += 1) {
            const value = weight[input * units + unit];
            if (value > 0 !== Boolean(sign) || Math.abs(value) < most / 50) continue;
            const [from, y] = at(layer, input), [to, bottom] = at(layer + 1, unit);
            pen.lineWidth = Math.max(0.6, WIDEST * size / 44 * Math.abs(value) / most);
            pen.beginPath();
            pen.moveTo(from + (layer ? size : wide) / 2, y);
            pen.lineTo(to - size / 2, bottom);
            pen.stroke();
          }
        }
      }
    });
    pen.setLineDash([]);
  }

  function box(x, y, width, size) {
    pen.fillStyle = colors.paper;
    pen.strokeStyle = colors.ink;
    pen.lineWidth = Math.max(1, size / 22);
    pen.fillRect(x - width / 2, y - size / 2, width, size);
    pen.strokeRect(x - width / 2, y - size / 2, width, size);
  }

  function draw(next = frame) {
    frame = next;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const expected = layersOf(sizes, new Float32Array(0)).reduce((sum, l) => sum + (l.inputs + 1) * l.units, 0);
    if (!frame || frame.weights.length !== expected) return;
    const { at, size, wide } = places();
    lines({ at, size, wide });
    const area = frame.unitSide ** 2;
    let picture = 0;
    sizes.forEach((count, layer) => {
      const isHidden = layer > 0 && layer < sizes.length - 1;
      for (let unit = 0; unit < count; unit += 1) {
        const [x, y] = at(layer, unit), inner = [x - size / 2, y - size / 2, size, size];
        box(x, y, layer ? size : wide, size);
        if (isHidden) {
          const bytes = frame.pictures.subarray(picture * area, picture * area + area);
          scaled(pen, cells, bytes, frame.unitSide, colors.table, inner);
          picture += 1;
          pen.strokeRect(...inner);
        } else if (layer) {
          scaled(pen, cells, frame.output, frame.side, colors.table, inner);
          pen.strokeRect(...inner);
        } else {
          const label = labels[unit];
          pen.fillStyle = colors.ink;
          pen.textAlign = "center";
          pen.textBaseline = "middle";
          pen.font = `${Math.min(size / 2.4, 1.6 * wide / label.length)}px system-ui, sans-serif`;
          pen.fillText(label, x, y);
        }
      }
    });
  }

  return {
    draw,
    set(layers, inputs) {
      sizes = layers;
      labels = inputs;
    },
    recolor() {
      colors = ramp(lab);
      draw();
    },
  };
}
