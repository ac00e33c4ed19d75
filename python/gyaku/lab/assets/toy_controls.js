// The settings: menus, ticks, and plus and minus for layers and units.
const RATES = [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];
const NUMBERS = {
  rate: RATES,
  batch: [1, 2, 4, 8, 16, 32, 64, 128, null],
  dropout: [0, 0.1, 0.2, 0.3, 0.5, 0.7],
  decay: [0, 0.00001, 0.0001, 0.001, 0.01, 0.1],
  samples: [20, 50, 100, 200, 300, 500, 1000],
  noise: [0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1],
  test: [0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9],
  speed: [1, 10, 100, 1000, 10000, 0],
};
export const LABELS = {
  "x1": "x₁", "x2": "x₂", "x1**2": "x₁²", "x2**2": "x₂²", "x1 * x2": "x₁x₂",
  "np.sin(x1)": "sin x₁", "np.sin(x2)": "sin x₂",
};

export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

// A menu that keeps its choice when the language changes.
function menu(lab, name, values, textOf, onchange) {
  const list = make("select", { id: `toy-${name}`, name });
  const fill = () => {
    list.replaceChildren(...values.map((value) => {
      const option = make("option", { value: JSON.stringify(value) });
      option.textContent = textOf(value);
      return option;
    }));
  };
  fill();
  list.addEventListener("change", () => onchange(JSON.parse(list.value)));
  const label = make("label", { class: "toy-field", for: list.id },
    make("span", { "data-t": name === "speed" ? "limit" : name }), list);
  return {
    label,
    set(value) {
      if (!values.includes(value)) {
        values = [...values, value].sort((a, b) => (a === null) - (b === null) || a - b);
        fill();
      }
      list.value = JSON.stringify(value);
    },
    refill() {
      const kept = list.value;
      fill();
      list.value = kept;
    },
  };
}

export function controls(lab, choices, settings, send) {
  const { most } = choices;
  const numberText = (name) => (value) => {
    if (name === "batch" && value === null) return lab.t("batch-all");
    if (name === "batch" && value === 1) return lab.t("batch-one");
    if (name === "speed") return value ? lab.t("per-second", { n: value.toLocaleString(lab.lang) }) : lab.t("speed-full");
    if (name === "test") return `${100 * value} %`;
    return String(value);
  };
  const menus = {};
  for (const [name, values] of Object.entries(NUMBERS))
    menus[name] = menu(lab, name, values, numberText(name), (value) => send({ [name]: value }));
  menus.data = menu(lab, "data", choices.data, (value) => lab.t(`data-${value}`),
    (value) => send({ data: value }));
  menus.activation = menu(lab, "activation", choices.activation, String,
    (value) => send({ activation: value }));
  menus.optimizer = menu(lab, "optimizer", Object.keys(choices.optimizer), String, (value) => {
    send({ optimizer: value, rate: choices.optimizer[value] });
  });

  const seed = make("input", { type: "number", id: "toy-seed", min: 0, max: most.seed, step: 1 });
  seed.addEventListener("change", () => seed.checkValidity() && seed.value && send({ seed: Number(seed.value) }));
  const seedField = make("label", { class: "toy-field", for: seed.id }, make("span", { "data-t": "seed" }), seed);

  const ticks = Object.fromEntries(choices.features.map((name) => {
    const tick = make("input", { type: "checkbox", value: name });
    tick.addEventListener("change", () => {
      const chosen = choices.features.filter((each) => ticks[each].checked);
      if (chosen.length) send({ features: chosen });
      else tick.checked = true; // a network needs an input
    });
    return [name, tick];
  }));
  const features = make("fieldset", { class: "toy-features" }, make("legend", { "data-t": "features" }),
    ...choices.features.map((name) => make("label", {}, ticks[name], LABELS[name])));

  const depth = make("div", { class: "row toy-depth", role: "group" });
  const columns = make("div", { class: "toy-columns" });

  function button(sign, label, isPossible, act, key) {
    const made = make("button", { type: "button", "aria-label": label, "data-key": key });
    made.textContent = sign;
    made.disabled = !isPossible;
    made.addEventListener("click", act);
    return made;
  }

  function layers() {
    const { hidden } = settings, focused = document.activeElement?.dataset?.key;
    const change = (next) => send({ hidden: next });
    depth.setAttribute("aria-label", lab.t("layers"));
    depth.replaceChildren(
      button("−", lab.t("fewer-layers"), hidden.length > 0, () => change(hidden.slice(0, -1)), "layers-"),
      make("span", {}, lab.t("layers-count", { n: hidden.length })),
      button("+", lab.t("more-layers"), hidden.length < most.layers,
        () => change([...hidden, hidden.at(-1) ?? 4]), "layers+"),
    );
    const column = (units, place) => make("div", { role: "group", "aria-label": lab.t("layer", { n: place + 1 }) },
      button("−", lab.t("fewer-units", { n: place + 1 }), units > 1,
        () => change(hidden.with(place, units - 1)), `${place}-`),
      make("span", {}, String(units)),
      button("+", lab.t("more-units", { n: place + 1 }), units < most.units,
        () => change(hidden.with(place, units + 1)), `${place}+`));
    columns.style.setProperty("grid-template-columns", `repeat(${hidden.length + 2}, 1fr)`);
    columns.replaceChildren(make("div", {}, make("span", {}, lab.t("inputs"))), ...hidden.map(column),
      make("div", {}, make("span", {}, lab.t("output"))));
    if (!focused) return;
    const again = [...depth.children, ...columns.querySelectorAll("button")]
      .find((each) => each.dataset.key === focused && !each.disabled);
    (again ?? depth.querySelector("button:not(:disabled)")).focus();
  }

  function show() {
    for (const [name, each] of Object.entries(menus)) each.set(settings[name]);
    for (const name of choices.features) ticks[name].checked = settings.features.includes(name);
    if (document.activeElement !== seed) seed.value = settings.seed;
    menus.samples.label.hidden = menus.noise.label.hidden = settings.data === "own";
    layers();
  }

  return {
    field: (name) => menus[name].label,
    seed: seedField, features, depth, columns, show,
    refill() {
      for (const each of Object.values(menus)) each.refill();
      show();
    },
  };
}
