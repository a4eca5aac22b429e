// Keys, theme, dialogs of acts, live updates. Without this file every page and act still works, as whole pages.
(() => {
  "use strict";
  const kept = {
    get(name) { try { return localStorage.getItem(name); } catch { return null; } },
    set(name, value) { try { localStorage.setItem(name, value); } catch { /* for this page alone, then */ } },
  };
  const root = document.documentElement;

  // -- theme: system -> light -> dark
  function nextTheme() {
    const order = { undefined: "light", light: "dark", dark: undefined };
    const next = order[root.dataset.theme];
    if (next) root.dataset.theme = next; else delete root.dataset.theme;
    kept.set("tasks-theme", next || "");
    document.dispatchEvent(new CustomEvent("tasks:theme"));
  }

  document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

  // -- acts: their form in a dialog
  const dialog = document.getElementById("act");
  const body = document.getElementById("act-body");
  let opener = null;
  async function propose(link) {
    opener = link;
    const address = new URL(link.href);
    address.searchParams.set("part", "dialog");
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
      if (answer.headers.get("HX-Redirect")) { location.assign(answer.headers.get("HX-Redirect")); return; }
      body.innerHTML = await answer.text();
    } catch {
      location.assign(link.href);
      return;
    }
    if (window.htmx) window.htmx.process(body);
    if (body.querySelector(".problem")) body.insertAdjacentHTML("beforeend", '<p class="buttons"><button type="button" class="button" data-close>Close</button></p>');
    dialog.showModal();
    const first = body.querySelector("textarea, input:not([type=hidden]), select");
    if (first) first.focus();
  }
  dialog?.addEventListener("close", () => { body.replaceChildren(); opener?.focus(); });

  document.addEventListener("click", (event) => {
    const target = event.target.closest?.("[data-act], [data-close], [data-open], [data-theme-switch], [data-live-switch]");
    if (!target || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (target.matches("[data-act]")) { event.preventDefault(); propose(target); }
    else if (target.matches("[data-close]") && target.closest("dialog")) { event.preventDefault(); target.closest("dialog").close(); }
    else if (target.matches("[data-open]")) document.getElementById(target.dataset.open)?.showModal();
    else if (target.matches("[data-theme-switch]")) nextTheme();
    else if (target.matches("[data-live-switch]")) setLive(!isLive);
  });
  document.addEventListener("submit", (event) => {
    for (const button of event.target.querySelectorAll("button:not([type=button])")) {
      // After the form is read: a disabled button would take its own value out of it.
      setTimeout(() => { button.disabled = true; }, 0);
    }
  });
  window.addEventListener("pageshow", () => { for (const button of document.querySelectorAll("form button:disabled")) button.disabled = false; });

  // -- live: an element with data-live="10" is asked for anew each ten seconds, while somebody looks
  let isLive = kept.get("tasks-live") !== "off";
  function setLive(wanted) {
    isLive = wanted;
    kept.set("tasks-live", wanted ? "on" : "off");
    for (const each of document.querySelectorAll("[data-live-switch]")) each.setAttribute("aria-pressed", String(wanted));
  }
  setLive(isLive);
  const due = new WeakMap();
  setInterval(() => {
    if (!isLive || document.hidden || document.querySelector("dialog[open]")) return;
    const now = performance.now();
    for (const each of document.querySelectorAll("[data-live]")) {
      const every = Number(each.dataset.live) * 1000;
      if (!due.has(each)) due.set(each, now + every);
      if (now < due.get(each) || each.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")) continue;
      due.set(each, now + every);
      window.htmx?.trigger(each, "live");
    }
  }, 1000);

  // -- what comes by itself and cannot come now stays as it was, is said to be old, and is asked for again soon. Swapped in, an
  // answer of "the database is away" would take the part's place, and with it what asks.
  const late = new Set();
  const partOf = (event) => (event.detail.requestConfig?.elt ?? event.detail.elt)?.closest?.("[data-live]");
  function keepOld(part, sentence) {
    due.set(part, performance.now() + Math.min(10, Number(part.dataset.live)) * 1000);
    let note = document.getElementById("late");
    if (!note) {
      note = document.createElement("p");
      note.id = "late";
      note.className = "flash is-error";
      note.dataset.since = new Date().toISOString().slice(11, 16);
      document.querySelector(".flashes")?.append(note);
    }
    late.add(part.id);
    note.textContent = `Not up to date since ${note.dataset.since} UTC; it is tried again by itself. ${sentence}`;
  }
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = partOf(event);
    if (!part || event.detail.xhr.status < 400) return;
    event.detail.shouldSwap = false;
    const said = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html").querySelector(".problem p");
    keepOld(part, said?.textContent ?? "");
  });
  for (const name of ["htmx:sendError", "htmx:timeout"]) {
    document.addEventListener(name, (event) => { const part = partOf(event); if (part) keepOld(part, "Nobody answers at this address."); });
  }
  document.addEventListener("htmx:afterRequest", (event) => {
    const part = partOf(event);
    if (!part || !event.detail.successful) return;
    late.delete(part.id);
    if (!late.size) document.getElementById("late")?.remove();
  });

  // -- keys
  let usesKeys = kept.get("tasks-keys") !== "off";
  const box = document.querySelector("[data-keys-switch]");
  if (box) {
    box.checked = usesKeys;
    box.addEventListener("change", () => { usesKeys = box.checked; kept.set("tasks-keys", usesKeys ? "on" : "off"); });
  }
  let went = -Infinity;
  document.addEventListener("keydown", (event) => {
    if (!usesKeys || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest?.("input, textarea, select, [contenteditable], dialog[open]")) return;
    if (performance.now() - went < 1500) {
      went = -Infinity;
      const tab = document.querySelector(`.tabs [data-key="${CSS.escape(event.key)}"]`);
      if (tab) { event.preventDefault(); tab.click(); }
      return;
    }
    switch (event.key) {
      case "g": went = performance.now(); break;
      case "/": {
        const search = document.querySelector("[data-search]");
        if (search) { event.preventDefault(); search.focus(); search.select?.(); }
        break;
      }
      case "r": setLive(!isLive); break;
      case "t": nextTheme(); break;
      case "?": document.getElementById("keys")?.showModal(); break;
    }
  });
})();
