// Draws the graph of a run (or of a template) from the JSON in #picture, and keeps the states of its nodes true.
(() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";
  const WORDS = { todo: "waiting", doing: "running", waiting: "waits for its signal", blocked: "not begun" };
  const KINDS = { fan_out: "fan-out", sub: "workflow", signal: "signal" };
  const frame = document.getElementById("graph");
  const source = document.getElementById("picture");
  if (!frame || !source || !window.dagre) return;
  let picture = JSON.parse(source.textContent);
  const nodes = new Map();
  const stepNode = new Map();
  const edges = new Map();
  let onPath = new Set();
  let svg, world, map, size = { width: 1, height: 1 }, view = { x: 0, y: 0, width: 1, height: 1 };
  let follows = false, drawnAt = performance.now();

  function make(name, attributes, parent, text) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    parent?.append(made);
    return made;
  }
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;

  function says(node) {
    const words = [];
    if (KINDS[node.kind]) words.push(KINDS[node.kind]);
    if (node.undo) words.push("after a failure");
    if (node.status) words.push(WORDS[node.status] || node.status);
    if (node.of) words.push(Object.entries(node.counts).map(([status, count]) => `${count.toLocaleString("en")} ${WORDS[status] || status}`).join(", "));
    return words.join(" · ");
  }

  function lay() {
    const graph = new dagre.graphlib.Graph({ multigraph: true });
    graph.setGraph({ rankdir: frame.clientWidth < 600 ? "TB" : "LR", nodesep: 18, ranksep: frame.clientWidth < 600 ? 34 : 56, edgesep: 12, marginx: 16, marginy: 16 });
    graph.setDefaultEdgeLabel(() => ({}));
    for (const each of picture.nodes) {
      const longest = Math.max(cut(each.name, 34).length * 7.6, cut(says(each), 46).length * 6.2);
      graph.setNode(each.id, { width: Math.max(110, longest + 28), height: 48 });
    }
    for (const [from, to, kind] of picture.edges) graph.setEdge(from, to, { width: kind.length * 6, height: 12, labelpos: "c" }, kind);
    dagre.layout(graph);
    return graph;
  }

  function draw() {
    const graph = lay();
    frame.replaceChildren();
    nodes.clear();
    stepNode.clear();
    edges.clear();
    const whole = graph.graph();
    size = { width: Math.max(whole.width || 1, 1), height: Math.max(whole.height || 1, 1) };
    const wanted = size.height * (frame.clientWidth || 1) / Math.max(size.width, 700) + 24;
    frame.style.height = `${Math.min(Math.max(wanted, 180), 480, window.innerHeight * .7)}px`;
    svg = make("svg", { role: "group", "aria-label": `${picture.nodes.length} nodes, ${picture.edges.length} edges` }, frame);
    const defs = make("defs", {}, svg);
    for (const [id, width] of [["arrow", 7], ["arrow-critical", 4.5]]) {
      make("path", { d: "M0 0 8 4 0 8z" }, make("marker", { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: width, markerHeight: width, orient: "auto" }, defs));
    }
    world = make("g", {}, svg);
    for (const edge of graph.edges()) {
      const { points, x, y } = graph.edge(edge);
      const group = make("g", { class: `edge is-${edge.name}` }, world);
      const line = make("path", { d: `M${points.map((each) => `${each.x.toFixed(1)} ${each.y.toFixed(1)}`).join("L")}`, "marker-end": "url(#arrow)" }, group);
      edges.set(`${edge.v} ${edge.w} ${edge.name}`, { ends: `${edge.v} ${edge.w}`, kind: edge.name, group, line });
      if (x !== undefined) make("text", { x: x.toFixed(1), y: (y + 3).toFixed(1), "text-anchor": "middle" }, group, edge.name);
    }
    for (const each of picture.nodes) drawNode(each, graph.node(each.id));
    map = drawMap();
    mark();
    fit();
  }

  function drawNode(node, at) {
    const left = at.x - at.width / 2, top = at.y - at.height / 2;
    const parent = node.job && picture.job ? make("a", { href: picture.job.replace("/0/", `/${node.job}/`) }, world) : world;
    const group = make("g", { class: "node" }, parent);
    make("rect", { class: "ring", x: left - 4, y: top - 4, width: at.width + 8, height: at.height + 8, rx: 11 }, group);
    if (node.of > 1) make("rect", { class: "behind", x: left + 5, y: top + 5, width: at.width, height: at.height, rx: 8 }, group);
    make("rect", { x: left, y: top, width: at.width, height: at.height, rx: 8 }, group);
    make("text", { x: at.x, y: at.y - 3, "text-anchor": "middle" }, group, cut(node.name, 34));
    const line = make("text", { class: "says", x: at.x, y: at.y + 14, "text-anchor": "middle" }, group);
    const title = make("title", {}, group);
    nodes.set(node.id, { node, at, group, line, title });
    for (const id of node.ids) stepNode.set(id, node.id);
    say(node.id);
  }

  function say(id) {
    const { node, group, line, title } = nodes.get(id);
    const state = `is-${node.status || "planned"}${onPath.has(id) ? " is-critical" : ""}`;
    group.setAttribute("class", `node ${state}${node.of > 1 ? " is-many" : ""}`);
    line.textContent = cut(says(node), 46);
    title.textContent = `${node.name}: ${says(node)}${onPath.has(id) ? " · on the critical path" : ""}`;
    map?.dots.get(id)?.setAttribute("class", state);
  }

  // -- the critical path, as the server tells it
  function mark() {
    onPath = new Set(picture.path?.nodes);
    const legs = new Set((picture.path?.edges || []).map((each) => each.join(" ")));
    for (const { ends, group, line, kind } of edges.values()) {
      const is = legs.has(ends);
      group.setAttribute("class", `edge is-${kind}${is ? " is-critical" : ""}`);
      line.setAttribute("marker-end", is ? "url(#arrow-critical)" : "url(#arrow)");
    }
    for (const id of nodes.keys()) say(id);
    const button = document.querySelector('[data-graph="path"]');
    if (button) button.hidden = !onPath.size;
  }
  function showPath(wanted) {
    const is = wanted && onPath.size > 0;
    svg.classList.toggle("only-path", is);
    document.querySelector('[data-graph="path"]')?.setAttribute("aria-pressed", String(is));
    if (is) { setFollow(false); fit(around([...onPath].map((id) => nodes.get(id)).filter(Boolean))); }
  }

  // -- the whole, small, with what of it is seen; there while not all is
  function drawMap() {
    const box = document.createElement("div");
    box.className = "minimap";
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-label", "Map of the graph: arrows move the part that is shown");
    const most = frame.clientWidth < 600 ? 110 : 190;
    const ratio = Math.min(most / size.width, most * .6 / size.height);
    box.style.width = `${Math.max(size.width * ratio, 24)}px`;
    box.style.height = `${Math.max(size.height * ratio, 24)}px`;
    const small = make("svg", { viewBox: `0 0 ${size.width} ${size.height}`, "aria-hidden": "true" }, box);
    const dots = new Map();
    for (const [id, { at }] of nodes) dots.set(id, make("rect", { x: at.x - at.width / 2, y: at.y - at.height / 2, width: at.width, height: at.height, rx: 8 }, small));
    const seen = make("rect", { class: "seen" }, small);
    const go = (event) => {
      const { left, top, width, height } = box.getBoundingClientRect();
      view.x = (event.clientX - left) / width * size.width - view.width / 2;
      view.y = (event.clientY - top) / height * size.height - view.height / 2;
      setFollow(false);
      look();
    };
    box.addEventListener("pointerdown", (event) => { event.stopPropagation(); box.setPointerCapture(event.pointerId); go(event); });
    box.addEventListener("pointermove", (event) => { event.stopPropagation(); if (box.hasPointerCapture(event.pointerId)) go(event); });
    box.addEventListener("keydown", (event) => {
      const x = { ArrowLeft: -1, ArrowRight: 1 }[event.key] || 0, y = { ArrowUp: -1, ArrowDown: 1 }[event.key] || 0;
      if (!x && !y) return;
      event.preventDefault();
      event.stopPropagation();
      pan(x * view.width / 2, y * view.height / 2);
    });
    frame.append(box);
    return { box, dots, seen };
  }
  function showSeen() {
    const isWhole = view.x <= 1 && view.y <= 1 && view.x + view.width >= size.width - 1 && view.y + view.height >= size.height - 1;
    map.box.hidden = isWhole && !map.box.contains(document.activeElement);
    for (const each of ["x", "y", "width", "height"]) map.seen.setAttribute(each, view[each].toFixed(1));
  }

  // -- what of it is seen
  function look() {
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    showSeen();
  }
  function fit(box) {
    const ratio = (frame.clientWidth || 2) / (frame.clientHeight || 1);
    const wanted = box || { x: 0, y: 0, width: size.width, height: size.height };
    let width = Math.max(wanted.width, wanted.height * ratio);
    width = Math.max(width, Math.min(frame.clientWidth, 900));
    const height = width / ratio;
    view = { width, height, x: wanted.x + wanted.width / 2 - width / 2, y: wanted.y + wanted.height / 2 - height / 2 };
    look();
  }
  function zoom(by, at = { x: .5, y: .5 }) {
    const width = Math.min(Math.max(view.width / by, 120), Math.max(size.width, size.height, 900) * 6);
    const factor = width / view.width;
    view = { x: view.x + view.width * at.x * (1 - factor), y: view.y + view.height * at.y * (1 - factor), width, height: view.height * factor };
    look();
  }
  function pan(x, y) { view.x += x; view.y += y; look(); }
  function place(event) {
    const box = frame.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }
  function followRunning() {
    const running = [...nodes.values()].filter(({ node }) => node.status === "doing" || node.status === "todo" || node.status === "waiting");
    if (!running.length) return;
    fit(around(running));
  }
  function around(some) {
    const left = Math.min(...some.map(({ at }) => at.x - at.width / 2)), right = Math.max(...some.map(({ at }) => at.x + at.width / 2));
    const top = Math.min(...some.map(({ at }) => at.y - at.height / 2)), bottom = Math.max(...some.map(({ at }) => at.y + at.height / 2));
    return { x: left - 40, y: top - 40, width: right - left + 80, height: bottom - top + 80 };
  }
  function setFollow(wanted) {
    follows = wanted;
    document.querySelector('[data-graph="follow"]')?.setAttribute("aria-pressed", String(wanted));
    if (wanted) followRunning();
  }

  const held = new Map();
  let dragged = 0;
  frame.addEventListener("pointerdown", (event) => { if (event.button === 0) { held.set(event.pointerId, event); dragged = 0; } });
  frame.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before || !svg) return;
    const scale = view.width / (frame.clientWidth || 1);
    if (held.size === 1) {
      const x = before.clientX - event.clientX, y = before.clientY - event.clientY;
      dragged += Math.abs(x) + Math.abs(y);
      if (dragged > 4) { svg.classList.add("is-held"); setFollow(false); if (!frame.hasPointerCapture(event.pointerId)) frame.setPointerCapture(event.pointerId); }
      pan(x * scale, y * scale);
    } else if (held.size === 2) {
      const other = [...held].find(([id]) => id !== event.pointerId)[1];
      const was = Math.hypot(before.clientX - other.clientX, before.clientY - other.clientY), is = Math.hypot(event.clientX - other.clientX, event.clientY - other.clientY);
      if (was > 0) zoom(is / was, place({ clientX: (event.clientX + other.clientX) / 2, clientY: (event.clientY + other.clientY) / 2 }));
    }
    held.set(event.pointerId, event);
  });
  const release = (event) => { held.delete(event.pointerId); svg?.classList.remove("is-held"); };
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointercancel", release);
  frame.addEventListener("click", (event) => { if (dragged > 4) { event.preventDefault(); event.stopPropagation(); } }, true);
  frame.addEventListener("dragstart", (event) => event.preventDefault());
  frame.addEventListener("wheel", (event) => {
    // Without a key the page scrolls, unless somebody works in the graph.
    if (!event.ctrlKey && !event.metaKey && !frame.contains(document.activeElement)) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), place(event));
  }, { passive: false });
  frame.addEventListener("keydown", (event) => {
    const step = view.width / 10;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (moves[event.key]) pan(...moves[event.key]);
    else if (event.key === "+" || event.key === "=") zoom(1.25);
    else if (event.key === "-") zoom(.8);
    else if (event.key === "0") fit();
    else if (event.key === "f") setFollow(!follows);
    else if (event.key === "c") showPath(!svg.classList.contains("only-path"));
    else if (event.key === "m" && !map.box.hidden) map.box.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.getElementById("graph-tools")?.addEventListener("click", (event) => {
    switch (event.target.closest("[data-graph]")?.dataset.graph) {
      case "in": zoom(1.25); break;
      case "out": zoom(.8); break;
      case "fit": setFollow(false); fit(); break;
      case "follow": setFollow(!follows); break;
      case "path": showPath(!svg.classList.contains("only-path")); break;
    }
  });

  // -- as it goes on
  async function refresh() {
    const address = new URL(picture.states, location.href);
    address.searchParams.set("since", picture.at);
    address.searchParams.set("token", document.getElementById("steps")?.dataset.token || "");
    const answer = await fetch(address, { credentials: "same-origin" });
    if (answer.status !== 200) return; // the token is too old: the steps bring another one
    const told = await answer.json();
    picture.at = told.at;
    let isStale = false;
    for (const each of told.moved) {
      const id = stepNode.get(each.id);
      if (!id) { isStale = true; continue; }
      const { node } = nodes.get(id);
      if (node.kind === "fan_out" && (each.open !== node.open || each.status !== node.status)) isStale = true;
      if (node.status === each.status) continue;
      node.status = each.status;
      say(id);
    }
    if (told.status && told.status !== picture.status) { picture.status = told.status; isStale = true; htmx.trigger("#steps", "moved"); drawnAt = -Infinity; }
    if (isStale && performance.now() - drawnAt > 15000) await again();
    if (follows) followRunning();
  }
  // Crowds and fan-outs have counts, and what has fanned out or was retried is another picture: the page is asked for it, now and then.
  async function again() {
    drawnAt = performance.now();
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (!answer.ok) return;
    const text = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("picture")?.textContent;
    if (!text) return;
    const fresh = JSON.parse(text);
    const isSame = fresh.nodes.length === picture.nodes.length && fresh.nodes.every((each) => nodes.has(each.id));
    picture = fresh;
    if (!isSame) { draw(); return; }
    for (const each of fresh.nodes) nodes.get(each.id).node = each;
    mark();
  }
  frame.addEventListener("live", () => { if (picture.states) refresh().catch(() => { /* the next time, then */ }); });
  new ResizeObserver(() => {
    if (!svg || !frame.clientWidth || !frame.clientHeight) return;
    view.height = view.width * frame.clientHeight / frame.clientWidth;
    look();
  }).observe(frame);
  draw();
  document.getElementById("graph-tools")?.removeAttribute("hidden");
})();
