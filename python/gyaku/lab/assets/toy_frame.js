// A picture from the engine: a head of 80 bytes, weights, output and units.
export const HEAD = 80;

export function decode(buffer) {
  const head = new DataView(buffer);
  if (head.getUint32(0) !== 0x67796b31) throw new Error("no picture"); // "gyk1"
  const whole = (place) => head.getUint32(place, true);
  const real = (index) => head.getFloat64(24 + 8 * index, true);
  const side = head.getUint16(12, true), unitSide = head.getUint16(14, true);
  const units = whole(16), weights = whole(20);
  const output = HEAD + 4 * weights;
  return {
    version: whole(4), number: whole(8), side, unitSide, units,
    step: real(0), epoch: real(1), speed: real(2),
    loss: [real(3), real(5)], error: [real(4), real(6)], // of training and test
    weights: new Float32Array(buffer, HEAD, weights),
    output: new Uint8Array(buffer, output, side * side),
    pictures: new Uint8Array(buffer, output + side * side, units * unitSide * unitSide),
  };
}

// Weights and biases of each layer: {weight: rows for each input, bias}.
export function layersOf(sizes, weights) {
  const found = [];
  let start = 0;
  for (let layer = 1; layer < sizes.length; layer += 1) {
    const [inputs, units] = [sizes[layer - 1], sizes[layer]];
    const weight = weights.subarray(start, start += inputs * units);
    found.push({ inputs, units, weight, bias: weights.subarray(start, start += units) });
  }
  return found;
}
