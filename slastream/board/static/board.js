// What every page of the board shares: time, countdowns in working time, the stream, its states.
// Text of others is only ever set as text, never as HTML.
"use strict";

const board = (function () {
  const words = JSON.parse(document.getElementById("words").textContent);
  const lang = document.documentElement.lang;
  const $ = (id) => document.getElementById(id);
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

  // -- time ------------------------------------------------------------------------------------

  let anchor = null; // the server's now, and when we heard it
  let simulated = false;

  function hear(now) {
    anchor = { now: now, heard: performance.now() };
  }

  // The board's time, not this machine's: a wrong clock on a wall screen must not make tickets late.
  function now() {
    if (!anchor) return Date.now();
    return simulated ? anchor.now : anchor.now + (performance.now() - anchor.heard);
  }

  const formats = new Map();
  function format(options, at, where) {
    const key = JSON.stringify(options) + where;
    if (!formats.has(key)) {
      formats.set(key, new Intl.DateTimeFormat(lang === "en" ? "en-GB" : lang,
        Object.assign({ timeZone: where, hourCycle: "h23" }, options)));
    }
    return formats.get(key).format(at);
  }
  const HM = { hour: "2-digit", minute: "2-digit" };
  const HMS = { hour: "2-digit", minute: "2-digit", second: "2-digit" };
  const DAY = { weekday: "short", day: "numeric", month: "short" };
  const WEEKDAY = { weekday: "short" };
  const DATE = { year: "numeric", month: "short", day: "numeric" };
  const YMD = { year: "numeric", month: "2-digit", day: "2-digit" };

  function clock(at, where) { return format(HM, at, where || zone); }
  function day(at, where) { return format(YMD, at, where || zone); }
  // The time alone when it is today, with the day when it is not.
  function moment(at, where) {
    where = where || zone;
    const time = clock(at, where), apart = Math.abs(at - now());
    if (apart < 86400000 && day(at, where) === day(now(), where)) return time;
    return format(apart < 6 * 86400000 ? WEEKDAY : DAY, at, where) + " " + time;
  }
  function place(name) { return name.slice(name.lastIndexOf("/") + 1).replace(/_/g, " "); }
  // The calendar's own time, where it is another one than the viewer's.
  function beside(at, where) {
    if (!where || clock(at, where) === clock(at)) return "";
    return clock(at, where) + " " + place(where);
  }

  // -- working time ----------------------------------------------------------------------------

  // Working time that has passed at an instant, as far as a calendar's windows reach.
  function covered(calendar, at) {
    if (at <= calendar.at) return calendar.covered;
    let sum = calendar.covered;
    for (const [opens, closes] of calendar.windows) {
      if (opens >= at) break;
      sum += Math.min(closes, at) - opens;
    }
    return sum;
  }
  function open(calendar, at) {
    return calendar.windows.some(([opens, closes]) => opens <= at && at < closes);
  }
  function opens(calendar, at) {
    const next = calendar.windows.find(([opens]) => opens > at);
    return next ? next[0] : null;
  }
  function left(row, calendar, at) {
    if (row.covered === undefined || row.covered === null || !calendar) return row.left;
    return row.covered - covered(calendar, at);
  }

  // Hours are not made into days: a day of opening hours is no day.
  function length(ms) {
    const sign = ms < 0 ? "−" : "";
    const seconds = Math.floor(Math.abs(ms) / 1000);
    const hours = Math.floor(seconds / 3600);
    const minutes = Math.floor(seconds / 60) % 60;
    const two = (n) => String(n).padStart(2, "0");
    if (hours) return sign + hours + " h " + two(minutes);
    return sign + two(minutes) + ":" + two(seconds % 60);
  }

  // -- states ------------------------------------------------------------------------------------

  const state = $("state"), text = $("state-text"), banner = $("banner");
  let status = null, lost = false, heardAt = performance.now(), wasLost = false;

  function set(node, value) { if (node.textContent !== value) node.textContent = value; }

  function show() {
    let name = lost ? "lost" : status ? status.state : "loading";
    let line = "", warning = "";
    if (lost) {
      line = words.lost; warning = words.lost;
    } else if (!status || name === "loading") {
      const share = status && status.total ? " " + Math.floor(100 * status.read / status.total) + " %" : "";
      line = words.loading + share + " …";
      if (status && status.problem) warning = status.problem;
    } else if (name === "stale") {
      line = words.stale + " " + format(HMS, status.confirmed || status.now, zone);
      warning = line + ". " + words.stale_why + (status.problem ? " (" + status.problem + ")" : "");
    } else {
      if (status.owed) { name = "stale"; warning = words.owed + " " + moment(status.owed); }
      line = (simulated ? words.simulated : words.live) +
        (status.confirmed ? ", " + words.confirmed + " " + format(HMS, status.confirmed, zone) : "");
    }
    state.className = "state " + name;
    document.body.dataset.state = name;
    set(text, line);
    set(banner, warning);
    banner.hidden = !warning;
  }

  // -- the stream ------------------------------------------------------------------------------

  const SILENCE = 8000;
  let source = null, query = null, handlers = {}, retry = null;

  function connect(to, on) {
    query = to; handlers = on || handlers;
    if (source) source.close();
    clearTimeout(retry);
    source = new EventSource("/events?" + query);
    heardAt = performance.now();
    const mine = source;
    source.addEventListener("status", (event) => {
      status = JSON.parse(event.data);
      simulated = status.simulated;
      hear(status.now);
      heard();
      show();
      if (handlers.status) handlers.status(status);
    });
    for (const name of ["view", "change", "facets", "news", "changed"]) {
      source.addEventListener(name, (event) => {
        heard();
        if (handlers[name]) handlers[name](JSON.parse(event.data));
      });
    }
    source.onerror = () => {
      if (mine !== source) return;
      lose();
      // A refusal ends an EventSource for good; only we can try again.
      if (source.readyState === EventSource.CLOSED) retry = setTimeout(() => connect(query), 2000);
    };
  }
  function heard() {
    heardAt = performance.now();
    if (lost) { lost = false; wasLost = true; say(words.back); show(); if (handlers.back) handlers.back(); }
  }
  function lose() { if (!lost) { lost = true; show(); } }
  setInterval(() => {
    if (source && performance.now() - heardAt > SILENCE) { lose(); connect(query); }
  }, 2000);

  function say(line) { set($("says"), line); }

  // -- ticking and the bar ---------------------------------------------------------------------

  const ticks = [];
  function tick() {
    const at = now();
    set($("clock"), format(HMS, at, zone));
    for (const each of ticks) each(at);
  }
  setInterval(tick, 500);
  $("zone").textContent = place(zone);

  // <time data-zone>: the viewer's time, the calendar's beside it.
  function localise(root) {
    for (const node of root.querySelectorAll("time[data-zone]")) {
      const at = Date.parse(node.dateTime);
      if (Number.isNaN(at)) continue;
      const there = node.textContent;
      node.title = there;
      node.textContent = format(DATE, at, zone) + " " + format(HMS, at, zone);
      if (format(HMS, at, node.dataset.zone) !== format(HMS, at, zone)) {
        const other = document.createElement("span");
        other.className = "beside";
        other.textContent = " (" + format(HMS, at, node.dataset.zone) + " " + place(node.dataset.zone) + ")";
        node.append(other);
      }
      node.removeAttribute("data-zone");
    }
  }

  $("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch (_) { /* not kept, then */ }
  });
  // The language link keeps what the address says otherwise.
  $("language").addEventListener("click", (event) => {
    event.preventDefault();
    const params = new URLSearchParams(location.search);
    params.set("lang", $("language").hreflang);
    location.search = params.toString();
  });

  return { words, lang, $, zone, now, simulated: () => simulated, clock, moment, beside, place,
    covered, open, opens, left, length, connect, say, set, ticks, tick, localise };
})();
