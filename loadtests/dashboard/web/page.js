/* Asks for the state of the run four times a second, and shows it. */

import { median, rates, sweep, timesOf, uploads } from "./charts.js";
import { bytes, copies, digits, rate, seconds } from "./format.js";

const POLL_MS = 250;
const MEBIBYTE = 1024 * 1024;
const SIDES = ["server", "swarm"];
const MARKS = {
  server: '<svg class="mark" viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10"/></svg>',
  swarm: '<svg class="mark" viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="5"/></svg>',
};

const byId = (id) => document.getElementById(id);

/** Follow Locust's own choice of light or dark, which it keeps there, or else the system's. */
function followTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = localStorage.theme ?? (dark ? "dark" : "light");
}

/** Put text into an element, and leave it alone if it is there: a screen reader would read it again. */
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function statusOf({ run, trials }) {
  if (run.stage === "waiting") return "Waiting for the run to start.";
  if (run.stage === "reporting") return "All trials have ended; writing the report.";
  if (run.stage === "over") {
    const missed = run.threshold_missed ? "; a threshold was missed, the report says which" : "";
    return `The run is over: ${run.status}, ${run.ended} of ${run.trials} trials${missed}.`;
  }
  const now = trials.find(({ status }) => status === "running");
  if (!now) return `${run.ended} of ${run.trials} trials have ended.`;
  const repeat = run.repeats > 1 ? `, repeat ${now.repeat + 1} of ${run.repeats}` : "";
  return `Trial ${run.ended + 1} of ${run.trials}: ${now.architecture} at N = ${now.clients}${repeat}.`;
}

function showRun(state) {
  const { run } = state;
  say(byId("scenario"), run.scenario || "Swarm or server");
  say(byId("question"), run.question);
  say(byId("status"), statusOf(state));
  say(byId("verdict"), run.verdict);
  byId("verdict").hidden = !run.verdict;
  byId("verdict").classList.toggle("doubted", run.status !== "complete");
  byId("report").hidden = !run.report;
  const reasons = byId("reasons");
  reasons.hidden = !run.reasons.length;
  if (reasons.childElementCount !== run.reasons.length) {
    reasons.replaceChildren(...run.reasons.map((reason) => element("li", {}, `${run.status}: ${reason}`)));
  }
}

/** Offer every pair there is; a reader who has chosen one stays there. */
function offerPairs({ pairs, run }) {
  const select = byId("pairs");
  if (select.options.length === pairs.length + 1) return;
  const chosen = select.value;
  const options = pairs.map(([clients, repeat]) => {
    const text = `N = ${clients}` + (run.repeats > 1 ? `, repeat ${repeat + 1}` : "");
    return new Option(text, `${clients}:${repeat}`);
  });
  select.replaceChildren(new Option("the latest trials", ""), ...options);
  select.value = chosen;
  if (select.selectedIndex < 0) select.value = "";
}

/** Make an element with attributes and what is in it. */
function element(name, attributes = {}, ...content) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...content);
  return made;
}

function table(columns, rows) {
  const head = element("tr", {}, ...columns.map((column) => element("th", { scope: "col" }, column)));
  const body = rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

/** Make the frame of a side once; afterwards only what changes is replaced. */
function frame(name) {
  byId(name).innerHTML = `
    <h3 id="${name}-name">${MARKS[name]} <span>${name}</span> <span class="state"></span></h3>
    <dl class="numbers">
      <div><dt>done</dt><dd class="done">–</dd></div>
      <div><dt class="time-name">time</dt><dd class="time">–</dd></div>
      <div><dt class="rate-name">rate</dt><dd class="rate">–</dd></div>
    </dl>
    <div class="meters">
      ${["origin", "clients", "held"].map((row) => `
        <span class="name">${row === "origin" ? "origin sent" : row === "clients" ? "clients sent" : "held"}</span>
        <span class="track"><span class="fill" data-row="${row}" style="width: 0"></span></span>
        <span class="value" data-row="${row}">–</span>`).join("")}
    </div>
    <figure class="uploads"><figcaption>What has each node sent?</figcaption><div class="drawn"></div>
      <details><summary>As a table</summary><div class="scroll" tabindex="0" role="region"
        aria-label="What each node of the ${name} has sent"></div></details></figure>
    <figure class="rates"><figcaption>How fast do all clients together receive?</figcaption>
      <div class="drawn"></div></figure>`;
}

function stateOf(side) {
  if (!side) return "has not begun";
  if (side.status === "running") return side.phase;
  return side.status === "complete" ? "complete, every file verified" : `${side.status} ${side.reason}`;
}

/** Show one architecture's trial. `scales` are those of both, so that they can be compared. */
function showSide(name, side, fileBytes, scales) {
  const root = byId(name);
  const find = (selector) => root.querySelector(selector);
  const state = find(".state");
  say(state, stateOf(side));
  state.classList.toggle("failed", side?.status === "failed");
  const ended = side?.makespan_seconds != null;
  say(find(".done"), side ? `${side.done}/${side.clients}` : "–");
  say(find(".time-name"), ended ? "last one done" : "time");
  say(find(".time"), side ? seconds(ended ? side.makespan_seconds : side.elapsed_seconds) : "–");
  say(find(".rate-name"), ended ? "mean rate" : "rate now");
  say(find(".rate"), side ? rate(side.rate_bytes_per_second) : "–");
  const sent = (key) => (side ? side[key] / fileBytes : 0);
  meter(find, "origin", sent("origin_uploaded_payload_bytes") / scales.sent, side && copies(sent("origin_uploaded_payload_bytes")));
  meter(find, "clients", sent("clients_uploaded_payload_bytes") / scales.sent, side && copies(sent("clients_uploaded_payload_bytes")));
  const held = side?.pieces_wanted ? side.pieces_held / side.pieces_wanted : 0;
  meter(find, "held", held, side?.pieces_wanted ? `${side.pieces_held}/${side.pieces_wanted} ${side.holds}` : null);
  if (!side) {
    for (const drawn of root.querySelectorAll(".drawn, .scroll")) drawn.replaceChildren();
    return;
  }
  const [above, below] = [find(".uploads .drawn"), find(".rates .drawn")];
  above.replaceChildren(uploads(above, side, fileBytes, scales.copies));
  below.replaceChildren(rates(below, side, scales.seconds, scales.rate));
  const rows = side.nodes.map(([id, up, down, pieces]) => [
    id ? `client ${id}` : "origin", digits(up / fileBytes), bytes(up), bytes(down), String(pieces),
  ]);
  find(".scroll").replaceChildren(table(["node", "copies sent", "sent", "received", side.holds], rows));
}

function meter(find, row, share, text) {
  find(`.fill[data-row="${row}"]`).style.width = `${Math.min(100, 100 * share)}%`;
  say(find(`.value[data-row="${row}"]`), text ?? "–");
}

/** One scale for both sides: what looks longer is longer. */
function scalesOf(sides, fileBytes) {
  const there = SIDES.map((name) => sides[name]).filter(Boolean);
  const most = (values) => Math.max(0, ...values);
  const sentBy = (wanted) => most(
    there.flatMap((side) => side.nodes.filter(([id]) => wanted(id)).map(([, up]) => up / fileBytes)),
  );
  return {
    sent: most(there.map((side) => side.clients)) || 1,
    copies: { origin: sentBy((id) => id === 0), client: sentBy((id) => id !== 0) },
    seconds: most(there.flatMap((side) => [side.elapsed_seconds, 1])),
    rate: most(there.flatMap((side) => side.rates.map(([, value]) => value))) || MEBIBYTE,
  };
}

let drawnTrials = "";

function showSweep({ trials, run }) {
  const ended = trials.filter(({ makespan_seconds: time }) => time !== null);
  const figure = byId("sweep");
  const key = JSON.stringify([run.scenario, run.clients, ended.length, figure.clientWidth]);
  if (key === drawnTrials || !run.clients.length) return;
  drawnTrials = key;
  const rows = run.clients.map((count) => {
    const [server, swarm] = SIDES.map((name) => timesOf(trials, name, count));
    const both = server.length && swarm.length;
    const times = both ? median(server) / median(swarm) : null;
    return [
      String(count),
      server.length ? seconds(median(server)) : "–",
      swarm.length ? seconds(median(swarm)) : "–",
      both ? `${digits(times)} ×` : "–",
    ];
  });
  const counted = table(["N", "server", "swarm", "server ÷ swarm"], rows);
  const drawn = element("div", { class: "drawn" });
  const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Times against N" }, counted);
  figure.replaceChildren(
    element("figcaption", {}, "Until the last client is done: each trial a point, a line through the medians"),
    element("div", { class: "curves" }, drawn, scroll),
  );
  drawn.append(sweep(drawn, trials, run.clients));
}

function show(state) {
  followTheme();
  showRun(state);
  offerPairs(state);
  const { pair, run, sides } = state;
  const repeat = pair && run.repeats > 1 ? `, repeat ${pair[1] + 1} of ${run.repeats}` : "";
  say(byId("pair"), pair ? `Side by side: ${bytes(run.file_bytes)} to N = ${pair[0]}${repeat}` : "Side by side");
  const scales = scalesOf(sides, run.file_bytes);
  for (const name of SIDES) showSide(name, sides[name], run.file_bytes, scales);
  showSweep(state);
}

async function poll() {
  const [clients, repeat] = byId("pairs").value.split(":");
  const query = repeat === undefined ? "" : `?clients=${clients}&repeat=${repeat}`;
  try {
    show(await (await fetch(`state.json${query}`)).json());
    byId("lost").hidden = true;
  } catch (error) {
    byId("lost").hidden = false;
  }
  setTimeout(poll, POLL_MS);
}

if (window.parent !== window) document.documentElement.classList.add("embedded");
followTheme();
SIDES.forEach(frame);
poll();
