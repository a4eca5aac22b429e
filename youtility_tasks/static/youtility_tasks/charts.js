// Draws every <div class="canvas" data-chart="ID"> from the JSON in the element ID:
// {"x": [seconds], "series": [{"label", "color", "values", "kind": "bars"|"line"}], "unit": "ms"|"", "stacked": bool, "pick": "address with SINCE and UNTIL"}
(() => {
  "use strict";
  const drawn = new Map();

  function color(name) {
    const probe = getComputedStyle(document.documentElement);
    const value = probe.getPropertyValue(`--${name}`).trim();
    const match = value.match(/^light-dark\(\s*([^,]+),\s*(.+)\)$/);
    if (!match) return value;
    const theme = document.documentElement.dataset.theme;
    const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    return dark ? match[2].trim() : match[1].trim();
  }

  function said(value, unit) {
    if (value == null) return "\u2013";
    if (unit !== "ms") return value.toLocaleString("en-GB", { maximumFractionDigits: value < 10 ? 1 : 0 });
    if (value === 0) return "0";
    if (value < 1000) return `${Math.round(value)} ms`;
    const [one, word] = value < 60000 ? [1000, "s"] : value < 3600000 ? [60000, "min"] : [3600000, "h"];
    return `${(value / one).toFixed(1).replace(".0", "")} ${word}`;
  }

  // Where a time is marked: at what a clock has, not at tenths of minutes.
  const whole = [1, 2, 5, 10, 20, 50, 100, 200, 500, ...[1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000, 864000].map((each) => each * 1000)];

  // As everything else on the pages, whatever zone the browser is in.
  const clock = (at) => at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

  function hour(seconds, step) {
    const at = new Date(seconds * 1000);
    return step >= 86400 ? at.toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" }) : clock(at);
  }

  // A value without neighbours makes no line: it is shown as a dot.
  function lonely(values) {
    const found = [];
    values.forEach((value, i) => { if (value != null && values[i - 1] == null && values[i + 1] == null) found.push(i); });
    return found;
  }

  // Stacked bars are drawn from the tallest sum down, so that each covers the part that is not its own.
  function stack(series) {
    const sums = series[0].values.map(() => 0);
    return series.map((each) => each.values.map((value, i) => (sums[i] += value ?? 0))).reverse();
  }

  function draw(place) {
    const source = document.getElementById(place.dataset.chart);
    if (!source) return;
    drawn.get(place)?.destroy();
    place.replaceChildren();
    const data = JSON.parse(source.textContent);
    const shown = data.stacked ? [...data.series].reverse() : data.series;
    const values = data.stacked ? stack(data.series) : data.series.map((each) => each.values);
    const quiet = color("quiet"), line = color("line");
    const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const plot = new uPlot({
      width: Math.max(place.clientWidth, 200), height: 176, padding: [8, 20, 0, 0],
      legend: { show: false }, cursor: { y: false, drag: { x: Boolean(data.pick), y: false }, points: { show: false } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "UTC"),
      scales: { x: { time: true }, y: { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, grid: { show: false }, space: 72, values: (u, ticks, i, space, step) => ticks.map((tick, n) => hour(tick, step) + (n === 0 ? " UTC" : "")) }, { ...axis, size: 56, ...(data.unit === "ms" ? { incrs: whole } : {}), values: (u, ticks) => ticks.map((tick) => said(tick, data.unit)) }],
      series: [{}, ...shown.map((each) => ({
        label: each.label, stroke: color(each.color), width: each.kind === "bars" ? 0 : 2,
        fill: each.kind === "bars" ? color(each.color) : undefined,
        paths: each.kind === "bars" ? uPlot.paths.bars({ size: [0.86, 40], gap: 0 }) : undefined,
        points: each.kind === "bars" ? { show: false } : { show: true, size: 5, fill: color(each.color), filter: (u, i) => lonely(u.data[i]) }, spanGaps: false,
      }))],
      hooks: {
        setCursor: [(u) => tell(place, data, u.cursor.idx)],
        setSelect: [(u) => {
          if (!data.pick || u.select.width < 4) return;
          const since = u.posToVal(u.select.left, "x"), until = u.posToVal(u.select.left + u.select.width, "x");
          const iso = (seconds) => encodeURIComponent(new Date(seconds * 1000).toISOString().slice(0, 19) + "Z");
          location.assign(data.pick.replace("SINCE", iso(since)).replace("UNTIL", iso(until)));
        }],
      },
    }, [data.x, ...values], place);
    drawn.set(place, plot);
    if (data.pick && data.x.length > 1) {
      plot.over.classList.add("is-picked-from");
      plot.over.addEventListener("click", () => {
        const at = plot.cursor.idx;
        if (at == null || plot.select.width >= 4) return;
        const iso = (seconds) => encodeURIComponent(new Date(seconds * 1000).toISOString().slice(0, 19) + "Z");
        location.assign(data.pick.replace("SINCE", iso(data.x[at])).replace("UNTIL", iso(data.x[at] + data.x[1] - data.x[0])));
      });
    }
    tell(place, data, null);
  }

  function tell(place, data, index) {
    const legend = place.parentElement.querySelector(".legend");
    if (!legend) return;
    const at = index == null ? "" : `${clock(new Date(data.x[index] * 1000))} UTC`;
    legend.replaceChildren(...data.series.map((each) => {
      const item = document.createElement("span");
      const key = document.createElement("i");
      key.className = `key is-${each.color}`;
      item.append(key, ` ${each.label}${index == null ? "" : ` ${said(each.values[index], data.unit)}`}`);
      return item;
    }), ...(at ? [at] : []));
  }

  const drawAll = () => { for (const each of document.querySelectorAll("[data-chart]")) draw(each); };
  document.addEventListener("DOMContentLoaded", drawAll);
  document.addEventListener("htmx:afterSettle", drawAll);
  document.addEventListener("tasks:theme", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  let timer = 0;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { for (const [place, plot] of drawn) if (place.isConnected) plot.setSize({ width: Math.max(place.clientWidth, 200), height: 176 }); }, 100);
  });
})();
