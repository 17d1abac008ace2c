/* The drawings, as SVG. Each takes data and scales, and says in words what it shows. */

import { digits, mark, marks, rate, seconds } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

const NARROWEST = 240;
const LEFT = 44;
const RIGHT = 10;
const ORIGIN_WIDTH = 44;
const TOP = 20;
const BOTTOM = 20;

/** So far apart names are that do not touch. */
const NAME_HEIGHT = 15;

/** Make an SVG element. */
function shape(name, attributes = {}, text = "") {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== "") element.textContent = text;
  return element;
}

/** Make an empty drawing, as wide as its place, that says in words what it shows. */
function drawing(place, height, words) {
  const width = Math.max(NARROWEST, place.clientWidth);
  const svg = shape("svg", { width, height, role: "img", "aria-label": words });
  return { svg, height, left: LEFT, right: width - RIGHT, bottom: height - BOTTOM };
}

/** Draw the marks of the vertical axis; gives the function from value to place. */
function verticalAxis({ svg, left, right, bottom }, largest, unit) {
  const values = marks(largest);
  const top = values[values.length - 1];
  const place = (value) => bottom - (value / top) * (bottom - TOP);
  for (const value of values) {
    const y = place(value);
    svg.append(shape("line", { class: value ? "rule" : "axis", x1: left, x2: right, y1: y, y2: y }));
    svg.append(shape("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, mark(value)));
  }
  svg.append(shape("text", { x: left - LEFT, y: 10 }, unit));
  return place;
}

/** Draw what each node has sent, in copies of the file: the origin, and on a scale of their own, since
    it sends up to N times as much, the clients. Both scales are those of both architectures. */
export function uploads(where, side, fileBytes, { origin: mostOfOrigins, client: mostOfClients }) {
  const sent = side.nodes.map(([id, uploaded]) => ({ id, copies: uploaded / fileBytes }));
  const clients = sent.filter(({ id }) => id !== 0).map(({ copies }) => copies);
  const origin = sent.find(({ id }) => id === 0)?.copies ?? 0;
  const most = clients.length ? Math.max(...clients) : 0;
  const words = `The origin has sent ${digits(origin)} copies; no client more than ${digits(most)}.`;
  const at = drawing(where, 150, words);
  const ofOrigin = { ...at, right: LEFT + ORIGIN_WIDTH };
  const ofClients = { ...at, left: ofOrigin.right + LEFT + RIGHT };
  const originPlace = verticalAxis(ofOrigin, Math.max(1, mostOfOrigins), "copies");
  const clientPlace = verticalAxis(ofClients, Math.max(1, mostOfClients), "copies");
  const slot = (ofClients.right - ofClients.left) / side.clients;
  const thick = Math.min(ORIGIN_WIDTH - 16, Math.max(1, slot * 0.72));
  for (const { id, copies } of sent) {
    const middle = id ? ofClients.left + slot * (id - 0.5) : LEFT + ORIGIN_WIDTH / 2;
    const width = id ? thick : ORIGIN_WIDTH - 16;
    const y = (id ? clientPlace : originPlace)(copies);
    const box = { x: middle - width / 2, y, width, height: at.bottom - y };
    const bar = shape("rect", { class: id ? "bar" : "bar origin", ...box });
    bar.dataset.node = id;
    bar.append(shape("title", {}, `${id ? `client ${id}` : "origin"}: ${digits(copies)} copies`));
    at.svg.append(bar);
  }
  at.svg.append(shape("text", { x: LEFT, y: at.height - 5 }, "origin"));
  const clientsAt = { x: ofClients.left, y: at.height - 5 };
  at.svg.append(shape("text", clientsAt, side.clients > 1 ? `clients 1 to ${side.clients}` : "client 1"));
  return at.svg;
}

/** Draw how fast all clients together receive, over time. */
export function rates(where, side, longestSeconds, largestRate) {
  const last = side.rates[side.rates.length - 1];
  const words = `After ${seconds(last[0])} all clients together receive ${rate(last[1])}.`;
  const at = drawing(where, 130, words);
  const unit = largestRate >= 1024 * 1024 ? 1024 * 1024 : 1024;
  const place = verticalAxis(at, Math.max(1e-6, largestRate / unit), unit === 1024 ? "KiB/s" : "MiB/s");
  const across = (time) => LEFT + (time / longestSeconds) * (at.right - LEFT);
  for (const time of marks(longestSeconds, 5).filter((time) => time <= longestSeconds)) {
    const anchor = time === 0 ? "start" : time > 0.97 * longestSeconds ? "end" : "middle";
    const text = time === 0 ? "0 s" : mark(time);
    at.svg.append(shape("text", { x: across(time), y: at.height - 5, "text-anchor": anchor }, text));
  }
  const points = side.rates.map(([time, value]) => `${across(time)},${place(value / unit)}`);
  if (points.length > 1) {
    const end = `${across(last[0])},${at.bottom}`;
    at.svg.append(shape("polygon", { class: "area", points: `${LEFT},${at.bottom} ${points.join(" ")} ${end}` }));
    at.svg.append(shape("polyline", { class: "line", points: points.join(" ") }));
  }
  return at.svg;
}

/** Draw how long the last client waited, against N: each trial a point, a line through the medians. */
export function sweep(where, trials, counts) {
  const ended = trials.filter(({ makespan_seconds: time }) => time !== null);
  const words = ended.length
    ? `${ended.length} trials: from ${seconds(Math.min(...ended.map((t) => t.makespan_seconds)))} to `
      + `${seconds(Math.max(...ended.map((t) => t.makespan_seconds)))}. The table below has them all.`
    : "No trial has ended yet.";
  const at = drawing(where, 260, words);
  const largest = Math.max(1e-3, ...ended.map((trial) => trial.makespan_seconds));
  const place = verticalAxis(at, largest, "s");
  const low = Math.log2(Math.min(...counts));
  const span = Math.max(1, Math.log2(Math.max(...counts)) - low);
  const across = (count) => LEFT + 30 + ((Math.log2(count) - low) / span) * (at.right - LEFT - 110);
  for (const count of counts) {
    at.svg.append(shape("text", { x: across(count), y: at.height - 5, "text-anchor": "middle" }, `N = ${count}`));
  }
  const curves = ["server", "swarm"].map((name) => curve(at, name, ended, counts, across, place));
  nameCurves(curves);
  return at.svg;
}

/** Write each name at the end of its curve, apart from the other. */
function nameCurves(curves) {
  const named = curves.filter(({ end }) => end).sort((a, b) => a.end[1] - b.end[1]);
  if (named.length === 2 && Math.abs(named[0].end[0] - named[1].end[0]) < 1) {
    const missing = NAME_HEIGHT - (named[1].end[1] - named[0].end[1]);
    if (missing > 0) {
      named[0].end[1] -= missing / 2;
      named[1].end[1] += missing / 2;
    }
  }
  for (const { group, name, end } of named) {
    group.append(shape("text", { class: "named", x: end[0] + 10, y: end[1] + 4 }, name));
  }
}

function curve({ svg }, name, ended, counts, across, place) {
  const group = shape("g", { class: name });
  const middles = [];
  for (const count of counts) {
    const times = timesOf(ended, name, count);
    if (!times.length) continue;
    middles.push([across(count), place(median(times))]);
    for (const time of times) group.append(point(name, across(count), place(time)));
  }
  if (middles.length > 1) {
    group.append(shape("polyline", { class: "line", points: middles.map((xy) => xy.join(",")).join(" ") }));
  }
  svg.append(group);
  return { group, name, end: middles[middles.length - 1] };
}

function point(name, x, y) {
  if (name === "server") return shape("rect", { class: "point", x: x - 4, y: y - 4, width: 8, height: 8 });
  return shape("circle", { class: "point", cx: x, cy: y, r: 4.5 });
}

/** The times of all trials of one architecture at one N. */
export function timesOf(trials, name, count) {
  return trials
    .filter((trial) => trial.architecture === name && trial.clients === count && trial.makespan_seconds !== null)
    .map((trial) => trial.makespan_seconds);
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
