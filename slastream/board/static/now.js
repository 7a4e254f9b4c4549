// The page Now: groups of clocks by time to due, filtered by the address.
"use strict";

(function () {
  const { $, words } = board;
  const GROUPS = ["overdue", "at_risk", "hour", "today", "paused", "later"];
  const FACETS = ["tenant", "client", "team", "priority", "indicator", "source"];
  const ROWS = 20, MOST = 200;
  const rows = new Map(); // id -> what the server told
  const nodes = new Map(); // id -> what is on the page
  const shown = {}; // group -> ids
  const counts = {};
  let calendars = {};
  let first = true;

  // -- one row -----------------------------------------------------------------------------------

  function make(tag, name, text) {
    const node = document.createElement(tag);
    if (name) node.className = name;
    if (text !== undefined) node.textContent = text;
    return node;
  }
  function hidden(text) { return make("span", "sr", text); }

  function build(row) {
    const node = make("li", "row");
    node.dataset.id = row.id;
    const top = make("div", "top"), under = make("div", "under");
    const mark = make("span", "mark");
    mark.setAttribute("aria-hidden", "true");
    const number = make("a", "number");
    number.href = "/ticket?key=" + encodeURIComponent(row.key);
    number.append(make("bdi", "", row.number));
    const client = make("span", "client");
    client.append(make("bdi", "", row.client || "–"));
    const left = make("span", "left");
    const figure = make("span", "figure"), unit = make("span", "unit sr");
    left.append(figure, " ", unit);
    top.append(mark, number);
    if (row.priority) {
      const priority = make("span", "priority");
      priority.append(hidden(words.priority || ""), make("bdi", "", row.priority));
      top.append(priority);
    }
    top.append(client, left);
    const what = make("span", "what");
    what.append(make("bdi", "", words[row.indicator] || row.indicator));
    if (row.cycle > 1) what.append(" ×" + row.cycle);
    if (row.team) what.append(" · ", make("bdi", "", row.team));
    const note = make("span", "note");
    under.append(what, note);
    if (row.url && /^https?:\/\//i.test(row.url)) {
      const link = make("a", "out", "↗");
      link.href = row.url;
      link.target = "_blank";
      link.rel = "noopener noreferrer";
      link.title = words.open_in;
      link.setAttribute("aria-label", words.open_in + ": " + row.number);
      under.append(link);
    }
    const used = make("span", "used");
    used.setAttribute("aria-hidden", "true");
    node.append(top, under, used);
    return { node, mark, figure, unit, note, used, top, group: "" };
  }

  function waiting(on) { return on ? words[on + "_on"] || on : ""; }

  function paint(parts, row, group, at) {
    const calendar = calendars[row.calendar];
    const left = row.paused ? row.left : board.left(row, calendar, at);
    if (parts.group !== group) {
      parts.group = group;
      parts.node.className = "row " + group;
      parts.mark.className = "mark " + group;
    }
    const expected = (group === "overdue" && row.breached === null) ||
      (group === "at_risk" && row.verdict !== "at_risk");
    parts.node.classList.toggle("expected", expected);
    parts.node.title = expected ? words.expected : "";
    board.set(parts.figure, board.length(left));
    board.set(parts.unit, left < 0 ? words.over : words.left);
    const share = row.target > 0 ? Math.max(0, Math.min(1, 1 - left / row.target)) : 1;
    const used = share.toFixed(2);
    if (parts.share !== used) { parts.share = used; parts.used.style.setProperty("--share", used); }
    const line = note(row, calendar, at);
    if (parts.note.textContent !== line) parts.note.textContent = parts.note.title = line;
    parts.node.classList.toggle("closed", !row.paused && !!calendar && !board.open(calendar, at));
  }

  // The second line's end: whom it waits for, when hours begin, or when it is due.
  function note(row, calendar, at) {
    const zone = calendar ? calendar.zone : null;
    const parts = [];
    if (row.paused) parts.push(words.waiting_for + " " + (waiting(row.on) || words.unknown_on));
    else if (calendar && !board.open(calendar, at)) {
      const next = board.opens(calendar, at);
      parts.push(next === null ? words.closed : words.closed_until + " " + board.moment(next));
    }
    const when = row.breached !== null ? row.breached : row.due;
    if (when !== null) {
      const beside = board.beside(when, zone);
      parts.push((when < at ? words.since : words.due) + " " + board.moment(when) +
        (beside ? " / " + beside : ""));
    }
    if (calendar && !calendar.known) parts.push(words.hours_unknown);
    return parts.join(" · ");
  }

  // -- groups ------------------------------------------------------------------------------------

  function take(message) {
    for (const row of message.rows) {
      rows.set(row.id, row);
      nodes.delete(row.id); // made anew: a row is small, and says exactly what was told
    }
    Object.assign(calendars, message.calendars);
    for (const name of Object.keys(message.groups)) {
      shown[name] = message.groups[name].ids;
      counts[name] = message.groups[name].count;
      arrange(name);
    }
    forget();
    tally();
    paintAll(board.now());
  }

  function arrange(name) {
    const section = $("g-" + name), list = section.querySelector("ol");
    const wanted = shown[name];
    const held = document.activeElement && list.contains(document.activeElement)
      ? document.activeElement.closest("li").dataset.id + " " + document.activeElement.className : null;
    let at = list.firstChild;
    const keep = new Set();
    for (const id of wanted) {
      if (!nodes.has(id)) nodes.set(id, build(rows.get(id)));
      const node = nodes.get(id).node;
      keep.add(node);
      if (node === at) at = at.nextSibling;
      else list.insertBefore(node, at);
    }
    for (const node of Array.from(list.childNodes)) if (!keep.has(node)) node.remove();
    if (held) {
      const [id, name] = [held.slice(0, held.lastIndexOf(" ")), held.slice(held.lastIndexOf(" ") + 1)];
      const node = nodes.get(id);
      const again = node && node.node.querySelector("a." + name);
      if (again) again.focus({ preventScroll: true });
    }
    section.querySelector(".empty").hidden = counts[name] > 0;
    const more = section.querySelector(".more"), rest = counts[name] - wanted.length;
    more.hidden = rest <= 0 || limit() >= MOST;
    board.set(more, words.more + " (" + number(rest) + ")");
    section.classList.toggle("none", counts[name] === 0);
  }

  function forget() {
    const used = new Set();
    for (const name of GROUPS) for (const id of shown[name] || []) used.add(id);
    for (const id of Array.from(rows.keys())) if (!used.has(id)) { rows.delete(id); nodes.delete(id); }
  }

  function number(n) { return n.toLocaleString(board.lang === "en" ? "en-GB" : board.lang); }

  function tally() {
    for (const node of document.querySelectorAll("[data-count]")) {
      const n = counts[node.dataset.count];
      board.set(node, n === undefined ? "–" : number(n));
    }
    const all = GROUPS.reduce((sum, name) => sum + (counts[name] || 0), 0);
    $("empty-all").hidden = all > 0;
    $("main").classList.toggle("nothing", all === 0);
    const late = counts.overdue || 0;
    document.title = (late ? "(" + number(late) + ") " : "") + title;
  }
  const title = document.title;

  function paintAll(at) {
    for (const name of GROUPS) {
      for (const id of shown[name] || []) {
        const parts = nodes.get(id);
        if (parts) paint(parts, rows.get(id), name, at);
      }
    }
  }
  board.ticks.push(paintAll);

  // -- news --------------------------------------------------------------------------------------

  function news(told) {
    const line = told.number + " " + (told.client ? told.client + " " : "") +
      (words[told.indicator] || told.indicator) + " " + (words[told.type === "at_risk" ? "at_risk_word" : told.type] || told.type) +
      (told.type === "at_risk" ? " " + told.threshold : "") +
      (told.type === "corrected" ? ": " + (told.after ? words.now_at + " " + told.after.split(" ")[0] : words.taken_back) : "");
    const item = make("li", told.type);
    const mark = make("span", "mark " + (told.type === "breached" ? "overdue" : told.type));
    mark.setAttribute("aria-hidden", "true");
    const link = make("a", "");
    link.href = "/ticket?key=" + encodeURIComponent(told.key);
    link.append(make("bdi", "", line));
    item.append(make("time", "soft", board.clock(board.now())), " ", mark, link);
    const list = $("news").querySelector("ol");
    // What clears two alerts of one clock is one piece of news to people.
    if (list.firstChild && list.firstChild.querySelector("a").textContent === line) return;
    list.prepend(item);
    while (list.children.length > 6) list.lastChild.remove();
    $("news").hidden = false;
    if (told.type !== "cleared") {
      board.say(line);
      if (on.sound) beep(told.type === "breached" ? 660 : 440);
      if (on.notify && document.hidden) pop(told, line);
    }
  }

  // -- sound, notifications, full screen -----------------------------------------------------------

  const on = { sound: false, notify: false };
  let audio = null;
  function beep(pitch) {
    if (!audio) return;
    const tone = audio.createOscillator(), volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.15, audio.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.5);
    tone.connect(volume).connect(audio.destination);
    tone.start();
    tone.stop(audio.currentTime + 0.5);
  }
  function pop(told, line) {
    const note = new Notification("slastream", { body: line, tag: told.key + told.indicator + told.type });
    note.onclick = () => { window.focus(); location.href = "/ticket?key=" + encodeURIComponent(told.key); };
  }
  function press(name, value) {
    on[name] = value;
    $(name).setAttribute("aria-pressed", String(value));
  }
  $("sound").addEventListener("click", () => {
    if (!audio) audio = new AudioContext();
    audio.resume();
    press("sound", !on.sound);
    if (on.sound) beep(520);
  });
  $("notify").addEventListener("click", async () => {
    if (on.notify) press("notify", false);
    else if ("Notification" in window) press("notify", (await Notification.requestPermission()) === "granted");
  });
  $("full").addEventListener("click", () => {
    if (document.fullscreenElement) document.exitFullscreen();
    else document.documentElement.requestFullscreen().catch(() => wall(true));
  });
  function wall(value) { document.documentElement.classList.toggle("wall", value); }
  document.addEventListener("fullscreenchange", () => wall(!!document.fullscreenElement || asked("wall")));
  function asked(name) { return new URLSearchParams(location.search).has(name); }
  wall(asked("wall"));

  // -- filters: kept in the address ----------------------------------------------------------------

  const form = $("filters");
  function address() { return new URLSearchParams(location.search); }
  function limit() { return Math.min(MOST, Number(address().get("rows")) || ROWS); }

  function look() {
    const params = address();
    for (const name of FACETS) {
      const select = form.elements[name], value = params.getAll(name).join("\u0001");
      if (value && !Array.from(select.options).some((each) => each.value === value)) {
        const text = params.getAll(name).map((each) => words[each] || each).join(", ");
        select.append(new Option(text, value));
      }
      select.value = value;
      select.classList.toggle("set", !!value);
    }
    form.elements.q.value = params.get("q") || "";
    $("clear").hidden = !FACETS.some((name) => params.has(name)) && !params.has("q");
    const stream = new URLSearchParams();
    for (const [name, value] of params) if (FACETS.includes(name) || name === "q" || name === "rows") stream.append(name, value);
    board.connect(stream.toString(), handlers);
  }
  function go(params, replace) {
    const text = params.toString();
    history[replace ? "replaceState" : "pushState"](null, "", text ? "?" + text : location.pathname);
    look();
  }
  for (const name of FACETS) {
    form.elements[name].addEventListener("change", (event) => {
      const params = address();
      params.delete(name);
      for (const value of event.target.value.split("\u0001")) if (value) params.append(name, value);
      go(params);
    });
  }
  let typing = null;
  form.elements.q.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const params = address();
      params.delete("q");
      if (form.elements.q.value.trim()) params.set("q", form.elements.q.value.trim());
      go(params, true);
    }, 250);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  $("clear").addEventListener("click", () => {
    const params = address();
    for (const name of [...FACETS, "q"]) params.delete(name);
    go(params);
    form.elements.q.focus();
  });
  for (const button of document.querySelectorAll("button.more")) {
    button.addEventListener("click", () => {
      const params = address();
      params.set("rows", String(Math.min(MOST, limit() * 3)));
      go(params, true);
    });
  }
  window.addEventListener("popstate", look);
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(input|select|textarea)$/i.test(event.target.tagName)) {
      event.preventDefault();
      form.elements.q.focus();
    }
  });

  function facets(told) {
    for (const name of FACETS) {
      const select = form.elements[name], value = select.value;
      if (document.activeElement === select) continue; // never under somebody's fingers
      const options = [select.options[0]];
      for (const each of told[name] || []) {
        options.push(new Option(name === "indicator" ? words[each] || each : each, each));
      }
      if (value && !options.some((each) => each.value === value)) {
        options.push(Array.from(select.options).find((each) => each.value === value));
      }
      select.replaceChildren(...options);
      select.value = value;
      // A filter with one answer is no question.
      select.closest("label").hidden = (told[name] || []).length < 2 && !value;
    }
  }

  const handlers = {
    view(message) {
      rows.clear(); nodes.clear(); calendars = {};
      for (const name of GROUPS) {
        message.groups[name] = message.groups[name] || { count: 0, ids: [] };
      }
      take(message);
      $("main").classList.remove("loading");
      if (first) performance.mark("rows");
      first = false;
    },
    change: take,
    facets,
    news,
  };

  look();
  board.tick();
})();
