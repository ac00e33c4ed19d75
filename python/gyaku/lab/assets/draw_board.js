// The drawing board: strokes by mouse, finger, pen or keys, and their small picture.
const SIDE = 112; // of the picture that is sent
const PEN = 0.075; // width of a stroke, relative to the board
const STEP = 1 / 28; // of an arrow key
// Movements as they come, where the browser has them, rather than one a frame.
const MOVE = "onpointerrawupdate" in window ? "pointerrawupdate" : "pointermove";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function board(root, lab, { moved, ended }) {
  root.innerHTML = `<canvas id="draw-canvas" tabindex="0" role="application"
    data-t-label="board" aria-describedby="draw-hint"></canvas><canvas aria-hidden="true"></canvas>`;
  const [large, above] = root.children;
  const small = Object.assign(document.createElement("canvas"), { width: SIDE, height: SIDE });
  const ink = small.getContext("2d", { willReadFrequently: true });
  let strokes = [];
  let pointer = null; // that draws
  let pen = [0.5, 0.25]; // of the keyboard
  let isDown = false;
  let colour = "";

  function line(context, side, from, to) {
    context.lineWidth = PEN * side;
    context.lineCap = context.lineJoin = "round";
    context.beginPath();
    context.moveTo(from[0] * side, from[1] * side);
    context.lineTo(to[0] * side, to[1] * side);
    context.stroke();
  }

  function draw(from, to) {
    const context = large.getContext("2d");
    context.strokeStyle = colour;
    line(context, large.width, from, to);
    ink.strokeStyle = "#fff";
    line(ink, SIDE, from, to);
  }

  function paint() {
    const side = Math.round(large.clientWidth * devicePixelRatio) || 448;
    large.width = large.height = above.width = above.height = side;
    ink.clearRect(0, 0, SIDE, SIDE);
    colour = lab.color("--ink");
    for (const stroke of strokes)
      stroke.forEach((point, i) => draw(stroke[Math.max(0, i - 1)], point));
    mark();
  }

  // A ring shows the pen of the keyboard, filled while it is down.
  function mark() {
    const context = above.getContext("2d");
    const side = above.width;
    context.clearRect(0, 0, side, side);
    if (document.activeElement !== large || pointer !== null) return;
    context.strokeStyle = context.fillStyle = lab.color("--accent-2");
    context.lineWidth = 0.008 * side;
    context.beginPath();
    context.arc(pen[0] * side, pen[1] * side, 0.03 * side, 0, 2 * Math.PI);
    context.stroke();
    if (isDown) context.fill();
  }

  function extend(point, time) {
    const stroke = strokes.at(-1);
    const from = stroke.at(-1) ?? point;
    stroke.push(point);
    draw(from, point);
    moved(time);
  }

  function place(event) {
    const box = large.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  large.addEventListener("pointerdown", (event) => {
    if (pointer !== null || event.button !== 0) return;
    pointer = event.pointerId;
    isDown = false;
    large.setPointerCapture(pointer);
    performance.clearMeasures("stroke");
    strokes.push([]);
    extend(place(event), event.timeStamp);
    mark();
  });
  large.addEventListener(MOVE, (event) => {
    if (event.pointerId !== pointer) return;
    const all = event.getCoalescedEvents?.() ?? [];
    for (const each of all.length ? all : [event]) extend(place(each), event.timeStamp);
  });
  for (const kind of ["pointerup", "pointercancel"])
    large.addEventListener(kind, (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      ended();
    });

  function lift() {
    if (!isDown) return;
    isDown = false;
    ended();
  }

  large.addEventListener("keydown", (event) => {
    const way = ARROWS[event.key];
    if (way) {
      pen = pen.map((x, i) => Math.min(0.95, Math.max(0.05, x + STEP * way[i])));
      if (isDown) extend(pen, event.timeStamp);
    } else if (event.key === " ") {
      if (isDown) lift();
      else {
        isDown = true;
        strokes.push([]);
        extend(pen, event.timeStamp);
      }
      lab.announce(lab.t(isDown ? "pen-down" : "pen-up"));
    } else if (event.key === "Backspace") undo();
    else if (event.key === "Delete") clear();
    else return;
    event.preventDefault();
    mark();
  });
  large.addEventListener("focus", mark);
  large.addEventListener("blur", () => {
    lift();
    mark();
  });

  function clear() {
    strokes = [];
    isDown = false;
    changed();
    lab.announce(lab.t("cleared"));
  }

  function undo() {
    strokes.pop();
    isDown = false;
    changed();
  }

  function changed() {
    paint();
    moved(performance.now());
    ended();
  }

  const watcher = new ResizeObserver(paint);
  watcher.observe(large);
  paint();
  return {
    clear, undo, paint,
    drawing: () => pointer !== null || isDown,
    end: () => watcher.disconnect(),
    bytes() {
      const { data } = ink.getImageData(0, 0, SIDE, SIDE);
      const found = new Uint8Array(SIDE * SIDE);
      for (let i = 0; i < found.length; i++) found[i] = data[4 * i + 3];
      return found;
    },
  };
}
