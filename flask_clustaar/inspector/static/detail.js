// One request: why it was answered so, and what can be done with it.

import { $, attempt, call, h, tell } from "./dom.js";
import { edit } from "./edit.js";
import { changes, jsonLines } from "./json.js";

const panel = $("#detail");
const TABS = ["Checks", "Handlers", "Reply", "Request", "Changes", "Channels"];
let shown = null; // the request as the server describes it
let tab = "Checks";
let about = {}; // what the server says of the bot
let onSent = () => {};

/** Begin. *sent* is called with the ids of what was replayed. */
export function begin(facts, sent) {
  about = facts;
  onSent = sent;
  empty();
}

function empty() {
  panel.replaceChildren(
    h("p.empty", {}, "Select a request to see which checks it passed, which handlers matched and why, and what they returned."),
  );
}

/** Show a request; null shows none. */
export async function show(id) {
  if (id === null) return empty();
  const found = await attempt(() => call("GET", `deliveries/${id}`));
  if (!found) return;
  shown = found;
  // What went wrong is what somebody wants to see first.
  if (found.error || found.code === "no_handler") tab = "Handlers";
  else if (found.unsent) tab = "Reply";
  else if (found.checks.some(([, outcome]) => outcome === "FAIL")) tab = "Checks";
  draw();
}

/** Show the tab with this number, from 1. */
export function turn(number) {
  if (!shown || !TABS[number - 1]) return;
  tab = TABS[number - 1];
  draw();
  $("[role=tab][aria-selected=true]", panel).focus();
}

// -- what can be done ------------------------------------------------------------------

/** Send the request again, once or as often as the toolbar says. */
export async function replay(options = {}) {
  if (!shown) return;
  const how = $("#again-how")?.value ?? "fresh";
  const sent = await attempt(() => call("POST", `deliveries/${shown.id}/replay`, { how, ...options }));
  if (!sent) return;
  const runs = `${sent.ran} run${sent.ran === 1 ? "" : "s"}`;
  if (sent.ids.length > 1) tell(`${sent.ids.length} requests: ${runs}, ${sent.repeated} answered from the store.`);
  onSent(sent.ids);
}

/** Open the editor with the request's body. */
export function editSelected() {
  if (!shown) return;
  const text = shown.requestLines.map(([depth, line]) => "  ".repeat(depth) + line).join("\n");
  edit(`Edit and send request #${shown.id}`, text, "notification", (body) => replay({ body }));
}

/** Keep the request under a name, or no longer. */
export async function pin() {
  if (!shown) return;
  const name = shown.pinned === null ? prompt("Name of this request:", shown.code ?? "request") : null;
  if (name === null && shown.pinned === null) return;
  const pinned = await attempt(() => call("PATCH", `deliveries/${shown.id}`, { pinned: name }));
  if (pinned) show(shown.id);
}

async function copy(kind) {
  const text = await attempt(() => call("GET", `deliveries/${shown.id}/copy/${kind}`));
  if (text === undefined) return;
  try {
    await navigator.clipboard.writeText(text);
    tell(`Copied as ${kind}.`);
  } catch {
    // Without permission the text can be copied by hand.
    const sheet = $("#sheet");
    sheet.replaceChildren(
      h("h2", { id: "sheet-title" }, `Copy as ${kind}`),
      h("textarea", { rows: 16, readonly: true, "aria-label": "Text to copy" }, text),
      h("form", { method: "dialog" }, h("button", {}, "Close")),
    );
    sheet.showModal();
    $("textarea", sheet).select();
  }
}

async function compare(other) {
  const found = await attempt(() => call("GET", `deliveries/${other}/diff/${shown.id}`));
  if (found) $("#compared").replaceChildren(changes(found, `The replies of #${other} and #${shown.id} are equal.`));
}

// -- drawing ---------------------------------------------------------------------------

function draw() {
  const focused = document.activeElement?.id;
  const { id, status, timings, code } = shown;
  panel.replaceChildren(
    h("h2", {}, `#${id} `, h(`span.status.${status < 300 ? "good" : status < 500 ? "refused" : "failed"}`, {}, String(status)), code && h("code", {}, ` ${code}`), h("small", {}, ` ${timings.total.toFixed(1)} ms`)),
    toolbar(),
    h(
      "div.tabs",
      { role: "tablist", "aria-label": "Parts of the request" },
      TABS.map((name) =>
        h(
          "button",
          {
            role: "tab",
            id: `tab-${name}`,
            "aria-selected": String(name === tab),
            "aria-controls": "part",
            tabindex: name === tab ? 0 : -1,
            onclick: () => turn(TABS.indexOf(name) + 1),
            onkeydown: ({ key }) => {
              const by = { ArrowRight: 1, ArrowLeft: -1 }[key];
              if (by) turn(((TABS.indexOf(name) + by + TABS.length) % TABS.length) + 1);
            },
          },
          name,
        ),
      ),
    ),
    h("div", { id: "part", role: "tabpanel", "aria-labelledby": `tab-${tab}` }, PARTS[tab]()),
  );
  if (focused) document.getElementById(focused)?.focus();
}

function toolbar() {
  const times = h("input", { id: "times", type: "number", min: 1, max: 100, value: 1, "aria-label": "How often" });
  const again = (together) => replay({ times: Number(times.value), together });
  return h(
    "div.bar",
    {},
    h("button.primary", { title: "Replay (r)", onclick: () => again(false) }, "Replay"),
    h("label", {}, "×", times),
    h("button", { title: "Send all at the same time", onclick: () => again(true) }, "Together"),
    h("select", { id: "again-how", "aria-label": "Replay as" }, Object.entries(about.how).map(([value, text]) => h("option", { value }, text))),
    h("button", { title: "Edit and send (e)", onclick: editSelected }, "Edit"),
    h("button", { title: "Pin (p)", "aria-pressed": String(shown.pinned !== null), onclick: pin }, shown.pinned ? `⚑ ${shown.pinned}` : "Pin"),
    h(
      "select",
      {
        "aria-label": "Copy as",
        onchange: ({ target }) => {
          copy(target.value);
          target.value = "";
        },
      },
      h("option", { value: "" }, "Copy as …"),
      Object.entries(about.copies).map(([value, text]) => h("option", { value }, text)),
    ),
  );
}

const PARTS = {
  Checks: () => [
    h(
      "dl.checks",
      {},
      shown.checks.map(([name, outcome, sentence]) => [
        h(`dt.${outcome.toLowerCase()}`, {}, h("span", { "aria-hidden": "true" }, { pass: "✓", FAIL: "✗", skip: "–" }[outcome]), ` ${name}`, h("span.hidden", {}, ` ${outcome}`)),
        h("dd", {}, sentence),
      ]),
    ),
    h("h3", {}, "Time"),
    h(
      "dl.checks",
      {},
      Object.entries(shown.timings).filter(([, ms]) => ms !== null).map(([name, ms]) => [h("dt", {}, name), h("dd", {}, `${ms.toFixed(2)} ms`)]),
    ),
  ],

  Handlers: () => [
    shown.error && [h("h3", {}, "Traceback"), h("pre.traceback", { tabindex: 0 }, shown.error)],
    shown.repeated && h("p.empty", {}, "No handler ran: the replay store answered."),
    !shown.handlers.length && !shown.repeated && h("p.empty", {}, "No handler ran: the request was rejected before."),
    h(
      "ol.handlers",
      {},
      [...shown.handlers].sort((a, b) => b.matched - a.matched).map((each) =>
        h(
          `li.${each.matched ? "pass" : "skip"}`,
          { title: each.decorator },
          h("div", {}, h("b", {}, each.name), h("small", {}, ` ${each.where}`), each.ms !== null && h("small.ms", {}, ` ${each.ms.toFixed(2)} ms`)),
          h("p", {}, each.sentence),
          each.returned !== null && h("p", {}, "returned ", h("code", {}, each.returned)),
        ),
      ),
    ),
    shown.code === "no_handler" && shown.suggestion && [h("h3", {}, "This would handle it"), h("code.decorator", { tabindex: 0 }, shown.suggestion)],
  ],

  Reply: () => [
    shown.unsent !== null && h("p.failed", {}, `The handlers built this reply. It is invalid, so the webhook answered ${shown.status} instead.`),
    shown.repeated && h("p.empty", {}, "Answered from the replay store."),
    jsonLines(shown.replyLines),
  ],

  Request: () => [
    h("dl.headers", {}, Object.entries(shown.headers).map(([name, values]) => [h("dt", {}, name), h("dd", {}, values.join(", "))])),
    shown.request === null
      ? h("p.empty", {}, `The body of ${shown.size} bytes was not stored: it is too long, was not read, or is not UTF-8. SHA-256: ${shown.sha256}`)
      : jsonLines(shown.requestLines),
  ],

  Changes: () => [
    h("h3", {}, "Session"),
    changes(shown.sessionChanges, "The session is unchanged."),
    h("h3", {}, "User"),
    changes(shown.userChanges, "The user is unchanged."),
    h("h3", {}, "Compare replies"),
    h(
      "form.bar",
      {
        onsubmit: (event) => {
          event.preventDefault();
          compare($("#other").value);
        },
      },
      h("label", {}, "with request # ", h("input", { id: "other", type: "number", min: 1, required: true, value: shown.source.match(/\d+/)?.[0] ?? Math.max(1, shown.id - 1) })),
      h("button", {}, "Compare"),
    ),
    h("div", { id: "compared", role: "status" }),
  ],

  Channels: () =>
    Object.entries(about.channels).map(([channel, name]) => {
      const lost = shown.lost[channel];
      return [
        h("h3", {}, name),
        lost.length
          ? h("ul.changes", {}, lost.map(([path, type, support, reason]) => h(`li.${support === "-" ? "removed" : "unknown"}`, {}, h("b", {}, path), " ", support === "-" ? h("del", {}, type) : type, ` ${reason}`)))
          : h("p.empty", {}, "Shows everything."),
      ];
    }),
};
