// The shell: pages by the hash, language, theme, words, and requests with the token.
import * as shellWords from "./words/lab.js";

const PAGES = ["draw", "playground", "watch"];
const root = document.getElementById("page");
const query = new URLSearchParams(location.search);
const token = query.get("token") ?? sessionStorage.getItem("token") ?? "";
sessionStorage.setItem("token", token);
history.replaceState(null, "", `/${location.hash}`); // a projector shows the address

const browsers = navigator.language.startsWith("ja") ? "ja" : "en";
let lang = query.get("lang") ?? localStorage.getItem("lang") ?? browsers;
if (!(lang in shellWords)) lang = browsers;
localStorage.setItem("lang", lang);
let theme = localStorage.getItem("theme")
  ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
let words = shellWords;
let shown = "";
let unmount = () => {};
let listeners = { language: [], theme: [] };

function t(key, values = {}) {
  const text = words[lang][key] ?? shellWords[lang][key];
  if (text === undefined) throw new Error(`no word for ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

function fill(within) {
  for (const each of within.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  for (const each of within.querySelectorAll("[data-t-label]"))
    each.setAttribute("aria-label", t(each.dataset.tLabel));
}

function say(text) {
  const box = document.getElementById("trouble");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

function announce(text) {
  document.getElementById("said").textContent = text;
}

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, {
      ...options,
      headers: { Authorization: `Bearer ${token}`, ...options.headers },
    });
  } catch {
    say(t("gone"));
    throw new Error(t("gone"));
  }
  if (!response.ok) throw new Error((await response.text()).trim());
  const kind = response.headers.get("content-type") ?? "";
  return kind.startsWith("application/json") ? response.json() : response.arrayBuffer();
}

function post(path, content) {
  const isBytes = content instanceof ArrayBuffer || ArrayBuffer.isView(content)
    || content instanceof Blob;
  const kind = isBytes ? "application/octet-stream" : "application/json";
  const body = isBytes ? content : JSON.stringify(content);
  return request(path, { method: "POST", body, headers: { "Content-Type": kind } });
}

function socket(path) {
  const made = new WebSocket(`ws://${location.host}${path}`, ["gyaku.lab", token]);
  made.binaryType = "arraybuffer";
  return made;
}

const lab = {
  t, fill, say, announce, post, socket,
  get: (path) => request(path),
  color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
  onlanguage: (call) => listeners.language.push(call),
  ontheme: (call) => listeners.theme.push(call),
  get lang() { return lang; },
  get theme() { return theme; },
};

function dress() {
  document.documentElement.lang = lang;
  document.documentElement.dataset.theme = theme;
  fill(document);
  const other = document.getElementById("language");
  other.lang = lang === "en" ? "ja" : "en";
  other.textContent = lang === "en" ? "日本語" : "English";
  document.getElementById("theme").textContent = t(theme === "dark" ? "light" : "dark");
  document.title = shown ? `${t(`tab-${shown}`)} - gyaku lab` : "gyaku lab";
}

async function open() {
  const wanted = location.hash.slice(1);
  const name = PAGES.includes(wanted) ? wanted : PAGES[0];
  if (name === shown) return;
  const isFirst = !shown;
  shown = name;
  unmount();
  unmount = () => {};
  listeners = { language: [], theme: [] };
  say("");
  root.replaceChildren();
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  let page, pageWords;
  try {
    [page, pageWords] = await Promise.all([import(`./${name}.js`), import(`./words/${name}.js`)]);
  } catch {
    return say(t("gone"));
  }
  if (name !== shown) return; // another one was chosen meanwhile
  words = pageWords;
  unmount = page.mount(root, lab) ?? (() => {});
  dress();
  if (!isFirst) root.focus();
}

document.getElementById("language").addEventListener("click", () => {
  lang = lang === "en" ? "ja" : "en";
  localStorage.setItem("lang", lang);
  announce(""); // it was said in the other language
  dress();
  for (const call of listeners.language) call();
});
document.getElementById("theme").addEventListener("click", () => {
  theme = theme === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme);
  dress();
  for (const call of listeners.theme) call();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the hash is that of the pages
  root.focus();
});
window.addEventListener("hashchange", open);
dress();
open();
