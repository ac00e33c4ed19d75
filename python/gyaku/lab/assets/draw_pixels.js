// Pictures of numbers: the input of the network, maps and filters as tiles.
const GAP = 2; // between tiles, in pixels of the screen

function rgb(text) {
  const digits = text.replace("#", "");
  return [0, 2, 4].map((i) => parseInt(digits.slice(i, i + 2), 16));
}

const tables = new Map(); // of colours, for those of a theme

// Colours of -1 to 1 in steps of 1/255: from paper to ink, or to one of two colours of the sign.
function colours(lab, isSigned) {
  const names = isSigned ? ["--paper", "--accent", "--accent-2"] : ["--paper", "--ink", "--ink"];
  const texts = names.map((name) => lab.color(name));
  const key = texts.join();
  if (!tables.has(key)) {
    const [paper, pro, con] = texts.map(rgb);
    const bytes = new Uint8ClampedArray(4 * 511);
    for (let i = 0; i < 511; i++) {
      const full = i < 255 ? con : pro;
      const share = Math.abs(i - 255) / 255;
      bytes.set([...paper.map((each, c) => each + (full[c] - each) * share), 255], 4 * i);
    }
    tables.set(key, new Uint32Array(bytes.buffer));
  }
  return tables.get(key);
}

function small(values, height, width, table) {
  const made = Object.assign(document.createElement("canvas"), { width, height });
  const image = new ImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[255 + Math.round(255 * values[i])];
  made.getContext("2d").putImageData(image, 0, 0);
  return made;
}

// The picture, and in colours which of its pixels decide.
export function paintPicture(canvas, side, picture, reasons, lab) {
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  const values = picture ? picture.map((each) => each / 255) : new Float32Array(side * side);
  const made = small(values, side, side, colours(lab, false));
  context.drawImage(made, 0, 0, canvas.width, canvas.height);
  if (!reasons) return;
  context.drawImage(small(reasons, side, side, colours(lab, true)), 0, 0, canvas.width, canvas.height);
  outline(context, values, side, canvas.width / side, lab.color("--ink"));
}

// The edge of the ink.
function outline(context, values, side, scale, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.beginPath();
  const has = (x, y) => x >= 0 && y >= 0 && x < side && y < side && values[y * side + x] > 0.4;
  for (let y = 0; y <= side; y++) {
    for (let x = 0; x <= side; x++) {
      if (has(x, y) !== has(x - 1, y)) {
        context.moveTo(x * scale, y * scale);
        context.lineTo(x * scale, (y + 1) * scale);
      }
      if (has(x, y) !== has(x, y - 1)) {
        context.moveTo(x * scale, y * scale);
        context.lineTo((x + 1) * scale, y * scale);
      }
    }
  }
  context.stroke();
}

// Rows and columns of tiles, and their size on the screen.
function layout(canvas, content) {
  const height = content.height || 1;
  const width = content.width || 1;
  const count = content.shown ?? content.count;
  const room = canvas.parentElement.clientWidth || 600;
  let scale = height === 1 ? 18 : Math.max(1, Math.min(12, Math.round(72 / Math.max(height, width))));
  if (count === 1 && height > 1) scale *= 2;
  scale = Math.max(1, Math.min(scale, Math.floor((room - 2 * GAP) / width)));
  const columns = Math.max(1, Math.min(count, Math.floor(room / (width * scale + GAP))));
  return { height, width, count, scale, columns, rows: Math.ceil(count / columns) };
}

export function paintTiles(canvas, content, lab, chosen) {
  const { height, width, count, scale, columns, rows } = layout(canvas, content);
  canvas.width = columns * (width * scale + GAP) + GAP;
  canvas.height = rows * (height * scale + GAP) + GAP;
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.fillStyle = lab.color("--line");
  const bytes = Uint8Array.from(atob(content.values), (each) => each.charCodeAt(0));
  const values = Float32Array.from(bytes, (each) => Math.max(-1, (each - 128) / 127));
  const table = colours(lab, true);
  for (let i = 0; i < count; i++) {
    const [x, y] = corner(i, { height, width, scale, columns });
    const part = values.subarray(i * height * width, (i + 1) * height * width);
    const [wide, high] = [width * scale, height * scale];
    context.fillRect(x - GAP, y - GAP, wide + 2 * GAP, high + 2 * GAP);
    context.drawImage(small(part, height, width, table), x, y, wide, high);
  }
  if (chosen >= 0 && chosen < count) {
    const [x, y] = corner(chosen, { height, width, scale, columns });
    context.strokeStyle = lab.color("--accent-2");
    context.lineWidth = 3;
    context.strokeRect(x - 0.5, y - 0.5, width * scale + 1, height * scale + 1);
  }
}

function corner(i, { height, width, scale, columns }) {
  return [GAP + (i % columns) * (width * scale + GAP), GAP + Math.floor(i / columns) * (height * scale + GAP)];
}

// The tile below the pointer, -1 if there is none.
export function tileAt(canvas, content, event) {
  const { height, width, count, scale, columns } = layout(canvas, content);
  const box = canvas.getBoundingClientRect();
  const x = (event.clientX - box.left) * canvas.width / box.width - GAP;
  const y = (event.clientY - box.top) * canvas.height / box.height - GAP;
  const column = Math.floor(x / (width * scale + GAP));
  const number = Math.floor(y / (height * scale + GAP)) * columns + column;
  return column >= 0 && column < columns && number >= 0 && number < count ? number : -1;
}
