// The pages Ticket and Trends: written by the server, fetched again when something changed.
"use strict";

(function () {
  const { $, words } = board;
  const page = document.body.dataset.page;
  const stream = document.body.dataset.stream;
  let calendars = {}, countdowns = [];

  function ready() {
    const main = $("main");
    board.localise(main);
    const told = $("calendars");
    calendars = told ? JSON.parse(told.textContent).calendars : {};
    countdowns = Array.from(main.querySelectorAll("p.left[data-left]"));
    const print = $("print");
    if (print) print.addEventListener("click", () => window.print());
  }

  board.ticks.push((at) => {
    for (const node of countdowns) {
      const data = node.dataset;
      if (data.covered === undefined) continue;
      const left = board.left({ covered: Number(data.covered) }, calendars[data.calendar], at);
      board.set(node.querySelector(".figure"), board.length(left));
      board.set(node.querySelector(".unit"), left < 0 ? words.over : words.left);
      node.classList.toggle("over", left < 0);
    }
  });

  let busy = false, again = false;
  async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch("/" + page + "/part" + location.search, { credentials: "same-origin" });
      if (answer.ok) {
        const open = Array.from(document.querySelectorAll("#main details")).map((each) => each.open);
        const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
        if (fresh) {
          const held = document.activeElement && document.activeElement.closest("#main");
          $("main").replaceWith(fresh);
          document.querySelectorAll("#main details").forEach((each, n) => {
            if (n < open.length) each.open = open[n];
          });
          if (held) fresh.focus({ preventScroll: true });
          ready();
          board.tick();
        }
      }
    } catch (_) { /* the stream says that the connection is lost */ }
    busy = false;
    if (again) { again = false; setTimeout(refresh, 300); }
  }

  ready();
  if (stream) board.connect(stream, { changed: refresh, back: refresh });
  else board.connect("trends=1", {});
  board.tick();
  let loading = document.querySelector("main.message") !== null;
  if (loading && stream) {
    // A ticket that is not there (yet) may come while we look.
    setInterval(() => { if (document.querySelector("main.message")) refresh(); }, 2000);
  }
})();
