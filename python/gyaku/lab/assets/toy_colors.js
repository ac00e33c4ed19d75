// Colours of values: from class 0 (or negative) through the paper to class 1 (or positive).
function parts(lab, name) {
  const hex = lab.color(name);
  return [1, 3, 5].map((place) => parseInt(hex.slice(place, place + 2), 16));
}

const mixed = (a, b, share) => a.map((value, i) => Math.round(value + (b[i] - value) * share));
const css = (color) => `rgb(${color.join(" ")})`;

export function ramp(lab) {
  const paper = parts(lab, "--paper");
  const ends = [parts(lab, "--accent-2"), parts(lab, "--accent")];
  const table = new Uint32Array(256);
  for (let value = 0; value < 256; value += 1) {
    const signed = (value - 127.5) / 127.5;
    const [red, green, blue] = mixed(paper, ends[signed > 0 ? 1 : 0], 0.6 * Math.abs(signed));
    table[value] = 0xff000000 | blue << 16 | green << 8 | red; // every browser's machine is little-endian
  }
  return {
    table,
    paper: css(paper),
    ink: lab.color("--ink"),
    quiet: lab.color("--quiet"),
    line: lab.color("--line"),
    dark: ends.map(css),
  };
}

// Draw bytes as a picture of side × side cells into a box of the canvas.
export function scaled(pen, cells, bytes, side, table, [left, top, width, height]) {
  if (cells.width !== side) cells.width = cells.height = side;
  const own = cells.getContext("2d");
  const image = own.createImageData(side, side);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i += 1) pixels[i] = table[bytes[i]];
  own.putImageData(image, 0, 0);
  pen.drawImage(cells, left, top, width, height);
}
