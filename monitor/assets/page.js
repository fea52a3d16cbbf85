
"use strict";
// Every two seconds the page fetches itself and takes over what is different, so
// that all of it is written in one place, on the server. Elements marked data-live
// are filled in here: what needs two looks at the agent.
const every = 2000, kept = 60, seen = new Map();

function morph(was, is) {
  if (was.nodeType !== is.nodeType || was.nodeName !== is.nodeName || was.id !== is.id) {
    was.replaceWith(is);
    return;
  }
  if (was.nodeType !== Node.ELEMENT_NODE) {
    if (was.data !== is.data) was.data = is.data;
    return;
  }
  if (was.hasAttribute("data-live")) return;
  for (const a of [...was.attributes]) if (!is.hasAttribute(a.name)) was.removeAttribute(a.name);
  for (const a of is.attributes) if (was.getAttribute(a.name) !== a.value) was.setAttribute(a.name, a.value);
  const before = [...was.childNodes], after = [...is.childNodes];
  after.forEach((n, i) => i < before.length ? morph(before[i], n) : was.append(n));
  before.slice(after.length).forEach(n => n.remove());
}

const short = n => n >= 1e6 ? (n / 1e6).toFixed(1) + " M" : n >= 1e4 ? (n / 1e3).toFixed(1) + " k"
  : n >= 10 ? Math.round(n).toLocaleString("en") : n > 0 ? n.toFixed(1) : "0";
const span = s => s < 90 ? Math.round(s) + " s" : s < 5400 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";

// rates remembers a card's counters and returns events a second, in and out, over
// the last three looks; null at the first.
function rates(card, now) {
  const key = card.id, point = { t: now, in: +card.dataset.in, out: +card.dataset.out };
  let past = seen.get(key) || [];
  const last = past.at(-1);
  if (last && (point.in < last.in || point.out < last.out)) past = [];
  if (!last || point.t > last.t || !past.length) past.push(point);
  past = past.slice(-kept);
  seen.set(key, past);
  const first = past[Math.max(0, past.length - 4)], end = past.at(-1), t = (end.t - first.t) / 1000;
  return t > 0 ? { in: (end.in - first.in) / t, out: (end.out - first.out) / t, past } : null;
}

function spark(card, past) {
  const steps = past.slice(1).map((p, i) => 1000 * (p.out - past[i].out) / Math.max(1, p.t - past[i].t));
  const top = Math.max(1, ...steps);
  card.querySelector("polyline").setAttribute("points",
    steps.map((v, i) => (kept - 1 - steps.length + 1 + i).toFixed(0) + "," + (17 - 16 * v / top).toFixed(1)).join(" "));
}

function toFull(card, r) {
  const out = card.querySelector("[data-live=tofull]");
  if (!out) return;
  const left = card.dataset.capacity - card.dataset.events, grows = r.in - r.out;
  out.textContent = card.dataset.capacity > 0 && left > 0 && grows > 0 && left / grows < 86400 ? "full in about " + span(left / grows) : "";
}

function live() {
  const now = +document.getElementById("view").dataset.time, moving = new Set();
  for (const card of document.querySelectorAll("article")) {
    const r = rates(card, now);
    if (!r) continue;
    if (r.out > 0) moving.add(card.id);
    card.querySelector("[data-live=rate]").textContent = card.dataset.kind === "channel"
      ? short(r.in) + "/s in, " + short(r.out) + "/s out" : short(r.out) + " events/s";
    spark(card, r.past);
    toFull(card, r);
  }
  draw(moving);
}

// draw connects the cards; a line moves while events go along it.
function draw(moving) {
  const svg = document.getElementById("edges"), at = svg.getBoundingClientRect(), paths = [];
  for (const card of document.querySelectorAll("article[data-channels]")) {
    for (const name of card.dataset.channels.split(" ").filter(Boolean)) {
      const channel = document.getElementById("channel-" + name);
      if (!channel) continue;
      const [from, to] = card.dataset.kind === "source" ? [card, channel] : [channel, card];
      const a = from.getBoundingClientRect(), b = to.getBoundingClientRect();
      const x1 = a.right - at.left, y1 = a.top + Math.min(40, a.height / 2) - at.top;
      const x2 = b.left - at.left, y2 = b.top + Math.min(40, b.height / 2) - at.top, bend = (x2 - x1) / 2;
      const p = document.createElementNS("http://www.w3.org/2000/svg", "path");
      p.setAttribute("d", `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`);
      if (moving.has(card.id)) p.setAttribute("class", "moving");
      paths.push(p);
    }
  }
  const shape = p => p.getAttribute("d") + p.getAttribute("class");
  if (paths.map(shape).join() !== [...svg.children].map(shape).join()) svg.replaceChildren(...paths);
}

const lost = document.getElementById("lost");
let answered = new Date();

async function look() {
  try {
    const r = await fetch("./", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!r.ok) throw new Error(r.status);
    const page = new DOMParser().parseFromString(await r.text(), "text/html");
    morph(document.getElementById("view"), page.getElementById("view"));
    document.title = page.title;
    answered = new Date();
    lost.hidden = true;
    live();
  } catch {
    lost.textContent = "The agent has not answered since " + answered.toLocaleTimeString() + "; this is what it said then.";
    lost.hidden = false;
    document.title = "no answer";
  }
  document.body.classList.toggle("lost", !lost.hidden);
}

async function loop() {
  if (!document.hidden) await look();
  setTimeout(loop, every);
}

live();
addEventListener("resize", live);
setTimeout(loop, every);
