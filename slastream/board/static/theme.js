// Runs before anything is painted: the theme that was chosen here, or what the machine prefers.
"use strict";
(function () {
  const asked = new URLSearchParams(location.search).get("theme");
  let chosen = asked;
  try {
    chosen = asked || localStorage.getItem("theme");
  } catch (_) { /* a browser that keeps nothing follows the machine */ }
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
