// The square: probability of class 1 as colour, the points, and a cursor for one's own points.
import { ramp, scaled } from "./toy_colors.js";

const REACH = 0.25; // of a point that is to be removed, in units of the square

export function boundary(canvas, lab, onpoints) {
  const pen = canvas.getContext("2d");
  const cells = document.createElement("canvas"), marks = document.createElement("canvas");
  const state = { points: [], own: [], isOwn: false, chosen: 1, limit: 3, cursor: [0, 0], frame: null };
  let colors = ramp(lab);

  const at = (x, y) => [(x / state.limit + 1) / 2 * canvas.width, (1 - y / state.limit) / 2 * canvas.height];
  const round = (value) => Math.round(100 * Math.min(state.limit, Math.max(-state.limit, value))) / 100;

  function mark(pen, x, y, kind, isTest) {
    const [left, top] = at(x, y), size = canvas.width / (state.points.length > 100 ? 75 : 45);
    pen.beginPath();
    if (kind) pen.arc(left, top, size, 0, 2 * Math.PI);
    else pen.rect(left - 0.9 * size, top - 0.9 * size, 1.8 * size, 1.8 * size);
    pen.lineWidth = canvas.width / 200;
    pen.strokeStyle = isTest ? colors.dark[kind] : colors.paper;
    pen.fillStyle = isTest ? colors.paper : colors.dark[kind];
    pen.fill();
    pen.stroke();
  }

  function drawMarks() {
    marks.width = canvas.width;
    marks.height = canvas.height;
    const pen = marks.getContext("2d");
    for (const [x, y, kind, test] of state.points) mark(pen, x, y, kind, test);
  }

  function draw(frame = state.frame) {
    state.frame = frame;
    pen.fillStyle = colors.paper;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    if (frame) scaled(pen, cells, frame.output, frame.side, colors.table, [0, 0, canvas.width, canvas.height]);
    pen.drawImage(marks, 0, 0);
    if (state.isOwn && document.activeElement === canvas) drawCursor();
  }

  function drawCursor() {
    const [left, top] = at(...state.cursor), reach = canvas.width / 25;
    pen.strokeStyle = colors.ink;
    pen.lineWidth = canvas.width / 150;
    pen.beginPath();
    pen.moveTo(left - reach, top);
    pen.lineTo(left + reach, top);
    pen.moveTo(left, top - reach);
    pen.lineTo(left, top + reach);
    pen.stroke();
  }

  function add(x, y, kind) {
    const point = [round(x), round(y), kind];
    onpoints([...state.own, point]);
    lab.announce(lab.t("added", { kind, x: point[0], y: point[1] }));
  }

  function remove(x, y) {
    const distance = (point) => Math.hypot(point[0] - x, point[1] - y);
    const nearest = state.own.reduce((best, point) => (distance(point) < distance(best) ? point : best),
      [Infinity, Infinity]);
    if (!(distance(nearest) < REACH)) return;
    onpoints(state.own.filter((point) => point !== nearest));
    lab.announce(lab.t("removed", { kind: nearest[2], x: nearest[0], y: nearest[1] }));
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (!state.isOwn) return;
    const box = canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width * 2 - 1) * state.limit;
    const y = (1 - (event.clientY - box.top) / box.height * 2) * state.limit;
    state.cursor = [round(x), round(y)];
    if (event.button === 2) remove(x, y);
    else add(x, y, event.shiftKey ? 1 - state.chosen : state.chosen);
  });
  canvas.addEventListener("contextmenu", (event) => state.isOwn && event.preventDefault());
  canvas.addEventListener("keydown", (event) => {
    if (!state.isOwn || event.ctrlKey || event.metaKey || event.altKey) return;
    const stride = event.shiftKey ? 0.5 : 0.1, [x, y] = state.cursor;
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) {
      const [right, up] = moves[event.key];
      state.cursor = [round(x + stride * right), round(y + stride * up)];
      lab.announce(lab.t("cursor", { x: state.cursor[0], y: state.cursor[1] }));
    } else if (event.key === " " || event.key === "Enter") add(x, y, state.chosen);
    else if (event.key === "0" || event.key === "1") add(x, y, Number(event.key));
    else if (event.key === "Delete" || event.key === "Backspace") remove(x, y);
    else return;
    event.preventDefault();
    draw();
  });
  canvas.addEventListener("focus", () => draw());
  canvas.addEventListener("blur", () => draw());

  return {
    draw,
    set(changes) {
      Object.assign(state, changes);
      canvas.setAttribute("role", state.isOwn ? "application" : "img");
      if (state.isOwn) canvas.tabIndex = 0;
      else canvas.removeAttribute("tabindex");
      drawMarks();
      draw();
    },
    recolor() {
      colors = ramp(lab);
      drawMarks();
      draw();
    },
  };
}
